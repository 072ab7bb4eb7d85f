"""Snapshot and updates join by the venue's rules, or the book is a gap."""

import pytest

from mm.events.market import BookDelta, BookSnapshot, FeedGapped, FeedResynced
from mm.events.units import SECONDS, InstrumentId, Nanos
from mm.gateways.sequence import (
    HELD_MAX,
    BookEvent,
    BookJoiner,
    Verdict,
    futures_rule,
    spot_rule,
)

BTC = InstrumentId(0)
FOLLOWS, STALE, GAP = Verdict.FOLLOWS, Verdict.STALE, Verdict.GAP


def delta(first: int, last: int, previous: int = 0, received: int = 0) -> BookDelta:
    """An update of ids `first` to `last`."""
    return BookDelta(
        instrument=BTC,
        received=Nanos(received),
        venue_time=Nanos(0),
        first=first,
        last=last,
        previous=previous,
        bids=(),
        asks=(),
    )


def snapshot(sequence: int, received: int = 0) -> tuple[BookSnapshot, ...]:
    """A snapshot that contains all up to `sequence`."""
    whole = BookSnapshot(
        instrument=BTC,
        received=Nanos(received),
        venue_time=Nanos(0),
        sequence=sequence,
        bids=(),
        asks=(),
    )
    return (whole,)


def spot_joiner() -> BookJoiner:
    """The book of a spot market."""
    return BookJoiner(BTC, spot_rule, chained=False)


def futures_joiner() -> BookJoiner:
    """The book of a futures market."""
    return BookJoiner(BTC, futures_rule, chained=True)


def said(events: list[BookEvent]) -> list[str]:
    """What came out, in short."""
    return [
        {BookDelta: "delta", BookSnapshot: "snapshot", FeedGapped: "gap", FeedResynced: "resynced"}[
            type(event)
        ]
        for event in events
    ]


def test_spot_vector() -> None:
    """Binance's example: drop (150,160), apply (157,163) and (164,170), a gap at (172,175)."""
    book = spot_joiner()
    assert said(book.snapshot(snapshot(160))) == ["snapshot"]
    assert said(book.delta(delta(150, 160))) == []
    assert said(book.delta(delta(157, 163))) == ["delta"]
    assert said(book.delta(delta(164, 170))) == ["delta"]
    (gap,) = book.delta(delta(172, 175))
    assert isinstance(gap, FeedGapped)
    assert (gap.wanted, gap.got) == (171, 172)
    assert book.stale == 1
    assert not book.usable


def test_futures_vector() -> None:
    """On futures (150,160) is kept beside a snapshot at 160, and the next must name 160."""
    book = futures_joiner()
    book.snapshot(snapshot(160))
    assert said(book.delta(delta(140, 149, 139))) == []
    assert said(book.delta(delta(150, 160, 149))) == ["delta"]
    assert said(book.delta(delta(161, 166, 160))) == ["delta"]
    (gap,) = book.delta(delta(170, 175, 168))
    assert isinstance(gap, FeedGapped)
    assert (gap.wanted, gap.got) == (166, 168)


@pytest.mark.parametrize(
    ("book", "last", "update", "verdict"),
    [
        (160, None, delta(150, 160), STALE),
        (160, None, delta(161, 161), FOLLOWS),
        (160, None, delta(162, 163), GAP),
        (163, delta(157, 163), delta(157, 163), STALE),  # Twice the same.
        (163, delta(157, 163), delta(150, 156), STALE),  # An older one again.
        (199, delta(157, 199), delta(164, 170), GAP),  # The id 199 was damaged.
        (170, delta(157, 170), delta(164, 170), GAP),  # So was 170, for 163.
    ],
)
def test_spot_rule(book: int, last: BookDelta | None, update: BookDelta, verdict: Verdict) -> None:
    """No id may be skipped, and an update inside the one before it proves damage."""
    assert spot_rule(book, last, update) is verdict


@pytest.mark.parametrize(
    ("book", "last", "update", "verdict"),
    [
        (160, None, delta(150, 159, 149), STALE),
        (160, None, delta(150, 160, 149), FOLLOWS),
        (160, None, delta(157, 163, 156), FOLLOWS),
        (160, None, delta(161, 163, 160), FOLLOWS),  # It names the snapshot itself.
        (160, None, delta(164, 170, 163), GAP),
        (163, delta(157, 163, 156), delta(164, 170, 163), FOLLOWS),
        (163, delta(157, 163, 156), delta(157, 163, 156), STALE),
        (163, delta(157, 163, 156), delta(164, 170, 162), GAP),
    ],
)
def test_futures_rule(
    book: int, last: BookDelta | None, update: BookDelta, verdict: Verdict
) -> None:
    """The first spans the snapshot, each later one names its predecessor."""
    assert futures_rule(book, last, update) is verdict


