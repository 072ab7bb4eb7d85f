"""Compiled loops that make rows of market events: each fact is ruled on, then written.

A fact is judged as the book's fold would: what a snapshot's parts come to, what is older than the
book, whether the quote leads. Its rows follow from the ruling and from levels that lie elsewhere.
"""

from typing import Any, Final

import numpy as np

from mm.log.kernels import DOWN, EVENT, TURN, Ints, inner, njit
from mm.log.rows import ROW, Flag, Kind, Rows

FACT: Final = np.dtype(
    [
        *((name, "<i8") for name in ("seq", "turn", "at", "venue", "sequence", "part", "parts")),
        *((name, "<i8") for name in ("a", "b", "c", "d")),
        ("instrument", "<u2"),
        ("kind", "u1"),
        ("pad", "u1"),
        ("channel", "<u4"),
    ]
)
"""A market event whose levels lie elsewhere.

`kind` is the row that it gives: CLEAR for a snapshot, SETTLED for a change of depth, QUOTE_BID for
a quote. `a` to `d` are where bids start and end and where asks do, or both prices and sizes of a
quote, or price and size.
"""
RULING: Final = np.dtype([("rows", "<i8"), ("link", "<i8"), ("kind", "u1"), ("leads", "u1")])
"""What becomes of a fact: how many rows, of which kind; `link` is the snapshot's part before."""
STANDING: Final = np.dtype(
    [
        ("sequence", "<i8"),
        ("quote_sequence", "<i8"),
        ("last", "<i8"),
        ("count", "<i8"),
        ("has_depth", "u1"),
        ("has_quote", "u1"),
    ]
)
"""An instrument between two facts; `last` and `count` are of a snapshot's parts that wait."""
NOTHING: Final = -1


NOTE: Final = int(Kind.NOTE)
BID: Final = int(Kind.BID)
ASK: Final = int(Kind.ASK)
QUOTE_BID: Final = int(Kind.QUOTE_BID)
QUOTE_ASK: Final = int(Kind.QUOTE_ASK)
CLEAR: Final = int(Kind.CLEAR)
SETTLED: Final = int(Kind.SETTLED)
LOST: Final = int(Kind.LOST)
QUOTE_LEADS: Final = int(Flag.QUOTE_LEADS)


@inner
def _lose(book: Any) -> None:
    book.has_depth = book.has_quote = 0
    book.sequence = book.quote_sequence = 0
    book.last, book.count = NOTHING, 0


@inner
def _settle(book: Any, sequence: int) -> bool:
    """Whether the quote stays the touch after depth of this sequence."""
    book.sequence = sequence
    return sequence != 0 and book.has_quote != 0 and book.quote_sequence > sequence


@inner
def _whole(facts: Rows, rulings: Rows, place: int, count: int) -> int:
    """How many levels the snapshot has whose last part stands at `place`, or -1: a part misses."""
    last = facts[place]
    wanted, levels, at = last.parts, 0, place
    if count != wanted:
        return NOTHING
    while at != NOTHING:
        part = facts[at]
        if part.part != wanted or part.parts != last.parts or part.sequence != last.sequence:
            return NOTHING
        levels += part.b - part.a + part.d - part.c
        wanted -= 1
        at = rulings[at].link
    return levels


