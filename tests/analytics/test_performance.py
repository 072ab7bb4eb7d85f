"""Figures of a run, by hand: what was earned, at which risk, and what it took."""

import math
from decimal import Decimal

import numpy as np
import pytest

from mm.analytics import ratios
from mm.analytics.performance import changes, performance
from mm.analytics.run import Run
from mm.events.instrument import ContractKind
from mm.events.units import SECONDS, Nanos
from tests.analytics.runs import at, bought, order, payment, point, run, sold
from tests.build import START, instrument

ONE = instrument(
    tick_size=Decimal(1), lot_size=Decimal(1), maker_fee=Decimal(0), taker_fee=Decimal(0)
)
SECOND = Nanos(SECONDS)


def round_trip() -> Run:
    """Buys 2 at 99 and 1 at 98, sells 3 at 101; the mid is 100, 99, 102."""
    return run(
        [
            bought(10, 99, 2, mid2=200),
            bought(20, 98, 1, mid2=198, taker=1),
            sold(60, 101, 3, mid2=204),
        ],
        [point(0, 100), point(20, 99), point(40, 102), point(60, 102), point(80, 102)],
        [order(0, 10, 2, 2), order(10, 20, 4, 1), order(20, 30, 4, 0), order(50, 0, 3, 3)],
        instruments=(ONE,),
        payments=(payment(50, "-0.25"),),
    )


def test_profit_and_its_splits() -> None:
    """Realised plus unrealised is spread captured plus drift of the mid."""
    profit = performance(round_trip()).accounts[0].profit
    assert profit.realised == pytest.approx(Decimal(7), abs=Decimal("1e-8"))
    assert profit.unrealised == 0
    assert profit.funding == Decimal("-0.25")
    assert profit.total == Decimal("6.75")
    # 2 x (100 - 99) + 1 x (99 - 98) + 3 x (101 - 102).
    assert profit.captured == 0
    assert profit.drifted == 7


def test_spread_captured_by_an_inverse_contract() -> None:
    """Contracts bought below the mid capture their value in coin at both prices, apart."""
    inverse = instrument(
        kind=ContractKind.INVERSE, settle="BTC", tick_size=Decimal(1), lot_size=Decimal(1)
    )
    one = run([bought(1, 100, 1000, mid2=400)], [point(2, 200)], instruments=(inverse,))
    profit = performance(one).accounts[0].profit
    assert profit.currency == "BTC"
    assert profit.captured == Decimal(5)
    assert profit.unrealised == Decimal(5)
    assert profit.drifted == 0
    assert performance(one).accounts[0].trading.turnover == 1000


def test_trading() -> None:
    """Orders, fills, sizes, turnover, lifetimes and messages."""
    made = performance(round_trip()).accounts[0].trading
    assert (made.orders, made.orders_filled, made.fills, made.maker_fills) == (4, 3, 3, 2)
    assert (made.placed, made.filled) == (Decimal(13), Decimal(6))
    assert (made.bought, made.sold) == (Decimal(3), Decimal(3))
    assert made.turnover == 2 * 99 + 98 + 303
    assert made.turnover_a_day == pytest.approx(Decimal(599 * 864))
    assert made.lifetime_median == 10
    assert made.messages == 4 + 2  # Two orders ended before they were filled.


def test_markout_vector() -> None:
    """2 bought at 100.00, mid 100.05 and then 99.90: +5 bps at the fill, -10 bps later."""
    cents = instrument(tick_size=Decimal("0.01"))
    samples = [point(second, 10_005 if second < 11 else 9_990) for second in range(100)]
    one = run([bought(10, 10_000, 2, mid2=20_010)], samples, instruments=(cents,))
    made = performance(one).accounts[0].trading
    assert made.edge_bps == pytest.approx(5)
    assert made.markouts_bps == {1: pytest.approx(5), 10: pytest.approx(-10)}


def test_markouts_need_samples() -> None:
    """Mids a minute apart say nothing of what came a second after a fill."""
    one = run([bought(10, 100, 2)], [point(0, 100), point(60, 101)])
    made = performance(one).accounts[0].trading
    assert made.markouts_bps == {}
    assert made.edge_bps is None


def test_markouts_are_weighted_and_end_with_the_samples() -> None:
    """A fill whose second has not passed by the last sample does not count."""
    samples = [point(second, 100) for second in range(51)]
    fills = [bought(10, 99, 3), sold(20, 100, 1), bought(50, 1, 1)]
    made = performance(run(fills, samples)).accounts[0].trading
    assert made.markouts_bps[1] == pytest.approx(3 / 4 * 1 / 99 * 1e4)


