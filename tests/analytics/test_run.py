"""A run on disk: whole or absent, readable by others, and refused when it was changed."""

from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from mm.analytics.run import NOTE, TABLES, Run
from mm.errors import ConfigError, DecodeError, MmError, NewerVersion, SessionError
from tests.analytics.runs import bought, order, payment, point, run, sold


def some() -> Run:
    """A run with something in every table."""
    return run(
        [bought(1, 100, 3, mid2=205), sold(2, 101, 3, taker=1)],
        [point(0, 100), point(10, 101.5)],
        [order(0, 1, 3, 3, front=1.5), order(1, 0, 3, 0)],
        payments=(payment(5, "-0.1"),),
        settings={"refresh": "1 s"},
    )


def test_what_is_saved_is_opened(tmp_path: Path) -> None:
    """Every row, setting and payment comes back as it was."""
    some_run = some()
    some_run.save(tmp_path / "run", {"fills": 2})
    opened = Run.open(tmp_path / "run")
    assert opened.info == some_run.info
    for name in TABLES:
        assert np.array_equal(getattr(opened, name), getattr(some_run, name))
    figures = msgspec.json.decode((tmp_path / "run" / NOTE).read_bytes())["figures"]
    assert figures == {"fills": 2}


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of the clock or the place is in a run."""
    one = some()
    for place in ("a", "b"):
        one.save(tmp_path / place)
    for file in (NOTE, *(f"{name}.parquet" for name in TABLES)):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_others_can_read_it(tmp_path: Path) -> None:
    """DuckDB reads the tables without us."""
    some().save(tmp_path / "run")
    question = "SELECT sum(price * size), count(*) FROM read_parquet(?) WHERE mid2 >= 0"
    fills = str(tmp_path / "run" / "fills.parquet")
    found = duckdb.connect().execute(question, [fills]).fetchone()
    assert found == (603, 2)


def test_an_empty_run_is_one(tmp_path: Path) -> None:
    """A desk that never traded leaves a run as well."""
    run([]).save(tmp_path / "run")
    assert list(Run.open(tmp_path / "run").traded()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """What is there stays; an empty directory may be filled."""
    (tmp_path / "run").mkdir()
    some().save(tmp_path / "run")
    with pytest.raises(ConfigError, match="something is there"):
        run([]).save(tmp_path / "run")
    assert len(Run.open(tmp_path / "run").fills) == 2


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Figures that cannot be written stop the whole run, and no part of it stays."""
    with pytest.raises(TypeError):
        some().save(tmp_path / "run", {"figures": object()})
    assert list(tmp_path.iterdir()) == []


def _swap(path: Path) -> None:
    pq.write_table(pq.read_table(path / "fills.parquet").slice(1), path / "fills.parquet")


def _cut(path: Path) -> None:
    (path / "points.parquet").write_bytes(b"PAR1")


def _without(path: Path) -> None:
    (path / "orders.parquet").unlink()


def _column(path: Path) -> None:
    pq.write_table(pq.read_table(path / "fills.parquet").drop(["price"]), path / "fills.parquet")


def _text(path: Path) -> None:
    (path / NOTE).write_text("{")


def _field(path: Path) -> None:
    (path / NOTE).write_text('{"version": 1, "info": {}, "digests": {}}')


def _newer(path: Path) -> None:
    (path / NOTE).write_text('{"version": 2}')


def _gone(path: Path) -> None:
    (path / NOTE).unlink()


@pytest.mark.parametrize(
    ("damage", "error", "what"),
    [
        (_swap, DecodeError, "its rows are not those"),
        (_cut, DecodeError, "cannot be read"),
        (_without, DecodeError, "cannot be read"),
        (_column, DecodeError, "cannot be read"),
        (_text, DecodeError, "truncated"),
        (_field, DecodeError, "name"),
        (_newer, NewerVersion, "form 2"),
        (_gone, SessionError, "no backtest's result"),
    ],
)
def test_damage_is_refused(tmp_path: Path, damage: object, error: type[MmError], what: str) -> None:
    """A changed, missing or foreign file is named with what to do."""
    some().save(tmp_path / "run")
    assert callable(damage)
    damage(tmp_path / "run")
    with pytest.raises(error, match=what) as caught:
        Run.open(tmp_path / "run")
    assert caught.value.where.startswith(str(tmp_path / "run"))
    assert caught.value.remedy
