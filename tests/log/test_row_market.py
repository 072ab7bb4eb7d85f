"""An archive's market as rows: a plain reader of them holds the books that the fold holds."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.errors import BadInput, LogDamaged
from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    CandleClosed,
    FeedStale,
    FundingPublished,
    IndexPublished,
    MarkPublished,
    ReferenceRatePublished,
)
from mm.events.session import TimerFired
from mm.events.units import InstrumentId, Nanos, Side
from mm.events.vocabulary import Event
from mm.log import row_market
from mm.log.chain import Sealed
from mm.log.row_market import DEFINED, MARKET, Market
from mm.log.row_tables import Channel, Rate
from mm.log.row_writer import write_rows
from mm.log.rows import Flag, Kind, Rows
from mm.log.spans import SpanBuilder
from mm.projections.book import Books
from tests import build
from tests.build import BTC, START
from tests.gateways.lines import USDM_2023, USDM_2024, imported, recording
from tests.log.made_rows import ETH, joined, same
from tests.log.plain_rows import PlainBook, events_in, levels_in, seen_top_in
from tests.strategies import chained, example

LINES = 3_000
prices = st.integers(95, 105)
sizes = st.integers(0, 3)
levels = st.lists(st.tuples(prices, sizes), max_size=4).map(lambda found: sum(found, ()))
sequences = st.integers(0, 6)


def published(kind: Any, **values: Any) -> Any:
    """A public figure, of no venue time."""
    return kind(instrument=BTC, received=START, venue_time=Nanos(0), **values)


def candle() -> Any:
    """A candle, which moves nothing."""
    return example(CandleClosed)


def reference() -> ReferenceRatePublished:
    """A rate that belongs to no instrument."""
    return ReferenceRatePublished(
        base="USD",
        quote="TWD",
        received=START,
        venue_time=Nanos(0),
        rate=Decimal(30),
        source="bank",
    )


snapshots = st.tuples(st.integers(1, 3), st.integers(1, 3), levels, levels, sequences).map(
    lambda drawn: build.snapshot(drawn[2], drawn[3], drawn[4], drawn[0], drawn[1])
)
whole_snapshots = st.tuples(levels, levels, sequences).map(lambda drawn: build.snapshot(*drawn))
deltas = st.tuples(levels, levels, sequences).map(lambda drawn: build.delta(*drawn))
quotes = st.tuples(prices, prices, sizes, sizes, sequences).map(
    lambda drawn: msgspec.structs.replace(
        build.quote(drawn[0], drawn[1], bid_size=drawn[2], ask_size=drawn[3]), sequence=drawn[4]
    )
)
prints = st.tuples(prices, st.integers(1, 4), st.sampled_from(Side)).map(
    lambda drawn: build.printed(*drawn)
)
others = st.sampled_from(
    [
        build.gapped(),
        build.resynced(),
        build.feed_up(),
        build.feed_down(),
        build.feed_up("quotes"),
        build.feed_down("quotes"),
        published(MarkPublished, price=Decimal("100.123456789")),
        published(MarkPublished, price=Decimal("100.10")),
        published(IndexPublished, price=Decimal("100.1")),
        published(FundingPublished, rate=Decimal("0.0001"), due=START),
        published(FundingPublished, rate=Decimal("-0.0001"), due=START),
        FeedStale(instrument=BTC, received=START, age=Nanos(5)),
        reference(),
        build.instrument(revision=2),
        build.instrument(revision=3),
        TimerFired(timer="t", deadline=START),
        build.started(),
    ]
)
plain_events = whole_snapshots | snapshots | deltas | deltas | quotes | quotes | prints | others


def moved(event: Any, instrument: InstrumentId, venue_time: int) -> Any:
    """The same of another instrument, or stamped by its venue."""
    changes: dict[str, Any] = {}
    if "instrument" in event.__struct_fields__ and not isinstance(event, InstrumentDefined):
        changes["instrument"] = instrument
    if "venue_time" in event.__struct_fields__:
        changes["venue_time"] = Nanos(venue_time)
    return msgspec.structs.replace(event, **changes)


stamps = st.sampled_from([0, START - 5, START, START + 3, START + 50])
events = st.tuples(plain_events, st.sampled_from([BTC, ETH]), stamps).map(
    lambda drawn: moved(*drawn)
)
turns = st.lists(
    st.tuples(st.integers(0, 9), st.lists(events, min_size=1, max_size=4)), max_size=14
)


def log_of(drawn: Sequence[tuple[int, Sequence[Event]]]) -> list[Sealed]:
    """A log that opens with two definitions."""
    opening = [build.instrument(), build.instrument(instrument=ETH, symbol="ETHUSDT")]
    facts: list[Any] = [(int(START), opening, [])]
    facts += [(gap, list(each), []) for gap, each in drawn]
    return chained(facts)


def market_in(log: Sequence[Sealed], turns_a_span: int = 1000) -> Market:
    """The market of a log whose spans have so many turns."""
    spans = []
    for start in range(0, len(log), turns_a_span):
        builder = SpanBuilder()
        for sealed in log[start : start + turns_a_span]:
            builder.add(sealed)
        tables = builder.tables()
        spans.append({tag: tables[tag] for tag in tables if tag in {*MARKET, DEFINED}})
    return Market(spans, where="here")


def rows_in(log: Sequence[Sealed]) -> Rows:
    """All rows of a log."""
    return joined(market_in(log).blocks())


def counted(log: Iterable[Sealed]) -> Iterator[list[Event]]:
    """The facts of each turn that give rows: market facts, and revisions that change something."""
    known: dict[int, InstrumentDefined] = {}
    for sealed in log:
        kept: list[Event] = []
        for fact in sealed.turn.facts:
            if isinstance(fact, InstrumentDefined):
                before = known.get(fact.instrument, fact)
                known[fact.instrument] = fact
                kept += [fact] if before != fact else []
            elif isinstance(fact, MarketEvent) and not isinstance(fact, TimerFired):
                kept.append(fact)
        if kept:
            yield kept


def assert_same_books(log: Sequence[Sealed], market: Market, deep_every: int = 1) -> None:
    """After every event the touch, and after some all levels, are those of the fold."""
    blocks = list(market.blocks())
    numbers = [defined.instrument for defined in market.tables.instruments]
    books, plain = Books(), [PlainBook() for _ in numbers]
    routes, told, deep = books.routes(), events_in(blocks), 0
    for facts in counted(log):
        for place, fact in enumerate(facts):
            if type(fact) in routes:
                routes[type(fact)](fact, Nanos(0))
            event = next(told)
            for row in event:
                plain[row["instrument"]].take(row)
            ends = [bool(row["flags"] & Flag.TURN) for row in event]
            assert ends == [False] * (len(event) - 1) + [place == len(facts) - 1]
            if hasattr(fact, "instrument"):
                assert {numbers[row["instrument"]] for row in event} == {fact.instrument}
                number = numbers.index(fact.instrument)
                book = books.of(fact.instrument)
                assert plain[number].seen_top() == seen_top_in(book)
                deep += 1
                if deep % deep_every == 0:
                    assert plain[number].levels() == levels_in(book)
    assert next(told, None) is None


@given(drawn=turns, span=st.sampled_from([1, 3, 1000]))
def test_rows_tell_the_same_books(drawn: Any, span: int) -> None:
    """Any events in any turns, in spans of any size: books are equal after every event."""
    log = log_of(drawn)
    assert_same_books(log, market_in(log, span))


@given(drawn=turns, span=st.integers(1, 5))
def test_spans_and_blocks_do_not_show(drawn: Any, span: int) -> None:
    """One span or many, and blocks of single facts, give the very same rows and tables."""
    log = log_of(drawn)
    whole, cut = market_in(log), market_in(log, span)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_market, "BLOCK", 1)
        pieces = joined(cut.blocks())
    assert same(joined(whole.blocks()), pieces)
    assert whole.tables == cut.tables


@given(drawn=turns)
def test_the_venue_never_runs_back(drawn: Any) -> None:
    """A row's time at the venue is what was stamped, or received, within what the log allows."""
    log = log_of(drawn)
    rows = rows_in(log)
    assert (np.diff(rows["at"]) >= 0).all()
    latest, expected = 0, []
    for sealed in log:
        for fact in next(counted([sealed]), []):
            stamped = getattr(fact, "venue_time", 0) or getattr(fact, "received", sealed.turn.at)
            latest = max(latest, min(stamped, sealed.turn.at))
            expected.append(latest)
    ends = rows["flags"] & Flag.EVENT != 0
    if not any(isinstance(fact, InstrumentDefined) for each in drawn for fact in each[1]):
        assert rows["venue"][ends].tolist() == expected


