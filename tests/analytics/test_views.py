"""Every kind of event is a view, and a question is never more than a question."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest

from mm.analytics import kinds
from mm.analytics.catalog import needed, statements
from mm.analytics.session import ask, connect, find_archive, query, views
from mm.analytics.statements import sections, statement
from mm.errors import LogDamaged, QueryError, SessionError
from mm.events.market import FeedDown, FeedGapped, FeedResynced
from mm.events.units import InstrumentId
from mm.events.vocabulary import KINDS
from tests.analytics.world import archived, instruments
from tests.build import BTC, BUY, START, delta, filled, instrument, placed, printed, quote, snapshot
from tests.strategies import example

SQL: Final = Path(__file__).parents[2] / "mm" / "analytics" / "sql"
DERIVED: Final = {
    *("turns", "top", "fills", "orders", "position", "equity", "quotes_own", "latency", "kinds"),
}


def rows(answer: pa.Table) -> list[dict[str, Any]]:
    """An answer, row by row."""
    found: list[dict[str, Any]] = answer.to_pylist()
    return found


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with one event of each kind."""
    turns = [[example(kind)] for kind in KINDS.values()]
    return archived(tmp_path_factory.mktemp("all") / "every", turns)


@pytest.fixture(scope="module")
def opened(everything: Path) -> duckdb.DuckDBPyConnection:
    """It, with all views; nothing is folded, since these events tell no story."""
    return connect(everything, asked="SHOW TABLES")


@pytest.mark.parametrize("tag", KINDS)
def test_every_kind_is_a_view(opened: duckdb.DuckDBPyConnection, tag: str) -> None:
    """The one event of the kind is there, and every column can be asked without quotes."""
    name = kinds.VIEWS[tag]
    columns = [column for column, _ in views(opened)[name]]
    question = f"SELECT {', '.join(columns)} FROM {name}"  # noqa: S608  Our own names.
    assert ask(opened, question).num_rows == 1
    assert {"seq", "time", "time_ns", "turn", "index", "archive"} <= set(columns)
    for field in KINDS[tag].__struct_fields__:
        assert any(column.startswith(kinds.RESERVED.get(field, field)) for column in columns)


def test_the_views_are_listed(opened: duckdb.DuckDBPyConnection) -> None:
    """All kinds and all derived views are listed, and nothing of the inside."""
    assert set(views(opened)) == set(kinds.VIEWS.values()) | DERIVED
    counted = {row["view"]: row["rows"] for row in rows(ask(opened, "FROM kinds"))}
    assert counted == dict.fromkeys(kinds.VIEWS.values(), 1) | {"turns": len(KINDS)}


def test_a_trade_in_its_units(tmp_path: Path) -> None:
    """Prices in quote units and ticks, sizes in base units and lots, sides as words, real times."""
    path = archived(tmp_path / "a", [[instrument()], [printed(617_993, 25)]])
    sql = "SELECT * EXCLUDE (time, received, venue_time), epoch_ns(received) AS ns FROM trade"
    (row,) = rows(query(path, sql))
    assert (row["price"], row["price_ticks"]) == (61799.3, 617_993)
    assert (row["size"], row["size_lots"]) == (0.025, 25)
    assert (row["aggressor"], row["aggressor_sign"], row["symbol"]) == ("sell", -1, "paper:BTCUSDT")
    assert row["ns"] == row["received_ns"] == START
    (stamped,) = rows(query(path, "SELECT venue_time IS NULL AS unstamped FROM trade"))
    assert stamped["unstamped"]


def test_levels_in_their_units(tmp_path: Path) -> None:
    """Levels are two lists, in quote and base units as well as in ticks and lots."""
    turns: list[list[Any]] = [[instrument()], [delta((617_993, 25, 617_992, 0), ())]]
    path = archived(tmp_path / "a", turns)
    (row,) = rows(query(path, "SELECT COLUMNS('bids.*') FROM book_delta"))
    assert row["bids_price"] == [61799.3, 61799.2]
    assert row["bids_price_ticks"] == [617_993, 617_992]
    assert (row["bids_size"], row["bids_size_lots"]) == ([0.025, 0.0], [25, 0])


@pytest.mark.parametrize(
    "step", ["0.1", "0.01", "0.25", "1E-8", "0.00000001", "5", "1E+1", "0.0125", "1E-12", "0.3"]
)
def test_prices_are_the_nearest_doubles(tmp_path: Path, step: str) -> None:
    """A price is the double nearest to the exact decimal, whatever the tick size."""
    ticks = [1, 3, 7, 617_993, 1_234_567, 99_999_999]
    defined = instrument(tick_size=Decimal(step), lot_size=Decimal(step))
    path = archived(tmp_path / "a", [[defined], [printed(tick, tick) for tick in ticks]])
    exact = [float(Decimal(step) * tick) for tick in ticks]
    answer = rows(query(path, "SELECT price, size FROM trade ORDER BY seq"))
    assert [row["price"] for row in answer] == exact
    assert [row["size"] for row in answer] == exact


