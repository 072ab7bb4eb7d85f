"""Fills by chance: the papers' figures, the grid of steps, and what is drawn."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from mm.errors import ConfigError
from mm.events.orders import Liquidity, OrderFilled
from mm.events.units import MILLIS, SECONDS, Nanos
from mm.sim.draws import fraction
from mm.sim.settings import NONE, Arrivals, PaperSettings, validate
from mm.sim.takers import chance, reached
from tests.build import BUY, SELL, START, instrument, placed, snapshot
from tests.oracle.plain_trading import plain_venue
from tests.sim.build import BOOK, Paper, depth, fills, of_orders, sold, takes

PATHS = 20_000
STEPS = 200
SIGMA, DT, A, K, GAMMA = 2.0, 0.005, 140.0, 1.5, 0.1


def by_chance(rate: float, decay: float = 1.5, step: int = 5 * MILLIS) -> PaperSettings:
    """Settings without latency."""
    arrivals = Arrivals(rate=rate, decay=decay, step=Nanos(step))
    return PaperSettings(entry=NONE, response=NONE, matching="poisson", arrivals=arrivals)


@njit
def papers_run(paths: int, half: float, aversion: float) -> Any:
    """Profit and final inventory of each path, quotes set, then fills, then the price step.

    `half` above 0 is the symmetric strategy; else quotes follow Avellaneda and Stoikov.
    """
    found = np.zeros((paths, 2))
    for path in range(paths):
        price, cash, held = 100.0, 0.0, 0
        for i in range(STEPS):
            left = 1.0 - i * DT
            width, centre = half, price
            if half <= 0.0:
                width = aversion * SIGMA * SIGMA * left / 2 + math.log(1 + aversion / K) / aversion
                centre = price - held * aversion * SIGMA * SIGMA * left
            number = path * STEPS + i
            bid, ask = centre - width, centre + width
            if reached(7, number, 1) < chance(A, K, price - bid, DT):
                held, cash = held + 1, cash - bid
            if reached(7, number, 0) < chance(A, K, ask - price, DT):
                held, cash = held - 1, cash + ask
            up = fraction(7, 9, number) < 0.5
            price += SIGMA * math.sqrt(DT) * (1 if up else -1)
        found[path, 0], found[path, 1] = cash + held * price, held
    return found


def test_the_symmetric_strategy_of_the_paper() -> None:
    """Profit and inventory as the closed form has them, within four standard errors."""
    half = 1.4918 / 2
    profit, held = papers_run(PATHS, half, GAMMA).T
    p = A * math.exp(-K * half) * DT
    mean = 2 * STEPS * p * half
    deviation = math.sqrt(
        half**2 * 2 * STEPS * p * (1 - p) + SIGMA**2 * DT * p * (1 - p) * STEPS * (STEPS + 1)
    )
    assert mean == pytest.approx(68.2228, abs=0.01)
    assert deviation == pytest.approx(13.4558, abs=0.01)
    error = deviation / math.sqrt(PATHS)
    assert abs(profit.mean() - mean) < 4 * error
    assert abs(profit.std() - deviation) < 4 * error
    assert held.std() == pytest.approx(math.sqrt(2 * STEPS * p * (1 - p)), rel=0.02)


def test_the_inventory_strategy_of_the_paper() -> None:
    """As 600,000 paths of the model came out: profit 64.89 and 6.55, inventory 2.929."""
    profit, held = papers_run(PATHS, 0.0, GAMMA).T
    assert abs(profit.mean() - 64.89) < 4 * 6.55 / math.sqrt(PATHS) + 0.05
    assert profit.std() == pytest.approx(6.55, abs=0.16)
    assert held.std() == pytest.approx(2.929, abs=0.06)
    paper = 6.6 / math.sqrt(1000)
    assert abs(profit.mean() - 65.0) < 3 * paper


def test_a_chance_is_no_more_than_one() -> None:
    """Literally rate times dt, capped: beyond the mid it is certain."""
    assert chance(140.0, 1.5, 0.0, 0.005) == pytest.approx(0.7)
    assert chance(140.0, 1.5, -1.0, 0.005) == 1
    assert chance(140.0, 1.5, 1.0, 0.005) == pytest.approx(0.7 * math.exp(-1.5))
    assert chance(0.0, 1.5, -1e300, 0.005) == 0


def certain(*told: Any) -> Paper:
    """A venue where takers reach everything at every step of 5 ms."""
    return Paper(*told, settings=by_chance(1e9, decay=0.0))


def test_a_taker_fills_in_full_at_the_end_of_a_step() -> None:
    """At our own price, as maker, on both sides; each tick of the calls is a millisecond."""
    paper = certain()
    first = paper.at
    paper.gets(placed("a", BUY, 99, 50), placed("b", SELL, 104, 30))
    for _ in range(5):
        paper.hears(depth((97, 5)))
    assert paper.fills == [("a", 99, 50), ("b", 104, 30)]
    told = [fact for fact in paper.told if isinstance(fact, OrderFilled)]
    assert {fact.liquidity for fact in told} == {Liquidity.MAKER}
    assert {fact.venue_time % (5 * MILLIS) for fact in told} == {0}
    assert all(first < fact.venue_time <= first + 7 * MILLIS for fact in told)


def test_nothing_else_fills() -> None:
    """No print, no level across our price; crossing post-only is refused, a taker walks."""
    paper = Paper(settings=by_chance(0.0))
    paper.gets(placed("a", BUY, 100, 5), placed("b", BUY, 101, 5), takes("c", BUY, 102, 9))
    paper.hears(sold(90, 100), depth((), (99, 50)))
    assert paper.fills == [("c", 101, 7), ("c", 102, 2)]
    assert paper.open == [("a", 100, 5)]


def test_without_a_mid_nobody_comes() -> None:
    """One side of the book is empty: there is no distance."""
    paper = certain(snapshot((100, 5), ()))
    paper.gets(placed("a", BUY, 100, 5))
    for _ in range(10):
        paper.hears(depth((97, 5)))
    assert paper.fills == []


def test_the_nearer_order_fills_whenever_the_farther_does() -> None:
    """One draw a side and step, so a taker that reaches 97 reached 99 before."""
    near = far = 0
    for seed in range(300):
        venue = plain_venue(by_chance(100.0, decay=20.0), seed)
        venue.hear(START, instrument())
        venue.hear(START, BOOK)
        venue.submit(START, placed("near", BUY, 100, 1))
        venue.submit(START, placed("far", BUY, 99, 1))
        names = [name for name, _, _ in fills(venue.advance(Nanos(START + 5 * MILLIS)))]
        assert names in ([], ["near"], ["near", "far"])
        near += "near" in names
        far += "far" in names
    for count, distance in ((near, 0.05), (far, 0.15)):
        p = chance(100.0, 20.0, distance, 0.005)
        assert abs(count - 300 * p) < 4 * math.sqrt(300 * p * (1 - p))


@given(st.integers(0, 99), st.lists(st.integers(1, 40 * MILLIS), max_size=6))
def test_however_often_one_asks(seed: int, gaps: list[int]) -> None:
    """The same fills at the same times, whether one asks at the end or in between."""
    told = []
    for asked in (gaps, []):
        venue = plain_venue(by_chance(20.0, decay=1.0), seed)
        venue.hear(START, instrument())
        venue.hear(START, BOOK)
        for number, price in enumerate((100, 99, 98)):
            venue.submit(START, placed(f"o{number}", BUY, price, 1))
        at, heard = int(START), []
        for gap in asked:
            at += gap
            heard += venue.advance(Nanos(at))
        told.append(of_orders(heard + venue.advance(Nanos(START + SECONDS))))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("arrivals", "field"),
    [
        (Arrivals(rate=-1.0), "rate"),
        (Arrivals(rate=math.nan), "rate"),
        (Arrivals(decay=math.inf), "decay"),
        (Arrivals(step=Nanos(0)), "step"),
    ],
)
def test_arrivals_nobody_can_have_meant(arrivals: Arrivals, field: str) -> None:
    """The field is named."""
    with pytest.raises(ConfigError) as caught:
        validate(PaperSettings(arrivals=arrivals))
    assert caught.value.where == f"paper.arrivals.{field}"
