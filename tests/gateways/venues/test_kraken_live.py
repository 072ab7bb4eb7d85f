"""Kraken's feed live against the emulated venue: the book we have is one it had, or none."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from mm.emulator.exchange import Exchange
from mm.emulator.faults import Kind, Rule
from mm.emulator.kraken.spot import KrakenFront
from mm.emulator.server import Running
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedUp,
    TradePrinted,
)
from mm.events.units import Nanos, Side
from mm.events.vocabulary import Fact
from mm.gateways.questions import Outside
from mm.gateways.sockets import SocketKeeper
from mm.gateways.venue_feed import VenueFeed, known
from mm.gateways.venues.kraken.market import KrakenMarket, Streams
from mm.projections.book import Books
from tests.emulator.venue import opened, printed, reached, spot
from tests.gateways.live_market import FAST, PATIENCE, Top, Truth

DEPTH = 25


class Follower:
    """Folds what the feed offers; after each change the book has to be one that the venue had."""

    def __init__(self, truth: Truth, definition: InstrumentDefined) -> None:
        """Hear nothing yet."""
        self.facts: list[Any] = []
        self.compared = 0
        self._truth = truth
        self._definition = definition
        self._books = Books()
        self._routes = self._books.routes()

    def offer(self, received: Nanos, facts: tuple[Fact, ...]) -> bool:
        """There is always room."""
        for fact in facts:
            self.facts.append(fact)
            handler = self._routes.get(type(fact))
            if handler is not None:
                handler(fact, received)
            if isinstance(fact, BookDelta | BookSnapshot):
                self.compared += 1
                assert self.top in [_cut(each) for each in self._truth.at.values()]
        return True

    @property
    def top(self) -> Top:
        """The folded book in decimals."""
        book, defined = self._books.of(self._definition.instrument), self._definition
        return (
            [(defined.price(p), defined.size(q)) for p, q in book.bids(2 * DEPTH)],
            [(defined.price(p), defined.size(q)) for p, q in book.asks(2 * DEPTH)],
        )

    @property
    def usable(self) -> bool:
        """Whether the folded book is one to trade on."""
        book = self._books.of(self._definition.instrument)
        return book.usable and book.has_depth

    def of(self, kind: type) -> list[Any]:
        """The facts of a kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]


def _cut(top: Top) -> Top:
    return top[0][:DEPTH], top[1][:DEPTH]


class Live:
    """A feed that runs, the market it hears, and the emulator between them."""

    def __init__(self, feed: VenueFeed, truth: Truth, follower: Follower, running: Running) -> None:
        """All of it stands."""
        self.feed = feed
        self.truth = truth
        self.heard = follower
        self.running = running

    def fault(self, **rule: Any) -> None:
        """Let something go wrong on the public socket."""
        self.running.hub.faults.add([Rule(host="ws.kraken.com", **rule)])

    async def until(self, holds: Callable[[], object], *, playing: bool = True) -> None:
        """Go on until something holds."""
        began = time.monotonic()
        while not holds():
            said = [fact for fact in self.heard.facts if not isinstance(fact, BookDelta)]
            assert time.monotonic() - began < PATIENCE, said[-10:]
            if playing:
                self.truth.step()
            await asyncio.sleep(0.01)

    async def begun(self) -> None:
        """A first book and some updates of it."""
        await self.until(lambda: self.heard.usable and len(self.heard.of(BookDelta)) > 3)

    async def level(self) -> None:
        """Stop the market, and wait until we have heard all of it."""
        last = max(self.truth.at)
        await self.until(lambda: self.heard.top == _cut(self.truth.at[last]), playing=False)
        assert self.heard.usable