def test_a_snapshot_in_parts_may_stand_in_several_spans() -> None:
    """Its rows come with its last part, in the order told; the parts before are notes."""
    parts = [build.snapshot((100 + n, n), (110 + n, n + 1), 5, n, 3) for n in (1, 2, 3)]
    log = log_of([(1, [part]) for part in parts])
    rows = joined(market_in(log, 1).blocks())
    kinds = [Kind.NOTE, Kind.NOTE, Kind.CLEAR, *[Kind.BID, Kind.ASK] * 3]
    assert rows["kind"].tolist() == kinds
    assert rows["price"].tolist() == [0, 0, 0, 101, 111, 102, 112, 103, 113]
    assert rows["size"].tolist() == [2, 2, 0, 1, 2, 2, 3, 3, 4]
    assert rows["flags"].tolist() == [3, 3, *[0] * 6, 3]


def test_a_change_between_two_parts_breaks_the_snapshot() -> None:
    """It would not be in the snapshot; a quote or a gap in the numbering is told apart from it."""
    one, two = (build.snapshot((100, 1), (110, 1), 5, part, 2) for part in (1, 2))
    later = msgspec.structs.replace(two, sequence=6)
    for between, after, ruled in (
        (build.delta((), ()), two, Kind.LOST),
        (build.quote(100, 101), two, Kind.ASK),
        (build.printed(100, 1), later, Kind.LOST),
    ):
        log = log_of([(1, [one, between, after])])
        assert rows_in(log)["kind"][-1] == ruled
        assert_same_books(log, market_in(log, 1))


