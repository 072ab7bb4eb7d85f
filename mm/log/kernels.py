"""Compiled loops over rows: into columns and back, checked and merged.

A batch's checksum is a polynomial over its rows: any one changed value, and any two rows that
changed places, change it. It depends on the rows only, not on how wide their columns are.
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mm.log.rows import ROW, Flag, Kind, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    def njit(**_options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Typed stand-in: numba's decorator has no types of its own."""
        ...

    def inner(function: Callable[..., Any]) -> Callable[..., Any]:
        """Typed stand-in: it has no types either."""
        ...
else:
    from mm.log.inlining import inner, njit

NARROW: Final = tuple(map(np.dtype, ("<i8", "<u4", "<i4", "<i4", "<u2", "u1", "u1", "u1")))
WIDE: Final = tuple(map(np.dtype, ("<i8", "<i8", "<i8", "<i8", "<u2", "u1", "u1", "<u4")))
"""The two forms of columns that are compiled; a file may have some columns of either."""
WORDS: Final = ROW.itemsize // 8
Ints = npt.NDArray[np.int64]
Column = npt.NDArray[Any]

BOUGHT: Final = int(Kind.BOUGHT)
SOLD: Final = int(Kind.SOLD)
DOWN: Final = int(Kind.DOWN)
MARK: Final = int(Kind.MARK)
FUNDING: Final = int(Kind.FUNDING)
DEFINED: Final = int(Kind.DEFINED)
EVENT: Final = int(Flag.EVENT)
TURN: Final = int(Flag.TURN)
UP: Final = int(Kind.UP)
KINDS: Final = len(Kind)
FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)

# What `survey` keeps from block to block.
LAST_AT, LAST_VENUE, FIRST_AT, TURNS, EVENTS, DELAY_MAX, PRICE_MAX, SIZE_MAX = range(8)
CHANNEL_MAX, SEEN = 8, 9
SURVEY_FIELDS: Final = 10

# What `survey` finds wrong with a row.
FINE, EARLIER, VENUE_EARLIER, VENUE_LATER, NO_INSTRUMENT, NO_KIND = range(6)
BAD_PRICE, BAD_SIZE, NO_PRINT, NO_ENTRY, OPEN_TURN = 6, 7, 8, 9, 10


@inner
def _blend(total: Any, at: int, venue: int, price: int, size: int, rest: int) -> Any:
    """A checksum that also covers one row, given as five words."""
    return total * FACTOR + np.uint64(at + 3 * venue + 5 * price + 7 * size + 9 * rest)


@njit(cache=True)
def mixed(total: Any, words: Ints) -> Any:
    """A checksum that also covers these rows, given as five words each."""
    for i in range(len(words)):
        row = words[i]
        total = _blend(total, row[0], row[1], row[2], row[3], row[4])
    return total


@njit(cache=True)
def assemble(
    words: Ints,
    times: tuple[Column, Column],
    values: tuple[Column, Column],
    marks: tuple[Column, Column, Column, Column],
) -> Any:
    """Fill rows, as five words each, from columns; returns their checksum.

    `times` are log time and the venue's delay, `values` price and size, `marks` instrument, kind,
    flags and channel.
    """
    times_at, delays = times
    prices, sizes = values
    instruments, kinds, flags, channels = marks
    total = np.uint64(0)
    for i in range(len(times_at)):
        at = times_at[i]
        venue = at - np.int64(delays[i])
        price = np.int64(prices[i])
        size = np.int64(sizes[i])
        rest = np.int64(instruments[i]) | np.int64(kinds[i]) << 16
        rest |= np.int64(flags[i]) << 24 | np.int64(channels[i]) << 32
        words[i, 0] = at
        words[i, 1] = venue
        words[i, 2] = price
        words[i, 3] = size
        words[i, 4] = rest
        total = _blend(total, at, venue, price, size, rest)
    return total


