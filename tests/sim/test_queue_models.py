"""The arithmetic of queues: exact figures, corner cases, the same bits compiled and in Python."""

import math
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from mm.errors import ConfigError
from mm.sim import draws, elementary
from mm.sim import queue_models as queues

MODELS = st.sampled_from(sorted(queues.NAMES))
EXPONENTS = st.integers(1, 64).map(lambda quarters: quarters / 4)
LOTS = st.one_of(
    st.integers(0, 10**6).map(float),
    st.floats(0, 1e6, allow_subnormal=False),
    st.sampled_from([0.0, 0.5, 1.0, float(1 << 62)]),
)
ANY = st.one_of(LOTS, st.floats(-2, 2))


def compiled(function: Any) -> Callable[..., Any]:
    """The function as the compiled pass calls it: from inside compiled code."""

    @njit
    def caller(*given: Any) -> Any:
        return function(*given)

    return caller


BEHIND = compiled(queues.behind)
AFTER_DEPTH = compiled(queues.after_depth)
MOVED_UP = compiled(queues.moved_up)
AFTER_TRADE = compiled(queues.after_trade)
EXCEEDED = compiled(queues.exceeded)
REACH = compiled(queues.reach)
LN, EXP, POWER = compiled(elementary.ln), compiled(elementary.exp), compiled(elementary.power)
MIXED, DRAWN = compiled(draws.mixed), compiled(draws.drawn)
FRACTION, BETWEEN = compiled(draws.fraction), compiled(draws.between)


def bits(number: float) -> bytes:
    """A number as it is stored; every not-a-number is one."""
    return struct.pack("<d", math.nan if math.isnan(number) else number)


@pytest.mark.parametrize(
    ("name", "n", "p", "front"),
    [
        ("risk-averse", 1.0, 1.0, 30.0),
        ("power", 1.0, 0.7, 27.0),
        ("power", 2.0, 0.844827586, 28.448275862),
        ("power", 3.0, 0.927027027, 29.270270270),
        ("power2", 2.0, 0.49, 24.9),
        ("power3", 2.0, 0.91, 29.1),
        ("log", 1.0, 0.553834515, 25.538345146),
        ("log2", 1.0, 0.923633492, 29.236334916),
    ],
)
def test_thirty_ahead_of_a_hundred(name: str, n: float, p: float, front: float) -> None:
    """Front 30, the level goes from 100 to 90 without a trade."""
    model = queues.number_of(name)
    assert queues.behind(model, n, 30.0, 70.0) == pytest.approx(p, abs=5e-10)
    moved = queues.after_depth(model, n, 30.0, 0.0, 100.0, 90.0)
    assert moved == pytest.approx(front, abs=5e-10)


def test_further_figures() -> None:
    """A queue nearly at its end, and a trade before the depth speaks of it."""
    after = queues.after_depth
    assert after(queues.POWER, 1.0, 95.0, 0.0, 100.0, 60.0) == pytest.approx(57)
    assert after(queues.POWER, 3.0, 95.0, 0.0, 100.0, 60.0) == pytest.approx(55.005830904)
    assert after(queues.LOG, 1.0, 95.0, 0.0, 100.0, 60.0) == 60
    front, traded = queues.after_trade(30.0, 0.0, 12.0)
    assert (front, traded) == (18.0, 12.0)
    moved = after(queues.POWER, 3.0, front, traded, 100.0, 80.0)
    assert moved == pytest.approx(17.916267050)


@pytest.mark.parametrize("model", sorted(set(queues.NAMES) - {queues.RISK_AVERSE}))
def test_nothing_in_front_of_nothing(model: int) -> None:
    """0/0 is not a number, and then all that is shown is ahead."""
    assert math.isnan(queues.behind(model, 2.0, 0.0, 0.0))
    assert queues.after_depth(model, 2.0, 0.0, 0.0, 0.0, 0.0) == 0
    assert queues.after_depth(model, 2.0, 0.0, -7.0, 0.0, 5.0) == 5


def test_an_infinite_share_is_all_of_it() -> None:
    """Something divided by nothing counts as certainty."""
    assert queues.behind(queues.POWER2, 2.0, -0.5, 0.5) == 1
    assert queues.behind(queues.POWER3, 2.0, -0.5, 0.5) == 1


def test_a_level_that_grows_moves_nobody() -> None:
    """More is displayed: only what cannot be ahead any more is taken off."""
    for model in queues.NAMES:
        assert queues.after_depth(model, 2.0, 30.0, 0.0, 40.0, 90.0) == 30
        assert queues.after_depth(model, 2.0, 30.0, 25.0, 40.0, 20.0) == 20


def test_more_ahead_than_was_shown() -> None:
    """Then nothing is known of what was canceled: what is shown is ahead, to the lot."""
    for model in queues.NAMES:
        assert queues.moved_up(model, 1.0, float(1 << 62), 0.0, 5.0, 3.0) == 3
        assert queues.moved_up(model, 1.0, 30.0, 0.0, 20.0, 10.0) == 10


def test_half_a_lot_past_us() -> None:
    """A print must go past us by half a lot to count as reaching us."""
    assert queues.exceeded(-0.5)
    assert not queues.exceeded(-0.49)
    assert not queues.exceeded(0.0)
    assert [queues.reach(2.5, volume) for volume in (2.0, 3.0, 3.5, 9.0)] == [0, 0, 1, 6]


