"""The parts of a sweep: what is asked for, how it is scored, and how it is kept."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import pytest

from mm.analytics.deflated import best_of_useless
from mm.analytics.ratios import sharpe
from mm.apps.sweep_ranking import Candidate, luck, ranked, walked
from mm.apps.sweep_results import Place, Results
from mm.apps.sweep_search import worded
from mm.apps.sweep_space import axes_of, product, spaces_of, toml_lines, valued
from mm.apps.sweep_trial import DONE, FAILED, Figures, Outcome
from mm.apps.sweep_window import Window
from mm.errors import ConfigError, StoreLocked
from mm.events.units import SECONDS, Nanos

if TYPE_CHECKING:
    from pathlib import Path

STEP: Final = Nanos(60 * SECONDS)
ZERO: Final = Decimal(0)


def figures(*changes: float) -> Figures:
    """A run whose equity changed like that."""
    return Figures(
        currency="USDT",
        profit=sum((Decimal(str(each)) for each in changes), ZERO),
        realised=ZERO,
        unrealised=ZERO,
        fees=Decimal("0.1"),
        funding=ZERO,
        turnover=ZERO,
        orders=1,
        fills=1,
        sharpe=None,
        sharpe_error=None,
        sortino=None,
        drawdown=1.5,
        step=STEP,
        changes=changes,
    )


def candidate(number: int, *windows: tuple[float, ...] | None) -> Candidate:
    """A candidate by its changes in each window; None failed."""
    found = {
        place: None if each is None else Outcome(key="", status=DONE, figures=figures(*each))
        for place, each in enumerate(windows)
    }
    return Candidate(number=number, parameters={"a": str(number)}, found=found)


def window(number: int, first: int, last: int) -> Window:
    """A window of some recording."""
    given: Any = {"number": number, "first": first, "last": last, "start": 0, "stop": 0}
    return Window(recording="r", rows="r.arrow", digest="d", **given)


def test_a_grid_is_every_combination_in_order() -> None:
    """The last axis changes first, repeated values count once, and text stays as it was."""
    points = list(product(axes_of(["a.b=0.40, 0.6,0.40", 'c."d:e"=x,true'])))
    assert points == [
        {"a.b": one, "c.d:e": two} for one in ("0.40", "0.6") for two in ("x", "true")
    ]
    assert [valued(each) for each in ("1e-3", "true", "250ms", "-2")] == [0.001, True, "250ms", -2]


@pytest.mark.parametrize("text", ["", "a", "a=", "=1", "a=1,,2"])
def test_half_a_grid_is_refused(text: str) -> None:
    """A key without values, or values without a key, is no axis; nor is the same key twice."""
    with pytest.raises(ConfigError):
        axes_of([text])
    with pytest.raises(ConfigError, match="twice"):
        axes_of(["a=1", "a=2"])


@pytest.mark.parametrize(
    "text", ["a=1", "a=1:x", "a=2:1", "a=0:1:log", "a=1:2:0.1:log", "a=1:2:3:4"]
)
def test_half_a_space_is_refused(text: str) -> None:
    """Bounds in order, at most one step, and no logarithm of nothing."""
    with pytest.raises(ConfigError, match="--space"):
        spaces_of([text])


def test_a_grid_too_large_was_not_meant() -> None:
    """A million points are refused before the first is made."""
    values = ",".join(map(str, range(1_000)))
    with pytest.raises(ConfigError, match="1,000,000"):
        list(product(axes_of([f"a={values}", f"b={values}"])))


def test_values_of_a_space_stay_on_its_grid() -> None:
    """Exact multiples of a step, six digits without one, and never past a bound."""
    stepped, free = spaces_of(["a=0.1:0.7:0.2", "b=0.1:0.12345678:log"])
    assert [worded(stepped, each) for each in (0.1, 0.30000000000000004, 0.7)] == [
        "0.1",
        "0.3",
        "0.7",
    ]
    assert worded(free, 0.12345678) == "0.12345678"
    assert worded(free, 0.111111111) == "0.111111"


def test_the_best_parameters_are_toml() -> None:
    """They read back as what was tried, whatever the names."""
    lines = toml_lines(
        {"strategies.maker.a": "1e-7", "limits.x:Y.size": "2", "seed": "3", "m.n": 'q"'}
    )
    read = tomllib.loads("\n".join(lines))
    expected = {"seed": 3, "m": {"n": 'q"'}, "limits": {"x:Y": {"size": 2}}}
    assert read == {**expected, "strategies": {"maker": {"a": 1e-7}}}


def test_a_score_is_that_of_all_windows_together() -> None:
    """One ratio of all changes, summed money, deepest drawdown; who failed anywhere has none."""
    best = candidate(1, (1.0, 2.0), (1.5, 0.5))
    found = ranked(
        [candidate(0, (1.0, -1.0), (0.5, 0.0)), best, candidate(2, (9.0,), None)], "sharpe"
    )
    assert [each.number for each in found] == [1, 0]
    once = sharpe(np.array([1.0, 2.0, 1.5, 0.5]), 1.0)
    assert found[0].score == pytest.approx(once * (365 * 1440) ** 0.5)
    assert (found[0].profit, found[0].fees, found[0].drawdown) == (Decimal(5), Decimal("0.2"), 1.5)


def test_equal_scores_keep_their_order() -> None:
    """The first that was named comes first."""
    found = ranked([candidate(number, (1.0, 2.0)) for number in range(3)], "profit")
    assert [each.number for each in found] == [0, 1, 2]


def test_luck_counts_everyone_who_was_played() -> None:
    """Those that never traded count with a ratio of 0, those that failed do not."""
    tried = [candidate(0, (1.0, 2.0, 1.2)), candidate(1, (0.0, 0.0, 0.0)), candidate(2, None)]
    found = luck(tried, 0)
    ratio = sharpe(np.array([1.0, 2.0, 1.2]), 1.0)
    assert found.tried == 2
    assert found.ratio == pytest.approx(ratio)
    assert found.expected == pytest.approx(best_of_useless(2, ratio**2 / 2))
    assert found.probability is not None
    assert 0 < found.probability < 1


def test_walking_forward_looks_at_the_past_alone() -> None:
    """The best so far is chosen, and what comes of it later is told and summed."""
    windows = [window(0, 0, 9), window(1, 10, 19), window(2, 20, 29)]
    early = candidate(0, (5.0,), (-3.0,), (-9.0,))
    late = candidate(1, (1.0,), (4.0,), (2.0,))
    found = walked([early, late], windows, "profit")
    assert [each.number for each in found.windows] == [0, 1]
    assert [each.score_before for each in found.windows] == [5.0, 5.0]
    assert [each.score for each in found.windows] == [-3.0, 2.0]
    assert found.profit == Decimal(-1)


def test_windows_at_one_time_do_not_know_each_other() -> None:
    """Of two recordings of the same hours neither is the other's past."""
    windows = [window(0, 0, 9), window(1, 5, 14), window(2, 10, 19)]
    found = walked([candidate(0, (1.0,), (2.0,), (4.0,))], windows, "profit")
    assert [(each.window, each.score_before) for each in found.windows] == [(2, 1.0)]


