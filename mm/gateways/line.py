"""One socket of a venue: frames as they come, why it ended, silence noticed and pings sent.

A socket that says nothing for too long has ended, whatever the network says of it: a receiving
loop that stands still is the failure that nothing else shows.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import aiohttp

from mm.events.units import SECONDS, Nanos
from mm.gateways.market_port import Connection, Frame

LOOKS: Final = 8
"""Looks at the time within the silence that is allowed."""


class Line:
    """One socket. What it hears goes to `sink`, until it ends."""

    def __init__(
        self,
        socket: "aiohttp.ClientWebSocketResponse[bool]",
        connection: Connection,
        now: Callable[[], Nanos],
        sink: Callable[[Frame], None],
    ) -> None:
        """Begin to listen."""
        self.sink = sink
        self.frames = 0
        self.born = self.last = now()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._socket = socket
        self._connection = connection
        self._now = now
        listening = asyncio.create_task(self._listen())
        listening.add_done_callback(self._listened)
        self._tasks: list[asyncio.Task[Any]] = [listening, asyncio.create_task(self._look())]
        if connection.ping:
            self._tasks.append(asyncio.create_task(self._ping()))

    async def _listen(self) -> str:
        """Take frames until there are no more; returns why."""
        receive, channel, now = self._socket.receive, self._connection.channel, self._now
        while True:
            message = await receive()
            kind = message.type
            if kind is aiohttp.WSMsgType.TEXT or kind is aiohttp.WSMsgType.BINARY:
                self.last = now()
                self.frames += 1
                self.sink(Frame(self.last, channel, message.data))
            elif kind is aiohttp.WSMsgType.ERROR:
                return f"the socket failed: {message.data}"
            else:
                return f"the socket was closed, code {self._socket.close_code}"

    def _listened(self, task: asyncio.Task[str]) -> None:
        """Whoever waits for the end is told, of a bug in what hears us too."""
        if self.ended.done():
            return
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self.ended.set_exception(failure)
        else:
            self.ended.set_result("we closed it" if task.cancelled() else task.result())

    async def _look(self) -> None:
        """End a socket on which nothing has been heard for too long."""
        most = self._connection.silence_max
        while self._now() - self.last <= most:  # noqa: ASYNC110  Frames would wake it too often.
            await asyncio.sleep(most / SECONDS / LOOKS)
        if not self.ended.done():
            silent = (self._now() - self.last) / SECONDS
            self.ended.set_result(f"nothing was heard for {silent:.1f} s")

    async def _ping(self) -> None:
        """Say what the venue wants to hear from time to time."""
        while True:
            await asyncio.sleep(self._connection.ping_every / SECONDS)
            await self.say(self._connection.ping)

    async def say(self, text: bytes) -> None:
        """Send one text; where that fails the socket has ended, which is told there."""
        with suppress(ConnectionError, aiohttp.ClientError):
            await self._socket.send_str(text.decode())

    async def close(self) -> None:
        """Hear no more, and let go of the socket."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        with suppress(ConnectionError, aiohttp.ClientError, TimeoutError):
            await self._socket.close()


class Held:
    """What a socket hears before it is the one that counts, bounded."""

    def __init__(self) -> None:
        """Start empty."""
        self.frames: list[Frame] = []
        self.bytes = 0

    def __call__(self, frame: Frame) -> None:
        """Hold a frame back."""
        self.frames.append(frame)
        self.bytes += len(frame.body)
