"""The durable log: one stream for one desk, one message a turn, on JetStream.

A turn's place in the stream is its number, its message id is its hash, and its headers name the
turn before it, so that the server itself keeps the chain and the single writer. Nothing is trusted
for being there: `open` holds the stream against its declaration, the mark, the archive and the
chain, and every read checks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from mm.errors import ChainBroken, TailLost, WriterFenced
from mm.events.units import TurnNumber
from mm.log import streams as declared
from mm.log.chain import START, Head, Sealed, advance, follow
from mm.log.limits import AppendLimits
from mm.log.mark import Mark, remembered
from mm.log.pages import PageLimits
from mm.log.reader import Reader
from mm.log.recovery import Found, Known, inspect
from mm.log.tap import Tap
from mm.log.walk import REMEDY
from mm.log.wire import attach
from mm.log.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from nats.aio.client import Client

    from mm.log.streams import Streams


class LogOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the mark is kept, what else is known of the log, and its limits.

    `store` is the directory of an embedded server: one whose disk is full falls silent instead of
    saying so, hence we look ourselves.

    With `checked_by_read` the chain is not read at the start: the first `read` checks it, all of
    it, wherever that read begins; until one has come to its end the log refuses to be written, and
    then `on_whole` is told. `older` gives the turns from the first on that the stream no longer has
    (an archive's), so that `read` has them all.
    """

    mark: Path | None = None
    store: Path | None = None
    checked_by_read: bool = False
    on_whole: Callable[[], None] | None = None
    older: Callable[[], Iterator[Sealed]] | None = None
    archived: Head | None = None
    verified: Head | None = None
    append: AppendLimits = AppendLimits()
    pages: PageLimits = PageLimits()
    tap_market: bool = False


DEFAULTS: Final = LogOptions()


class JetStreamLog:
    """One desk's log, ready for its one writer; `open` is the way to get one."""

    def __init__(self, reader: Reader, writer: Writer, found: Found, options: LogOptions) -> None:
        """Go on from what was found; see `open`."""
        self.found = found
        self.tap: Tap | None = None
        self._reader = reader
        self._writer = writer
        self._head = found.head
        self._whole = not options.checked_by_read or found.base.number == found.head.number
        self._older = options.older
        self._on_whole = options.on_whole
        self._mark = Mark.open(options.mark) if options.mark else None
        self._syncing = asyncio.create_task(self._mark.keep_synced()) if self._mark else None

    @classmethod
    async def open(cls, nc: Client, streams: Streams, options: LogOptions = DEFAULTS) -> Self:
        """Create what is missing, check what is there, and stand at the end of it.

        Raises `StreamMismatch` where the server's streams differ from their declaration, a
        `LogDamaged` that names turn and sequence where turns are lost, missing or altered, and
        `LogUnavailable` when the server does not answer. Nothing is repaired.
        """
        known = Known(
            mark=remembered(options.mark) if options.mark else None,
            archived=options.archived,
            verified=options.verified,
        )
        wire = await attach(nc)
        reader = Reader(wire, streams, options.pages)
        if not await reader.exists():
            _require_unknown(known, reader.stream)
        await declared.ensure(nc, streams)
        found = await inspect(reader, known, chain=not options.checked_by_read)
        writer = Writer(wire, streams, options.append, options.store)
        await writer.start()
        log = cls(reader, writer, found, options)
        log.tap = Tap(wire, streams.desk, market=options.tap_market)
        log._remember()
        return log

    @property
    def head(self) -> Head:
        """Where the log stands."""
        return self._head

    def note(self, text: str) -> None:
        """Put another note, if it says anything, beside what was found."""
        if text:
            self.found = msgspec.structs.replace(self.found, notes=(*self.found.notes, text))

    async def append(self, sealed: Sealed) -> None:
        """Store a turn that follows the head; repeating the last one changes nothing.

        Raises `WriterFenced`, `LogUnavailable` (the turn may be stored: append the very same again,
        or open the log anew), or `LogFull`.
        """
        assert self._whole, "the log was not checked: read it to its end first"
        if sealed.hash == self._head.hash:
            self._remember()
            return
        stream = self._reader.stream
        if sealed.turn.previous != self._head.hash:
            raise WriterFenced(
                f"turn {sealed.turn.number} does not follow turn {self._head.number}",
                where=stream,
                remedy="another writer holds this log: start again and recover from it",
            )
        head = follow(self._head, sealed, where=stream)
        await self._writer.store(sealed)
        self._head = head
        self._remember()

    def read(self, after: TurnNumber = TurnNumber(0)) -> AsyncGenerator[Sealed, None]:
        """The turns after `after` up to the head, in order, hashes and links checked."""
        return self._read(after, self._head.number)

    async def _read(self, after: TurnNumber, last: TurnNumber) -> AsyncGenerator[Sealed, None]:
        if self._whole and after >= last:
            return
        start = START
        if after + 1 < self.found.first and self._older is not None:
            for sealed in self._older():
                if sealed.turn.number == self.found.first:
                    break
                start = advance(start, sealed)
                if sealed.turn.number > after:
                    yield sealed
        else:
            start = await self._start(min(after, last))
        walk = self._reader.walk(start)
        async for block in self._reader.blocks(walk, last):
            for sealed in block:
                yield sealed
        self._checked(walk.head)

    async def _start(self, after: TurnNumber) -> Head:
        """Where to read from; in an unchecked log, what comes before is checked on the way."""
        base = self.found.base
        if after == base.number:
            return base
        if self._whole or after < base.number:
            return await self._reader.head_at(after)
        return await self._reader.verify(base, after)

    def _checked(self, end: Head) -> None:
        """Everything was read: what is written from now on follows it."""
        if self._whole:
            return
        if (end.hash, end.orders_hash) != (self._head.hash, self._head.orders_hash):
            raise ChainBroken(
                f"the server told of another end than turn {end.number}, which was read",
                where=self._reader.stream,
                remedy=REMEDY,
            )
        self._whole = True
        self._remember()
        if self._on_whole is not None:
            self._on_whole()

    def read_orders(self) -> AsyncGenerator[Sealed, None]:
        """Only the turns that touch orders or control, from the copy, hashes and links checked."""
        return self._reader.orders(self._head)

    async def close(self) -> None:
        """Let go of the log; the connection stays with its owner."""
        await self._writer.stop()
        if self._mark is not None and self._syncing is not None:
            self._syncing.cancel()
            with suppress(asyncio.CancelledError):
                await self._syncing
            await self._mark.close()

    def _remember(self) -> None:
        if self._mark is not None and self._whole and self._head.number:
            self._mark.write(self._head)


def _require_unknown(known: Known, stream: str) -> None:
    """Never create anew a stream that is known to have held turns."""
    wanted = max((head.number for _, head in known.positions), default=0)
    if wanted:
        raise TailLost(
            f"the stream is not there, but turn {wanted} was acknowledged",
            where=stream,
            remedy="check that this is the right server and store; `mm log check` tells more",
        )
