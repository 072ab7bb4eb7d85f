"""Options that are refused before anything happens, and where a name is looked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mm.apps.cli import replay
from mm.apps.cli.live import duration_of
from mm.engine.settings import Duration
from mm.log.archive import Archive
from tests.apps.processes import here, refused
from tests.apps.test_bad_input import written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A recording of one second in a data directory of its own."""
    out = tmp_path / "elsewhere" / "market"
    out.parent.mkdir()
    assert here("record", "--feed", "synthetic", "--seconds", 1, "--out", out).returncode == 0
    return out


@pytest.mark.parametrize("command", ["live", "demo", "record"])
@pytest.mark.parametrize("seconds", ["-5", "nan", "inf"])
def test_time_does_not_run_back(tmp_path: Path, command: str, seconds: str) -> None:
    """A session of less than nothing, or of no length, is refused before anything is touched."""
    words: dict[str, tuple[Any, ...]] = {
        "live": ("live", written(tmp_path), "--paper", "--data", tmp_path / "data"),
        "demo": ("demo", "--data", tmp_path / "data"),
        "record": ("record", "--feed", "synthetic", "--out", tmp_path / "data"),
    }
    refused(here(*words[command], "--seconds", seconds), 2, "ConfigError", "--seconds", seconds)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("seconds", [0, 0.25, 1_000_000, 12_345_678.5])
def test_seconds_are_taken_as_they_are(seconds: float) -> None:
    """Neither a million nor a fraction is written in a way that no duration has."""
    assert Duration(duration_of(seconds)).nanos == round(seconds * 10**9)


def test_a_backtest_refuses_before_it_runs(
    tmp_path: Path, market: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies at --out is kept, and nobody waits for a run that cannot be written."""
    words = ("replay", "backtest", market, "--strategy", written(tmp_path))
    assert here(*words, "--out", tmp_path / "run").returncode == 0
    head = Archive(tmp_path / "run").head

    def never(*_: object) -> None:
        raise AssertionError("it ran")

    monkeypatch.setattr(replay, "backtested", never)
    (tmp_path / "file").write_text("mine")
    for there in (tmp_path / "run", market, tmp_path / "file", market.parent):
        refused(here(*words, "--out", there), 2, "ConfigError", str(there), "--out")
    assert Archive(tmp_path / "run").head == head
    assert (tmp_path / "file").read_text() == "mine"


def test_a_backtest_leaves_the_feed_to_its_recording(tmp_path: Path, market: Path) -> None:
    """Variables of the feed are for sessions: the recording replaces it as a whole."""
    words = ("replay", "backtest", market, "--strategy", written(tmp_path))
    given = {"MM_FEED__SPEED": "3", "MM_FEED__MARKET__TICK_SIZE": "7"}
    ran = here(*words, **given)
    assert ran.returncode == 0, ran.stderr


def played(tmp_path: Path, speed: str) -> tuple[Any, str]:
    """The report of a second of the market at some speed: as JSON, and as text."""
    config = written(tmp_path, 'desk = "bad"', f'desk = "at-{speed}"')
    words = ("live", config, "--paper", "--data", tmp_path / "data", "--speed", speed)
    told = here(*words, "--seconds", 0.5)
    ran = here(*words, "--seconds", 0.5, "--json")
    assert (told.returncode, ran.returncode) == (0, 0), told.stderr + ran.stderr
    return json.loads(ran.stdout), told.stderr


def test_waiting_is_no_latency(tmp_path: Path) -> None:
    """At full speed a message waits for its turn: that is null, and said to be left out."""
    document, text = played(tmp_path, "max")
    assert document["tick_to_durable_ms_p50"] is document["tick_to_durable_ms_p99"] is None
    assert document["append_ms_p50"] > 0
    assert "tick to durable p50" not in text
    assert "tick to durable is not told at --speed max" in text
    document, text = played(tmp_path, "1")
    assert document["tick_to_durable_ms_p99"] >= document["tick_to_durable_ms_p50"] > 0
    assert "tick to durable p50" in text


def test_live_finds_a_recording_in_its_data(tmp_path: Path, market: Path) -> None:
    """`--data` is where `feed.path` is looked for, as a replay does."""
    feed = 'kind = "recording"\npath = "market"'
    config = written(tmp_path, 'kind = "synthetic"', feed)
    config.write_text(config.read_text().replace('speed = "1"', 'speed = "max"'))
    ran = here("live", config, "--paper", "--data", market.parent, "--seconds", 0)
    assert ran.returncode == 0, ran.stderr
    assert "the feed has ended" in ran.stderr
    refused(here("live", config, "--paper", "--data", tmp_path / "bare"), 3, "bare")