def test_events_before_the_definition_have_prices(tmp_path: Path) -> None:
    """An instrument's steps are the same for the whole log, whatever is revised."""
    cheaper = instrument(maker_fee=Decimal(0), revision=2)
    turns: list[list[Any]] = [[printed(1, 1)], [instrument()], [cheaper], [printed(2, 1)]]
    answer = rows(query(archived(tmp_path / "a", turns), "SELECT price FROM trade ORDER BY seq"))
    assert [row["price"] for row in answer] == [0.1, 0.2]


def test_only_what_a_question_needs_is_laid_out() -> None:
    """Words decide, and views bring along what they ask themselves; comments bring nothing."""
    few = needed("SELECT price FROM trade")
    assert few > {"trade", "_trade", "_step", "_instrument_defined"}
    assert not few & {"_book_delta", "_order_fold", "_turns", "fills"}
    assert "_order_fold" not in needed("FROM equity -- not of orders")
    assert {"_order_fold", "order_place", "_fill"} <= needed('FROM "orders"')
    assert needed(None) == {*statements()}
    assert needed("SHOW TABLES") == {*statements()} - {"_order_fold", "_book_top"}


def test_without_a_definition_ticks_remain(tmp_path: Path) -> None:
    """A recording whose instrument was never defined has no prices, but its ticks."""
    path = archived(tmp_path / "a", [[printed(100, 1)]])
    (row,) = rows(query(path, "SELECT price, price_ticks FROM trade"))
    assert row == {"price": None, "price_ticks": 100}


def test_several_archives_stand_side_by_side(tmp_path: Path) -> None:
    """Each row names its archive; a price of one is not read by the definition of another."""
    first: list[list[Any]] = [[instrument()], [quote(100, 102), printed(100, 1)]]
    second: list[list[Any]] = [[instrument(tick_size=Decimal(1))], [printed(100, 1)]]
    paths = [archived(tmp_path / "a", first), archived(tmp_path / "b", second, "b'c")]
    answer = rows(query(paths, "SELECT archive, price FROM trade ORDER BY archive"))
    assert answer == [{"archive": "a", "price": 10.0}, {"archive": "b'c", "price": 100.0}]
    assert query(paths, "FROM top").num_rows == 1


def test_archives_of_one_name_stay_apart(tmp_path: Path) -> None:
    """Two runs of the same desk are told apart by their directories."""
    turns: list[list[Any]] = [[instrument()], [printed(100, 1)]]
    paths = [archived(tmp_path / name, turns, "desk") for name in ("a", "b")]
    answer = rows(
        query(paths, "SELECT archive, count(*) AS n FROM trade GROUP BY ALL ORDER BY ALL")
    )
    assert answer == [{"archive": f"desk in {path}", "n": 1} for path in paths]


def test_top_is_the_quotes(tmp_path: Path) -> None:
    """Best bid and offer come from quotes; there is no mid while a side is empty."""
    quotes = [quote(100, 103), quote(101, 103, ask_size=0)]
    turns: list[list[Any]] = [[instrument()], quotes, [snapshot((90, 1), (110, 1))]]
    path = archived(tmp_path / "a", turns)
    answer = rows(query(path, "SELECT bid, ask, mid, spread_bps, source FROM top ORDER BY seq"))
    assert [row["mid"] for row in answer] == [10.15, None]
    assert answer[0]["spread_bps"] == pytest.approx(3 / 101.5 * 1e4)
    assert {row["source"] for row in answer} == {"quote"}


def test_top_is_the_book_where_no_quotes_are(tmp_path: Path) -> None:
    """Depth alone is folded into a best bid and offer, one row a change; a lost book has none."""
    down = FeedDown(instrument=BTC, received=START, channel="depth", reason="gone")
    gap = FeedGapped(instrument=BTC, received=START, wanted=5, got=7)
    again = FeedResynced(instrument=BTC, received=START, sequence=8)
    other = quote(7, 8)
    other = type(other)(
        **{name: getattr(other, name) for name in other.__struct_fields__}
        | {"instrument": InstrumentId(1)}
    )
    turns: list[list[Any]] = [
        [*instruments(), other],
        [snapshot((100, 5, 99, 7), (102, 4), sequence=1)],
        [delta((99, 8), (), last=2)],
        [delta((101, 2), (102, 0, 103, 3), last=3)],
        [gap],
        [snapshot((90, 1), (95, 1), sequence=8), again],
        [down],
    ]
    path = archived(tmp_path / "a", turns)
    sql = "SELECT bid_ticks, ask_ticks, ask_size_lots, mid FROM top WHERE source = 'book'"
    answer = [tuple(row.values()) for row in rows(query(path, f"{sql} ORDER BY seq"))]
    assert answer == [
        (100, 102, 4, 10.1),
        (101, 103, 3, 10.2),
        (0, 0, 0, None),
        (90, 95, 1, 9.25),
        (0, 0, 0, None),
    ]
    (seen,) = rows(query(path, "SELECT count(*) AS n FROM top WHERE source = 'quote'"))
    assert seen["n"] == 1


