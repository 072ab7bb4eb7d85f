"""The people of a synthetic market: what they do to its book, one step at a time.

A hidden fair value walks and is drawn back to an anchor that walks more slowly; takers and quotes
follow it. The book is never crossed, its spread is mostly one tick, and each side shows the same
number of levels. Only integers drawn from one generator decide anything, so that no platform's
floats can make a difference.
"""

from math import isqrt
from random import Random
from typing import Final

from mm.events.units import Side

SPREAD_MAX: Final = 3
TRADES_PERCENT: Final = 7
LEAVES_PERCENT: Final = 8
FINE: Final = 1_000
"""Fair value is kept in thousandths of a tick."""
PULL: Final = 20_000
"""Every step takes away 1/PULL of the distance between fair value and anchor."""

Print = tuple[Side, int, int]
"""A trade: the taker's side, price in ticks, size in lots."""


def noise(swing: int, steps_per_second: int) -> int:
    """Half-width of each of a step's four draws, for a standard deviation of `swing` a second.

    Four draws over plus or minus w have a variance of 4 w^2 / 3.
    """
    return isqrt(3 * swing * swing // (4 * steps_per_second))


class Crowd:
    """Its book and its mood; changes in place.

    `changes` collects the levels set since they were last told, by side, then price.
    """

    def __init__(self, random: Random, price: int, size: int, levels: int) -> None:
        """Show `levels` on each side of `price` ticks, each of about `size` lots."""
        self.random = random
        self.fair = self._anchor = price * FINE
        self._size = size
        self._levels = levels
        self._books: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self._bests = {Side.BUY: 0, Side.SELL: 0}
        self.changes: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        for distance in range(levels):
            self._put(Side.BUY, price - distance, self._level())
            self._put(Side.SELL, price + 1 + distance, self._level())

    @property
    def top(self) -> tuple[int, int, int, int]:
        """Best bid and its size, best ask and its size."""
        bid, ask = self._bests[Side.BUY], self._bests[Side.SELL]
        return bid, self._books[Side.BUY][bid], ask, self._books[Side.SELL][ask]

    def draw(self, count: int) -> int:
        """A whole number from 0 to count - 1."""
        return self.random.getrandbits(32) * count >> 32

    def told(self, side: Side) -> tuple[int, ...]:
        """The changed levels of a side as price, size, price, size, best first; now told."""
        ordered = sorted(self.changes[side].items(), reverse=side is Side.BUY)
        self.changes[side] = {}
        return tuple(number for level in ordered for number in level)

    def step(self, unrest: int, push: int) -> list[Print]:
        """Fair value moves by a shock and a push, somebody acts on it; returns the trades."""
        shock = sum(self.draw(2 * unrest + 1) for _ in range(4)) - 4 * unrest
        self.fair += shock + push + (self._anchor - self.fair) // PULL
        self.fair = max(self.fair, 2 * self._levels * FINE)
        self._anchor += self.draw(2 * unrest + 1) - unrest
        self._anchor = max(self._anchor, 4 * self._levels * FINE)
        trades = self._act()
        self._narrow()
        self._refill(Side.BUY)
        self._refill(Side.SELL)
        return trades

    def _act(self) -> list[Print]:
        bid, ask = self._bests[Side.BUY], self._bests[Side.SELL]
        if self.fair > ask * FINE + FINE // 2:
            return self._give_way(Side.SELL)
        if self.fair < bid * FINE - FINE // 2:
            return self._give_way(Side.BUY)
        if self.draw(100) < TRADES_PERCENT:
            lean = (2 * self.fair - (bid + ask) * FINE) * 20 // FINE
            return self._trade(Side.BUY if self.draw(100) < 50 + lean else Side.SELL)
        for _ in range(1 + self.draw(3)):
            self._change_level()
        return []

    def _give_way(self, side: Side) -> list[Print]:
        """Fair value has passed the best of this side: it is taken, or withdrawn."""
        if self.draw(2):
            return self._trade(side.other)
        self._put(side, self._bests[side], 0)
        return []

    def _trade(self, aggressor: Side) -> list[Print]:
        """A taker eats into the other side, three levels at most."""
        side, left = aggressor.other, self._lots(1 + self._size // 2)
        trades = []
        for _ in range(3):
            price = self._bests[side]
            displayed = self._books[side][price]
            got = min(left, displayed)
            self._put(side, price, displayed - got)
            trades.append((aggressor, price, got))
            left -= got
            if not left:
                break
        return trades

    def _change_level(self) -> None:
        """Somebody adds to, takes from, or leaves a level, most often a near one."""
        side = Side.BUY if self.draw(2) else Side.SELL
        distance = self.draw(self._levels) * self.draw(self._levels) // self._levels
        price = self._bests[side] - side * distance
        gone = distance > 0 and self.draw(100) < LEAVES_PERCENT
        size = 0 if gone else self._level()
        if size != self._books[side].get(price, 0):
            self._put(side, price, size)

    def _narrow(self) -> None:
        """Quotes move in behind fair value; the spread is at most three ticks."""
        bid, ask = self._bests[Side.BUY], self._bests[Side.SELL]
        tolerated = 1 + self.draw(SPREAD_MAX)
        if ask - bid <= tolerated:
            return
        spread = 1 + self.draw(tolerated)
        if 2 * self.fair > (bid + ask) * FINE:
            self._put(Side.BUY, ask - spread, self._level())
        else:
            self._put(Side.SELL, bid + spread, self._level())

    def _refill(self, side: Side) -> None:
        """What is too deep goes, and the deep end grows, to the number of levels shown."""
        book = self._books[side]
        while len(book) != self._levels:
            deepest = min(book) if side is Side.BUY else max(book)
            if len(book) > self._levels:
                self._put(side, deepest, 0)
            else:
                self._put(side, deepest - side * (1 + self.draw(2)), self._level())

    def _put(self, side: Side, price: int, size: int) -> None:
        self.changes[side][price] = size
        book, best = self._books[side], self._bests[side]
        if size:
            book[price] = size
            if not best or side * price > side * best:
                self._bests[side] = price
            return
        book.pop(price, None)
        if price == best:
            self._bests[side] = max(book) if side is Side.BUY else min(book)

    def _level(self) -> int:
        return self._lots(3 * self._size)

    def _lots(self, most: int) -> int:
        """A size from 1 to `most` lots, small ones more often."""
        share = self.random.getrandbits(16)
        return 1 + (most - 1) * share * share // (1 << 32)
