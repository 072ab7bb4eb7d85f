"""Tables become recordings row by row; what cannot be believed is named by file and line."""

import gzip
import tarfile
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.errors import BadInput, ConfigError, MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.market import CandleClosed, FeedUp, QuoteUpdated, TradePrinted
from mm.events.units import Side
from mm.gateways.csv_files import CsvImport, CsvSource
from mm.gateways.csv_options import CsvOptions, interval, layout
from mm.gateways.csv_rows import Table, TimeUnit, time_from
from mm.gateways.definitions import definition
from mm.gateways.recorder import Recorder
from mm.gateways.totals import Problems
from tests.gateways.lines import Turns, recording

DEFINED = definition("venue:BTCUSDT,linear,0.1,0.001")
T = 1_640_995_260
TRADES = "time,price,size,side,id"
QUOTES = "time,bid,bid_size,ask,ask_size"
KLINES = "time,open,high,low,close,volume"


def imported(*sources: CsvSource, strict: bool = False) -> tuple[CsvImport, Turns]:
    """Import files; returns the import and what it recorded."""
    turns = Turns()
    source = CsvImport(sources, DEFINED, Problems(strict=strict))
    source.run(Recorder(turns))
    return source, turns


def table(path: Path, kind: Table, *rows: str, **options: Any) -> CsvSource:
    """A file of rows, the header first."""
    path.write_text("\n".join(rows) + "\n")
    return CsvSource(kind, path, layout(CsvOptions(**options), kind))


def test_trades(tmp_path: Path) -> None:
    """A trade has its side, its id and its time to the nanosecond."""
    rows = [f"{T}000000001,60000.1,0.5,buy,a1", f"{T}000000002,60000.0,1.5,SELL,a2"]
    source, turns = imported(table(tmp_path / "t.csv", Table.TRADES, TRADES, *rows))
    assert [type(fact) for fact in turns.facts[:2]] == [InstrumentDefined, FeedUp]
    buy, sell = (fact for fact in turns.facts if isinstance(fact, TradePrinted))
    assert (buy.price, buy.size, buy.aggressor, buy.trade_id) == (600_001, 500, Side.BUY, "a1")
    assert (sell.aggressor, sell.venue_time) == (Side.SELL, T * 10**9 + 2)
    (totals,) = source.report()
    assert totals["trade_size_sum"] == 2
    assert totals["trade_notional_sum"] == Decimal("120000.05")
    assert [turn.at - T * 10**9 for turn in turns.turns] == [1, 1, 2]


def test_maker_column(tmp_path: Path) -> None:
    """Where the buyer was the maker, the seller was the aggressor."""
    source = table(
        tmp_path / "t.csv",
        Table.TRADES,
        "trade_id,Price,Qty,ts,is_buyer_maker",
        f"7,60000.0,1,{T},true",
        f"8,60000.0,1,{T},False",
    )
    _, turns = imported(source)
    trades = [fact for fact in turns.facts if isinstance(fact, TradePrinted)]
    assert [(each.trade_id, each.aggressor) for each in trades] == [("7", -1), ("8", 1)]


def test_quotes(tmp_path: Path) -> None:
    """A quote has both sides, and the last one is shown at the end."""
    rows = [f"{T},60000.0,1,60000.1,2", f"{T},60000.1,1,60000.2,0"]
    source, turns = imported(table(tmp_path / "q.csv", Table.QUOTES, QUOTES, *rows))
    quotes = [fact for fact in turns.facts if isinstance(fact, QuoteUpdated)]
    assert [(each.bid, each.ask, each.ask_size) for each in quotes] == [
        (600_000, 600_001, 2_000),
        (600_001, 600_002, 0),
    ]
    assert source.report()[0]["best_bid"] == Decimal("60000.1")


