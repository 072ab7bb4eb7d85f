"""One listener on loopback for every host of every venue: TLS, and routing by the Host header.

A client keeps the addresses it uses in production; only its resolver sends them here, and it trusts
the authority that was made at this start. The host `emulator.local` speaks for the emulator itself.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, Protocol

from aiohttp import web

from mm.emulator.certificates import certify
from mm.emulator.control import Control
from mm.emulator.exchange import Exchange
from mm.emulator.faults import Faults
from mm.emulator.market import Market
from mm.emulator.sockets import Socket
from mm.errors import ConfigError
from mm.sim.compiled_trading import warm

LOOPBACK: Final = "127.0.0.1"
CONTROL_HOST: Final = "emulator.local"
OWN_HOSTS: Final = ("localhost", LOOPBACK)
"""Clients whose address can be set may use these; they speak for the first venue."""
BODY_MAX: Final = 1 << 20
CLOSING_SECONDS: Final = 1.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Front(Protocol):
    """A venue's own protocol, in front of an exchange."""

    @property
    def venue(self) -> str:
        """As instruments name it."""
        ...

    @property
    def hosts(self) -> Sequence[str]:
        """The hosts it answers for, as clients name them."""
        ...

    @property
    def exchange(self) -> Exchange:
        """What it speaks for."""
        ...

    def routes(self, hub: "Hub") -> Iterable[web.RouteDef]:
        """What it answers, the same on each of its hosts."""
        ...

    def usage(self) -> Mapping[str, Any]:
        """How much of what it allows was used, in its own words."""
        ...


class Hub:
    """The sockets that are open, of all fronts; changes in place."""

    def __init__(self) -> None:
        """Start without any."""
        self.sockets: list[Socket] = []
        self.faults = Faults()

    async def serve(
        self, request: web.Request, begin: Callable[[Socket], Callable[[str], Awaitable[None]]]
    ) -> web.StreamResponse:
        """Hold a socket open; `begin` is given it and returns who hears what the client says."""
        socket = Socket(request, self.faults)
        heard = begin(socket)
        self.sockets.append(socket)
        try:
            return await socket.serve(heard)
        finally:
            self.sockets.remove(socket)
            for end in socket.ended:
                end(socket)


class Running(NamedTuple):
    """An emulator that listens; what a client needs to reach it."""

    port: int
    ca_file: Path
    hosts: tuple[str, ...]
    hub: Hub

    @property
    def environment(self) -> dict[str, str]:
        """The settings that send a client of ours here."""
        return {"MM_RESOLVE": f"{LOOPBACK}:{self.port}", "MM_CA_FILE": str(self.ca_file)}


@asynccontextmanager
async def running(
    *fronts: Front,
    markets: Sequence[Market] = (),
    port: int = 0,
    directory: Path | None = None,
) -> AsyncIterator[Running]:
    """Listen, and play `markets`, while the block runs; port 0 takes a free one.

    Every book stands when the block begins. `directory` is where `ca.pem` is put, else one that
    lasts as long as the block. Raises `ConfigError` where the port is taken, and what a market
    could not be played for.
    """
    await asyncio.to_thread(warm)  # Before anybody waits for an answer.
    with TemporaryDirectory(prefix="mm-emulator-") as name:
        async with (
            _listening(fronts, markets, port, directory or Path(name)) as emulator,
            _playing(markets),
        ):
            yield emulator


@asynccontextmanager
async def _playing(markets: Sequence[Market]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(market.play()) for market in markets]
    try:
        for market, task in zip(markets, tasks, strict=True):
            begun = asyncio.create_task(market.begun())
            await asyncio.wait((begun, task), return_when=asyncio.FIRST_COMPLETED)
            begun.cancel()
        if not any(task.done() and task.exception() for task in tasks):
            yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
            raise end


@asynccontextmanager
async def _listening(
    fronts: Sequence[Front], markets: Sequence[Market], port: int, directory: Path
) -> AsyncIterator[Running]:
    hub = Hub()
    hosts = tuple(dict.fromkeys(host for front in fronts for host in front.hosts))
    runner = web.AppRunner(
        _application(fronts, hub, Control(fronts, hub, markets)),
        access_log=None,
        shutdown_timeout=CLOSING_SECONDS,
        handler_cancellation=True,
    )
    await runner.setup()
    try:
        context = await asyncio.to_thread(certify, (*hosts, CONTROL_HOST, *OWN_HOSTS), directory)
        site = web.TCPSite(runner, LOOPBACK, port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(
                f"port {port} cannot be listened on: {os.strerror(error.errno or 0)}",
                where="--port",
                remedy="name another port, or 0 for any that is free",
            ) from error
        bound: int = runner.addresses[0][1]
        yield Running(bound, (directory / "ca.pem").absolute(), hosts, hub)
    finally:
        for socket in tuple(hub.sockets):
            socket.cut()
        await runner.cleanup()


def _application(fronts: Sequence[Front], hub: Hub, control: Control) -> web.Application:
    app = web.Application(client_max_size=BODY_MAX, middlewares=[hub.faults.middleware])
    _answer(app, CONTROL_HOST, control.routes())
    for front in fronts:
        for host in front.hosts:
            _answer(app, host, front.routes(hub))
    if fronts:
        for host in OWN_HOSTS:
            _answer(app, host, fronts[0].routes(hub))
    return app


def _answer(app: web.Application, host: str, routes: Iterable[web.RouteDef]) -> None:
    """Answer for a host, whatever port a client names beside it."""
    part = web.Application(client_max_size=BODY_MAX)
    part.add_routes(routes)
    app.add_domain(f"{host}*", part)
