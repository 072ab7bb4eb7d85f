"""A log in numbers: how many events and bytes of which kind, on which instrument, at which rate.

Bytes are those of the turns as they were appended; what frames the events (number, time and links
of a turn) is counted apart. Sizes are kept as histograms, so that a log of any length is counted in
bounded memory and percentiles are exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from mm.apps.wording import Instruments, instrument_of
from mm.events.base import MarketEvent
from mm.events.codec import encode_event
from mm.events.instrument import InstrumentDefined
from mm.events.session import SessionStarted
from mm.events.turn import Record, records
from mm.events.units import SECONDS, InstrumentId
from mm.events.vocabulary import levels_in, tag_of
from mm.log.chain import Sealed


class KindCount(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of event on one instrument (empty: about none).

    `updates` counts a price level as one, anything else too; rates are per second of log time.
    """

    kind: str
    symbol: str
    market: bool
    events: int
    updates: int
    bytes: int
    events_per_second: float
    events_share: float
    bytes_share: float


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How a size is distributed over the turns."""

    mean: float
    p50: int
    p99: int
    max: int


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The turns of one subject."""

    turns: int
    events: int
    bytes: int
    turns_share: float
    bytes_share: float


class LogStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A whole log; `seconds` is log time from the first turn to the last."""

    name: str
    sessions: int
    turns: int
    events: int
    updates: int
    bytes: int
    frame_bytes: int
    first: int
    last: int
    seconds: float
    events_per_second: float
    updates_per_second: float
    turns_per_second: float
    bytes_per_event: float
    turn_events: Spread
    turn_bytes: Spread
    market: Subject
    orders: Subject
    kinds: list[KindCount]


class Sums:
    """Counters of one kind, or of one subject."""

    __slots__ = ("bytes", "events", "turns", "updates")

    def __init__(self) -> None:
        """Start at zero."""
        self.turns = self.events = self.updates = self.bytes = 0


Key = tuple[type, InstrumentId | None]


class Tally:
    """Counts turns; `result` may be asked at any time."""

    def __init__(self) -> None:
        """Start with an empty log."""
        self._kinds: dict[tuple[type, str], Sums] = {}
        self._subjects = (Sums(), Sums())
        self._sizes: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()
        self._instruments = Instruments()
        self._symbols: dict[InstrumentId, str] = {}
        self._first = self._last = 0
        self._sessions = 0

    def take(self, sealed: Sealed) -> None:
        """Count the next turn."""
        turn = sealed.turn
        self._first = self._first or turn.at
        self._last = turn.at
        self._sizes[turn.size] += 1
        self._bytes[len(sealed.payload)] += 1
        subject = self._subjects[bool(turn.previous_orders)]
        subject.turns += 1
        subject.events += turn.size
        subject.bytes += len(sealed.payload)
        for event in turn.facts:
            self._count(event)
        for event in turn.decisions:
            self._count(event)
        if turn.previous_orders:
            self._learn(sealed)
