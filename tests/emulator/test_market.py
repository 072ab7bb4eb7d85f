"""A feed is played as if it happened now, and clients see the recording's own book."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from itertools import islice, pairwise
from typing import Any

import ccxt.pro
import pytest

from mm.emulator.binance.spot import SpotFront
from mm.emulator.exchange import Exchange, Listing
from mm.emulator.market import Market
from mm.emulator.server import running
from mm.errors import BadInput
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta, BookSnapshot, TradePrinted
from mm.events.units import SECONDS, Nanos, Side
from mm.gateways.binance_raw import BinanceDecoder, BinanceRouter
from mm.gateways.captures import CaptureFile
from mm.gateways.definitions import numbered
from mm.gateways.network import NetworkSettings, open_network
from mm.projections.book import Book
from mm.sim.synthetic import SyntheticMarket, SyntheticSettings
from tests.emulator.ccxt_client import settings
from tests.emulator.venue import BTCUSDT, KEYS, PATIENCE, book, change, printed, spot, until
from tests.gateways import lines

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ccxt")
Told = list[Any]
LINES = 2_500
SIDES = ("bids", "asks")


class Played:
    """A feed from messages at hand."""

    def __init__(self, messages: Sequence[tuple[Nanos, tuple[Any, ...]]], *what: Any) -> None:
        """Of these instruments."""
        self.instruments: tuple[InstrumentDefined, ...] = what or (spot(),)
        self._messages = messages

    def messages(self, after: Nanos) -> Iterator[tuple[Nanos, tuple[Any, ...]]]:
        """As they were."""
        return (each for each in self._messages if each[0] > after)


def heard(exchange: Exchange) -> Told:
    """What the exchange publishes from now on."""
    told: Told = []

    def hear(_: Listing, fact: Any) -> None:
        told.append(fact)

    exchange.listeners.append(hear)
    return told


SNAPSHOT = book(100, (100, 5, 99, 5), (101, 5, 102, 5))


async def test_times_are_moved_to_the_present_and_keep_their_distances() -> None:
    """Both clocks of the recording, each by itself; ids stay."""
    late = change(101, bids=(98, 1), at=7 * SECONDS)
    feed = Played([(Nanos(SECONDS), (SNAPSHOT,)), (Nanos(2 * SECONDS), (late,))])
    exchange = Exchange("binance", clock=lambda: 10**18)
    told = heard(exchange)
    await Market(feed, exchange, speed=1_000).play()
    first, second = told
    assert (first.received, second.received) == (10**18, 10**18)
    assert (first.sequence, second.last) == (100, 101)
    assert second.venue_time == 10**18


async def test_played_again_ids_go_on_upward_and_the_book_is_changed_not_lost() -> None:
    """The second round's snapshot is told as the change that leads to it."""
    feed = Played(
        [
            (Nanos(1), (SNAPSHOT,)),
            (Nanos(2), (change(101, bids=(100, 0)), printed(7, 100, 1, Side.SELL))),
        ]
    )
    exchange = Exchange("binance")
    told = heard(exchange)
    market = Market(feed, exchange, loop=True)
    playing = asyncio.create_task(market.play())

    async def rounds() -> int:
        return market.rounds

    await until(rounds, lambda played: played >= 3)
    playing.cancel()
    deltas = [fact for fact in told if isinstance(fact, BookDelta)]
    assert sum(isinstance(fact, BookSnapshot) for fact in told) == 1
    assert all(b.first == a.last + 1 for a, b in pairwise(deltas))
    assert deltas[1].bids == (100, 5)
    trades = [int(fact.trade_id) for fact in told if isinstance(fact, TradePrinted)]
    assert trades == sorted(set(trades))


async def test_a_gap_in_a_recording_is_told_as_one_change() -> None:
    """The levels that went, and those that came."""
    exchange = Exchange("binance")
    exchange.list(spot())
    told = heard(exchange)
    exchange.tell(SNAPSHOT)
    exchange.tell(book(500, (100, 5, 97, 1), (101, 6)))
    _, delta = told
    assert (delta.first, delta.last, delta.previous) == (101, 500, 100)
    assert delta.bids == (99, 0, 97, 1)
    assert delta.asks == (102, 0, 101, 6)


async def test_a_change_that_began_before_the_book_is_told_from_there_on() -> None:
    """What a client chains it to is the book it can ask for."""
    exchange = Exchange("binance")
    exchange.list(spot())
    exchange.tell(SNAPSHOT)
    told = heard(exchange)
    exchange.tell(change(99))
    straddling = BookDelta(
        instrument=BTCUSDT,
        received=Nanos(0),
        venue_time=Nanos(0),
        first=98,
        last=105,
        previous=97,
        bids=(98, 1),
        asks=(),
    )
    exchange.tell(straddling)
    (delta,) = told
    assert (delta.first, delta.last, delta.previous) == (101, 105, 100)