@asynccontextmanager
async def live() -> AsyncIterator[Live]:
    """A feed on an emulated Kraken, from before its first frame on."""
    exchange, _ = opened(spot(fee_from_received=False), "kraken")
    truth = Truth(exchange)
    async with reached(KrakenFront(exchange)) as there:
        outside = Outside(session=there.session, chance=random.Random(1))
        port = KrakenMarket(Streams(depth=DEPTH))
        listed = await known(port, outside, ("BTC/USDT",))
        feed = VenueFeed(port, outside, listed, settings=FAST)
        follower = Follower(truth, listed.instruments[0])
        running = asyncio.create_task(feed.run(follower.offer))
        running.add_done_callback(lambda task: task.cancelled() or task.result())
        try:
            yield Live(feed, truth, follower, there.running)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_book_is_the_venues_after_every_update() -> None:
    """From the first snapshot on, the levels as deep as they are subscribed to, and no others."""
    async with live() as market:
        await market.begun()
        await market.until(lambda: len(market.heard.of(BookDelta)) > 60)
        await market.level()
        assert market.heard.compared > 60
        assert not market.heard.of(FeedGapped)
        assert [fact.channel for fact in market.heard.of(FeedUp)] == ["public-1"]


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.MALFORM, Kind.SWAP])
async def test_frame_that_is_lost_or_late_is_one_gap(kind: Kind) -> None:
    """Its checksum, or the next one's, is not met; a new subscription makes the book whole."""
    async with live() as market:
        await market.begun()
        market.fault(kind=kind, stream="book:*", text='"update"')
        await market.until(lambda: market.heard.of(FeedResynced))
        await market.level()
        assert len(market.heard.of(FeedGapped)) == 1
        assert not market.heard.of(FeedDown)


async def test_frame_that_is_said_twice_changes_nothing() -> None:
    """Sizes are absolute, and so the checksum is met twice."""
    async with live() as market:
        await market.begun()
        market.fault(kind=Kind.DUPLICATE, stream="book:*", text='"update"', count=5)
        before = len(market.heard.of(BookDelta))
        await market.until(lambda: len(market.heard.of(BookDelta)) > before + 12)
        await market.level()
        assert not market.heard.of(FeedGapped)


async def test_socket_that_is_cut_comes_back_with_its_book() -> None:
    """Down, up, and whole again by the snapshot of the new subscription."""
    async with live() as market:
        await market.begun()
        market.fault(kind=Kind.CUT, stream="book:*")
        await market.until(lambda: market.heard.of(FeedResynced))
        await market.level()
        kinds = [type(fact) for fact in market.heard.facts if isinstance(fact, FeedUp | FeedDown)]
        assert kinds == [FeedUp, FeedDown, FeedUp]


def _replaced(keeper: SocketKeeper, count: int) -> bool:
    return keeper.replaced >= count


async def test_sockets_are_replaced_under_load_without_a_gap() -> None:
    """Ten times; a second socket's snapshot takes the place of a book that stands."""
    async with live() as market:
        await market.begun()
        (keeper,) = market.feed._keepers.values()
        for count in range(1, 11):
            keeper.renew()
            await market.until(partial(_replaced, keeper, count))
        await market.level()
        assert not market.heard.of(FeedGapped)
        assert not market.heard.of(FeedDown)


async def test_trades_are_told_once_over_a_lost_socket() -> None:
    """Those of the outage come with the new subscription, and none comes twice."""
    async with live() as market:
        await market.begun()
        exchange: Exchange = market.truth.exchange
        exchange.tell(printed(1, 6_000_000, 10, Side.BUY, exchange.now()))
        await market.until(lambda: market.heard.of(TradePrinted))
        for socket in tuple(market.running.hub.sockets):
            socket.cut()
        for number in (2, 3):
            exchange.tell(printed(number, 6_000_000, 10, Side.SELL, exchange.now()))
        await market.until(lambda: len(market.heard.of(TradePrinted)) > 2)
        exchange.tell(printed(4, 6_000_100, 10, Side.BUY, exchange.now()))
        await market.until(lambda: len(market.heard.of(TradePrinted)) > 3)
        told = market.heard.of(TradePrinted)
        assert [fact.trade_id for fact in told] == ["1", "2", "3", "4"]
        assert {fact.size for fact in told} == {10}
