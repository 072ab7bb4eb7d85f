"""Conversions are exact or refused, and rounding never goes against us.

The oracle is `Fraction`: it knows no precision, so that what it says of exactness is so.
"""

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.errors import BadInput, OffLot, OffTick
from mm.events.units import (
    INT64_MAX,
    Nanos,
    Side,
    millis,
    steps,
    to_lots,
    to_ticks,
)

TICK = Decimal("0.1")
STEPS = st.decimals(min_value=Decimal("1e-9"), max_value=1000, places=9).filter(bool)


@given(st.integers(-INT64_MAX, INT64_MAX), STEPS)
def test_a_whole_number_of_steps_comes_back_exactly(count: int, step: Decimal) -> None:
    """Any count that fits 64 bits survives the way to a decimal and back."""
    value = decimal.Context(prec=60).multiply(Decimal(count), step)
    assert steps(value, step) == count


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12), STEPS)
def test_what_is_not_exact_is_refused(value: Decimal, step: Decimal) -> None:
    """A value converts exactly when its quotient is whole and fits 64 bits."""
    ratio = Fraction(value) / Fraction(step)
    exact = ratio.denominator == 1 and abs(ratio) <= INT64_MAX
    assert steps(value, step) == (ratio.numerator if exact else None)


@given(st.text(alphabet="0123456789.eE+-_ naif", max_size=30), STEPS)
def test_any_decimal_converts_or_is_refused(text: str, step: Decimal) -> None:
    """No decimal, however odd, raises anything but our own errors."""
    try:
        value = Decimal(text)
    except decimal.InvalidOperation:
        return
    for convert in (to_ticks, to_lots):
        try:
            count = convert(value, step)
        except BadInput:
            continue
        assert Fraction(value) == count * Fraction(step)


@pytest.mark.parametrize(
    "text",
    [
        *["0.15", "NaN", "sNaN", "Infinity", "-Infinity", "1E+50", "1E+2000000", "1E-2000000"],
        f"0.3{'0' * 60}1",
        str(2**63 * TICK),
    ],
)
def test_off_grid_and_endless_values_are_named(text: str) -> None:
    """Off-tick, off-lot, NaN, infinite and huge values are refused, and the message names them."""
    with pytest.raises(OffTick, match=r"tick size 0\.1") as tick:
        to_ticks(Decimal(text), TICK)
    with pytest.raises(OffLot, match=r"lot size 0\.1") as lot:
        to_lots(Decimal(text), TICK)
    for error in (tick.value, lot.value):
        assert str(Decimal(text)) in error.what
        assert error.remedy


@pytest.mark.parametrize("step", ["0", "-0.1", "NaN", "sNaN", "Infinity"])
def test_a_step_that_is_none_converts_nothing(step: str) -> None:
    """With a step of zero, or no number at all, no value is on the grid, zero included."""
    assert steps(Decimal(5), Decimal(step)) is None
    assert steps(Decimal(0), Decimal(step)) is None


@pytest.mark.parametrize(("text", "count"), [("-0.3", -3), ("0", 0), ("-0", 0), ("1E+3", 10_000)])
def test_signs_zero_and_exponents_convert(text: str, count: int) -> None:
    """Conversion keeps the sign and reads any exponent."""
    assert to_ticks(Decimal(text), TICK) == count
    assert to_lots(Decimal(text), TICK) == count


def test_a_library_that_changes_the_decimal_context_changes_nothing() -> None:
    """Conversions use a context of their own, whatever the thread's has become."""
    with decimal.localcontext(prec=3, rounding=decimal.ROUND_UP):
        assert to_ticks(Decimal("123456.7"), TICK) == 1_234_567
        assert steps(Decimal("123456.78"), TICK) is None


def test_sides() -> None:
    """A signed size is side times size, and each side has its other."""
    assert (Side.BUY * 3, Side.SELL * 3) == (3, -3)
    assert (Side.BUY.other, Side.SELL.other) == (Side.SELL, Side.BUY)


@pytest.mark.parametrize(("nanos", "count"), [(0, 0), (999_999, 0), (1_000_000, 1), (1_999_999, 1)])
def test_millis_are_whole(nanos: int, count: int) -> None:
    """A started millisecond does not count."""
    assert millis(Nanos(nanos)) == count
