"""What an import brought in, counted in exact integers from the recorded facts alone."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.errors import BadInput
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    CandleClosed,
    FeedGapped,
    FeedResynced,
    FundingPublished,
    MarkPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import SECONDS, Nanos
from mm.events.vocabulary import Fact, levels_in

KEPT_MAX: Final = 100


class Totals:
    """Counts and sums over the facts of one instrument."""

    def __init__(self, definition: InstrumentDefined) -> None:
        """Start at zero."""
        self.definition = definition
        self.messages = 0
        self.first = Nanos(0)
        self.last = Nanos(0)
        self.counts: Counter[type] = Counter()
        self.snapshot_levels = 0
        self.level_updates = 0
        self.size = 0
        self.notional = 0
        self.volume = 0
        self.sequence = 0
        self.funding: dict[tuple[Decimal, Nanos], int] = {}

    def message(self, received: Nanos) -> None:
        """A message of this instrument was read."""
        self.messages += 1
        self.first = self.first or received
        self.last = received

    def add(self, fact: Fact) -> None:
        """A fact was recorded."""
        self.counts[type(fact)] += 1
        match fact:
            case BookDelta():
                self.level_updates += levels_in(fact)
                self.sequence = fact.last
            case TradePrinted():
                self.size += fact.size
                self.notional += fact.price * fact.size
            case BookSnapshot():
                self.snapshot_levels += levels_in(fact)
                self.sequence = fact.sequence
            case CandleClosed():
                self.volume += fact.volume
            case FundingPublished():
                key = fact.rate, fact.due
                self.funding[key] = self.funding.get(key, 0) + 1
            case _:
                pass

    def report(self) -> dict[str, Any]:
        """The figures every import prints."""
        tick, lot = self.definition.tick_size, self.definition.lot_size
        return {
            "instrument": self.definition.instrument,
            "name": self.definition.name,
            "kind": str(self.definition.kind),
            "tick_size": tick,
            "lot_size": lot,
            "messages": self.messages,
            "first": iso(self.first),
            "last": iso(self.last),
            "quotes": self.counts[QuoteUpdated],
            "trades": self.counts[TradePrinted],
            "trade_size_sum": self.size * lot,
            "trade_notional_sum": self.notional * (tick * lot),
            "candles": self.counts[CandleClosed],
            "volume_sum": self.volume * lot,
        }

    def book_report(self) -> dict[str, Any]:
        """The figures of depth, mark price and funding."""
        return {
            "diffs_applied": self.counts[BookDelta],
            "level_updates": self.level_updates,
            "snapshots": self.counts[BookSnapshot],
            "snapshot_levels": self.snapshot_levels,
            "gaps": self.counts[FeedGapped],
            "resyncs": self.counts[FeedResynced],
            "final_update_id": self.sequence,
            "marks": self.counts[MarkPublished],
            "funding_rates": len(self.funding),
            "funding": [
                {"rate": rate, "due": iso(due), "published": count}
                for (rate, due), count in self.funding.items()
            ],
        }


class Problem(msgspec.Struct, frozen=True):
    """Something that was not imported, and where it stands."""

    error: str
    what: str
    where: str


class Problems:
    """All counted, the first hundred kept; strict makes the first one fatal."""

    def __init__(self, *, strict: bool = False) -> None:
        """Start without any."""
        self._strict = strict
        self.count = 0
        self.kept: list[Problem] = []

    def add(self, error: BadInput, where: str) -> None:
        """Note an error at `file:line`, or raise it so."""
        error.where = error.where or where
        if self._strict:
            raise error
        self.count += 1
        if len(self.kept) < KEPT_MAX:
            self.kept.append(Problem(type(error).__name__, error.what, error.where))


def iso(at: Nanos) -> str:
    """A time as UTC with nanoseconds; empty for none."""
    if not at:
        return ""
    whole, rest = divmod(at, SECONDS)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
