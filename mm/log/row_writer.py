"""Writing rows to a file, whole or not at all, every row checked.

Rows come in blocks of any size and pass through a spool, since how narrow the columns may be and
what the header says is known only after the last of them. Both are hidden beside the file until
it is renamed into place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa

from mm.errors import BadInput
from mm.events.units import Nanos
from mm.log import files, kernels, row_tables
from mm.log.columns import Ints
from mm.log.kernels import KINDS, NARROW, SURVEY_FIELDS, WIDE, mixed, survey
from mm.log.row_file import BATCH, COLUMNS, RowFile, words_of
from mm.log.row_tables import Header, Tables
from mm.log.rows import ROW, Kind, Rows

FAULTS: Final = {
    kernels.EARLIER: "is earlier than the row before it",
    kernels.VENUE_EARLIER: "is earlier at the venue than the row before it",
    kernels.VENUE_LATER: "is later at the venue than on the log",
    kernels.NO_INSTRUMENT: "names an instrument without a definition",
    kernels.NO_KIND: "is of no known kind",
    kernels.BAD_PRICE: "has a negative price",
    kernels.BAD_SIZE: "has a negative size",
    kernels.NO_PRINT: "is a print of no lots",
    kernels.NO_ENTRY: "names an entry that is in no table",
    kernels.OPEN_TURN: "begins another turn before the last one ended",
}


def write_rows(
    path: Path | str, tables: Tables, blocks: Iterable[Rows], *, source: str = ""
) -> RowFile:
    """Write rows; `tables` may grow while `blocks` are drawn, `source` is the head of their log.

    Raises `BadInput` naming the first row that cannot be, `LogFull` or `LogUnavailable`.
    """
    file = Path(path)
    spool, draft = (file.with_name(f".{file.name}{end}") for end in (".spool", files.DRAFT))
    try:
        with spool.open("w+b") as rows:
            surveyed = _Survey(file, tables)
            for block in blocks:
                surveyed.take(block)
                rows.write(words_of(np.ascontiguousarray(block)).data)
            _encode(rows, draft, surveyed, source)
        draft.replace(file)
        files.sync_directory(file.parent)
    except OSError as error:
        raise files.failed(error, file) from error
    finally:
        spool.unlink(missing_ok=True)
        draft.unlink(missing_ok=True)
    return RowFile.open(file)


class _Survey:
    """What has been seen of the rows so far."""

    def __init__(self, file: Path, tables: Tables) -> None:
        self._file = file
        self.tables = tables
        self.rows = 0
        self.state: Ints = np.zeros(SURVEY_FIELDS, np.int64)
        self.kinds: Ints = np.zeros(KINDS, np.int64)

    def take(self, block: Rows) -> None:
        """Check the next rows."""
        assert block.dtype == ROW, f"{block.dtype} is no row"
        sizes = np.array(self.tables.sizes(), np.int64)
        row, fault = survey(np.ascontiguousarray(block), self.state, self.kinds, sizes)
        if fault:
            raise self._bad(row, block[row], FAULTS[fault])
        self.rows += len(block)

    def finish(self) -> None:
        """The last turn has to end with the last row."""
        if self.rows and not self.state[kernels.SEEN] & kernels.TURN:
            raise BadInput(
                "the last row does not end its turn",
                where=f"{self._file}, row {self.rows - 1}",
                remedy="flag the last row of each turn",
            )

    def _bad(self, row: int, values: Any, fault: str) -> BadInput:
        kind = int(values["kind"])
        name = Kind(kind).name if kind < KINDS else str(kind)
        return BadInput(
            f"the row {fault}: {name}, price {values['price']}, size {values['size']}, "
            f"instrument {values['instrument']}, at {values['at']}",
            where=f"{self._file}, row {self.rows + row}",
            remedy="repair or leave out what the row was made from",
        )


def _encode(rows: BinaryIO, draft: Path, surveyed: _Survey, source: str) -> None:
    """From the spool to columns; what is written is on the disk once this returns."""
    surveyed.finish()
    sums = tuple(int(mixed(np.uint64(0), words_of(batch))) for batch in _spooled(rows))
    state = surveyed.state
    header = Header(
        version=row_tables.VERSION,
        source=source,
        rows=surveyed.rows,
        turns=int(state[kernels.TURNS]),
        events=int(state[kernels.EVENTS]),
        first=Nanos(int(state[kernels.FIRST_AT])),
        last=Nanos(int(state[kernels.LAST_AT])),
        kinds=tuple(surveyed.kinds.tolist()),
        sums=sums,
        tables=surveyed.tables,
    )
    types = _types(state)
    fields = [(name, pa.from_numpy_dtype(kind)) for name, kind in zip(COLUMNS, types, strict=True)]
    schema = pa.schema(fields, metadata=row_tables.encode(header))
    with draft.open("wb") as out:
        with pa.ipc.new_file(out, schema) as writer:
            for batch in _spooled(rows):
                writer.write_batch(_columns(batch, schema, types))
        out.flush()
        os.fsync(out.fileno())


def _spooled(rows: BinaryIO) -> Iterator[Rows]:
    rows.seek(0)
    while len(batch := np.fromfile(rows, ROW, BATCH)):
        yield batch


def _types(state: Ints) -> list[np.dtype[Any]]:
    """The narrow type of each column that holds all its values, else the wide one."""
    most = dict(zip(COLUMNS, map(np.iinfo, NARROW), strict=True))
    greatest = {
        "delay": state[kernels.DELAY_MAX],
        "price": state[kernels.PRICE_MAX],
        "size": state[kernels.SIZE_MAX],
        "channel": state[kernels.CHANNEL_MAX],
    }
    return [
        narrow if greatest.get(name, 0) <= most[name].max else wide
        for name, narrow, wide in zip(COLUMNS, NARROW, WIDE, strict=True)
    ]


def _columns(batch: Rows, schema: pa.Schema, types: list[np.dtype[Any]]) -> pa.RecordBatch:
    columns = []
    for field, kind in zip(schema, types, strict=True):
        whole = batch["at"] - batch["venue"] if field.name == "delay" else batch[field.name]
        values = np.ascontiguousarray(whole, kind)
        columns.append(pa.Array.from_buffers(field.type, len(values), [None, pa.py_buffer(values)]))
    return pa.record_batch(columns, schema=schema)
