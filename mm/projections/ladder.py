"""The compiled order book: a window of ticks around the market, and whatever lies beyond it.

Inside the window a level is one cell, found without a search; a bit per cell leads to the next
level when the best one goes. The window moves with the market. Levels outside it wait in short
sorted arrays, so that the book is exact at any distance and nothing is dropped. Side 0 holds bids,
side 1 asks; a `key` is the price for bids and the negated price for asks: the greater, the better.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm.projections.compiled import ONE, ZERO, inner, laying, njit

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]

WINDOW: Final = 1 << 16
"""Ticks that are one cell each; the best levels keep an eighth of it away from its ends."""
WORDS: Final = WINDOW >> 6
MARGIN: Final = WINDOW >> 3
FAR_MAX: Final = 1 << 17
"""Levels outside the window, on each side; memory is what those that are there take."""
NONE: Final = -(1 << 62)
"""The key of the best level where there is none."""
BASE, BEST, FAR = 0, 1, 3
"""Columns of `heads`: the first price of the window, the best keys, the numbers of far levels."""
FULL: Final = 5
"""Column of `heads`: set for good once far levels had no room left: the book was not whole."""


class Ladder(NamedTuple):
    """Some books; the first index is the book, the second the side where there is one."""

    sizes: Ints
    bits: Bits
    far_keys: Ints
    far_sizes: Ints
    heads: Ints


def empty(books: int) -> Ladder:
    """Empty books; compiled code finds them by a table that begins with their addresses."""
    ladder = Ladder(
        sizes=np.zeros((books, 2, WINDOW), np.int64),
        bits=np.zeros((books, 2, WORDS), np.uint64),
        far_keys=np.zeros((books, 2, FAR_MAX), np.int64),
        far_sizes=np.zeros((books, 2, FAR_MAX), np.int64),
        heads=np.zeros((books, 6), np.int64),
    )
    ladder.heads[:, BEST : BEST + 2] = NONE
    return ladder


sizes = laying(0, np.int64, WINDOW)
"""The cells of a side: two rows for each book."""
bits = laying(1, np.uint64, WORDS)
"""A bit for each cell that is not empty."""
far_keys = laying(2, np.int64, FAR_MAX)
"""The keys outside the window, worst first."""
far_sizes = laying(3, np.int64, FAR_MAX)
"""The sizes that belong to `far_keys`."""
heads = laying(4, np.int64, 6)
"""A row for each book: see the columns' names."""
told = laying(5, np.int64)
"""Of a book on its own: levels to be set, as price, size, price, size …"""
MANY: Final = 1 << 9
"""Numbers told of a side in one message, from which on their order is looked at."""
tops = laying(6, np.int64)
"""Of a book on its own: the best bid and its size, the best ask and its size; 0 for none."""


@inner
def highest(word: Any) -> int:
    """The place of the highest bit that is set."""
    place = 0
    for step in (32, 16, 8, 4, 2, 1):
        if word >> np.uint64(step):
            word >>= np.uint64(step)
            place += step
    return place


@inner
def lowest(word: Any) -> int:
    """The place of the lowest bit that is set."""
    return highest(word & (~word + np.uint64(1)))


@inner
def below(used: Any, cell: int) -> int:
    """The nearest occupied cell before this one, or -1."""
    if cell <= 0:
        return -1
    place = (cell - 1) >> 6
    shift = np.uint64(63 - ((cell - 1) & 63))
    rest = (used[place] << shift) >> shift
    while rest == 0:
        place -= 1
        if place < 0:
            return -1
        rest = used[place]
    return (place << 6) + highest(rest)


@inner
def above(used: Any, cell: int) -> int:
    """The nearest occupied cell after this one, or -1."""
    if cell >= WINDOW - 1:
        return -1
    place = (cell + 1) >> 6
    shift = np.uint64((cell + 1) & 63)
    rest = (used[place] >> shift) << shift
    while rest == 0:
        place += 1
        if place >= WORDS:
            return -1
        rest = used[place]
    return (place << 6) + lowest(rest)


