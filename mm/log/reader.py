"""Reading a desk's log from JetStream: the session stream, and the copy of the orders' turns.

Everything read is checked against the chain on the way, so that a caller who has seen the last turn
knows that all of it is as it was acknowledged. A reader needs no right to write.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Final

import msgspec

from mm.errors import ChainBroken, SequenceHole, TailLost
from mm.events.codec import digest_of
from mm.events.turn import NO_HASH
from mm.events.units import TurnNumber
from mm.log.chain import START, Head, Sealed, advance, follow_orders, unseal
from mm.log.pages import PageLimits, span
from mm.log.walk import REMEDY, Walk, sequence_of, unaltered
from mm.log.wire import NO_MESSAGE, ask, direct

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mm.log.streams import Streams
    from mm.log.wire import Wire

DEFAULTS: Final = PageLimits()
CHECKED_TURNS_MAX: Final = 200  # As many as a processor's cache holds, decoded.
NO_STREAM: Final = 10059
POLL_SECONDS: Final = 0.005


class State(msgspec.Struct, frozen=True):
    """What the server says a stream holds: turn numbers, since they are its sequences."""

    messages: int
    first_seq: int
    last_seq: int


class Reader:
    """Reads one desk's log; it never writes."""

    def __init__(self, wire: Wire, streams: Streams, limits: PageLimits = DEFAULTS) -> None:
        """Read over `wire`."""
        self._wire = wire
        self._limits = limits
        self._orders_subject = streams.orders_subject
        self.stream = streams.session.name
        self.copy = streams.orders.name

    async def exists(self) -> bool:
        """Whether the server has this log at all."""
        return bool(await ask(self._wire.nc, f"STREAM.INFO.{self.stream}", {}, absent=NO_STREAM))

    async def state(self) -> State:
        """What the server says the session stream holds; raises `LogUnavailable`."""
        reply = await ask(self._wire.nc, f"STREAM.INFO.{self.stream}", {})
        return msgspec.convert(reply["state"], State)

    async def turn(self, number: int) -> Sealed | None:
        """One turn, its bytes checked but not its links; None when it is not there."""
        return await self._stored(self.stream, number)

    async def _stored(self, stream: str, sequence: int) -> Sealed | None:
        verb, body = f"STREAM.MSG.GET.{stream}", {"seq": sequence}
        reply = await ask(self._wire.nc, verb, body, absent=NO_MESSAGE)
        if not reply:
            return None
        message = reply["message"]
        frame = b"", b64decode(message.get("hdrs", "")), b64decode(message.get("data", ""))
        return unaltered(frame, f"{stream}, sequence {sequence}")

    async def head_at(self, number: TurnNumber) -> Head:
        """Where the log stood after this turn; raises `SequenceHole` when it is not there."""
        if number == 0:
            return START
        sealed = await self.turn(number)
        if sealed is None:
            raise SequenceHole(
                f"turn {number} is not there",
                where=self.stream,
                remedy="read it from the archive, or name an existing turn",
            )
        head = advance(START, sealed)
        if sealed.turn.previous_orders:
            return head
        return msgspec.structs.replace(head, orders_hash=await self._orders_hash_at(number))

    async def _orders_hash_at(self, number: TurnNumber) -> bytes:
        """The hash of the last turn up to this one that touched orders.

        If that one was trimmed, the next of its kind names it; without a next one it ends the copy.
        """
        nc, subject = self._wire.nc, self._orders_subject
        before = {"multi_last": [subject], "up_to_seq": number}
        message = await direct(nc, self.stream, before)
        if message is not None:
            return digest_of(message)
        message = await direct(nc, self.stream, {"seq": number + 1, "next_by_subj": subject})
        if message is not None:
            return unseal(message).turn.previous_orders
        sealed = await self.copy_end()
        return NO_HASH if sealed is None else sealed.hash

    async def turns(self, after: Head, last: TurnNumber) -> AsyncGenerator[Sealed, None]:
        """The turns after a known head up to `last`, checked as `Log.read` demands."""
        async for block in self.blocks(self.walk(after), last):
            for sealed in block:
                yield sealed

    def walk(self, after: Head) -> Walk:
        """A walk over the stream that begins after a known head."""
        return Walk(self.stream, self._orders_subject, after)

    async def blocks(self, walk: Walk, last: TurnNumber) -> AsyncGenerator[list[Sealed], None]:
        """The same, some at a time; `walk` stands where the last one ended."""
        first = walk.head.number + 1
        async for page in span(self._wire, self.stream, first, last, self._limits):
            for start in range(0, len(page), CHECKED_TURNS_MAX):
                yield walk.turns(page[start : start + CHECKED_TURNS_MAX])

    async def verify(self, after: Head, last: TurnNumber) -> Head:
        """Check hashes and links up to `last` without reading the events; returns the head there.

        Two to three times faster than `turns`, and raises the same errors.
        """
        walk = self.walk(after)
        async for page in span(self._wire, self.stream, after.number + 1, last, self._limits):
            for start in range(0, len(page), CHECKED_TURNS_MAX):
                walk.links(page[start : start + CHECKED_TURNS_MAX])
        return walk.head

    async def orders(self, end: Head) -> AsyncGenerator[Sealed, None]:
        """The turns that touched orders or control, up to the one that `end` names.

        They come from the copy. What the server has not copied yet, as for ten seconds or so after
        a crash, comes from the log itself.
        """
        head = START
        last = await self._copy_last() if end.orders_hash != NO_HASH else 0
        async for page in span(self._wire, self.copy, 1, last, self._limits):
            for frame in page:
                if head.orders_hash == end.orders_hash:
                    return
                where = f"{self.copy}, sequence {sequence_of(frame)}"
                sealed = unaltered(frame, where)
                head = follow_orders(head, sealed, where=where)
                yield sealed
        async for sealed in self._not_copied(head, end):
            yield sealed

    async def _not_copied(self, copied: Head, end: Head) -> AsyncGenerator[Sealed, None]:
        """The turns that touched orders after the last one in the copy, which the log must hold."""
        if copied.orders_hash == end.orders_hash:
            return
        after = await self.head_at(copied.number)
        if after.hash != copied.hash:
            raise ChainBroken(
                f"the copy ends with a turn {copied.number} that is not in the log",
                where=self.copy,
                remedy=REMEDY,
            )
        async for sealed in self.turns(after, end.number):
            if sealed.turn.previous_orders:
                yield sealed

    async def copy_end(self) -> Sealed | None:
        """The last turn in the copy, its bytes checked; None when it is empty."""
        last = await self._copy_last()
        return await self._stored(self.copy, last) if last else None

    async def _copy_last(self) -> int:
        reply = await ask(self._wire.nc, f"STREAM.INFO.{self.copy}", {})
        return msgspec.convert(reply["state"], State).last_seq

    async def copied(self, end: Head, patience: float) -> None:
        """Wait until the copy ends as the log does; raises `TailLost` after `patience` seconds."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + patience
        while end.orders_hash != NO_HASH:
            sealed = await self.copy_end()
            if sealed is not None and sealed.hash == end.orders_hash:
                return
            if clock() > deadline:
                raise TailLost(
                    "the copy of the turns that touch orders does not end as the log does, "
                    f"{patience:g} s after it should",
                    where=self.copy,
                    remedy=REMEDY,
                )
            await asyncio.sleep(POLL_SECONDS)