def test_candles(tmp_path: Path) -> None:
    """A candle is known when it closes."""
    row = "2021-12-31 23:01:00.000000,46319.0,46385.0,46319.0,46377.0,2300413.729"
    source = table(tmp_path / "k.csv", Table.KLINES, KLINES, row, interval="5m")
    _, turns = imported(source)
    candle = turns.facts[-1]
    assert isinstance(candle, CandleClosed)
    assert candle.opened == 1_640_991_660 * 10**9
    assert turns.turns[-1].at == candle.received == candle.opened + 300 * 10**9
    assert (candle.open, candle.high, candle.low, candle.close) == (463190, 463850, 463190, 463770)
    assert candle.volume == 2_300_413_729


def test_rounded_volume(tmp_path: Path) -> None:
    """A volume between lots is refused unless rounding is asked for."""
    row = f"{T},100,100,100,100,218102.59507500002"
    refused, _ = imported(table(tmp_path / "k.csv", Table.KLINES, KLINES, row))
    assert [each.error for each in refused.problems.kept] == ["OffLot"]
    _, turns = imported(table(tmp_path / "k.csv", Table.KLINES, KLINES, row, round_volume=True))
    assert turns.facts[-1].volume == 218_102_595
    for bad in ("NaN", "-5", "1e60", ""):
        row = f"{T},100,100,100,100,{bad}"
        found, _ = imported(table(tmp_path / "k.csv", Table.KLINES, KLINES, row, round_volume=True))
        assert found.problems.count == 1


def test_columns_by_map_and_number(tmp_path: Path) -> None:
    """Columns are found by mapped name, by number, for one table or for all, in any order."""
    trades = table(
        tmp_path / "t.csv",
        Table.TRADES,
        "px;side;when;n",
        f"60000.0;b;{T};2",
        columns=["trades.price=PX", "size=4", "time=when", "quotes.bid=nothing"],
        delimiter=";",
    )
    _, turns = imported(trades)
    assert (turns.facts[-1].price, turns.facts[-1].size) == (600_000, 2_000)


def test_no_header(tmp_path: Path) -> None:
    """Without a header the columns stand in their usual order, optional ones may be missing."""
    source = table(tmp_path / "t.csv", Table.TRADES, f"{T},60000.0,1,buy", header=False)
    _, turns = imported(source)
    assert (turns.facts[-1].price, turns.facts[-1].trade_id) == (600_000, "")


@pytest.mark.parametrize("suffix", ["plain", "gz"])
def test_text_as_it_comes(tmp_path: Path, suffix: str) -> None:
    """Gzip, a byte order mark, Windows line ends, quoted cells and empty lines are read."""
    text = f'\ufefftime,price,size,side\r\n"{T}","60000.0",1,buy\r\n\r\n{T}, 60000.1 ,1,sell'
    path = tmp_path / f"t.{suffix}"
    content = text.encode()
    path.write_bytes(gzip.compress(content) if suffix == "gz" else content)
    source, turns = imported(CsvSource(Table.TRADES, path, layout(CsvOptions(), Table.TRADES)))
    assert source.problems.count == 0
    assert [fact.price for fact in turns.facts[2:]] == [600_000, 600_001]


BAD_ROWS = {
    "NaN": f"{T},NaN,1,buy,1",
    "negative": f"{T},-5.0,1,buy,1",
    "huge": f"{T},1e300,1,buy,1",
    "off tick": f"{T},60000.05,1,buy,1",
    "off lot": f"{T},60000.0,0.0001,buy,1",
    "no size": f"{T},60000.0,0,buy,1",
    "no side": f"{T},60000.0,1,,1",
    "no price": f"{T},,1,buy,1",
    "no time": ",60000.0,1,buy,1",
    "time in words": "yesterday,60000.0,1,buy,1",
    "time running back": f"{T - 5},60000.0,1,buy,1",
    "time past all bounds": "99999999999999999999,60000.0,1,buy,1",
    "too few": f"{T},60000.0,1",
    "too many": f"{T},60000.0,1,buy,1,2",
    "no text": f"{T},60000.0\udc80,1,buy,1",
}


