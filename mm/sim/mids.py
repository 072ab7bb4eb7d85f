"""The mid of each instrument as time goes on, from the rows of its market.

The pass's own books are followed, with nobody at work; only changes are kept. A moment is asked
for in the venue's time or in ours: each row has both.
"""

from typing import Any, Final

import numpy as np

from mm.log.rows import ROW, Flag, Rows
from mm.projections.compiled import ONE, ZERO, njit, whole
from mm.sim.compiled_run import Memory, check_whole
from mm.sim.feed import play
from mm.sim.venue import usable
from mm.sim.world import ROWS, count_of, markets, rows_of

MID: Final = np.dtype([("at", "<i8"), ("venue", "<i8"), ("mid2", "<i8"), ("instrument", "<i8")])
"""From when on, in our time and the venue's, it was this; twice the mid, 0: none to be had."""
EVENT: Final = int(Flag.EVENT)


@njit(cache=True)
def follow(m: int, last: Any, found: Any) -> int:
    """Play all rows; returns how many changes of a mid were written."""
    count = 0
    for k in range(count_of(m, ROWS)):
        row = rows_of(m)[k]
        if play(m, k, ZERO, row.at, ZERO, ONE) & EVENT:
            ins, mid2 = whole(row.instrument), ZERO
            market = markets(m)[ins]
            if market.bid_size and market.ask_size and usable(m, ins):
                mid2 = market.bid + market.ask
            if mid2 != last[ins]:
                last[ins] = mid2
                found[count].at, found[count].venue = row.at, row.venue
                found[count].mid2, found[count].instrument = mid2, ins
                count += 1
    return count


class Mids:
    """Follows rows block by block, then answers for any moment of them."""

    def __init__(self, instruments: int) -> None:
        """Start before the first row, with empty books."""
        self._memory = Memory(instruments, 0, two_clocks=False)
        self._last = np.zeros(instruments, np.int64)
        self._found: list[Any] = [np.zeros(0, MID)]
        self._changes: list[Any] = []

    def feed(self, rows: Rows) -> None:
        """Follow the next rows; raises `BadInput` for a book that could not be held whole."""
        memory = self._memory
        memory.rows = np.ascontiguousarray(rows)
        memory.refresh()
        found = np.empty(len(rows), MID)
        count = follow(memory.address, self._last, found)
        check_whole(memory)
        self._found.append(found[:count].copy())

    def end(self) -> None:
        """There are no more rows."""
        found = np.concatenate(self._found)
        self._found = []
        self._changes = [found[found["instrument"] == each] for each in range(len(self._last))]

    def at_venue(self, instrument: int, when: Any) -> Any:
        """Twice the mid once the venue's events of each moment of `when` had happened."""
        return self._look(instrument, "venue", "right", when)

    def before(self, instrument: int, when: Any) -> Any:
        """Twice the mid as we knew it before we heard anything at each moment of `when`."""
        return self._look(instrument, "at", "left", when)

    def _look(self, instrument: int, clock: str, side: Any, when: Any) -> Any:
        changes = self._changes[instrument]
        places = np.searchsorted(np.ascontiguousarray(changes[clock]), when, side=side)
        return np.concatenate(([0], changes["mid2"]))[places]


def warm() -> None:
    """Compile the loop, or load it from the cache."""
    Mids(1).feed(np.zeros(0, ROW))