@njit(cache=True)
def judge(facts: Rows, carried: int, books: Rows, rulings: Rows) -> None:
    """Rule on each fact as `projections.book` would; the first `carried` were ruled on before."""
    for i in range(len(facts)):
        fact, ruling = facts[i], rulings[i]
        book = books[fact.instrument]
        ruling.kind, ruling.rows = fact.kind, 1
        if fact.kind == CLEAR:
            if fact.part == 1:
                book.last, book.count = NOTHING, 0
            ruling.link = book.last
            book.last, book.count = i, book.count + 1
            if i < carried:
                ruling.rows = 0
            elif fact.part < fact.parts:
                ruling.kind = NOTE
            else:
                levels = _whole(facts, rulings, i, book.count)
                if levels == NOTHING:
                    ruling.kind = LOST
                    _lose(book)
                else:
                    ruling.rows = 1 + max(1, levels)
                    book.has_depth = 1
                    ruling.leads = _settle(book, fact.sequence)
                    book.last, book.count = NOTHING, 0
        elif fact.kind == SETTLED:
            book.last, book.count = NOTHING, 0
            if book.has_depth:
                ruling.rows = max(1, fact.b - fact.a + fact.d - fact.c)
                ruling.leads = _settle(book, fact.sequence)
            else:
                ruling.kind = NOTE
        elif fact.kind == QUOTE_BID:
            book.has_quote = 1
            if fact.sequence != 0 and fact.sequence < book.sequence:
                ruling.kind = NOTE
            else:
                book.quote_sequence = fact.sequence
                ruling.rows = 2
        elif fact.kind in (LOST, DOWN):
            _lose(book)


@inner
def _put(row: Any, fact: Any, kind: int, price: int, size: int) -> None:
    row.at, row.venue = fact.at, fact.venue
    row.price, row.size = price, size
    row.instrument, row.kind = fact.instrument, kind
    row.flags = 0
    row.channel = fact.channel


@inner
def _put_levels(out: Rows, stop: int, fact: Any, stamp: Any, prices: Ints, sizes: Ints) -> int:
    """The levels of one event, so that they end before `stop`; returns where they begin."""
    start: int = stop - (fact.b - fact.a + fact.d - fact.c)
    place = start
    for i in range(fact.a, fact.b):
        _put(out[place], stamp, BID, prices[i], sizes[i])
        place += 1
    for i in range(fact.c, fact.d):
        _put(out[place], stamp, ASK, prices[i], sizes[i])
        place += 1
    return start


@njit(cache=True)
def emit(
    facts: Rows, rulings: Rows, part: tuple[int, int], levels: tuple[Ints, Ints], out: Rows
) -> None:
    """The rows of the facts from `part[0]` to `part[1]`; `levels` are prices and sizes."""
    place = 0
    prices, sizes = levels
    for i in range(part[0], part[1]):
        fact, ruling = facts[i], rulings[i]
        if not ruling.rows:
            continue
        end = place + ruling.rows - 1
        kind = ruling.kind
        if kind == CLEAR:
            stop, at = end + 1, i
            while at != NOTHING:
                stop = _put_levels(out, stop, facts[at], fact, prices, sizes)
                at = rulings[at].link
            _put(out[place], fact, CLEAR, 0, 0)
            if stop > end:
                _put(out[end], fact, SETTLED, 0, 0)
        elif kind == SETTLED:
            if _put_levels(out, end + 1, fact, fact, prices, sizes) > end:
                _put(out[end], fact, SETTLED, 0, 0)
        elif kind == QUOTE_BID:
            _put(out[place], fact, QUOTE_BID, fact.a, fact.b)
            _put(out[end], fact, QUOTE_ASK, fact.c, fact.d)
        elif kind in (NOTE, LOST):
            depth = fact.kind in (CLEAR, SETTLED)
            _put(out[end], fact, kind, 0, 1 if fact.kind == QUOTE_BID else 2 * depth)
        else:
            _put(out[end], fact, kind, fact.a, fact.b)
        turn_ends = i + 1 == len(facts) or facts[i + 1].turn != fact.turn
        out[end].flags = EVENT | (TURN if turn_ends else 0) | (QUOTE_LEADS if ruling.leads else 0)
        place = end + 1


def warm() -> None:
    """Compile the loops, or load them from the cache."""
    none = np.zeros(0, np.int64)
    facts, rulings = np.zeros(0, FACT), np.zeros(0, RULING)
    judge(facts, 0, np.zeros(0, STANDING), rulings)
    emit(facts, rulings, (0, 0), (none, none), np.zeros(0, ROW))
