"""A book as deep as it was subscribed to, and the checksum that the venue puts beside it.

The checksum is CRC-32 over the ten best asks, then the ten best bids: of each level the digits of
its price and of its size, with the pair's fixed decimals, without the point and without leading
zeros. So whole units are all that is needed. A level that falls out below the depth is removed
without a word from the venue; here it is told, so that whoever follows the changes need not know
the depth.
"""

from bisect import bisect_left, insort
from decimal import Decimal
from typing import Final
from zlib import crc32

from mm.events.instrument import InstrumentDefined
from mm.events.units import Levels

SUMMED: Final = 10
DEPTHS: Final = (10, 25, 100, 500, 1_000)
"""How deep a book may be subscribed to."""


def places(step: Decimal) -> int:
    """How many decimals a step is written with."""
    return max(0, -int(step.as_tuple().exponent))


def units(step: Decimal, decimals: int) -> int:
    """How many units of the last of so many decimals make a step."""
    return int(step.scaleb(decimals))


class Levelled:
    """One side: prices in order, the best first, and the checksum's text of each."""

    def __init__(self, sign: int, depth: int) -> None:
        """Begin empty; `sign` is -1 for bids, whose best is the highest."""
        self.sign = sign
        self._depth = depth
        self.keys: list[int] = []
        self._texts: dict[int, str] = {}
        self._summed: bytes | None = b""

    def clear(self) -> None:
        """Forget all levels."""
        self.keys.clear()
        self._texts.clear()
        self._summed = b""

    def set(self, key: int, text: str) -> None:
        """Give a level its text; an empty one removes it."""
        keys, texts = self.keys, self._texts
        if len(keys) <= SUMMED or key <= keys[SUMMED]:
            self._summed = None  # It is among the ten best, or was.
        if text:
            if key not in texts:
                insort(keys, key)
            texts[key] = text
        elif key in texts:
            del texts[key], keys[bisect_left(keys, key)]

    def cut(self) -> list[int]:
        """The keys that fall out below the depth."""
        if len(self.keys) <= self._depth:
            return []
        gone = self.keys[self._depth :]
        del self.keys[self._depth :]
        for key in gone:
            del self._texts[key]
        return gone

    def summed(self) -> bytes:
        """What the ten best add to the checksum."""
        if self._summed is None:
            texts = self._texts
            self._summed = "".join([texts[key] for key in self.keys[:SUMMED]]).encode()
        return self._summed


class CheckedBook:
    """Levels in ticks and lots in; the checksum of what stands out."""

    def __init__(self, definition: InstrumentDefined, depth: int, decimals: int) -> None:
        """Begin empty; prices are summed with so many decimals."""
        self._price = units(definition.tick_size, decimals)
        self._size = units(definition.lot_size, places(definition.lot_size))
        self._sides = (Levelled(-1, depth), Levelled(1, depth))

    def clear(self) -> None:
        """Forget all levels."""
        for side in self._sides:
            side.clear()

    def change(self, bids: Levels, asks: Levels) -> tuple[Levels, Levels]:
        """Set levels; returns the changes with those added that fell out below the depth."""
        below = [
            self._change(side, levels)
            for side, levels in zip(self._sides, (bids, asks), strict=True)
        ]
        return bids + below[0], asks + below[1]

    def _change(self, side: Levelled, levels: Levels) -> Levels:
        if not levels:
            return levels
        sign, price, size, put = side.sign, self._price, self._size, side.set
        pairs = iter(levels)
        for ticks, lots in zip(pairs, pairs, strict=True):
            put(sign * ticks, f"{ticks * price}{lots * size}" if lots else "")
        return tuple([number for key in side.cut() for number in (sign * key, 0)])

    @property
    def checksum(self) -> int:
        """Of what stands now."""
        bids, asks = self._sides
        return crc32(bids.summed(), crc32(asks.summed()))

    @property
    def crossed(self) -> bool:
        """Whether a bid stands at or above an ask."""
        bids, asks = (side.keys for side in self._sides)
        return bool(bids and asks and -bids[0] >= asks[0])
