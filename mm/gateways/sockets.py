"""One connection of a venue held open: by one socket, or by two while one replaces the other.

Whatever ends a socket (the venue, the network, silence), another is dialled, later each time it
fails. Before a socket reaches the age at which the venue would cut it, a second one is opened; what
that hears is held until both have heard the same for a while, and then it takes over in one step:
nothing is missed, and what both delivered is told apart by the venue's own numbers. Frames are
stamped as they are taken from the socket.
"""

import asyncio
import time
from contextlib import suppress
from typing import Final, Protocol

import aiohttp
import msgspec

from mm.errors import VenueError
from mm.events.units import SECONDS, Nanos
from mm.gateways.backoff import Backoff, retry_after
from mm.gateways.line import LOOKS, Held, Line
from mm.gateways.market_port import Connection, Frame
from mm.gateways.questions import Outside

FRAME_BYTES_MAX: Final = 1 << 24
HELD_BYTES_MAX: Final = 1 << 26
"""What a replacement may hold back; past this it takes over at once."""
CLOSE_SECONDS_MAX: Final = 2.0
HEARTBEAT_SECONDS_MAX: Final = 20.0
LIFE_PART: Final = 0.9
LIFE_CHANCE: Final = 0.06
"""A socket is replaced after this part of its life, and a random part more."""


class KeeperSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: to dial, to hear the same on both sockets, to wait for a replacement to say a word.

    A socket that held for `steady` was no failure: the next dial does not wait longer.
    """

    dial: float = 10.0
    overlap: float = 2.0
    join: float = 30.0
    steady: float = 60.0
    wait_min: float = 0.25
    wait_max: float = 30.0


USUAL: Final = KeeperSettings()


class DialFailed(VenueError):
    """A socket could not be opened; `status` is HTTP's (0: none), `wait` the seconds asked for."""

    def __init__(self, what: str, *, where: str, status: int = 0, wait: float = 0.0) -> None:
        """Keep what a wait and a circuit are made from."""
        super().__init__(what, where=where, remedy="it is tried again by itself")
        self.status = status
        self.wait = wait


class Ears(Protocol):
    """Who is told; all are called in the loop's thread and return at once."""

    def heard(self, frame: Frame) -> None:
        """A frame, stamped at receipt."""
        ...

    def joined(self, channel: str, received: Nanos) -> None:
        """The connection stands; what came before it is unknown."""
        ...

    def parted(self, channel: str, received: Nanos, reason: str) -> None:
        """It stands no more."""
        ...

    def refused(self, channel: str, failure: DialFailed) -> None:
        """A dial failed; the next one follows by itself."""
        ...


