"""The log's own lane on a nats-py connection: bytes in, bytes out, no task and no object a message.

nats-py spends 15 to 20 microseconds on each message (regular expressions, header objects, a queue,
a task). A turn needs none of that, so our frames are picked out before they get there; every other
frame goes to nats-py's own parser, byte for byte. Login, TLS, pings and reconnects stay nats-py's,
and our subscriptions are ordinary ones, so that it restores them. Nothing is buffered while the
connection is away: `send` says so, and the caller decides.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import msgspec
from nats.errors import Error as NatsError
from nats.protocol.parser import Parser

from mm.errors import LogUnavailable

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

Frame = tuple[bytes, bytes, bytes]
"""The protocol line without its sizes (`HMSG subject sid reply`), the headers, the payload."""
Close = Callable[[], Coroutine[Any, Any, None]]
Handler = Callable[[list[Frame]], None]
"""Takes what one read of the socket brought; it runs in nats-py's read loop: it must not raise."""

API_SECONDS_MAX: Final = 5
UNSENT_BYTES_MAX: Final = 4 * 1024 * 1024
POLL_SECONDS: Final = 0.005
NO_MESSAGE: Final = 10037  # JetStream's own code for it.
NO_RESPONDERS: Final = b"NATS/1.0 503"
WITH_HEADERS: Final = ord("H")
OURS: Final = (b"MSG ", b"HMSG ")


class Lane(Parser):
    """Stands where nats-py keeps its parser: our frames go to our handlers, the rest to nats-py."""

    def __init__(self, nc: Client) -> None:
        """Build the parser; `attach` puts it in its place."""
        self.handlers: dict[bytes, Handler] = {}
        self.on_loss: set[Callable[[], None]] = set()
        self._held: list[bytes] = []
        self._held_size = 0
        self._wanted = 0
        self._connection = 0
        super().__init__(nc)

    def reset(self) -> None:
        """Forget half a frame: nats-py calls this when a connection has ended."""
        super().reset()
        self._held.clear()
        self._held_size = self._wanted = 0
        self._connection += 1
        for told in tuple(self.on_loss):
            told()

    async def parse(self, data: bytes = b"") -> None:
        """Hand out the frames in `data`; half a frame at the end waits for its other half."""
        if self._held:
            self._held.append(data)
            self._held_size += len(data)
            if self._held_size < self._wanted:
                return
            data = b"".join(self._held)
            self._held.clear()
        connection = self._connection
        batches: dict[Handler, list[Frame]] = {}
        position = await self._split(data, batches)
        for handler, frames in batches.items():
            if frames:  # Else there is only half a frame of them yet.
                handler(frames)
        if connection == self._connection and position < len(data):
            self._held.append(data[position:])
            self._held_size = len(data) - position

    async def _split(self, data: bytes, batches: dict[Handler, list[Frame]]) -> int:
        """Sort the whole frames; returns where the first incomplete one starts."""
        position, size, connection = 0, len(data), self._connection
        prefix, batch = b"\0", None
        while position < size and connection == self._connection:
            line = data.find(b"\r\n", position)
            if line < 0:
                self._wanted = size - position + 1
                break
            if not data.startswith(prefix, position):  # It often goes on as it began.
                prefix, batch = self._route(data[position:line], batches)
            start = end = line + 2
            if batch is None:
                if prefix.startswith(OURS):
                    end = start + int(data[position:line].rpartition(b" ")[2]) + 2
                if end <= size:
                    await super().parse(data[position:end])
            elif data[position] == WITH_HEADERS:
                words, header_size, total = data[position:line].rsplit(b" ", 2)
                body, end = start + int(header_size), start + int(total) + 2
                if end <= size:
                    batch.append((words, data[start:body], data[body : end - 2]))
            else:
                words, _, total = data[position:line].rpartition(b" ")
                end = start + int(total) + 2
                if end <= size:
                    batch.append((words, b"", data[start : end - 2]))
            if end > size:
                self._wanted = end - position
                break
            position = end
        return position

    def _route(
        self, line: bytes, batches: dict[Handler, list[Frame]]
    ) -> tuple[bytes, list[Frame] | None]:
        """Tell what frames like this one start with, and where they go; None: to nats-py."""
        if not line.startswith(OURS):
            return line, None
        kind, subject, sid, _ = line.split(b" ", 3)
        handler = self.handlers.get(sid)
        batch = None if handler is None else batches.setdefault(handler, [])
        return b"%b %b %b " % (kind, subject, sid), batch


