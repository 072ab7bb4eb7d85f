"""Captures become recordings: merged, joined, audited, and never with a wrong book."""

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mm.errors import BadInput, ConfigError, CrossedBook, MalformedLine, OffTick
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedGapped,
    FeedResynced,
    FeedUp,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.turn import TURN_LEVELS_MAX, Turn, records
from mm.events.units import InstrumentId
from mm.events.vocabulary import levels_in
from mm.gateways.capture_import import CaptureImport, sniff
from mm.gateways.definitions import definitions
from mm.gateways.totals import KEPT_MAX, Problems
from mm.projections.book import Books
from tests.gateways.lines import (
    START,
    Levels,
    Market,
    State,
    capture,
    imported,
    line,
    mark,
    price,
    write,
)


class Replica:
    """A book folded from recorded facts, as the engine would fold it."""

    def __init__(self) -> None:
        """Start without a book."""
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.sequence = 0
        self.gapped = False

    @property
    def state(self) -> State | None:
        """The book, unless there is none to use."""
        if self.gapped or not self.sequence:
            return None
        return frozenset(self.bids.items()), frozenset(self.asks.items())

    def apply(self, fact: Any) -> None:
        """Fold one fact."""
        match fact:
            case BookSnapshot():
                self.bids, self.asks = {}, {}
                self._set(fact.bids, fact.asks, fact.sequence)
            case BookDelta():
                self._set(fact.bids, fact.asks, fact.last)
            case FeedGapped():
                self.gapped, self.sequence = True, 0
            case FeedResynced():
                self.gapped = False

    def _set(self, bids: tuple[int, ...], asks: tuple[int, ...], sequence: int) -> None:
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            side.update(zip(levels[::2], levels[1::2], strict=True))
            for ticks in [ticks for ticks, lots in side.items() if not lots]:
                del side[ticks]
        self.sequence = sequence


def states(turns: list[Turn]) -> list[tuple[int, State]]:
    """Update id and book after every turn that leaves one to use."""
    replica, found = Replica(), []
    for turn in turns:
        for fact in turn.facts:
            replica.apply(fact)
        if replica.state is not None:
            found.append((replica.sequence, replica.state))
    return found


def kinds(facts: list[Any], *wanted: type) -> list[type]:
    """Types of the facts of some kinds, in order."""
    return [type(fact) for fact in facts if isinstance(fact, wanted)]


@pytest.mark.parametrize("chained", [True, False])
@pytest.mark.parametrize("members", [0, 2])
def test_whole_capture(tmp_path: Path, chained: bool, members: int) -> None:
    """An undamaged capture gives every book the market was in, and every ticker equals it."""
    market, lines = capture(chained=chained)
    source, turns = imported(write(tmp_path / "capture", lines, members=members))
    (totals,) = source.report()
    assert source.problems.count == 0
    assert totals["name"] == ("binance_usdm:BTCUSDT" if chained else "binance:BTCUSDT")
    assert (totals["gaps"], totals["crossed_books"], totals["ticker_mismatches"]) == (0, 0, 0)
    assert totals["ticker_comparisons"] == totals["quotes"] == 40
    assert totals["final_update_id"] == market.update
    assert totals["best_bid"] == Decimal(price(market.top[0]))
    if chained:
        assert all(market.states[sequence] == state for sequence, state in states(turns.turns))


def test_turns_are_messages(tmp_path: Path) -> None:
    """The first turn defines, then each message that says something is one turn at its time."""
    market, lines = capture(diffs=5)
    _, turns = imported(write(tmp_path / "capture", lines))
    first, *rest = turns.turns
    assert kinds(list(first.facts), object) == [InstrumentDefined]
    assert first.at == START + int(lines[0].split(b" ")[0]) - START
    assert isinstance(rest[0].facts[0], FeedUp)
    times = [int(text.split(b" ")[0]) for text in lines]
    assert [turn.at for turn in rest] == [times[0], *times[3:]]  # Held diffs are not yet turns.
    assert [turn.number for turn in turns.turns] == list(range(1, len(turns.turns) + 1))
    assert market.update == turns.facts[-1].sequence


