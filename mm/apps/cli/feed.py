"""`mm feed`: hear venues once, for every desk and client on a NATS server."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from mm.apps.cli.live import warm_kernels
from mm.apps.cli.output import out
from mm.apps.feed_words import PREFIX, subjects
from mm.apps.interrupts import Interrupts
from mm.apps.sessions import data_dir
from mm.errors import ConfigError
from mm.events.units import SECONDS, Nanos
from mm.log import access
from mm.log.access import Access
from mm.log.server import EmbeddedServer, ServerOptions

PORT: Final = 4222
PORT_MAX: Final = 65_535
IDLE_SECONDS: Final = 20.0
IDLE_LEAST: Final = 1.0
HOUR: Final = 3_600.0
STATUS_SECONDS: Final = 10.0
EXAMPLE: Final = """
Example:

    mm feed

    NATS_URL=nats://127.0.0.1:4222 mm feed binance kraken --prefix suiren

Without NATS_URL it starts a server on this machine and prints how to reach it. What clients say and
hear is in docs/feed-service.md.
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLE)
def feed(
    *,
    venues: Annotated[
        list[str] | None, typer.Argument(metavar="VENUE…", help="Those to serve; else all.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="What every subject begins with.")] = PREFIX,
    idle: Annotated[
        float, typer.Option(help="Seconds after its last heartbeat that a stream closes.")
    ] = IDLE_SECONDS,
    port: Annotated[
        int, typer.Option(help="Of the server that is started without NATS_URL; 0: any.")
    ] = PORT,
    seconds: Annotated[float, typer.Option(help="Stop after so many seconds (0: never).")] = 0,
    status: Annotated[
        float, typer.Option(help="Seconds between lines that say how it stands; 0: none.")
    ] = STATUS_SECONDS,
    data: Annotated[
        Path | None, typer.Option(help="Where the server's files are (else MM_DATA).")
    ] = None,
) -> None:
    """Hear venues once, for every desk and client on a NATS server."""
    _within("--idle", idle, IDLE_LEAST, HOUR)
    _within("--port", port, 0, PORT_MAX)
    _within("--status", status, 0, 24 * HOUR)
    _within("--seconds", seconds, 0, 366 * 24 * HOUR)
    try:
        from mm.apps import feed_serving
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"a venue needs {error.name}, which is not installed",
            where="mm feed",
            remedy="install the extra: pip install 'mm[venues]'",
        ) from error
    wanted = feed_serving.Serving(
        subjects=subjects(prefix),
        venues=tuple(venues or feed_serving.SERVED),
        idle=Nanos(round(idle * SECONDS)),
    )
    warm_kernels()
    asyncio.run(_serve(wanted, port, seconds, status, data_dir(data) / "feed"))


def _within(option: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigError(
            f"{value} is not within {least:g} to {most:g}", where=option, remedy="correct it"
        )


@asynccontextmanager
async def _server(port: int, store: Path) -> AsyncIterator[Access]:
    """The server that NATS_URL names, else one of our own on loopback."""
    external = access.from_environment(os.environ)
    if external is not None:
        yield external
        return
    await asyncio.to_thread(store.mkdir, parents=True, exist_ok=True)
    async with EmbeddedServer(store, sync="2m", options=ServerOptions(port=port)) as server:
        way = server.access
        out.print(f"export NATS_URL={server.url.replace('//', f'//{way.user}:{way.password}@')}")
        yield way


async def _serve(wanted: object, port: int, seconds: float, status: float, store: Path) -> None:
    from mm.apps import feed_serving

    assert isinstance(wanted, feed_serving.Serving), "what `feed` has made"
    asked, ready = asyncio.Event(), asyncio.Event()
    with Interrupts("before anybody was served") as interrupts:
        async with AsyncExitStack() as stack:
            way = await stack.enter_async_context(_server(port, store))
            service = await stack.enter_async_context(feed_serving.serving(wanted, way))
            running = asyncio.create_task(service.run(ready))
            running.add_done_callback(lambda _: asked.set())
            interrupts.orderly(lambda _, __: asked.set(), "while streams were closed")
            out.print(f"serving {', '.join(wanted.venues)} on {wanted.subjects.prefix}.…")
            if seconds:
                asyncio.get_running_loop().call_later(seconds, asked.set)
            while not asked.is_set():
                try:
                    async with asyncio.timeout(status or None):
                        await asked.wait()
                except TimeoutError:
                    out.print(f"{time.strftime('%H:%M:%S')} {service.status()}")
            running.cancel()
            (ended,) = await asyncio.gather(running, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended
    out.print("closed")
