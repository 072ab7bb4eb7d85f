"""`mm replay sweep` from end to end: the same results however it was run, and however it ended."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from mm.apps import sweep_pool
from tests.apps.fire import CONFIG
from tests.apps.processes import RUN, Ran, here, refused, started

OFTEN: Final = "limits.synthetic:BTC-USDT.messages_per_second_max"
SPREAD: Final = "strategies.maker.half_spread_bps"
SKEW: Final = "strategies.maker.skew_bps"
GRID: Final = ("--grid", f"{SPREAD}=0.3,0.5", "--grid", f"{SKEW}=0,1.5", "--step", 1)
SECONDS: Final = 20
PATIENCE: Final = 60.0


class Desk:
    """A recording, a config, and sweeps of the two."""

    def __init__(self, root: Path) -> None:
        """Record a synthetic market."""
        self.root = root
        self.config = root / "maker.toml"
        quick = CONFIG.replace(
            "[strategies.maker]", '[paper]\nlatency = "fast"\n\n[strategies.maker]'
        )
        self.config.write_text(quick)
        words = ("record", "--feed", "synthetic", "--seconds", SECONDS, "--seed", 3)
        assert here(*words, "--out", root / "market").returncode == 0

    def words(self, out: Path, *options: Any) -> tuple[Any, ...]:
        """The command line of a sweep; the recording is named as it was the first time."""
        fixed = ("--data", self.root, "--out", out, "--workers", 1)
        return ("replay", "sweep", self.config, "market", *fixed, *options)

    def sweep(self, out: Path, *options: Any) -> Ran:
        """Sweep within this process; its workers are processes of their own."""
        return here(*self.words(out, *options))

    def told(self, out: Path, *options: Any) -> dict[str, Any]:
        """The same, as the JSON it printed."""
        ran = self.sweep(out, *options, "--json")
        assert ran.returncode == 0, ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One recording for all."""
    return Desk(tmp_path_factory.mktemp("desk"))


def table(out: Path, what: str = "* EXCLUDE (seconds)") -> list[tuple[Any, ...]]:
    """The trials that are written down, in their order."""
    with duckdb.connect(str(out / "sweep.duckdb"), read_only=True) as database:
        asked = f'SELECT {what} FROM trials ORDER BY number, recording, "window"'  # noqa: S608
        return database.execute(asked).fetchall()


def test_one_and_two_workers_find_the_same(tmp_path: Path, desk: Desk) -> None:
    """Every column but the seconds is equal, in one order, and the figures are of real runs."""
    one = desk.told(tmp_path / "one", *GRID)
    two = desk.told(tmp_path / "two", *GRID, "--workers", 2)
    rows = table(tmp_path / "one")
    assert rows == table(tmp_path / "two")
    assert len(rows) == one["trials"] == one["played"] == two["played"] == 4
    assert one["best"] == two["best"]
    assert one["luck"] == two["luck"]
    columns = f'"{SPREAD}", "{SKEW}", status, orders > 0, fills > 0'
    found = table(tmp_path / "one", columns)
    pairs = [(spread, skew) for spread in (0.3, 0.5) for skew in (0.0, 1.5)]
    assert found == [(*pair, "done", True, True) for pair in pairs]
    assert len({row[0] for row in table(tmp_path / "one", "digest")}) == 4


def test_a_trial_is_the_backtest_of_its_parameters(tmp_path: Path, desk: Desk) -> None:
    """Orders, fills and profit are those that `mm replay backtest` finds."""
    desk.told(tmp_path / "out", "--grid", f"{SPREAD}=0.5")
    given = {"MM_STRATEGIES__MAKER__HALF_SPREAD_BPS": "0.5"}
    words = ("market", "--strategy", desk.config, "--data", desk.root, "--json")
    document = json.loads(here("replay", "backtest", *words, **given).stdout)
    profit = next(iter(_found(document, "total")))
    ((ours, orders),) = table(tmp_path / "out", "profit, orders")
    assert float(profit) == pytest.approx(float(ours), abs=1e-9)
    assert orders in set(_found(document, "orders"))