def placed(number: int, **parameters: str) -> Place:
    """Where a result belongs."""
    return Place(
        number=number,
        window=window(0, 0, 9),
        windows=1,
        parameters=parameters,
        config_hash="c",
        code="now",
    )


def test_results_read_back_as_they_were(tmp_path: Path) -> None:
    """Figures exactly; a failure is no result, and other code's are not ours."""
    good = Outcome(key="k", status=DONE, digest="d", figures=figures(0.1, 0.2), seconds=1.5)
    with Results(tmp_path / "r.duckdb") as results:
        results.put(placed(0, a="1"), good)
        results.put(placed(1, a="2"), Outcome(key="f", status=FAILED, error="no"))
    with Results(tmp_path / "r.duckdb") as results:
        assert results.known("now") == {"k": good}
        assert results.known("then") == {}


def test_a_parameter_has_a_column_of_its_type(tmp_path: Path) -> None:
    """Numbers are numbers; a column that has to hold text as well becomes text."""
    file = tmp_path / "r.duckdb"
    done = [Outcome(key=str(number), status=DONE) for number in range(3)]
    with Results(file) as results:
        results.put(placed(0, n="0.5", on="true", mixed="1"), done[0])
        results.put(placed(1, n="2", on="false", mixed="auto"), done[1])
        results.put(placed(2, n="3", other="x"), done[2])
        results.put(placed(2, n="4", other="y"), done[2])
    with duckdb.connect(str(file)) as database:
        found = database.execute(
            'SELECT n, "on", mixed, other FROM trials ORDER BY number'
        ).fetchall()
    assert found == [(0.5, True, "1.0", None), (2.0, False, "auto", None), (4.0, None, None, "y")]


def test_one_sweep_writes_a_file(tmp_path: Path) -> None:
    """Another process is told who has it."""
    file = tmp_path / "r.duckdb"
    hold = (
        "import duckdb, sys; database = duckdb.connect(sys.argv[1]); "
        "print('up', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"up\n"
        with pytest.raises(StoreLocked, match="another process"):
            Results(file)
        other.stdin.close()


def test_a_worker_loads_no_client_of_the_log_server() -> None:
    """That would be a third of what it loads, and it plays from files."""
    asked = "import sys, mm.apps.sweep_worker; print('nats' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True, text=True)
    assert said.stdout == "False\n"
