"""Is a Sharpe ratio more than luck? Probabilistic and deflated Sharpe ratios.

The best of many tries looks good even if none of them is. The deflated ratio is the probability
that the true ratio is above what the best of that many useless tries would show. After D. Bailey
and M. Lopez de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting, and Non-Normality", Journal of Portfolio Management 40(5), 2014. All ratios are those
of one interval, not of a year; kurtosis is 3 for a normal distribution.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from mm.analytics.ratios import Floats, sharpe

NORMAL: Final = NormalDist()
EULER_MASCHERONI: Final = 0.5772156649015329


class Shape(NamedTuple):
    """The sample a ratio was measured on: how many changes, and how they were spread."""

    size: int
    skewness: float = 0.0
    kurtosis: float = 3.0


def shape(changes: Floats) -> Shape:
    """Count, skewness and kurtosis of a series, by its central moments."""
    centred = changes - np.mean(changes)
    variance = float(np.mean(centred**2))
    if variance == 0:
        return Shape(len(changes))
    return Shape(
        size=len(changes),
        skewness=float(np.mean(centred**3)) / variance**1.5,
        kurtosis=float(np.mean(centred**4)) / variance**2,
    )


def probabilistic(ratio: float, against: float, sample: Shape) -> float:
    """The probability that the true ratio is above `against`.

    PSR = Phi((SR - SR*) sqrt(T - 1) / sqrt(1 - g3 SR + (g4 - 1) SR^2 / 4)), with skewness g3 and
    kurtosis g4 of T changes; NaN where the sample is too small or too odd for it.
    """
    spread = 1 - sample.skewness * ratio + (sample.kurtosis - 1) / 4 * ratio**2
    if sample.size < 2 or not spread > 0:  # noqa: PLR2004  One change has no spread.
        return math.nan
    return NORMAL.cdf((ratio - against) * math.sqrt((sample.size - 1) / spread))


def best_of_useless(tries: int, variance: float) -> float:
    """The highest ratio expected among `tries` independent ones whose true ratio is 0.

    sqrt(V) ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e))), with the variance V of the ratios
    over the tries and the Euler-Mascheroni constant g.
    """
    if tries < 2:  # noqa: PLR2004  A single try was not chosen.
        return 0.0
    high = NORMAL.inv_cdf(1 - 1 / tries)
    higher = NORMAL.inv_cdf(1 - 1 / (tries * math.e))
    return math.sqrt(variance) * ((1 - EULER_MASCHERONI) * high + EULER_MASCHERONI * higher)


def deflated(changes: Floats, tried: Sequence[float]) -> float:
    """The probability that the best of a sweep is more than luck.

    `changes` is the chosen run's series, `tried` the ratios (one interval's, as those of `changes`)
    of all runs of the sweep, the chosen one among them.
    """
    variance = float(np.var(tried, ddof=1)) if len(tried) > 1 else 0.0
    against = best_of_useless(len(tried), variance)
    return probabilistic(sharpe(changes, 1.0), against, shape(changes))
