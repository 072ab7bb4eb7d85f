"""The compiled fold of an order book: sorted integer arrays, best level last.

Row 0 holds bids, row 1 asks. A key is the price for bids and the negated price for asks, so that
the best level of either side is the greatest key and stands at the end. A level that is removed
stays as a key of size 0, for most come back at the same price, and gives its place to the next
newcomer beside it; `compact` takes them out when room is short. Each search starts where the last
one ended, for venues send levels in order. The arrays are exact at any distance: no window, nothing
is dropped.
"""

import numpy as np
from numpy.typing import NDArray

from mm.projections.compiled import njit

Ints = NDArray[np.int64]


@njit(cache=True)
def find(keys: Ints, count: int, key: int, start: int) -> int:
    """The first place of a key that is not less; steps of doubling length lead there."""
    step = 1
    if start < count and keys[start] < key:
        low, high = start + 1, start + 1
        while high < count and keys[high] < key:
            low = high + 1
            high += step
            step *= 2
        high = min(high, count)
    else:
        low, high = start, start
        while low > 0 and keys[low - 1] >= key:
            high = low - 1
            low = max(0, high - step)
            step *= 2
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def merge(keys: Ints, sizes: Ints, count: int, levels: Ints, sign: int) -> int:
    """Set absolute sizes of levels on one side; returns how many places are in use now.

    `levels` is price, size, price, size …; size 0 removes a level, an unknown level may be
    removed. The arrays must have room for all of `levels`.
    """
    at = count
    for i in range(0, len(levels), 2):
        key = sign * levels[i]
        size = levels[i + 1]
        at = find(keys, count, key, at)
        if at < count and keys[at] == key:
            sizes[at] = size
        elif size != 0:
            if at > 0 and sizes[at - 1] == 0:
                at -= 1
            else:
                free = at
                while free < count and sizes[free] != 0:
                    free += 1
                if free == count:
                    count += 1
                for j in range(free, at, -1):
                    keys[j] = keys[j - 1]
                    sizes[j] = sizes[j - 1]
            keys[at] = key
            sizes[at] = size
    while count > 0 and sizes[count - 1] == 0:
        count -= 1
    return count


@njit(cache=True)
def compact(keys: Ints, sizes: Ints, count: int) -> int:
    """Take the removed levels out; returns how many there are."""
    kept = 0
    for i in range(count):
        if sizes[i] != 0:
            keys[kept] = keys[i]
            sizes[kept] = sizes[i]
            kept += 1
    return kept


@njit(cache=True)
def fold(keys: Ints, sizes: Ints, top: Ints, levels: Ints, split: int) -> None:
    """Merge bids, the first `split` numbers of `levels`, and asks, the rest.

    `top` is bid, bid size, ask, ask size, and the places in use by bids and by asks.
    """
    bid_count = merge(keys[0], sizes[0], top[4], levels[:split], 1)
    ask_count = merge(keys[1], sizes[1], top[5], levels[split:], -1)
    top[4] = bid_count
    top[5] = ask_count
    top[0] = keys[0, bid_count - 1] if bid_count else 0
    top[1] = sizes[0, bid_count - 1] if bid_count else 0
    top[2] = -keys[1, ask_count - 1] if ask_count else 0
    top[3] = sizes[1, ask_count - 1] if ask_count else 0


def warm() -> None:
    """Compile the kernels, or load them from the cache; live trading never starts cold."""
    keys = np.zeros((2, 4), np.int64)
    sizes = np.zeros((2, 4), np.int64)
    fold(keys, sizes, np.zeros(6, np.int64), EMPTY, 0)
    compact(keys[0], sizes[0], 0)


EMPTY: Ints = np.zeros(0, np.int64)