def test_files_are_merged_by_time(tmp_path: Path) -> None:
    """Two captures that overlap become one recording, ties in order of the files."""
    _, futures = capture(seed=1)
    _, cash = capture(seed=1, chained=False)
    paths = [write(tmp_path / "a", futures), write(tmp_path / "b", cash)]
    source, turns = imported(*paths)
    assert [fact.venue for fact in turns.facts[:2]] == ["binance_usdm", "binance"]
    assert [each["instrument"] for each in source.report()] == [0, 1]
    assert [each["gaps"] for each in source.report()] == [0, 0]
    times = [turn.at for turn in turns.turns]
    assert times == sorted(times)
    quotes = [fact for fact in turns.facts if isinstance(fact, QuoteUpdated)]
    assert [quote.instrument for quote in quotes] == [0, 1] * 40  # The same seed, the same times.


def test_one_symbol_in_two_files(tmp_path: Path) -> None:
    """A capture cut into two files, as at midnight, is one instrument without a gap."""
    market, lines = capture()
    paths = [write(tmp_path / "a", lines[:31]), write(tmp_path / "b", lines[31:])]
    source, _ = imported(*paths)
    (totals,) = source.report()
    assert (totals["gaps"], totals["final_update_id"]) == (0, market.update)


def test_dropped_diff(tmp_path: Path) -> None:
    """A missing diff is a gap at once, and the next snapshot joins: no book in between."""
    market, lines = capture(diffs=10)
    missed = market.diff()
    after = [market.diff(), market.ticker(), market.diff()]
    lines += [*after, market.snapshot(), market.diff(), market.ticker()]
    source, turns = imported(write(tmp_path / "capture", lines))
    (totals,) = source.report()
    assert (totals["gaps"], totals["resyncs"], totals["book_valid"]) == (1, 1, True)
    assert all(market.states[sequence] == state for sequence, state in states(turns.turns))
    assert kinds(turns.facts, FeedGapped, FeedResynced, BookSnapshot) == [
        BookSnapshot,
        FeedGapped,
        BookSnapshot,
        FeedResynced,
    ]
    assert source.notes[0].startswith("capture:25: gap: updates are missing")
    assert missed not in lines