@pytest.mark.parametrize("row", BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows(tmp_path: Path, row: str) -> None:
    """A bad row is named by file and line, and the rows around it come in."""
    good = f"{T},60000.0,1,buy,1"
    path = tmp_path / "t.csv"
    path.write_bytes(f"{TRADES}\n{good}\n{row}\n{good}".encode(errors="surrogateescape"))
    file = CsvSource(Table.TRADES, path, layout(CsvOptions(), Table.TRADES))
    source, turns = imported(file)
    assert [problem.where for problem in source.problems.kept] == ["t.csv:3"]
    assert len([fact for fact in turns.facts if isinstance(fact, TradePrinted)]) == 2
    with pytest.raises(BadInput, match=r"t\.csv:3"):
        imported(file, strict=True)


@pytest.mark.parametrize(
    ("kind", "header", "row"),
    [
        (Table.QUOTES, QUOTES, f"{T},60000.1,1,60000.1,1"),
        (Table.KLINES, KLINES, f"{T},100,99,90,95,1"),
        (Table.KLINES, KLINES, f"{T},100,110,101,105,1"),
        (Table.KLINES, KLINES + ",count", f"{T},100,110,90,105,1,many"),
    ],
)
def test_rows_that_contradict_themselves(
    tmp_path: Path, kind: Table, header: str, row: str
) -> None:
    """A crossed quote, or a candle outside its own range, is refused."""
    source, turns = imported(table(tmp_path / "x.csv", kind, header, row))
    assert (source.problems.count, turns.facts) == (1, [])


def test_tables_are_merged(tmp_path: Path) -> None:
    """Trades and quotes become one recording in order of time."""
    quotes = [f"{T + n},60000.0,1,60000.1,2" for n in (0, 2, 4)]
    trades = [f"{T + n},60000.0,1,buy,1" for n in (1, 2, 5)]
    _, turns = imported(
        table(tmp_path / "t.csv", Table.TRADES, TRADES, *trades),
        table(tmp_path / "q.csv", Table.QUOTES, QUOTES, *quotes),
    )
    facts = [type(fact) for fact in turns.facts[2:]]
    quote, trade = QuoteUpdated, TradePrinted
    assert facts == [quote, trade, trade, quote, quote, trade]


def test_cut_off_file(tmp_path: Path) -> None:
    """Of a truncated gzip file the rows before the cut come in."""
    path = tmp_path / "t.csv.gz"
    rows = [TRADES, *(f"{T + n},60000.0,1,buy,{n}" for n in range(9_000))]
    path.write_bytes(gzip.compress("\n".join(rows).encode())[:-900])
    file = CsvSource(Table.TRADES, path, layout(CsvOptions(), Table.TRADES))
    source, turns = imported(file)
    assert "ends here" in source.problems.kept[-1].what
    assert len(turns.facts) > 1_000


@pytest.mark.parametrize(
    ("header", "options", "match"),
    [
        ("time,size,side", {}, "needs a column for price"),
        ("time,price,size", {}, "needs a column for side"),
        (TRADES, {"columns": ["price=px"]}, "needs a column for price"),
        (TRADES, {"columns": ["price=99"]}, "needs a column for price"),
        (TRADES, {"columns": ["prise=px"]}, "maps nothing"),
        (TRADES, {"columns": ["price"]}, "maps nothing"),
        (TRADES, {"columns": ["trades.bid=x"]}, "maps nothing"),
        (TRADES, {"time_unit": "hours"}, "no unit of time"),
        (TRADES, {"interval": "1 minute"}, "no interval"),
        (TRADES, {"interval": "0m"}, "no interval"),
        (TRADES, {"delimiter": ";;"}, "cannot separate"),
    ],
)
def test_layouts_refused(tmp_path: Path, header: str, options: Any, match: str) -> None:
    """A layout that cannot be read is refused before anything is imported."""
    with pytest.raises(ConfigError, match=match):
        imported(table(tmp_path / "t.csv", Table.TRADES, header, **options))


def test_absent_file(tmp_path: Path) -> None:
    """A path without a file is named."""
    source = CsvSource(Table.TRADES, tmp_path / "none", layout(CsvOptions(), Table.TRADES))
    with pytest.raises(BadInput, match="no such file"):
        imported(source)


@pytest.mark.parametrize(
    ("text", "unit", "nanos"),
    [
        ("1640995260", "auto", T * 10**9),
        ("1640995260123", "auto", T * 10**9 + 123_000_000),
        ("1640995260123456", "auto", T * 10**9 + 123_456_000),
        ("1640995260123456789", "auto", T * 10**9 + 123_456_789),
        ("1640995260.123456789", "s", T * 10**9 + 123_456_789),
        ("1640995260123.5", "ms", T * 10**9 + 123_500_000),
        ("5", "ns", 5),
        ("2022-01-01T00:01:00Z", "auto", T * 10**9),
        ("2022-01-01 00:01:00", "iso", T * 10**9),
        ("2022-01-01T00:01", "iso", T * 10**9),
        ("2022-01-01T01:01:00.123456789+01:00", "auto", T * 10**9 + 123_456_789),
        ("2021-12-31 19:01:00,5-0500", "iso", T * 10**9 + 500_000_000),
    ],
)
def test_times(text: str, unit: str, nanos: int) -> None:
    """Times are exact to the nanosecond in every unit; without an offset they are UTC."""
    assert time_from(text, TimeUnit(unit)) == nanos


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("12345", "auto"),
        ("1640995260.5", "auto"),
        ("1640995260.0000000001", "s"),
        ("2022-13-01T00:00:00", "iso"),
        ("2022-01-01", "iso"),
        ("2022-01-01T00:00:00.1234567891", "iso"),
        ("4102444800", "s"),
        ("-5", "s"),
        ("NaN", "s"),
        ("", "auto"),
    ],
)
def test_times_refused(text: str, unit: str) -> None:
    """A time that is not exact, or out of all bounds, is refused."""
    with pytest.raises(MalformedLine):
        time_from(text, TimeUnit(unit))


