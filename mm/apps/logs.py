"""Opening a desk's log: embedded by default, NATS_URL's server when there is one.

Before it is trusted it is held against what is known from outside the server: the mark beside the
store, and the archive. A reader never needs the writer's rights and never writes the mark: while a
session runs, its log is read through the server's own reader account; otherwise the store is
started for as long as it is read.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from nats.aio.client import Client

from mm.apps.config import LogConfig
from mm.apps.sessions import DeskFiles, is_archive
from mm.errors import LogDamaged, LogUnavailable, SessionError, StoreLocked, TailLost
from mm.events.units import TurnNumber
from mm.log import access, kept, streams
from mm.log.archive import Archive
from mm.log.chain import Head, Sealed
from mm.log.connection import LinkOptions, close, connect
from mm.log.jetstream import JetStreamLog, LogOptions
from mm.log.mark import remembered
from mm.log.recovery import Known
from mm.log.server import EmbeddedServer, observe
from mm.log.view import LogView

LINK: Final = LinkOptions()
RESTARTS_MAX: Final = 5
"""Deaths of the embedded server that one session survives."""
ANOTHER_DESK: Final = (
    "wait for it to end, or stop it; or be another desk: `desk = …` in the config, MM_DESK, "
    "or another directory of desks with --data"
)


@asynccontextmanager
async def desk_log(desk: str, files: DeskFiles, config: LogConfig) -> AsyncIterator[JetStreamLog]:
    """The log of a desk for its one writer, who reads it first: that checks it, to the last turn.

    Until then nothing can be appended.
    """
    files.root.mkdir(parents=True, exist_ok=True)
    archive = Archive(files.archive) if is_archive(files.archive) else None
    options = LogOptions(
        mark=files.mark,
        archived=archive.head if archive is not None else None,
        older=archive.turns if archive is not None else None,
        append=config.append,
        tap_market=config.tap_market,
        checked_by_read=True,
    )
    external = access.from_environment(os.environ)
    if external is not None:
        async with _writing(external, desk, options) as log:
            yield log
        return
    own = msgspec.structs.replace(
        options, store=files.store, on_whole=partial(kept.drop, files.store)
    )
    with naming_desk(files.store), pointing_to_copy(files.store):
        async with (
            EmbeddedServer(files.store, sync=config.sync) as server,
            _kept_alive(server),
            _writing(server.access, desk, own) as log,
        ):
            log.note(server.note)
            yield log


@contextlib.contextmanager
def naming_desk(store: Path) -> Iterator[None]:
    """Where another process has this store, say how to have another desk: no option names one."""
    try:
        yield
    except StoreLocked as error:
        if error.where != str(store.absolute()):
            raise
        raise StoreLocked(error.what, where=error.where, remedy=ANOTHER_DESK) from error


@contextlib.contextmanager
def pointing_to_copy(store: Path) -> Iterator[None]:
    """Say of damage where the store is as it was found, when there is a copy."""
    try:
        yield
    except LogDamaged as error:
        copy = kept.place(store)
        if not copy.exists() or str(copy) in error.remedy:
            raise
        remedy = f"{error.remedy}; the store as it was found is kept in {copy}"
        raise type(error)(error.what, where=error.where, remedy=remedy) from error


def _archived(files: DeskFiles) -> Head | None:
    return Archive(files.archive).head if is_archive(files.archive) else None


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
    for left in reversed(range(RESTARTS_MAX)):
        await server.exited()
        try:
            await server.restart()
        except LogUnavailable:  # It died as it started: one more death, not yet the end.
            if not left:
                raise


@asynccontextmanager
async def _writing(
    way: access.Access, desk: str, options: LogOptions
) -> AsyncIterator[JetStreamLog]:
    nc = await connect(way, LINK)
    try:
        log = await JetStreamLog.open(nc, streams.load(desk), options)
        try:
            yield log
        finally:
            await log.close()
    finally:
        await close(nc)


@asynccontextmanager
async def _viewing(way: access.Access, files: DeskFiles) -> AsyncIterator[LogView]:
    nc = await connect(way, LINK)
    try:
        view = await _view(nc, files)
        try:
            yield view
        finally:
            await view.close()
    finally:
        await close(nc)


async def _view(nc: Client, files: DeskFiles) -> LogView:
    """The log as it stands; raises `TailLost` when it is gone though the mark knows of it."""
    try:
        return await LogView.open(nc, streams.load(files.root.resolve().name))
    except SessionError as error:
        mark = remembered(files.mark)
        if mark is None:
            raise
        raise TailLost(
            f"the log is gone, but the mark knows turn {mark.number}",
            where=str(files.root),
            remedy="check that this is the right server and store; see what the archive holds",
        ) from error


async def turns(path: Path, after: TurnNumber = TurnNumber(0)) -> AsyncGenerator[Sealed, None]:
    """The turns of a session or recording: from its log where there is one, else its archive."""
    files = DeskFiles(path)
    served = files.store.is_dir() or "NATS_URL" in os.environ
    if is_archive(path) or not served:
        for sealed in Archive(path if is_archive(path) else files.archive).turns(after):
            yield sealed
        return
    mark = remembered(files.mark)  # Read before the log is opened, which may be growing.
    async with reading(files) as view:
        # What lies before the mark is checked while it is read.
        found = await view.check(Known(mark=mark, archived=_archived(files), verified=mark))
        trimmed = TurnNumber(found.first - 1)
        if after < trimmed:
            for sealed in Archive(files.archive).turns(after):
                if sealed.turn.number <= trimmed:
                    yield sealed
        async for sealed in view.read(max(after, trimmed)):
            yield sealed


@asynccontextmanager
async def reading(files: DeskFiles) -> AsyncIterator[LogView]:
    """A desk's log, to read: from the server that runs, or from one started for the purpose."""
    running = observe(files.store)
    if running is not None:
        async with _viewing(running, files) as view:
            yield view
        return
    external = access.from_environment(os.environ)
    if external is not None and not files.store.is_dir():
        async with _viewing(external, files) as view:
            yield view
        return
    if not files.store.is_dir():
        raise SessionError(
            "this desk has no log", where=str(files.root), remedy="`mm log ls` lists sessions"
        )
    async with (
        EmbeddedServer(files.store) as server,
        _viewing(server.access, files) as view,
    ):
        yield view
