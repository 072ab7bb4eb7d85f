"""From a venue's socket to an event: our feed beside ccxt.pro's, in the same run.

An emulated Binance in a process of its own sends diffs of twenty levels at a steady rate, and notes
when each left; both clients reach it over TLS under its production addresses, in turn. Latency is
from there to the moment at which the client has the event (ours: the fact with its book joined and
audited; ccxt.pro's: the return of `watch_order_book`). A diff that a client never showed by itself
was conflated. ccxt.pro stops reading for good at high rates with some versions of aiohttp, so that
it is measured mended, too. Beside it: diffs parsed in a second of one core, without sockets.

    python benchmarks/bench_feed.py --seconds 4 --rounds 3
"""

import argparse
import asyncio
import json
import mmap
import random
import struct
import sys
import time
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import ccxt.pro
from ccxt.async_support.base.ws import client as ws_client

from mm.emulator.binance.spot import SpotFront
from mm.emulator.exchange import Exchange
from mm.emulator.server import running
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import BookDelta, BookSnapshot, FeedGapped
from mm.events.units import InstrumentId, Lots, Nanos
from mm.events.vocabulary import Fact
from mm.gateways.ccxt_feed import mend
from mm.gateways.market_port import Frame
from mm.gateways.network import NetworkSettings, open_network
from mm.gateways.questions import Outside
from mm.gateways.venue_feed import VenueFeed, known
from mm.gateways.venues.binance.market import BinanceMarket

RATES = (100, 1_000, 4_000)
LEVELS = 20
IDS_MAX = 1 << 20
FIRST = 100
STREAM = "btcusdt@depth@100ms"
MID = 6_000_000
SETTLE_SECONDS = 1.5
JOIN_SECONDS = 60.0
PARSED = 20_000
RUNS = 15


def bitcoin() -> InstrumentDefined:
    """Spot BTC."""
    return InstrumentDefined(
        instrument=InstrumentId(1),
        venue="binance",
        symbol="BTCUSDT",
        kind=ContractKind.SPOT,
        base="BTC",
        quote="USDT",
        settle="USDT",
        tick_size=Decimal("0.01"),
        lot_size=Decimal("0.00001"),
        size_min=Lots(1),
    )


