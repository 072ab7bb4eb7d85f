"""`mm emulate VENUE`: a venue on this machine that real clients can trade on."""

import asyncio
import os
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Final

import typer

from mm.apps.cli.live import warm_kernels, warm_venue
from mm.apps.cli.output import out
from mm.apps.emulating import Emulation, Settings, keys_from
from mm.apps.interrupts import Interrupts
from mm.apps.sessions import data_dir, find
from mm.emulator.faults import Rule, rules_from
from mm.emulator.server import LOOPBACK, Running, running
from mm.emulator.venues import VENUES
from mm.errors import ConfigError
from mm.events.units import Nanos

PORT: Final = 8443
PORT_MAX: Final = 65_535
STATUS_SECONDS: Final = 10.0
SPEED_MAX: Final = 1_000.0
EXAMPLE: Final = """
Example:

    mm emulate binance --synthetic

    mm emulate binance_usdm --recording recordings/btcusdt --loop --faults faults.json

The venue listens on this machine, under its own names and with certificates made at the start. The
lines that are printed send `mm live` there; docs/emulator.md has those for other clients.
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLE)
def emulate(
    *,
    venues: Annotated[list[str], typer.Argument(metavar="VENUE…", help=f"Of {', '.join(VENUES)}.")],
    recording: Annotated[
        Path | None, typer.Option(help="Directory of the recording to play.")
    ] = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="Play a made-up market.")] = False,
    seed: Annotated[int, typer.Option(help="Of the made-up market.")] = 1,
    speed: Annotated[float, typer.Option(help="How many times as fast as it was.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Begin anew at the end.")] = False,
    port: Annotated[int, typer.Option(help="To listen on; 0: any that is free.")] = PORT,
    balance: Annotated[
        list[str] | None,
        typer.Option(metavar="ASSET=AMOUNT", help="What the account holds; may be repeated."),
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="JSON file of what is to go wrong.")] = None,
    status: Annotated[
        float, typer.Option(help="Seconds between lines that say how it stands; 0: none.")
    ] = STATUS_SECONDS,
    data: Annotated[
        Path | None, typer.Option(help="Where ca.pem is put (else MM_DATA, else ./mm-data).")
    ] = None,
) -> None:
    """Emulate a venue on this machine: real clients trade on it, by its own protocol."""
    if (recording is None) is not synthetic:
        raise ConfigError(
            "a market is either recorded or made up",
            where="--recording, --synthetic",
            remedy="give one of them",
        )
    _within("--speed", speed, 0.001, SPEED_MAX)
    _within("--port", port, 0, PORT_MAX)
    _within("--status", status, 0, 86_400)
    settings = Settings(
        venues=tuple(dict.fromkeys(venues)),
        recording=None if recording is None else find(str(recording)),
        seed=seed,
        start=Nanos(time.time_ns()),
        speed=speed,
        loop=loop,
        balances=_balances(balance) if balance else None,
        faults=tuple(_faults(faults)),
    )
    emulation = Emulation(settings, keys_from(os.environ))
    warm_kernels()
    warm_venue()
    directory = data_dir(data) / "emulator"
    directory.mkdir(parents=True, exist_ok=True)
    asyncio.run(_serve(emulation, settings, port, directory, status))


def _within(option: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigError(
            f"{value} is not within {least} to {most}", where=option, remedy="correct it"
        )


def _balances(texts: list[str]) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for text in texts:
        asset, _, amount = text.partition("=")
        try:
            held[asset] = Decimal(amount)
        except InvalidOperation as error:
            raise ConfigError(
                f"{text!r} is no balance", where="--balance", remedy="write it as USDT=100000"
            ) from error
    return held


def _faults(path: Path | None) -> list[Rule]:
    if path is None:
        return []
    try:
        return rules_from(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"it cannot be read: {error.strerror}", where=str(path), remedy="name a JSON file"
        ) from error


async def _serve(
    emulation: Emulation, settings: Settings, port: int, directory: Path, status: float
) -> None:
    asked = asyncio.Event()
    with Interrupts("before the venue listened") as interrupts:
        async with running(
            *emulation.fronts, markets=emulation.markets, port=port, directory=directory
        ) as listening:
            listening.hub.faults.add(settings.faults)
            interrupts.orderly(lambda _, __: asked.set(), "while the venue closed")
            _introduce(emulation, listening)
            await _watch(emulation, asked, status)
    out.print(f"closed. {emulation.status()}")


def _introduce(emulation: Emulation, listening: Running) -> None:
    hosts = ", ".join(listening.hosts)
    out.print(f"{LOOPBACK}:{listening.port} is now {hosts}\n")
    for name, value in (listening.environment | emulation.environment()).items():
        out.print(f"export {name}={value}")
    out.print("\nCtrl-C ends it.")


async def _watch(emulation: Emulation, asked: asyncio.Event, status: float) -> None:
    """Say how it stands now and then, and when a market ends, until somebody asks to stop."""
    ended = [False] * len(emulation.markets)
    while not asked.is_set():
        try:
            async with asyncio.timeout(status or None):
                await asked.wait()
        except TimeoutError:
            out.print(f"{time.strftime('%H:%M:%S')} {emulation.status()}")
        for number, (market, front) in enumerate(
            zip(emulation.markets, emulation.fronts, strict=True)
        ):
            if market.ended and not ended[number]:
                ended[number] = True
                out.print(f"{front.venue}: the feed has ended, its market stands still now")
