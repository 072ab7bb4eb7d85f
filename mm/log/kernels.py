"""Compiled loops over rows: into columns and back, checked, and made from events.

A batch's checksum is a polynomial over its rows: any one changed value, and any two rows that
changed places, change it. It depends on the rows only, not on how wide their columns are.
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mm.log.rows import Flag, Kind, Rows

if TYPE_CHECKING:
    from collections.abc import Callable

    def njit(**_options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Typed stand-in: numba's decorator has no types of its own."""
        ...
else:
    from numba import njit

Ints = npt.NDArray[np.int64]
Column = npt.NDArray[Any]

NOTE: Final = int(Kind.NOTE)
BID: Final = int(Kind.BID)
ASK: Final = int(Kind.ASK)
BOUGHT: Final = int(Kind.BOUGHT)
SOLD: Final = int(Kind.SOLD)
QUOTE_BID: Final = int(Kind.QUOTE_BID)
QUOTE_ASK: Final = int(Kind.QUOTE_ASK)
CLEAR: Final = int(Kind.CLEAR)
SETTLED: Final = int(Kind.SETTLED)
LOST: Final = int(Kind.LOST)
DOWN: Final = int(Kind.DOWN)
MARK: Final = int(Kind.MARK)
FUNDING: Final = int(Kind.FUNDING)
DEFINED: Final = int(Kind.DEFINED)
EVENT: Final = int(Flag.EVENT)
TURN: Final = int(Flag.TURN)
QUOTE_LEADS: Final = int(Flag.QUOTE_LEADS)
UP: Final = int(Kind.UP)
KINDS: Final = len(Kind)
TILE: Final = 4_096
"""Rows that stay in a processor's cache until their checksum is taken."""
FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)

# What `survey` keeps from block to block.
LAST_AT, LAST_VENUE, FIRST_AT, TURNS, EVENTS, DELAY_MAX, PRICE_MAX, SIZE_MAX = range(8)
CHANNEL_MAX, SEEN = 8, 9
SURVEY_FIELDS: Final = 10

# What `survey` finds wrong with a row.
FINE, EARLIER, VENUE_EARLIER, VENUE_LATER, NO_INSTRUMENT, NO_KIND = range(6)
BAD_PRICE, BAD_SIZE, NO_PRINT, NO_ENTRY, OPEN_TURN = 6, 7, 8, 9, 10


@njit(cache=True)
def mixed(total: Any, words: Ints) -> Any:
    """A checksum that also covers these rows, given as five words each."""
    for i in range(len(words)):
        row = words[i]
        value = row[0] + 3 * row[1] + 5 * row[2] + 7 * row[3] + 9 * row[4]
        total = total * FACTOR + np.uint64(value)
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
    at, delay = times
    price, size = values
    instrument, kind, flags, channel = marks
    total = np.uint64(0)
    for start in range(0, len(at), TILE):
        stop = min(start + TILE, len(at))
        for i in range(start, stop):
            words[i, 0] = at[i]
            words[i, 1] = at[i] - np.int64(delay[i])
            words[i, 2] = price[i]
            words[i, 3] = size[i]
            low = np.int64(instrument[i]) | np.int64(kind[i]) << 16 | np.int64(flags[i]) << 24
            words[i, 4] = low | np.int64(channel[i]) << 32
        total = mixed(total, words[start:stop])
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
