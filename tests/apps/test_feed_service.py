"""`mm feed` on a real NATS server, hearing an emulated venue; the clock of heartbeats is ours."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from mm.apps.feed_service import FeedService, ServiceSettings
from mm.apps.feed_serving import LINK
from mm.apps.feed_venues import Venue
from mm.apps.feed_words import Subjects, Wanted, batch_from, beginning_from
from mm.emulator.binance.spot import SpotFront
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta
from mm.events.units import SECONDS, Nanos
from mm.gateways.questions import Outside
from mm.gateways.venues.binance.market import BinanceMarket
from mm.log.connection import close, connect
from mm.log.server import EmbeddedServer
from mm.log.wire import attach
from tests.emulator.venue import opened, reached, spot
from tests.gateways.live_market import FAST, Truth

BOOK = {"symbol": "BTC/USDT"}
SUBSCRIBE = "suiren.subscriptions.orderbook.binance"
BEAT = "suiren.heartbeat.orderbook.binance"
HEARD = "suiren.orderbook.binance.BTC/USDT"
PATIENCE = 30.0
PAGE = Path(__file__).parents[2] / "docs" / "feed-service.md"


class Bench:
    """A service, its market, a client of the bus, and a clock that stands still."""

    def __init__(self, service: FeedService, truth: Truth, client: Client, url: str) -> None:
        """All of it stands."""
        self.service = service
        self.truth = truth
        self.client = client
        self.url = url

    async def until(self, holds: Callable[[], bool], *, playing: bool = True) -> None:
        """Let the market move until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                if playing:
                    self.truth.step()
                await asyncio.sleep(0.01)

    async def say(self, subject: str, **body: Any) -> None:
        """Publish as an outside client does."""
        await self.client.publish(subject, json.dumps(body).encode())
        await self.client.flush()

    async def ask(self, subject: str, **body: Any) -> Any:
        """Ask as an outside client does."""
        told = await self.client.request(subject, json.dumps(body).encode(), timeout=PATIENCE)
        return json.loads(told.data)


class Hands:
    """A clock that the test moves."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.at = Nanos(SECONDS)

    def __call__(self) -> Nanos:
        """What it shows."""
        return self.at


@asynccontextmanager
async def served(tmp_path: Path, now: Hands, prefix: str = "suiren") -> AsyncIterator[Bench]:
    """A service for one emulated venue."""
    exchange, _ = opened(spot())
    truth, front = Truth(exchange), SpotFront(exchange)
    async with reached(front) as there, EmbeddedServer(tmp_path / "store", sync="2m") as server:
        port = BinanceMarket("binance", ("book",))
        venues = {"binance": Venue(port, Outside(session=there.session), FAST)}
        nc, client = await connect(server.access, LINK), await connect(server.access)
        service = FeedService(
            await attach(nc), venues, ServiceSettings(subjects=Subjects(prefix)), now
        )
        ready = asyncio.Event()
        running = asyncio.create_task(service.run(ready))
        running.add_done_callback(lambda task: task.cancelled() or task.result())
        await ready.wait()
        way = server.access
        url = server.url.replace("//", f"//{way.user}:{way.password}@")
        try:
            yield Bench(service, truth, client, url)
        finally:
            running.cancel()
            await asyncio.wait([running])
            await close(client)
            await close(nc)


def books(heard: list[Any]) -> list[Any]:
    """The whole books among what was heard."""
    return [each for each in heard if each["status"] == "live"]


async def test_the_books_are_the_venues_and_close_after_the_last_heartbeat(tmp_path: Path) -> None:
    """Every book told is the venue's at that update id; 20 s after the last beat it is closed."""
    hands, heard = Hands(), list[Any]()

    async def keep(message: Any) -> None:
        if not message.reply:  # Else somebody asks.
            heard.append(json.loads(message.data))

    async with served(tmp_path, hands) as bench:
        await bench.client.subscribe(HEARD, cb=keep)
        assert (await bench.ask(HEARD))["status"] == "closed"
        await bench.say(SUBSCRIBE, **BOOK)
        await bench.until(lambda: len(books(heard)) > 20)
        for each in books(heard):
            bids, asks = bench.truth.at[each["nonce"]]
            assert each["bids"] == [[float(price), float(size)] for price, size in bids]
            assert each["asks"] == [[float(price), float(size)] for price, size in asks]
        answer = await bench.ask(HEARD)
        assert answer["status"] == "live"
        assert answer["nonce"] in bench.truth.at
        hands.at = Nanos(hands.at + 19 * SECONDS)
        await bench.ask(BEAT, **BOOK)
        hands.at = Nanos(hands.at + 19 * SECONDS)
        bench.service.tend()
        assert len(bench.service.open) == 1
        hands.at = Nanos(hands.at + SECONDS)
        bench.service.tend()
        assert not bench.service.open
        assert (await bench.ask(HEARD))["status"] == "closed"
        await bench.say(BEAT, **BOOK)  # As after a new start of the service.
        before = len(books(heard))
        await bench.until(lambda: len(books(heard)) > before)