DAMAGED = {
    "broken JSON": lambda text: text[:-7],
    "no time": lambda text: text.partition(b" ")[2],
    "unknown stream": lambda text: text.replace(b"@depth", b"@dept"),
    "wrong type": lambda text: text.replace(b'"u":', b'"u":"x",  "_":'),
    "NaN": lambda text: text.replace(b'"b":[', b'"b":[["NaN","1"],').replace(b",]", b"]"),
    "negative": lambda text: text.replace(b'"a":[', b'"a":[["-60000.1","1"],').replace(b",]", b"]"),
    "huge": lambda text: text.replace(b'"a":[', b'"a":[["9e99","1"],').replace(b",]", b"]"),
    "off tick": lambda text: text.replace(b'"b":[', b'"b":[["59999.123","1"],').replace(
        b",]", b"]"
    ),
    "time back": lambda text: b"%d %s" % (START - 1, text.partition(b" ")[2]),
    "no text": lambda text: text.replace(b"BTCUSDT", b"BTC\xffUSDT"),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_malformed_diff(tmp_path: Path, damage: Any) -> None:
    """A diff that cannot be read is named by file and line, and is a gap, never skipped."""
    market, lines = capture(diffs=10)
    lines[12] = damage(lines[12])
    lines += [market.snapshot(), market.diff()]
    path = write(tmp_path / "capture", lines)
    source, turns = imported(path)
    (problem,) = source.problems.kept
    assert problem.where == "capture:13"
    (totals,) = source.report()
    assert (totals["gaps"], totals["resyncs"]) == (1, 1)
    assert all(market.states[sequence] == state for sequence, state in states(turns.turns))
    with pytest.raises(BadInput, match=r"capture:13"):
        imported(path, strict=True)


def test_off_tick_says_so(tmp_path: Path) -> None:
    """An off-tick price keeps its own type, with file and line."""
    _, lines = capture(diffs=3)
    lines.insert(5, Market(1).trade(p="60000.05").replace(b"%d" % START, lines[4].split(b" ")[0]))
    lines[5] = lines[4].split(b" ")[0] + b" " + lines[5].partition(b" ")[2]
    source, _ = imported(write(tmp_path / "capture", lines))
    (problem,) = source.problems.kept
    assert (problem.error, problem.where) == (OffTick.__name__, "capture:6")
    assert "60000.05" in problem.what


def test_crossed_book(tmp_path: Path) -> None:
    """A diff that would cross the book is named, not recorded, and the book is a gap."""
    market, lines = capture(diffs=3)
    market.bids[market.mid + 5] = 1
    update = market.update + 1
    data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": update, "u": update, "a": []}
    data |= {"pu": market.update, "b": [[price(market.mid + 5), "0.001"]]}
    lines.append(line(market.tick(), "depth@0ms", data))
    source, turns = imported(write(tmp_path / "capture", lines))
    (problem,) = source.problems.kept
    assert (problem.error, problem.where) == (CrossedBook.__name__, "capture:11")
    (totals,) = source.report()
    assert (totals["crossed_books"], totals["gaps"], totals["book_valid"]) == (1, 1, False)
    assert kinds(turns.facts[-1:], object) == [FeedGapped]
    assert update not in [fact.last for fact in turns.facts if isinstance(fact, BookDelta)]


def test_ticker_that_contradicts_the_book(tmp_path: Path) -> None:
    """A ticker of the same update that differs is counted, named, and the book is a gap."""
    market, lines = capture(diffs=3)
    size = market.top[1]
    lines[-1] = lines[-1].replace(f'"{size / 1000:.3f}"'.encode(), b'"999.000"')
    source, turns = imported(write(tmp_path / "capture", lines))
    (totals,) = source.report()
    assert (totals["ticker_comparisons"], totals["ticker_mismatches"]) == (3, 1)
    assert source.problems.kept[0].where == f"capture:{len(lines)}"
    assert kinds(turns.facts[-1:], object) == [FeedGapped]


def test_ticker_before_its_diff(tmp_path: Path) -> None:
    """A ticker that comes before the diff of the same update is compared with it all the same."""
    market, lines = capture(diffs=3)
    diff, early = market.diff(), market.ticker()
    time = diff.split(b" ")[0]
    lines += [time + b" " + early.partition(b" ")[2], diff]
    source, _ = imported(write(tmp_path / "capture", lines))
    assert source.report()[0]["ticker_comparisons"] == 4


def test_engine_folds_the_same_book(tmp_path: Path) -> None:
    """The engine's own book, fed with the recording, is usable and right when this one is."""
    market, lines = capture(diffs=10)
    market.diff()  # It is lost.
    lines += [market.diff(), market.snapshot(), market.diff(), market.ticker()]
    _, turns = imported(write(tmp_path / "capture", lines))
    books, usable = Books(), []
    routes = books.routes()
    for turn in turns.turns:
        for record in records(turn):
            if type(record.event) in routes:
                routes[type(record.event)](record.event, record.at)
        book = books.of(InstrumentId(0))
        if book.usable and book.has_depth:
            usable.append(book.sequence)
            bids, asks = market.states[book.sequence]
            assert (frozenset(book.bids(99)), frozenset(book.asks(99))) == (bids, asks)
    assert usable == [sequence for sequence, _ in states(turns.turns)]
    assert usable[-1] == market.update


def test_notes_and_totals(tmp_path: Path) -> None:
    """Trades, funding and trades that are none are counted exactly."""
    market, lines = capture(diffs=1)
    lines += [market.trade(), market.trade(q="1.5", p="60000.2")]
    lines += [market.trade(X="INSURANCE_FUND", t=9), mark(market.tick()), mark(market.tick())]
    source, turns = imported(write(tmp_path / "capture", lines))
    (totals,) = source.report()
    assert (totals["trades"], str(totals["trade_size_sum"])) == (2, "1.505")
    assert str(totals["trade_notional_sum"]) == "90300.3000"
    assert totals["trades_not_market"] == {"INSURANCE_FUND": 1}
    assert source.notes == [
        f"capture:{len(lines) - 2}: trade 9 is INSURANCE_FUND, no trade of the market"
    ]
    assert (totals["marks"], totals["funding_rates"], totals["funding"][0]["published"]) == (
        2,
        1,
        2,
    )
    assert len(kinds(turns.facts, TradePrinted)) == 2


def test_problems_are_bounded(tmp_path: Path) -> None:
    """Of many malformed lines all are counted and the first hundred kept."""
    _, lines = capture(diffs=3)
    path = write(tmp_path / "capture", lines + [b"damage"] * 250)
    source, _ = imported(path)
    assert (source.problems.count, len(source.problems.kept)) == (250, KEPT_MAX)


def test_strict_stops_at_the_first(tmp_path: Path) -> None:
    """With strict a broken line is fatal, and named."""
    _, lines = capture(diffs=3)
    lines[4] = lines[4][:-9]
    with pytest.raises(MalformedLine, match=r"capture:5"):
        imported(write(tmp_path / "capture", lines), strict=True)


def test_long_backlog_is_split_into_turns(tmp_path: Path) -> None:
    """What waited for a late snapshot comes in turns within their bounds, all at its time."""
    market = Market(3)
    lines = [market.diff() for _ in range(500)]
    first = market.states
    sequence = sorted(first)[2]
    bids, asks = first[sequence]
    at = market.tick()
    body = {"lastUpdateId": sequence}
    for name, levels in (("bids", bids), ("asks", asks)):
        body[name] = [[price(p), f"{q / 1000:.3f}"] for p, q in levels]  # type: ignore[assignment]
    lines.append(f"{at} {body}".replace("'", '"').encode())
    source, turns = imported(write(tmp_path / "capture", lines))
    assert source.report()[0]["final_update_id"] == market.update
    late = [turn for turn in turns.turns if turn.at == at]
    assert len(late) == 3
    assert all(sum(map(levels_in, turn.facts)) <= TURN_LEVELS_MAX for turn in late)
    assert states(turns.turns)[-1] == (market.update, market.state)


def test_no_binance_file(tmp_path: Path) -> None:
    """A file without a known stream is refused as a whole."""
    path = write(tmp_path / "capture", [b"hello", b"1723161255000000000 {}"])
    with pytest.raises(BadInput, match="no stream of Binance"):
        imported(path)


def test_undefined_instrument(tmp_path: Path) -> None:
    """Without tick and lot nothing is guessed; a definition makes it importable."""
    _, lines = capture(diffs=3)
    path = write(
        tmp_path / "c", [x.replace(b"BTCUSDT", b"XYZUSDT").replace(b"btc", b"xyz") for x in lines]
    )
    assert sniff(path) == [("binance_usdm", "XYZUSDT")]
    with pytest.raises(ConfigError, match="binance_usdm:XYZUSDT"):
        imported(path)
    known = definitions(["binance_usdm:XYZUSDT,linear,0.1,0.001,maker=-0.0001"])
    source = CaptureImport([path], known, Problems())
    assert source.report()[0]["name"] == "binance_usdm:XYZUSDT"


def test_stray_symbol_is_named(tmp_path: Path) -> None:
    """A few lines of a symbol that nobody defined do not keep the rest out."""
    market, lines = capture(diffs=3)
    lines.insert(0, Market(1).trade().replace(b"BTC", b"XYZ").replace(b"btc", b"xyz"))
    source, _ = imported(write(tmp_path / "capture", lines))
    assert source.problems.kept[0].where == "capture:1"
    assert source.report()[0]["final_update_id"] == market.update


@pytest.mark.parametrize(
    "text",
    [
        "binance",
        "binance:ABCUSDT,spot,0.1",
        "binance:ABCUSDT,future,0.1,1",
        "binance:ABCUSDT,spot,zero,1",
        "binance:ABCUSDT,spot,-0.1,1",
        "binance:ABCUSDT,spot,0.1,0.01,step=0.015",
        "binance:ABCUSDT,spot,0.1,0.01,speed=1",
        "binance:ABC,spot,0.1,0.01",
    ],
)
def test_wrong_definitions(text: str) -> None:
    """A definition that says too little, or nonsense, is refused with the form to write."""
    with pytest.raises(ConfigError, match="venue:symbol,kind,tick,lot"):
        definitions([text])


def _mutate(rng: random.Random, lines: list[bytes], place: int) -> list[bytes]:
    """One line lost, doubled, swapped or damaged so that it cannot be read as another one."""
    text = lines[place]
    head, rest = lines[:place], lines[place + 1 :]
    match rng.randrange(6):
        case 0:
            return head + rest
        case 1:
            return [*head, text, text, *rest]
        case 2:
            return [*head, *rest[:1], text, *rest[1:]]
        case 3:
            return [*head, text[: rng.randrange(len(text))], *rest]
        case 4:
            return [*head, text.replace(b'":', b'x":', 1), *rest]
        case _:
            return [*head, text.replace(b"6", b"-", 1 + rng.randrange(3)), *rest]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), damages=st.integers(0, 12), chained=st.booleans())