def test_a_fill_meets_its_order_and_market(tmp_path: Path) -> None:
    """A fill knows its order's level and age, the mid, and how much better than that it was."""
    order = placed("a", BUY, price=999, size=10, level=2)
    turns: list[list[Any]] = [
        [instrument(), quote(1000, 1002)],
        [order],
        [filled("a", BUY, price=999, size=4)],
    ]
    (row,) = rows(query(archived(tmp_path / "a", turns), "SELECT * EXCLUDE time FROM fills"))
    assert (row["level"], row["mid"], row["order_age_seconds"]) == (2, 100.1, 0.4)
    assert row["edge_bps"] == pytest.approx(2 / 1001 * 1e4)
    assert row["notional"] == pytest.approx(99.9 * 0.004)


# What a question may not do.

FORBIDDEN: Final = [
    "COPY (SELECT 1) TO '{path}/out.csv'",
    "CREATE TABLE t AS SELECT 1",
    "ATTACH '{path}/other.db'",
    "SET enable_external_access = true",
    "INSTALL httpfs",
    "DROP VIEW trade",
    "SELECT 1; SELECT 2",
    "",
    "-- nothing",
]
UNREADABLE: Final = [
    "SELECT * FROM read_text('{path}/secret.txt')",
    "SELECT * FROM read_csv('{path}/secret.txt')",
    "FROM '{path}/secret.txt'",
    "SELECT * FROM glob('{path}/*')",
    "SELECT getenv('HOME')",
    "SELECT * FROM everything",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_only_questions_are_put(
    opened: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str
) -> None:
    """Whatever is no question is refused."""
    with pytest.raises(QueryError, match="not one question"):
        ask(opened, sql.format(path=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sql", UNREADABLE)
def test_nothing_outside_can_be_read(
    opened: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str
) -> None:
    """No file, variable or Python object of ours answers a question."""
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(QueryError):
        ask(opened, sql.format(path=tmp_path))


def test_the_connection_itself_is_locked(opened: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A notebook, which holds the connection, cannot write files or lift the lock either."""
    for sql in FORBIDDEN[:1] + FORBIDDEN[2:5]:
        with pytest.raises(duckdb.Error):
            opened.execute(sql.format(path=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_view_is_answered_with_the_nearest(opened: duckdb.DuckDBPyConnection) -> None:
    """The error names ours, and how to see all of them."""
    with pytest.raises(QueryError, match="nosuch") as caught:
        ask(opened, "SELECT * FROM nosuch")
    assert "mm query --views" in caught.value.remedy
    with pytest.raises(QueryError, match=r"'Trades'; did you mean trade"):
        ask(opened, "SELECT * FROM Trades")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nosuch FROM trade", "SELECT 1 + 'x'"])
def test_bad_sql_is_named(opened: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Grammar, columns and types: the error says what and shows the question."""
    with pytest.raises(QueryError) as caught:
        ask(opened, sql)
    assert caught.value.where == sql


def test_an_answer_can_be_cut(opened: duckdb.DuckDBPyConnection) -> None:
    """No more rows than asked for are fetched; other forms of question are answered too."""
    assert ask(opened, "FROM turns", rows_max=3).num_rows == 3
    assert ask(opened, "DESCRIBE trade").num_rows > 10
    assert ask(opened, "SUMMARIZE trade").num_rows > 10
    assert ask(opened, "EXPLAIN SELECT 1").num_rows >= 1
    assert ask(opened, "PIVOT trade ON aggressor USING sum(size)").num_rows >= 1


def test_a_session_is_found_by_its_directory(everything: Path, tmp_path: Path) -> None:
    """A session keeps its archive beside its log; where there is none, that is said."""
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "archive").symlink_to(everything)
    assert find_archive(tmp_path / "desk") == tmp_path / "desk" / "archive"
    assert find_archive(everything) == everything
    with pytest.raises(SessionError, match="no archive"):
        query(tmp_path, "SELECT 1")


def test_damage_is_never_answered_from(tmp_path: Path) -> None:
    """A file that is not what was written stops the question."""
    path = archived(tmp_path / "a", [[printed(100, 1)]])
    (file,) = path.glob("day=*/*-trade.parquet")
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(LogDamaged, match="trade"):
        query(path, "FROM trade")


def test_large_kinds_stay_in_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are the same whether a kind's rows are loaded or read from files as needed."""
    turns: list[list[Any]] = [[instrument()], [printed(price, 1) for price in (1, 2, 3)]]
    path = archived(tmp_path / "a", turns)
    monkeypatch.setattr("mm.analytics.session.LOADED_ROWS_MAX", 0)
    assert rows(query(path, "SELECT sum(price_ticks) AS total FROM trade")) == [{"total": 6}]


def test_every_file_of_sql_is_used() -> None:
    """A statement that nobody runs would rot."""
    places = (SQL.parent, SQL.parents[1] / "apps")
    sources = "".join(path.read_text() for place in places for path in place.glob("*.py"))
    for path in SQL.glob("*.sql"):
        assert f'"{path.stem}"' in sources, f"{path.name} is never run"
        assert statement(path.stem).startswith("-- ")
    assert set(sections("source")) == {"laid", "loaded", "part", "joint", "known"}
