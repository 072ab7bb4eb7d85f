"""The trust score of a replay: which simulated fills stand for which real ones."""

from itertools import permutations
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.analytics.trust import WITHIN, Keyed, matched, trust
from mm.events.units import MILLIS, Nanos
from tests.analytics.runs import Row, bought, order, point, run, sold

KEYS: Final = (("a",), ("b",))
fills = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 12)), max_size=5)


def keyed(found: list[tuple[tuple[str, ...], int]]) -> Keyed:
    """What `matched` takes, of fills as pairs of key and time."""
    return [key for key, _ in found], [at for _, at in found]


def brute(real: Keyed, simulated: Keyed, within: int) -> int:
    """The most pairs that there can be, by trying every order."""
    most = 0
    for order_of in permutations(range(len(real[1]))):
        free, count = set(range(len(simulated[1]))), 0
        for place in order_of:
            for other in sorted(free, key=lambda each: simulated[1][each]):
                near = abs(real[1][place] - simulated[1][other]) <= within
                if near and real[0][place] == simulated[0][other]:
                    free.discard(other)
                    count += 1
                    break
        most = max(most, count)
    return most


def test_a_score_by_hand() -> None:
    """Two of three fills are reproduced; the pair counts as large as its smaller fill."""
    real = run([bought(10, 99, 4), sold(20, 101, 2), bought(30, 98, 4)], [point(50, 100)])
    replay = [bought(10.2, 99, 3), sold(20.4, 101, 9), sold(30, 98, 4), bought(40, 98, 4)]
    found = trust(real, run(replay, [point(50, 100)], [order(1, 2, 1, 0)]))
    assert (found.score, found.size_score) == (2 / 3, (3 + 2) / 10)
    assert (found.fills_real, found.fills_simulated) == (3, 4)
    assert (found.reproduced, found.surplus) == (2, 2)
    assert (found.orders_real, found.orders_simulated) == (0, 1)
    (currency,) = found.profit_difference
    assert (
        found.profit_difference[currency]
        == found.profit_simulated[currency] - found.profit_real[currency]
        != 0
    )


def test_a_run_reproduces_itself() -> None:
    """Every fill, whatever there is twice; nothing is left over."""
    same = run([bought(1, 99, 1), bought(1, 99, 1), sold(1, 101, 2)], [point(2, 100)])
    found = trust(same, same)
    assert (found.score, found.size_score, found.surplus) == (1.0, 1.0, 0)
    assert not any(found.profit_difference.values())


def test_without_fills_there_is_no_score() -> None:
    """Nothing was there to be reproduced: that is not a score of 0, nor of 1."""
    found = trust(run([]), run([bought(1, 99, 1)]))
    assert (found.score, found.size_score, found.surplus) == (None, None, 1)


@pytest.mark.parametrize(
    ("apart", "pairs"), [(0, 1), (WITHIN, 1), (-WITHIN, 1), (WITHIN + 1, 0), (-WITHIN - 1, 0)]
)
def test_half_a_second(apart: int, pairs: int) -> None:
    """Fills may be 500 ms apart, either way, and not a nanosecond more."""
    assert WITHIN == 500 * MILLIS
    real = keyed([(("a",), 10**12)])
    assert len(matched(real, keyed([(("a",), 10**12 + apart)]), WITHIN)) == pairs


@pytest.mark.parametrize(
    "other",
    [sold(10, 99, 1), bought(10, 98, 1), bought(10, 99, 1, desk=1), bought(11, 99, 1)],
    ids=["side", "price", "desk", "time"],
)
def test_what_has_to_be_alike(other: Row) -> None:
    """Another side, price, desk or time is another fill."""
    names = ("maker", "taker")
    real = run([bought(10, 99, 1)], desks=names)
    assert trust(real, run([other], desks=names)).score == 0


def test_a_simulated_fill_stands_for_one() -> None:
    """Two real fills and one simulated: one is reproduced, the earlier."""
    real = keyed([(("a",), 0), (("a",), 1)])
    assert matched(real, keyed([(("a",), 1)]), Nanos(5)) == [(0, 0)]


@given(fills, fills, st.integers(0, 6))
def test_as_many_pairs_as_there_can_be(
    real: list[tuple[tuple[str, ...], int]], simulated: list[tuple[tuple[str, ...], int]], near: int
) -> None:
    """No other choice gives more; every pair is alike, near, and used once."""
    ours, theirs = keyed(real), keyed(simulated)
    pairs = matched(ours, theirs, Nanos(near))
    assert len(pairs) >= brute(ours, theirs, near)
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    assert all(ours[0][a] == theirs[0][b] for a, b in pairs)
    assert all(abs(ours[1][a] - theirs[1][b]) <= near for a, b in pairs)


@given(fills, fills, fills, st.integers(0, 6))
def test_more_never_reproduces_less(
    real: list[tuple[tuple[str, ...], int]],
    simulated: list[tuple[tuple[str, ...], int]],
    more: list[tuple[tuple[str, ...], int]],
    near: int,
) -> None:
    """Neither a wider window nor further simulated fills take a pair away."""
    pairs = len(matched(keyed(real), keyed(simulated), Nanos(near)))
    assert len(matched(keyed(real), keyed(simulated), Nanos(near + 1))) >= pairs
    assert len(matched(keyed(real), keyed(simulated + more), Nanos(near))) >= pairs
