"""One turn into the stream: sent, acknowledged, and nothing in between unknown.

A turn's message id is its hash and it names its predecessor's, so the server itself refuses a turn
that does not follow, and drops one it already has. A lost acknowledgement is therefore answered by
sending the very same message again: "stored before" and "stored now" are the same to us, and the
server's last id tells the rest. Anyone else who has written, if only once, fences this writer.
"""

from __future__ import annotations

import asyncio
import shutil
from base64 import b64decode
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from mm.errors import LogError, LogFull, LogUnavailable, StreamMismatch, TailLost, WriterFenced
from mm.log.wire import NO_MESSAGE, NO_RESPONDERS, ask, nothing

if TYPE_CHECKING:
    from pathlib import Path

    from mm.log.chain import Sealed
    from mm.log.limits import AppendLimits
    from mm.log.streams import Streams
    from mm.log.wire import Close, Frame, Wire

RETRY_SECONDS: Final = 0.02
STORED_REMEMBERED_MAX: Final = 10_000
WRONG_LAST_ID: Final = 10070
WRONG_LAST_SEQUENCE: Final = 10071
WRONG_STREAM: Final = 10060
STORE_FAILED: Final = 10077
UNAVAILABLE: Final = 503
OUT_OF_ROOM: Final = frozenset({10023, 10028, 10047, 10122})


class Refusal(msgspec.Struct, frozen=True):
    """Why a message was not stored; without a code the reason is ours, not the server's."""

    code: int = 0
    err_code: int = 0
    description: str = ""

    @property
    def full(self) -> bool:
        """Whether there is no room for it."""
        text = self.description
        failed = self.err_code == STORE_FAILED and ("exceeded" in text or "space" in text)
        return failed or self.err_code in OUT_OF_ROOM

    @property
    def passing(self) -> bool:
        """Whether the next attempt may fare better."""
        return self.err_code == 0 or (self.code == UNAVAILABLE and not self.full)