@inner
def far_place(keys: Any, count: int, key: int) -> int:
    """The first far level whose key is not less."""
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def next_key(m: int, book: int, side: int, key: int) -> int:
    """The best key that is worse than this one, or NONE; it may lie outside the window."""
    sign = 1 - 2 * side
    base = heads(m)[book, BASE]
    cell = sign * key - base
    if side == 0:
        near = below(bits(m)[2 * book + side], min(cell, WINDOW))
    else:
        near = above(bits(m)[2 * book + side], max(cell, -1))
    found = sign * (base + near) if near >= 0 else NONE
    count = heads(m)[book, FAR + side]
    if count:
        place = far_place(far_keys(m)[2 * book + side], count, key)
        if place > 0 and far_keys(m)[2 * book + side, place - 1] > found:
            found = far_keys(m)[2 * book + side, place - 1]
    return found


@inner
def shown(m: int, book: int, side: int, price: int) -> int:
    """The size of the depth level at a price; 0 where there is none."""
    cell = price - heads(m)[book, BASE]
    if 0 <= cell < WINDOW:
        return sizes(m)[2 * book + side, cell]
    count = heads(m)[book, FAR + side]
    key = (1 - 2 * side) * price
    place = far_place(far_keys(m)[2 * book + side], count, key)
    if place < count and far_keys(m)[2 * book + side, place] == key:
        return far_sizes(m)[2 * book + side, place]
    return 0


@njit(cache=True)
def clear(m: int, book: int) -> None:
    """Forget every level."""
    for side in range(2):
        for group in range(WORDS):
            some = bits(m)[2 * book + side, group]
            if some:
                for cell in range(group << 6, (group + 1) << 6):
                    sizes(m)[2 * book + side, cell] = 0
                bits(m)[2 * book + side, group] = 0
        heads(m)[book, BEST + side] = NONE
        heads(m)[book, FAR + side] = 0


@inner
def set_far(m: int, book: int, side: int, key: int, size: int) -> None:
    """Set or remove a level outside the window."""
    keys, held = far_keys(m)[2 * book + side], far_sizes(m)[2 * book + side]
    count = heads(m)[book, FAR + side]
    place = far_place(keys, count, key)
    if place < count and keys[place] == key:
        if size:
            held[place] = size
            return
        for i in range(place, count - 1):
            keys[i], held[i] = keys[i + 1], held[i + 1]
        heads(m)[book, FAR + side] = count - 1
    elif size:
        if count == FAR_MAX:
            heads(m)[book, FULL] = 1
            return
        for i in range(count, place, -1):
            keys[i], held[i] = keys[i - 1], held[i - 1]
        keys[place], held[place] = key, size
        heads(m)[book, FAR + side] = count + 1


@inner
def put_cell(m: int, book: int, side: int, cell: int, size: int) -> None:
    """Set a cell and its bit."""
    sizes(m)[2 * book + side, cell] = size
    mask = np.uint64(1) << np.uint64(cell & 63)
    if size:
        bits(m)[2 * book + side, cell >> 6] |= mask
    else:
        bits(m)[2 * book + side, cell >> 6] &= ~mask


@inner
def recentre(m: int, book: int, price: int) -> None:
    """Move the window so that `price` stands in its middle."""
    head = heads(m)
    old, new = head[book, BASE], price - (WINDOW >> 1)
    for side in range(2):
        sign = 1 - 2 * side
        count = head[book, FAR + side]
        keys = far_keys(m)[2 * book + side, :count].copy()
        shown_far = far_sizes(m)[2 * book + side, :count].copy()
        cells, held = np.empty(WINDOW, np.int64), np.empty(WINDOW, np.int64)
        found = 0
        cell = above(bits(m)[2 * book + side], -ONE)
        while cell >= 0:
            cells[found], held[found] = cell, sizes(m)[2 * book + side, cell]
            put_cell(m, book, side, cell, ZERO)
            found += 1
            cell = above(bits(m)[2 * book + side], cell)
        head[book, FAR + side] = 0
        head[book, BASE] = new
        for i in range(count):
            place(m, book, side, sign * keys[i], shown_far[i])
        for i in range(found):
            place(m, book, side, old + cells[i], held[i])
        head[book, BASE] = old
    head[book, BASE] = new