@pytest.mark.parametrize("messages", [[], [(Nanos(1), (change(101, bids=(98, 1)),))]])
async def test_a_feed_without_a_book_ends_the_emulator(messages: list[Any]) -> None:
    """It says so instead of listening with nothing to tell."""
    exchange = Exchange("binance")
    market = Market(Played(messages), exchange)
    with pytest.raises(BadInput, match="the feed"):
        async with running(SpotFront(exchange), markets=[market]):
            pytest.fail("it listens")


async def test_a_paused_market_stands_still_and_goes_on() -> None:
    """And plays what is skipped at once."""
    messages: list[Any] = [(Nanos(SECONDS), (SNAPSHOT,))]
    messages += [(Nanos(n * SECONDS), (change(99 + n, bids=(98, n)),)) for n in range(2, 9)]
    exchange = Exchange("binance")
    market = Market(Played(messages), exchange)
    market.paused = True
    playing = asyncio.create_task(market.play())
    for _ in range(20):
        await asyncio.sleep(0)
    assert market.messages == 0
    market.skip(1_000)
    market.paused = False
    await playing
    assert exchange.listings["BTCUSDT"].book.sequence == 107


def captured() -> tuple[InstrumentDefined, list[tuple[Nanos, tuple[Any, ...]]]]:
    """The beginning of a real capture of Binance spot."""
    definition = numbered(lines.spot(), 1)
    router = BinanceRouter({"BTCUSDT": BinanceDecoder(definition)})
    found = []
    for line in islice(CaptureFile(lines.recording(lines.SPOT_2024), 0).lines(), LINES):
        _, facts = router.take(line.payload, line.received)
        if facts:
            found.append((line.received, tuple(facts)))
    return definition, found


def synthetic() -> tuple[InstrumentDefined, list[tuple[Nanos, tuple[Any, ...]]]]:
    """A market that was never there."""
    settings = SyntheticSettings(
        symbol="BTCUSDT", tick_size=spot().tick_size, messages_per_second=50
    )
    market = SyntheticMarket(settings, 3, Nanos(SECONDS))
    return market.instrument, list(islice(market.messages(), 400))


@pytest.mark.parametrize("source", [captured, synthetic])
async def test_ccxts_book_is_the_recordings_at_every_update(source: Any) -> None:
    """Each book that ccxt has after an update, against our own fold up to the same id."""
    definition, messages = source()
    wanted = tops(definition, messages)
    exchange = Exchange("binance")
    market = Market(Played(messages, definition), exchange, speed=20)
    seen: dict[int, tuple[Any, Any]] = {}

    class Watching(ccxt.pro.binance):  # type: ignore[misc]
        def handle_order_book_message(self, client: Any, message: Any, orderbook: Any) -> Any:
            done = super().handle_order_book_message(client, message, orderbook)
            bids, asks = ([list(level) for level in orderbook[side][:5]] for side in SIDES)
            seen[orderbook["nonce"]] = (bids, asks)
            return done

    exchange.open(KEYS)
    async with running(SpotFront(exchange), markets=[market]) as emulator:
        market.paused = True
        network = NetworkSettings(
            resolve=emulator.environment["MM_RESOLVE"], ca=str(emulator.ca_file)
        )
        async with open_network(emulator.hosts, network) as session:
            venue = Watching({"session": session, **settings("spot")})
            async with aclosing(Closing(venue)):
                watching = asyncio.create_task(venue.watch_order_book("BTC/USDT"))
                await asyncio.sleep(1)
                market.paused = False
                await watching
                await asyncio.wait_for(market.end(), PATIENCE)
    assert len(seen) > 20
    assert {nonce: wanted[nonce] for nonce in seen} == seen


class Closing:
    """So that a client of ccxt's is closed at the end of a block."""

    def __init__(self, venue: Any) -> None:
        """Of this one."""
        self._venue = venue

    async def aclose(self) -> None:
        """Close it."""
        await self._venue.close()


def tops(
    definition: InstrumentDefined, messages: list[tuple[Nanos, tuple[Any, ...]]]
) -> dict[int, tuple[Any, Any]]:
    """The best five levels a side after each update, as plain numbers."""

    def plain(levels: list[tuple[int, int]]) -> list[list[float]]:
        return [[float(definition.price(p)), float(definition.size(q))] for p, q in levels]

    folded = Book()
    found = {}
    for at, facts in messages:
        for fact in facts:
            if isinstance(fact, BookSnapshot):
                folded.snapshot(fact, at)
            elif isinstance(fact, BookDelta):
                folded.delta(fact, at)
            else:
                continue
            found[folded.sequence] = (plain(folded.bids(5)), plain(folded.asks(5)))
    return found
