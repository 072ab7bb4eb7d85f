"""Venues' rules for joining a book snapshot to its updates, and the machine that obeys them.

A rule is a pure function of the ids; the machine holds updates back until a snapshot joins them,
drops what the snapshot already contains, and says `FeedGapped` the moment something is missing.
From then on nothing is passed until a newer snapshot joins; then comes `FeedResynced`. So what
leaves here is either a whole book or none.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from mm.events.market import BookDelta, BookSnapshot, FeedGapped, FeedResynced
from mm.events.units import InstrumentId, Nanos

HELD_MAX: Final = 4_096
"""Updates held for a snapshot; past this the oldest go, and then only a newer snapshot joins."""
JOIN_WAIT_MAX: Final = Nanos(10_000_000_000)
"""A book that contains every update for longer than this has a damaged id."""

BookEvent = BookSnapshot | BookDelta | FeedGapped | FeedResynced


class Verdict(Enum):
    """What an update is to the book we have."""

    STALE = "stale"
    FOLLOWS = "follows"
    GAP = "gap"


Rule = Callable[[int, BookDelta | None, BookDelta], Verdict]
"""(id of the book, last update applied since the snapshot or None, update) → verdict."""


def spot_rule(book: int, last: BookDelta | None, delta: BookDelta) -> Verdict:
    """Binance spot: stale up to the book's id, and no id may be skipped."""
    if delta.last <= book:
        return Verdict.GAP if last and _inside(last, delta) else Verdict.STALE
    return Verdict.FOLLOWS if delta.first <= book + 1 else Verdict.GAP


def _inside(last: BookDelta, delta: BookDelta) -> bool:
    """Whether an update contradicts the one before it, whose last id must then be damaged."""
    return delta.first > last.first and delta.last <= last.last


def futures_rule(book: int, last: BookDelta | None, delta: BookDelta) -> Verdict:
    """Binance USD-M and COIN-M: the first must span the snapshot, then each names the one before.

    An update that names the snapshot itself as its predecessor joins it as well.
    """
    if last is not None:
        again = delta.last == last.last and delta.first == last.first
        if again or delta.last <= last.previous:
            return Verdict.STALE  # An update that we have, as two sockets deliver it.
        return Verdict.FOLLOWS if delta.previous == book else Verdict.GAP
    if delta.last < book:
        return Verdict.STALE
    joins = delta.first <= book or delta.previous == book
    return Verdict.FOLLOWS if joins else Verdict.GAP


class BookJoiner:
    """Updates and snapshots of one book in, in any order; a whole book or a gap out."""

    def __init__(self, instrument: InstrumentId, rule: Rule, *, chained: bool) -> None:
        """Start without a book; `chained` says that updates name their predecessor."""
        self._instrument = instrument
        self._rule = rule
        self._chained = chained
        self._held: deque[BookDelta] = deque(maxlen=HELD_MAX)
        self._spare: Sequence[BookSnapshot] = ()
        self._last: BookDelta | None = None
        self._has_book = False
        self._gapped = False
        self._received = Nanos(0)
        self._joined_at = Nanos(0)
        self.sequence = 0
        self.stale = 0
        self.refused_snapshots = 0

    @property
    def usable(self) -> bool:
        """Whether a book stands that nothing contradicts."""
        return self._has_book and not self._gapped

    @property
    def stands(self) -> bool:
        """Whether a snapshot was joined and nothing is missing since."""
        return self._has_book

    @property
    def held(self) -> int:
        """Updates that wait for a snapshot."""
        return len(self._held)

    def delta(self, delta: BookDelta) -> list[BookEvent]:
        """Take an update; returns what may be believed now."""
        self._received = max(self._received, delta.received)
        if not self._has_book:
            self._held.append(delta)
            return []
        match self._rule(self.sequence, self._last, delta):
            case Verdict.STALE:
                return self._skip(delta)
            case Verdict.FOLLOWS:
                return [delta, *self._advance(delta)]
            case Verdict.GAP:
                return self._rejoin(delta)

    def _skip(self, delta: BookDelta) -> list[BookEvent]:
        """Drop an update that the book contains, unless it contains all of them for ever."""
        self.stale += 1
        since = self._joined_at if self._last is None else self._last.received
        if delta.received - since <= JOIN_WAIT_MAX:
            return []
        return self._lose(self.sequence + 1, delta.last, "the book is ahead of its updates")

    def _advance(self, delta: BookDelta) -> list[BookEvent]:
        self._last, self.sequence = delta, delta.last
        if not self._gapped:
            return []
        self._gapped = False
        return [
            FeedResynced(instrument=self._instrument, received=self._received, sequence=delta.last)
        ]

    def _rejoin(self, delta: BookDelta) -> list[BookEvent]:
        """Give the book up, and try the snapshot that came while it was not needed."""
        events = self._lose(*self._ids(delta), "updates are missing")
        self._held.append(delta)
        spare, self._spare = self._spare, ()
        return events + (self.snapshot(spare) if spare else [])

    def _ids(self, delta: BookDelta) -> tuple[int, int]:
        if self._chained and self._last is not None:
            return self.sequence, delta.previous
        return self.sequence + 1, delta.first

    def _lose(self, wanted: int, got: int, reason: str) -> list[BookEvent]:
        self._has_book, self._last = False, None
        if self._gapped:
            return []
        self._gapped = True
        return [
            FeedGapped(
                instrument=self._instrument,
                received=self._received,
                wanted=wanted,
                got=got,
                reason=reason,
            )
        ]

    def distrust(self, received: Nanos, reason: str) -> list[BookEvent]:
        """Give up a book that was found wrong; only a newer snapshot brings it back."""
        self._spare = ()
        self._held.clear()
        self._received = max(self._received, received)
        return self._lose(self.sequence + 1, self.sequence, reason)

    def snapshot(self, parts: Sequence[BookSnapshot]) -> list[BookEvent]:
        """Take a snapshot, all its parts at once; it is kept in reserve while a book stands."""
        sequence = parts[0].sequence
        self._received = max(self._received, parts[0].received)
        if self._has_book and sequence <= self.sequence:
            return []
        if self.usable:
            self._spare = parts
            return []
        return self._join(parts, sequence)

    def _join(self, parts: Sequence[BookSnapshot], sequence: int) -> list[BookEvent]:
        waiting = [d for d in self._held if self._rule(sequence, None, d) is not Verdict.STALE]
        if waiting and self._rule(sequence, None, waiting[0]) is Verdict.GAP:
            self.refused_snapshots += 1
            return self._lose(sequence + 1, waiting[0].first, "the snapshot is too old")
        self.stale += len(self._held) - len(waiting)
        self._held.clear()
        self._has_book, self._last, self.sequence = True, None, sequence
        self._joined_at = self._received
        events: list[BookEvent] = [*parts]
        for delta in waiting:
            events += self.delta(delta)
        return events
