"""`mm replay backtest` by the compiled pass: the tear sheet, the page, the columns."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from mm.analytics.performance import Performance, performance
from mm.analytics.report import write_report
from mm.analytics.run import Run, require_new
from mm.analytics.tear_sheet import tear_sheet
from mm.apps.cli.output import emit_json, err, out, progress
from mm.apps.config import Config
from mm.apps.played import played, refusal, rows_at
from mm.errors import ConfigError
from mm.sim.compiled_run import warm


class Asked(msgspec.Struct, frozen=True):
    """What is wanted of a run: its columns in a directory, a page in a file, JSON."""

    run: Path | None
    report: Path | None
    as_json: bool

    def refuse_columns(self) -> None:
        """Raise `ConfigError` where columns are wanted of a run that leaves a log instead."""
        if self.run is not None or self.report is not None:
            raise ConfigError(
                "a run that is played turn by turn leaves a log, no columns",
                where="--run" if self.run is not None else "--report",
                remedy="leave out --plain and --out, or this where the pass refuses the settings",
            )


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a compiled backtest; `digests` are of its columns."""

    recording: str
    events: int
    seconds: float
    events_per_second: float
    orders: int
    fills: int
    digests: dict[str, str]
    performance: Performance
    run: str
    report: str


def play(config: Config, recordings: Sequence[Path], asked: Asked) -> bool:
    """Play it and say what came of it; False, with the reason told, where the pass cannot."""
    if asked.run is not None:
        require_new(asked.run)
    with progress("preparing rows (first use)", None):
        rows = rows_at(*recordings)
    reason = refusal(config)
    if reason:
        err.print(f"played turn by turn: {reason}", markup=False)
        return False
    with progress("compiling the pass (first use)", None):
        warm()
    began = time.monotonic()
    run = played(config, recordings, rows)
    seconds = time.monotonic() - began
    figures = performance(run)
    if asked.run is not None:
        run.save(asked.run, figures)
    if asked.report is not None:
        write_report(run, asked.report)
    if asked.as_json:
        emit_json(_result(run, seconds, figures, asked))
    else:
        _show(run, seconds, asked)
    return True


def _result(run: Run, seconds: float, figures: Performance, asked: Asked) -> Any:
    return Played(
        recording=run.info.recording,
        events=run.info.events,
        seconds=seconds,
        events_per_second=run.info.events / max(seconds, 1e-9),
        orders=len(run.orders),
        fills=len(run.fills),
        digests=run.digests(),
        performance=figures,
        run=str(asked.run or ""),
        report=str(asked.report or ""),
    )


def _show(run: Run, seconds: float, asked: Asked) -> None:
    rate = run.info.events / max(seconds, 1e-9)
    out.print(f"{run.info.events:,} events in {seconds:.2f} s: {rate:,.0f}/s")
    out.print(tear_sheet(run))
    for name, digest in run.digests().items():
        out.print(f"[dim]{name:7}[/] {digest}")
    if asked.run is not None:
        out.print(f"columns in {asked.run}")
    if asked.report is not None:
        out.print(f"page in {asked.report}")
