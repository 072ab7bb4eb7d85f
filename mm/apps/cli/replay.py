"""`mm replay`: verify that a session's decisions follow from its facts; backtest a strategy."""

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from mm.apps import config as configs
from mm.apps.cli import compare
from mm.apps.cli import sweep as sweeps
from mm.apps.cli.backtesting import backtested, show_backtested
from mm.apps.cli.columns import Asked, play
from mm.apps.cli.live import refuse_halted, run, warm_kernels, warm_venue
from mm.apps.cli.output import emit_json, out, progress, table
from mm.apps.cli.whatif import attach
from mm.apps.logs import turns
from mm.apps.own import loaded
from mm.apps.played import named
from mm.apps.sessions import find
from mm.engine.parameters import settings_in
from mm.engine.verify import Verification, Verifier
from mm.errors import ConfigError, ReplayDiverged, SessionError
from mm.events.session import SessionStarted

app = typer.Typer(add_completion=False, no_args_is_help=True)
FEED: Final = re.compile("MM_FEED(__|$)", re.IGNORECASE)
VERIFY_EXAMPLE: Final = """
Example:

    mm replay verify demo
"""
BACKTEST_EXAMPLE: Final = """
Example:

    mm replay backtest --strategy maker.toml btcusdt.rec --out run1
    mm replay backtest --strategy maker.toml btcusdt.rec ethusdt.rec --run run2
"""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `verify`, with how long it took."""

    session: str
    seconds: float
    rows_per_second: float
    verification: Verification


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
                for fact in sealed.turn.facts if sealed.turn.previous_orders else ():
                    if isinstance(fact, SessionStarted):
                        loaded(settings_in(fact.config).strategies)
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
    recordings: Annotated[
        list[str],
        typer.Argument(help="Recordings (or sessions) by name or path; several are one market."),
    ],
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
    paths = [find(each, data) for each in recordings]
    written = configs.read(strategy)
    feed = {"kind": "recording", "path": named(recordings), "speed": "max"}
    # Variables of the feed are for sessions: the recording is named on the command line.
    given = {name: text for name, text in os.environ.items() if not FEED.match(name)}
    config = configs.build({**written, "feed": feed}, given, {}, where=str(strategy))
    if session is not None:
        _require_new(session)
    warm_kernels()
    asked = Asked(run=run_directory, report=report, as_json=as_json)
    if not plain and session is None and play(config, paths, asked):
        return
    asked.refuse_columns()
    warm_venue()
    result = backtested(config, _only(paths), session)
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


def _only(paths: list[Path]) -> Path:
    """The one recording; raises `ConfigError` where there are several."""
    if len(paths) > 1:
        raise ConfigError(
            "turn by turn one recording is played, not several as one market",
            where=named(paths),
            remedy="leave out --plain and --out and change what the pass cannot play, "
            "or name one recording",
        )
    return paths[0]


def _require_new(out: Path) -> None:
    """Refuse to write where something is, before the time is spent; raises `ConfigError`."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(
            "something is there already: a backtest is not written over it",
            where=str(out),
            remedy="name a new directory with --out",
        )


attach(app)
compare.attach(app)
sweeps.attach(app)
