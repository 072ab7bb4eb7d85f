"""The compiled fold of an order book: sorted integer arrays, best level last.

Row 0 holds bids, row 1 asks. A key is the price for bids and the negated price for asks, so that
the best level of either side is the greatest key and stands at the end: updates near the touch
move only a few elements, a level far away costs one binary search and one shift. The arrays are
exact at any distance: no window, nothing is dropped.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    def njit(**_options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Typed stand-in: numba's decorator has no types of its own."""
        ...
else:
    from numba import njit

Ints = NDArray[np.int64]
NEAR = 8
"""Levels searched from the touch before the binary search."""


@njit(cache=True)
def merge(keys: Ints, sizes: Ints, count: int, levels: Ints, sign: int) -> int:
    """Set absolute sizes of levels on one side; returns the new number of levels.

    `levels` is price, size, price, size …; size 0 removes a level, an unknown level may be
    removed. The arrays must have room for all of `levels`.
    """
    for i in range(0, len(levels), 2):
        key = sign * levels[i]
        size = levels[i + 1]
        at = count
        steps = 0
        while at > 0 and keys[at - 1] >= key and steps < NEAR:
            at -= 1
            steps += 1
        if at > 0 and keys[at - 1] >= key:
            low, high = 0, at
            while low < high:
                middle = (low + high) >> 1
                if keys[middle] < key:
                    low = middle + 1
                else:
                    high = middle
            at = low
        if at < count and keys[at] == key:
            if size != 0:
                sizes[at] = size
                continue
            count -= 1
            for j in range(at, count):
                keys[j] = keys[j + 1]
                sizes[j] = sizes[j + 1]
        elif size != 0:
            for j in range(count, at, -1):
                keys[j] = keys[j - 1]
                sizes[j] = sizes[j - 1]
            keys[at] = key
            sizes[at] = size
            count += 1
    return count


@njit(cache=True)
def fold(keys: Ints, sizes: Ints, top: Ints, bids: Ints, asks: Ints) -> None:
    """Merge both sides; `top` is bid, bid size, ask, ask size, number of bids, of asks."""
    bid_count = merge(keys[0], sizes[0], top[4], bids, 1)
    ask_count = merge(keys[1], sizes[1], top[5], asks, -1)
    top[4] = bid_count
    top[5] = ask_count
    top[0] = keys[0, bid_count - 1] if bid_count else 0
    top[1] = sizes[0, bid_count - 1] if bid_count else 0
    top[2] = -keys[1, ask_count - 1] if ask_count else 0
    top[3] = sizes[1, ask_count - 1] if ask_count else 0


def warm() -> None:
    """Compile the kernels, or load them from the cache; live trading never starts cold."""
    keys = np.zeros((2, 4), np.int64)
    fold(keys, np.zeros((2, 4), np.int64), np.zeros(6, np.int64), EMPTY, EMPTY)


EMPTY: Ints = np.zeros(0, np.int64)