def test_a_quote_may_lead_the_depth() -> None:
    """A newer quote stays over depth that settles; an older one is a note."""
    quote = msgspec.structs.replace(build.quote(100, 101), sequence=5)
    depth = [build.delta((99, 1), (), last) for last in (4, 5, 6)]
    log = log_of([(1, [build.snapshot((), (), 1), quote, *depth, quote])])
    rows = rows_in(log)
    leads = {Kind.CLEAR: 0, Kind.QUOTE_BID: 0, Kind.QUOTE_ASK: 0}
    settled = np.isin(rows["kind"], (Kind.SETTLED, Kind.BID))
    assert rows["kind"][settled].tolist() == [Kind.SETTLED, Kind.BID, Kind.BID, Kind.BID]
    assert (rows["flags"][settled] & Flag.QUOTE_LEADS).tolist() == [0, 4, 0, 0]
    assert all(not row["flags"] & 4 for row in rows if row["kind"] in leads)
    assert rows["kind"][-1] == Kind.NOTE


def test_tables_hold_what_rows_point_at() -> None:
    """Marks, rates, revisions and channels are listed once each, in the order heard."""
    log = log_of(
        [
            (1, [published(MarkPublished, price=Decimal(mark)) for mark in ("1.10", "2", "1.10")]),
            (1, [published(FundingPublished, rate=Decimal("0.1"), due=due) for due in (1, 2, 1)]),
            (1, [build.instrument(revision=2), build.instrument(revision=2)]),
            (1, [build.feed_up("a"), build.feed_down("b"), moved(build.feed_up("b"), ETH, 0)]),
        ]
    )
    market = market_in(log)
    rows, tables = joined(market.blocks()), market.tables
    assert [str(mark) for mark in tables.marks] == ["1.10", "2"]
    assert tables.rates == [Rate(Decimal("0.1"), Nanos(1)), Rate(Decimal("0.1"), Nanos(2))]
    assert tables.revisions == [build.instrument(revision=2)]
    assert tables.channels == [Channel(0, 0, "a"), Channel(0, 1, "b"), Channel(1, 0, "b")]
    cut = market_in(log, 1)
    assert same(joined(cut.blocks()), rows)
    assert cut.tables == tables
    assert rows["price"].tolist() == [0, 1, 0, 0, 1, 0, 0, 0, 0, 0]
    assert rows["channel"].tolist() == [0] * 7 + [0, 1, 0]
    assert rows["instrument"].tolist() == [0] * 9 + [1]


def test_an_instrument_has_to_be_defined_first() -> None:
    """An event before, or without, its definition is named with its turn."""
    unknown = moved(build.feed_up(), InstrumentId(3), 0)
    late = build.instrument(instrument=InstrumentId(3), symbol="X")
    for facts in ([unknown], [unknown, late]):
        with pytest.raises(BadInput, match="instrument 3 has no definition") as caught:
            rows_in(log_of([(1, facts)]))
        assert caught.value.where == "here, turn 2, event 3"
    assert len(rows_in(log_of([(1, [late, unknown])]))) == 1
    with pytest.raises(BadInput, match="defines no instrument"):
        rows_in(chained([(int(START), [build.started()], [])]))


def test_bad_events_are_refused(tmp_path: Path) -> None:
    """What an archive can hold and no row may is named when it is written."""
    for event in (build.printed(100, 0), build.delta((100, -1), ()), build.quote(-1, 1)):
        market = market_in(log_of([(1, [build.snapshot((), ()), event])]))
        with pytest.raises(BadInput, match=r"has a negative|no lots"):
            write_rows(tmp_path / "market.arrow", market.tables, market.blocks())


def test_columns_that_do_not_fit_are_damage() -> None:
    """A column that is gone is named with its span."""
    market = market_in(log_of([(1, [build.snapshot((1, 2), ())])]))
    spans = [dict(span) for span in market._spans]
    spans[0]["book.snapshot"] = spans[0]["book.snapshot"].drop_columns(["sequence"])
    with pytest.raises(LogDamaged, match="span 1 has columns that do not fit"):
        list(Market(spans, where="here").blocks())


@pytest.mark.parametrize("name", [USDM_2024, USDM_2023])
def test_a_real_market_tells_the_same_books(tmp_path: Path, name: str) -> None:
    """The beginning of a recording: books are equal after every event."""
    path = tmp_path / name
    with gzip.open(recording(name)) as source, gzip.open(path, "wb", 1) as target:
        target.writelines(islice(source, LINES))
    _, turns = imported(path)
    assert_same_books(turns.sealed, market_in(turns.sealed, 1_500), deep_every=50)
