"""One position by average cost: published figures, worked by hand, and cash that always balances.

Figures are those of Trading Technologies' example, the Motley Fool, BitMEX's and Bybit's guides and
NautilusTrader's tests; see docs on anchors. Prices are ticks of the instrument in each case.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import OrderFilled
from mm.events.units import EXACT, Side
from mm.projections.position import (
    INVERSE_SCALE,
    SCALE,
    Position,
    evolve,
    rounded,
    unit,
    unrealised,
    value,
)
from tests.build import BUY, SELL, filled, instrument

LINEAR, INVERSE, SPOT = ContractKind.LINEAR, ContractKind.INVERSE, ContractKind.SPOT
Trade = tuple[Side, int, int]
ONE: Final = Decimal(1)


def whole(kind: ContractKind = LINEAR) -> InstrumentDefined:
    """An instrument whose tick and lot are one, so that integers read as prices and sizes."""
    return instrument(kind=kind, tick_size=ONE, lot_size=ONE)


def fill(side: Side, size: int, price: int) -> OrderFilled:
    """A fill, in the order in which traders say it: side, size, price."""
    return filled("a", side, price, size)


def held(trades: list[Trade], kind: ContractKind = LINEAR) -> Position:
    """The position after these trades."""
    position = Position()
    for trade in trades:
        position = evolve(position, fill(*trade), kind)
    return position


def money(amount: Decimal | int, kind: ContractKind = LINEAR) -> Decimal:
    """Integer units of profit as money."""
    with localcontext(EXACT):
        return amount * unit(whole(kind))


def close_to(amount: Decimal, text: str) -> bool:
    """Equal to the digits that the source prints."""
    figure = Decimal(text)
    return amount.quantize(figure) == figure


# -- figures of others -----------------------------------------------------------------------------

TT: Final = [(BUY, 12, 100), (BUY, 17, 99), (SELL, 9, 101), (SELL, 4, 105), (BUY, 3, 103)]


def test_the_example_of_trading_technologies() -> None:
    """Average after two buys, profit after each sale, and the final average."""
    assert close_to(held(TT[:2]).entry(LINEAR), "99.41379310344827586")
    assert close_to(money(held(TT[:3]).realised), "14.2758621")
    assert close_to(money(held(TT[:4]).realised), "36.6206897")
    last = held(TT)
    assert (last.net, close_to(money(last.realised), "36.6206897")) == (19, True)
    assert close_to(last.entry(LINEAR), "99.980036298")  # Cost is exact to 1e-9 of a point.
    total = money(last.realised) + money(unrealised(last, LINEAR, Decimal(100)))
    assert total == 37, "whichever way the cost is told, the total is the same"


def test_the_average_of_the_motley_fool() -> None:
    """1000 at 15 and 1000 at 35: selling 1000 at 32 earns 7000 by average cost."""
    position = held([(BUY, 1000, 15), (BUY, 1000, 35), (SELL, 1000, 32)])
    assert money(position.realised) == 7_000
    assert position.entry(LINEAR) == 25
    assert money(unrealised(position, LINEAR, Decimal(32))) == 7_000


@pytest.mark.parametrize("kind", [LINEAR, SPOT])
def test_round_trips_of_nautilus(kind: ContractKind) -> None:
    """Long and short, flat in between."""
    trades = [(BUY, 100, 50), (SELL, 100, 55), (SELL, 50, 54), (BUY, 50, 52)]
    flat = held(trades[:2], kind)
    assert flat == Position(realised=flat.realised)
    assert money(flat.realised) == 500
    assert money(held(trades, kind).realised) == 600


def test_a_flip_closes_at_average_and_opens_at_the_price() -> None:
    """Long 100 at 50, sold 150 at 55: 500 earned, short 50 at 55, which then earns 150."""
    flipped = held([(BUY, 100, 50), (SELL, 150, 55)])
    assert flipped.net == -50
    assert flipped.entry(LINEAR) == 55
    assert money(flipped.realised) == 500
    assert money(unrealised(flipped, LINEAR, Decimal(54))) == 50
    closed = evolve(flipped, fill(BUY, 50, 52), LINEAR)
    assert (closed.net, closed.cost) == (0, 0)
    assert money(closed.realised) == 650


def test_the_perpetual_guide_of_bitmex() -> None:
    """15,000 contracts from 750 to 800: 20 coins in, 1.25 coins earned."""
    opened = held([(BUY, 15_000, 750)], INVERSE)
    assert money(opened.cost, INVERSE) == 20
    assert opened.entry(INVERSE) == 750
    assert money(unrealised(opened, INVERSE, Decimal(800)), INVERSE) == Decimal("1.25")
    assert money(evolve(opened, fill(SELL, 15_000, 800), INVERSE).realised, INVERSE) == Decimal(
        "1.25"
    )


@pytest.mark.parametrize(
    ("trades", "coins"),
    [
        ([(BUY, 100_000, 10_000), (SELL, 100_000, 10_500)], "0.476190476"),
        ([(BUY, 1_000, 5_000), (SELL, 1_000, 5_500)], "0.018181818"),
        ([(SELL, 100_000, 10_000), (BUY, 100_000, 11_000)], "-0.90909091"),
        ([(SELL, 1_000, 5_500), (BUY, 1_000, 5_000)], "0.018181818"),
    ],
    ids=["bitmex", "bybit", "nautilus", "short"],
)
def test_inverse_profit_is_in_coin(trades: list[Trade], coins: str) -> None:
    """Contracts times the difference of the reciprocals, the sign by the side."""
    assert close_to(money(held(trades, INVERSE).realised, INVERSE), coins)
    entry, mark = held(trades[:1], INVERSE), Decimal(trades[1][2])
    assert close_to(money(unrealised(entry, INVERSE, mark), INVERSE), coins)


def test_the_average_entry_of_bybit_is_harmonic() -> None:
    """1,000 at 5,000 and 2,000 at 6,000 stand at 5,625."""
    position = held([(BUY, 1_000, 5_000), (BUY, 2_000, 6_000)], INVERSE)
    assert position.entry(INVERSE).quantize(Decimal("1e-9")) == 5_625


def test_units_carry_tick_lot_and_multiplier() -> None:
    """Profit in points times tick, lot and multiplier is money."""
    perpetual = instrument(multiplier=Decimal(10))
    position = held([(BUY, 3, 600_000), (SELL, 3, 600_007)])
    with localcontext(EXACT):
        assert position.realised * unit(perpetual) == Decimal("0.021")  # 7 ticks, 3 lots.
    contracts = instrument(kind=INVERSE, lot_size=ONE, multiplier=Decimal(100))
    position = held([(BUY, 10, 500_000), (SELL, 10, 1_000_000)], INVERSE)
    with localcontext(EXACT):
        assert position.realised * unit(contracts) == Decimal("0.01")  # 1,000 USD.


def test_flat_has_no_entry_and_no_open_profit() -> None:
    """Zero, whatever the mark."""
    for kind in ContractKind:
        assert Position().entry(kind) == 0
        assert unrealised(Position(), kind, Decimal(5)) == 0


@pytest.mark.parametrize(("size", "price"), [(0, 100), (-1, 100), (1, 0), (1, -100)])
@pytest.mark.parametrize("kind", ContractKind)
def test_a_fill_of_nothing_stops_the_engine(kind: ContractKind, size: int, price: int) -> None:
    """Sizes and prices that are not positive never enter a position."""
    with pytest.raises(AssertionError, match="for nothing"):
        evolve(Position(), fill(BUY, size, price), kind)


def test_what_a_close_takes_out_of_the_cost_is_rounded_once() -> None:
    """Two of three lots that cost ten: 6.666666667 to the nearest billionth, and the rest stays."""
    position = held([(BUY, 1, 3), (BUY, 1, 3), (BUY, 1, 4), (SELL, 2, 5)])
    assert (position.cost, position.realised) == (3_333_333_333, 3_333_333_333)


@pytest.mark.parametrize(("numerator", "nearest"), [(0, 0), (4, 0), (5, 1), (14, 1), (15, 2)])
def test_halves_round_up(numerator: int, nearest: int) -> None:
    """The nearest tenth, exactly."""
    assert rounded(numerator, 10) == nearest


# -- what always holds -----------------------------------------------------------------------------

kinds = st.sampled_from(ContractKind)
trade = st.tuples(
    st.sampled_from(Side),
    st.integers(1, 50) | st.integers(1, 2**53),
    st.integers(900, 1_100) | st.integers(1, 2**40),
)
trades_made = st.lists(trade, min_size=1, max_size=25)


def cash(trades: list[Trade], kind: ContractKind) -> int:
    """What flowed, in the integer unit: a sale brings money, an inverse sale takes coin."""
    flows = sum(-side * value(kind, price, size) for side, size, price in trades)
    return -flows if kind is INVERSE else flows


@given(trades_made, kinds)
def test_cash_balances_to_the_last_unit(trades: list[Trade], kind: ContractKind) -> None:
    """Realised profit is the cash that flowed plus the cost of what is held, after every fill."""
    for count in range(1, len(trades) + 1):
        position = held(trades[:count], kind)
        sign = 1 if (position.net > 0) != (kind is INVERSE) else -1
        assert position.realised == cash(trades[:count], kind) + sign * position.cost
        assert position.net == sum(side * size for side, size, _ in trades[:count])
        assert position.cost >= 0
        assert (position.cost == 0) == (position.net == 0) or kind is INVERSE


@given(trades_made, kinds, st.integers(1, 2**40))
def test_equity_is_what_closing_would_leave(
    trades: list[Trade], kind: ContractKind, mark: int
) -> None:
    """Realised and unrealised together are what is realised by closing at the mark."""
    position = held(trades, kind)
    total = EXACT.add(position.realised, unrealised(position, kind, Decimal(mark)))
    if position.net:
        side = SELL if position.net > 0 else BUY
        closed = evolve(position, fill(side, abs(position.net), mark), kind)
        assert (closed.net, closed.cost) == (0, 0)
        slack = 1 if kind is INVERSE else 0  # A coin value is rounded to its unit once.
        assert abs(EXACT.subtract(closed.realised, total)) <= slack
    else:
        assert total == position.realised


@given(trades_made, kinds)
def test_an_entry_lies_within_the_prices_paid(trades: list[Trade], kind: ContractKind) -> None:
    """The average entry is never outside the prices at which the position was built."""
    bought = [(BUY, min(size, 1_000), price) for _, size, price in trades]
    entry, prices = held(bought, kind).entry(kind), [price for _, _, price in trades]
    slack = Fraction(1, 10**3) if kind is INVERSE else 0
    assert min(prices) * (1 - slack) <= Fraction(entry) <= max(prices) * (1 + slack)


@given(trades_made, kinds)
def test_buying_and_selling_are_mirror_images(trades: list[Trade], kind: ContractKind) -> None:
    """With all sides turned, linear profit turns its sign: cost is the same."""
    if kind is INVERSE:
        return
    one = held(trades, kind)
    other = held([(side.other, size, price) for side, size, price in trades], kind)
    assert (one.net, one.cost) == (-other.net, other.cost)
    assert abs(one.realised + other.realised) <= len(trades)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6), st.integers(1, 10**6), kinds)
def test_closing_in_pieces_is_closing_at_once(
    pieces: list[int], price: int, kind: ContractKind
) -> None:
    """Rounding in between is made up for by the rest: a linear close ends on the same unit."""
    size = sum(pieces)
    opened = held([(BUY, size, 1_000), (BUY, 7, 1_003), (SELL, 7, 1_001)], kind)
    at_once, end = evolve(opened, fill(SELL, size, price), kind), opened
    for piece in pieces:
        end = evolve(end, fill(SELL, piece, price), kind)
    assert (end.net, end.cost) == (0, 0)
    slack = len(pieces) if kind is INVERSE else 0
    assert abs(end.realised - at_once.realised) <= slack


def test_scales_are_integers() -> None:
    """No float ever carries money."""
    assert isinstance(value(LINEAR, 3, 5), int)
    assert (value(LINEAR, 3, 5), value(INVERSE, 3, 5)) == (
        15 * SCALE,
        rounded(5 * INVERSE_SCALE, 3),
    )