def test_the_same_command_goes_on(tmp_path: Path, desk: Desk) -> None:
    """What is there is not played again, and a larger grid plays what is missing."""
    first = desk.told(tmp_path, "--grid", f"{SPREAD}=0.3,0.5")
    again = desk.told(tmp_path, "--grid", f"{SPREAD}=0.3,0.5")
    more = desk.told(tmp_path, "--grid", f"{SPREAD}=0.5,0.3,0.7")
    assert (first["played"], first["reused"]) == (2, 0)
    assert (again["played"], again["reused"]) == (0, 2)
    assert (more["played"], more["reused"]) == (1, 2)
    assert first["best"] == again["best"]
    assert table(tmp_path, f'number, "{SPREAD}"') == [(0, 0.5), (1, 0.3), (2, 0.7)]


def test_a_failing_trial_is_told_and_the_rest_is_done(tmp_path: Path, desk: Desk) -> None:
    """Exit code 1, the parameters and why; the others are in the table."""
    ran = desk.sweep(tmp_path, "--grid", f"{SPREAD}=0.3,-1,0.5")
    refused(ran, 1, "TrialsFailed", "1 of 3 trials failed")
    assert "failed: half_spread_bps -1: ConfigError" in ran.stdout
    assert table(tmp_path, "status") == [("done",), ("failed",), ("done",)]
    ((error,),) = table(tmp_path, "error")[1:2]
    assert "half_spread_bps" in error


def test_what_only_a_run_shows_is_told_as_well(tmp_path: Path, desk: Desk) -> None:
    """An error of ours in a worker is the trial's, in its own words, and the worker goes on."""
    ran = desk.sweep(tmp_path, *GRID, "--currency", "EUR")
    refused(ran, 1, "TrialsFailed", "4 of 4 trials failed")
    errors = [error for (error,) in table(tmp_path, "error")]
    assert all(each.startswith("ConfigError: the run made money in USDT, not") for each in errors)


