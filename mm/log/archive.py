"""The archive: closed spans of a log as lossless Parquet columns, and what a recording is.

A directory holds `manifest.json` and `day=YYYY-MM-DD/<span>-<kind>.parquet`, one file for each kind
of event in a span and one for its turns. Files are written under a draft name, synced and renamed,
the manifest last: a crash at any moment leaves the archive as it was at the last `flush`. Readers
check each file against the manifest and each turn against its hash, in bounded memory. The log of a
session and a recording of market data have the same form.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from mm.errors import ConfigError, LogDamaged, MmError, WriterFenced
from mm.events.codec import digest_of
from mm.events.units import TurnNumber
from mm.log import files
from mm.log import manifest as manifests
from mm.log.chain import START, Head, Sealed, follow, follow_orders
from mm.log.columns import TURNS, encodings, file_name
from mm.log.manifest import File, Kind, Manifest, Span, Stand
from mm.log.spans import REMEDY, SpanBuilder, SpanReader

SPAN_EVENTS_MAX: Final = 200_000
SPAN_BYTES_MAX: Final = 16 * 1024 * 1024
THREADS_FROM: Final = 1024 * 1024
"""Smaller files are read by one thread: a process that ends while another starts is aborted."""
DAY: Final = 86_400 * 10**9


def is_archive(path: Path) -> bool:
    """Whether `path` is the directory of an archive."""
    return (path / manifests.NAME).is_file()


class Archive:
    """An archive as it stood when it was opened; spans added later are not seen."""

    def __init__(self, path: Path | str) -> None:
        """Read the manifest; raises `SessionError` where there is none, or `LogDamaged`."""
        self.path = Path(path)
        self.manifest = manifests.load(self.path)

    @property
    def head(self) -> Head:
        """Where the log stands after the last span."""
        return self.manifest.head.head

    def turns(self, after: TurnNumber = TurnNumber(0)) -> Iterator[Sealed]:
        """The turns after `after`, in order, hashes and links checked.

        Raises `LogDamaged`, `SequenceHole` or `ChainBroken`, naming file and turn.
        """
        head = START
        for span in self.manifest.spans:
            if span.last_turn <= after:
                head = self._joined(head, span)
                continue
            reader = self._reader(span)
            if reader.end(head) != span.head.head:
                raise self._wrong_end(span)
            for sealed in reader.turns(head, after):
                if sealed.turn.number > after:
                    yield sealed
            head = span.head.head

    def order_turns(self) -> Iterator[Sealed]:
        """Only the turns that touch orders or control, in order, hashes and links checked."""
        head = orders = START
        for span in self.manifest.spans:
            where = self._where(span)
            for sealed in self._reader(span).order_turns(head):
                orders = follow_orders(orders, sealed, where=where)
                yield sealed
            head = self._joined(head, span)
            if orders.orders_hash != head.orders_hash:
                raise self._wrong_end(span)

    def tables(self, tag: str) -> Iterator[pa.Table]:
        """The columns of one kind of event (or `turns`), span by span, files checked."""
        for span in self.manifest.spans:
            for file in span.files:
                if file.kind == tag:
                    yield self.table(file)

    def table(self, file: File) -> pa.Table:
        """The columns of one file of the manifest; raises `LogDamaged` where it differs."""
        try:
            threads = file.bytes > THREADS_FROM
            table = pq.ParquetFile(pa.BufferReader(self._content(file))).read(use_threads=threads)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(file, f"cannot be read: {error}") from error
        if table.num_rows != file.rows:
            raise self._damaged(file, f"has {table.num_rows} rows instead of {file.rows}")
        return table

    def files(self, tag: str) -> list[Path]:
        """The files of one kind of event (or `turns`), in order."""
        return [
            self.path / file.path
            for span in self.manifest.spans
            for file in span.files
            if file.kind == tag
        ]

    def check_files(self) -> None:
        """Compare every file with its checksum; raises `LogDamaged` naming the first that differs.

        This finds damage without decoding a turn; `turns` also proves the contents.
        """
        for span in self.manifest.spans:
            for file in span.files:
                self._content(file)

    def _reader(self, span: Span) -> SpanReader:
        tables = {file.kind: self.table(file) for file in span.files}
        if TURNS not in tables:
            raise LogDamaged("the span has no turns", where=self._where(span), remedy=REMEDY)
        return SpanReader(tables, where=self._where(span))

    def _content(self, file: File) -> bytes:
        try:
            content = (self.path / file.path).read_bytes()
        except OSError as error:
            raise self._damaged(file, f"cannot be read: {error.strerror}") from error
        if len(content) != file.bytes:
            raise self._damaged(file, f"has {len(content)} bytes instead of {file.bytes}")
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise self._damaged(file, "is not what was written")
        return content

    def _damaged(self, file: File, what: str) -> LogDamaged:
        return LogDamaged(
            f"{file.path} {what}",
            where=f"{self.path / file.path}, {self._turns_of(file)}",
            remedy=REMEDY,
        )

    def _turns_of(self, file: File) -> str:
        span = next(span for span in self.manifest.spans if file in span.files)
        return f"turns {span.first_turn} to {span.last_turn}"

    def _where(self, span: Span) -> str:
        return str(self.path / f"day={span.day}" / f"{span.number:06}-{TURNS}.parquet")

    def _joined(self, head: Head, span: Span) -> Head:
        """Step over a span unread; its neighbours still have to fit."""
        if span.first_turn != head.number + 1:
            raise self._wrong_end(span)
        return span.head.head

    def _wrong_end(self, span: Span) -> LogDamaged:
        return LogDamaged(
            f"span {span.number} (turns {span.first_turn} to {span.last_turn}) "
            "does not end where the manifest says",
            where=self._where(span),
            remedy=REMEDY,
        )


class ArchiveWriter:
    """The one writer of an archive; a directory that holds one already is continued.

    Turns are buffered: durable after `flush` and `close`, and whenever a span is full or a UTC day
    ends. Used in a `with` statement it closes itself, but gives up what is buffered on an error.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        name: str = "",
        kind: Kind = "session",
        span_events_max: int = SPAN_EVENTS_MAX,
    ) -> None:
        """Open or create; raises `StoreLocked` where another writer is, `ConfigError`."""
        self.path = Path(path)
        self._where = str(path)
        self._span_events_max = span_events_max
        self._lock = files.claim(self.path)
        try:
            self.manifest = _opened(self.path, name, kind)
        except MmError:
            os.close(self._lock)
            raise
        self._head = self.manifest.head.head
        self._first: Sealed | None = None
        self._last: Sealed | None = None
        self._builder = SpanBuilder()

    @property
    def head(self) -> Head:
        """Where the log stands, buffered turns included."""
        return self._head

    def append(self, sealed: Sealed) -> None:
        """Take a turn that follows the head; a repeated append of the last changes nothing.

        Raises `WriterFenced` where the turn follows another one, and `LogFull` or `LogUnavailable`
        where a full span cannot be written.
        """
        assert self._lock >= 0, "the archive is closed"
        if sealed.hash == self._head.hash:
            return
        if sealed.turn.previous != self._head.hash:
            raise WriterFenced(
                f"turn {sealed.turn.number} does not follow turn {self._head.number}",
                where=self._where,
                remedy="another writer holds this log: start again and recover from it",
            )
        assert digest_of(sealed.payload) == sealed.hash, f"turn {sealed.turn.number} is mis-sealed"
        head = follow(self._head, sealed, where=self._where)
        if self._first and sealed.turn.at // DAY != self._first.turn.at // DAY:
            self.flush()
        self._first = self._first or sealed
        self._last = sealed
        self._builder.add(sealed)
        self._head = head
        if self._builder.events >= self._span_events_max or self._builder.bytes >= SPAN_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered as a span of its own; durable when this returns."""
        if self._first is None or self._last is None:
            return
        span = self._span(self._first, self._last)
        manifest = self.manifest.extended(span)
        manifests.save(self.path, manifest)
        self.manifest = manifest
        self._first = self._last = None
        self._builder = SpanBuilder()

    def close(self) -> None:
        """Write what is buffered, and let go."""
        try:
            self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go without what is buffered; closing twice is harmless."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1
        self._first = self._last = None

    def __enter__(self) -> Self:
        """Nothing to do: the writer is open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close after success, abandon after an error."""
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _span(self, first: Sealed, last: Sealed) -> Span:
        number = len(self.manifest.spans) + 1
        day = _day(first.turn.at)
        written = [
            self._write(f"day={day}/{number:06}-{file_name(tag)}.parquet", tag, table)
            for tag, table in self._builder.tables().items()
        ]
        return Span(
            number=number,
            day=day,
            first_turn=first.turn.number,
            last_turn=last.turn.number,
            first_event=first.turn.first,
            last_event=last.turn.first + last.turn.size - 1,
            first_time=first.turn.at,
            last_time=last.turn.at,
            head=Stand.of(self._head),
            files=tuple(written),
        )

    def _write(self, path: str, tag: str, table: pa.Table) -> File:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", compression_level=3, **encodings(table))
        content = sink.getvalue().to_pybytes()
        files.write(self.path / path, content)
        return File(
            kind=tag,
            path=path,
            rows=table.num_rows,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )


def _day(at: int) -> str:
    return datetime.fromtimestamp(at // 10**9, UTC).date().isoformat()


def _opened(path: Path, name: str, kind: Kind) -> Manifest:
    if is_archive(path):
        found = manifests.load(path)
        _sweep(path, found)
        if found.kind == kind and name in ("", found.name):
            return found
        raise ConfigError(
            f"this is the {found.kind} {found.name}, not the {kind} {name}",
            where=str(path),
            remedy="name another directory, or write on under the archive's own name and kind",
        )
    foreign = [entry.name for entry in path.iterdir() if entry.name != _FIRST_DRAFT]
    if foreign:
        raise ConfigError(
            f"the directory is no archive and holds other files, such as {min(foreign)}",
            where=str(path),
            remedy="name a new directory, or restore the manifest if this was an archive",
        )
    manifest = Manifest(name=name or path.resolve().name, kind=kind)
    manifests.save(path, manifest)
    return manifest


_FIRST_DRAFT: Final = manifests.NAME + files.DRAFT


def _sweep(path: Path, manifest: Manifest) -> None:
    """Remove what a crashed writer left: drafts, and files of a span it never finished."""
    for file in path.glob(f"*{files.DRAFT}"):
        file.unlink()
    named = {path / file.path for span in manifest.spans for file in span.files}
    for file in path.glob("day=*/[0-9]*-*.parquet*"):
        if file not in named:
            file.unlink()