class Ack(msgspec.Struct, frozen=True):
    """The server's answer: where it stored the message, or why it did not."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: Refusal | None = None


_acks: Final = msgspec.json.Decoder(Ack)
LOST: Final = Ack(error=Refusal(description="the connection was lost before the acknowledgement"))
SILENT: Final = Ack(error=Refusal(description="the server did not acknowledge in time"))
NOBODY: Final = Ack(error=Refusal(description="no stream listens: is JetStream up?"))
STUCK: Final = Ack(error=Refusal(description="the server takes nothing more"))
AWAY: Final = Ack(error=Refusal(description="the connection is down"))


class Writer:
    """Sends one turn at a time and waits for its acknowledgement."""

    def __init__(
        self, wire: Wire, streams: Streams, limits: AppendLimits, store: Path | None = None
    ) -> None:
        """Use a connection and the declared streams; `start` opens the inbox."""
        self._store = store
        self._wire = wire
        self._limits = limits
        self._stream = streams.session.name
        self._subjects = streams.market_subject.encode(), streams.orders_subject.encode()
        self._loop = asyncio.get_running_loop()
        self._inbox = b""
        self._token = b""
        self._doubted = ""
        self._stored: deque[str] = deque(maxlen=STORED_REMEMBERED_MAX)
        self._ack: asyncio.Future[Ack] | None = None
        self._close_inbox: Close = nothing
        self._forget_loss = wire.on_loss(self._lost)

    async def start(self) -> None:
        """Open the inbox that the acknowledgements come to."""
        self._inbox, self._close_inbox = await self._wire.listen(self._heard)

    async def stop(self) -> None:
        """Close the inbox."""
        self._forget_loss()
        await self._close_inbox()

    async def store(self, sealed: Sealed) -> None:
        """Return once the turn is acknowledged at the sequence that is its number."""
        assert self._ack is None, "one append at a time: the next turn names this one's hash"
        self._token = self._wire.token()
        stored = False
        try:
            stored = await self._until_settled(sealed)
            self._stored.append(sealed.id)
        finally:
            if not stored:  # Also when we were cancelled.
                self._doubted = sealed.id

    async def _until_settled(self, sealed: Sealed) -> bool:
        deadline = self._loop.time() + self._limits.append_seconds_max
        reason = AWAY
        while (left := deadline - self._loop.time()) > 0:
            if not await self._wire.connection_within(left):
                reason = AWAY
                break
            reason = await self._attempt(sealed, min(left, self._limits.ack_seconds_max))
            if await self._settled(sealed, reason):
                return True
            if reason is not LOST and reason is not SILENT:
                await asyncio.sleep(min(left, RETRY_SECONDS))
        raise self._unavailable(sealed, reason)

    async def _attempt(self, sealed: Sealed, seconds: float) -> Ack:
        """Send the turn once and wait for an answer."""
        subject = self._subjects[bool(sealed.turn.previous_orders)]
        answer: asyncio.Future[Ack] = self._loop.create_future()
        self._ack = answer
        timer = self._loop.call_later(seconds, self._answer, SILENT)
        try:
            if not self._wire.send(
                subject, self._inbox + self._token, sealed.payload, headers_of(sealed, self._stream)
            ):
                return STUCK
            return await answer
        finally:
            timer.cancel()
            self._ack = None

    def _heard(self, frames: list[Frame]) -> None:
        """Take an answer; one to an earlier append is late and means nothing any more."""
        for words, headers, payload in frames:
            if words.split(b" ", 2)[1] == self._inbox + self._token:
                self._answer(NOBODY if headers.startswith(NO_RESPONDERS) else payload)

    def _lost(self) -> None:
        self._answer(LOST)

    def _answer(self, answer: Ack | bytes) -> None:
        if self._ack is None or self._ack.done():
            return
        if isinstance(answer, bytes):
            try:
                answer = _acks.decode(answer)
            except msgspec.DecodeError as error:
                answer = Ack(error=Refusal(description=f"the answer is no ack: {error}"))
        self._ack.set_result(answer)

    async def _settled(self, sealed: Sealed, ack: Ack) -> bool:
        """Whether the turn is stored; raises when it never will be."""
        if ack.error is None:
            if ack.seq != sealed.turn.number:
                raise _fenced(sealed, f"it was stored at sequence {ack.seq}")
            return True
        if ack.error.err_code == WRONG_LAST_ID:
            return self._last_is(sealed, ack.error.description.rpartition(": ")[2])
        if ack.error.err_code == WRONG_LAST_SEQUENCE:
            return await self._first_is(sealed)
        if not ack.error.passing:
            raise _refused(self._stream, sealed, ack.error)
        return False

    def _last_is(self, sealed: Sealed, last: str) -> bool:
        """Tell from the server's last id whether ours is in; any other fences us."""
        if last == sealed.id:
            return True
        if last and last == self._doubted:
            raise _fenced(sealed, "an append of ours that was never acknowledged is stored")
        if last in self._stored:
            lost = len(self._stored) - 1 - self._stored.index(last)
            raise TailLost(
                f"the last {lost} turns before turn {sealed.turn.number} were acknowledged, and "
                "the server has lost them",
                where=self._stream,
                remedy="send nothing more; `mm log check` tells what is left",
            )
        raise _fenced(sealed, f"the stream's last turn is {last[:16] or 'nobody knows which'}")

    async def _first_is(self, sealed: Sealed) -> bool:
        """Tell whether the first turn is in and is ours; the server compares sequences only."""
        found = await ask(self._wire.nc, f"STREAM.MSG.GET.{self._stream}", {"seq": 1}, NO_MESSAGE)
        if found and b64decode(found["message"]["data"]) == sealed.payload:
            return True
        raise _fenced(sealed, "the stream is not empty")

    def _unavailable(self, sealed: Sealed, ack: Ack) -> LogError:
        assert ack.error is not None
        if ack is SILENT and self._store and _free(self._store) < self._limits.disk_free_min:
            return LogFull(
                f"turn {sealed.turn.number} was not acknowledged: the disk is full",
                where=str(self._store),
                remedy="free some space, then start again: this server has given the stream up",
            )
        return LogUnavailable(
            f"turn {sealed.turn.number} was not acknowledged: {ack.error.description}",
            where=self._stream,
            remedy="send nothing; append the same turn again, or reopen the log and recover",
        )


def _free(directory: Path) -> int:
    return shutil.disk_usage(directory).free


def headers_of(sealed: Sealed, stream: str) -> bytes:
    """The id, the fence, and the stream meant; the id stands first, where readers look."""
    turn = sealed.turn
    fence = (
        f"Nats-Expected-Last-Msg-Id: {turn.previous.hex()}"
        if turn.number > 1
        else "Nats-Expected-Last-Sequence: 0"
    )
    return (
        f"NATS/1.0\r\nNats-Msg-Id: {sealed.id}\r\n{fence}\r\nNats-Expected-Stream: {stream}\r\n\r\n"
    ).encode()


def _fenced(sealed: Sealed, found: str) -> WriterFenced:
    return WriterFenced(
        f"turn {sealed.turn.number} does not follow: {found}",
        where="JetStream",
        remedy="another writer holds this log: stop, or reopen the log and recover from it",
    )


def _refused(stream: str, sealed: Sealed, error: Refusal) -> LogError:
    what = f"turn {sealed.turn.number} was refused: {error.description} ({error.err_code})"
    if error.err_code == WRONG_STREAM:
        return StreamMismatch(what, where=stream, remedy="the subjects belong to another stream")
    if error.full:
        return LogFull(
            what,
            where=stream,
            remedy="free some disk; where the stream is at its max_bytes, begin a new desk, or "
            "raise it on the server and in streams.yaml alike",
        )
    return LogUnavailable(what, where=stream, remedy="see the server's log")
