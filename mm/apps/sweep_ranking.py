"""Which parameters did best: over all windows, and out of sample by walking forward.

A candidate is one set of parameters; it was played over every window of every recording. Its
Sharpe ratio is that of its changes in all of them, one after another; its profit is their sum. One
that failed anywhere has no score. Walking forward asks at every window but the first: who was best
in the windows before, and how did he fare here? The ratio is deflated by how many were tried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, localcontext
from itertools import chain
from typing import Final

import msgspec
import numpy as np

from mm.analytics import deflated, ratios
from mm.apps.sweep_results import Walk
from mm.apps.sweep_space import Parameters
from mm.apps.sweep_trial import Figures, Outcome, ratio
from mm.apps.sweep_window import Window
from mm.events.units import EXACT

OBJECTIVES: Final = ("sharpe", "profit")
SUMMED: Final = ("profit", "realised", "unrealised", "fees", "funding", "turnover")


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A set of parameters, and what came of it in each window (by place); None where it failed."""

    number: int
    parameters: Parameters
    found: dict[int, Outcome | None]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate's figures over all windows; `drawdown` is the deepest of any window's."""

    number: int
    parameters: Parameters
    score: float
    currency: str
    profit: Decimal
    fees: Decimal
    turnover: Decimal
    orders: int
    fills: int
    sharpe: float | None
    drawdown: float | None


class Luck(msgspec.Struct, frozen=True, kw_only=True):
    """Is the best more than luck? `probability` after `tried` trials, None where unknown.

    `ratio` and `expected` (what the best of so many useless ones would show) are of one step.
    """

    tried: int
    step: int
    ratio: float | None
    expected: float
    probability: float | None


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """Walking forward: window by window, and all that was out of sample one after another."""

    windows: list[Walk]
    sharpe: float | None
    profit: Decimal | None


def ranked(candidates: Sequence[Candidate], objective: str) -> list[Standing]:
    """Those that have a score, best first; equal ones in the order in which they were named."""
    found = [standing(each, objective) for each in candidates]
    return sorted((each for each in found if each), key=lambda each: (-each.score, each.number))


def standing(candidate: Candidate, objective: str) -> Standing | None:
    """The figures of a candidate over all of its windows; None where any failed."""
    figures = figures_of(candidate, list(candidate.found))
    if not figures:
        return None
    value = score(figures, objective)
    if value is None:
        return None
    money = summed(figures)
    return Standing(
        number=candidate.number,
        parameters=candidate.parameters,
        score=value,
        currency=figures[0].currency,
        profit=money["profit"],
        fees=money["fees"],
        turnover=money["turnover"],
        orders=sum(each.orders for each in figures),
        fills=sum(each.fills for each in figures),
        sharpe=score(figures, "sharpe"),
        drawdown=max(
            (each.drawdown for each in figures if each.drawdown is not None), default=None
        ),
    )


def figures_of(candidate: Candidate, places: Sequence[int]) -> list[Figures]:
    """Its figures in some windows; none at all where any of them failed."""
    outcomes = [candidate.found.get(place) for place in places]
    if not all(outcomes):
        return []
    return [each.figures for each in outcomes if each is not None and each.figures is not None]


def score(figures: Sequence[Figures], objective: str) -> float | None:
    """How good that is; None where it cannot be told."""
    if not figures:
        return None
    if objective == "profit":
        return float(summed(figures)["profit"])
    return ratio(series(figures), figures[0].step)


def series(figures: Sequence[Figures]) -> list[float]:
    """The changes of the equity in one window after another."""
    return list(chain.from_iterable(each.changes for each in figures))


def summed(figures: Sequence[Figures]) -> dict[str, Decimal]:
    """Money, added exactly."""
    with localcontext(EXACT):
        return {name: sum((getattr(each, name) for each in figures), Decimal(0)) for name in SUMMED}


def luck(candidates: Sequence[Candidate], best: int) -> Luck:
    """The deflated Sharpe ratio of a candidate among all that were tried.

    Who never traded was tried as well, with a ratio of 0; who failed was not.
    """
    found = {each.number: figures_of(each, list(each.found)) for each in candidates}
    tried = {number: _once(figures) for number, figures in found.items() if figures}
    known = [each or 0.0 for each in tried.values()]
    chosen = found[best]
    spread = float(np.var(known, ddof=1)) if len(known) > 1 else 0.0
    probability = deflated.deflated(np.array(series(chosen)), known)
    return Luck(
        tried=len(known),
        step=chosen[0].step,
        ratio=tried[best],
        expected=deflated.best_of_useless(len(known), spread),
        probability=probability if math.isfinite(probability) else None,
    )


def _once(figures: Sequence[Figures]) -> float | None:
    """The ratio of one step."""
    value = ratios.sharpe(np.array(series(figures)), 1.0)
    return value if math.isfinite(value) else None


def walked(candidates: Sequence[Candidate], windows: Sequence[Window], objective: str) -> Walked:
    """Every window but the first, with the best of those that ended before it began."""
    places = sorted(range(len(windows)), key=lambda place: (windows[place].first, place))
    steps: list[Walk] = []
    outside: list[Figures] = []
    for place in places:
        before = [each for each in places if windows[each].last < windows[place].first]
        if before:
            best, value = _best(candidates, before, objective)
            here = figures_of(best, [place]) if best is not None else []
            steps.append(_step(windows[place], best, value, score(here, objective), here))
            outside += here
    return Walked(
        windows=steps,
        sharpe=score(outside, "sharpe"),
        profit=summed(outside)["profit"] if outside else None,
    )


def _best(
    candidates: Sequence[Candidate], places: Sequence[int], objective: str
) -> tuple[Candidate | None, float | None]:
    """The best in some windows, the first named of equals, and its score."""
    best, most = None, None
    for each in candidates:
        value = score(figures_of(each, places), objective)
        if value is not None and (most is None or value > most):
            best, most = each, value
    return best, most


def _step(
    window: Window,
    best: Candidate | None,
    before: float | None,
    value: float | None,
    here: Sequence[Figures],
) -> Walk:
    return Walk(
        recording=window.recording,
        window=window.number,
        first=window.first,
        last=window.last,
        number=best.number if best is not None else None,
        parameters=best.parameters if best is not None else {},
        score_before=before,
        score=value,
        profit=summed(here)["profit"] if here else None,
    )