def test_names_and_exponents_that_do_not_exist() -> None:
    """A typed error says which there are."""
    with pytest.raises(ConfigError, match="risk-averse, power, power2"):
        queues.number_of("fifo")
    for n in (0.0, 0.3, 16.25, -1.0, math.inf, math.nan):
        with pytest.raises(ConfigError, match=r"multiple of 0\.25"):
            queues.check_power(n)
    queues.check_power(2.5)


def test_what_logarithms_count_in() -> None:
    """Logarithms take the size of a lot in base units, powers their exponent."""
    assert queues.parameter(queues.POWER3, 3.0, 0.001) == 3.0
    assert queues.parameter(queues.LOG2, 3.0, 0.001) == 0.001


@given(MODELS, EXPONENTS, ANY, ANY)
def test_probabilities_compiled(model: int, n: float, front: float, back: float) -> None:
    """The same bits in Python and compiled, corner cases too; between 0 and 1 in a real queue."""
    p = queues.behind(model, n, front, back)
    assert bits(p) == bits(BEHIND(model, n, front, back))
    if front >= 0 and back >= 0 and not math.isnan(p):
        assert 0 <= p <= 1


@given(MODELS, EXPONENTS, ANY, st.tuples(LOTS, LOTS, LOTS))
def test_queues_compiled(
    model: int, n: float, front: float, level: tuple[float, float, float]
) -> None:
    """The same bits in Python and compiled; never a number that is none; honest ones in bounds."""
    traded, previous, shown = level
    moved = queues.after_depth(model, n, front, traded, previous, shown)
    assert bits(moved) == bits(AFTER_DEPTH(model, n, front, traded, previous, shown))
    assert moved <= shown
    up = queues.moved_up(model, n, abs(front), traded, previous, shown)
    assert bits(up) == bits(MOVED_UP(model, n, abs(front), traded, previous, shown))
    assert 0 <= up <= shown


@given(ANY, LOTS, LOTS)
def test_prints_compiled(front: float, traded: float, size: float) -> None:
    """What a print does to a queue, in Python and compiled."""
    assert queues.after_trade(front, traded, size) == AFTER_TRADE(front, traded, size)
    assert queues.exceeded(front) == EXCEEDED(front)
    assert queues.reach(front, size) == REACH(front, size)


@given(st.floats(min_value=0, allow_nan=False), st.floats(-720, 720), EXPONENTS)
def test_functions_compiled(x: float, y: float, n: float) -> None:
    """Logarithm, exponential and power: the same bits compiled, and right to a few last places."""
    assert bits(elementary.ln(x)) == bits(LN(x))
    assert bits(elementary.exp(y)) == bits(EXP(y))
    assert bits(elementary.power(y, n)) == bits(POWER(y, n))
    if 0 < x < math.inf:
        assert elementary.ln(x) == pytest.approx(math.log(x), rel=1e-15, abs=1e-300)
    if abs(y) < elementary.EXP_MAX:
        assert elementary.exp(y) == pytest.approx(math.exp(y), rel=1e-15)
    assert elementary.power(abs(y), n) == pytest.approx(abs(y) ** n, rel=1e-14)


def test_functions_of_what_is_no_number() -> None:
    """Edges are numbers or infinities, never an exception."""
    assert math.isnan(elementary.ln(-1.0))
    assert math.isnan(elementary.exp(math.nan))
    assert elementary.ln(0.0) == -math.inf
    assert elementary.ln(math.inf) == math.inf
    assert elementary.exp(1000.0) == math.inf
    assert math.isnan(elementary.power(-1.0, 0.5))


def test_functions_to_the_bit() -> None:
    """Another machine must come to these very bits."""
    numbers = (elementary.ln(3.0), elementary.exp(-1.5), elementary.power(7.0, 2.75))
    assert [number.hex() for number in numbers] == BITS


BITS = ["0x1.193ea7aad030bp+0", "0x1.c8f87724b5c1dp-3", "0x1.a5bea2e2813bdp+7"]


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 9), st.integers(0, 1 << 62))
def test_draws_compiled(seed: int, stream: int, number: int) -> None:
    """A draw is the same compiled, within its range."""
    draw = draws.drawn(seed, stream, number)
    assert draw == DRAWN(seed, stream, number)
    assert 0 <= draw < 1 << 63
    assert draws.mixed(number & draws.WORD) == MIXED(number & draws.WORD)
    assert draws.fraction(seed, stream, number) == FRACTION(seed, stream, number)
    assert 0 <= draws.fraction(seed, stream, number) < 1
    assert draws.between(5, 9, draw) == BETWEEN(5, 9, draw)
    assert 5 <= draws.between(5, 9, draw) <= 9


def test_draws_are_spread_evenly() -> None:
    """Of 20,000 draws about as many fall in each sixteenth, and pairs do not depend on seed + 1."""
    count = 20_000
    for stream in (draws.ENTRY, draws.RESPONSE):
        counts = [0] * 16
        alike = 0
        for number in range(count):
            here = int(draws.fraction(1, stream, number) * 16)
            counts[here] += 1
            alike += here == int(draws.fraction(2, stream, number) * 16)
        expected = count / 16
        chi_squared = sum((seen - expected) ** 2 / expected for seen in counts)
        assert chi_squared < 40
        assert abs(alike - expected) < 5 * math.sqrt(expected)
