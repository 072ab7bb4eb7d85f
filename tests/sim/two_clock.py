"""A market maker between two clocks: the venue's book runs ahead of the one that we see.

Slow and plain: the reference for what hftbacktest and the compiled pass do with the same rows. The
next thing to happen is the earliest of: a row reaches us, a response reaches us, a row happens at
the venue, a request reaches the venue; of two at the same time the one named first. We look at the
market on a grid of times, after all that happened by then; the last look is before nothing is left.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import tee
from typing import Any, Final, NamedTuple

from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta, BookSnapshot, FeedGapped, FeedResynced, QuoteUpdated
from mm.events.orders import (
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
)
from mm.events.units import Levels, Lots, Nanos, Side, Ticks
from mm.log.rows import Flag, Kind, Rows
from mm.sim.latency import NEVER
from mm.sim.paper import Heard
from mm.sim.settings import PaperSettings
from tests.build import BTC, cancel, instrument, placed, printed
from tests.oracle.book import EMPTY
from tests.oracle.plain_trading import plain_venue
from tests.oracle.whole import Ladder

Told = tuple[Nanos, Nanos, MarketEvent | InstrumentDefined]
"""When it reaches us, when it happened, what it is."""


LAST: Final[Told] = (NEVER, NEVER, FeedResynced(instrument=BTC, received=Nanos(0), sequence=0))


class Maker(NamedTuple):
    """The rule: half-spread and skew in ticks, sizes in lots, the step and first look in ns."""

    half: float
    skew: float
    size: int
    position_max: int
    step: int
    first: int


class Outcome(NamedTuple):
    """What came of it; a fill is order, venue time, side, price, size, in the order heard."""

    fills: list[tuple[int, int, int, int, int]]
    orders: int
    cancels: int
    position: int
    looks: int


REVISED: Final = (
    instrument(revision=2, price_min=Ticks(998), size_min=Lots(3)),
    instrument(revision=3, price_max=Ticks(1_003), notional_min=Decimal("0.5")),
    instrument(revision=4),
)
"""What a row may make of the instrument, by its place."""


def _depth(bids: Levels, asks: Levels, sequence: int) -> BookDelta:
    return BookDelta(
        instrument=BTC,
        received=Nanos(0),
        venue_time=Nanos(0),
        first=sequence,
        last=sequence,
        previous=sequence,
        bids=bids,
        asks=asks,
    )


def _quote(bid: Any, ask: Any, sequence: int) -> QuoteUpdated:
    return QuoteUpdated(
        instrument=BTC,
        received=Nanos(0),
        venue_time=Nanos(0),
        sequence=sequence,
        bid=Ticks(int(bid["price"])),
        bid_size=Lots(int(bid["size"])),
        ask=Ticks(int(ask["price"])),
        ask_size=Lots(int(ask["size"])),
    )


def _snapshot(bids: Levels, asks: Levels, sequence: int) -> BookSnapshot:
    return BookSnapshot(
        instrument=BTC,
        received=Nanos(0),
        venue_time=Nanos(0),
        sequence=sequence,
        bids=bids,
        asks=asks,
    )


def _alone(row: Any) -> MarketEvent | InstrumentDefined | None:
    """The event that a row is by itself; quotes and ends of events are none."""
    kind, level = row["kind"], (int(row["price"]), int(row["size"]))
    if kind == Kind.BID:
        return _depth(level, (), 1)
    if kind == Kind.ASK:
        return _depth((), level, 1)
    if kind in (Kind.BOUGHT, Kind.SOLD):
        return printed(*level, Side.BUY if kind == Kind.BOUGHT else Side.SELL)
    if kind == Kind.CLEAR:
        return _snapshot((), (), 1)
    if kind in (Kind.LOST, Kind.DOWN):
        return FeedGapped(instrument=BTC, received=Nanos(0), wanted=1, got=2)
    if kind == Kind.RESYNCED:
        return FeedResynced(instrument=BTC, received=Nanos(0), sequence=0)
    return REVISED[row["price"]] if kind == Kind.DEFINED else None


def row_by_row(rows: Rows) -> Iterator[Told]:
    """Every row an event of its own, quotes left out: how hftbacktest is fed."""
    for row in rows:
        event = _alone(row)
        if event is not None:
            yield Nanos(int(row["at"])), Nanos(int(row["venue"])), event


def event_by_event(rows: Rows) -> Iterator[Told]:
    """Rows put together again to the events that they came from."""
    sides: dict[int, list[int]] = defaultdict(list)
    sequence, whole, bid = 1, False, None
    for row in rows:
        kind, at, venue = row["kind"], Nanos(int(row["at"])), Nanos(int(row["venue"]))
        if kind in (Kind.BID, Kind.ASK):
            sides[kind] += (int(row["price"]), int(row["size"]))
        elif kind == Kind.CLEAR:
            whole = True
        elif kind == Kind.QUOTE_BID:
            bid = row
        elif kind == Kind.QUOTE_ASK:
            sequence += 2
            yield at, venue, _quote(bid, row, sequence)
        elif (event := _alone(row)) is not None:
            yield at, venue, event
        depth = kind in (Kind.BID, Kind.ASK, Kind.CLEAR, Kind.SETTLED)
        if depth and row["flags"] & Flag.EVENT:
            sequence += 0 if row["flags"] & Flag.QUOTE_LEADS else 2
            last = sequence - (1 if row["flags"] & Flag.QUOTE_LEADS else 0)
            make: Callable[..., MarketEvent] = _snapshot if whole else _depth
            yield at, venue, make(tuple(sides[Kind.BID]), tuple(sides[Kind.ASK]), last)
            sides.clear()
            whole = False


class _Quote:
    """One side of ours, as we know it."""

    def __init__(self) -> None:
        self.order = 0
        self.price = 0


class Play:
    """One run; `maker` looks, the rest is the world's clockwork."""

    def __init__(
        self,
        told: Iterator[Told],
        settings: PaperSettings,
        maker: Maker,
        defined: InstrumentDefined,
    ) -> None:
        """Nothing has happened yet; `told` in the order of the rows."""
        self._maker = maker
        self._by_chance = settings.matching == "poisson"
        self._venue = plain_venue(settings, seed=1)
        self._venue.hear(Nanos(0), defined)
        self._to_us, self._there = tee(told)
        self._ours = next(self._to_us, LAST)
        self._theirs = next(self._there, LAST)
        self._bids, self._asks = Ladder(Side.BUY), Ladder(Side.SELL)
        self._status: dict[int, str] = {}
        self._filled: dict[int, int] = defaultdict(int)
        self._quotes = {Side.BUY: _Quote(), Side.SELL: _Quote()}
        self._position = self._orders = self._cancels = 0
        self._fills: list[tuple[int, int, int, int, int]] = []

    def played(self) -> Outcome:
        """Look at the market until nothing is left to happen."""
        looks, now = 0, self._maker.first
        while self._until(now):
            looks += 1
            self._look(Nanos(now))
            now += self._maker.step
        return Outcome(self._fills, self._orders, self._cancels, self._position, looks)

    def _until(self, now: int) -> bool:
        """All that happens by `now`, in its order; False once nothing is left after it."""
        while True:
            request, response = self._venue.arrivals()
            ours, theirs = self._ours[0], self._theirs[1]
            soonest = min(ours, response, theirs, request)
            if soonest > now:
                return soonest < NEVER
            if ours == theirs == NEVER and self._by_chance:
                return False  # They would come for ever.
            if soonest == ours:
                self._see(self._ours[2])
                self._ours = next(self._to_us, LAST)
            elif soonest == response:
                self._hear(self._venue.heard(soonest))
            elif soonest == theirs:
                self._venue.hear(soonest, self._theirs[2])
                self._theirs = next(self._there, LAST)
            else:
                self._hear(self._venue.advance(soonest))

    def _see(self, event: MarketEvent | InstrumentDefined) -> None:
        if isinstance(event, BookSnapshot | FeedGapped):
            self._bids.clear()
            self._asks.clear()
        if isinstance(event, BookSnapshot | BookDelta):
            for price, size in zip(event.bids[::2], event.bids[1::2], strict=True):
                self._bids.update(price, size, self._asks)
            for price, size in zip(event.asks[::2], event.asks[1::2], strict=True):
                self._asks.update(price, size, self._bids)

    def _hear(self, facts: list[Heard]) -> None:
        for fact in facts:
            if isinstance(fact, OrderAcked):
                self._status[int(fact.order_id)] = "open"
            elif isinstance(fact, OrderCanceled | OrderRejected):
                self._status.pop(int(fact.order_id), None)
            elif isinstance(fact, OrderFilled):
                order = int(fact.order_id)
                self._fills.append((order, fact.venue_time, fact.side, fact.price, fact.size))
                self._position += fact.side * fact.size
                self._filled[order] += fact.size
                if self._filled[order] == self._maker.size:
                    self._status.pop(order, None)

    def _look(self, now: Nanos) -> None:
        if EMPTY in (self._bids.best, self._asks.best):
            return
        bid, ask, maker = self._bids.best, -self._asks.best, self._maker
        fair = 0.5 * (bid + ask) - maker.skew * self._position / maker.size
        prices = {
            Side.BUY: min(math.floor(fair - maker.half), bid),
            Side.SELL: max(math.ceil(fair + maker.half), ask),
        }
        # Cancels leave before what adds risk.
        missing = [side for side, price in prices.items() if self._lacks(now, side, price)]
        for side in missing:
            self._orders += 1
            self._quotes[side].order, self._quotes[side].price = self._orders, prices[side]
            self._place(now, side, prices[side])

    def _lacks(self, now: Nanos, side: Side, price: int) -> bool:
        """Cancel our order of a side if its price is another, once its place is confirmed."""
        quote = self._quotes[side]
        full = side * self._position >= self._maker.position_max
        alive = quote.order in self._status
        if alive and (quote.price != price or full) and self._status[quote.order] == "open":
            self._cancel(now, quote.order)
            alive = False
        return not alive and not full

    def _cancel(self, now: Nanos, order: int) -> None:
        self._cancels += 1
        self._status[order] = "canceling"
        self._venue.submit(now, cancel(str(order)))

    def _place(self, now: Nanos, side: Side, price: int) -> None:
        self._status[self._orders] = "sent"
        self._venue.submit(now, placed(str(self._orders), side, price, self._maker.size))


USUAL: Final = Maker(half=2.0, skew=0.5, size=10, position_max=100, step=100_000_000, first=0)
"""The maker of the peers' benchmark, but for its first look."""


def play(
    told: Iterator[Told], settings: PaperSettings, maker: Maker, defined: InstrumentDefined
) -> Outcome:
    """Play all of it."""
    return Play(told, settings, maker, defined).played()
