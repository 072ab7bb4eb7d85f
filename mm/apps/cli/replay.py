"""`mm replay`: verify that a session's decisions follow from its facts; backtest a strategy."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from mm.apps import config as configs
from mm.apps.backtest import Backtest
from mm.apps.cli import compare
from mm.apps.cli import sweep as sweeps
from mm.apps.cli.columns import Asked, play
from mm.apps.cli.live import refuse_halted, run, warm_kernels
from mm.apps.cli.output import emit_json, out, progress, table
from mm.apps.cli.whatif import attach
from mm.apps.config import Config
from mm.apps.logs import turns
from mm.apps.session import check, opening
from mm.apps.sessions import find
from mm.apps.statistics import Statistics, statistics
from mm.apps.wording import iso
from mm.engine.verify import Verification, Verifier
from mm.errors import ConfigError, ReplayDiverged, SessionError
from mm.events.orders import PlaceOrder
from mm.events.session import EngineFaulted
from mm.events.units import Nanos
from mm.events.vocabulary import Decision
from mm.gateways.paper import PaperGateway
from mm.gateways.recorded import RecordedFeed
from mm.log.archive import ArchiveWriter
from mm.log.chain import Sealed

app = typer.Typer(add_completion=False, no_args_is_help=True)
FEED: Final = re.compile("MM_FEED(__|$)", re.IGNORECASE)
VERIFY_EXAMPLE: Final = """
Example:

    mm replay verify demo
"""
BACKTEST_EXAMPLE: Final = """
Example:

    mm replay backtest --strategy maker.toml btcusdt.rec --out run1
"""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `verify`, with how long it took."""

    session: str
    seconds: float
    rows_per_second: float
    verification: Verification