@given(nanos=st.integers(1, 4 * 10**18))
def test_seconds_with_a_fraction_are_exact(nanos: int) -> None:
    """Any nanosecond survives being written as decimal seconds."""
    text = f"{nanos // 10**9}.{nanos % 10**9:09d}"
    assert time_from(text, TimeUnit.S) == nanos


def test_intervals() -> None:
    """Lengths of candles in nanoseconds."""
    assert [interval(text) for text in ("30s", "1m", "4h", "1d", "1w")] == [
        n * 10**9 for n in (30, 60, 14_400, 86_400, 604_800)
    ]


def test_recorded_klines(tmp_path: Path) -> None:
    """A month of real candles: all 45,031 rows, no gap between them."""
    name = "btc-perp-20211231-20220201_1m.csv"
    with tarfile.open(recording("fix-klines-funding.tar.gz")) as archive:
        (member,) = (each for each in archive.getmembers() if each.name.endswith(name))
        found = archive.extractfile(member)
        assert found is not None
        (tmp_path / name).write_bytes(found.read())
    plain = layout(CsvOptions(round_volume=True), Table.KLINES)
    turns = Turns()
    defined = definition("unknown:BTC-PERP,linear,0.001,0.00001,base=BTC,quote=USD")
    files = [CsvSource(Table.KLINES, tmp_path / name, plain)]
    source = CsvImport(files, defined, Problems(strict=True))
    source.run(Recorder(turns))
    candles = [fact for fact in turns.facts if isinstance(fact, CandleClosed)]
    assert len(candles) == source.report()[0]["candles"] == 45_031
    assert all(a.received == b.opened for a, b in pairwise(candles))