class Wire:
    """Sends frames and receives replies, over a connection that nats-py keeps."""

    def __init__(self, nc: Client, lane: Lane) -> None:
        """Use a lane that is in place; see `attach`."""
        self.nc = nc
        self._lane = lane
        self._tokens = itertools.count(1)

    @property
    def connected(self) -> bool:
        """Whether a frame sent now has a chance to arrive."""
        return bool(self.nc.is_connected)

    async def connection_within(self, seconds: float) -> bool:
        """Wait until the connection is there; false if that took too long."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while not self.connected and clock() < deadline:  # noqa: ASYNC110  Nobody tells.
            await asyncio.sleep(POLL_SECONDS)
        return self.connected

    def on_loss(self, told: Callable[[], None]) -> Callable[[], None]:
        """Have `told` called whenever the connection is lost; returns how to end that."""
        self._lane.on_loss.add(told)
        return lambda: self._lane.on_loss.discard(told)

    async def listen(self, handler: Handler) -> tuple[bytes, Close]:
        """Open an inbox, `prefix.*`; returns the prefix and how to close it again."""
        inbox = self.nc.new_inbox()
        try:
            subscription = await self.nc.subscribe(f"{inbox}.*", cb=_never)
        except NatsError as error:
            raise _closed(error) from error
        sid = b"%d" % subscription._id  # noqa: SLF001  nats-py tells it to the server only.
        self._lane.handlers[sid] = handler

        async def close() -> None:
            del self._lane.handlers[sid]
            if not self.nc.is_closed:
                await subscription.unsubscribe()

        try:
            await self.nc.flush(API_SECONDS_MAX)  # `send` must not overtake it.
        except NatsError as error:
            await close()
            raise _closed(error) from error
        return inbox.encode() + b".", close

    def send(self, subject: bytes, reply: bytes, payload: bytes, headers: bytes = b"") -> bool:
        """Write one message to the socket; false if that was not possible now."""
        size = len(payload)
        if headers:
            line = b"HPUB %b %b %d %d\r\n" % (subject, reply, len(headers), len(headers) + size)
        else:
            line = b"PUB %b %b %d\r\n" % (subject, reply, size)
        return self._write(b"".join((line, headers, payload, b"\r\n")))

    def _write(self, frame: bytes) -> bool:
        """Past nats-py's outgoing queue: it would keep for later what must be refused now."""
        if not self.nc.is_connected:
            return False
        transport: Any = self.nc._transport  # noqa: SLF001
        stream: asyncio.StreamWriter = transport._io_writer  # noqa: SLF001
        room = stream.transport.get_write_buffer_size() <= UNSENT_BYTES_MAX
        if stream.transport.is_closing() or not room:
            return False
        stream.write(frame)
        return True

    def token(self) -> bytes:
        """A reply token that was never used before on this connection."""
        return b"%d" % next(self._tokens)


async def ask(nc: Client, verb: str, body: dict[str, Any], absent: int = 0) -> dict[str, Any]:
    """Ask JetStream's API; empty when the error is `absent`, else raises `LogUnavailable`."""
    message = await _request(nc, verb, body)
    reply: dict[str, Any] = msgspec.json.decode(message.data)
    refusal = reply.get("error")
    if refusal is None:
        return reply
    if refusal.get("err_code") == absent:
        return {}
    raise LogUnavailable(
        f"JetStream refuses {verb}: {refusal.get('description')}",
        where="JetStream",
        remedy="check the stream, and that our user may call this API",
    )


async def direct(nc: Client, stream: str, body: dict[str, Any]) -> bytes | None:
    """One stored message's payload; None when there is none such. Raises `LogUnavailable`."""
    message = await _request(nc, f"DIRECT.GET.{stream}", body)
    return None if message.headers and "Status" in message.headers else message.data


async def _request(nc: Client, verb: str, body: dict[str, Any]) -> Msg:
    try:
        return await nc.request(
            f"$JS.API.{verb}", msgspec.json.encode(body), timeout=API_SECONDS_MAX
        )
    except (NatsError, OSError) as error:
        raise LogUnavailable(
            f"JetStream does not answer {verb}: {str(error) or type(error).__name__}",
            where="JetStream",
            remedy="check that the server is up and that our user may call its API",
        ) from error


async def attach(nc: Client) -> Wire:
    """Take our lane on a connection; a second call on the same one shares it."""
    lane = nc._ps  # noqa: SLF001  The one place where nats-py keeps its parser.
    if not isinstance(lane, Lane):
        try:
            await nc.flush(API_SECONDS_MAX)
        except NatsError as error:
            raise _closed(error) from error
        while nc._ps.buf:  # noqa: SLF001, ASYNC110  Half a frame belongs to the old parser.
            await asyncio.sleep(0)
        lane = nc._ps = Lane(nc)  # noqa: SLF001
    return Wire(nc, lane)


def _closed(error: NatsError) -> LogUnavailable:
    return LogUnavailable(
        f"the connection cannot be used: {str(error) or type(error).__name__}",
        where="JetStream",
        remedy="connect again",
    )


async def nothing() -> None:
    """Close what was not opened."""


async def _never(_message: Msg) -> None:
    """Fill the callback nats-py asks for: our frames do not come this far."""
