"""The command `mm query`: tables that fit the screen, JSON and CSV that lose nothing, errors."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

from mm.apps.cli import main, output
from mm.apps.cli.query import fitting
from mm.events.units import TurnNumber
from mm.log.chain import Head
from mm.log.mark import Mark
from tests.analytics.world import archived
from tests.build import BUY, SELL, acked, filled, instrument, placed, printed, quote

RUN: Final = """
import sys
from mm.apps.cli import main, output
print("ready", flush=True)
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of one order, filled in two parts, among a few trades."""
    turns: list[list[Any]] = [
        [instrument(), quote(999, 1001)],
        [placed("a", BUY, price=999, size=10)],
        [acked("a"), printed(999, 20)],
        [filled("a", BUY, price=999, size=4), filled("a", BUY, price=999, size=6)],
        [printed(1001, 1, aggressor=BUY), printed(998, 1, aggressor=SELL)],
    ]
    root = tmp_path_factory.mktemp("data")
    archived(root / "desk" / "archive", turns, name="desk")
    return root / "desk"


def run(
    capsys: pytest.CaptureFixture[str], session: Path, *arguments: object
) -> tuple[int, str, str]:
    """Exit code, output and messages of a command."""
    with pytest.raises(SystemExit) as ended:
        main(["query", *(str(each) for each in arguments), "--session", str(session)])
    code = ended.value.code
    assert isinstance(code, int)
    return code, *capsys.readouterr()


def test_rows_as_json(capsys: pytest.CaptureFixture[str], session: Path) -> None:
    """Exact integers stay integers, moments keep their nanoseconds, nothing is cut."""
    sql = "SELECT seq, time, size_lots, realised_units, entry FROM position JOIN fills USING (seq)"
    code, text, _ = run(capsys, session, sql.replace("seq, time", "seq, fills.time"), "--json")
    rows = json.loads(text)
    assert code == 0
    assert [row["size_lots"] for row in rows] == [4, 6]
    assert [row["realised_units"] for row in rows] == [0, 0]
    assert rows[0]["time"] == "2023-11-14 22:13:21.200000000"
    assert rows[1]["entry"] == 99.9


def test_rows_as_csv(capsys: pytest.CaptureFixture[str], session: Path) -> None:
    """A header and a line a row; what is unknown is empty."""
    sql = "SELECT price, aggressor, NULL AS nothing FROM trade ORDER BY seq"
    code, text, _ = run(capsys, session, sql, "--csv")
    header, *rows = csv.reader(io.StringIO(text))
    assert code == 0
    assert header == ["price", "aggressor", "nothing"]
    assert rows == [["99.9", "sell", ""], ["100.1", "buy", ""], ["99.8", "sell", ""]]


def test_a_table_says_what_it_leaves_out(
    capsys: pytest.CaptureFixture[str], session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows past the limit and columns past the screen are named on stderr."""
    monkeypatch.setattr(output.out, "_force_terminal", True)
    monkeypatch.setattr(output.out, "_color_system", None)
    monkeypatch.setattr(output.out, "_width", 90)
    code, text, notes = run(capsys, session, "FROM trade", "--limit", 2)
    assert code == 0
    assert "99.9" in text
    assert max(map(len, text.splitlines())) <= 90
    assert "first 2 rows; there are more" in notes
    assert "Not shown for want of room: " in notes
    assert "price_ticks" in notes
    assert "Name the columns" in notes
    assert "--csv" in notes
    assert "time_ns" not in text


def test_a_pipe_gets_every_column(capsys: pytest.CaptureFixture[str], session: Path) -> None:
    """Only a screen lacks room: whoever reads on has every column, a line for each row."""
    code, text, notes = run(capsys, session, "FROM fills")
    assert (code, notes) == (0, "")
    wide = [line for line in text.splitlines() if line.strip()]
    assert len(wide) == 2 + 2
    assert {"time_ns", "price_ticks", "archive", "edge_bps"} <= set(wide[0].split())


def test_an_unknown_view_is_guessed(capsys: pytest.CaptureFixture[str], session: Path) -> None:
    """The nearest of ours, never DuckDB's own tables, and how to list them all."""
    _, _, notes = run(capsys, session, "SELECT * FROM fillz")
    assert "there is no view 'fillz'; did you mean fills?" in notes
    assert "mm query --views" in notes
    assert "pg_" not in notes
    assert "session_started" not in notes


