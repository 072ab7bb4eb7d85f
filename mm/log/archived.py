"""An archive behind the `Log` protocol: for tools that write a log and need no server.

It differs from the durable log in one point: `append` only buffers. A turn is durable once `flush`,
`close` or a read has returned, or its span is full; nothing that acts on an acknowledgement may use
this log. Reading opens the archive as it then stands.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Self

from mm.events.units import TurnNumber
from mm.log.archive import Archive, ArchiveWriter
from mm.log.chain import Head, Sealed
from mm.log.manifest import Kind


class ArchivedLog:
    """A log in a directory of Parquet files; one writer at a time."""

    def __init__(self, writer: ArchiveWriter) -> None:
        """Write through an open writer, which is ours to close."""
        self._writer = writer

    @classmethod
    def open(cls, path: Path | str, *, name: str = "", kind: Kind = "session") -> Self:
        """Open or create; raises `StoreLocked` where another writer is, `ConfigError`."""
        return cls(ArchiveWriter(path, name=name, kind=kind))

    @property
    def head(self) -> Head:
        """Where the log stands, buffered turns included."""
        return self._writer.head

    async def append(self, sealed: Sealed) -> None:
        """Buffer a turn that follows the head; see `ArchiveWriter.append`."""
        self._writer.append(sealed)

    async def flush(self) -> None:
        """Make every turn durable; returns once it is."""
        self._writer.flush()

    async def read(self, after: TurnNumber = TurnNumber(0)) -> AsyncGenerator[Sealed, None]:
        """The turns after `after`, once they are durable."""
        self._writer.flush()
        for sealed in Archive(self._writer.path).turns(after):
            yield sealed

    async def read_orders(self) -> AsyncGenerator[Sealed, None]:
        """Only the turns that touch orders or control, once they are durable."""
        self._writer.flush()
        for sealed in Archive(self._writer.path).order_turns():
            yield sealed

    async def close(self) -> None:
        """Make every turn durable, and let go."""
        self._writer.close()
