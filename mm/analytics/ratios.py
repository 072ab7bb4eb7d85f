"""Ratios of a series of changes: what earning that unevenly was worth.

The series is either returns (fractions of capital) or changes of money at equal intervals;
`periods` is how many intervals a year has. Crypto trades every day: a year has 365 days here, and
252 only where a caller says so. Definitions are those of empyrical (Quantopian; the reloaded fork's
`stats.py`), and its published test vectors are our tests. Multiplying by the root of `periods` is
right only for changes that do not follow from each other (A. Lo, "The Statistics of Sharpe Ratios",
Financial Analysts Journal 58(4), 2002): a market maker's often do, so the interval is always told
beside the figure. What cannot be computed is NaN.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
YEAR_DAYS: Final = 365
SAMPLES_MIN: Final = 2
"""Fewer changes than this have no spread."""


def sharpe(changes: Floats, periods: float, risk_free: float = 0.0) -> float:
    """Mean over standard deviation (n - 1), a year; `risk_free` is per interval, as the changes."""
    if len(changes) < SAMPLES_MIN:
        return math.nan
    spread = float(np.std(changes - risk_free, ddof=1))
    return _ratio(float(np.mean(changes - risk_free)), spread) * math.sqrt(periods)


def sharpe_error(changes: Floats, periods: float) -> float:
    """One standard error of the Sharpe ratio of independent changes: sqrt((1 + S^2/2) / n), a year.

    Lo (2002), equation 9; S is the ratio of one interval.
    """
    if len(changes) < SAMPLES_MIN:
        return math.nan
    once = sharpe(changes, 1.0)
    return math.sqrt((1 + once * once / 2) / len(changes) * periods)


def downside_risk(changes: Floats, periods: float) -> float:
    """Root of the mean square of the losses, over all intervals, a year."""
    if not len(changes):
        return math.nan
    return math.sqrt(float(np.mean(np.minimum(changes, 0.0) ** 2)) * periods)


def sortino(changes: Floats, periods: float) -> float:
    """Mean, a year, over downside risk, a year; infinite where nothing was ever lost."""
    if len(changes) < SAMPLES_MIN:
        return math.nan
    return _ratio(float(np.mean(changes)) * periods, downside_risk(changes, periods))


def max_drawdown(returns: Floats) -> float:
    """The deepest fall of compounded returns below their peak, which starts at 1; never above 0."""
    wealth = np.cumprod(np.concatenate([[1.0], 1.0 + returns]))
    return float((wealth / np.maximum.accumulate(wealth) - 1.0).min())


def annual_return(returns: Floats, periods: float) -> float:
    """What compounding at the same pace would give in a year."""
    if not len(returns):
        return math.nan
    grown = float(np.prod(1.0 + returns))
    return math.pow(grown, periods / len(returns)) - 1.0


def calmar(returns: Floats, periods: float) -> float:
    """Annual return over the depth of the drawdown; NaN where there was none."""
    depth = -max_drawdown(returns)
    return annual_return(returns, periods) / depth if depth > 0 else math.nan


def _ratio(gain: float, risk: float) -> float:
    if risk > 0:
        return gain / risk
    return math.nan if gain == 0 else math.copysign(math.inf, gain)