def test_limit_cuts_json_too(capsys: pytest.CaptureFixture[str], session: Path) -> None:
    """`--limit` counts for every way of printing."""
    _, text, _ = run(capsys, session, "FROM trade", "--limit", 2, "--json")
    assert len(json.loads(text)) == 2


def test_the_latest_session_is_asked(capsys: pytest.CaptureFixture[str], session: Path) -> None:
    """Without a name the latest session of the data directory answers; a desk has its name."""
    for name in ([], ["--session", "desk"]):
        with pytest.raises(SystemExit) as ended:
            main(["query", "SELECT count(*) AS n FROM trade", "--json", *name,
                  "--data", str(session.parent)])  # fmt: skip
        assert ended.value.code == 0
        assert json.loads(capsys.readouterr().out) == [{"n": 3}]


def test_views_are_listed(capsys: pytest.CaptureFixture[str], session: Path) -> None:
    """Every view with its columns, in each way of printing."""
    _, text, _ = run(capsys, session, "--views", "--json")
    views = json.loads(text)
    assert views["trade"]["price"] == "DOUBLE"
    assert {"orders", "fills", "position", "equity", "top", "quotes_own"} <= views.keys()
    _, text, _ = run(capsys, session, "--views", "--csv")
    assert "trade,price_ticks,BIGINT" in text.splitlines()
    code, text, _ = run(capsys, session, "--views")
    assert code == 0
    assert "edge_bps" in text


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["SELECT * FROM nosuch"], 2, "there is no view 'nosuch'"),
        (["SELECT nosuch(1)"], 2, "nosuch"),
        (["SELEC 1"], 2, "syntax error"),
        (["SELECT nosuch FROM trade"], 2, "--views"),
        (["DROP VIEW trade"], 2, "not one question"),
        ([], 2, "ask either"),
        (["SELECT 1", "--views"], 2, "ask either"),
        (["SELECT 1", "--json", "--csv"], 2, "ask either"),
        (["SELECT 1", "--limit", "0"], 2, "--limit"),
    ],
)
def test_refused(
    capsys: pytest.CaptureFixture[str],
    session: Path,
    arguments: list[str],
    code: int,
    word: str,
) -> None:
    """What cannot be answered ends with its code and says what to do."""
    found, _, notes = run(capsys, session, *arguments)
    assert (found, word in notes) == (code, True)


def test_no_session_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A session that is not there, or has no archive yet."""
    code, _, notes = run(capsys, tmp_path / "nowhere", "SELECT 1")
    assert (code, "no session or recording" in notes) == (3, True)
    (tmp_path / "desk" / "store").mkdir(parents=True)
    code, _, notes = run(capsys, tmp_path / "desk", "SELECT 1")
    assert (code, "written when it ends" in notes) == (3, True)


async def test_what_is_not_archived_yet_is_told(
    capsys: pytest.CaptureFixture[str], session: Path, tmp_path: Path
) -> None:
    """Where the log has gone on since, the answer comes with a note."""
    desk = tmp_path / "desk"
    desk.mkdir()
    (desk / "archive").symlink_to(session / "archive")
    for turn, told in ((5, False), (6, True)):
        mark = Mark.open(desk / "mark")
        mark.write(Head(number=TurnNumber(turn)))
        await mark.close()
        code, _, notes = run(capsys, desk, "SELECT 1", "--json")
        assert (code, "the log with turn 6" in notes) == (0, told)


def test_columns_leave_in_order() -> None:
    """Raw columns leave first, then ids, then from the right; one always stays."""
    widths = {"time": 10, "time_ns": 10, "price": 10, "archive": 10, "fee": 10}
    assert fitting(widths, 100) == widths.keys()
    assert fitting(widths, 53) == {"time", "price", "archive", "fee"}
    assert fitting(widths, 52) == {"time", "price", "fee"}
    assert fitting(widths, 27) == {"time", "price"}
    assert fitting(widths, 1) == {"time"}


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` shows how to ask."""
    with pytest.raises(SystemExit):
        main(["query", "--help"])
    assert "FROM fills" in capsys.readouterr().out


def test_interrupt(session: Path) -> None:
    """Ctrl-C ends a question that would take for ever, with code 130."""
    endless = "SELECT max(hash(a.range, b.range)) FROM range(10000000) a, range(10000000) b"
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "query", endless, "--session", str(session)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    _, notes = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in notes
