"""`mm live CONFIG`: run a session on paper until its feed ends, its time is up or it is stopped."""

import asyncio
import importlib
import os
import sys
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Final

import msgspec
import typer

from mm.apps import config as configs
from mm.apps import snapshots
from mm.apps.archiving import archive_apart
from mm.apps.cli.output import emit_json, err, progress
from mm.apps.config import YEAR, Config, RecordingFeedConfig
from mm.apps.interrupts import Interrupts
from mm.apps.logs import desk_log
from mm.apps.runner import OnTurn
from mm.apps.screen import Screen
from mm.apps.session import Ended, Session, Wiring, recover
from mm.apps.sessions import DeskFiles, desk_files, recording
from mm.apps.spool import Spool
from mm.apps.statistics import Statistics
from mm.apps.venue_config import VenueFeedConfig
from mm.apps.wiring import precheck, wired
from mm.engine.core import Engine
from mm.errors import ConfigError, TradingStopped, VenueUnavailable
from mm.events.units import SECONDS, Nanos
from mm.log.chain import Head
from mm.log.jetstream import JetStreamLog
from mm.projections.depth import warm
from mm.sim.compiled_trading import warm as warm_trading

app = typer.Typer(add_completion=False)
SECONDS_MAX: Final = YEAR // SECONDS
EARLY: Final = "before the session began: nothing has left"
AT_ONCE: Final = (
    "without waiting for the venue: every acknowledged turn is on the log, and so is every order "
    "that may still rest"
)
LATE: Final = "after the session's end: it is on the log, and the next one will archive it"
"""What `Interrupted` adds, by how far a session had come."""
EXAMPLE: Final = """
Example:

    mm live demo.toml --paper --speed 10

The feed is a recording or a synthetic market, the venue is simulated. Ctrl-C stops quoting, cancels
everything, flushes the log and says where it is; a second one does not wait for the venue.
"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a session came to; no latency from the tick without a pace, where messages wait."""

    ended: Ended
    statistics: Statistics
    seconds: float
    events_per_second: float
    append_ms_p50: float
    append_ms_p99: float
    tick_to_durable_ms_p50: float | None
    tick_to_durable_ms_p99: float | None
    log: str


