"""A desk's log on the server that has it, to read.

Nothing is created or changed. A session that runs is never disturbed: its own server is asked, with
an account that may not write; otherwise the store gets a server for as long as it is read. What
NATS_URL names is asked where the desk has no store here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from mm.apps.reading import closing
from mm.apps.sessions import DeskFiles
from mm.errors import SessionError, TailLost
from mm.events.turn import NO_HASH
from mm.events.units import TurnNumber
from mm.log import access, streams
from mm.log.chain import Head, unseal
from mm.log.connection import LinkOptions, close, connect
from mm.log.pages import PageLimits, span
from mm.log.reader import Reader, State
from mm.log.recovery import COPY_SECONDS_MAX
from mm.log.server import EmbeddedServer, observe
from mm.log.walk import ID
from mm.log.wire import Frame, Wire, ask, attach

if TYPE_CHECKING:
    from nats.aio.client import Client

LINK: Final = LinkOptions()
PAGES: Final = PageLimits()
POLL_SECONDS: Final = 0.01


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How a server was found: one that a session runs, or one that is not ours."""

    access: access.Access
    running: bool = False
    external: bool = False


class Served:
    """A desk's log as its server gave it out when it was asked."""

    def __init__(self, reader: Reader, state: State, wire: Wire, way: Way) -> None:
        """Read what `state` says is there; see `serving`."""
        self.reader = reader
        self.state = state
        self.running = way.running
        self.external = way.external
        self._wire = wire

    @property
    def connected(self) -> bool:
        """Whether the server can be asked at this moment."""
        return self._wire.connected

    async def order_payloads(self, end: Head) -> AsyncIterator[bytes]:
        """The bytes of every turn up to `end` that touches orders, links unchecked.

        They come from the copy; what the server has not copied yet, as for some seconds after a
        crash, comes from the log itself.
        """
        if end.orders_hash == NO_HASH:
            return
        payload, last_id = b"", end.orders_hash.hex().encode()
        async with closing(self._frames(1, await self._copy_end())) as frames:
            async for frame in frames:
                payload = frame[2]
                yield payload
                if frame[1][ID] == last_id:
                    return
        copied = unseal(payload).turn.number if payload else TurnNumber(0)
        rest = self.reader.turns(await self.reader.head_at(copied), end.number)
        async with closing(rest) as turns:
            async for sealed in turns:
                if sealed.turn.previous_orders:
                    yield sealed.payload

    async def copied(self) -> AsyncIterator[Frame]:
        """The copy of the turns that touch orders, for as long as it is asked.

        It may lag and is waited for; raises `TailLost` when nothing comes any more.
        """
        clock = asyncio.get_running_loop().time
        done, deadline = 0, clock() + COPY_SECONDS_MAX
        while clock() < deadline:
            last = await self._copy_end()
            async with closing(self._frames(done + 1, last)) as frames:
                async for frame in frames:
                    yield frame
            if last > done:
                done, deadline = last, clock() + COPY_SECONDS_MAX
            await asyncio.sleep(POLL_SECONDS)
        raise TailLost(
            "the copy of the turns that touch orders ends too early",
            where=f"{self.reader.copy}, after sequence {done}",
            remedy="`mm log check` compares it with the stream, turn by turn",
        )

    async def _frames(self, first: int, last: int) -> AsyncIterator[Frame]:
        async with closing(span(self._wire, self.reader.copy, first, last, PAGES)) as pages:
            async for page in pages:
                for frame in page:
                    yield frame

    async def _copy_end(self) -> int:
        reply = await ask(self._wire.nc, f"STREAM.INFO.{self.reader.copy}", {})
        return msgspec.convert(reply["state"], State).last_seq


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Served]:
    """The log of the desk at `path`; raises `SessionError` where there is none."""
    files = DeskFiles(path)
    way = _found(files)
    if way is not None:
        async with _connected(way, files) as served:
            yield served
        return
    if not files.store.is_dir():
        raise SessionError(
            "this desk has no log", where=str(path), remedy="`mm log ls` lists sessions"
        )
    async with (
        EmbeddedServer(files.store) as server,
        _connected(Way(access=server.access), files) as served,
    ):
        yield served


def _found(files: DeskFiles) -> Way | None:
    """A server that runs already."""
    running = observe(files.store)
    if running is not None:
        return Way(access=running, running=True)
    external = None if files.store.is_dir() else access.from_environment(os.environ)
    return None if external is None else Way(access=external, external=True)


@asynccontextmanager
async def _connected(way: Way, files: DeskFiles) -> AsyncIterator[Served]:
    nc = await connect(way.access, LINK)
    try:
        yield await _asked(nc, way, files)
    finally:
        await close(nc)


async def _asked(nc: Client, way: Way, files: DeskFiles) -> Served:
    wire = await attach(nc)
    desk = files.root.absolute().name
    reader = Reader(wire, streams.load(desk))
    if not await reader.exists():
        raise SessionError(
            f"the server has no log of desk {desk}",
            where=str(files.root),
            remedy="check the desk's name; `mm log ls` lists sessions",
        )
    return Served(reader, await reader.state(), wire, way)