async def test_spellings_share_one_feed(tmp_path: Path) -> None:
    """The venue's name and a trader's are one stream, told under both; a rate is a third way."""
    async with served(tmp_path, Hands()) as bench:
        for symbol in ("BTC/USDT", "BTCUSDT"):
            await bench.say(SUBSCRIBE, symbol=symbol)
        await bench.say(SUBSCRIBE, symbol="BTCUSDT", per_second_max=5)
        ways = {Wanted(symbol=each) for each in ("BTC/USDT", "BTCUSDT")}
        ways.add(Wanted(symbol="BTCUSDT", per_second_max=5))
        await bench.until(
            lambda: (
                {way for each in bench.service.open.values() for way in each.stream.ways} == ways
            )
        )
        assert len(bench.service.open) == 1


async def test_what_cannot_be_had_is_refused(tmp_path: Path) -> None:
    """Unknown symbols and exchanges and bodies that ask for nothing are answered with a reason."""
    async with served(tmp_path, Hands()) as bench:
        told = await bench.client.subscribe("suiren.orderbook.*.*")
        await bench.say(SUBSCRIBE, symbol="NO/PE")
        await bench.say("suiren.subscriptions.orderbook.nowhere", symbol="BTC/USDT")
        refused = [json.loads((await told.next_msg(PATIENCE)).data) for _ in range(2)]
        assert {each["status"] for each in refused} == {"refused"}
        reasons = {each["exchange"]: each["reason"] for each in refused}
        assert "binance lists no NO/PE" in reasons["binance"]
        assert reasons["nowhere"] == "it serves binance"
        answer = await bench.ask(SUBSCRIBE, symbl="BTC/USDT")
        assert answer["status"] == "refused"
        assert "symbl" in answer["reason"]
        assert not bench.service.open


async def test_desks_hear_the_facts(tmp_path: Path) -> None:
    """Numbered without a hole, from a beginning on, each once."""
    wanted = json.dumps({**BOOK, "events": True}).encode()
    heard = list[Any]()

    async def keep(message: Any) -> None:
        heard.append(batch_from(message.data))

    async with served(tmp_path, Hands()) as bench:
        await bench.client.subscribe("suiren.events.binance.BTC/USDT", cb=keep)
        await bench.client.request(SUBSCRIBE, wanted, timeout=PATIENCE)
        await bench.until(lambda: len(heard) > 10)
        answer = await bench.client.request(BEAT, wanted, timeout=PATIENCE)
        beginning = beginning_from(answer.data)
        await bench.until(lambda: heard[-1].number > beginning.number + 5)
        numbers = [each.number for each in heard]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert {each.run for each in heard} == {beginning.run}
        assert isinstance(beginning.facts[0], InstrumentDefined)
        deltas = [fact for each in heard for fact in each.facts if isinstance(fact, BookDelta)]
        assert all(later.first == one.last + 1 for one, later in pairwise(deltas))


async def test_the_example_of_the_docs_runs(tmp_path: Path) -> None:
    """A stranger's program, as it is printed, hears ten books."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 20
    async with served(tmp_path, Hands(), "mm") as bench:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", example),
            env={"NATS_URL": bench.url},
            stdout=asyncio.subprocess.PIPE,
        )
        ended = asyncio.create_task(process.communicate())
        await bench.until(ended.done)
        printed, _ = ended.result()
        assert process.returncode == 0
        assert len(printed.splitlines()) == 10
