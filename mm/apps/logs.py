"""Opening a desk's log: embedded by default, NATS_URL's server when there is one.

A reader never needs the writer's rights: while a session runs, its log is read through the
server's own reader account; otherwise the store is started for as long as it is read.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from mm.apps.sessions import DeskFiles, is_archive
from mm.errors import SessionError
from mm.events.units import TurnNumber
from mm.log import access, streams
from mm.log.archive import Archive
from mm.log.chain import Sealed
from mm.log.connection import LinkOptions, close, connect
from mm.log.jetstream import JetStreamLog
from mm.log.server import EmbeddedServer, observe

LINK: Final = LinkOptions()
RESTARTS_MAX: Final = 5
"""Deaths of the embedded server that one session survives."""


@asynccontextmanager
async def desk_log(desk: str, files: DeskFiles, sync: str) -> AsyncIterator[JetStreamLog]:
    """The log of a desk, checked, ready for its one writer."""
    external = access.from_environment(os.environ)
    if external is not None:
        async with _on(external, desk) as log:
            yield log
        return
    files.root.mkdir(parents=True, exist_ok=True)
    async with (
        EmbeddedServer(files.store, sync=sync) as server,
        _kept_alive(server),
        _on(server.access, desk) as log,
    ):
        yield log


@asynccontextmanager
async def _kept_alive(server: EmbeddedServer) -> AsyncIterator[None]:
    """Start the server again when it dies, a few times; after that the log stays away."""
    keeper = asyncio.create_task(_restart(server))
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


async def _restart(server: EmbeddedServer) -> None:
    for _ in range(RESTARTS_MAX):
        await server.exited()
        await server.restart()


@asynccontextmanager
async def _on(way: access.Access, desk: str) -> AsyncIterator[JetStreamLog]:
    nc = await connect(way, LINK)
    try:
        log = await JetStreamLog.open(nc, streams.load(desk))
        try:
            yield log
        finally:
            await log.close()
    finally:
        await close(nc)


async def turns(path: Path, after: TurnNumber = TurnNumber(0)) -> AsyncGenerator[Sealed, None]:
    """The turns of a session or recording: from its log where there is one, else its archive."""
    if is_archive(path):
        for sealed in Archive(path).turns(after):
            yield sealed
        return
    files = DeskFiles(path)
    if not files.store.is_dir():
        for sealed in Archive(files.archive).turns(after):
            yield sealed
        return
    async with reading(files) as log:
        async for sealed in log.read(after):
            yield sealed


@asynccontextmanager
async def reading(files: DeskFiles) -> AsyncIterator[JetStreamLog]:
    """A desk's log, to read: from the server that runs, or from one started for the purpose."""
    running = observe(files.store)
    if running is not None:
        async with _on(running, files.root.name) as log:
            yield log
        return
    if not files.store.is_dir():
        raise SessionError(
            "this desk has no log", where=str(files.root), remedy="`mm log ls` lists sessions"
        )
    async with (
        EmbeddedServer(files.store) as server,
        _on(server.access, files.root.name) as log,
    ):
        yield log