def test_updates_wait_for_the_snapshot() -> None:
    """What came before the snapshot follows it, in order, without what it contains."""
    book = spot_joiner()
    assert [book.delta(delta(n, n + 4)) for n in (150, 155, 160, 165)] == [[]] * 4
    events = book.snapshot(snapshot(161))
    assert said(events) == ["snapshot", "delta", "delta"]
    assert [event.first for event in events if isinstance(event, BookDelta)] == [160, 165]
    assert (book.stale, book.held, book.sequence) == (2, 0, 169)


def test_hole_among_waiting_updates() -> None:
    """An update missing before the snapshot came is found when it comes."""
    book = spot_joiner()
    for first in (150, 155, 165):
        book.delta(delta(first, first + 4))
    assert said(book.snapshot(snapshot(152))) == ["snapshot", "delta", "delta", "gap"]
    assert book.held == 1


def test_resync_after_a_gap() -> None:
    """Only a snapshot that joins, and an update that proves it, make the book usable again."""
    book = spot_joiner()
    book.snapshot(snapshot(160))
    book.delta(delta(161, 165))
    assert said(book.delta(delta(170, 175))) == ["gap"]
    assert said(book.delta(delta(176, 180))) == []
    assert said(book.snapshot(snapshot(165))) == []  # Too old: 166 to 169 are still missing.
    assert not book.usable
    assert book.refused_snapshots == 1
    events = book.snapshot(snapshot(177))
    assert said(events) == ["snapshot", "delta", "resynced"]
    assert book.usable
    assert said(book.delta(delta(181, 182))) == ["delta"]


def test_snapshot_ahead_of_the_updates() -> None:
    """After a gap a snapshot alone is not enough: the next update has to join it."""
    book = futures_joiner()
    book.snapshot(snapshot(160))
    book.delta(delta(155, 165, 154))
    book.delta(delta(170, 175, 169))
    assert said(book.snapshot(snapshot(190))) == ["snapshot"]
    assert not book.usable
    assert said(book.delta(delta(176, 189, 175))) == []
    assert said(book.delta(delta(190, 195, 189))) == ["delta", "resynced"]


def test_snapshot_in_reserve_heals_at_once() -> None:
    """A snapshot that comes before the gap shows is used as soon as it does."""
    book = spot_joiner()
    book.snapshot(snapshot(160))
    book.delta(delta(161, 165))
    assert said(book.snapshot(snapshot(180))) == []
    assert said(book.delta(delta(179, 182))) == ["gap", "snapshot", "delta", "resynced"]
    assert book.usable


def test_first_snapshot_too_old() -> None:
    """A snapshot older than everything heard is a gap from the start."""
    book = spot_joiner()
    book.delta(delta(170, 175))
    assert said(book.snapshot(snapshot(160))) == ["gap"]
    assert said(book.snapshot(snapshot(171))) == ["snapshot", "delta", "resynced"]


def test_snapshot_with_a_damaged_id() -> None:
    """A snapshot that seems to contain every later update is given up after ten seconds."""
    book = spot_joiner()
    book.snapshot(snapshot(10**12, received=SECONDS))
    assert said(book.delta(delta(161, 165, received=5 * SECONDS))) == []
    assert said(book.delta(delta(166, 170, received=12 * SECONDS))) == ["gap"]


def test_distrust() -> None:
    """A book found wrong is gone until a newer snapshot; saying so twice is one gap."""
    book = spot_joiner()
    book.snapshot(snapshot(160))
    book.delta(delta(161, 165))
    assert said(book.distrust(Nanos(0), "crossed")) == ["gap"]
    assert said(book.distrust(Nanos(0), "crossed")) == []
    assert said(book.delta(delta(166, 170))) == []
    assert said(book.snapshot(snapshot(167))) == ["snapshot", "delta", "resynced"]


def test_waiting_is_bounded() -> None:
    """Without a snapshot the oldest updates go, and then only a newer snapshot joins."""
    book = spot_joiner()
    for n in range(HELD_MAX + 100):
        book.delta(delta(n + 1, n + 1))
    assert book.held == HELD_MAX
    assert said(book.snapshot(snapshot(50))) == ["gap"]
    assert said(book.snapshot(snapshot(HELD_MAX + 99))) == ["snapshot", "delta", "resynced"]
