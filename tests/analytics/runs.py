"""Short builders of finished runs: orders, fills and points in the columns of a compiled run."""

import itertools
from decimal import Decimal
from typing import Any

import numpy as np

from mm.analytics.run import Payment, Run, RunInfo
from mm.events.units import SECONDS, Nanos
from mm.sim.results import FILL, ORDER, POINT
from tests.build import START, instrument

Row = dict[str, Any]


def at(seconds: float) -> int:
    """A log time, in seconds from the start."""
    return START + round(seconds * SECONDS)


def bought(seconds: float, price: int, size: int, **changes: Any) -> Row:
    """A maker's buy, heard a millisecond after it happened."""
    when = at(seconds)
    values = {"at": when - 1_000_000, "heard": when, "price": price, "size": size, "side": 1}
    return {**values, **changes}


def sold(seconds: float, price: int, size: int, **changes: Any) -> Row:
    """A maker's sell."""
    return bought(seconds, price, size, **{"side": -1, **changes})


def point(seconds: float, mid: float, **changes: Any) -> Row:
    """A sample of the mid, in ticks."""
    return {"at": at(seconds), "mid2": round(2 * mid), **changes}


def order(placed: float, ended: float, size: int, filled: int, **changes: Any) -> Row:
    """A bid that was placed and ended at these seconds; 0 for one that has not ended."""
    values = {"placed": at(placed), "ended": at(ended) if ended else 0, "price": 100, "side": 1}
    return {**values, "size": size, "filled": filled, **changes}


def rows(dtype: np.dtype, given: list[Row]) -> np.ndarray:
    """A table of these rows."""
    table = np.zeros(len(given), dtype)
    for place, row in enumerate(given):
        for name, value in row.items():
            table[name][place] = value
    return table


def run(
    fills: list[Row],
    points: list[Row] | None = None,
    orders: list[Row] | None = None,
    **info: Any,
) -> Run:
    """A run of one desk in one linear instrument, of 100 seconds."""
    values: dict[str, Any] = {
        "name": "test",
        "recording": "made",
        "code_version": "test",
        "desks": ("maker",),
        "instruments": (instrument(),),
        "first": START,
        "last": Nanos(at(100)),
    }
    numbered = [{"id": next(_NUMBERS), **each} for each in orders or []]
    return Run(
        info=RunInfo(**{**values, **info}),
        orders=rows(ORDER, numbered),
        fills=rows(FILL, fills),
        points=rows(POINT, points or []),
    )


def payment(seconds: float, amount: str, **changes: Any) -> Payment:
    """Funding that the maker received, in USDT."""
    values = {"at": Nanos(at(seconds)), "desk": 0, "instrument": 0, "asset": "USDT"}
    return Payment(**{**values, "amount": Decimal(amount), **changes})


_NUMBERS = itertools.count(1)
