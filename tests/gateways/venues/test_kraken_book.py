"""Kraken's book: whole with every checksum, or a gap until a snapshot is right."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm.errors import BadInput
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedUp,
)
from mm.events.units import SECONDS, Nanos
from mm.gateways.market_port import Say
from mm.gateways.venues.kraken.decoder import ANSWER_MAX
from mm.projections.book import Book
from tests.gateways.venues.kraken_frames import (
    CHANNEL,
    START,
    Market,
    frame,
    parser,
    spoiled,
)


def folded(book: Book, facts: list[object]) -> None:
    """Let a book hear facts."""
    for fact in facts:
        match fact:
            case BookSnapshot():
                book.snapshot(fact, START)
            case BookDelta():
                book.delta(fact, START)
            case FeedGapped() | FeedDown():
                book.lose()
            case FeedResynced():
                book.resynced()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), depth=st.sampled_from([10, 25]), updates=st.integers(1, 80))
def test_book_is_the_venues_at_every_checksum(seed: int, depth: int, updates: int) -> None:
    """Whoever folds the facts has exactly the venue's levels, those below the depth gone too."""
    market, book, made = Market(seed, depth), Book(), parser(depth)
    folded(book, [*made.parse(frame(market.snapshot()))])
    for count in range(updates):
        facts = made.parse(frame(market.update()))
        (delta,) = facts
        assert isinstance(delta, BookDelta)
        assert (delta.first, delta.previous) == (count + 2, count + 1)
        folded(book, [*facts])
        assert dict(book.bids(10**6)) == market.bids
        assert dict(book.asks(10**6)) == market.asks


DOCUMENTED_BIDS = (
    *("45283.5 0.10000000", "45283.4 1.54582015", "45282.1 0.10000000", "45281.0 0.10000000"),
    *("45280.3 1.54592586", "45279.0 0.07990000", "45277.6 0.03310103", "45277.5 0.30000000"),
    *("45277.3 1.54602737", "45276.6 0.15445238"),
)
DOCUMENTED_ASKS = (
    *("45285.2 0.00100000", "45286.4 1.54571953", "45286.6 1.54571109", "45289.6 1.54560911"),
    *("45290.2 0.15890660", "45291.8 1.54553491", "45294.7 0.04454749", "45296.1 0.35380000"),
    *("45297.5 0.09945542", "45299.5 0.18772827"),
)
DOCUMENTED_CHECKSUM = 3_310_070_434


def test_documented_example_of_the_rule() -> None:
    """The book that the venue documents has the checksum that it documents."""
    bids, asks = (
        [dict(zip(("price", "qty"), level.split(), strict=True)) for level in levels]
        for levels in (DOCUMENTED_BIDS, DOCUMENTED_ASKS)
    )
    book = {"symbol": "BTC/USD", "bids": bids, "asks": asks, "checksum": DOCUMENTED_CHECKSUM}
    quoted = json.dumps({"channel": "book", "type": "snapshot", "data": [book]})
    plain = re.sub(r'"([0-9.]+)"', r"\1", quoted)  # Numbers stand without quotes on the wire.
    (whole,) = parser().parse(frame(plain))
    assert isinstance(whole, BookSnapshot)
    assert (whole.bids[:2], whole.asks[:2]) == ((452_835, 10_000_000), (452_852, 100_000))


def test_wrong_checksum_is_a_gap_that_a_new_subscription_mends() -> None:
    """Nothing of the book leaves until a snapshot is right; then it is said to be whole."""
    market, made = Market(1), parser()
    made.parse(frame(market.snapshot()))
    (gap,) = made.parse(frame(spoiled(market.update()), START + 5))
    assert isinstance(gap, FeedGapped)
    assert (gap.wanted, gap.reason, gap.received) == (1, "the checksum is wrong", START + 5)
    asked = made.wants(Nanos(START + 5))
    assert [type(each) for each in asked] == [Say, Say]
    assert [b"unsubscribe" in each.text for each in asked if isinstance(each, Say)] == [True, False]
    assert made.wants(Nanos(START + 6)) == []  # Named once.
    assert made.parse(frame(market.update())) == []  # Of the subscription that is over.
    whole, resynced = made.parse(frame(market.snapshot()))
    assert isinstance(whole, BookSnapshot)
    assert isinstance(resynced, FeedResynced)
    assert resynced.sequence == whole.sequence
    (delta,) = made.parse(frame(market.update()))
    assert isinstance(delta, BookDelta)
    assert delta.previous == whole.sequence


def test_lost_update_is_noticed_by_the_next() -> None:
    """A frame that never came leaves a checksum that cannot be met."""
    market, made = Market(3), parser()
    made.parse(frame(market.snapshot()))
    before = (dict(market.bids), dict(market.asks))
    while (market.bids, market.asks) == before:
        market.update()
    (gap,) = made.parse(frame(market.update()))
    assert isinstance(gap, FeedGapped)


