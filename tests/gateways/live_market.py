"""A live feed against an emulated Binance: a market made step by step, and what was heard of it.

The truth is the emulator's own book after every update; what we fold is compared with it whenever
an update id is heard.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from mm.emulator.binance.spot import SpotFront
from mm.emulator.binance.usdm import UsdmFront
from mm.emulator.exchange import Exchange
from mm.emulator.server import Running
from mm.events.base import MarketEvent
from mm.events.market import BookDelta, BookSnapshot
from mm.events.units import MILLIS, SECONDS, Nanos
from mm.events.vocabulary import Fact
from mm.gateways.questions import Outside
from mm.gateways.sockets import KeeperSettings
from mm.gateways.venue_feed import FeedSettings, VenueFeed, known
from mm.gateways.venues.binance.market import BinanceMarket
from mm.projections.book import Books
from tests.emulator.venue import BTCUSDT, change, opened, perpetual, reached, spot

LEVELS = 50
FAST = FeedSettings(
    stale_after=Nanos(SECONDS),
    poll_after=Nanos(300 * MILLIS),
    poll_every=Nanos(20 * MILLIS),
    sockets=KeeperSettings(overlap=0.02, join=5.0, wait_min=0.01, wait_max=0.05),
)
PATIENCE = 30.0

Side = list[tuple[Decimal, Decimal]]
Top = tuple[Side, Side]


class Truth:
    """Makes the market, and knows its book at every update id, in decimals of the exchange."""

    def __init__(self, exchange: Exchange, seed: int = 1) -> None:
        """Begin with the book that the exchange opened with."""
        self.exchange = exchange
        self.listing = exchange.listing(BTCUSDT)
        self.at: dict[int, Top] = {}
        self._chance = random.Random(seed)
        self._number = self.listing.book.sequence
        self._keep()

    def _keep(self) -> None:
        book = self.listing.book
        defined = self.listing.instrument
        self.at[book.sequence] = (
            [(defined.price(p), defined.size(q)) for p, q in book.bids(LEVELS)],
            [(defined.price(p), defined.size(q)) for p, q in book.asks(LEVELS)],
        )

    def step(self) -> None:
        """One update: some levels come, change or go, never crossing; and the quote after it."""
        book, chance = self.listing.book, self._chance
        bid, ask = book.bids(1)[0][0], book.asks(1)[0][0]
        step = 10
        self._number += 1
        bids = (bid - step * chance.randint(1, 30), chance.choice([0, chance.randint(1, 9_999)]))
        asks = (ask + step * chance.randint(1, 30), chance.choice([0, chance.randint(1, 9_999)]))
        self.exchange.tell(change(self._number, bids, asks, at=self.exchange.now()))
        self._keep()

    async def play(self, steps: int, pause: float = 0.0) -> None:
        """Many steps, letting others run between them."""
        for _ in range(steps):
            self.step()
            await asyncio.sleep(pause)


class Listener:
    """What a feed offered, folded; and whether every book we had was the true one."""

    def __init__(self, truth: Truth) -> None:
        """Hear nothing yet."""
        self.facts: list[Any] = []
        self.compared = 0
        self.ids: list[int] = []
        self.room = True
        self._truth = truth
        self._books = Books()
        self._routes = self._books.routes()
        self.definition: Any = None

    def offer(self, received: Nanos, facts: tuple[Fact, ...]) -> bool:
        """Take facts while there is room."""
        if not self.room:
            return False
        for fact in facts:
            assert isinstance(fact, MarketEvent), fact
            self.facts.append(fact)
            handler = self._routes.get(type(fact))
            if handler is not None:
                handler(fact, received)
            if isinstance(fact, BookDelta | BookSnapshot):
                self._compare(fact)
        return True

    def _compare(self, fact: BookDelta | BookSnapshot) -> None:
        sequence = fact.last if isinstance(fact, BookDelta) else fact.sequence
        if isinstance(fact, BookDelta):
            self.ids.append(sequence)
        book, defined = self._books.of(BTCUSDT), self.definition
        found = (
            [(defined.price(p), defined.size(q)) for p, q in book.bids(LEVELS)],
            [(defined.price(p), defined.size(q)) for p, q in book.asks(LEVELS)],
        )
        assert found == self._truth.at[sequence], f"the book at update {sequence}"
        self.compared += 1

    @property
    def usable(self) -> bool:
        """Whether the folded book is one to trade on."""
        book = self._books.of(BTCUSDT)
        return book.usable and book.has_depth

    @property
    def sequence(self) -> int:
        """Where the folded book stands."""
        return self._books.of(BTCUSDT).sequence

    def count(self, kind: type) -> int:
        """How many facts of a kind there were."""
        return sum(isinstance(fact, kind) for fact in self.facts)

    def of(self, kind: type) -> list[Any]:
        """The facts of a kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]


class Live:
    """A feed that runs, the market it hears, and the emulator between them."""

    def __init__(
        self, feed: VenueFeed, truth: Truth, listener: Listener, emulator: Running
    ) -> None:
        """All of it stands."""
        self.feed = feed
        self.truth = truth
        self.listener = listener
        self.emulator = emulator

    async def until(self, holds: Callable[[], bool], *, playing: bool = True) -> None:
        """Go on until something holds."""
        began = time.monotonic()
        while not holds():
            said = [fact for fact in self.listener.facts if not isinstance(fact, BookDelta)]
            assert time.monotonic() - began < PATIENCE, said[-10:]
            if playing:
                self.truth.step()
            await asyncio.sleep(0.01)

    async def level(self) -> None:
        """Stop the market, and wait until we have heard all of it."""
        await self.until(
            lambda: self.listener.sequence == self.truth.listing.book.sequence, playing=False
        )


@asynccontextmanager
async def live(
    venue: str = "binance", settings: FeedSettings = FAST, channels: tuple[str, ...] = ("book",)
) -> AsyncIterator[Live]:
    """A feed on an emulated venue, from before its first frame on."""
    is_spot = venue == "binance"
    exchange, _ = opened(spot() if is_spot else perpetual(), venue)
    truth = Truth(exchange)
    front = SpotFront(exchange) if is_spot else UsdmFront(exchange)
    wording: Any = front._streams._wording
    wording.depth_speeds = {"@100ms": MILLIS}
    async with reached(front) as there:
        outside = Outside(session=there.session, chance=random.Random(1))
        port = BinanceMarket(venue, channels)
        listed = await known(port, outside, ("BTCUSDT",))
        feed, listener = VenueFeed(port, outside, listed, settings=settings), Listener(truth)
        listener.definition = listed.instruments[0]
        running = asyncio.create_task(feed.run(listener.offer))
        running.add_done_callback(lambda task: task.cancelled() or task.result())
        try:
            yield Live(feed, truth, listener, there.running)
        finally:
            running.cancel()
            await asyncio.wait([running])
