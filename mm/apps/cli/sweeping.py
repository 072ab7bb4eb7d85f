"""What `mm replay sweep` does: reads what was asked, runs the sweep, and prints what came of it.

Ctrl-C ends it between two results: what was finished is in the file, and the same command goes on.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from mm.apps import config as configs
from mm.apps.cli.live import warm_kernels
from mm.apps.cli.output import emit_json, progress
from mm.apps.cli.sweep_tables import show
from mm.apps.played import named, one_file
from mm.apps.sessions import find
from mm.apps.sweep import Base, Chooser, Failure, Grid, Sweep
from mm.apps.sweep_pool import LocalPool
from mm.apps.sweep_ranking import OBJECTIVES, Luck, Standing, Walked, luck, ranked, walked
from mm.apps.sweep_results import Results, file_of
from mm.apps.sweep_space import axes_of, product, spaces_of, toml_lines
from mm.apps.sweep_trial import Setup, code
from mm.apps.sweep_window import Window, windows_of
from mm.errors import ConfigError, Interrupted, TrialsFailed
from mm.events.units import SECONDS, Nanos
from mm.sim.compiled_run import warm as warm_pass

FEED: Final = re.compile("MM_FEED(__|$)", re.IGNORECASE)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The command line."""

    config: Path
    recordings: tuple[str, ...]
    out: Path
    grid: tuple[str, ...]
    optuna: int
    space: tuple[str, ...]
    seed: int
    workers: int
    windows: int
    together: bool
    objective: str
    currency: str
    step: int
    data: Path | None
    as_json: bool


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a sweep; `best` has every candidate with a score, the best one first.

    A candidate is a set of parameters; it takes a trial for each window.
    """

    file: str
    objective: str
    candidates: int
    trials: int
    played: int
    reused: int
    seconds: float
    best: list[Standing]
    toml: list[str]
    luck: Luck | None
    walk_forward: Walked | None
    failures: list[Failure]


def swept_as(asked: Asked) -> None:
    """Run a sweep and print it; raises `TrialsFailed` where any did, `Interrupted`."""
    chooser = chooser_of(asked)
    base = base_of(asked.config, os.environ)
    windows = windows_asked(asked)
    result = run(asked, chooser, base, windows)
    if asked.as_json:
        emit_json(result)
    else:
        show(result)
    if result.failures:
        raise TrialsFailed(
            f"{len(result.failures):,} of {result.trials:,} trials failed, the rest is done",
            where=result.file,
            remedy="the column `error` of its table `trials` says why; the same command retries",
        )


def chooser_of(asked: Asked) -> Chooser:
    """A grid, or a search; raises `ConfigError`."""
    if asked.objective not in OBJECTIVES:
        raise ConfigError(
            f"there is no objective {asked.objective!r}",
            where="--objective",
            remedy=f"choose {' or '.join(OBJECTIVES)}",
        )
    if bool(asked.optuna) == bool(asked.grid) or bool(asked.optuna) != bool(asked.space):
        raise ConfigError(
            "a sweep is over a grid, or a search of a space",
            where="--grid",
            remedy="give --grid, once or more; or --optuna N and --space, once or more",
        )
    if not asked.optuna:
        return Grid(list(product(axes_of(asked.grid))))
    from mm.apps.sweep_search import Search

    journal = file_of(asked.out).with_suffix(".study.log")
    return Search(spaces_of(asked.space), asked.optuna, asked.seed, journal)


def base_of(path: Path, environment: Mapping[str, str]) -> Base:
    """The config that parameters are laid over; raises `ConfigError`."""
    given = {name: text for name, text in environment.items() if not FEED.match(name)}
    return Base(plain=configs.read(path), environment=given, where=str(path))


def windows_asked(asked: Asked) -> tuple[Window, ...]:
    """The windows of all recordings; what has to be compiled or made for that is."""
    paths = [find(each, asked.data) for each in asked.recordings]
    markets = [paths] if asked.together else [[path] for path in paths]
    warm_kernels()
    with progress("compiling the pass (first use)", None):
        warm_pass()
    with progress("reading the recordings", None):
        return tuple(
            window
            for market in markets
            for window in windows_of(named(market), one_file(*market), asked.windows)
        )


def run(asked: Asked, chooser: Chooser, base: Base, windows: tuple[Window, ...]) -> Swept:
    """Play every trial that is not written down yet."""
    setup = Setup(windows=windows, step=Nanos(asked.step * SECONDS), currency=asked.currency)
    began, total = time.monotonic(), chooser.total * len(windows)
    with Results(file_of(asked.out)) as results:
        swept = Sweep(base, setup, results, code())
        with (
            stopping() as stop,
            LocalPool(setup, asked.workers or cores()) as pool,
            progress(f"{total:,} trials", total) as advance,
        ):

            def heard(ended: int) -> None:
                advance(ended)
                if stop.is_set():
                    raise interrupted(swept, total, results.file)

            swept.run(chooser, pool, asked.objective, heard)
        best = ranked(swept.candidates, asked.objective)
        walk = walked(swept.candidates, windows, asked.objective) if asked.windows > 1 else None
        results.put_walk(walk.windows if walk is not None else [])
    return Swept(
        file=str(results.file),
        objective=asked.objective,
        candidates=len(swept.candidates),
        trials=total,
        played=swept.played,
        reused=swept.reused,
        seconds=time.monotonic() - began,
        best=best,
        toml=toml_lines(best[0].parameters) if best else [],
        luck=luck(swept.candidates, best[0].number) if best else None,
        walk_forward=walk,
        failures=swept.failures,
    )


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def interrupted(swept: Sweep, total: int, file: Path) -> Interrupted:
    """What Ctrl-C leaves."""
    return Interrupted(
        f"stopped by Ctrl-C; {swept.played + swept.reused:,} of {total:,} trials are written down",
        where=str(file),
        remedy="the same command goes on",
    )


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, instead of breaking off a write; twice breaks off."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    def asked(number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt(number)
        stop.set()

    for each, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(each, asked)
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
