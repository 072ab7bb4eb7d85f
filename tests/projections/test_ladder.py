"""The compiled ladder holds what a dict would, however far levels lie and the market jumps."""

from typing import Any, Final

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mm.projections.ladder import (
    BEST,
    FAR_MAX,
    FULL,
    MARGIN,
    NONE,
    WINDOW,
    empty,
)
from mm.projections.ladder import clear as cleared
from mm.projections.ladder import levels as best_levels
from tests.ladder import next_key, set_level, shown

ALL: Final = 1 << 12
"""More levels than any test sets."""
MIDDLE: Final = 10_000_000
near = st.integers(MIDDLE - 70, MIDDLE + 70)
edges = st.sampled_from([-WINDOW, -WINDOW // 2, -MARGIN, 0, MARGIN, WINDOW // 2, WINDOW]).flatmap(
    lambda shift: st.integers(MIDDLE + shift - 3, MIDDLE + shift + 3)
)
far = st.integers(1, 4 * MIDDLE)
prices = st.one_of(near, near, edges, far)
sizes = st.one_of(st.just(0), st.integers(1, 9), st.integers(1, 1 << 62))
sides = st.integers(0, 1)


class Books:
    """Two books of ladders, and dicts beside them; the second one shows that none leaks."""

    def __init__(self) -> None:
        """Start empty."""
        self.ladder = empty(2)
        self.table = np.array([array.ctypes.data for array in self.ladder], np.int64)
        self.address = self.table.ctypes.data
        self.plain: list[tuple[dict[int, int], dict[int, int]]] = [({}, {}), ({}, {})]

    def set(self, book: int, side: int, price: int, size: int) -> None:
        """Set a level of both."""
        set_level(self.address, book, side, price, size)
        if size:
            self.plain[book][side][price] = size
        else:
            self.plain[book][side].pop(price, None)

    def clear(self, book: int) -> None:
        """Forget all levels of both."""
        cleared(self.address, book)
        self.plain[book] = ({}, {})

    def levels(self, book: int, side: int) -> list[tuple[int, int]]:
        """All levels of the ladder, best first."""
        out = np.zeros(2 * ALL, np.int64)
        count = best_levels(self.address, book, side, out)
        flat = out[: 2 * count].tolist()
        return list(zip(flat[::2], flat[1::2], strict=True))

    def wanted(self, book: int, side: int) -> list[tuple[int, int]]:
        """The same of the dict."""
        return sorted(self.plain[book][side].items(), reverse=side == 0)

    def check(self) -> None:
        """All levels and both best keys are equal."""
        for book in (0, 1):
            assert self.ladder.heads[book, FULL] == 0
            for side in (0, 1):
                wanted = self.wanted(book, side)
                assert self.levels(book, side) == wanted
                best = wanted[0][0] * (1 - 2 * side) if wanted else NONE
                assert self.ladder.heads[book, BEST + side] == best

    def ask(self, book: int, side: int, price: int) -> None:
        """What is shown at a price, and the next level behind it."""
        plain, sign = self.plain[book][side], 1 - 2 * side
        assert shown(self.address, book, side, price) == plain.get(price, 0)
        worse = [each * sign for each in plain if each * sign < price * sign]
        assert next_key(self.address, book, side, price * sign) == max(worse, default=NONE)


class LadderMachine(RuleBasedStateMachine):
    """Any changes, in any order."""

    @initialize()
    def begin(self) -> None:
        """Two empty books."""
        self.books = Books()

    @rule(book=sides, side=sides, price=prices, size=sizes)
    def set(self, book: int, side: int, price: int, size: int) -> None:
        """A level anywhere is set or removed."""
        self.books.set(book, side, price, size)

    @rule(side=sides, price=prices, count=st.integers(1, 40))
    def stack(self, side: int, price: int, count: int) -> None:
        """A run of levels, one beside the other."""
        for step in range(count):
            self.books.set(0, side, price + step, 1 + step)

    @rule(side=sides, count=st.integers(1, 5))
    def eat(self, side: int, count: int) -> None:
        """The best levels go, one after the other."""
        for price, _ in self.books.wanted(0, side)[:count]:
            self.books.set(0, side, price, 0)

    @rule(shift=st.sampled_from([-1, 1]), distance=st.integers(MARGIN - 2, 3 * WINDOW))
    def jump(self, shift: int, distance: int) -> None:
        """Both sides appear far away, and what was there goes."""
        old = [(side, price) for side in (0, 1) for price in self.books.plain[0][side]]
        middle = max([price for _, price in old], default=MIDDLE) + shift * distance
        for step in range(1, 4):
            self.books.set(0, 0, max(1, middle - step), 5)
            self.books.set(0, 1, max(2, middle + step), 5)
        for side, price in old[::2]:
            self.books.set(0, side, price, 0)

    @rule(book=sides)
    def clear(self, book: int) -> None:
        """All of a book goes."""
        self.books.clear(book)

    @rule(book=sides, side=sides, price=prices)
    def ask(self, book: int, side: int, price: int) -> None:
        """At any price."""
        self.books.ask(book, side, price)

    @invariant()
    def same(self) -> None:
        """Both hold the same."""
        if hasattr(self, "books"):
            self.books.check()


TestLadder = LadderMachine.TestCase


@given(st.lists(st.tuples(sides, prices, sizes), max_size=60), st.lists(prices, max_size=9))
def test_any_changes(changes: list[tuple[int, int, int]], asked: list[int]) -> None:
    """A list of changes leaves what a dict holds, and answers as one would."""
    books = Books()
    for side, price, size in changes:
        books.set(0, side, price, size)
    books.check()
    for price in (*asked, *(price for _, price, _ in changes)):
        for side in (0, 1):
            books.ask(0, side, price)


def test_some_levels_are_asked_for() -> None:
    """Only the best ones, as many as there is room for."""
    books, out = Books(), np.zeros(4, np.int64)
    for price in (5, 900_000, 7, 8):
        books.set(0, 0, price, price)
    assert best_levels(books.address, 0, 0, out) == 2
    assert out.tolist() == [900_000, 900_000, 8, 8]


def test_a_ladder_without_room_says_so() -> None:
    """One far level too many sets the mark for good, whatever is cleared later."""
    books = Books()
    books.set(0, 0, MIDDLE, 1)
    heads: Any = books.ladder.heads
    for step in range(FAR_MAX):
        books.set(0, 0, 9 + step, 1)
    assert heads[0, FULL] == 0
    books.set(0, 0, 5, 1)
    assert heads[0, FULL] == 1
    books.clear(0)
    assert heads[0, FULL] == 1
    assert books.levels(0, 0) == []
