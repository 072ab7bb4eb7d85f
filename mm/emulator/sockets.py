"""One client's WebSocket as the venue holds it: what it says comes in, what it is told is queued.

A client that reads too slowly is cut off, as venues do. A venue pings, and a client that has not
answered for a while is taken for gone. Frames pass a gate, so that faults can be injected.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp import WSCloseCode, WSMsgType, web

QUEUE_MAX: Final = 20_000
PING_EVERY: Final = 20.0
PONG_PATIENCE: Final = 60.0
"""Seconds."""
FRAME_MAX: Final = 1 << 20


class Gate(Protocol):
    """What becomes of a frame on its way out."""

    def frames(self, socket: "Socket", stream: str, frame: bytes) -> list[bytes]:
        """What is sent in its place: itself, most of the time."""
        ...


class Socket:
    """Changes in place; `send` never waits."""

    def __init__(self, request: web.Request, gate: Gate) -> None:
        """Take the request over; nothing is answered before `serve`."""
        self.request = request
        self.host = request.host.partition(":")[0]
        self.path = request.path
        self.web = web.WebSocketResponse(autoping=False, max_msg_size=FRAME_MAX)
        self.silent = False
        self.deaf = False
        self.ended: list[Callable[[Socket], None]] = []
        self._gate = gate
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_MAX)
        self._ponged = 0.0
        self._why = (int(WSCloseCode.OK), b"")

    def send(self, stream: str, frame: bytes) -> None:
        """Queue a frame of a stream (of no stream: an answer); a silent socket swallows it."""
        if self.silent:
            return
        for each in self._gate.frames(self, stream, frame):
            self.push(each)

    def push(self, frame: bytes) -> None:
        """Queue a frame as it is."""
        try:
            self._queue.put_nowait(frame)
        except asyncio.QueueFull:
            self.close(WSCloseCode.POLICY_VIOLATION, b"too slow")

    def close(self, code: int = WSCloseCode.GOING_AWAY, reason: bytes = b"") -> None:
        """Close once what is queued was sent; at once where the queue is full."""
        self._why = (int(code), reason)
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    def cut(self) -> None:
        """Break the connection without a word."""
        transport = self.request.transport
        if transport is not None:
            transport.abort()

    async def serve(self, heard: Callable[[str], Awaitable[None]]) -> web.WebSocketResponse:
        """Speak until either side ends it."""
        await self.web.prepare(self.request)
        self._ponged = asyncio.get_running_loop().time()
        tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._ping())]
        try:
            async for message in self.web:
                if self.deaf:
                    continue
                if message.type is WSMsgType.TEXT:
                    await heard(message.data)
                elif message.type is WSMsgType.PING:
                    await self.web.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    self._ponged = asyncio.get_running_loop().time()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self.web

    async def _write(self) -> None:
        while (frame := await self._queue.get()) is not None:
            try:
                await self.web.send_frame(frame, WSMsgType.TEXT)
            except ConnectionError:
                return  # The reader hears of it too, and ends.
        code, reason = self._why
        await self.web.close(code=code, message=reason)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY)
            if self.deaf or self.silent:
                continue
            now = asyncio.get_running_loop().time()
            if now - self._ponged > PONG_PATIENCE:
                self.close(WSCloseCode.POLICY_VIOLATION, b"Pong timeout")
                return
            try:
                await self.web.ping(str(int(now * 1000)).encode())
            except ConnectionError:
                return
