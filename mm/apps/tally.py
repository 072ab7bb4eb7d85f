"""A log in numbers: how many events and bytes of which kind, on which instrument, at which rate.

Bytes are those of the turns as they were appended; what frames the events (number, time and links
of a turn) is counted apart. Sizes are kept as histograms, so that a log of any length is counted in
bounded memory and percentiles are exact.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from mm.events.base import Body, MarketEvent
from mm.events.codec import encode_event
from mm.events.instrument import InstrumentDefined
from mm.events.session import SessionStarted
from mm.events.units import SECONDS, InstrumentId
from mm.events.vocabulary import Event, levels_in, tag_of
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
    """A whole log; `seconds` is log time, without the pause before each session but the first."""

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


class Tally:
    """Counts turns; `result` may be asked at any time."""

    def __init__(self) -> None:
        """Start with an empty log."""
        self._kinds: dict[tuple[type[Body], str], Sums] = {}
        self._subjects = (Sums(), Sums())
        self._sizes: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()
        self._symbols: dict[InstrumentId, str] = {}
        self._first = self._last = self._nanos = 0
        self._sessions = 0

    def take(self, sealed: Sealed) -> None:
        """Count the next turn."""
        turn = sealed.turn
        self._first = self._first or turn.at
        before, sessions = self._last or turn.at, self._sessions
        self._last = turn.at
        self._sizes[turn.size] += 1
        self._bytes[len(sealed.payload)] += 1
        subject = self._subjects[bool(turn.previous_orders)]
        subject.turns += 1
        subject.events += turn.size
        subject.bytes += len(sealed.payload)
        for fact in turn.facts:
            self._count(fact)
        for decision in turn.decisions:
            self._count(decision)
        if self._sessions == sessions:
            self._nanos += turn.at - before

    def _count(self, event: Event) -> None:
        if isinstance(event, InstrumentDefined):
            self._symbols[event.instrument] = event.name
        elif isinstance(event, SessionStarted):
            self._sessions += 1
        number = getattr(event, "instrument", None)
        key = type(event), "" if number is None else self._symbol(number)
        sums = self._kinds.get(key) or self._kinds.setdefault(key, Sums())
        sums.events += 1
        sums.updates += levels_in(event)
        sums.bytes += len(encode_event(event))

    def _symbol(self, number: InstrumentId) -> str:
        return self._symbols.get(number) or f"instrument {number}"

    def result(self, name: str) -> LogStatistics:
        """Everything counted so far."""
        events = sum(each.events for each in self._subjects)
        size = sum(each.bytes for each in self._subjects)
        updates = sum(each.updates for each in self._kinds.values())
        turns = sum(each.turns for each in self._subjects)
        seconds = self._nanos / SECONDS
        market, orders = (_subject(each, turns, size) for each in self._subjects)
        return LogStatistics(
            name=name,
            sessions=self._sessions,
            turns=turns,
            events=events,
            updates=updates,
            bytes=size,
            frame_bytes=size - sum(each.bytes for each in self._kinds.values()),
            first=self._first,
            last=self._last,
            seconds=seconds,
            events_per_second=_ratio(events, seconds),
            updates_per_second=_ratio(updates, seconds),
            turns_per_second=_ratio(turns, seconds),
            bytes_per_event=_ratio(size, events),
            turn_events=_spread(self._sizes),
            turn_bytes=_spread(self._bytes),
            market=market,
            orders=orders,
            kinds=self._kind_counts(events, size, seconds),
        )

    def _kind_counts(self, events: int, size: int, seconds: float) -> list[KindCount]:
        """The most frequent first."""
        found = [
            KindCount(
                kind=tag_of(kind),
                symbol=symbol,
                market=issubclass(kind, MarketEvent),
                events=sums.events,
                updates=sums.updates,
                bytes=sums.bytes,
                events_per_second=_ratio(sums.events, seconds),
                events_share=_ratio(sums.events, events),
                bytes_share=_ratio(sums.bytes, size),
            )
            for (kind, symbol), sums in self._kinds.items()
        ]
        return sorted(found, key=lambda each: (-each.events, each.kind, each.symbol))


def _subject(sums: Sums, turns: int, size: int) -> Subject:
    return Subject(
        turns=sums.turns,
        events=sums.events,
        bytes=sums.bytes,
        turns_share=_ratio(sums.turns, turns),
        bytes_share=_ratio(sums.bytes, size),
    )


def _ratio(part: float, whole: float) -> float:
    """A share or a rate; zero of nothing."""
    return part / whole if whole else 0.0


def _spread(sizes: Counter[int]) -> Spread:
    count = sizes.total()
    total = sum(size * times for size, times in sizes.items())
    return Spread(
        mean=_ratio(total, count),
        p50=percentile(sizes, 0.5),
        p99=percentile(sizes, 0.99),
        max=max(sizes, default=0),
    )


def percentile(sizes: Counter[int], share: float) -> int:
    """The smallest size that is not exceeded by this share of the turns."""
    left = share * sizes.total()
    for size in sorted(sizes):
        left -= sizes[size]
        if left <= 0:
            return size
    return 0
