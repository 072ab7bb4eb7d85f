"""The book the simulated venue matches against: depth, the touch over it, and what we took.

Deliberately its own, in plain dicts: it checks the compiled one. Depth and best quotes are two
streams; the touch is whichever carries the greater venue sequence (without one, the later heard),
and what depth still shows in front of the touch is dead. Depth is never patched by a quote. Lots
that we took stay taken until the feed says something new of their level.
"""

from collections.abc import Container, Iterator
from heapq import heapify, heappop
from typing import Final

from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated
from mm.events.units import Levels, Side
from tests.oracle.queue import UNSEEN

EMPTY: Final = -(1 << 62)
STEPS_MAX: Final = 64
"""How many ticks to look behind a vanished best level before all levels are searched."""


class Half:
    """One side of the book. `key` orders prices: the greater, the better for a taker.

    `touch` is the key of the best level shown, or EMPTY; `size` is its displayed lots.
    """

    __slots__ = ("edge", "levels", "sign", "size", "taken", "touch")

    def __init__(self, side: Side) -> None:
        """Start empty."""
        self.sign = int(side)
        self.levels: dict[int, int] = {}
        self.edge = EMPTY
        self.touch = EMPTY
        self.size = 0
        self.taken: dict[int, int] = {}

    def clear(self) -> None:
        """Forget everything."""
        self.levels.clear()
        self.taken.clear()
        self.edge = self.touch = EMPTY
        self.size = 0

    def fold(self, changes: Levels) -> None:
        """Set absolute sizes of depth levels; `edge` follows the best of them."""
        levels, sign, edge = self.levels, self.sign, self.edge
        flat = iter(changes)
        for price, size in zip(flat, flat, strict=True):
            if size:
                levels[price] = size
                edge = max(edge, price * sign)
            else:
                levels.pop(price, None)
        self.edge = edge if edge * sign in levels else self._next_edge(edge)

    def _next_edge(self, edge: int) -> int:
        """The best level left, once the one at `edge` is gone: mostly a few ticks behind it."""
        levels, sign = self.levels, self.sign
        if not levels:
            return EMPTY
        for key in range(edge - 1, edge - STEPS_MAX, -1):
            if key * sign in levels:
                return key
        return max(levels) if sign > 0 else -min(levels)

    def show(self, touch: int, size: int, listed: Container[int]) -> None:
        """A new touch, and the depth levels just `listed`: these are seen afresh."""
        changed = touch != self.touch or size != self.size
        self.touch, self.size = touch, size
        if not self.taken:
            return
        for price in list(self.taken):
            key = price * self.sign
            if key > touch or (changed if key == touch else price in listed):
                del self.taken[price]

    def displayed(self, price: int) -> int:
        """Lots shown at a price: none in front of the touch, else the touch or the depth."""
        key = price * self.sign
        if key >= self.touch:
            return self.size if key == self.touch else 0
        return self.levels.get(price, 0)

    def ahead(self, price: int) -> int:
        """Lots an order that comes to this price queues behind; UNSEEN below all that is shown."""
        key = price * self.sign
        if key >= self.touch or price in self.levels:
            return self.displayed(price)
        return 0 if any(level * self.sign < key for level in self.levels) else UNSEEN

    def offers(self, limit: int) -> Iterator[tuple[int, int]]:
        """Price and lots still to be had, best first, down to the key `limit`."""
        if self.touch < limit or not self.size:
            return
        yield self.touch * self.sign, self._left(self.touch * self.sign, self.size)
        sign, touch = self.sign, self.touch
        keys = [-price * sign for price in self.levels if limit <= price * sign < touch]
        heapify(keys)
        while keys:
            price = -heappop(keys) * sign
            yield price, self._left(price, self.levels[price])

    def _left(self, price: int, size: int) -> int:
        return max(0, size - self.taken.get(price, 0))

    def take(self, price: int, size: int) -> None:
        """We took lots of this level: they are not there for us again."""
        self.taken[price] = self.taken.get(price, 0) + size


class Book:
    """Both halves, and whether they may be matched against; changes in place."""

    def __init__(self) -> None:
        """Start unusable: nothing was heard."""
        self.bids = Half(Side.BUY)
        self.asks = Half(Side.SELL)
        self._parts: list[BookSnapshot] = []
        self._has_depth = False
        self._has_quote = False
        self._lost = False
        self._sequence = 0
        self._quote_sequence = 0

    @property
    def missing(self) -> bool:
        """Whether something was lost that has not been made good."""
        return self._lost

    @property
    def usable(self) -> bool:
        """Whether depth or quotes were heard since the last loss, and nothing is missing."""
        return not self._lost and (self._has_depth or self._has_quote)

    @property
    def mid2(self) -> int:
        """Twice the mid in ticks, exactly; 0 unless both sides are shown."""
        if not (self.bids.size and self.asks.size):
            return 0
        return self.bids.touch - self.asks.touch

    def half(self, side: Side) -> Half:
        """The side where orders of `side` rest."""
        return self.bids if side > 0 else self.asks

    def lose(self) -> None:
        """Something is missing: nothing here is to be matched against."""
        self.bids.clear()
        self.asks.clear()
        self._parts.clear()
        self._has_depth = self._has_quote = False
        self._sequence = self._quote_sequence = 0
        self._lost = True

    def resynced(self) -> None:
        """Nothing is missing any more."""
        self._lost = False

    def snapshot(self, event: BookSnapshot) -> bool:
        """Take a snapshot, or a part of one; True once it replaced the depth.

        With a part missing it is a loss.
        """
        if event.part == 1:
            self._parts.clear()
        self._parts.append(event)
        if event.part < event.parts:
            return False
        last = (event.parts, event.sequence)
        expected = [(number, *last) for number in range(1, event.parts + 1)]
        if [(part.part, part.parts, part.sequence) for part in self._parts] != expected:
            self.lose()
            return False
        for half in (self.bids, self.asks):
            half.levels.clear()
            half.taken.clear()
            half.edge = EMPTY
        for part in self._parts:
            self.bids.fold(part.bids)
            self.asks.fold(part.asks)
        self._parts.clear()
        self._has_depth, self._lost = True, False
        self._settle(event.sequence, (), ())
        return True

    def delta(self, event: BookDelta) -> bool:
        """Change depth levels; False without a snapshot, for then there are none to change."""
        self._parts.clear()  # A snapshot that comes in parts would not hold this change.
        if not self._has_depth:
            return False
        if event.bids:
            self.bids.fold(event.bids)
        if event.asks:
            self.asks.fold(event.asks)
        self._settle(event.last, event.bids[::2], event.asks[::2])
        return True

    def _settle(self, sequence: int, bids: Container[int], asks: Container[int]) -> None:
        self._sequence = sequence
        quote_leads = bool(sequence) and self._has_quote and self._quote_sequence > sequence
        for half, listed in ((self.bids, bids), (self.asks, asks)):
            if quote_leads:
                half.show(half.touch, half.size, listed)
            else:
                half.show(half.edge, half.levels.get(half.edge * half.sign, 0), listed)

    def quote(self, event: QuoteUpdated) -> bool:
        """Lay a best quote over the depth; False if the depth is newer."""
        self._has_quote = True
        if event.sequence and event.sequence < self._sequence:
            return False
        self._quote_sequence = event.sequence
        self.bids.show(event.bid if event.bid_size else EMPTY, event.bid_size, ())
        self.asks.show(-event.ask if event.ask_size else EMPTY, event.ask_size, ())
        return True
