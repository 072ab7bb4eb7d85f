"""Quote rules say the same as Python and compiled, to the last bit of every float."""

import math
from struct import pack
from typing import Any, Final

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mm.projections.compiled import njit
from mm.sim.world import WANTED_WIDTH
from mm.strategy import rules
from mm.strategy.rules import Anchored, Seen, Sides

LEVELS_MAX: Final = 10
prices = st.integers(1, 200) | st.integers(1, 1 << 31)
lots = st.integers(1, 50) | st.integers(1, 1 << 30)
nets = st.integers(-60, 60) | st.integers(-(1 << 30), 1 << 30)
times = st.integers(0, 1 << 61)
bps = st.sampled_from([0.0, 0.1, 0.5, 1.0, 10.0]) | st.floats(0, 5_000)


@njit()
def pegged(whole: Any, real: Any, seen: Seen, bids: Any, asks: Any) -> Sides:
    """Compiled."""
    return rules.pegged(whole, real, seen, bids, asks)


@njit()
def anchored(whole: Any, real: Any, seen: Seen, memory: Anchored) -> Anchored:
    """Compiled."""
    return rules.anchored(whole, real, seen, memory)


@njit()
def symmetric(whole: Any, real: Any, seen: Seen, anchor: Anchored, bids: Any, asks: Any) -> Sides:
    """Compiled."""
    return rules.symmetric(whole, real, seen, anchor, bids, asks)


@njit()
def reservation(whole: Any, real: Any, anchor: Anchored) -> float:
    """Compiled."""
    return rules.reservation(whole, real, anchor)


@njit()
def worth(inverse: int, by: int, least: int, price: int, size: int) -> bool:
    """Compiled."""
    return rules.worth(inverse, by, least, price, size)


@njit()
def rounded(sign: int, price: float) -> int:
    """Compiled."""
    return rules.rounded(sign, price)


@st.composite
def views(draw: Any) -> Seen:
    """A touch that may be quoted from, and a position."""
    bid = draw(prices)
    ask = bid + draw(st.integers(1, 9))
    return Seen(draw(times), bid, draw(lots), ask, draw(lots), draw(nets))


@st.composite
def terms(draw: Any) -> tuple[Any, Any]:
    """Parameters of the symmetric rule, as the pass keeps them."""
    whole, real = np.zeros(16, np.int64), np.zeros(16)
    whole[rules.S_SIZE], whole[rules.S_MOST] = draw(lots), draw(lots)
    whole[rules.S_LEVELS] = draw(st.integers(1, LEVELS_MAX))
    whole[rules.S_AGE] = draw(st.integers(1, 1 << 47))
    whole[rules.S_HEDGE] = draw(st.just(0) | lots)
    whole[rules.S_MICRO] = draw(sides)
    whole[rules.S_SIZE_MIN], whole[rules.S_STEP] = draw(st.integers(0, 9)), draw(st.integers(1, 9))
    whole[rules.S_INVERSE], whole[rules.S_BY] = draw(sides), draw(st.integers(1, 10))
    whole[rules.S_LEAST] = draw(st.just(0) | prices)
    for place in (rules.S_HALF, rules.S_SPACING, rules.S_SKEW, rules.S_DRIFT, rules.S_SLIPPAGE):
        real[place] = draw(bps)
    return whole, real


sides = st.integers(0, 1)
anchors = st.builds(
    Anchored, st.just(0.0) | st.floats(1.0, float(1 << 31)) | prices.map(float), times, nets
)


def plain(whole: Any, real: Any) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The same parameters as Python has them."""
    return tuple(whole.tolist()), tuple(real.tolist())


def room() -> tuple[Any, Any]:
    """Where a rule writes its levels."""
    return np.zeros(WANTED_WIDTH, np.int64), np.zeros(WANTED_WIDTH, np.int64)


def lists() -> tuple[list[int], list[int]]:
    """The same for Python."""
    return [0] * WANTED_WIDTH, [0] * WANTED_WIDTH


def bits(number: float) -> bytes:
    """A float to its last bit."""
    return pack("<d", number)


@given(seen=views(), size=lots, most=lots, half=st.floats(0, 1e6), skew=st.floats(0, 1e3))
def test_pegged(seen: Seen, size: int, most: int, half: float, skew: float) -> None:
    """Counts, reasons, prices and sizes are equal."""
    whole, real = np.array([size, most]), np.array([half, skew])
    ours, theirs = lists(), room()
    told = rules.pegged(*plain(whole, real), seen, *ours)
    assert tuple(pegged(whole, real, seen, *theirs)) == told
    assert [side.tolist() for side in theirs] == list(ours)


@given(given_terms=terms(), seen=views(), memory=anchors)
def test_anchored(given_terms: tuple[Any, Any], seen: Seen, memory: Anchored) -> None:
    """Held or set anew alike, the fair value to its last bit."""
    told = rules.anchored(*plain(*given_terms), seen, memory)
    compiled = anchored(*given_terms, seen, memory)
    assert (bits(compiled.fair), *compiled[1:]) == (bits(told.fair), *told[1:])


@given(given_terms=terms(), anchor=anchors)
def test_reservation(given_terms: tuple[Any, Any], anchor: Anchored) -> None:
    """To the last bit."""
    told = rules.reservation(*plain(*given_terms), anchor)
    assert bits(reservation(*given_terms, anchor)) == bits(told)


@given(given_terms=terms(), seen=views(), data=st.data())
def test_symmetric(given_terms: tuple[Any, Any], seen: Seen, data: st.DataObject) -> None:
    """Levels, reasons and the hedge are equal, around an anchor near the touch or elsewhere."""
    close = st.builds(Anchored, st.floats(seen.bid, seen.ask), times, st.just(seen.net))
    anchor = data.draw(close | anchors)
    ours, theirs = lists(), room()
    told = rules.symmetric(*plain(*given_terms), seen, anchor, *ours)
    assert tuple(symmetric(*given_terms, seen, anchor, *theirs)) == told
    assert [side.tolist() for side in theirs] == list(ours)


@given(sides, st.integers(1, 1 << 20), st.integers(0, 1 << 62), prices, st.integers(0, 1 << 9))
def test_worth(inverse: int, by: int, least: int, price: int, size: int) -> None:
    """Within the bounds that set-up holds to, no product of 64 bits overflows."""
    least = min(least, (1 << 62) // price) if inverse else least
    told = rules.worth(inverse, by, least, price, size)
    assert worth(inverse, by, least, price, size) == told


@given(st.sampled_from([-1, 1]), st.floats(-1e15, 1e15))
def test_rounded(sign: int, price: float) -> None:
    """Away from the market."""
    told = rules.rounded(sign, price)
    assert rounded(sign, price) == told
    assert told == (math.floor(price) if sign > 0 else math.ceil(price))
