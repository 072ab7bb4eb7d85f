"""Several row files as one: by log time, ties by the order of the files, turn by turn.

Instruments, with their ids, and entries of tables are renumbered, one file's after another's. Each
file keeps one block in memory: what is given out next is all that stands before the end of the
block that ends first. Times at the venue are made to run forward over all files, as within one.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from mm.errors import BadInput
from mm.events.instrument import InstrumentDefined
from mm.events.units import InstrumentId, Nanos
from mm.log.kernels import interleave
from mm.log.row_file import BATCH, RowFile, words_of
from mm.log.row_tables import VERSION, Channel, Header, Tables
from mm.log.rows import ROW, Rows

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
    def header(self) -> Header:
        """What the file would say of itself that held these rows, but for its checksums."""
        headers = [file.header for file in self._files]
        filled = [header for header in headers if header.rows]
        kinds = zip(*(header.kinds for header in headers), strict=True)
        return Header(
            version=VERSION,
            source=self.digest,
            rows=sum(header.rows for header in headers),
            turns=sum(header.turns for header in headers),
            events=sum(header.events for header in headers),
            first=min((header.first for header in filled), default=Nanos(0)),
            last=max((header.last for header in filled), default=Nanos(0)),
            kinds=tuple(map(sum, kinds)),
            sums=(),
            tables=self.tables,
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the files' digests, in their order."""
        return hashlib.sha256("".join(file.digest for file in self._files).encode()).hexdigest()

    def blocks(self, rows: int = BATCH) -> Iterator[Rows]:
        """The rows in order, at most `rows` at a time; memory is bounded by one block a file."""
        venue = 0
        for parts in self._runs(rows):
            words = np.concatenate([words_of(part) for part in parts.values()])
            bounds = np.cumsum([0, *map(len, parts.values())])
            run = np.empty(len(words), ROW)
            offsets = np.array([self._offsets[number] for number in parts])
            venue = int(interleave(words, bounds, offsets, venue, words_of(run)))
            for start in range(0, len(run), rows):
                yield run[start : start + rows]

    def _runs(self, rows: int) -> Iterator[dict[int, Rows]]:
        """By file, in their order, as many rows at once as are sure to come next."""
        feeds = [file.blocks(rows) for file in self._files]
        first = [(number, next(feed, None)) for number, feed in enumerate(feeds)]
        held = {number: block for number, block in first if block is not None}
        while held:
            end, ended = min((int(block["at"][-1]), number) for number, block in held.items())
            parts = {}
            for number, block in held.items():
                cut = int(np.searchsorted(block["at"], end + 1 if number <= ended else end))
                parts[number], held[number] = block[:cut], block[cut:]
            yield parts
            following = next(feeds[ended], None)
            if following is None:
                del held[ended]
            else:
                held[ended] = following


RowSource = RowFile | MergedRows
"""A market: the rows of one recording, or of several."""


def _lay(tables: Tables, more: Tables) -> None:
    """Lay another file's tables after these."""
    before = len(tables.instruments)
    ids = {each.instrument: before + place for place, each in enumerate(more.instruments, 1)}
    tables.channels += [
        Channel(channel.instrument + before, channel.number, channel.name)
        for channel in more.channels
    ]
    tables.instruments += [_numbered(each, ids) for each in more.instruments]
    tables.revisions += [_numbered(each, ids) for each in more.revisions]
    tables.marks += more.marks
    tables.rates += more.rates


def _numbered(defined: InstrumentDefined, ids: dict[InstrumentId, int]) -> InstrumentDefined:
    """The same under the id that no other file uses: its place among all, from 1."""
    number = InstrumentId(ids[defined.instrument])
    return msgspec.structs.replace(defined, instrument=number)
