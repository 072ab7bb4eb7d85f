"""The depth of one book: levels that the compiled ladder holds, in memory of this book's own.

A message's levels are written into a buffer at one stroke and folded by one compiled call, which
also leaves the best of each side: Python does nothing level by level.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np

from mm.errors import BadInput
from mm.events.units import Levels
from mm.projections.ladder import FAR_MAX, FULL, WINDOW, Ints, Ladder, clear, empty, fold, levels

LEVELS_MAX: Final = WINDOW + FAR_MAX
"""No side of a book has more levels."""
TOLD_START: Final = 1 << 10
NOTHING: Final = np.zeros((0, 2), np.int64)


@lru_cache(maxsize=1 << 12)
def packing(count: int) -> Callable[..., None]:
    """What writes so many numbers into a buffer: the cheapest way out of Python's own."""
    return struct.Struct(f"{count}q").pack_into


class Depth:
    """The levels of both sides; memory is taken once there are some."""

    def __init__(self) -> None:
        """Start empty."""
        self._ladder: Ladder | None = None
        self._address = 0
        self._room = -1
        self._told: memoryview = memoryview(b"")
        self._top: Ints = np.zeros(4, np.int64)
        self.top = self._top.data
        """Best bid, its size, best ask, its size; 0 where there is none."""

    def _make_room(self, count: int) -> None:
        """Allocate what there is none of yet, and a buffer for a message of so many numbers."""
        if self._ladder is None:
            self._ladder = empty(1)
        self._room = max(TOLD_START, 1 << count.bit_length())
        told = np.zeros(self._room, np.int64)
        self._told = told.data
        arrays = (*self._ladder, told, self._top)
        self._table = np.array([array.ctypes.data for array in arrays], np.int64)
        self._address = self._table.ctypes.data

    def set(self, bids: Levels, asks: Levels) -> None:
        """Set absolute sizes of levels; size 0 removes one, and an unknown one may be removed.

        Raises `BadInput` where one is lost: there is no room for it, or it has more than 64 bits.
        """
        split, end = len(bids), len(bids) + len(asks)
        assert not (split | end) & 1, "a price without a size"
        if end > self._room:
            self._make_room(end)
        try:
            packing(end)(self._told, 0, *bids, *asks)
        except struct.error as error:
            raise BadInput(
                "a level of a book has a price or size of more than 64 bits",
                remedy="correct what reads the venue",
            ) from error
        self._fold(split, end)

    def _fold(self, split: int, end: int) -> None:
        if fold(self._address, split, end):
            raise BadInput(
                f"a book has more than {FAR_MAX} levels a side far away from its market",
                remedy="ask the venue for fewer levels",
            )

    def clear(self) -> None:
        """Forget every level, and that there was no room."""
        if self._ladder is not None:
            clear(self._address, 0)
            self._ladder.heads[0, FULL] = 0

    def best(self, side: int, depth: int) -> Ints:
        """The best `depth` levels of a side (0 bids, 1 asks) as rows of price and size."""
        if self._ladder is None:
            return NOTHING
        found: Ints = np.empty((min(depth, LEVELS_MAX), 2), np.int64)
        return found[: levels(self._address, 0, side, found.reshape(-1))]

    def load(self, bids: Ints, asks: Ints) -> None:
        """Hold these levels, given as rows of price and size, best first, and no others."""
        self.clear()
        if not len(bids) + len(asks):
            return
        flat = np.concatenate((bids, asks)).reshape(-1)
        if len(flat) > self._room:
            self._make_room(len(flat))
        self._told[: len(flat)] = flat.data
        self._fold(2 * len(bids), len(flat))


def warm() -> None:
    """Compile what folds books, or load it from the cache; live trading never starts cold."""
    depth = Depth()
    depth.set((), ())
    depth.clear()
    depth.best(0, 1)