def test_snapshot_that_is_wrong_too_is_asked_for_again_ever_more_rarely() -> None:
    """The gap is told once; the venue is not asked in a circle."""
    market, made = Market(1), parser()
    made.parse(frame(market.snapshot()))
    assert len(made.parse(frame(spoiled(market.update())))) == 1
    now, waits = int(START), []
    for _ in range(8):
        started = now
        while not made.wants(Nanos(now)):
            now += SECONDS
        waits.append((now - started) // SECONDS)
        assert made.parse(frame(spoiled(market.snapshot()), now)) == []
    assert waits == [0, 1, 3, 7, 15, 31, 60, 60]


def test_snapshot_that_never_comes_is_asked_for_again() -> None:
    """A subscription without an answer is said again after a while."""
    made = parser()
    assert made.wants(Nanos(START + ANSWER_MAX - 1)) == []
    assert len(made.wants(Nanos(START + ANSWER_MAX))) == 2


def test_connection_that_ends_takes_the_book_with_it() -> None:
    """Up, down, up again: and the snapshot of the new connection is a resync."""
    market, made = Market(1), parser()
    made.parse(frame(market.snapshot()))
    (down,) = made.disconnected(CHANNEL, START, "closed with 1006")
    assert isinstance(down, FeedDown)
    assert down.reason == "closed with 1006"
    assert made.parse(frame(market.update())) == []
    (up,) = made.connected(CHANNEL, START)
    assert isinstance(up, FeedUp)
    assert [type(each) for each in made.parse(frame(market.snapshot()))] == [
        BookSnapshot,
        FeedResynced,
    ]


def test_snapshot_while_the_book_stands_takes_its_place() -> None:
    """As a second socket brings one that takes over: no gap, and nothing to mend."""
    market, book, made = Market(1), Book(), parser()
    folded(book, [*made.parse(frame(market.snapshot()))])
    folded(book, [*made.parse(frame(market.update()))])
    for _ in range(3):
        market.update()  # Heard on the socket that goes, or on none.
    facts = made.parse(frame(market.snapshot()))
    assert [type(fact) for fact in facts] == [BookSnapshot]
    folded(book, [*facts])
    folded(book, [*made.parse(frame(market.update()))])
    assert (dict(book.bids(99)), dict(book.asks(99))) == (market.bids, market.asks)
    assert made.wants(START) == []


def test_refused_frame_makes_the_book_a_gap() -> None:
    """What a frame held that nobody could read was perhaps a change of this book."""
    market, made = Market(1), parser()
    made.parse(frame(market.snapshot()))
    (gap,) = made.missed(CHANNEL, START, "unreadable")
    assert isinstance(gap, FeedGapped)
    assert made.parse(frame(market.update())) == []


SNAPSHOT = Market(1).snapshot()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"channel":"unheard_of","data":[]}',
        b"\xff\xfe",
        SNAPSHOT.replace(b'"checksum"', b'"check"'),
        SNAPSHOT.replace(b'"price":60000.1', b'"price":60000.15'),
        SNAPSHOT.replace(b'"price":60000.1', b'"price":-60000.1'),
        SNAPSHOT.replace(b'"price":60000.1', b'"price":"sixty"'),
        SNAPSHOT.replace(b'"qty":2.00000001', b'"qty":2.000000011'),
        SNAPSHOT.replace(b'"qty":2.00000001', b'"qty":0.00000000'),
        SNAPSHOT.replace(b'"qty":2.00000001', b'"qty":null'),
        SNAPSHOT.replace(b"2024-11-21T21:20", b"2024-13-21T21:20"),
        SNAPSHOT.replace(b"00.000001Z", b"00.000001 "),
        SNAPSHOT.replace(b'"bids":[', b'"bids":[{"price":1.0,"qty":1.00000000},'),
    ],
)
def test_damaged_frame_changes_nothing(body: bytes) -> None:
    """It is refused with an error of ours, and the next good one is believed."""
    market, made = Market(1), parser()
    made.parse(frame(market.snapshot()))
    with pytest.raises(BadInput):
        made.parse(frame(body))
    (delta,) = made.parse(frame(market.update()))
    assert isinstance(delta, BookDelta)


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(SNAPSHOT) - 1), byte=st.integers(0, 255))
def test_any_changed_byte_is_an_error_or_a_gap_or_harmless(at: int, byte: int) -> None:
    """No single damaged byte brings a book that is not the venue's."""
    market, made = Market(1), parser()
    body = SNAPSHOT[:at] + bytes([byte]) + SNAPSHOT[at + 1 :]
    try:
        facts = made.parse(frame(body))
    except BadInput:
        return
    for fact in facts:
        if isinstance(fact, BookSnapshot):
            assert dict(zip(fact.bids[::2], fact.bids[1::2], strict=True)) == market.bids
            assert dict(zip(fact.asks[::2], fact.asks[1::2], strict=True)) == market.asks
