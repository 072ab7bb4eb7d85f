"""A session or recording, opened to look at: the archive's turns, then the server's.

While a session runs, its own server is asked as a reader; otherwise the store is served for as long
as it is looked at, and only when the archive does not hold everything. Hashes and links are checked
wherever turns are read, across the joint too, and memory stays bounded. What is opened stands
still: it ends where the log ended at that moment.
"""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from mm.apps.sessions import DeskFiles, all_sessions, data_dir, find, is_archive
from mm.apps.wording import Instruments
from mm.errors import SessionError
from mm.events.codec import decode_event
from mm.events.instrument import InstrumentDefined
from mm.events.turn import records
from mm.events.units import Seq, TurnNumber
from mm.log import access
from mm.log.archive import SPAN_EVENTS_MAX, Archive
from mm.log.chain import START, Head, Sealed, unseal
from mm.log.columns import PLACE, Rows, to_ints
from mm.log.mark import remembered
from mm.log.server import observe
from mm.log.spans import SpanBuilder

if TYPE_CHECKING:
    import pyarrow as pa

    from mm.apps.serving import Served

T = TypeVar("T")
YIELD_TURNS: Final = 256
"""Archived turns between two looks at what else is to be done, such as Ctrl-C."""
DEFINITION: Final = b"instrument.defined"


class Reading:
    """The turns of a session or recording, from the first to where it stood when opened."""

    def __init__(
        self, path: Path, archive: Archive | None, served: Served | None, head: Head
    ) -> None:
        """Join an archive and what a server holds beyond it; see `opened`."""
        self.path = path
        self.archive = archive
        self.served = served
        self.head = head
        self.joint = archive.head if archive is not None else START

    @property
    def running(self) -> bool:
        """Whether a session may write to this log now; another's server does not tell."""
        return self.served is not None and (self.served.running or self.served.external)

    async def turns(
        self, first: TurnNumber = TurnNumber(1), last: TurnNumber | None = None
    ) -> AsyncIterator[Sealed]:
        """The turns from `first` to `last` (default: the end), hashes and links checked."""
        last = self.head.number if last is None else min(last, self.head.number)
        if self.archive is not None and first <= self.joint.number:
            async for sealed in attentive(self.archive.turns(TurnNumber(first - 1))):
                if sealed.turn.number > last:
                    return
                yield sealed
        if self.served is not None and last > self.joint.number:
            beyond = first > self.joint.number + 1
            reader = self.served.reader
            start = await reader.head_at(TurnNumber(first - 1)) if beyond else self.joint
            async with closing(reader.turns(start, last)) as rest:
                async for sealed in rest:
                    yield sealed

    async def tables(
        self, tags: AbstractSet[str], first: TurnNumber, last: TurnNumber
    ) -> AsyncIterator[Mapping[str, pa.Table]]:
        """The columns of some kinds of events, by spans that hold the turns from `first` to `last`.

        Files are checked, but not each turn's hash; what only a server holds is checked whole.
        """
        if self.archive is not None:
            for each in self.archive.manifest.spans:
                if each.first_turn <= last and first <= each.last_turn:
                    await asyncio.sleep(0)
                    files = [file for file in each.files if file.kind in tags]
                    yield {file.kind: self.archive.table(file) for file in files}
        first = max(first, TurnNumber(self.joint.number + 1))
        builder = SpanBuilder()
        async with closing(self.turns(first, last)) as turns:
            async for sealed in turns:
                builder.add(sealed)
                if builder.events >= SPAN_EVENTS_MAX:
                    yield builder.tables()
                    builder = SpanBuilder()
        if builder.events:
            yield builder.tables()

    async def order_turns(self) -> AsyncIterator[Sealed]:
        """Only the turns that touch orders or control; the market is not even read."""
        if self.archive is not None:
            async for sealed in attentive(self.archive.order_turns()):
                yield sealed
        if self.served is not None:
            async with closing(self.served.order_payloads(self.head)) as payloads:
                async for payload in payloads:
                    sealed = unseal(payload)
                    if sealed.turn.number > self.joint.number:
                        yield sealed

    async def turn_near(self, event: Seq) -> TurnNumber:
        """A turn at or shortly before the one that holds an event."""
        if self.archive is not None and event <= self.joint.events:
            spans = self.archive.manifest.spans
            return TurnNumber(next(each.first_turn for each in spans if event <= each.last_event))
        low, high = int(self.joint.number) + 1, int(self.head.number)
        while self.served is not None and low < high:
            middle = (low + high + 1) // 2
            sealed = await self.served.reader.turn(middle)
            if sealed is not None and sealed.turn.first <= event:
                low = middle
            else:
                high = middle - 1
        return TurnNumber(low)

    async def instruments(self) -> Instruments:
        """Every definition of an instrument, found without reading the market."""
        found = Instruments()
        for number, defined in _archived_definitions(self.archive):
            found.define(number, defined)
        if self.served is not None:
            async with closing(self.served.order_payloads(self.head)) as payloads:
                async for payload in payloads:
                    if DEFINITION in payload:
                        learn(found, unseal(payload))
        return found