def test_a_worker_that_dies_costs_its_trial(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A raise of no kind of ours ends the process: its last line is the error, and others go on."""
    code = (
        "from mm.apps import sweep_worker as w\nfrom mm.apps.sweep_trial import Player\n"
        "whole = Player.play\n"
        "def play(self, trial):\n"
        "    if '0.31' in trial.config: raise ZeroDivisionError('no idea')\n"
        "    return whole(self, trial)\n"
        "Player.play = play; w.main()"
    )
    monkeypatch.setattr(sweep_pool, "WORKER", (*sweep_pool.WORKER[:1], "-c", code))
    ran = desk.sweep(tmp_path, "--grid", f"{SPREAD}=0.31,0.5")
    assert ran.returncode == 1
    told = "the worker ended with exit code 1: ZeroDivisionError: no idea"
    assert table(tmp_path, "status, error") == [("failed", told), ("done", "")]


def test_ctrl_c_loses_nothing_finished(tmp_path: Path, desk: Desk) -> None:
    """Exit code 130, a table of what was done, no worker left, and the rest is played later."""
    spreads = ",".join(f"{0.3 + number / 100:.2f}" for number in range(40))
    grid = ("--grid", f"{SPREAD}={spreads}", "--step", 1)
    with started(*desk.words(tmp_path, *grid), code=f"import os; os.setsid(); {RUN}") as process:
        wait_for_results(tmp_path / "sweep.duckdb")
        os.killpg(process.pid, signal.SIGINT)  # As a terminal does: to all in the foreground.
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    assert "Interrupted: stopped by Ctrl-C" in said
    assert "the same command goes on" in said
    done = len(table(tmp_path))
    assert 0 < done < 40, "it was not stopped in its middle"
    assert f"{done} of 40 trials are written down" in said
    told = desk.told(tmp_path, *grid, "--workers", 2)
    assert (told["played"], told["reused"]) == (40 - done, done)
    assert table(tmp_path, "status") == [("done",)] * 40


def wait_for_results(file: Path) -> None:
    """Until the file has grown by results: its log is written before they are."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        log = file.with_name(f"{file.name}.wal")
        if log.exists() and log.stat().st_size > 12_000:
            return
        time.sleep(0.02)
    raise AssertionError("no result in time")


def test_walking_forward_judges_what_was_not_seen(tmp_path: Path, desk: Desk) -> None:
    """Three windows: each but the first has the best of those before it, and its own figures."""
    told = desk.told(tmp_path, *GRID, "--walk-forward", 3, "--objective", "profit")
    assert told["trials"] == told["played"] == 12
    rows = table(tmp_path, '"window", number, profit, first, last')
    profits = {(window, number): profit for window, number, profit, *_ in rows}
    for place, step in enumerate(told["walk_forward"]["windows"], 1):
        before = {
            number: sum(profits[window, number] for window in range(place)) for number in range(4)
        }
        best = max(before, key=lambda number: (before[number], -number))
        assert step["number"] == best
        assert step["score_before"] == pytest.approx(float(before[best]))
        assert step["score"] == pytest.approx(float(profits[place, best]))
    spans = sorted({(first, last) for *_, first, last in rows})
    assert [first - 1 for first, _ in spans[1:]] == [last for _, last in spans[:-1]]
    with duckdb.connect(str(tmp_path / "sweep.duckdb"), read_only=True) as database:
        assert database.execute("SELECT count(*) FROM walk_forward").fetchone() == (2,)


def test_a_search_is_the_same_on_two_workers_and_after_a_break(tmp_path: Path, desk: Desk) -> None:
    """What is tried follows from space, seed and results; the study lies beside them."""
    pytest.importorskip("optuna")
    space = ("--space", f"{SPREAD}=0.2:2:log", "--space", "strategies.maker.levels=1:3:1")
    one = desk.told(tmp_path / "one", "--optuna", 12, *space)
    desk.told(tmp_path / "two", "--optuna", 10, *space, "--workers", 2)
    two = desk.told(tmp_path / "two", "--optuna", 12, *space, "--workers", 2)
    assert table(tmp_path / "one") == table(tmp_path / "two")
    assert one["played"] >= 11
    assert two["reused"] >= 9
    assert one["best"] == two["best"]
    assert (tmp_path / "one" / "sweep.study.log").stat().st_size > 0


def test_what_is_printed_fits_a_terminal(tmp_path: Path, desk: Desk) -> None:
    """The best trials within 80 columns, the deflated ratio, and the best as TOML that is read."""
    ran = desk.sweep(tmp_path, *GRID, "--walk-forward", 2)
    assert ran.returncode == 0, ran.stderr
    lines = [line.rstrip() for line in ran.stdout.splitlines()]
    assert max(len(line) for line in lines if not line.startswith("results in")) <= 80
    assert "deflated Sharpe" in ran.stdout
    assert "luck of 4 tries" in ran.stdout
    assert "[strategies.maker]" in lines


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--grid"),
        (("--grid", "strategies.maker.half_spread_bp=1"), "half_spread_bps"),
        (("--grid", SPREAD), "KEY=VALUES"),
        (("--optuna", 5), "--space"),
        (("--optuna", 5, "--space", f"{SPREAD}=2:1"), "order"),
        (("--grid", f"{SPREAD}=1", "--objective", "luck"), "sharpe or profit"),
        (("--grid", f"{OFTEN}=2000"), "messages a second"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_sweep_that_cannot_be_is_refused(
    tmp_path: Path, desk: Desk, options: tuple[Any, ...], said: str
) -> None:
    """A wrong command line or key is exit code 2, told before anything is played."""
    refused(desk.sweep(tmp_path, *options), 2, "ConfigError", said)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path, desk: Desk) -> None:
    """Exit code 3, and its bytes are what they were."""
    file = tmp_path / "notes.duckdb"
    file.write_text("this is no database " * 400)
    refused(desk.sweep(file, *GRID), 3, "BadInput", "--out")
    assert file.read_text().startswith("this is no database")


def _found(document: Any, name: str) -> list[Any]:
    """Every value of that name, however deep."""
    inner = document.values() if isinstance(document, dict) else document
    own = [document[name]] if isinstance(document, dict) and name in document else []
    deeper = [each for each in inner if isinstance(each, dict | list)]
    return own + [value for each in deeper for value in _found(each, name)]


def test_no_worker_outlives_whoever_started_it(tmp_path: Path, desk: Desk) -> None:
    """A sweep that is killed leaves workers that end with the trial they were at."""
    with started(*desk.words(tmp_path, "--grid", f"{SPREAD}=0.3,0.4,0.5")) as process:
        workers: list[int] = []
        end = time.monotonic() + PATIENCE
        while not workers and time.monotonic() < end:
            workers = children(process.pid)
            time.sleep(0.02)
        process.kill()
        process.wait()
    assert workers
    while any(Path(f"/proc/{pid}/exe").exists() for pid in workers):
        assert time.monotonic() < end, "a worker is left"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """The processes that one has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(each) for each in listed.read_text().split()]
    except FileNotFoundError:
        pytest.skip("the system does not list children")