class SocketKeeper:
    """Keeps one connection; `run` ends only when it is cancelled, or with a bug of who hears."""

    def __init__(
        self,
        outside: Outside,
        connection: Connection,
        ears: Ears,
        settings: KeeperSettings = USUAL,
    ) -> None:
        """Dial nothing yet."""
        self._session = outside.session
        self._connection = connection
        self._ears = ears
        self._now = outside.now
        self._chance = outside.chance
        self._settings = settings
        self._line: Line | None = None
        self._fresh: tuple[Line, Held] | None = None
        self._renew = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self.replaced = 0

    @property
    def stands(self) -> bool:
        """Whether a socket is open."""
        return self._line is not None

    def renew(self) -> None:
        """Replace the socket soon: the venue has said that it will close it."""
        self._renew.set()

    async def say(self, text: bytes) -> None:
        """Say something on the socket that stands; nothing while there is none."""
        if self._line is not None:
            await self._line.say(text)

    async def run(self) -> None:
        """Dial, listen, replace, and dial again."""
        backoff, channel = self._backoff(), self._connection.channel
        try:
            while True:
                self._fresh = await self._dialled(backoff)
                began = self._now()
                self._ears.joined(channel, began)
                self._take_over()
                reason = await self._until_none_stands()
                self._ears.parted(channel, self._now(), reason)
                if self._now() - began > self._settings.steady * SECONDS:
                    backoff.reset()
                await asyncio.sleep(backoff.seconds())
        finally:
            self._drop(self._line)
            self._drop(self._fresh[0] if self._fresh else None)
            if self._closing:
                await asyncio.wait(self._closing)

    async def _until_none_stands(self) -> str:
        """Listen, replacing the socket as it gets old; returns why the last one ended."""
        renewing = asyncio.create_task(self._renewals())
        try:
            while True:
                line = self._line
                assert line is not None, "a socket stands"
                reason = await asyncio.shield(line.ended)
                if self._line is not line:
                    continue
                if self._fresh is None or self._fresh[0].ended.done():
                    self._line = None
                    self._drop(line)
                    return reason
                self._take_over()
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def _renewals(self) -> None:
        """Replace the socket whenever it is old or the venue wants that."""
        backoff = self._backoff()
        while True:
            life = self._connection.life_max / SECONDS
            part = LIFE_PART + LIFE_CHANCE * self._chance.random()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._renew.wait(), life * part)
            self._renew.clear()
            while not await self._replace(backoff):  # noqa: ASYNC110  It waits for what failed.
                await asyncio.sleep(backoff.seconds())
            backoff.reset()

    async def _replace(self, backoff: Backoff) -> bool:
        """Open a second socket and let it take over once both have heard the same; or do not."""
        line, held = self._fresh = await self._dialled(backoff)
        since, heard, settings = self._now(), self._heard_so_far(), self._settings
        try:
            while self._fresh is not None:
                await asyncio.sleep(settings.overlap / LOOKS)
                waited = (self._now() - since) / SECONDS
                if line.ended.done() or waited > settings.join:
                    return False
                quiet = self._heard_so_far() == heard
                if held.bytes > HELD_BYTES_MAX or (
                    waited >= settings.overlap and (held.frames or quiet)
                ):
                    self._take_over()
            return True
        finally:
            if self._fresh is not None:
                self._fresh = None
                self._drop(line)

    def _heard_so_far(self) -> int:
        return self._line.frames if self._line is not None else 0

    def _take_over(self) -> None:
        """The second socket is the one that counts, from what it has heard on; in one step."""
        assert self._fresh is not None, "somebody takes over"
        (line, held), old = self._fresh, self._line
        self._line, self._fresh = line, None
        if old is not None:
            self.replaced += 1
            old.sink = _deaf
            self._drop(old)
        for frame in held.frames:
            self._ears.heard(frame)
        line.sink = self._ears.heard

    def _drop(self, line: Line | None) -> None:
        """Close a socket without waiting for it."""
        if line is None:
            return
        task = asyncio.create_task(line.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _backoff(self) -> Backoff:
        return Backoff(self._chance, self._settings.wait_min, self._settings.wait_max)

    async def _dialled(self, backoff: Backoff) -> tuple[Line, Held]:
        """A new socket, however long that takes; what it hears is held."""
        while True:
            try:
                return await self._dial()
            except DialFailed as failure:
                self._ears.refused(self._connection.channel, failure)
                await asyncio.sleep(backoff.seconds(failure.wait))

    async def _dial(self) -> tuple[Line, Held]:
        connection, held = self._connection, Held()
        try:
            async with asyncio.timeout(self._settings.dial):
                socket = await self._session.ws_connect(
                    connection.url,
                    decode_text=False,
                    heartbeat=min(HEARTBEAT_SECONDS_MAX, connection.silence_max / SECONDS / 2),
                    max_msg_size=FRAME_BYTES_MAX,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS_MAX),
                )
        except aiohttp.WSServerHandshakeError as error:
            wait = retry_after(error.headers or {}, time.time())
            raise self._failed(f"HTTP {error.status}", error.status, wait) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._failed(f"{type(error).__name__} {error}".rstrip()) from error
        line = Line(socket, connection, self._now, held)
        for text in connection.hello:
            await line.say(text)
        return line, held

    def _failed(self, what: str, status: int = 0, wait: float = 0.0) -> DialFailed:
        where = self._connection.url.partition("?")[0]
        what = f"the socket cannot be opened: {what}"
        return DialFailed(what, where=where, status=status, wait=wait)


def _deaf(_frame: Frame) -> None:
    """What the other socket says twice."""
