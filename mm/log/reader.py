"""Reading a desk's log from JetStream: the session stream, and the copy of the orders' turns.

Everything read is checked against the chain on the way, so that a caller who has seen the last turn
knows that all of it is as it was acknowledged. A reader needs no right to write.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Final

import msgspec

from mm.errors import SequenceHole, TailLost
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
DECODED_TURNS_MAX: Final = 200
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
        verb, body = f"STREAM.MSG.GET.{self.stream}", {"seq": number}
        reply = await ask(self._wire.nc, verb, body, absent=NO_MESSAGE)
        if not reply:
            return None
        message = reply["message"]
        frame = b"", b64decode(message.get("hdrs", "")), b64decode(message.get("data", ""))
        return unaltered(frame, f"{self.stream}, sequence {number}")

    async def head_at(self, number: TurnNumber) -> Head:
        """Where the log stood after this turn; raises `SequenceHole` when it is not there."""
        if number == 0:
            return START
        sealed = await self.turn(number)
        if sealed is None:
            raise SequenceHole(
                f"turn {number} is not there",
                where=self.stream,
                remedy="read what was trimmed from the archive, or name an existing turn",
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
        return await self._copy_end()

    async def _copy_end(self) -> bytes:
        """The hash of the last turn in the copy."""
        reply = await ask(self._wire.nc, f"STREAM.INFO.{self.copy}", {})
        last = msgspec.convert(reply["state"], State).last_seq
        message = await direct(self._wire.nc, self.copy, {"seq": last}) if last else None
        return NO_HASH if message is None else digest_of(message)

    async def turns(self, after: Head, last: TurnNumber) -> AsyncGenerator[Sealed, None]:
        """The turns after a known head up to `last`, checked as `Log.read` demands."""
        walk = Walk(self.stream, self._orders_subject, after)
        async for page in span(self._wire, self.stream, after.number + 1, last, self._limits):
            for start in range(0, len(page), DECODED_TURNS_MAX):
                for sealed in walk.turns(page[start : start + DECODED_TURNS_MAX]):
                    yield sealed

    async def verify(self, after: Head, last: TurnNumber) -> Head:
        """Check hashes and links up to `last` without reading the events; returns the head there.

        Two to three times faster than `turns`, and raises the same errors.
        """
        walk = Walk(self.stream, self._orders_subject, after)
        async for page in span(self._wire, self.stream, after.number + 1, last, self._limits):
            walk.links(page)
        return walk.head

    async def orders(self, end: Head, patience: float) -> AsyncGenerator[Sealed, None]:
        """The turns that touched orders or control, from the copy, up to the one `end` names."""
        last = await self.copied(end, patience)
        head = START
        async for page in span(self._wire, self.copy, 1, last, self._limits):
            for frame in page:
                where = f"{self.copy}, sequence {sequence_of(frame)}"
                sealed = unaltered(frame, where)
                head = follow_orders(head, sealed, where=where)
                yield sealed
        assert head.orders_hash == end.orders_hash, "the copy changed while it was read"

    async def copied(self, end: Head, patience: float) -> int:
        """Wait until the copy ends as `end` says; its last sequence. Raises `TailLost`."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + patience
        while end.orders_hash != NO_HASH:
            reply = await ask(self._wire.nc, f"STREAM.INFO.{self.copy}", {})
            state = msgspec.convert(reply["state"], State)
            message = await direct(self._wire.nc, self.copy, {"seq": state.last_seq or 1})
            if message is not None and digest_of(message) == end.orders_hash:
                return state.last_seq
            if clock() > deadline:
                raise TailLost(
                    f"the copy of the turns that touch orders does not end as the log does, "
                    f"{patience:g} s after it should",
                    where=self.copy,
                    remedy=REMEDY,
                )
            await asyncio.sleep(POLL_SECONDS)
        return 0
