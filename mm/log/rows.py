"""Market events as rows of integers: what the compiled pass reads, a level or a print each.

A row names its instrument by its place in the file's table, not by its id. `at` is the turn's log
time; `venue` what the venue stamped, never after `at` and never before an earlier row's, so that
the same rows can be played in the venue's order as well. `flags` tell where an event and where a
turn ends. Whether a depth event or an earlier quote makes the touch is settled when rows are made:
`QUOTE_LEADS` on the last row of a depth event says that the quote stays.
"""

from enum import IntEnum, IntFlag
from typing import Final

import numpy as np
import numpy.typing as npt


class Kind(IntEnum):
    """What a row says; prices in ticks, sizes in lots."""

    NOTE = 0
    """Nothing that moves a book: it only holds the flags that end an event or a turn.

    Size 1: a quote older than the book, which shows that it lives; 2: depth that the book did not
    take, or not yet.
    """
    BID = 1
    """A bid level's absolute size; 0 removes it."""
    ASK = 2
    BOUGHT = 3
    """A print whose taker bought."""
    SOLD = 4
    QUOTE_BID = 5
    """A best bid laid over the depth; size 0: none is shown. A `QUOTE_ASK` row follows."""
    QUOTE_ASK = 6
    CLEAR = 7
    """A whole snapshot begins: every level is forgotten."""
    SETTLED = 8
    """A depth event without a level ends; one with levels ends with the last of them."""
    LOST = 9
    """Something is missing: the book is unusable."""
    DOWN = 10
    """A channel is down: the book is unusable and nobody quotes."""
    UP = 11
    """A channel delivers again."""
    RESYNCED = 12
    STALE = 13
    MARK = 14
    """A mark price; `price` is its place in the file's table of decimals."""
    FUNDING = 15
    """A funding rate; `price` is its place in the file's table of rates."""
    DEFINED = 16
    """A new revision of the instrument; `price` is its place in the file's table of revisions."""


class Flag(IntFlag):
    """What a row ends."""

    EVENT = 1
    """Where it ends a depth event, the touch is the depth's best, unless the quote leads."""
    TURN = 2
    QUOTE_LEADS = 4
    FULL = 8
    """The turn that ends here had no room for answers: they are heard in the next one."""


ROW: Final = np.dtype(
    [
        ("at", "<i8"),
        ("venue", "<i8"),
        ("price", "<i8"),
        ("size", "<i8"),
        ("instrument", "<u2"),
        ("kind", "u1"),
        ("flags", "u1"),
        ("channel", "<u4"),
    ]
)
"""40 bytes a row, times in nanoseconds."""

Rows = npt.NDArray[np.void]