def test_never_a_wrong_book(tmp_path: Path, seed: int, damages: int, chained: bool) -> None:
    """Whatever lines are lost, doubled, swapped or cut, a usable book is one that there was."""
    rng = random.Random(seed)
    market = Market(seed, chained=chained)
    lines = [market.diff() for _ in range(3)]
    for _ in range(4):
        lines.append(market.snapshot())
        for _ in range(12):
            lines += [market.diff(), market.ticker()]
    for _ in range(damages):
        lines = _mutate(rng, lines, rng.randrange(5, len(lines)))
    _, turns = imported(write(tmp_path / "capture", lines))
    scale = 1 if chained else 10  # The spot tick is ten times finer, the lot a thousand times.
    for sequence, (bids, asks) in states(turns.turns):
        truth = market.states[sequence]
        assert bids == {(p * scale, q * (1 if chained else 1000)) for p, q in truth[0]}
        assert asks == {(p * scale, q * (1 if chained else 1000)) for p, q in truth[1]}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.integers(6, 40),
    field=st.sampled_from(["U", "u", "pu"]),
    change=st.sampled_from([-1000, -7, -1, 1, 2, 7, 30, 10**6]),
    chained=st.booleans(),
)
def test_damaged_update_id(
    tmp_path: Path, place: int, field: str, change: int, chained: bool
) -> None:
    """A wrong digit in an update id is found at the latest at the next diff."""
    market = Market(place, chained=chained)
    lines = [market.diff(), market.snapshot()] + [market.diff() for _ in range(50)]
    name = f'"{field}":'.encode()
    before, found, after = lines[place].partition(name)
    if found:
        digits = after.split(b",")[0]
        lines[place] = before + name + b"%d" % (int(digits) + change) + after[len(digits) :]
    _, turns = imported(write(tmp_path / "capture", lines))
    scale = 1 if chained else 10
    real = {
        (
            frozenset((p * scale, q * (1 if chained else 1000)) for p, q in bids),
            frozenset((p * scale, q * (1 if chained else 1000)) for p, q in asks),
        )
        for bids, asks in market.states.values()
    }
    assert all(state in real for _, state in states(turns.turns))
