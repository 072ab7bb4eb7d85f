"""The durable log: one stream for one desk, one message a turn, on JetStream.

A turn's place in the stream is its number, its message id is its hash, and its headers name the
turn before it, so that the server itself keeps the chain and the single writer. Nothing is trusted
for being there: at the start the stream is compared with its declaration, with the chain, with the
copy of the orders' turns and with the mark kept outside the server; `read` checks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from mm.errors import TailLost, WriterFenced
from mm.events.units import TurnNumber
from mm.log import streams as declared
from mm.log.chain import START, Head, Sealed, advance, follow, follow_orders, unseal
from mm.log.pages import PageLimits, api, span
from mm.log.recovery import copied
from mm.log.wire import Wire, attach
from mm.log.writer import AppendLimits, Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from mm.log.streams import Streams


class JetStreamLog:
    """One desk's log; `open` is the way to get one."""

    def __init__(self, wire: Wire, streams: Streams, writer: Writer, head: Head) -> None:
        """Go on from `head`; see `open`."""
        self._wire = wire
        self._streams = streams
        self._writer = writer
        self._head = head
        self._pages = PageLimits()

    @classmethod
    async def open(cls, nc: Client, streams: Streams, append: AppendLimits | None = None) -> Self:
        """Check the stream and stand at its end."""
        await declared.ensure(nc, streams)
        wire = await attach(nc)
        writer = Writer(wire, streams, append or AppendLimits())
        await writer.start()
        log = cls(wire, streams, writer, START)
        state = (await api(wire, f"STREAM.INFO.{streams.session.name}", {}))["state"]
        async for sealed in log._read(TurnNumber(0), state["last_seq"]):
            log._head = advance(log._head, sealed)
        return log

    @property
    def head(self) -> Head:
        """Where the log stands."""
        return self._head

    async def append(self, sealed: Sealed) -> None:
        """Store a turn that follows the head; repeating the last one changes nothing."""
        if sealed.hash == self._head.hash:
            return
        if sealed.turn.previous != self._head.hash:
            raise WriterFenced(
                f"turn {sealed.turn.number} does not follow turn {self._head.number}",
                where=self._streams.session.name,
                remedy="another writer holds this log: start again and recover from it",
            )
        await self._writer.store(sealed)
        self._head = advance(self._head, sealed)

    async def read(self, after: TurnNumber = TurnNumber(0)) -> AsyncIterator[Sealed]:
        """The turns after `after` up to the head, links checked."""
        async for sealed in self._read(after, self._head.number):
            yield sealed

    async def _read(self, after: TurnNumber, last: int) -> AsyncIterator[Sealed]:
        head = START
        where = self._streams.session.name
        async for page in span(self._wire, where, 1, last, self._pages):
            for stored in page:
                sealed = unseal(stored.payload)
                head = follow(head, sealed, where=f"{where}, sequence {stored.sequence}")
                if sealed.turn.number > after:
                    yield sealed
        if head.number < last:
            raise TailLost(f"the stream ends at turn {head.number} instead of {last}", where=where)

    async def read_orders(self) -> AsyncIterator[Sealed]:
        """Only the turns that touch orders or control, from the copy that is kept for ever."""
        head = START
        where = self._streams.orders.name
        last = await copied(self._wire, self._streams, self._head)
        async for page in span(self._wire, where, 1, last, self._pages):
            for stored in page:
                sealed = unseal(stored.payload)
                head = follow_orders(head, sealed, where=f"{where}, sequence {stored.sequence}")
                yield sealed

    async def close(self) -> None:
        """Let go of the log; the connection stays with its owner."""
        await self._writer.stop()
