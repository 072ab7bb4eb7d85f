"""What `mm replay backtest` says of a strategy that breaks, and leaves of a run that breaks off."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest

from mm.analytics.run import Run
from mm.apps.backtest import Backtest
from mm.apps.cli.main import main
from mm.engine.core import Engine
from mm.log.archive import Archive, ArchiveWriter
from mm.strategy.symmetric import Symmetric
from tests.apps.processes import here, refused
from tests.apps.test_bad_input import written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mm.log.chain import Sealed


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of one second."""
    out = tmp_path_factory.mktemp("market") / "second"
    assert here("record", "--feed", "synthetic", "--seconds", 1, "--out", out).returncode == 0
    return out


def words(tmp_path: Path, market: Path) -> tuple[Any, ...]:
    """The command line of a backtest over that second."""
    return ("replay", "backtest", market, "--strategy", written(tmp_path))


def test_a_strategy_that_raises_is_told(
    tmp_path: Path, market: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 6, halt and fault in text and JSON; the log that was asked for is kept."""

    def decide(*_: object) -> None:
        raise AssertionError("no [idea]")

    monkeypatch.setattr(Symmetric, "decide", decide)
    ran = here(*words(tmp_path, market), "--out", tmp_path / "run")
    refused(ran, 6, "TradingStopped", "engine faulted", "AssertionError: no [idea]", "decide")
    (line,) = [each for each in ran.stdout.splitlines() if each.startswith("halted: ")]
    assert line.startswith("halted: engine faulted. AssertionError: no [idea] in ")
    assert Archive(tmp_path / "run").head.hash.hex() in ran.stdout
    ran = here(*words(tmp_path, market), "--plain", "--json")
    document = json.loads(ran.stdout)
    assert ran.returncode == 6
    assert document["halted"] == "engine faulted"
    assert document["faulted"].startswith("AssertionError: no [idea] in ")


def test_a_backtest_says_what_time_it_covers(tmp_path: Path, market: Path) -> None:
    """From the first to the last turn; without a word of halts where there was none."""
    ran = here(*words(tmp_path, market), "--json", "--out", tmp_path / "run")
    document = json.loads(ran.stdout)
    assert (ran.returncode, document["halted"], document["faulted"]) == (0, "", "")
    turns = list(Archive(tmp_path / "run").turns())
    covered = (turns[0].turn.at, turns[-1].turn.at)
    assert (document["first_time"], document["last_time"]) == covered
    assert len(turns) == document["turns"]
    told = here(*words(tmp_path, market), "--plain").stdout
    assert "from 20" in told
    assert "halted" not in told


def test_the_last_book_values_what_is_held(tmp_path: Path, market: Path) -> None:
    """Profit at the last mid is that of the plain engine's state: the end is a sample too."""
    (account,) = json.loads(here(*words(tmp_path, market), "--json").stdout)["performance"][
        "accounts"
    ]
    assert here(*words(tmp_path, market), "--out", tmp_path / "log").returncode == 0
    engine = Engine()
    for sealed in Archive(tmp_path / "log").turns():
        engine.fold(sealed.turn)
    ledger = engine.state.ledger
    ledger.marks.clear()
    (key,) = ledger.accounts
    book, tick = engine.state.books.of(key[1]), ledger.instruments[key[1]].tick_size
    pnl = ledger.pnl(key, (book.bid + book.ask) * tick / 2)
    assert pnl.unrealised
    profit = account["profit"]
    assert (Decimal(profit["unrealised"]), Decimal(profit["realised"])) == (
        pnl.unrealised,
        pnl.realised,
    )


@pytest.mark.parametrize("there", [True, False], ids=["empty", "missing"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), AssertionError("a bug of ours")], ids=str)
def test_a_run_that_breaks_off_leaves_nothing(
    tmp_path: Path,
    market: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    there: bool,
) -> None:
    """Spans that were written already go, and the next run may use the directory."""
    out = tmp_path / "deep" / "run"
    if there:
        out.mkdir(parents=True)
    whole = Backtest.turns
    seen = []

    def broken(self: Backtest, *given: Any) -> Iterator[Sealed]:
        for number, sealed in enumerate(whole(self, *given)):
            if number == 20:
                seen.append(sorted(each.name for each in out.iterdir()))
                raise error
            yield sealed

    monkeypatch.setattr(Backtest, "turns", broken)
    monkeypatch.setattr(ArchiveWriter.__init__, "__kwdefaults__", SMALL)
    given = [str(word) for word in (*words(tmp_path, market), "--out", out)]
    with pytest.raises((SystemExit, AssertionError)):
        main(given)
    assert len(seen[0]) > 1, "nothing was written before it broke off"
    monkeypatch.undo()
    assert list((tmp_path / "deep").iterdir() if there else tmp_path.glob("deep")) == [out][:there]
    assert not there or not list(out.iterdir())
    assert here(*words(tmp_path, market), "--out", out).returncode == 0


SMALL: Final = {"name": "", "kind": "session", "span_events_max": 10}
"""Spans so short that some are on the disk when the run breaks off."""


def test_the_pass_and_the_plain_way_agree(tmp_path: Path, market: Path) -> None:
    """As many orders and fills, the same money; columns and a page where they were asked for."""
    run, page = tmp_path / "run", tmp_path / "page.html"
    fast = here(*words(tmp_path, market), "--json", "--run", run, "--report", page)
    slow = here(*words(tmp_path, market), "--json", "--plain")
    assert (fast.returncode, slow.returncode) == (0, 0), fast.stderr + slow.stderr
    one, other = json.loads(fast.stdout), json.loads(slow.stdout)["statistics"]
    assert (one["orders"], one["fills"]) == (other["orders"], other["fills"])
    assert Run.open(run).digests() == one["digests"]
    assert (Run.open(run).orders["front"] > 0).any(), "nobody was ever ahead of us"
    assert page.read_text().startswith("<!doctype html>")
    again = here(*words(tmp_path, market), "--json", "--run", run)
    refused(again, 2, "ConfigError", str(run))


def test_columns_are_not_made_of_a_log(tmp_path: Path, market: Path) -> None:
    """What is played turn by turn leaves a log: asking for columns as well is refused."""
    ran = here(*words(tmp_path, market), "--plain", "--run", tmp_path / "run")
    refused(ran, 2, "ConfigError", "--run", "--plain")


def test_what_the_pass_cannot_play_is_played_plainly(tmp_path: Path, market: Path) -> None:
    """It says why, and plays it."""
    config = written(tmp_path, "second_max = 200", "second_max = 2000")
    ran = here("replay", "backtest", market, "--strategy", config)
    assert ran.returncode == 0, ran.stderr
    assert "a limit allows more than 1024 messages a second" in ran.stderr
    assert "orders" in ran.stdout


def test_two_runs_stand_side_by_side(tmp_path: Path, market: Path) -> None:
    """Every figure of both, in text, in JSON and on a page."""
    run, page = tmp_path / "run", tmp_path / "both.html"
    assert here(*words(tmp_path, market), "--run", run).returncode == 0
    ran = here("replay", "compare", run, run, "--report", page)
    assert ran.returncode == 0, ran.stderr
    assert "turnover" in ran.stdout
    assert page.read_text().startswith("<!doctype html>")
    told = json.loads(here("replay", "compare", run, run, "--json").stdout)
    assert {"section", "label", "a", "b"} <= set(told[0])
    refused(here("replay", "compare", run, tmp_path / "none"), 3, "SessionError", "none")
