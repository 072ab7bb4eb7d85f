"""Matching as hftbacktest's NoPartialFillExchange does it: an order fills whole or not at all.

A resting order fills in full, at its own price and as maker, when the best opposite price moves to
or through it with a depth event, when a trade prints through it, and when a trade prints at it and
goes past the queue by at least half a lot. Nobody queues behind an order of our own. An order that
crosses fills in full at the best opposite price, whatever is displayed there. Prints do not change
the book, quotes are not heard, levels are taken one by one in the order given, bids first.

Where depth crosses itself the newer level is believed: the other side's best steps behind it, and
what is left in front of it is dead until it changes. The honest rules are in `shared`.
"""

from typing import TYPE_CHECKING

from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated, TradePrinted
from mm.events.units import Levels, Nanos, Side
from mm.sim import queue_models
from mm.sim.order import Order
from tests.oracle.book import EMPTY
from tests.oracle.matching import Sweep

if TYPE_CHECKING:
    from tests.oracle.pit import Pit


class Ladder:
    """Levels of one side; `best` is the key of the best one, or EMPTY: greater is better."""

    __slots__ = ("best", "levels", "sign")

    def __init__(self, side: Side) -> None:
        """Start empty."""
        self.sign = int(side)
        self.levels: dict[int, int] = {}
        self.best = EMPTY

    def clear(self) -> None:
        """Forget every level."""
        self.levels.clear()
        self.best = EMPTY

    def behind(self, key: int) -> int:
        """The best level that is worse than a key."""
        keys = (price * self.sign for price in self.levels)
        return max((each for each in keys if each < key), default=EMPTY)

    def update(self, price: int, size: int, other: "Ladder") -> int:
        """Set a level's size, 0 for none; returns what it was. The `other` side makes way."""
        previous = self.levels.pop(price, 0)
        key = price * self.sign
        if size:
            self.levels[price] = size
            if key > self.best:
                self.best = key
                if other.best != EMPTY and key >= -other.best:
                    other.best = other.behind(-key)
        elif key == self.best:
            self.best = self.behind(key)
        return previous


class Whole:
    """Keeps levels of its own; see `Matching`."""

    def __init__(self, pit: "Pit") -> None:
        """Work for a pit."""
        self._pit = pit
        self.bids = Ladder(Side.BUY)
        self.asks = Ladder(Side.SELL)
        self._parts: list[BookSnapshot] = []

    @property
    def usable(self) -> bool:
        """Whether nothing is missing."""
        return not self._pit.book.missing

    @property
    def mid2(self) -> int:
        """Twice the mid in ticks; 0 unless both sides are shown."""
        best = (self.bids.best, self.asks.best)
        return 0 if EMPTY in best else best[0] - best[1]

    def ladder(self, side: Side) -> Ladder:
        """The side where orders of `side` rest."""
        return self.bids if side > 0 else self.asks

    def snapshot(self, at: Nanos, event: BookSnapshot, *, whole: bool) -> None:
        """Every level is forgotten, then set again one by one, once all parts are there."""
        if event.part == 1:
            self._parts.clear()
        self._parts.append(event)
        if not whole:
            return
        self.bids.clear()
        self.asks.clear()
        for part in self._parts:
            self._levels(at, Side.BUY, part.bids)
            self._levels(at, Side.SELL, part.asks)

    def delta(self, at: Nanos, event: BookDelta, *, applied: bool) -> None:  # noqa: ARG002
        """Levels change one by one, on an empty book too, but not while some are missing."""
        if self.usable:
            self._levels(at, Side.BUY, event.bids)
            self._levels(at, Side.SELL, event.asks)

    def quote(self, at: Nanos, event: QuoteUpdated, *, applied: bool) -> None:
        """Quotes are not depth."""

    def lost(self) -> None:
        """Nothing is known until the next snapshot."""
        self.bids.clear()
        self.asks.clear()

    def _levels(self, at: Nanos, side: Side, changes: Levels) -> None:
        flat = iter(changes)
        for price, size in zip(flat, flat, strict=True):
            self._level(at, side, price, size)

    def _level(self, at: Nanos, side: Side, price: int, size: int) -> None:
        ladder = self.ladder(side)
        before = ladder.best
        previous = ladder.update(price, size, self.ladder(side.other))
        own = self._pit.queues(side)
        for order in own.at(price):
            order.front = queue_models.after_depth(
                own.model, own.n, float(order.front), order.traded, float(previous), float(size)
            )
            order.traded = 0.0
        if ladder.best > before:
            self._touch(at, side.other, ladder.best)

    def _touch(self, at: Nanos, side: Side, best: int) -> None:
        """The best opposite level moved towards our orders of a side: those it reaches fill."""
        own = self._pit.queues(side)
        for price in list(own.prices):
            if side * price < -best:
                return
            for order in own.at(price):
                self._pit.make(at, order, order.leaves)

    def trade(self, at: Nanos, event: TradePrinted) -> None:
        """A print reaches our orders on the side its taker hit, best price first."""
        side = event.aggressor.other
        own = self._pit.queues(side)
        for price in list(own.prices):
            beyond = side * (price - event.price)
            if beyond < 0:
                return
            for order in own.at(price):
                if beyond == 0:
                    order.front, order.traded = queue_models.after_trade(
                        float(order.front), order.traded, float(event.size)
                    )
                if beyond > 0 or queue_models.exceeded(order.front):
                    self._pit.make(at, order, order.leaves)

    def rest(self, order: Order) -> None:
        """Queue behind what is displayed at the price, and behind nobody else."""
        displayed = self.ladder(order.side).levels.get(order.price, 0)
        self._pit.queues(order.side).add(order, displayed, displayed)
        order.front = float(displayed)

    def plan(self, side: Side, limit: int, size: int) -> Sweep:
        """All of it at the best opposite price, if that is good enough."""
        best = self.ladder(side.other).best
        if best == EMPTY or best < limit:
            return Sweep([])
        return Sweep([(-side * best, size)])

    def took(self, side: Side, price: int, size: int) -> None:
        """What we take is still there."""

    def crosses(self, order: Order) -> bool:
        """Whether the best opposite price is at the limit or better."""
        return self.ladder(order.side.other).best >= -order.side * order.price
