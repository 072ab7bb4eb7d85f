"""The trust score: how many real fills a replay with the same settings reproduces.

A fill is reproduced by a simulated one of the same desk and instrument, on the same side, at the
same price, at most half a second apart, each simulated fill standing for one real fill. As every
window is equally long, taking the earliest simulated fill that is still free for each real fill in
turn finds as many pairs as there can be.
"""

from collections import defaultdict
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from mm.analytics.performance import Performance, performance
from mm.analytics.run import Columns, Run
from mm.events.units import MILLIS, Nanos

WITHIN: Final = Nanos(500 * MILLIS)
KEY: Final = ("desk", "instrument", "side", "price")


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay reproduced of a session; shares are from 0 to 1, None without real fills.

    `size_score` weighs by size: of each pair counts the smaller one. `surplus` is how many
    simulated fills stand for none. Profits are by currency, the replay's less the session's.
    """

    score: float | None
    size_score: float | None
    fills_real: int
    fills_simulated: int
    reproduced: int
    surplus: int
    orders_real: int
    orders_simulated: int
    profit_real: dict[str, Decimal]
    profit_simulated: dict[str, Decimal]
    profit_difference: dict[str, Decimal]


def trust(real: Run, simulated: Run, within: Nanos = WITHIN) -> Trust:
    """Hold a session beside its replay with unchanged settings."""
    pairs = matched(_keyed(real), _keyed(simulated), within)
    size = sum(min(_size(real, a), _size(simulated, b)) for a, b in pairs)
    total = int(real.fills["size"].sum())
    ours, theirs = profits(performance(real)), profits(performance(simulated))
    return Trust(
        score=len(pairs) / len(real.fills) if len(real.fills) else None,
        size_score=size / total if total else None,
        fills_real=len(real.fills),
        fills_simulated=len(simulated.fills),
        reproduced=len(pairs),
        surplus=len(simulated.fills) - len(pairs),
        orders_real=len(real.orders),
        orders_simulated=len(simulated.orders),
        profit_real=ours,
        profit_simulated=theirs,
        profit_difference={
            currency: theirs.get(currency, Decimal(0)) - ours.get(currency, Decimal(0))
            for currency in dict.fromkeys([*ours, *theirs])
        },
    )


Keyed = tuple[list[tuple[object, ...]], list[int]]
"""Of each fill what has to be equal, and when it happened."""


def matched(real: Keyed, simulated: Keyed, within: Nanos) -> list[tuple[int, int]]:
    """Pairs of places of fills that are alike and at most `within` nanoseconds apart."""
    free: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place in np.argsort(simulated[1], kind="stable").tolist():
        free[simulated[0][place]].append(place)
    upto: dict[tuple[object, ...], int] = defaultdict(int)
    pairs = []
    for place in np.argsort(real[1], kind="stable").tolist():
        key, at = real[0][place], real[1][place]
        alike, next_one = free[key], upto[key]
        while next_one < len(alike) and simulated[1][alike[next_one]] < at - within:
            next_one += 1
        if next_one < len(alike) and simulated[1][alike[next_one]] <= at + within:
            pairs.append((place, alike[next_one]))
            next_one += 1
        upto[key] = next_one
    return pairs


def profits(figures: Performance) -> dict[str, Decimal]:
    """The whole profit by currency."""
    return {risk.profit.currency: risk.profit.total for risk in figures.risks}


def _keyed(run: Run) -> Keyed:
    """Desks and instruments by name: two runs may number them differently."""
    fills: Columns = run.fills
    rows = zip(*(fills[name].tolist() for name in KEY), strict=True)
    keys: list[tuple[object, ...]] = [
        (run.info.desks[desk], run.info.instruments[instrument].name, side, price)
        for desk, instrument, side, price in rows
    ]
    times: list[int] = fills["at"].tolist()
    return keys, times


def _size(run: Run, place: int) -> int:
    return int(run.fills["size"][place])
