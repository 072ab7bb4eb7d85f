"""Several row files as one: by log time, ties by the order of the files, turn by turn.

Instruments and entries of tables are renumbered, one file's after another's. Each file keeps one
block in memory: what is given out next is all that stands before the end of the block that ends
first. Times at the venue are made to run forward over all files, as within one.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from mm.errors import BadInput
from mm.events.units import Nanos
from mm.log.columns import Ints
from mm.log.row_file import BATCH, RowFile, words_of
from mm.log.row_tables import Channel, Tables
from mm.log.rows import ROW, Kind, Rows

INSTRUMENTS_MAX: Final = 1 << 16


class MergedRows:
    """Row files read as one; `tables` are theirs, one after another."""

    def __init__(self, files: Sequence[RowFile]) -> None:
        """Lay the tables together; raises `BadInput` past what a row can number."""
        self._files = tuple(files)
        self._offsets = [np.zeros(5, np.int64)]
        self.tables = Tables()
        for file in self._files:
            _lay(self.tables, file.tables)
            self._offsets.append(np.array(self.tables.sizes(), np.int64))
        if len(self.tables.instruments) > INSTRUMENTS_MAX:
            raise BadInput(
                f"{len(self.tables.instruments)} instruments are more than rows can number",
                remedy=f"merge files of at most {INSTRUMENTS_MAX} instruments",
            )

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(file.header.rows for file in self._files)

    @property
    def first(self) -> Nanos:
        """The time of the first row; 0 without rows."""
        return min(
            (file.header.first for file in self._files if file.header.rows), default=Nanos(0)
        )

    def blocks(self, rows: int = BATCH) -> Iterator[Rows]:
        """The rows in order, at most `rows` at a time; memory is bounded by one block a file."""
        venue = 0
        for run in self._runs(rows):
            run["venue"] = np.maximum.accumulate(np.maximum(run["venue"], venue))
            venue = int(run["venue"][-1])
            for start in range(0, len(run), rows):
                yield run[start : start + rows]

    def _runs(self, rows: int) -> Iterator[Rows]:
        """Rows in order, as many at once as are sure to come next."""
        feeds = [self._renumbered(number, rows) for number in range(len(self._files))]
        held = {
            number: block
            for number, feed in enumerate(feeds)
            if (block := next(feed, None)) is not None
        }
        while held:
            end, ended = min((int(block["at"][-1]), number) for number, block in held.items())
            parts = []
            for number in sorted(held):
                times = held[number]["at"]
                later = end + 1 if number <= ended else end
                cut = int(np.searchsorted(times, later))
                parts.append(held[number][:cut])
                held[number] = held[number][cut:]
            yield _in_order(parts)
            following = next(feeds[ended], None)
            if following is None:
                del held[ended]
            else:
                held[ended] = following

    def _renumbered(self, number: int, rows: int) -> Iterator[Rows]:
        """A file's blocks with numbers as in the tables laid together."""
        instruments, revisions, marks, rates, _ = self._offsets[number].tolist()
        moved = ((Kind.DEFINED, revisions), (Kind.MARK, marks), (Kind.FUNDING, rates))
        for block in self._files[number].blocks(rows):
            block["instrument"] += instruments
            for kind, offset in moved:
                if offset:
                    block["price"][block["kind"] == kind] += offset
            yield block


def _lay(tables: Tables, more: Tables) -> None:
    """Lay another file's tables after these."""
    before = len(tables.instruments)
    tables.channels += [
        Channel(channel.instrument + before, channel.number, channel.name)
        for channel in more.channels
    ]
    tables.instruments += more.instruments
    tables.revisions += more.revisions
    tables.marks += more.marks
    tables.rates += more.rates


def _in_order(parts: Sequence[Rows]) -> Rows:
    """Parts that are each in order as one that is; of equal times the earlier part's come first."""
    told = [part for part in parts if len(part)]
    if len(told) == 1:
        return told[0]
    words: Ints = np.concatenate([words_of(part) for part in told])
    order: Any = np.argsort(words[:, 0], kind="stable")
    rows: Rows = words[order].reshape(-1).view(ROW)
    return rows