def test_inventory() -> None:
    """Nothing for 10 s, 2 for 10 s, 3 for 40 s, nothing for 40 s."""
    held = performance(round_trip()).accounts[0].inventory
    assert held.mean == held.mean_size == pytest.approx(1.4)
    assert [held.last, held.largest, held.entry] == [0, 3, 0]


def test_inventory_of_a_short() -> None:
    """A short position counts with its size, and is told with its sign."""
    one = run([sold(0, 100, 2), bought(50, 100, 1)], instruments=(ONE,))
    held = performance(one).accounts[0].inventory
    assert [held.mean, held.mean_size, held.largest] == [-1.5, 1.5, 2]
    assert [held.last, held.entry] == [-1, 100]


def test_ratios_of_the_equity() -> None:
    """Changes of equity over the step that was asked for, no rarer than the samples."""
    one = round_trip()
    # 0, then 2 x 99 + 1 x 98 held at 99, at 102 less funding, sold at 101.
    expected = [0.0, 1.0, 10.0, 6.75, 6.75, 6.75]
    assert changes(one, "USDT", Nanos(20 * SECONDS)) == pytest.approx(np.diff(expected))
    (risk,) = performance(one, SECOND).risks
    assert risk.step == 20 * SECONDS
    assert risk.samples == 5
    periods = 365 * 86_400 / 20
    assert risk.sharpe == pytest.approx(ratios.sharpe(np.diff(expected), periods))
    assert risk.sortino == pytest.approx(ratios.sortino(np.diff(expected), periods))
    assert risk.drawdown == 3.25
    assert risk.under_longest == 40
    assert risk.capital is None


def test_ratios_of_capital() -> None:
    """With capital, returns and the drawdown are of it."""
    one = run(
        [bought(0, 100, 1)],
        [point(0, 100), point(20, 110), point(40, 99), point(60, 99), point(100, 99)],
        instruments=(ONE,),
        capital={"USDT": Decimal(100)},
    )
    (risk,) = performance(one, Nanos(20 * SECONDS)).risks
    returns = np.array([0.1, -0.1, 0.0, 0.0, 0.0])
    assert risk.drawdown_share == pytest.approx(0.1)
    assert risk.drawdown == 11
    periods = 365 * 86_400 / 20
    assert risk.annual_return == pytest.approx(ratios.annual_return(returns, periods))
    assert risk.calmar == pytest.approx(ratios.calmar(returns, periods))


def test_currencies_are_never_added() -> None:
    """Accounts are summed by settlement currency, each with its own risk."""
    inverse = instrument(kind=ContractKind.INVERSE, settle="BTC", symbol="BTCUSD")
    one = run(
        [
            bought(1, 100, 1),
            sold(2, 105, 1),
            bought(1, 200, 1, desk=1),
            sold(2, 190, 1, desk=1),
            bought(3, 1000, 50, instrument=1),
        ],
        [point(0, 100), point(0, 100, desk=1), point(0, 1000, instrument=1)],
        desks=("a", "b"),
        instruments=(ONE, inverse),
    )
    figures = performance(one)
    assert [(each.desk, each.profit.currency) for each in figures.accounts] == [
        ("a", "USDT"),
        ("a", "BTC"),
        ("b", "USDT"),
    ]
    assert [(each.profit.currency, each.profit.realised) for each in figures.risks] == [
        ("USDT", Decimal(-5)),
        ("BTC", Decimal(0)),
    ]


def test_a_run_without_anything() -> None:
    """Nothing traded, nothing sampled: no figures, and no failure."""
    figures = performance(run([]))
    assert (figures.accounts, figures.risks) == ((), ())
    assert len(changes(run([]), "USDT")) == 0


def test_a_run_of_no_time() -> None:
    """Everything at one moment has no ratios and no turnover a day."""
    one = run([bought(0, 100, 1)], [point(0, 101)], instruments=(ONE,), last=START)
    figures = performance(one)
    assert figures.accounts[0].profit.total == 1
    assert figures.accounts[0].trading.turnover_a_day == 0
    assert figures.accounts[0].inventory.mean == 1
    assert math.isnan(figures.risks[0].sharpe)


def test_orders_alone() -> None:
    """A desk whose orders never filled has figures as well."""
    one = run([], [], [order(1, 2, 3, 0)])
    (each,) = performance(one).accounts
    assert (each.trading.orders, each.trading.fills, each.trading.messages) == (1, 0, 2)
    assert each.profit.total == 0
    assert at(0) == START
