"""The market of an archive as rows, column by column: no object for an event.

A span's tables become one array of facts in the order of the log; compiled loops rule on each fact
as the book's fold does, and write its rows. Only market facts count, timers left out, and later
revisions of instruments; so a session's own archive gives its market. What moves no book is a
NOTE. A snapshot whose parts stand in two spans is carried over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from mm.errors import BadInput, LogDamaged
from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.session import TimerFired
from mm.events.units import Nanos
from mm.events.vocabulary import KINDS, tag_of
from mm.log.archive import Archive
from mm.log.columns import Ints, to_ints, to_levels
from mm.log.columns import Rows as EventRows
from mm.log.facts import FACT, NOTHING, RULING, STANDING, emit, judge
from mm.log.manifest import Span
from mm.log.row_tables import Channel, Rate, Tables
from mm.log.rows import ROW, Kind, Rows
from mm.log.spans import REMEDY

BLOCK: Final = 131_072
DEFINED: Final = tag_of(InstrumentDefined)
MARKET: Final = frozenset(
    tag
    for tag, kind in KINDS.items()
    if issubclass(kind, MarketEvent) and not issubclass(kind, TimerFired)
)
SIMPLE: Final[Mapping[str, Kind]] = {
    "feed.up": Kind.UP,
    "feed.down": Kind.DOWN,
    "feed.gap": Kind.LOST,
    "feed.resynced": Kind.RESYNCED,
    "feed.stale": Kind.STALE,
}
"""Kinds of events that give one row and nothing else of theirs."""

Levels = tuple[Ints, Ints]
_NO_LEVELS: Final[Levels] = (np.zeros(0, np.int64), np.zeros(0, np.int64))


def market_of(archive: Archive) -> Market:
    """The market of an archive, which is read as rows are drawn."""
    return Market(map(partial(_tables, archive), archive.manifest.spans), where=str(archive.path))


def _tables(archive: Archive, span: Span) -> dict[str, pa.Table]:
    wanted = MARKET | {DEFINED}
    return {file.kind: archive.table(file) for file in span.files if file.kind in wanted}


class Market:
    """Draws rows from the spans of a log; `tables` grows while `blocks` goes on."""

    def __init__(self, spans: Iterable[Mapping[str, pa.Table]], *, where: str) -> None:
        """Take the tables of each span by tag; `where` names the log they are of."""
        self.tables = Tables()
        self._spans = spans
        self._where = where
        self._definitions: dict[int, InstrumentDefined] = {}
        self._places: dict[int, int] = {}
        self._since: list[int] = []
        self._marks: dict[str, int] = {}
        self._rates: dict[tuple[str, int], int] = {}
        self._channels: dict[tuple[int, str], int] = {}
        self._named: dict[int, str] = {}
        self._books = np.zeros(0, STANDING)
        self._venue = 0
        self._waiting: tuple[Any, Levels] = (np.zeros(0, FACT), _NO_LEVELS)

    def blocks(self) -> Iterator[Rows]:
        """All rows in order; raises `BadInput` or `LogDamaged`."""
        for number, span in enumerate(self._spans, 1):
            yield from self._span(number, span)
        if not self.tables.instruments:
            raise BadInput(
                "the recording defines no instrument",
                where=self._where,
                remedy="import it again with `mm import`",
            )

    def _span(self, number: int, tables: Mapping[str, pa.Table]) -> Iterator[Rows]:
        try:
            facts, levels = self._facts(tables)
        except (KeyError, pa.ArrowException, ValueError) as error:
            raise LogDamaged(
                f"span {number} has columns that do not fit: {error}",
                where=self._where,
                remedy=REMEDY,
            ) from error
        carried = len(self._waiting[0])
        self._stamp(facts[carried:])
        rulings = self._ruled(facts, carried)
        yield from _blocks(facts, rulings, levels)
        self._wait(facts, rulings, levels)

    def _facts(self, tables: Mapping[str, pa.Table]) -> tuple[Any, Levels]:
        """The facts of a span in order, after those that wait, and the levels they point at."""
        revisions = self._defined(tables.get(DEFINED))
        found, (prices, sizes) = [self._waiting[0], revisions], self._waiting[1]
        levels = [(prices, sizes)]
        held = len(prices)
        for tag in sorted(tables.keys() - {DEFINED}):
            facts, more = self._of_kind(tag, tables[tag], held)
            found.append(facts)
            levels += more
            held += sum(len(prices) for prices, _ in more)
        facts = np.concatenate(found)
        joined = (
            np.concatenate([each[0] for each in levels]),
            np.concatenate([s for _, s in levels]),
        )
        facts = facts[np.argsort(facts["seq"])]
        self._number_channels(facts)
        return facts, joined

    def _of_kind(self, tag: str, table: pa.Table, held: int) -> tuple[Any, list[Levels]]:
        facts = _placed(table)
        received = to_ints(table["received"])
        stamped = to_ints(table["venue_time"]) if "venue_time" in table.column_names else 0
        facts["venue"] = np.where(stamped, stamped, received)
        if "instrument" in table.column_names:
            facts["instrument"] = self._indexed(to_ints(table["instrument"]), facts)
        levels: list[Levels] = []
        if tag in ("book.snapshot", "book.delta"):
            levels = _depth(tag, table, facts, held)
        elif tag in SIMPLE:
            facts["kind"] = SIMPLE[tag]
        elif tag in _FILLERS:
            _FILLERS[tag](table, facts)
        elif tag in ("mark", "funding.rate"):
            self._decimals(tag, table, facts)
        if tag in ("feed.up", "feed.down"):
            self._named |= zip(facts["seq"].tolist(), table["channel"].to_pylist(), strict=True)
        return facts, levels

    def _defined(self, table: pa.Table | None) -> Any:
        """Take definitions up; facts for those that revise an earlier one."""
        if table is None:
            return np.zeros(0, FACT)
        facts = _placed(table)
        facts["venue"], facts["kind"] = facts["at"], Kind.DEFINED
        rows = EventRows(table, where=self._where).read(0, table.num_rows)
        kept = []
        for number, row in enumerate(rows):
            definition = msgspec.convert(list(row), InstrumentDefined)
            before = self._definitions.get(definition.instrument)
            self._definitions[definition.instrument] = definition
            if before is None:
                self._places[definition.instrument] = len(self._places)
                self._since.append(int(facts["seq"][number]))
                self.tables.instruments.append(definition)
            elif before != definition:
                facts["instrument"][number] = self._places[definition.instrument]
                facts["a"][number] = len(self.tables.revisions)
                self.tables.revisions.append(definition)
                kept.append(number)
        return facts[kept]

    def _indexed(self, numbers: Ints, facts: Any) -> Ints:
        """Places in the table of instruments; raises `BadInput` where a definition is missing."""
        known = sorted(self._places)
        keys = np.array([*known, 0], np.int64)
        places = np.array([*(self._places[key] for key in known), 0], np.int64)
        since = np.array([*self._since, 0], np.int64)
        at = np.searchsorted(keys[:-1], numbers)
        found = places[at]
        wrong = (at == len(known)) | (keys[at] != numbers) | (since[found] > facts["seq"])
        if wrong.any():
            row = int(np.argmax(wrong))
            raise BadInput(
                f"instrument {numbers[row]} has no definition",
                where=f"{self._where}, turn {facts['turn'][row]}, event {facts['seq'][row]}",
                remedy="import the recording again, instruments first",
            )
        return found

    def _decimals(self, tag: str, table: pa.Table, facts: Any) -> None:
        """Marks and rates by their place in a table."""
        if tag == "mark":
            facts["kind"] = Kind.MARK
            facts["a"] = [self._mark(text) for text in table["price"].to_pylist()]
        else:
            facts["kind"] = Kind.FUNDING
            pairs = zip(table["rate"].to_pylist(), to_ints(table["due"]).tolist(), strict=True)
            facts["a"] = [self._rate(*pair) for pair in pairs]

    def _mark(self, text: str) -> int:
        place = self._marks.setdefault(text, len(self._marks))
        if place == len(self.tables.marks):
            self.tables.marks.append(Decimal(text))
        return place

    def _rate(self, text: str, due: int) -> int:
        place = self._rates.setdefault((text, due), len(self._rates))
        if place == len(self.tables.rates):
            self.tables.rates.append(Rate(Decimal(text), Nanos(due)))
        return place

    def _number_channels(self, facts: Any) -> None:
        """Channels are numbered in the order of the log, wherever a span ends."""
        for place in np.flatnonzero(np.isin(facts["kind"], (Kind.UP, Kind.DOWN))).tolist():
            name = self._named.pop(int(facts["seq"][place]))
            facts["channel"][place] = self._channel(int(facts["instrument"][place]), name)

    def _channel(self, instrument: int, name: str) -> int:
        """Channels count from 0 for each instrument."""
        known = self._channels.get((instrument, name))
        if known is None:
            known = sum(channel.instrument == instrument for channel in self.tables.channels)
            self._channels[instrument, name] = known
            self.tables.channels.append(Channel(instrument, known, name))
        return known

    def _stamp(self, facts: Any) -> None:
        """The venue's time: never after the log's, and never before an earlier fact's.

        A definition takes the time of what came before it.
        """
        if len(facts):
            times = np.minimum(facts["venue"], facts["at"])
            times[facts["kind"] == Kind.DEFINED] = 0  # It has no time at the venue of its own.
            times = np.maximum.accumulate(np.maximum(times, self._venue))
            facts["venue"] = np.maximum.accumulate(np.where(times, times, facts["at"]))
            self._venue = int(facts["venue"][-1])

    def _ruled(self, facts: Any, carried: int) -> Any:
        """What becomes of each fact; books of new instruments begin empty."""
        new = np.zeros(len(self.tables.instruments) - len(self._books), STANDING)
        self._books = np.concatenate([self._books, new])
        self._books["last"], self._books["count"] = NOTHING, 0
        rulings = np.zeros(len(facts), RULING)
        judge(facts, carried, self._books, rulings)
        return rulings

    def _wait(self, facts: Any, rulings: Any, levels: Levels) -> None:
        """Keep the parts of snapshots that are not whole yet, with their levels."""
        waiting = []
        for last in self._books["last"].tolist():
            place = last
            while place != NOTHING:
                waiting.append(place)
                place = int(rulings["link"][place])
        kept = facts[sorted(waiting)]
        prices, sizes, held = [_NO_LEVELS[0]], [_NO_LEVELS[1]], 0
        for fact in kept:
            for start, stop in (("a", "b"), ("c", "d")):
                here = slice(int(fact[start]), int(fact[stop]))
                prices.append(levels[0][here])
                sizes.append(levels[1][here])
                fact[start], fact[stop] = held, held + len(prices[-1])
                held += len(prices[-1])
        self._waiting = kept, (np.concatenate(prices), np.concatenate(sizes))


def _placed(table: pa.Table) -> Any:
    facts = np.zeros(table.num_rows, FACT)
    for field, name in (("seq", "seq"), ("turn", "turn"), ("at", "time")):
        facts[field] = to_ints(table[name])
    return facts


def _depth(tag: str, table: pa.Table, facts: Any, held: int) -> list[Levels]:
    """Sequences, parts, and where the levels are once `held` others stand before them."""
    snapshot = tag == "book.snapshot"
    facts["kind"] = Kind.CLEAR if snapshot else Kind.SETTLED
    facts["sequence"] = to_ints(table["sequence" if snapshot else "last"])
    if snapshot:
        facts["part"], facts["parts"] = to_ints(table["part"]), to_ints(table["parts"])
    found = []
    for name, start, stop in (("bids", "a", "b"), ("asks", "c", "d")):
        prices, sizes, ends = to_levels(table, name)
        facts[start], facts[stop] = ends[:-1] + held, ends[1:] + held
        held += len(prices)
        found.append((prices, sizes))
    return found


def _quote(table: pa.Table, facts: Any) -> None:
    facts["kind"] = Kind.QUOTE_BID
    facts["sequence"] = to_ints(table["sequence"])
    for field, name in zip("abcd", ("bid", "bid_size", "ask", "ask_size"), strict=True):
        facts[field] = to_ints(table[name])


def _trade(table: pa.Table, facts: Any) -> None:
    aggressor = table["aggressor"].cast(pa.int64())
    facts["kind"] = np.where(to_ints(aggressor) > 0, Kind.BOUGHT, Kind.SOLD)
    facts["a"], facts["b"] = to_ints(table["price"]), to_ints(table["size"])


_FILLERS: Final[Mapping[str, Callable[[pa.Table, Any], None]]] = {"quote": _quote, "trade": _trade}


def _blocks(facts: Any, rulings: Any, levels: Levels) -> Iterator[Rows]:
    """The rows of a span, some whole facts at a time."""
    ends = np.cumsum(rulings["rows"])
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(BLOCK, total + BLOCK, BLOCK)).tolist()
    cuts = sorted({0, *(min(cut + 1, len(facts)) for cut in cuts)})
    for start, stop in pairwise(cuts):
        count = int(rulings["rows"][start:stop].sum())
        rows = np.empty(count, ROW)
        emit(facts, rulings, (start, stop), levels, rows)
        yield rows