@njit(cache=True)
def survey(rows: Rows, state: Ints, kinds: Ints, sizes: Ints) -> Any:
    """Check rows that follow those before: `(row, fault)`, or -1 and `FINE`.

    `sizes` are those of the tables: instruments, revisions, marks, rates, channels.
    """
    for i in range(len(rows)):
        row = rows[i]
        at, venue, price, size = row.at, row.venue, row.price, row.size
        kind, flags = row.kind, row.flags
        if state[SEEN] and at < state[LAST_AT]:
            return i, EARLIER
        if state[SEEN] and venue < state[LAST_VENUE]:
            return i, VENUE_EARLIER
        if venue > at:
            return i, VENUE_LATER
        if row.instrument >= sizes[0]:
            return i, NO_INSTRUMENT
        if kind >= KINDS:
            return i, NO_KIND
        if price < 0:
            return i, BAD_PRICE
        if size < 0:
            return i, BAD_SIZE
        if kind in (BOUGHT, SOLD) and size == 0:
            return i, NO_PRINT
        if kind == DEFINED and price >= sizes[1]:
            return i, NO_ENTRY
        if kind == MARK and price >= sizes[2]:
            return i, NO_ENTRY
        if kind == FUNDING and price >= sizes[3]:
            return i, NO_ENTRY
        if kind in (UP, DOWN) and row.channel >= sizes[4]:
            return i, NO_ENTRY
        if state[SEEN] and at != state[LAST_AT] and not state[SEEN] & 2:
            return i, OPEN_TURN
        if not state[SEEN]:
            state[FIRST_AT] = at
        state[SEEN] = 1 | (flags & TURN)
        state[LAST_AT] = at
        state[LAST_VENUE] = venue
        state[TURNS] += (flags & TURN) != 0
        state[EVENTS] += (flags & EVENT) != 0
        state[DELAY_MAX] = max(state[DELAY_MAX], at - venue)
        state[PRICE_MAX] = max(state[PRICE_MAX], price)
        state[SIZE_MAX] = max(state[SIZE_MAX], size)
        state[CHANNEL_MAX] = max(state[CHANNEL_MAX], np.int64(row.channel))
        kinds[kind] += 1
    return -1, FINE


@njit(cache=True)
def interleave(words: Ints, bounds: Ints, offsets: Ints, venue: int, out: Ints) -> int:
    """Merge rows that are in order between `bounds`, ties in that order; returns the venue's time.

    `offsets` has a line for each: what is added to places of instruments, revisions, marks, rates.
    """
    heads = bounds[:-1].copy()
    for place in range(len(words)):
        first = -1
        for k in range(len(heads)):
            if heads[k] < bounds[k + 1] and (
                first == -1 or words[heads[k], 0] < words[heads[first], 0]
            ):
                first = k
        row = words[heads[first]]
        heads[first] += 1
        price, kind = row[2], (row[4] >> 16) & 0xFF
        if kind == DEFINED:
            price += offsets[first, 1]
        elif kind == MARK:
            price += offsets[first, 2]
        elif kind == FUNDING:
            price += offsets[first, 3]
        venue = max(venue, row[1])
        out[place, 0], out[place, 1] = row[0], venue
        out[place, 2], out[place, 3] = price, row[3]
        out[place, 4] = row[4] + offsets[first, 0]  # Instruments are the lowest bits.
    return venue


def frozen(columns: "Iterable[Column]") -> list[Column]:
    """Columns marked as read-only, whoever made them: the compiler takes that for another type."""
    kept = list(columns)
    for column in kept:
        column.flags.writeable = False
    return kept


def warm() -> None:
    """Compile the loops, or load them from the cache."""
    rows, words = np.zeros(0, ROW), np.zeros((0, WORDS), np.int64)
    none = np.zeros(0, np.int64)
    for form in (NARROW, WIDE):
        columns = frozen(np.zeros(0, kind) for kind in form)
        assemble(words, tuple(columns[:2]), tuple(columns[2:4]), tuple(columns[4:]))
    mixed(np.uint64(0), words)
    survey(rows, np.zeros(SURVEY_FIELDS, np.int64), np.zeros(KINDS, np.int64), none)
    bounds, offsets = np.zeros(2, np.int64), np.zeros((1, 5), np.int64)
    interleave(words, bounds, offsets, 0, words)
