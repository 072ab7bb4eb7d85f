"""Best bid and offer of instruments whose venue sends no quotes: the book, folded.

The books are folded by the same code that the engine uses, from the archive's columns, and only for
instruments that have depth and never a quote. A row is a change of the touch; while the book is
lost its sizes are 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import Any, Final

import msgspec
import pyarrow as pa

from mm.analytics.folded import TOP
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    QuoteUpdated,
)
from mm.events.session import SessionStarted
from mm.events.units import InstrumentId, Nanos
from mm.events.vocabulary import tag_of
from mm.log.archive import Archive
from mm.log.columns import Rows, to_ints
from mm.projections.book import Books

KINDS: Final = (SessionStarted, BookSnapshot, BookDelta, FeedGapped, FeedDown, FeedResynced)
BLOCK: Final = 4_096

Placed = tuple[int, int, int, Any]
"""Event number, turn, time, event."""


def book_top(archive: Archive) -> pa.Table:
    """The touch over time of every instrument that has depth but no quotes."""
    wanted = _instruments(archive, BookSnapshot) - _instruments(archive, QuoteUpdated)
    rows = list(_changes(archive, wanted)) if wanted else []
    columns = [[row[at] for row in rows] for at in range(len(TOP))]
    return pa.table(columns, schema=TOP)


def _instruments(archive: Archive, kind: type[Any]) -> set[int]:
    tables = archive.tables(tag_of(kind))
    return {value for table in tables for value in table["instrument"].unique().to_pylist()}


def _changes(archive: Archive, wanted: set[int]) -> Iterator[tuple[int, ...]]:
    books = Books()
    routes = books.routes()
    seen: dict[InstrumentId, tuple[int, ...]] = {}
    events: Iterable[Placed] = merge(*(_events(archive, kind) for kind in KINDS), key=itemgetter(0))
    for seq, turn, time, event in events:
        instrument = getattr(event, "instrument", None)
        if instrument is not None and instrument not in wanted:
            continue
        routes[type(event)](event, Nanos(time))
        for each in wanted if instrument is None else (instrument,):
            touch = _touch(books, InstrumentId(each))
            if seen.get(InstrumentId(each), (0, 0, 0, 0)) != touch:
                seen[InstrumentId(each)] = touch
                yield seq, turn, time, each, *touch


def _touch(books: Books, instrument: InstrumentId) -> tuple[int, ...]:
    book = books.of(instrument)
    if not book.usable:
        return 0, 0, 0, 0
    return book.bid, book.bid_size, book.ask, book.ask_size


def _events(archive: Archive, kind: type[Any]) -> Iterator[Placed]:
    for table in archive.tables(tag_of(kind)):
        rows = Rows(table, where=str(archive.path))
        places = [to_ints(table[name]) for name in ("seq", "turn", "time")]
        for start in range(0, len(table), BLOCK):
            stop = min(start + BLOCK, len(table))
            columns = [place[start:stop].tolist() for place in places]
            for *place, row in zip(*columns, rows.read(start, stop), strict=True):
                seq, turn, time = place
                yield seq, turn, time, msgspec.convert(row, kind)