class Backtested(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a backtest; times are log time, the recording's own, in nanoseconds.

    `halted` is why trading was halted at the end, `faulted` what our own code raised and where.
    """

    recording: str
    turns: int
    events: int
    first_time: Nanos
    last_time: Nanos
    seconds: float
    events_per_second: float
    digest: str
    head: str
    statistics: Statistics
    halted: str
    faulted: str
    out: str


class Tally(msgspec.Struct):
    """What is counted while a backtest runs."""

    turns: int = 0
    hedges: int = 0
    head: bytes = b""
    first_time: Nanos = Nanos(0)
    last_time: Nanos = Nanos(0)
    faulted: str = ""

    def take(self, sealed: Sealed) -> None:
        """Count a turn."""
        at = sealed.turn.at
        self.first_time = self.first_time if self.turns else at
        self.last_time = at
        self.turns += 1
        self.head = sealed.hash
        for decision in sealed.turn.decisions:
            self._decided(decision)

    def _decided(self, decision: Decision) -> None:
        match decision:
            case PlaceOrder(reason="hedge"):
                self.hedges += 1
            case EngineFaulted(error=error, where=where):
                self.faulted = f"{error} in {where}"


@app.command(epilog=VERIFY_EXAMPLE)
def verify(
    session: Annotated[str, typer.Argument(help="Desk name or path; default: the latest.")] = "",
    data: Annotated[Path | None, typer.Option(help="Directory of all desks.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Recompute every decision of a session from its logged facts, and compare the bytes."""
    path = find(session or None, data)
    warm_kernels()
    result = run(verified(path))
    if as_json:
        emit_json(result)
    else:
        show_verified(result)
    difference = result.verification.difference
    if difference is not None:
        raise ReplayDiverged(
            f"turn {difference.turn} decides otherwise than the log: {difference.kind} "
            f"(event {difference.event})",
            where=str(path),
            remedy="the log was changed, or this code is not the code that wrote it",
        )


async def verified(path: Path) -> Verified:
    """Verify a session, reading its log back."""
    verifier = Verifier()
    began = time.monotonic()
    with progress("verifying", None) as advance:
        async with contextlib.aclosing(turns(path)) as stream:
            async for sealed in stream:
                if not verifier.take(sealed):
                    break
                advance(sealed.turn.size)
    seconds = time.monotonic() - began
    result = verifier.result()
    if not result.turns:
        raise SessionError(
            "there is nothing to verify: the log is empty",
            where=str(path),
            remedy="run a session first",
        )
    return Verified(
        session=str(path),
        seconds=seconds,
        rows_per_second=result.rows / max(seconds, 1e-9),
        verification=result,
    )


def show_verified(result: Verified) -> None:
    """Print what was compared."""
    seen = result.verification
    out.print(
        f"{seen.turns:,} turns, {seen.events:,} events ({seen.rows:,} with price levels) in "
        f"{result.seconds:.2f} s: {result.rows_per_second:,.0f}/s"
    )
    if seen.difference is None:
        out.print(
            f"[bold green]verified[/]: {seen.reproduced:,} of {seen.decisions:,} decisions "
            "reproduced byte for byte"
        )
    else:
        rows = [(each.field, each.recorded, each.recomputed) for each in seen.difference.fields]
        table(
            f"first difference: turn {seen.difference.turn}, event {seen.difference.event}, "
            f"{seen.difference.kind}",
            ("field", "recorded", "recomputed"),
            rows,
        )
        for depth, cause in enumerate(seen.difference.causes):
            out.print(f"{'  ' * depth}because of {cause}", markup=False)
    out.print(f"state  {seen.digest}")
    out.print(f"head   {seen.head}")


@app.command(epilog=BACKTEST_EXAMPLE)
def backtest(
    recording: Annotated[str, typer.Argument(help="A recording (or session) by name or path.")],
    strategy: Annotated[Path, typer.Option(help="Config with strategies, limits and paper venue.")],
    session: Annotated[
        Path | None, typer.Option("--out", help="Write the session's log here.")
    ] = None,
    run_directory: Annotated[
        Path | None, typer.Option("--run", help="Write orders, fills and equity in columns here.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with plots to this file.")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Play it turn by turn in Python, as --out does.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Directory of all desks.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run a strategy over recorded market data against the simulated venue.

    It is played by the compiled pass, which leaves columns. With --out it is played turn by turn
    and leaves a log like a session's; the orders and fills are the same.
    """
    path = find(recording, data)
    written = configs.read(strategy)
    feed = {"kind": "recording", "path": str(recording), "speed": "max"}
    # Variables of the feed are for sessions: the recording is named on the command line.
    given = {name: text for name, text in os.environ.items() if not FEED.match(name)}
    config = configs.build({**written, "feed": feed}, given, {}, where=str(strategy))
    if session is not None:
        _require_new(session)
    warm_kernels()
    asked = Asked(run=run_directory, report=report, as_json=as_json)
    if not plain and session is None and play(config, path, asked):
        return
    asked.refuse_columns()
    result = backtested(config, path, session)
    if as_json:
        emit_json(result)
    else:
        show_backtested(result)
    refuse_halted(
        result.halted,
        result.faulted,
        where=result.out or result.recording,
        remedy="what follows the halt says nothing of the strategy; --out keeps the turns",
    )


def _require_new(out: Path) -> None:
    """Refuse to write where something is, before the time is spent; raises `ConfigError`."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(
            "something is there already: a backtest is not written over it",
            where=str(out),
            remedy="name a new directory with --out",
        )


def backtested(config: Config, path: Path, session: Path | None) -> Backtested:
    """Play the whole recording; the session's log is written when `session` is given."""
    feed = RecordedFeed(path)
    check(config.engine, feed.instruments)
    gateway = PaperGateway(config.paper.settings, config.seed)
    messages = feed.messages(Nanos(0))
    for instrument in feed.instruments:
        gateway.define(Nanos(0), instrument)
    run = Backtest(gateway)
    facts = opening(config, f"{config.desk}-backtest", "backtest", feed.instruments, Nanos(0))
    began, tally = time.monotonic(), Tally()
    with progress("backtest", None) as advance, _written(session, config.desk) as writer:
        for sealed in run.turns(facts, messages, Nanos(0)):
            tally.take(sealed)
            if writer is not None:
                writer.append(sealed)
            advance(sealed.turn.size)
    seconds = time.monotonic() - began
    events = run.engine.events
    return Backtested(
        recording=str(path),
        turns=tally.turns,
        events=events,
        first_time=tally.first_time,
        last_time=tally.last_time,
        seconds=seconds,
        events_per_second=events / max(seconds, 1e-9),
        digest=run.engine.digest(),
        head=tally.head.hex(),
        statistics=statistics(run.engine, tally.hedges),
        halted=run.engine.state.health.halted,
        faulted=tally.faulted,
        out=str(session or ""),
    )


@contextlib.contextmanager
def _written(out: Path | None, name: str) -> Iterator[ArchiveWriter | None]:
    """A writer of the session's log; what it wrote is removed again when the run breaks off."""
    if out is None:
        yield None
        return
    made = [each for each in (out, *out.parents) if not each.exists()]
    with ArchiveWriter(out, name=name, kind="session") as writer:
        whole = False
        try:
            yield writer
            writer.flush()
            whole = True
        finally:  # After Ctrl-C too: half a session must not pass for a whole one.
            if not whole:
                _remove(out, made)


def _remove(out: Path, made: list[Path]) -> None:
    """Empty a directory that was empty before, and remove those that were not there."""
    for entry in out.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for each in made:
        with contextlib.suppress(OSError):  # Somebody else put something there meanwhile.
            each.rmdir()


def show_backtested(result: Backtested) -> None:
    """Print what came of it."""
    numbers = result.statistics
    out.print(
        f"{result.turns:,} turns, {result.events:,} events in {result.seconds:.2f} s: "
        f"{result.events_per_second:,.0f}/s"
    )
    if result.turns:
        out.print(f"from {iso(result.first_time)} to {iso(result.last_time)}")
    if result.halted:
        out.print("[bold red]halted[/]: ", end="")
        out.print(f"{result.halted}. {result.faulted}".rstrip(), markup=False)
    rows = [
        (
            each.strategy,
            each.instrument,
            each.fills,
            f"{each.position:f} @ {each.entry:f}" if each.position else "flat",
            each.realised,
            each.unrealised,
            -each.fees,
            each.funding,
            f"{each.total:+f} {each.currency}",
        )
        for each in numbers.standings
    ]
    columns = ("strategy", "instrument", "fills", "position", "realised", "unrealised")
    table("", (*columns, "fees", "funding", "P&L"), rows)
    out.print(f"orders {numbers.orders:,} placed, {numbers.open} open, hedges {numbers.hedges}")
    out.print(f"state  {result.digest}")
    out.print(f"head   {result.head}")
    if result.out:
        out.print(f"session log in {result.out}")


attach(app)
compare.attach(app)
sweeps.attach(app)
