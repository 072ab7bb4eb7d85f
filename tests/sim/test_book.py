"""The oracle's own book: depth, the quote over it, and a naive model that must agree."""

from hypothesis import given
from hypothesis import strategies as st

from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated
from tests.build import BUY, SELL, snapshot
from tests.oracle.book import STEPS_MAX, Book, Half
from tests.oracle.queue import UNSEEN
from tests.sim.build import BOOK, best, depth


def heard(*events: object) -> Book:
    """A book after these events."""
    book = Book()
    for event in events:
        match event:
            case BookSnapshot():
                book.snapshot(event)
            case BookDelta():
                book.delta(event)
            case QuoteUpdated():
                book.quote(event)
    return book


def touch(book: Book) -> tuple[int, int, int, int]:
    """Best bid and size, best ask and size."""
    return book.bids.touch, book.bids.size, -book.asks.touch, book.asks.size


def offers(book: Book, limit: int) -> list[tuple[int, int]]:
    """Asks up to a price."""
    return list(book.asks.offers(-limit))


def test_a_newer_quote_lies_over_the_depth() -> None:
    """Depth in front of the quote is dead, its own level has the quote's size, the rest stands."""
    book = heard(
        snapshot((100, 10), (101, 7, 102, 9, 103, 5)), best((100, 4), (102, 2), sequence=9)
    )
    assert touch(book) == (100, 4, 102, 2)
    assert offers(book, 103) == [(102, 2), (103, 5)]
    assert [book.asks.displayed(price) for price in (101, 102, 103, 104)] == [0, 2, 5, 0]


def test_a_quote_in_front_of_the_depth_adds_a_level() -> None:
    """A quote inside the depth's spread is the touch; depth is never patched by it."""
    book = heard(snapshot((90, 1), (110, 7)), best((100, 4), (102, 2), sequence=9))
    assert offers(book, 110) == [(102, 2), (110, 7)]
    assert (
        heard(snapshot((90, 1), (110, 7)), best((100, 4), (102, 2)), depth((91, 1))).asks.size == 7
    )


def test_an_older_quote_says_nothing() -> None:
    """The depth has seen more."""
    book = heard(snapshot((100, 10), (101, 7), sequence=9), best((98, 4), (105, 2), sequence=8))
    assert touch(book) == (100, 10, 101, 7)


def test_an_older_delta_leaves_the_touch() -> None:
    """The quote has seen more; the levels behind it change all the same."""
    quote = best((100, 4), (102, 2), sequence=9)
    book = heard(snapshot((100, 10), (101, 7)), quote, depth((), (103, 8, 101, 3), last=8))
    assert touch(book) == (100, 4, 102, 2)
    assert offers(book, 103) == [(102, 2), (103, 8)]
    book.delta(depth((), (104, 1), last=9))
    assert touch(book) == (100, 10, 101, 3)


def test_an_empty_side_is_nobody() -> None:
    """One side may be missing; nothing can be had there."""
    book = heard(snapshot((100, 10), ()), best((100, 4), (0, 0), sequence=3))
    assert book.usable
    assert offers(book, 10**6) == []
    assert book.asks.displayed(101) == 0


def test_a_snapshot_that_lacks_a_part_is_a_loss() -> None:
    """Nothing is there any more; nor where depth changed, or another snapshot began, between."""
    whole, last = snapshot((90, 3), (110, 3)), snapshot((99, 1), (103, 1), part=2, parts=2)
    first, other = (snapshot((98, 1), (104, 1), n, part=1, parts=2) for n in (1, 2))
    for events in [(last,), (first, depth((98, 2)), last), (first, other, last)]:
        book = heard(whole, *events)
        assert book.missing
        assert not book.bids.levels
        book.resynced()
        assert not book.usable
    assert heard(whole, first, last).usable


def test_depth_without_a_sequence_is_newer_than_any_quote() -> None:
    """The later heard counts."""
    quote = best((100, 4), (102, 2), sequence=9)
    book = heard(snapshot((100, 10), (101, 7)), quote, depth((), (103, 8), last=0))
    assert touch(book) == (100, 10, 101, 7)


def test_a_snapshot_comes_whole_or_not_at_all() -> None:
    """Parts in order make a book; a missing or repeated one does not."""
    first, second = (snapshot((100 - n, 1), (102 + n, 1), part=n, parts=2) for n in (1, 2))
    assert touch(heard(first, second)) == (99, 1, 103, 1)
    for parts in [(second,), (first, first), (second, first)]:
        assert not heard(*parts).usable
    assert heard(first, first, second).usable


def test_a_snapshot_replaces_everything() -> None:
    """Old levels are gone."""
    book = heard(BOOK, snapshot((50, 1), (60, 2), sequence=7))
    assert touch(book) == (50, 1, 60, 2)
    assert book.asks.displayed(101) == 0


def test_the_best_level_is_found_however_far_behind() -> None:
    """When the best goes, the next may be ticks or thousands of ticks away."""
    half = Half(BUY)
    half.fold((10_000, 1, 9_999, 1, 9_999 - STEPS_MAX * 3, 1))
    edges = [half.edge]
    for price in (10_000, 9_999):
        half.fold((price, 0))
        edges.append(half.edge)
    assert edges == [10_000, 9_999, 9_999 - STEPS_MAX * 3]


def test_ahead_of_a_newcomer() -> None:
    """Displayed at the price; nobody between levels; unknown below the deepest."""
    book = heard(BOOK)
    assert [book.bids.ahead(price) for price in (101, 100, 99, 98, 97, 96)] == [
        *[0, 10, 20, 0, 5, UNSEEN]
    ]
    assert [book.asks.ahead(price) for price in (100, 101, 103, 105)] == [0, 7, 0, UNSEEN]


levels = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 5)), max_size=12)


@given(st.lists(levels, max_size=12))
def test_depth_agrees_with_a_naive_book(changes: list[list[tuple[int, int]]]) -> None:
    """Best price and every level, after any sequence of changes, on both sides."""
    for side, choose in ((BUY, max), (SELL, min)):
        half, naive = Half(side), dict[int, int]()
        for change in changes:
            half.fold(tuple(number for level in change for number in level))
            for price, size in change:
                naive[price] = size
            naive = {price: size for price, size in naive.items() if size}
            assert half.levels == naive
            assert half.edge * side == (choose(naive) if naive else half.edge * side)
            assert bool(naive) == (half.edge > -(1 << 60))
