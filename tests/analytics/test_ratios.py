"""Ratios against published vectors: empyrical's tests, and the paper's own worked example."""

import math

import numpy as np
import pytest

from mm.analytics import deflated, ratios
from mm.analytics.deflated import Shape

MIXED = np.array([1, 10, -4, 2, 3, 2, 1, -10]) / 100
"""empyrical's `mixed_returns`, whose first value is not a number and leaves every mean alone."""
MIXED_WHOLE = np.array([0, *MIXED])
"""The same with all nine intervals: empyrical counts the first one where it counts intervals."""
POSITIVE = np.array([1, 2, 1, 1, 1, 1, 1, 1, 1]) / 100
NEGATIVE = np.array([0, -6, -7, -1, -9, -2, -6, -8, -5]) / 100
BENCHMARK = np.array([1, 0, 1, 0, 1, 0, 1, 0]) / 100
DAYS = 252


def close(value: float) -> object:
    """Equal but for the order of additions."""
    return pytest.approx(value, rel=1e-12)


def test_sharpe() -> None:
    """Mean over deviation, as empyrical's tests have it."""
    assert ratios.sharpe(MIXED, DAYS) == close(1.7238613961706866)
    assert ratios.sharpe(POSITIVE, DAYS) == close(52.915026221291804)
    assert ratios.sharpe(MIXED - BENCHMARK, DAYS) == close(0.34111411441060574)
    assert ratios.sharpe(MIXED, DAYS, 0.01) == ratios.sharpe(MIXED - 0.01, DAYS)


def test_sortino() -> None:
    """Only losses count as risk; without any the ratio is infinite."""
    assert ratios.sortino(MIXED, DAYS) == close(2.605531251673693)
    assert ratios.sortino(POSITIVE, DAYS) == math.inf
    assert ratios.downside_risk(MIXED, DAYS) == close(0.60448325038829653)


def test_drawdown_of_returns() -> None:
    """A fall is measured from the highest point so far, the start among them."""
    assert ratios.max_drawdown(MIXED) == close(-0.1)
    assert ratios.max_drawdown(POSITIVE) == 0
    assert ratios.max_drawdown(np.array([0.1, -0.1, 0.1])) == close(-0.1)
    assert ratios.max_drawdown(NEGATIVE) == close(float(np.prod(1 + NEGATIVE)) - 1)


def test_annual_figures() -> None:
    """Return and Calmar of a year."""
    assert ratios.annual_return(MIXED_WHOLE, DAYS) == close(1.9135925373194231)
    assert ratios.calmar(MIXED_WHOLE, DAYS) == close(19.135925373194233)


@pytest.mark.parametrize("changes", [[], [0.01]], ids=["none", "one"])
def test_too_few_changes_have_no_ratio(changes: list[float]) -> None:
    """Without a spread there is no ratio, and that is said."""
    few = np.array(changes)
    assert math.isnan(ratios.sharpe(few, DAYS))
    assert math.isnan(ratios.sharpe_error(few, DAYS))
    assert math.isnan(ratios.sortino(few, DAYS))


def test_what_never_moves_has_no_ratio() -> None:
    """Nothing earned at no risk is no number; something earned at no risk is infinite."""
    assert math.isnan(ratios.sharpe(np.zeros(5), DAYS))
    assert ratios.sharpe(np.full(4, 0.5), DAYS) == math.inf
    assert ratios.sortino(np.full(4, -0.5), 1) == -1
    assert math.isnan(ratios.calmar(POSITIVE, DAYS))
    assert math.isnan(ratios.annual_return(np.zeros(0), DAYS))
    assert math.isnan(ratios.downside_risk(np.zeros(0), DAYS))


def test_the_error_of_a_ratio() -> None:
    """Lo's standard error: 100 changes with a ratio of 0 leave it uncertain by a tenth."""
    changes = np.tile([1.0, -1.0], 50)
    assert ratios.sharpe_error(changes, 1) == close(0.1)
    assert ratios.sharpe_error(changes, 365) == close(0.1 * math.sqrt(365))


DAILY = 2.5 / math.sqrt(250)
FAT = Shape(1250, skewness=-3, kurtosis=10)


def test_deflated_sharpe_of_the_paper() -> None:
    """Bailey and Lopez de Prado's example: 2.5 a year, five years, the best of 100 tries."""
    against = deflated.best_of_useless(100, 0.5 / 250)
    assert against == pytest.approx(0.1132, abs=5e-5)
    assert deflated.probabilistic(DAILY, against, FAT) == pytest.approx(0.9004, abs=5e-5)


@pytest.mark.parametrize(("tries", "sample"), [(46, FAT), (88, Shape(1250))])
def test_tries_that_leave_95_percent(tries: int, sample: Shape) -> None:
    """The paper's limits: 46 tries with fat tails, 88 with normal ones, leave 95 %."""
    left = [
        deflated.probabilistic(DAILY, deflated.best_of_useless(n, 0.5 / 250), sample)
        for n in (tries, tries + 1)
    ]
    assert left[0] == pytest.approx(0.9505, abs=5e-5)
    assert left[1] < left[0]


def test_one_try_is_not_deflated() -> None:
    """A run that was not chosen among others is held against 0."""
    assert deflated.best_of_useless(1, 0.5) == 0
    assert deflated.deflated(MIXED, [0.1]) == deflated.probabilistic(
        ratios.sharpe(MIXED, 1), 0, deflated.shape(MIXED)
    )


def test_more_tries_deflate_more() -> None:
    """The same run chosen among more and more varied ones is likelier luck."""
    few = deflated.deflated(MIXED, [0.1, 0.0, -0.1])
    many = deflated.deflated(MIXED, [0.1, 0.0, -0.1] * 10)
    assert 0 < many < few < 1


def test_shape_of_a_sample() -> None:
    """Two equal steps up and down have no skewness and the least kurtosis; no step is normal."""
    assert deflated.shape(np.array([1.0, -1.0])) == Shape(2, 0.0, 1.0)
    assert deflated.shape(np.zeros(3)) == Shape(3)


@pytest.mark.parametrize("sample", [Shape(1), Shape(100, skewness=50)], ids=["small", "odd"])
def test_no_probability_of_nonsense(sample: Shape) -> None:
    """A sample for which the formula has no root gives no number."""
    assert math.isnan(deflated.probabilistic(1.0, 0.0, sample))
