"""A strategy of one's own: the example of docs/config.md, and what may be wrong with one."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mm.apps import config as configs
from mm.errors import ConfigError
from tests.apps.processes import here, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "config.md").read_text("utf-8")
CHAPTER = PAGE.split("\n## A strategy of your own\n")[1].split("\n## ")[0]
SOURCE, CONFIG = (
    re.findall(rf"```{kind}\n(.*?)```", CHAPTER, re.DOTALL)[0] for kind in ("python", "toml")
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example in a directory; afterwards Python has forgotten it."""
    known, path = set(sys.modules), list(sys.path)
    (tmp_path / "joiner.py").write_text(SOURCE)
    (tmp_path / "joiner.toml").write_text(CONFIG)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # A file may change within a second.
    yield tmp_path
    forget(known)
    sys.path[:] = path


def forget(known: set[str]) -> None:
    """As a new process would: what was imported since is not."""
    for name in set(sys.modules) - known:
        if name in ("joiner", "broken"):
            del sys.modules[name]


def record(place: Path, seconds: int) -> None:
    """The market that the example trades."""
    out = place / "data" / "market"
    assert here("record", "--feed", "synthetic", "--seconds", seconds, "--out", out).returncode == 0


def test_the_example_trades_alike_everywhere(place: Path) -> None:
    """Compiled pass and plain engine give the same; a sweep plays it, its parameters the axes."""
    record(place, 3)
    config, data = place / "joiner.toml", ("--data", place / "data")
    words = ("replay", "backtest", "market", "--strategy", config, "--json", *data)
    played = json.loads(here(*words).stdout)
    ran = here(*words, "--plain")
    assert ran.returncode == 0, ran.stderr
    plain = json.loads(ran.stdout)
    (standing,) = plain["statistics"]["standings"]
    assert played["fills"] == standing["fills"] > 0
    assert played["orders"] == plain["statistics"]["orders"]
    grid = ("--grid", "strategies.mine.parameters.size=10,50")
    out = ("--workers", 1, "--out", place / "sweep.duckdb", "--json")
    ran = here("replay", "sweep", config, "market", *grid, *out, *data)
    assert ran.returncode == 0, ran.stderr


def test_a_session_is_verified_with_its_source_only(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fingerprint is recorded: without the source, or with another one, nothing is judged."""
    record(place, 2)
    data = ("--data", place / "data")
    assert here("live", place / "joiner.toml", "--paper", *data).returncode == 0
    monkeypatch.chdir(place)
    assert "verified" in here("replay", "verify", "joiner", *data).stdout
    assert here("replay", "whatif", "joiner", "--json", *data).returncode == 0
    (place / "joiner.py").write_text(SOURCE + "\n# Another one.\n")
    del sys.modules["joiner"]
    refused(here("replay", "verify", "joiner", *data), 3, "joiner:Joiner is not what it was")
    (place / "joiner.py").unlink()
    del sys.modules["joiner"]
    refused(here("replay", "verify", "joiner", *data), 2, "no module joiner", "joiner:Joiner")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("joiner:Joiner", "nowhere:Joiner", "there is no module nowhere"),
        ("joiner:Joiner", "joiner:Joinr", "has no class Joinr; meant Joiner?"),
        ("joiner:Joiner", "joiner", "'joiner' names no class"),
        ("joiner:Joiner", "joiner:Level", "it has no wakes"),
        ("joiner:Joiner", "mm.errors:MmError", "no msgspec.Struct with frozen=True"),
        ("joiner:Joiner", "broken:Broken", "cannot be imported: ZeroDivisionError"),
        ("joiner:Joiner", "joiner:Raises", "raises before it is ever asked: KeyError"),
        ("size = 50", "sizes = 50", "has no parameter 'sizes'"),
        ("size = 50", 'size = "many"', "does not take these parameters"),
        ("most = 500", "", "does not take these parameters"),
        ("most = 500", "most = [1]", "parameters"),
    ],
)
def test_what_is_no_strategy_is_refused(place: Path, old: str, new: str, words: str) -> None:
    """Before anything is created, naming the class and the key."""
    (place / "broken.py").write_text("1 / 0\n")
    raises = "\n\nclass Raises(Joiner, frozen=True):\n    def __post_init__(self):\n        {}[1]\n"
    (place / "joiner.py").write_text(SOURCE + raises)
    (place / "joiner.toml").write_text(CONFIG.replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(words)) as caught:
        configs.load(place / "joiner.toml", {}, {})
    assert "strategies.mine" in caught.value.where


def test_what_it_returns_is_looked_at(place: Path) -> None:
    """A strategy that wants something else ends the run, named with the row."""
    record(place, 1)
    wrong = SOURCE.replace(
        "return Wanted(bids=bids, asks=asks,", "return dict(bids=bids, asks=asks,"
    )
    assert wrong != SOURCE
    (place / "joiner.py").write_text(wrong)
    ran = here("replay", "backtest", place / "data" / "market", "--strategy", place / "joiner.toml")
    refused(ran, 6, "strategy mine wants dict, not Wanted", "row")