@asynccontextmanager
async def closing(source: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close what is read when its reader leaves early, so that nothing stays open behind it."""
    try:
        yield source
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


def learn(instruments: Instruments, sealed: Sealed) -> None:
    """Take the definitions of a turn."""
    for record in records(sealed.turn):
        if isinstance(record.event, InstrumentDefined):
            instruments.define(record.number, record.event)


async def attentive(turns: Iterator[Sealed]) -> AsyncIterator[Sealed]:
    """Turns from files, with a pause now and then in which Ctrl-C is heard."""
    for count, sealed in enumerate(turns):
        if not count % YIELD_TURNS:
            await asyncio.sleep(0)
        yield sealed


def _archived_definitions(archive: Archive | None) -> Iterator[tuple[Seq, InstrumentDefined]]:
    for table in archive.tables(DEFINITION.decode()) if archive is not None else ():
        rows = Rows(table, where=str(archive.path) if archive is not None else "")
        numbers = to_ints(table[PLACE[0]]).tolist()
        for number, row in zip(numbers, rows.read(0, len(numbers)), strict=True):
            event = decode_event(msgspec.msgpack.encode(row))
            assert isinstance(event, InstrumentDefined), "the file says which kind it holds"
            yield Seq(number), event


def locate(name: str | None, given: Path | None = None) -> Path:
    """A session or recording by path or name; a desk of NATS_URL's server needs no directory.

    Raises `SessionError`, with the nearest names beside it.
    """
    try:
        return find(name, given)
    except SessionError as error:
        if name is None:
            raise
        if access.from_environment(os.environ) is not None:
            return data_dir(given) / name
        near = difflib.get_close_matches(name, [path.name for path in all_sessions(given)], n=3)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        raise SessionError(f"{error.what}{meant}", where=error.where, remedy=error.remedy) from None


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Reading]:
    """Open a session or recording to read it; raises `SessionError` where there is none."""
    archive = archive_of(path)
    if archive is not None and (is_archive(path) or _holds_all(archive, DeskFiles(path))):
        yield Reading(path, archive, None, archive.head)
        return
    from mm.apps.serving import serving  # noqa: PLC0415  An archive needs no server's client.

    async with serving(path) as served:
        head = archive.head if archive is not None else START
        if served.state.last_seq > head.number:
            head = await served.reader.head_at(TurnNumber(served.state.last_seq))
        yield Reading(path, archive, served, head)


def archive_of(path: Path) -> Archive | None:
    """The archive at a path, or that of the desk there."""
    for place in (path, DeskFiles(path).archive):
        if is_archive(place):
            return Archive(place)
    return None


def _holds_all(archive: Archive, files: DeskFiles) -> bool:
    """Whether nothing is on the log that is not in the archive."""
    if observe(files.store) is not None:
        return False
    if not files.store.is_dir():
        return access.from_environment(os.environ) is None
    mark = remembered(files.mark)
    return mark is not None and mark.hash == archive.head.hash