@inner
def place(m: int, book: int, side: int, price: int, size: int) -> None:
    """Put a level where it belongs, in the window or beyond."""
    cell = price - heads(m)[book, BASE]
    if 0 <= cell < WINDOW:
        put_cell(m, book, side, cell, size)
    else:
        set_far(m, book, side, (1 - 2 * side) * price, size)


@inner
def follow(m: int, book: int, price: int) -> None:
    """A level has become the best: the window comes along when it is near an end."""
    head = heads(m)
    cell = price - head[book, BASE]
    if cell < MARGIN or cell >= WINDOW - MARGIN:
        recentre(m, book, price)


@inner
def set_level(m: int, book: int, side: int, price: int, size: int) -> None:
    """Set a level's absolute size; 0 removes it, and an unknown level may be removed."""
    head = heads(m)
    key = price if side == 0 else -price
    best = head[book, BEST + side]
    cell = price - head[book, BASE]
    if 0 <= cell < WINDOW:
        sizes(m)[2 * book + side, cell] = size
        mask = np.uint64(1) << np.uint64(cell & 63)
        if size:
            bits(m)[2 * book + side, cell >> 6] |= mask
        else:
            bits(m)[2 * book + side, cell >> 6] &= ~mask
    elif size and key > best:
        # In front of all there is, and outside: the market has jumped, or begins here.
        recentre(m, book, price)
        place(m, book, side, price, size)
    else:
        set_far(m, book, side, key, size)
    if size:
        if key > best:
            head[book, BEST + side] = key
            follow(m, book, price)
    elif key == best:
        key = next_key(m, book, side, key)
        head[book, BEST + side] = key
        if key != NONE:
            follow(m, book, (1 - 2 * side) * key)


@njit(cache=True)
def levels(m: int, book: int, side: int, out: Ints) -> int:
    """Write the best levels as price, size, price, size …; returns how many there were room for."""
    sign = 1 - 2 * side
    key, count = heads(m)[book, BEST + side], 0
    while key != NONE and count < len(out) // 2:
        price = sign * key
        out[2 * count] = price
        out[2 * count + 1] = shown(m, book, side, price)
        count += 1
        key = next_key(m, book, side, key)
    return count


@inner
def set_side(m: int, side: int, start: int, end: int) -> None:
    """Set what a book on its own was told of a side; of a price told twice, the later.

    Many levels, best first, as snapshots have them: worst first after the best one, so that far
    levels are appended where each would move all those before it.
    """
    news, sign = told(m), 1 - 2 * side
    if end - start > MANY:
        at = start + 2
        while at < end and sign * news[at] < sign * news[at - 2]:
            at += 2
        if at == end:
            set_level(m, ZERO, side, news[start], news[start + 1])
            for i in range(end - 2, start, -2):
                set_level(m, ZERO, side, news[i], news[i + 1])
            return
    for i in range(start, end, 2):
        set_level(m, ZERO, side, news[i], news[i + 1])


@njit(cache=True)
def fold(m: int, split: int, end: int) -> int:
    """Set what a book on its own was told, bids up to `split`, then asks; and what is best now.

    Not zero once the book has lost a level for want of room.
    """
    set_side(m, ZERO, ZERO, split)
    set_side(m, ONE, split, end)
    top, head = tops(m), heads(m)
    for side in range(2):
        key = head[0, BEST + side]
        price = (1 - 2 * side) * key
        top[2 * side] = price if key != NONE else 0
        top[2 * side + 1] = shown(m, ZERO, side, price) if key != NONE else 0
    return head[0, FULL]
