"""Plays a feed on an exchange as if it happened now.

Times are moved so that the feed begins at the present; ids of updates are kept, and so are those
of trades while the feed is played for the first time. When it starts anew they go on upward: a
venue's ids never run back.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec

from mm.emulator.exchange import Exchange
from mm.errors import BadInput
from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FundingPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import SECONDS, InstrumentId, Nanos

NAP_MAX: Final = 0.05
"""Seconds between two looks at whether to pause or end."""
FACTS_AT_ONCE_MAX: Final = 200
"""Facts told without letting anybody else run, where the feed is late."""


Terms = Callable[[InstrumentDefined], InstrumentDefined]
"""What a venue makes of an instrument that a feed defines."""


class Feed(Protocol):
    """What is played: a recording, or a synthetic market."""

    @property
    def instruments(self) -> Sequence[InstrumentDefined]:
        """What it speaks of."""
        ...

    def messages(self, after: Nanos) -> Iterator[tuple[Nanos, tuple[Any, ...]]]:
        """When each was received, and what was."""
        ...


class Market:
    """A feed on its way to an exchange; changes in place."""

    def __init__(
        self,
        feed: Feed,
        exchange: Exchange,
        *,
        speed: float = 1.0,
        loop: bool = False,
        terms: Terms = lambda instrument: instrument,
    ) -> None:
        """List the feed's instruments, under the venue's `terms`; nothing is played yet."""
        self._going = asyncio.Event()
        self._going.set()
        self._end = asyncio.Event()
        self._terms = terms
        self.rounds = 0
        self.messages = 0
        exchange.speed = speed
        self._feed = feed
        self._exchange = exchange
        self._speed = speed
        self._loop = loop
        self._ids: dict[InstrumentId, int] = {}
        self._trades: dict[InstrumentId, int] = {}
        self._begun = asyncio.Event()
        self._lag = 0
        for instrument in feed.instruments:
            exchange.list(terms(instrument))

    @property
    def ended(self) -> bool:
        """Whether the feed has come to its end and is not to be played anew."""
        return self._end.is_set()

    async def end(self) -> None:
        """Return when it has."""
        await self._end.wait()

    @property
    def paused(self) -> bool:
        """Whether the market stands still; settable."""
        return not self._going.is_set()

    @paused.setter
    def paused(self, stands: bool) -> None:
        if stands:
            self._going.clear()
        else:
            self._going.set()

    async def begun(self) -> None:
        """Return when every instrument has a book."""
        await self._begun.wait()

    def skip(self, seconds: float) -> None:
        """Play what follows so much sooner: at once, until the feed's time has caught up."""
        self._lag += int(seconds * SECONDS)

    async def play(self) -> None:
        """Play to the end, or for ever; what stands before the first books is played at once."""
        while True:
            await self._round()
            self.rounds += 1
            if not self._loop:
                self._end.set()
                return
            await asyncio.sleep(0)  # A feed may be so short that it never waits.

    async def _round(self) -> None:
        loop = asyncio.get_running_loop()
        stamps: _Stamps | None = None
        begun_at = loop.time()
        busy = 0
        ids, trades = dict(self._ids), dict(self._trades)
        for received, facts in self._feed.messages(Nanos(-1)):
            due = 0.0 if stamps is None else stamps.seconds(received - self._lag)
            if not self._begun.is_set():
                begun_at = loop.time() - due
            while self.paused or begun_at + due > loop.time():
                paused_at = loop.time()
                await self._going.wait()
                begun_at += loop.time() - paused_at
                await asyncio.sleep(min(NAP_MAX, max(0.0, begun_at + due - loop.time())))
                busy = 0
            busy += len(facts)
            if busy > FACTS_AT_ONCE_MAX:
                await asyncio.sleep(0)
                busy = 0
            if stamps is None:
                stamps = _Stamps(received, self._exchange.now(), self._speed)
            self._tell(facts, stamps, ids, trades)
            self.messages += 1
        if stamps is None:
            raise BadInput("the feed says nothing", remedy="play a recording that has messages")
        if not self._begun.is_set():
            raise BadInput(
                "the feed ends before every instrument has a book",
                remedy="record it again from a snapshot on",
            )

    def _tell(
        self,
        facts: tuple[Any, ...],
        stamps: "_Stamps",
        ids: dict[InstrumentId, int],
        trades: dict[InstrumentId, int],
    ) -> None:
        now = self._exchange.now()
        for fact in facts:
            if isinstance(fact, InstrumentDefined):
                self._exchange.list(self._terms(fact))
            elif isinstance(fact, MarketEvent):
                told: Any = _numbered(stamps.moved(fact, now), ids, trades)
                self._exchange.tell(told)
                self._remember(told)
        if not self._begun.is_set():
            listings = self._exchange.listings.values()
            if all(listing.book.has_depth for listing in listings):
                self._begun.set()

    def _remember(self, fact: Any) -> None:
        """The highest ids told: what comes when the feed starts anew is above them."""
        match fact:
            case BookSnapshot() | QuoteUpdated():
                sequence, ids = fact.sequence, self._ids
            case BookDelta():
                sequence, ids = fact.last, self._ids
            case TradePrinted() if fact.trade_id.isdecimal():
                sequence, ids = int(fact.trade_id), self._trades
            case _:
                return
        ids[fact.instrument] = max(ids.get(fact.instrument, 0), sequence)


class _Stamps:
    """Moves a feed's times to the present: the venue's clock and the receiver's, each alone."""

    def __init__(self, first: Nanos, start: Nanos, speed: float) -> None:
        self._first = first
        self._start = start
        self._speed = speed
        self._venue: int | None = None

    def seconds(self, received: int) -> float:
        return (received - self._first) / (SECONDS * self._speed)

    def moved(self, fact: MarketEvent, now: Nanos) -> MarketEvent:
        stamped: Any = fact
        changes: dict[str, Any] = {"received": now}
        if getattr(fact, "venue_time", 0):
            if self._venue is None:
                self._venue = stamped.venue_time
            changes["venue_time"] = Nanos(min(now, self._at(stamped.venue_time)))
        if isinstance(fact, FundingPublished):
            changes["due"] = self._at(fact.due)
        return msgspec.structs.replace(stamped, **changes)  # type: ignore[no-any-return]

    def _at(self, venue_time: int) -> Nanos:
        since = venue_time - (self._first if self._venue is None else self._venue)
        return Nanos(self._start + int(since / self._speed))


def _numbered(
    fact: Any, ids: dict[InstrumentId, int], trades: dict[InstrumentId, int]
) -> MarketEvent:
    """The same above what was told in earlier rounds."""
    instrument = getattr(fact, "instrument", InstrumentId(-1))
    above, above_trades = ids.get(instrument, 0), trades.get(instrument, 0)
    changes: dict[str, Any] = {}
    match fact:
        case BookSnapshot() | QuoteUpdated() if above and fact.sequence:
            changes["sequence"] = fact.sequence + above
        case BookDelta() if above:
            changes = {"first": fact.first + above, "last": fact.last + above}
            if fact.previous:
                changes["previous"] = fact.previous + above
        case TradePrinted() if above_trades and fact.trade_id.isdecimal():
            changes["trade_id"] = str(int(fact.trade_id) + above_trades)
        case _:
            return fact  # type: ignore[no-any-return]
    return msgspec.structs.replace(fact, **changes)  # type: ignore[no-any-return]
