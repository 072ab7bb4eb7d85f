"""The book against a dictionary, which is slow and cannot be wrong; and the rules of its touch.

The dictionary takes every level as told; the book must hold the same levels after any sequence of
snapshots and changes, near and far, and give the same best of each side.
"""

import struct
from itertools import chain
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.errors import BadInput
from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated
from mm.events.units import InstrumentId, Levels, Nanos
from mm.projections.base import digest, pack
from mm.projections.book import Book
from mm.projections.depth import TOLD_START, Depth, warm
from mm.projections.ladder import FAR_MAX, MANY, MARGIN, WINDOW
from tests import build
from tests.build import BTC, START, delta, quote, snapshot, when

Side = dict[int, int]
ALL = 1 << 30

near = st.integers(990, 1010)
far = st.sampled_from([1, 2, 500, 5_000, MARGIN, WINDOW // 2 + 1_000, 10**6, 10**12, 2**40])
sizes = st.integers(0, 3) | st.integers(1, 2**50)


def levels(prices: st.SearchStrategy[int], most: int = 12) -> st.SearchStrategy[Levels]:
    """Price and size pairs, flat; prices may repeat and sizes may be zero."""
    pairs = st.lists(st.tuples(prices, sizes), max_size=most)
    return pairs.map(lambda found: tuple(number for pair in found for number in pair))


changes = st.tuples(levels(near | far), levels(near | far))


def told(side: Side, changed: Levels) -> None:
    """What the changed levels make of a side."""
    for price, size in zip(changed[::2], changed[1::2], strict=True):
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def best_first(side: Side, *, bids: bool) -> list[tuple[int, int]]:
    """A side as the book lists it."""
    return sorted(side.items(), reverse=bids)


def assert_same(book: Book, bids: Side, asks: Side) -> None:
    """The book holds these levels and shows the best of them."""
    assert book.bids(ALL) == best_first(bids, bids=True)
    assert book.asks(ALL) == best_first(asks, bids=False)
    assert (book.bid, book.bid_size) == (best_first(bids, bids=True) or [(0, 0)])[0]
    assert (book.ask, book.ask_size) == (best_first(asks, bids=False) or [(0, 0)])[0]


def parts_of(bids: Levels, asks: Levels, cuts: list[int], sequence: int = 5) -> list[BookSnapshot]:
    """A snapshot cut at these places of its list of levels, bids first."""
    rows = [(0, *pair) for pair in zip(bids[::2], bids[1::2], strict=True)]
    rows += [(1, *pair) for pair in zip(asks[::2], asks[1::2], strict=True)]
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    pieces = [rows[edges[n] : edges[n + 1]] for n in range(len(edges) - 1)]
    return [
        snapshot(
            tuple(number for side, *pair in piece if side == 0 for number in pair),
            tuple(number for side, *pair in piece if side == 1 for number in pair),
            sequence,
            part,
            len(pieces),
        )
        for part, piece in enumerate(pieces, start=1)
    ]


def reloaded(book: Book) -> Book:
    """The book after a journey through bytes."""
    other = Book()
    other.load(msgspec.msgpack.decode(pack(book.dump())))
    return other


# -- levels ----------------------------------------------------------------------------------------


@given(changes, st.lists(changes, max_size=12), st.lists(st.integers(0, 24), max_size=3))
def test_the_book_is_the_dictionary(
    whole: tuple[Levels, Levels], updates: list[tuple[Levels, Levels]], cuts: list[int]
) -> None:
    """After any snapshot, in any parts, and any changes, book and dictionary hold the same."""
    book, bids, asks = Book(), Side(), Side()
    for part in parts_of(*whole, cuts):
        book.snapshot(part, START)
    told(bids, whole[0])
    told(asks, whole[1])
    assert_same(book, bids, asks)
    for number, (bid_changes, ask_changes) in enumerate(updates):
        book.delta(delta(bid_changes, ask_changes, last=6 + number), START)
        told(bids, bid_changes)
        told(asks, ask_changes)
        assert_same(book, bids, asks)
    assert_same(reloaded(book), bids, asks)


@given(st.sets(near | far | st.integers(1, 3 * WINDOW), min_size=1), st.booleans(), st.data())
def test_the_order_of_a_long_message_does_not_matter(
    prices: set[int], bid: bool, data: st.DataObject
) -> None:
    """Best first, as snapshots are, or not quite, or with a price told twice."""
    ordered = sorted({*prices, *range(1_000, 1_000 + MANY)}, reverse=bid)
    place = data.draw(st.integers(0, len(ordered) - 1))
    for told_prices in (ordered, [*ordered, ordered[place]], ordered[place:] + ordered[:place]):
        whole = tuple(chain.from_iterable((price, n % 7) for n, price in enumerate(told_prices)))
        book, side = Book(), Side()
        book.snapshot(snapshot(*((whole, ()) if bid else ((), whole))), START)
        told(side, whole)
        assert_same(book, *((side, {}) if bid else ({}, side)))


def test_the_kernels_compile_without_work_to_do() -> None:
    """Warming folds nothing into nothing."""
    warm()
    assert Depth().best(0, 5).tolist() == []


def test_a_message_may_be_longer_than_any_before() -> None:
    """Levels on both sides, told at once and in pieces ever longer, are all kept."""
    book, bids, asks = Book(), Side(), Side()
    whole = tuple(number for price in range(1, 4 * TOLD_START, 3) for number in (price, price + 7))
    book.snapshot(snapshot(whole, ()), START)
    told(bids, whole)
    for length in range(0, 9 * TOLD_START, TOLD_START // 2 - 24):
        deep = tuple(chain.from_iterable((7 * TOLD_START + n, 3) for n in range(length)))
        few = (2, 5, length % 50, 9, length % 50 + 1, 0)
        book.delta(delta(few, deep), START)
        told(bids, few)
        told(asks, deep)
    assert_same(book, bids, asks)
    assert_same(reloaded(book), bids, asks)
    smaller = Book()
    smaller.snapshot(snapshot((1, 1), (2, 2)), START)
    smaller.load(book.dump())
    assert_same(smaller, bids, asks)


def test_a_dump_holds_the_levels_and_nothing_else() -> None:
    """Keys and sizes, worst first, asks with negated prices: what snapshots of old hold too."""
    assert Book().dump()[0] == [b""] * 4
    book = Book()
    book.snapshot(snapshot((98, 1, 10**9, 2, 99, 0), (101, 4, 103, 5)), START)
    numbers = [(98, 10**9), (1, 2), (-103, -101), (5, 4)]
    assert book.dump()[0] == [struct.pack("<2q", *pair) for pair in numbers]
    empty = Book()
    empty.load(Book().dump())
    assert (empty.bids(5), empty.dump()) == ([], Book().dump())


def test_a_snapshot_replaces_all_that_was() -> None:
    """No level of the old book survives a new snapshot."""
    book = Book()
    book.snapshot(snapshot((100, 1, 90, 1), (110, 1)), START)
    book.snapshot(snapshot((95, 2), (105, 2), sequence=9), START)
    assert_same(book, {95: 2}, {105: 2})


def test_a_side_lists_as_many_levels_as_asked() -> None:
    """`depth` bounds the list from the best level on."""
    book = Book()
    book.snapshot(snapshot((98, 1, 99, 2, 97, 3), (101, 4, 103, 5)), START)
    assert (book.bids(2), book.asks(1)) == ([(99, 2), (98, 1)], [(101, 4)])
    assert book.bids(0) == []


@pytest.mark.parametrize("odd", [((100,), ()), ((), (100, 1, 101))])
def test_a_price_without_a_size_is_our_bug(odd: tuple[Levels, Levels]) -> None:
    """The kernel would read past the end: levels that do not come in pairs stop the engine."""
    book = Book()
    book.snapshot(snapshot((), ()), START)
    with pytest.raises(AssertionError, match="price without a size"):
        book.delta(delta(*odd), START)


def too_many(side: int) -> BookSnapshot:
    """One level at the market, and one too many far away from it."""
    prices = [2 * FAR_MAX + WINDOW, *range(1, FAR_MAX + 2)]
    flat = tuple(chain.from_iterable((price, 1) for price in prices))
    if side == 0:
        return snapshot(flat, ())
    return snapshot((1, 1), tuple(chain.from_iterable((4 * FAR_MAX - p, 1) for p in prices)))


@pytest.mark.parametrize("side", [0, 1])
def test_a_book_without_room_for_a_level_is_lost(side: int) -> None:
    """It says so, and is not usable before a whole one comes, which fits."""
    state = build.given(snapshot((99, 1), (101, 1)), quote(99, 101))
    with pytest.raises(BadInput, match=f"more than {FAR_MAX} levels a side.*instrument 0"):
        when(state, too_many(side))
    assert not state.books.of(BTC).usable
    when(state, delta((100, 1), ()), snapshot((97, 1), (103, 1), 5), build.resynced())
    assert state.books.of(BTC).usable
    assert_same(state.books.of(BTC), {97: 1}, {103: 1})


def test_a_book_may_be_as_deep_as_there_is_room() -> None:
    """All far levels that there is room for are kept, and come back from a dump."""
    whole = too_many(0)
    book = Book()
    book.snapshot(msgspec.structs.replace(whole, bids=whole.bids[:-2]), START)
    assert len(book.bids(ALL)) == FAR_MAX + 1
    assert reloaded(book).bids(ALL) == book.bids(ALL)


@pytest.mark.parametrize("wide", [(1 << 63, 1), (100, 1 << 63), (-(1 << 63) - 1, 1)])
def test_a_level_of_more_than_64_bits_is_bad_input(wide: Levels) -> None:
    """It cannot be held: the book is lost, and says why."""
    state = build.given(snapshot((99, 1), (101, 1)))
    with pytest.raises(BadInput, match="more than 64 bits"):
        when(state, delta(wide, ()))
    assert not state.books.of(BTC).usable


# -- parts and gaps --------------------------------------------------------------------------------

PARTS = parts_of((100, 1, 99, 2, 98, 3), (101, 4, 102, 5), [2, 3])
OTHER = parts_of((50, 1, 49, 2, 48, 3), (51, 4, 52, 5), [2, 3], sequence=7)


@pytest.mark.parametrize(
    "told_parts",
    [
        PARTS[:1] + PARTS[2:],
        PARTS[1:],
        [PARTS[0], PARTS[0], PARTS[2]],
        [PARTS[0], PARTS[1], PARTS[1], PARTS[2]],
        [PARTS[1], PARTS[0], PARTS[2]],
        [PARTS[0], OTHER[1], PARTS[2]],
        [PARTS[0], PARTS[1], OTHER[2]],
        [PARTS[0], PARTS[1], delta((100, 9), ()), PARTS[2]],
    ],
    ids=["hole", "head", "repeat", "twice", "order", "mixed", "tail", "between"],
)
def test_a_snapshot_that_is_not_whole_is_a_gap(told_parts: list[Any]) -> None:
    """A missing, repeated or foreign part, or a change between parts, leaves no usable book."""
    state = build.given(snapshot((70, 1), (71, 1)), *told_parts)
    assert not state.books.of(BTC).usable
    when(state, build.resynced())
    assert not state.books.of(BTC).usable, "the resync came without a snapshot"
    when(state, *OTHER)
    book = state.books.of(BTC)
    assert book.usable
    assert_same(book, {50: 1, 49: 2, 48: 3}, {51: 4, 52: 5})


def test_parts_start_over() -> None:
    """A first part forgets the parts of a snapshot that never ended."""
    book = build.given(PARTS[0], PARTS[1], *OTHER).books.of(BTC)
    assert_same(book, {50: 1, 49: 2, 48: 3}, {51: 4, 52: 5})
    assert book.usable


def test_the_old_book_stands_until_the_last_part() -> None:
    """A snapshot takes effect as a whole."""
    state = build.given(snapshot((70, 1), (71, 1)), PARTS[0], PARTS[1])
    assert_same(state.books.of(BTC), {70: 1}, {71: 1})
    when(state, PARTS[2])
    assert_same(state.books.of(BTC), {100: 1, 99: 2, 98: 3}, {101: 4, 102: 5})


def test_a_snapshot_half_told_goes_on_after_a_reload() -> None:
    """The parts that have come are dumped with the book."""
    book = Book()
    book.snapshot(PARTS[0], START)
    again = reloaded(book)
    assert again.dump() == book.dump()
    for part in PARTS[1:]:
        again.snapshot(part, START)
    assert_same(again, {100: 1, 99: 2, 98: 3}, {101: 4, 102: 5})


def test_what_is_loaded_replaces_what_was_there() -> None:
    """Into a book that has the room for it, too."""
    book, other = Book(), Book()
    book.snapshot(snapshot((99, 1), (101, 1)), START)
    other.snapshot(snapshot((70, 2), (71, 3)), START)
    other.load(book.dump())
    assert_same(other, {99: 1}, {101: 1})
    assert other.dump() == book.dump()


@pytest.mark.parametrize("loss", [build.gapped(), build.feed_down()], ids=["gap", "down"])
def test_nothing_is_usable_from_a_gap_to_the_resync(loss: Any) -> None:
    """Neither changes nor quotes nor a snapshot make a lost book usable before the resync does."""
    state = build.given(snapshot((99, 1), (101, 1)), quote(99, 101), loss)
    assert not state.books.of(BTC).usable
    when(state, delta((100, 1), ()), quote(98, 102), snapshot((97, 1), (103, 1), sequence=5))
    assert not state.books.of(BTC).usable
    when(state, build.resynced())
    book = state.books.of(BTC)
    assert book.usable
    assert_same(book, {97: 1}, {103: 1})


def test_a_resync_without_any_news_shows_nothing() -> None:
    """What was known before a gap is not shown again after it."""
    state = build.given(snapshot((99, 1), (101, 1)), quote(99, 101), build.gapped())
    when(state, build.resynced())
    assert not state.books.of(BTC).usable


@pytest.mark.parametrize("sequence", [1, 10, 100])
def test_a_quote_after_a_gap_is_the_touch_whatever_its_sequence(sequence: int) -> None:
    """Sequences from before a gap are forgotten: a venue may have started to count anew."""
    state = build.given(snapshot((99, 1), (101, 1), sequence=50), build.gapped())
    when(state, quoted(95, 105, sequence), build.resynced())
    book = state.books.of(BTC)
    assert (book.usable, book.bid, book.ask) == (True, 95, 105)


def test_a_quote_from_before_a_gap_does_not_outlive_it() -> None:
    """A snapshot after a gap shows, though a quote before the gap had a greater sequence."""
    state = build.given(snapshot((99, 1), (101, 1)), quoted(98, 102, 900), build.gapped())
    when(state, quoted(90, 110, 3), snapshot((95, 1), (105, 1), sequence=5), build.resynced())
    assert_same(state.books.of(BTC), {95: 1}, {105: 1})


def test_a_session_starts_with_empty_books() -> None:
    """What happened between two sessions nobody heard, so an old book is no book."""
    state = build.given(snapshot((99, 1), (101, 1)), build.started())
    assert not state.books.of(BTC).usable
    when(state, delta((100, 1), ()))
    assert not state.books.of(BTC).usable


def test_changes_without_a_snapshot_are_nothing() -> None:
    """There is nothing yet to change."""
    book = build.given(delta((99, 1), (101, 1))).books.of(BTC)
    assert (book.usable, book.bids(5), book.asks(5)) == (False, [], [])


# -- the touch -------------------------------------------------------------------------------------


def quoted(bid: int, ask: int, sequence: int) -> QuoteUpdated:
    """A best quote with the venue's sequence."""
    return msgspec.structs.replace(quote(bid, ask), sequence=sequence)


def changed(bid: int, ask: int, last: int) -> BookDelta:
    """A change that makes these the best levels of the depth."""
    return delta((99, 0, 98, 0, 97, 0, bid, 1), (101, 0, 102, 0, 103, 0, ask, 1), last=last)


@pytest.mark.parametrize(
    ("events", "touch"),
    [
        ([quoted(98, 102, 11)], (98, 102)),
        ([quoted(98, 102, 9)], (99, 101)),
        ([quoted(98, 102, 10)], (98, 102)),
        ([quoted(98, 102, 0)], (98, 102)),
        ([quoted(98, 102, 12), changed(97, 103, 11)], (98, 102)),
        ([quoted(98, 102, 12), changed(97, 103, 12)], (97, 103)),
        ([quoted(98, 102, 12), changed(97, 103, 13)], (97, 103)),
        ([quoted(98, 102, 0), changed(97, 103, 11)], (97, 103)),
        ([quoted(98, 102, 12), changed(97, 103, 0)], (97, 103)),
        ([quoted(98, 102, 12), quoted(97, 103, 13), changed(98, 102, 12)], (97, 103)),
    ],
)
def test_the_greater_sequence_is_the_touch(events: list[Any], touch: tuple[int, int]) -> None:
    """The newer of depth and quote by the venue's count; without a count the later on the log."""
    state = build.given(snapshot((99, 1), (101, 1), sequence=10), *events)
    book = state.books.of(BTC)
    assert (book.bid, book.ask) == touch


def test_a_quote_never_patches_the_depth() -> None:
    """The depth is as it was under a quote laid over it."""
    book = build.given(snapshot((99, 1), (101, 1)), quoted(100, 102, 7)).books.of(BTC)
    assert (book.bids(5), book.asks(5)) == ([(99, 1)], [(101, 1)])
    assert (book.bid, book.ask) == (100, 102)


def test_quotes_alone_make_a_book() -> None:
    """A feed of best quotes, without depth, is enough to quote from."""
    book = build.given(quote(99, 102, bid_size=3, ask_size=1)).books.of(BTC)
    assert book.usable
    assert (book.mid, book.microprice) == (100.5, (99 * 1 + 102 * 3) / 4)


@pytest.mark.parametrize(
    ("events", "two_sided", "crossed"),
    [
        ([], False, False),
        ([snapshot((99, 1), ())], False, False),
        ([snapshot((), (99, 1))], False, False),
        ([snapshot((99, 1), (100, 1))], True, False),
        ([snapshot((99, 1), (99, 1))], True, True),
        ([snapshot((99, 1), (98, 1))], True, True),
        ([quote(99, 100, bid_size=0)], False, False),
    ],
)
def test_one_sided_locked_and_crossed(events: list[Any], two_sided: bool, crossed: bool) -> None:
    """A book says when nobody may quote from it."""
    book = build.given(*events).books.of(BTC)
    assert (book.two_sided, book.crossed) == (two_sided, crossed)


def test_each_event_of_the_book_is_news() -> None:
    """Snapshots, changes and quotes, old ones included, show that the feed is alive."""
    book = Book()
    book.snapshot(snapshot((99, 1), (101, 1), sequence=5), Nanos(1))
    assert book.updated == 1
    book.delta(delta((), (), last=6), Nanos(2))
    assert book.updated == 2
    book.quote(quoted(1, 2, 3), Nanos(3))
    assert (book.updated, book.bid) == (3, 99)


# -- as a fold -------------------------------------------------------------------------------------

told_events = st.one_of(
    st.builds(snapshot, levels(near), levels(near), st.integers(0, 20)),
    st.builds(
        snapshot, levels(near), levels(near), st.integers(0, 3), st.integers(1, 3), st.just(3)
    ),
    st.builds(delta, levels(near), levels(near), last=st.integers(0, 20)),
    st.builds(quoted, near, near, st.integers(0, 20)),
    st.sampled_from([build.gapped(), build.feed_down(), build.resynced(), build.started()]),
)


@given(st.lists(told_events, max_size=20), st.lists(told_events, max_size=10))
def test_a_book_continues_from_its_dump(before: list[Any], after: list[Any]) -> None:
    """Dumped and loaded anywhere, parts of a snapshot included, it goes on as if nothing was."""
    one, other = build.given(*before), build.given()
    other.books.load(msgspec.msgpack.decode(pack(one.books.dump())))
    assert digest(other.books.dump()) == digest(one.books.dump())
    for state in (one, other):
        when(state, *after)
    assert digest(other.books.dump()) == digest(one.books.dump())
    left, right = one.books.of(BTC), other.books.of(BTC)
    assert (left.usable, left.bids(ALL), left.asks(ALL)) == (
        right.usable,
        right.bids(ALL),
        right.asks(ALL),
    )


@given(st.lists(told_events, max_size=20))
def test_usable_is_never_without_news_since_the_gap(events: list[Any]) -> None:
    """A usable book was told something since it last was lost, and shows nothing older."""
    state, news = build.given(), False
    for event in events:
        when(state, event)
        match event:
            case BookSnapshot() | QuoteUpdated():
                news = True
            case BookDelta():
                pass
            case _ if event != build.resynced():
                news = False
        assert news or not state.books.of(BTC).usable


def test_asking_changes_nothing() -> None:
    """To look at a book nobody heard of leaves the digest as it was."""
    state = build.given(snapshot((99, 1), (101, 1)))
    before = state.digests()
    assert not state.books.of(InstrumentId(7)).usable
    assert state.digests() == before
