"""The whole check of a log: every turn, wherever it is kept, against every other place it is kept.

One pass holds the stream, the copy of the turns that touch orders, and the archive side by side, so
that memory stays bounded; the mark, which remembers what a server may have forgotten, comes last.
Nothing is repaired. What is wrong is one typed error that names turn and sequence, and says how far
the log is whole and what the archive still holds. Only a snapshot that is not the state of a full
fold is deleted: it is a cache, and the log is whole without it.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from mm.apps.reading import archive_of, attentive, closing
from mm.apps.sessions import DeskFiles, is_archive
from mm.errors import ChainBroken, LogDamaged, SequenceHole, SessionError, TailLost
from mm.events.units import TurnNumber
from mm.log import access, kept
from mm.log.archive import Archive
from mm.log.chain import START, Head, Sealed, advance
from mm.log.mark import remembered
from mm.log.walk import ID, sequence_of

if TYPE_CHECKING:
    from mm.apps.serving import Served
    from mm.apps.snapshot_check import SnapshotCheck
    from mm.log.wire import Frame

Verdict = Literal["agrees", "differs", "torn", "other code", "another log"]
"""`differs`: it was deleted; after that, why no start would use it."""


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked of an archive."""

    turns: int
    files: int
    bytes: int


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What came of holding a snapshot against a full fold, and after which turn it was taken."""

    turn: int | None
    verdict: Verdict


class Inspected(msgspec.Struct, frozen=True, kw_only=True):
    """A log that is whole, and what was compared to know it; None where a place is not there."""

    name: str
    running: bool
    turns: int
    events: int
    bytes: int
    head: str
    stream_turns: int | None
    copy_turns: int | None
    archive: Files | None
    mark: int | None
    snapshot: Compared | None
    seconds: float
    events_per_second: float
    bytes_per_second: float


class Inspection:
    """One check of one session or recording; `run` does it."""

    def __init__(self, path: Path) -> None:
        """Open what needs no server; raises `LogDamaged` for a manifest or mark."""
        files = DeskFiles(path)
        self._path = path
        self._told: Callable[[float], None] = lambda _turns: None
        self._mark = None if is_archive(path) else remembered(files.mark)
        self._archive = archive_of(path)
        self._away = not files.store.is_dir() and access.from_environment(os.environ) is not None
        kept = files.store.is_dir() or self._away or self._archive is None
        self._has_stream = kept and not is_archive(path)
        self._snapshot = _snapshot_check(files)
        self._archived = self._from_archive()
        self._head = START
        self._bytes = self._stream_turns = self._copy_turns = 0
        self._running = False

    @property
    def expected(self) -> int:
        """How many turns there should be, as far as that is known without a server."""
        known = (self._mark, self._ending())
        return max((head.number for head in known if head is not None), default=0)

    def watch(self, told: Callable[[float], None]) -> None:
        """Have `told` hear of every turn that was checked."""
        self._told = told

    async def run(self) -> Inspected:
        """Check everything; raises a `LogDamaged` that names what is wrong."""
        began = time.monotonic()
        try:
            await (self._with_stream() if self._has_stream else self._alone())
            self._compare_ends()
        except LogDamaged as error:
            raise type(error)(error.what, where=error.where, remedy=self._remedy()) from error
        return self._result(time.monotonic() - began)

    async def _alone(self) -> None:
        async for sealed in self._archived:
            self._take(sealed)

    async def _with_stream(self) -> None:
        from mm.apps.serving import serving  # noqa: PLC0415  An archive needs no server's client.

        try:
            async with serving(self._path) as served, closing(self._archived):
                self._running = served.running
                await self._side_by_side(served)
        except SessionError as error:
            self._compare_ends()  # What was never there is another matter.
            raise error from None

    async def _side_by_side(self, served: Served) -> None:
        async with (
            closing(self._turns(served)) as turns,
            closing(served.copied()) as copy,
        ):
            async for sealed in turns:
                if sealed.turn.previous_orders:
                    await self._compare_copy(sealed, copy, served.reader.copy)

    async def _turns(self, served: Served) -> AsyncIterator[Sealed]:
        """Every turn of the stream, and before it what only the archive holds any more."""
        stream, state = served.reader.stream, served.state
        archived = self._ending() or START
        if archived.number + 1 < state.first_seq:
            raise SequenceHole(
                f"turns {archived.number + 1} to {state.first_seq - 1} are missing",
                where=f"{stream}, before sequence {state.first_seq}",
            )
        while self._head.number + 1 < state.first_seq:
            sealed = await anext(self._archived)
            self._take(sealed)
            yield sealed
        async with closing(served.reader.turns(self._head, TurnNumber(state.last_seq))) as turns:
            async for sealed in turns:
                await self._compare_archive(sealed, stream)
                self._stream_turns += 1
                self._take(sealed)
                yield sealed

    async def _from_archive(self) -> AsyncIterator[Sealed]:
        if self._archive is not None:
            async for sealed in attentive(self._archive.turns()):
                yield sealed

    def _take(self, sealed: Sealed) -> None:
        number = sealed.turn.number
        self._head = advance(self._head, sealed)
        self._bytes += len(sealed.payload)
        self._told(1)
        if self._snapshot is not None:
            self._snapshot.take(sealed)
        if self._mark is not None and self._mark.number == number:
            _same(self._mark.hash, sealed, "the mark", str(DeskFiles(self._path).mark))

    async def _compare_archive(self, sealed: Sealed, stream: str) -> None:
        twin = await anext(self._archived, None)
        if twin is not None:
            where = f"{stream}, sequence {sealed.turn.number}; {self._path}"
            _same(twin.hash, sealed, "the archive", where)

    async def _compare_copy(self, sealed: Sealed, copy: AsyncIterator[Frame], name: str) -> None:
        what = f"turn {sealed.turn.number}, which the stream holds"
        try:
            frame = await anext(copy)
        except TailLost as error:
            raise TailLost(
                f"the copy of the orders' turns lacks {what}", where=error.where
            ) from error
        if frame[2] != sealed.payload or frame[1][ID] != sealed.id.encode():
            raise ChainBroken(
                f"the copy of the orders' turns has something else in the place of {what}",
                where=f"{name}, sequence {sequence_of(frame)}",
            )
        self._copy_turns += 1

    def _compare_ends(self) -> None:
        """Nothing that is known from outside may be beyond the end."""
        for name, head in (("mark", self._mark), ("archive", self._ending())):
            if head is not None and head.number > self._head.number:
                raise TailLost(
                    f"turns {self._head.number + 1} to {head.number} are lost: the {name} knows "
                    f"turn {head.number}, the log ends with turn {self._head.number}",
                    where=f"{self._path}, after sequence {self._head.number}",
                )

    def _ending(self) -> Head | None:
        return self._archive.head if self._archive is not None else None

    def _remedy(self) -> str:
        whole = f"turns 1 to {self._head.number} are whole" if self._head.number else ""
        archived = self._ending()
        held = f"the archive holds turns 1 to {archived.number}" if archived is not None else ""
        if not self._has_stream:
            held = "restore the file from a copy of it, or import, record or export it again"
        asked = "check that NATS_URL names the server that has this log" if self._away else ""
        copy = kept.place(DeskFiles(self._path).store)
        found = f"the store as it was found is kept in {copy}" if copy.exists() else ""
        return "; ".join(filter(None, ("do not trade on this log", whole, held, found, asked)))

    def _result(self, seconds: float) -> Inspected:
        spent = max(seconds, 1e-9)
        return Inspected(
            name=str(self._path),
            running=self._running,
            turns=self._head.number,
            events=self._head.events,
            bytes=self._bytes,
            head=self._head.hash.hex(),
            stream_turns=self._stream_turns if self._has_stream else None,
            copy_turns=self._copy_turns if self._has_stream else None,
            archive=_files(self._archive) if self._archive is not None else None,
            mark=self._mark.number if self._mark is not None else None,
            snapshot=self._snapshot.result() if self._snapshot is not None else None,
            seconds=seconds,
            events_per_second=self._head.events / spent,
            bytes_per_second=self._bytes / spent,
        )


def _snapshot_check(files: DeskFiles) -> SnapshotCheck | None:
    if not files.snapshot.is_file():
        return None
    from mm.apps.snapshot_check import SnapshotCheck  # noqa: PLC0415  Only a snapshot needs folds.

    return SnapshotCheck(files.snapshot)


def _same(known: bytes, sealed: Sealed, who: str, where: str) -> None:
    if known != sealed.hash:
        raise ChainBroken(
            f"turn {sealed.turn.number} is {sealed.id[:16]}, but {who} knows {known.hex()[:16]}",
            where=where,
        )


def _files(archive: Archive) -> Files:
    files = [file for each in archive.manifest.spans for file in each.files]
    return Files(
        turns=archive.head.number, files=len(files), bytes=sum(file.bytes for file in files)
    )