@app.command(epilog=EXAMPLE)
def live(
    config: Annotated[Path, typer.Argument(help="TOML or YAML; docs/config.md lists every key.")],
    *,
    paper: Annotated[
        bool, typer.Option("--paper", help="Trade against the simulated venue.")
    ] = False,
    speed: Annotated[str, typer.Option(help="1 (own pace), 10 (faster), max.")] = "",
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so many seconds (0: never).")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Directory of all desks.")] = None,
    rearm: Annotated[str, typer.Option(help="Lift a halt; say what was found.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run a session from a config file."""
    overrides: dict[str, Any] = {}
    if speed:
        overrides["feed.speed"] = speed
    if seconds is not None:
        overrides["duration"] = duration_of(seconds)
    loaded = located(configs.load(config, os.environ, overrides), data, config)
    if not paper:
        check_real(loaded)
    report = run(play(loaded, data, rearm, paper=paper))
    show(report, as_json=as_json)
    refuse_open(report)
    refuse_halted(report.ended.halted, report.ended.faulted, where=report.log)


def check_real(config: Config) -> None:
    """Refuse to trade at a venue where the config names none, or not its feed."""
    if config.venue is None:
        raise ConfigError(
            "the config names no venue to trade at",
            where="venue.name",
            remedy="add a [venue] table, or --paper to trade against the simulated venue",
        )
    if not isinstance(config.feed, VenueFeedConfig):
        raise ConfigError(
            "a real account trades on its venue's own feed",
            where="feed.kind",
            remedy='write kind = "venue", or add --paper',
        )
    networked("mm.apps.accounts").check_account(config)


def duration_of(seconds: float) -> str:
    """Seconds of a command line as a duration of the config; raises `ConfigError`."""
    if not 0 <= seconds <= SECONDS_MAX:
        raise ConfigError(
            f"{seconds:g} seconds is no length of a session",
            where="--seconds",
            remedy="use 0 for no end, or up to a year",
        )
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def located(config: Config, data: Path | None, file: Path) -> Config:
    """With `--data`, the feed's recording may be a name there; raises `SessionError`."""
    feed = config.feed
    if not isinstance(feed, RecordingFeedConfig):
        return config
    path = recording(feed.path, data, str(file))
    if data is None:
        return config
    found = msgspec.structs.replace(feed, path=str(path))
    return msgspec.structs.replace(config, feed=found)


REARM: Final = "`mm log show` has the turn; start again with --rearm once it is understood"


def refuse_halted(halted: str, faulted: str, *, where: str, remedy: str = REARM) -> None:
    """End with the exit code of a halt when the session halted; raises `TradingStopped`."""
    if halted:
        raise TradingStopped(
            f"the desk is halted: {halted}. {faulted}".rstrip(), where=where, remedy=remedy
        )


def refuse_open(report: "Report") -> None:
    """End with the exit code of a venue that failed us when orders may still rest there."""
    if report.ended.open:
        raise VenueUnavailable(
            f"the venue did not confirm in time that {report.ended.open} orders are gone",
            where=report.log,
            remedy="look at the venue; the next session of the desk asks it about each of them",
        )


def run(coroutine: Any) -> Any:
    """Run to completion on uvloop where there is one."""
    if sys.platform == "win32":
        return asyncio.run(coroutine)
    import uvloop

    return uvloop.run(coroutine)


def warm_kernels() -> None:
    """Load the compiled kernels; says so when that means compiling."""
    with progress("compiling kernels (first use)", None):
        warm()


def warm_venue() -> None:
    """Load the compiled venue as well: what a paper account trades against."""
    with progress("compiling the simulated venue (first use)", None):
        warm_trading()


async def play(config: Config, data: Path | None, rearm: str = "", *, paper: bool = True) -> Report:
    """One session from the first turn to the last, and its closed span in the archive.

    Raises `Interrupted` when the operator did not want to wait for that.
    """
    precheck(config)
    files = desk_files(config.desk, data)
    warm_kernels()
    if paper:
        warm_venue()
    with Interrupts(EARLY) as interrupts:
        report = await _session(config, files, rearm, interrupts, paper=paper)
        with progress("archiving", None):
            await archive_apart(files)
    return report


async def _session(
    config: Config, files: DeskFiles, rearm: str, interrupts: Interrupts, *, paper: bool
) -> Report:
    async with desk_log(config.desk, files, config.log) as log:
        with progress("reading the log", None):
            engine, recovery = await recover(log, files.snapshot)
        for note in (*_sync_note(config), *log.found.notes):
            err.print(note, style="yellow", markup=False)
        if recovery.turns:
            err.print(f"[dim]recovered {recovery.events:,} events in {recovery.seconds:.2f} s[/]")
        mode = "paper" if paper else "live"
        title = f"mm · {mode} · {config.desk}"
        every = config.status_every.nanos / SECONDS
        async with wiring_of(config, engine, paper=paper) as wiring:
            session = Session(config, log, engine, wiring, Spool(files.spool))
            with Screen(engine, title, every, paced=config.speed is not None) as screen:
                session.runner.on_turn += [screen.turn, tapping(log, engine)]
                interrupts.orderly(session.runner.stop, AT_ONCE)
                ended = await session.run(mode, rearm)
                interrupts.final(LATE)
        _cache(files.snapshot, engine, log.head)
        return _report(ended, screen, files)


def wiring_of(
    config: Config, engine: Engine, *, paper: bool
) -> AbstractAsyncContextManager[Wiring]:
    """The parts around the runner; raises `ConfigError` where a venue's need is not installed."""
    wall = Nanos(time.time_ns())
    if not isinstance(config.feed, VenueFeedConfig):
        return wired(config, engine, wall)
    wiring: AbstractAsyncContextManager[Wiring] = networked("mm.apps.venues").wired(
        config, engine, wall, paper=paper
    )
    return wiring


def networked(module: str) -> ModuleType:
    """What needs the network; raises `ConfigError` where a venue's need is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"a venue needs {error.name}, which is not installed",
            where="feed.kind",
            remedy="install the extra: pip install 'mm[venues]'",
        ) from error


def _cache(path: Path, engine: Engine, head: Head) -> None:
    """Keep a snapshot for the next start; without room for one, it reads the whole log."""
    try:
        snapshots.save(path, engine, head)
    except OSError as error:
        note = f"no snapshot is kept, the next start reads the whole log: {path}: {error.strerror}"
        err.print(note, style="yellow", markup=False)


def _sync_note(config: Config) -> list[str]:
    """What `log.sync` cannot do: another server has its own setting, which nobody tells us."""
    if not os.environ.get("NATS_URL", "").strip():
        return []
    given = f"log.sync = {config.log.sync} does not apply"
    return [f"NATS_URL's server flushes as its own sync_interval says: {given}"]


def tapping(log: JetStreamLog, engine: Engine) -> OnTurn:
    """Publish each durable turn's order, account and control events for any NATS client."""
    tap = log.tap
    assert tap is not None, "an opened log has a tap"
    for instrument in engine.state.ledger.instruments.values():
        tap.learn(instrument)
    return lambda sealed, _timing: tap.publish(sealed.turn)


def _report(ended: Ended, screen: Screen, files: DeskFiles) -> Report:
    meter = screen.meter
    return Report(
        ended=ended,
        statistics=screen.numbers,
        seconds=meter.seconds,
        events_per_second=meter.events / meter.seconds,
        append_ms_p50=meter.append_milliseconds(0.5),
        append_ms_p99=meter.append_milliseconds(0.99),
        tick_to_durable_ms_p50=meter.tick_milliseconds(0.5),
        tick_to_durable_ms_p99=meter.tick_milliseconds(0.99),
        log=str(files.root),
    )


def show(report: Report, *, as_json: bool) -> None:
    """Print the final statistics."""
    if as_json:
        emit_json(report)
        return
    numbers, ended = report.statistics, report.ended
    err.rule(f"session {ended.session} ended: {ended.reason}", align="left")
    if ended.faulted:
        err.print(f"[bold red]the engine faulted:[/] {ended.faulted}")
    for each in numbers.standings:
        held = f"{each.position:+f} {each.base} @ {each.entry:f}" if each.position else "flat"
        err.print(f"[bold]{each.strategy}[/] on {each.instrument}")
        err.print(f"  position     {held}")
        err.print(
            f"  fills        {each.fills:,} ({each.maker_fills:,} maker), bought {each.bought} "
            f"and sold {each.sold} {each.base}"
        )
        err.print(
            f"  P&L          [bold]{each.total:+f} {each.currency}[/] = realised "
            f"{each.realised:+f} + unrealised {each.unrealised:+f} - fees {each.fees:f} "
            f"+ funding {each.funding:f}"
        )
    err.print(
        f"  orders       {numbers.orders:,} placed, {numbers.open} open, hedges {numbers.hedges}"
    )
    err.print(
        f"  log          {numbers.turns:,} turns, {numbers.events:,} events, "
        f"{report.events_per_second:,.0f} events/s"
    )
    err.print(
        f"  durable in   p50 {report.append_ms_p50:.2f} ms, p99 {report.append_ms_p99:.2f} ms "
        f"(append); {_ticks(report)}"
    )
    err.print(f"  state        {ended.digest[:16]}…")
    err.print(f"  log is in    {report.log}")


def _ticks(report: Report) -> str:
    middle, slow = report.tick_to_durable_ms_p50, report.tick_to_durable_ms_p99
    if middle is None or slow is None:
        return "tick to durable is not told at --speed max, where messages wait for their turn"
    return f"tick to durable p50 {middle:.2f} ms, p99 {slow:.2f} ms"
