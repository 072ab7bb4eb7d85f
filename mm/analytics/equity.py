"""Equity, inventory and drawdown over log time, for plots and ratios.

Equity is what closing everything at the mid would leave: cash that flowed, plus the position at the
mid, minus fees, plus funding. Positions and cash are whole numbers until the last step; the curve
itself is float64, good for a picture or a ratio and never for the books: the exact figure at the
end is the ledger's. A mid that is not known is the one before it, at the start the first there is.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mm.analytics.money import UNITS, Whole, charged, points
from mm.analytics.run import Traded
from mm.events.instrument import ContractKind
from mm.events.units import EXACT, INT64_MAX
from mm.projections.position import SCALE, unit

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


class Curve(NamedTuple):
    """Money in one currency at log times in nanoseconds."""

    at: Times
    equity: Floats


class Drawdown(NamedTuple):
    """How deep under its peak a curve fell (money, never negative), and for how long at most."""

    deepest: float
    longest: int
    """Nanoseconds from a peak until it is reached again, or until the end."""
    share: float
    """Of the whole time, spent under a peak."""


def curve(accounts: Sequence[Traded]) -> Curve:
    """The equity of several accounts in one settlement currency, together."""
    times = [each.points["at"] for each in accounts] + [each.fills["heard"] for each in accounts]
    at: Times = np.sort(np.concatenate(times))
    at = at[np.diff(at, prepend=-1) != 0]  # Sorting beats hashing where most times differ.
    return Curve(at, np.sum([equity(each, at) for each in accounts], axis=0, dtype=np.float64))


def equity(traded: Traded, at: Times) -> Floats:
    """Equity of one account at given times, in its settlement currency."""
    return gross(traded, at) - _fees(traded, at) + _funding(traded, at)


def gross(traded: Traded, at: Times) -> Floats:
    """Profit before fees and funding."""
    instrument, fills = traded.instrument, traded.fills
    held, mids2 = net(traded, at), mids2_at(traded, at)
    if instrument.kind is ContractKind.INVERSE:
        scale = float(EXACT.divide(_lot(traded), instrument.tick_size))
        coins = _since(fills["side"] * fills["size"] / fills["price"], fills, at)
        return scale * (coins - 2.0 * held / np.maximum(mids2, 1))
    cash2 = _since(-2 * fills["side"] * points(fills, 2), fills, at)
    bound = _most(held) * _most(mids2) + _most(cash2)
    wide = held if bound <= INT64_MAX else held.astype(object)
    worth: Floats = np.asarray(cash2 + wide * mids2, np.float64)
    return worth * (float(unit(instrument)) * SCALE / 2)


def net(traded: Traded, at: Times) -> Times:
    """Signed lots held at given times, of the fills heard until then."""
    return _since(traded.fills["side"] * traded.fills["size"], traded.fills, at)


def mids2_at(traded: Traded, at: Times) -> Times:
    """Twice the mid at given times, in ticks; 0 where none was ever known."""
    when, mids2 = known_mids(traded)
    if not len(mids2):
        return np.zeros(len(at), np.int64)
    seen: Times = mids2[np.maximum(np.searchsorted(when, at, side="right") - 1, 0)]
    return seen


def known_mids(traded: Traded) -> tuple[Times, Times]:
    """When which mid (twice, in ticks) was seen: samples, or else the fills' own."""
    for table, time in ((traded.points, "at"), (traded.fills, "at")):
        known = table[table["mid2"] > 0]
        if len(known):
            known = known[np.argsort(known[time], kind="stable")]
            return known[time], known["mid2"]
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


def drawdown(curve: Curve) -> Drawdown:
    """The deepest fall below the highest equity so far, which starts at 0, and the longest one."""
    if not len(curve.at):
        return Drawdown(0.0, 0, 0.0)
    peaks = np.maximum.accumulate(np.maximum(curve.equity, 0.0))
    under = curve.equity < peaks
    spans = np.diff(curve.at, append=curve.at[-1])
    whole = int(curve.at[-1] - curve.at[0])
    return Drawdown(
        deepest=float((peaks - curve.equity).max()),
        longest=_longest(under, curve.at),
        share=float(spans[under].sum() / whole) if whole else 0.0,
    )


def _longest(under: npt.NDArray[np.bool_], at: Times) -> int:
    """From the last sample at a peak to the first at or above it again."""
    edges = np.diff(under.astype(np.int8), prepend=np.int8(0), append=np.int8(0))
    begins, ends = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    if not len(begins):
        return 0
    last = len(at) - 1
    return int((at[np.minimum(ends, last)] - at[np.maximum(begins - 1, 0)]).max())


def sampled(curve: Curve, first: int, last: int, step: int) -> Floats:
    """Equity at `first` and every `step` nanoseconds after it, while `last` is not passed."""
    grid = np.arange(first, last + 1, step)
    places = np.searchsorted(curve.at, grid, side="right")
    return np.concatenate([[0.0], curve.equity])[places]


def _since(moves: Whole, fills: npt.NDArray[np.void], at: Times) -> Whole:
    """The running sum of what each fill moved, at given times."""
    start = np.zeros(1, moves.dtype)
    sums: Whole = np.concatenate([start, np.cumsum(moves, dtype=moves.dtype)])
    return sums[np.searchsorted(fills["heard"], at, side="right")]


def _fees(traded: Traded, at: Times) -> Floats:
    paid = np.zeros(len(at))
    for asset, units in charged(traded).items():
        sums = np.asarray(_since(units, traded.fills, at), np.float64) / UNITS
        if asset != traded.instrument.settle:  # Taken in the coin that was bought.
            sums = sums * mids2_at(traded, at) * float(traded.instrument.tick_size) / 2
        paid += sums
    return paid


def _funding(traded: Traded, at: Times) -> Floats:
    received = np.zeros(len(at))
    for each in traded.payments:
        received += np.where(at >= each.at, float(each.amount), 0.0)
    return received


def _lot(traded: Traded) -> Decimal:
    return EXACT.multiply(traded.instrument.lot_size, traded.instrument.multiplier)


def _most(values: Whole) -> int:
    return int(np.abs(values).max()) if len(values) else 0
