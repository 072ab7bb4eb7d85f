"""The log's own lane on a nats-py connection: bytes in, bytes out, one plain callback a message.

nats-py spends 15 to 20 microseconds on each message (regular expressions, header objects, a queue,
a task). A turn needs none of that, so its frames are picked out before they get there; every other
frame goes to nats-py's own parser, byte for byte. Login, TLS, pings and reconnects stay nats-py's,
and our subscriptions are ordinary ones, so that it restores them. Nothing is buffered while the
connection is away: `send` says so, and the caller decides.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nats.protocol.parser import Parser

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

Handler = Callable[[list[bytes], bytes, bytes], None]
"""Takes the words of the protocol line (`HMSG subject sid reply …`), headers and payload.

It runs inside nats-py's read loop, so it must not raise.
"""

UNSENT_BYTES_MAX: Final = 4 * 1024 * 1024
POLL_SECONDS: Final = 0.005
NO_RESPONDERS: Final = b"NATS/1.0 503"
HMSG: Final = ord("H")
MSG: Final = ord("M")


class Lane(Parser):
    """Stands in nats-py's parser place: our frames go to our handlers, the rest to nats-py."""

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
        """Forget half a frame: nats-py calls this when a connection ends and when one begins."""
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
        position = await self._frames(data)
        if connection == self._connection and position < len(data):
            self._held.append(data[position:])
            self._held_size = len(data) - position

    async def _frames(self, data: bytes) -> int:
        """Hand out the whole frames; returns where the first incomplete one starts."""
        position, size, connection = 0, len(data), self._connection
        while position < size:
            line = data.find(b"\r\n", position)
            if line < 0:
                self._wanted = size - position + 1
                return position
            kind = data[position]
            if kind == HMSG or (kind == MSG and data[position + 1] == ord("S")):
                words = data[position:line].split()
                start = line + 2
                stop = start + int(words[-1])
                if stop + 2 > size:
                    self._wanted = stop + 2 - position
                    return position
                handler = self.handlers.get(words[2])
                if handler is not None:
                    body = start + int(words[-2]) if kind == HMSG else start
                    handler(words, data[start:body], data[body:stop])
                    position = stop + 2
                    continue
                line = stop
            await super().parse(data[position : line + 2])
            if connection != self._connection:
                break
            position = line + 2
        return position


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
        """Have `told` called whenever the connection changes; returns how to end that."""
        self._lane.on_loss.add(told)
        return lambda: self._lane.on_loss.discard(told)

    async def listen(self, handler: Handler) -> tuple[bytes, Callable[[], Any]]:
        """Open an inbox: everything under its prefix goes to `handler`; returns how to close it."""
        inbox = self.nc.new_inbox()
        subscription = await self.nc.subscribe(f"{inbox}.*", cb=_never)
        sid = b"%d" % subscription._id  # noqa: SLF001  nats-py tells it to the server only.
        self._lane.handlers[sid] = handler

        async def close() -> None:
            if self._lane.handlers.pop(sid, None) and not self.nc.is_closed:
                await subscription.unsubscribe()

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
        stream: asyncio.StreamWriter = self.nc._transport._io_writer  # type: ignore[union-attr]  # noqa: SLF001
        if (
            stream.transport.is_closing()
            or stream.transport.get_write_buffer_size() > UNSENT_BYTES_MAX
        ):
            return False
        try:
            stream.write(frame)
        except (OSError, RuntimeError):  # It was closed under our hands.
            return False
        return True

    def token(self) -> bytes:
        """A reply token that was never used before on this connection."""
        return b"%d" % next(self._tokens)


async def attach(nc: Client) -> Wire:
    """Take our lane on a connection; a second call on the same one shares it."""
    lane = nc._ps  # noqa: SLF001  The one place where nats-py keeps its parser.
    if not isinstance(lane, Lane):
        await nc.flush()
        while nc._ps.buf:  # noqa: SLF001, ASYNC110  Half a frame belongs to the old parser.
            await asyncio.sleep(0)
        lane = nc._ps = Lane(nc)  # noqa: SLF001
    return Wire(nc, lane)


async def _never(_message: Msg) -> None:
    """Fill the callback nats-py asks for: our frames do not come this far."""