def bodies(count: int, seed: int = 1) -> list[bytes]:
    """Diffs without their ids: levels near the touch, never crossing."""
    rand = random.Random(seed)

    def rows(sign: int) -> str:
        places = rand.sample(range(1, 400), LEVELS // 2)
        pairs = [((MID + sign * place) / 100, rand.randint(1, 9) / 10) for place in places]
        return ",".join(f'["{price:.2f}","{size:.5f}"]' for price, size in pairs)

    return [
        b'{"e":"depthUpdate","E":%d,"s":"BTCUSDT","U":%d,"u":%d,'
        + f'"b":[{rows(-1)}],"a":[{rows(1)}]}}'.encode()
        for _ in range(count)
    ]


# -- the venue -----------------------------------------------------------------------------------


async def serve(times_path: Path, folder: Path) -> None:
    """Fire as told on stdin: `<rate> <seconds>` a line."""
    exchange = Exchange("binance")
    listing = exchange.list(bitcoin())
    sides = [tuple(n for k in range(1, 401) for n in (MID + s * k, 100_000)) for s in (-1, 1)]
    exchange.tell(
        BookSnapshot(
            instrument=InstrumentId(1),
            received=Nanos(0),
            venue_time=Nanos(0),
            sequence=FIRST,
            bids=sides[0],
            asks=sides[1],
        )
    )
    front, made = SpotFront(exchange), bodies(500)
    subscribers: Any = front._streams._subscribers  # noqa: SLF001  The plainest way to a socket.
    with times_path.open("r+b") as file:
        times = mmap.mmap(file.fileno(), 0)
        async with running(front, directory=folder) as emulator:
            print(json.dumps(emulator.environment), flush=True)
            while line := (await asyncio.to_thread(sys.stdin.readline)).split():
                await fire(float(line[0]), float(line[1]), listing, subscribers, made, times)
                print(listing.book.sequence, flush=True)


async def fire(
    rate: float, seconds: float, listing: Any, subscribers: Any, made: list[bytes], times: Any
) -> None:
    """Diffs at a steady rate to whoever listens."""
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while sent < passed * rate:
            number = listing.book.sequence + 1
            plain = made[number % len(made)] % (time.time_ns() // 1_000_000, number, number)
            wrapped = b'{"stream":"' + STREAM.encode() + b'","data":' + plain + b"}"
            struct.pack_into("<q", times, number * 8, time.monotonic_ns())
            for each in tuple(subscribers.get(STREAM, {}).values()):
                each.socket.send(STREAM, wrapped if each.combined else plain)
            listing.book.sequence = number
            sent += 1
        await asyncio.sleep(max(0.0005, (sent + 1) / rate - passed))


# -- the clients ---------------------------------------------------------------------------------


class Heard:
    """Latencies by update id."""

    def __init__(self, times: mmap.mmap) -> None:
        """Nothing was heard."""
        self._times = times
        self.nanos: list[int] = []
        self.gaps = 0

    def update(self, number: int) -> None:
        """An update is there now."""
        (left,) = struct.unpack_from("<q", self._times, number * 8)
        if left:
            self.nanos.append(time.monotonic_ns() - left)

    def figures(self, sent: int, cpu: float) -> dict[str, float]:
        """What it came to; milliseconds of one core for a thousand diffs, microseconds else."""
        found = sorted(self.nanos) or [0]
        return {
            "p50_us": found[len(found) // 2] / 1e3,
            "p99_us": found[int(len(found) * 0.99)] / 1e3,
            "shown": len(self.nanos),
            "sent": sent,
            "conflated": 1 - len(self.nanos) / sent,
            "gaps": self.gaps,
            "cpu_us": cpu / sent * 1e6,
        }


class Venue:
    """The process that fires."""

    def __init__(self, process: asyncio.subprocess.Process, times: mmap.mmap) -> None:
        """It listens."""
        self._process = process
        self.times = times
        self.last = FIRST

    async def fire(self, rate: int, seconds: float) -> int:
        """Have it fire; returns how many diffs left."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{rate} {seconds}\n".encode())
        last = int(await self._process.stdout.readline())
        sent, self.last = last - self.last, last
        return sent


async def measured(venue: Venue, heard: Heard, rate: int, seconds: float) -> dict[str, float]:
    """Wait for a first update, settle at the rate, then measure."""
    async with asyncio.timeout(JOIN_SECONDS):
        while not heard.nanos:
            await venue.fire(RATES[0], 0.2)
    await venue.fire(rate, SETTLE_SECONDS)
    await asyncio.sleep(0.3)
    heard.nanos.clear()
    cpu = time.process_time()
    sent = await venue.fire(rate, seconds)
    await asyncio.sleep(0.3)
    return heard.figures(sent, time.process_time() - cpu)


async def ours(
    venue: Venue, session: aiohttp.ClientSession, rate: int, seconds: float
) -> dict[str, float]:
    """Our feed."""
    outside, port = Outside(session=session), BinanceMarket("binance", ("book",))
    feed = VenueFeed(port, outside, await known(port, outside, ("BTCUSDT",)))
    heard = Heard(venue.times)

    def offer(_received: Nanos, facts: tuple[Fact, ...]) -> bool:
        for fact in facts:
            if isinstance(fact, BookDelta):
                heard.update(fact.last)
            heard.gaps += isinstance(fact, FeedGapped)
        return True

    task = asyncio.create_task(feed.run(offer))
    await asyncio.sleep(0.3)
    try:
        return await measured(venue, heard, rate, seconds)
    finally:
        task.cancel()
        await asyncio.wait([task])


AS_IT_IS = ws_client.Client.buffer


async def mended(
    venue: Venue, session: aiohttp.ClientSession, rate: int, seconds: float
) -> dict[str, float]:
    """ccxt.pro's, reading as our own feed over it has it read."""
    mend()
    try:
        return await theirs(venue, session, rate, seconds)
    finally:
        ws_client.Client.buffer = AS_IT_IS


async def theirs(
    venue: Venue, session: aiohttp.ClientSession, rate: int, seconds: float
) -> dict[str, float]:
    """ccxt.pro's."""
    options = {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}}
    client = ccxt.pro.binance({"session": session, "options": options})
    heard = Heard(venue.times)

    async def watch() -> None:
        while True:
            try:
                book = await client.watch_order_book("BTC/USDT")
                heard.update(book["nonce"])
            except ccxt.BaseError:
                heard.gaps += 1
                await asyncio.sleep(0.05)

    task = asyncio.create_task(watch())
    await asyncio.sleep(0.8)
    try:
        return await measured(venue, heard, rate, seconds)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await client.close()


CLIENTS = {"ours": ours, "ccxt.pro": theirs, "ccxt.pro mended": mended}


async def compared(seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Every rate, the clients in turn; of each figure the least of the rounds."""
    found = []
    with TemporaryDirectory() as name:
        path = Path(name) / "times"
        path.write_bytes(bytes(IDS_MAX * 8))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--serve", str(path), "--folder", name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        environment = json.loads(await process.stdout.readline())
        settings = NetworkSettings(resolve=environment["MM_RESOLVE"], ca=environment["MM_CA_FILE"])
        hosts = ("api.binance.com", "stream.binance.com")
        with path.open("r+b") as file:
            venue = Venue(process, mmap.mmap(file.fileno(), 0))
            async with open_network(hosts, settings) as session:
                for rate in RATES:
                    runs: dict[str, list[dict[str, float]]] = {each: [] for each in CLIENTS}
                    for _ in range(rounds):
                        for client, run in CLIENTS.items():
                            runs[client].append(await run(venue, session, rate, seconds))
                    found += [
                        {"rate": rate, "client": client, **least(each)}
                        for client, each in runs.items()
                    ]
        process.terminate()
        await process.wait()
    return found


def least(runs: list[dict[str, float]]) -> dict[str, float]:
    """The least of every figure: the box has other work."""
    return {name: round(min(run[name] for run in runs), 3) for name in runs[0]}


def parsed(*, audit: bool) -> float:
    """Diffs a second of one core, from bytes to facts."""
    made = bodies(500)
    frames = [
        Frame(
            Nanos(n),
            "public-1",
            b'{"stream":"' + STREAM.encode() + b'","data":' + made[n % 500] % (1, n, n) + b"}",
        )
        for n in range(FIRST + 1, FIRST + PARSED)
    ]
    port = BinanceMarket("binance", ("book",), audit=audit)
    snapshot = b'{"lastUpdateId":%d,"bids":[["1.00","1"]],"asks":[["99999.00","1"]]}' % FIRST
    best = float("inf")
    for _ in range(RUNS):
        parser = port.parser((bitcoin(),))
        parser.parse(Frame(Nanos(1), "depth/BTCUSDT", snapshot))
        began = time.process_time()
        for frame in frames:
            parser.parse(frame)
        best = min(best, time.process_time() - began)
    return PARSED / best


def main() -> None:
    """Measure and print one document."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=4.0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--serve", type=Path)
    options.add_argument("--folder", type=Path)
    given = options.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve, given.folder))
        return
    rows = asyncio.run(compared(given.seconds, given.rounds))
    of = {(row["rate"], row["client"]): row for row in rows}
    document = {
        "levels": LEVELS,
        "latency": rows,
        "ratio_p50": {
            rate: round(
                of[rate, "ccxt.pro mended"]["p50_us"] / max(of[rate, "ours"]["p50_us"], 1), 2
            )
            for rate in RATES
        },
        "diffs_per_second_of_a_core": round(parsed(audit=True)),
        "diffs_per_second_of_a_core_without_audit": round(parsed(audit=False)),
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
