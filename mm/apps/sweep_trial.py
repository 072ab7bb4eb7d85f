"""One trial of a sweep: a configuration played over one window, reduced to figures and digests.

A trial is a function of its configuration, its rows and the code, and its key is the hash of the
three: what was found once need not be played again. What goes to a worker and what comes back are
structs that any wire can carry.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from mm.analytics import ratios
from mm.analytics.performance import MINUTE, changes, performance
from mm.analytics.run import Run
from mm.apps import config as configs
from mm.apps import snapshots
from mm.apps.config import Config
from mm.apps.played import played
from mm.apps.sweep_window import Clip, Window, clip_of
from mm.errors import ConfigError
from mm.events.units import Nanos

CODE: Final = (*snapshots.DECIDING, "log", "sim", "analytics", "apps")
"""The packages whose code makes a trial's result."""
DONE: Final = "done"
FAILED: Final = "failed"


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What all trials of a sweep share; `currency` empty: the only one there is."""

    windows: tuple[Window, ...]
    step: Nanos = MINUTE
    currency: str = ""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration to be played over the window at that place; `key` names the result."""

    key: str
    window: int
    config: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, in one currency; see `mm.analytics.performance`. None: not computable."""

    currency: str
    profit: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    funding: Decimal
    turnover: Decimal
    orders: int
    fills: int
    sharpe: float | None
    sharpe_error: float | None
    sortino: float | None
    drawdown: float | None
    step: Nanos
    changes: tuple[float, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial ended; `error` says why it failed, `digest` names every row of its run."""

    key: str
    status: str
    error: str = ""
    digest: str = ""
    figures: Figures | None = None
    seconds: float = 0.0


def code() -> str:
    """Which code makes the results."""
    return snapshots.fingerprint(CODE)


def key_of(config_hash: str, window: Window, setup: Setup, code_hash: str) -> str:
    """The name of a result: SHA-256 of all that it follows from."""
    made_of = (config_hash, window.digest, window.first, window.last, setup.step, setup.currency)
    return hashlib.sha256(msgspec.json.encode((*made_of, code_hash))).hexdigest()


def config_of(text: str) -> Config:
    """A configuration from its canonical form."""
    return configs.build(msgspec.json.decode(text), {}, {}, where="the sweep")


class Player:
    """Plays the trials of one sweep; rows are mapped once."""

    def __init__(self, setup: Setup) -> None:
        """Open nothing before it is needed."""
        self._setup = setup
        self._clips: dict[int, Clip] = {}

    def play(self, trial: Trial) -> Outcome:
        """Play a trial; raises what the run raises."""
        began = time.perf_counter()
        window = self._setup.windows[trial.window]
        clip = self._clips.get(trial.window)
        if clip is None:
            clip = self._clips[trial.window] = clip_of(window)
        run = played(config_of(trial.config), [Path(window.recording)], clip)
        return Outcome(
            key=trial.key,
            status=DONE,
            digest=hashlib.sha256(msgspec.json.encode(run.digests(), order="sorted")).hexdigest(),
            figures=figures(run, self._setup.step, self._setup.currency),
            seconds=time.perf_counter() - began,
        )


def figures(run: Run, step: Nanos, currency: str = "") -> Figures | None:
    """The figures of a run, None where nothing was traded; raises `ConfigError`."""
    whole = performance(run, step)
    found = [each.profit.currency for each in whole.risks]
    if not found:
        return None
    chosen = _chosen(found, currency)
    risk = whole.risks[found.index(chosen)]
    mine = [each.trading for each in whole.accounts if each.profit.currency == chosen]
    return Figures(
        currency=chosen,
        profit=risk.profit.total,
        realised=risk.profit.realised,
        unrealised=risk.profit.unrealised,
        fees=risk.profit.fees,
        funding=risk.profit.funding,
        turnover=sum((each.turnover for each in mine), Decimal(0)),
        orders=sum(each.orders for each in mine),
        fills=sum(each.fills for each in mine),
        sharpe=known(risk.sharpe),
        sharpe_error=known(risk.sharpe_error),
        sortino=known(risk.sortino),
        drawdown=known(risk.drawdown),
        step=risk.step,
        changes=tuple(changes(run, chosen, step).tolist()),
    )


def known(value: float) -> float | None:
    """None for what is no number."""
    return value if math.isfinite(value) else None


def ratio(series: Sequence[float], step: Nanos) -> float | None:
    """The Sharpe ratio of changes, a year; None where there is none."""
    year = ratios.YEAR_DAYS * 86_400e9
    return known(ratios.sharpe(np.array(series, np.float64), year / step))


def _chosen(found: Sequence[str], currency: str) -> str:
    if (currency or len(found) == 1) and (currency or found[0]) in found:
        return currency or found[0]
    raise ConfigError(
        f"the run made money in {', '.join(found)}"
        + (f", not in {currency}" if currency else ": currencies are never added"),
        where="--currency",
        remedy="name the one to judge by with --currency",
    )
