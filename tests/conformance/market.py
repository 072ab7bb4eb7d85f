"""A feed of a venue under test: a market made step by step, and what was heard of it.

Whatever is folded from the feed has to be a book that the emulator had: at each update id where the
venue numbers them, else one of all that there were, as deep as it is told.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from mm.emulator.faults import Rule
from mm.events.market import BookDelta, BookSnapshot
from mm.gateways.questions import Outside
from mm.gateways.venue_feed import VenueFeed, known
from mm.projections.book import Books
from tests.emulator.venue import opened, reached
from tests.gateways.live_market import FAST, PATIENCE, Top, Truth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mm.emulator.server import Running
    from mm.events.instrument import InstrumentDefined
    from mm.events.units import Nanos
    from mm.events.vocabulary import Fact
    from mm.gateways.market_port import Connection, MarketPort
    from tests.conformance.venues import Place


class Hearer:
    """What a feed offered, folded, and held against the truth."""

    def __init__(self, place: Place, truth: Truth, definition: InstrumentDefined) -> None:
        """Hear nothing yet."""
        self.facts: list[Any] = []
        self.compared = 0
        self.room = True
        self._place = place
        self._truth = truth
        self._definition = definition
        self._books = Books()
        self._routes = self._books.routes()

    def offer(self, received: Nanos, facts: tuple[Fact, ...]) -> bool:
        """Take facts while there is room."""
        if not self.room:
            return False
        for fact in facts:
            self.facts.append(fact)
            handler = self._routes.get(type(fact))
            if handler is not None:
                handler(fact, received)
            if isinstance(fact, BookDelta | BookSnapshot):
                self._compare(fact)
        return True

    def _compare(self, fact: BookDelta | BookSnapshot) -> None:
        sequence = fact.last if isinstance(fact, BookDelta) else fact.sequence
        if self._place.numbered:
            assert self.top == self.cut(self._truth.at[sequence]), f"the book at {sequence}"
        else:
            assert self.top in [self.cut(each) for each in self._truth.at.values()]
        self.compared += 1

    def cut(self, top: Top) -> Top:
        """As deep as the venue tells it."""
        return top[0][: self._place.depth], top[1][: self._place.depth]

    @property
    def top(self) -> Top:
        """The folded book in decimals; no level more than the venue tells may be in it."""
        book, defined = self._books.of(self._definition.instrument), self._definition
        most = self._place.depth if self._place.numbered else 2 * self._place.depth
        return (
            [(defined.price(p), defined.size(q)) for p, q in book.bids(most)],
            [(defined.price(p), defined.size(q)) for p, q in book.asks(most)],
        )

    @property
    def usable(self) -> bool:
        """Whether the folded book is one to trade on."""
        book = self._books.of(self._definition.instrument)
        return book.usable and book.has_depth

    def of(self, *kinds: type) -> list[Any]:
        """The facts of some kinds."""
        return [fact for fact in self.facts if isinstance(fact, kinds)]


class Live:
    """A feed that runs, the market it hears, and the emulator between them."""

    def __init__(
        self, place: Place, feed: VenueFeed, truth: Truth, heard: Hearer, running: Running
    ) -> None:
        """All of it stands."""
        self.place = place
        self.feed = feed
        self.truth = truth
        self.heard = heard
        self.running = running

    def fault(self, *where: Any, **rule: Any) -> None:
        """Let something go wrong."""
        merged: dict[str, Any] = {}
        for each in (*where, rule):
            merged |= each
        self.running.hub.faults.add([Rule(**merged)])

    def cut(self) -> None:
        """Break every socket."""
        for socket in tuple(self.running.hub.sockets):
            socket.cut()

    async def until(self, holds: Callable[[], object], *, playing: bool = True) -> None:
        """Go on until something holds; the market moves meanwhile."""
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

    async def more(self, count: int = 5) -> None:
        """Some updates more."""
        before = len(self.heard.of(BookDelta))
        await self.until(lambda: len(self.heard.of(BookDelta)) >= before + count)

    async def level(self) -> None:
        """Stop the market, and wait until all of it was heard."""
        last = self.truth.at[max(self.truth.at)]
        await self.until(
            lambda: self.heard.usable and self.heard.top == self.heard.cut(last), playing=False
        )


class Hasty:
    """A port whose sockets are given up as dead soon."""

    def __init__(self, port: MarketPort, silence_max: Nanos) -> None:
        """Change nothing else of it."""
        self._port = port
        self._silence_max = silence_max

    def __getattr__(self, name: str) -> Any:
        """All else is the port's own."""
        return getattr(self._port, name)

    def connections(self, instruments: tuple[InstrumentDefined, ...]) -> tuple[Connection, ...]:
        """The port's, with less patience."""
        return tuple(
            msgspec.structs.replace(each, silence_max=self._silence_max)
            for each in self._port.connections(instruments)
        )


@asynccontextmanager
async def live(place: Place, silence_max: Nanos | None = None) -> AsyncIterator[Live]:
    """A feed on an emulated venue, from before its first frame on."""
    exchange, _ = opened(place.terms, place.name)
    truth = Truth(exchange)
    async with reached(place.front(exchange)) as there:
        outside = Outside(session=there.session, chance=random.Random(1))
        port: Any = place.market()
        listed = await known(port, outside, (place.symbol,))
        if silence_max is not None:
            port = Hasty(port, silence_max)
        feed = VenueFeed(port, outside, listed, settings=FAST)
        heard = Hearer(place, truth, listed.instruments[0])
        running = asyncio.create_task(feed.run(heard.offer))
        running.add_done_callback(lambda task: task.cancelled() or task.result())
        try:
            yield Live(place, feed, truth, heard, there.running)
        finally:
            running.cancel()
            await asyncio.wait([running])
