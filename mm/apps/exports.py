"""A log as Parquet somewhere else: the whole of it as an archive, or some kinds as plain tables.

An export appears whole or not at all, and replaces only an export of the same log. A whole one is
an archive like any other: it can be checked, replayed and queried. Tables hold ticks, lots and
nanoseconds as they are on the log; the definitions that turn them into prices and sizes always come
with them.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import msgspec
import pyarrow.parquet as pq

from mm.apps.reading import Reading, closing
from mm.apps.selection import Selection
from mm.apps.sessions import is_session
from mm.errors import ConfigError
from mm.events.base import Body
from mm.events.instrument import InstrumentDefined
from mm.events.vocabulary import tag_of
from mm.log import files
from mm.log.archive import SPAN_BYTES_MAX, SPAN_EVENTS_MAX, Archive, ArchiveWriter, is_archive
from mm.log.chain import Sealed
from mm.log.columns import encodings, file_name
from mm.log.manifest import Kind
from mm.log.spans import SpanBuilder

NOTE: Final = "export.json"
"""Says of a directory of tables which log they are from."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of event in an export."""

    kind: str
    rows: int
    files: int
    bytes: int


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    name: str
    kind: Kind
    out: str
    archive: bool
    turns: int
    events: int
    head: str
    tables: list[Table]


def require_room(out: Path, source: Path, *, force: bool) -> None:
    """Raise `ConfigError` unless an export of `source` may be put at `out`."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if is_session(out) or is_session(out.parent) or out.resolve() == source.resolve():
        raise _refused("a desk's own log is never replaced", out)
    if not out.is_dir() or _name_of(out) != log_name(source):
        raise _refused("something that is no export of this log is there", out)
    if not force:
        raise ConfigError(
            "there is an export already",
            where=str(out),
            remedy="name another directory with --out, or replace it with --force",
        )


def _refused(what: str, out: Path) -> ConfigError:
    return ConfigError(what, where=str(out), remedy="name a new directory with --out")


def log_name(source: Path) -> str:
    """The name a log goes by, whichever copy of it is read."""
    return Archive(source).manifest.name if is_archive(source) else source.resolve().name


def _name_of(out: Path) -> str | None:
    """The log that an export is of; None where there is none."""
    if is_archive(out):
        return Archive(out).manifest.name
    try:
        return msgspec.json.decode((out / NOTE).read_bytes(), type=Exported).name
    except (OSError, msgspec.DecodeError):
        return None


async def export(
    reading: Reading, out: Path, selection: Selection, told: Callable[[float], None]
) -> Exported:
    """Write a log to `out`, which `require_room` has allowed; all of it unless kinds are chosen."""
    kind = _kind(reading)
    with files.drafted(_place(out)) as draft:
        if selection.kinds:
            tables = await _tables(reading, draft, selection, told)
        else:
            tables = await _archive(reading, draft, kind, told)
        done = Exported(
            name=log_name(reading.path),
            kind=kind,
            out=str(out),
            archive=not selection.kinds,
            turns=reading.head.number,
            events=reading.head.events,
            head=reading.head.hash.hex(),
            tables=tables,
        )
        if selection.kinds:
            files.write(draft / NOTE, msgspec.json.format(msgspec.json.encode(done), indent=1))
    return done


def _place(out: Path) -> Path:
    """Where to write; a link is to be replaced, not followed."""
    return Path(os.path.abspath(out))  # noqa: PTH100  As said.


def _kind(reading: Reading) -> Kind:
    return reading.archive.manifest.kind if reading.archive is not None else "session"


async def _archive(
    reading: Reading, draft: Path, kind: Kind, told: Callable[[float], None]
) -> list[Table]:
    with ArchiveWriter(draft, name=log_name(reading.path), kind=kind) as writer:
        async with closing(reading.turns()) as turns:
            async for sealed in turns:
                writer.append(sealed)
                told(1)
    found: dict[str, Table] = {}
    for span in Archive(draft).manifest.spans:
        for file in span.files:
            known = found.get(file.kind) or Table(kind=file.kind, rows=0, files=0, bytes=0)
            found[file.kind] = Table(
                kind=file.kind,
                rows=known.rows + file.rows,
                files=known.files + 1,
                bytes=known.bytes + file.bytes,
            )
    return list(found.values())


async def _tables(
    reading: Reading, draft: Path, selection: Selection, told: Callable[[float], None]
) -> list[Table]:
    lock = files.claim(draft)
    kinds: tuple[type[Body], ...] = (InstrumentDefined, *selection.kinds)
    writers = _Writers(draft, [tag_of(kind) for kind in kinds])
    try:
        turns = reading.order_turns() if selection.orders_only else reading.turns()
        async for builder in _spans(turns, told):
            writers.write(builder)
        return writers.close()
    finally:
        writers.abandon()
        os.close(lock)


async def _spans(
    turns: AsyncIterator[Sealed], told: Callable[[float], None]
) -> AsyncIterator[SpanBuilder]:
    """Turns in portions that fit in memory."""
    builder = SpanBuilder()
    async with closing(turns) as found:
        async for sealed in found:
            builder.add(sealed)
            told(1)
            if builder.events >= SPAN_EVENTS_MAX or builder.bytes >= SPAN_BYTES_MAX:
                yield builder
                builder = SpanBuilder()
    if builder.events:
        yield builder


class _Writers:
    """One Parquet file for each wanted kind that occurs."""

    def __init__(self, draft: Path, tags: list[str]) -> None:
        self._draft = draft
        self._tags = sorted(set(tags))
        self._rows: dict[str, int] = {}
        self._open: dict[str, pq.ParquetWriter] = {}

    def write(self, builder: SpanBuilder) -> None:
        """Add what is wanted of a portion."""
        tables = builder.tables()
        for tag in self._tags:
            table = tables.get(tag)
            if table is None:
                continue
            if tag not in self._open:
                self._open[tag] = pq.ParquetWriter(
                    self._path(tag),
                    table.schema,
                    compression="zstd",
                    compression_level=3,
                    **encodings(table),
                )
            self._open[tag].write_table(table)
            self._rows[tag] = self._rows.get(tag, 0) + table.num_rows

    def close(self) -> list[Table]:
        """Finish every file; what was written."""
        self.abandon()
        return [
            Table(kind=tag, rows=rows, files=1, bytes=self._path(tag).stat().st_size)
            for tag, rows in self._rows.items()
        ]

    def abandon(self) -> None:
        """Close every file; again is harmless."""
        for writer in self._open.values():
            writer.close()
        self._open.clear()

    def _path(self, tag: str) -> Path:
        return self._draft / f"{file_name(tag)}.parquet"
