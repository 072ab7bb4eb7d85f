"""`mm replay`: verify that a session's decisions follow from its facts; backtest a strategy."""

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from mm.apps import config as configs
from mm.apps.backtest import Backtest
from mm.apps.cli.live import run, warm_kernels
from mm.apps.cli.output import emit_json, out, progress, table
from mm.apps.config import Config
from mm.apps.logs import turns
from mm.apps.session import check, opening
from mm.apps.sessions import find
from mm.apps.statistics import Statistics, statistics
from mm.engine.verify import Verification, Verifier
from mm.errors import ConfigError, ReplayDiverged, SessionError
from mm.events.orders import PlaceOrder
from mm.events.units import Nanos
from mm.gateways.paper import PaperGateway
from mm.gateways.recorded import RecordedFeed
from mm.log.archive import ArchiveWriter

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
    """The result of a backtest."""

    recording: str
    turns: int
    events: int
    seconds: float
    events_per_second: float
    digest: str
    head: str
    statistics: Statistics
    out: str


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
    data: Annotated[Path | None, typer.Option(help="Directory of all desks.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run a strategy over recorded market data against the simulated venue."""
    path = find(recording, data)
    plain = configs.read(strategy)
    feed = {"kind": "recording", "path": str(recording), "speed": "max"}
    # Variables of the feed are for sessions: the recording is named on the command line.
    given = {name: text for name, text in os.environ.items() if not FEED.match(name)}
    config = configs.build({**plain, "feed": feed}, given, {}, where=str(strategy))
    if session is not None:
        _require_new(session)
    warm_kernels()
    result = backtested(config, path, session)
    if as_json:
        emit_json(result)
    else:
        show_backtested(result)


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
    writer = ArchiveWriter(session, name=config.desk, kind="session") if session else None
    began = time.monotonic()
    count, hedges, head = 0, 0, b""
    with progress("backtest", None) as advance:
        for sealed in run.turns(facts, messages, Nanos(0)):
            count += 1
            head = sealed.hash
            hedges += sum(_is_hedge(each) for each in sealed.turn.decisions)
            if writer is not None:
                writer.append(sealed)
            advance(sealed.turn.size)
    if writer is not None:
        writer.close()
    seconds = time.monotonic() - began
    events = run.engine.events
    return Backtested(
        recording=str(path),
        turns=count,
        events=events,
        seconds=seconds,
        events_per_second=events / max(seconds, 1e-9),
        digest=run.engine.digest(),
        head=head.hex(),
        statistics=statistics(run.engine, hedges),
        out=str(session or ""),
    )


def _is_hedge(decision: Any) -> bool:
    return isinstance(decision, PlaceOrder) and decision.reason == "hedge"


def show_backtested(result: Backtested) -> None:
    """Print what came of it."""
    numbers = result.statistics
    out.print(
        f"{result.turns:,} turns, {result.events:,} events in {result.seconds:.2f} s: "
        f"{result.events_per_second:,.0f}/s"
    )
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
