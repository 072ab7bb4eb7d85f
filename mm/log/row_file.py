"""A file of rows: Arrow IPC, uncompressed, columns as narrow as their values, read in blocks.

The header (see `row_tables`) is the schema's metadata; each batch holds `BATCH` rows, the last one
the rest. `venue` is stored as the delay behind `at`. A block is read into memory of its own and
compared with its checksum, so that no mapped page is held and whatever is read is what was
written. Processes that read the same file share its pages in the system's cache, whichever way
they read it; a `RowFile` may be sent to another process.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mm.errors import BadInput, LogDamaged
from mm.log import row_tables
from mm.log.kernels import NARROW, WIDE, WORDS, Ints, assemble, frozen
from mm.log.row_tables import REMEDY, Header, Tables
from mm.log.rows import ROW, Rows

BATCH: Final = 65_536
COLUMNS: Final = ("at", "delay", "price", "size", "instrument", "kind", "flags", "channel")
_TYPES: Final = {pa.from_numpy_dtype(kind): kind for kind in NARROW + WIDE}

Columns = list[npt.NDArray[Any]]
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError)
_OPTIONS: Final = pa.ipc.IpcReadOptions(use_threads=False)


def words_of(rows: Rows) -> Ints:
    """The same memory as five integers a row: numpy copies records field by field, slowly."""
    return rows.view("<i8").reshape(-1, WORDS)


class RowFile:
    """A file of rows as it stood when it was opened; `header` tells what it holds."""

    def __init__(self, path: Path, header: Header, digest: str) -> None:
        """Use `open`."""
        self.path = path
        self.header = header
        self.digest = digest
        """SHA-256 of all that is in the file: equal files give equal results."""

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Read the header; raises `BadInput` without a file, `LogDamaged` or `NewerVersion`."""
        file = Path(path)
        if not file.is_file():
            raise BadInput("there is no file of rows", where=str(file), remedy="check the path")
        with _opened(file) as source:
            schema = _reader(source, file).schema
        return cls(file, *_header(schema, file))

    @property
    def tables(self) -> Tables:
        """What rows refer to by number."""
        return self.header.tables

    def blocks(self, rows: int = BATCH) -> Iterator[Rows]:
        """The rows in order, at most `rows` at a time; memory is bounded by one batch.

        Raises `LogDamaged`, naming the rows that cannot be read or are not what was written.
        """
        assert rows > 0, "a block has rows"
        for batch in self._batches():
            for start in range(0, len(batch), rows):
                yield batch[start : start + rows]

    def load(self) -> Rows:
        """All rows at once, mapped: processes that load the same file share one copy.

        The first load writes them beside the file as they stand in memory, 40 bytes a row, and
        says so nowhere else; where that cannot be written, the copy is the process's own.
        """
        count = self.header.rows
        if not count:
            return np.empty(0, ROW)
        plain = self.path.with_name(f"{self.path.stem}-{self.digest[:16]}.plain")
        try:
            if not _has_size(plain, count * ROW.itemsize):
                self._write_plain(plain)
            return _mapped(plain)
        except OSError:
            rows = np.empty(count, ROW)
            for start, block in self._placed():
                words_of(rows)[start : start + len(block)] = words_of(block)
            return rows

    def _write_plain(self, plain: Path) -> None:
        draft = plain.with_name(f".{plain.name}.{os.getpid()}")
        try:
            with draft.open("wb") as out:
                for block in self._batches():
                    out.write(words_of(block).data)
            draft.replace(plain)
        finally:
            draft.unlink(missing_ok=True)

    def _placed(self) -> Iterator[tuple[int, Rows]]:
        return zip(range(0, self.header.rows, BATCH), self._batches(), strict=True)

    def _batches(self) -> Iterator[Rows]:
        """Every batch, checked."""
        with _opened(self.path) as source:
            reader = _reader(source, self.path)
            if _header(reader.schema, self.path)[1] != self.digest:
                raise self._damaged("the file was replaced while it was read", 0, self.header.rows)
            types = [_TYPES[field.type] for field in reader.schema]
            for number in range(len(self.header.sums)):
                yield self._batch(reader, number, types)

    def _batch(self, reader: Any, number: int, types: list[np.dtype[Any]]) -> Rows:
        start = number * BATCH
        count = min(BATCH, self.header.rows - start)
        try:
            stored = reader.get_batch(number).columns
            columns = [
                np.frombuffer(column.buffers()[1], kind, count)
                for column, kind in zip(stored, types, strict=True)
            ]
        except _UNREADABLE as error:
            raise self._damaged(f"cannot be read: {error}", start, count) from error
        rows = np.empty(count, ROW)
        if int(_assembled(rows, columns)) != self.header.sums[number]:
            raise self._damaged("are not what was written", start, count)
        return rows

    def _damaged(self, what: str, start: int, count: int) -> LogDamaged:
        where = f"{self.path}, rows {start} to {start + count - 1}"
        return LogDamaged(f"rows {what}", where=where, remedy=REMEDY)


def _assembled(rows: Rows, columns: Columns) -> Any:
    """Fill `rows`; one of two compiled forms does it."""
    narrow = all(column.dtype == kind for column, kind in zip(columns, NARROW, strict=True))
    form = NARROW if narrow else WIDE
    typed = frozen(
        column.astype(kind, copy=False) for column, kind in zip(columns, form, strict=True)
    )
    return assemble(words_of(rows), tuple(typed[:2]), tuple(typed[2:4]), tuple(typed[4:]))


def _opened(file: Path) -> Any:
    try:
        return pa.OSFile(str(file))
    except OSError as error:
        raise BadInput(
            f"the rows cannot be opened: {error.strerror}",
            where=str(file),
            remedy="check the file and its permissions",
        ) from error


def _reader(source: Any, file: Path) -> Any:
    try:
        return pa.ipc.open_file(source, options=_OPTIONS)
    except _UNREADABLE as error:
        raise LogDamaged(
            f"the file of rows is not whole: {error}",
            where=f"{file}, after row {_whole_rows(file)}",
            remedy=REMEDY,
        ) from error


def _whole_rows(file: Path) -> int:
    """How many rows of a torn file can be read from its beginning."""
    rows = 0
    try:
        with pa.OSFile(str(file)) as source:
            source.seek(8)  # Past the file's magic a stream begins.
            for batch in pa.ipc.open_stream(source, options=_OPTIONS):
                rows += batch.num_rows
    except _UNREADABLE:
        return rows
    return rows


def _header(schema: pa.Schema, file: Path) -> tuple[Header, str]:
    metadata = schema.metadata or {}
    header = row_tables.decode(metadata, file)
    if tuple(schema.names) != COLUMNS or not _TYPES.keys() >= set(schema.types):
        raise LogDamaged("the columns are not those of rows", where=str(file), remedy=REMEDY)
    return header, row_tables.digest_of(metadata[row_tables.HEADER])


def _has_size(file: Path, size: int) -> bool:
    return file.is_file() and file.stat().st_size == size


def _mapped(file: Path) -> Rows:
    """A private mapping: nobody writes, and the compiler sees the type of any other block."""
    with file.open("rb") as source:
        content = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_COPY)
    return np.frombuffer(content, ROW)
