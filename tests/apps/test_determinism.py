"""The same input gives the same log, to the byte: whatever the machine, its speed or its hash seed.

A backtest is a function of recording, config and code. A session at full speed is one of its feed:
how fast the log acknowledges, how the feed is cut into blocks and how much is buffered change
nothing. Other Pythons are tried where MM_PYTHONS names interpreters that have mm's dependencies.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from mm.apps.inbox import Inbox
from mm.gateways.recorded import SyntheticFeed
from mm.log.archive import Archive, ArchiveWriter
from mm.sim.synthetic import SyntheticSettings
from tests.apps.fire import CONFIG, Fire
from tests.apps.processes import ROOT, command, environment, here, mm
from tests.apps.stage import START, Stage

if TYPE_CHECKING:
    from mm.log.chain import Sealed

PYTHONS: Final = [each for each in os.environ.get("MM_PYTHONS", "").split(os.pathsep) if each]


class Desk:
    """A recording and a strategy, side by side in one directory."""

    def __init__(self, root: Path) -> None:
        """Record a synthetic market, and write down who makes it."""
        self.root = root
        self.strategy = root / "fire.toml"
        self.strategy.write_text(CONFIG)
        arguments = ("record", "--feed", "synthetic", "--seconds", 12, "--seed", 3)
        assert here(*arguments, "--out", root / "market").returncode == 0

    def backtest(self, *options: Any, recording: str = "market") -> tuple[Any, ...]:
        """The command line of a backtest; the recording is named as it was the first time."""
        data = ("--data", self.root)
        words = ("replay", "backtest", "--plain", "--strategy", self.strategy)
        return (*words, recording, *data, *options)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One recording for all."""
    return Desk(tmp_path_factory.mktemp("desk"))


def figures(output: str) -> tuple[str, str, int]:
    """Head, digest and number of events of a backtest."""
    told = msgspec.json.decode(output)
    assert told["statistics"]["fills"] > 0, "nothing was traded"
    return told["head"], told["digest"], told["events"]


@pytest.fixture(scope="module")
def expected(desk: Desk) -> tuple[str, str, int]:
    """What the first run gave."""
    return figures(here(*desk.backtest("--json")).stdout)


def test_twice_is_the_same(desk: Desk, expected: Any, tmp_path: Path) -> None:
    """A second run has the same log, written out or not; and that log verifies."""
    assert figures(here(*desk.backtest("--out", tmp_path / "a", "--json")).stdout) == expected
    ran = here("replay", "verify", tmp_path / "a")
    assert ran.returncode == 0, ran.stderr
    assert expected[0] in ran.stdout


@pytest.mark.parametrize("seed", ["0", "12345"])
def test_the_hash_seed_has_no_part(seed: str, desk: Desk, expected: Any) -> None:
    """Processes with other orders of sets and dictionaries of strings give the same."""
    assert figures(mm(*desk.backtest("--json"), PYTHONHASHSEED=seed).stdout) == expected


@pytest.mark.parametrize("span", [50, 1_000])
def test_blocks_have_no_part(span: int, desk: Desk, expected: Any, tmp_path: Path) -> None:
    """The same recording in many small Parquet spans, or in few, is the same recording."""
    again = Desk.__new__(Desk)
    again.root, again.strategy = tmp_path, desk.strategy
    with ArchiveWriter(
        tmp_path / "market", name="market", kind="recording", span_events_max=span
    ) as writer:
        for sealed in Archive(desk.root / "market").turns():
            writer.append(sealed)
    spans = len(Archive(tmp_path / "market").manifest.spans)
    assert spans != len(Archive(desk.root / "market").manifest.spans)
    assert figures(here(*again.backtest("--json")).stdout) == expected


@pytest.mark.storm
@pytest.mark.parametrize("python", PYTHONS or [pytest.param("", marks=pytest.mark.skip(
    reason="MM_PYTHONS names no interpreters with mm's dependencies"
))])  # fmt: skip
def test_the_python_has_no_part(python: str, desk: Desk, expected: Any) -> None:
    """Another version of Python gives the same, to the byte."""
    ran = subprocess.run(
        command(*desk.backtest("--json"), python=python),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment({}),
    )
    assert ran.returncode == 0, ran.stderr
    assert figures(ran.stdout) == expected


class Uneven:
    """A stage whose log answers and whose feed delivers when they like, in an inbox of any size."""

    def __init__(self, seed: int, facts_max: int, pace: int) -> None:
        """Choose the whims, the size of the inbox and the messages a second of log time."""
        self._random = Random(seed)
        self._pace = pace
        self._stage = Stage(messages=0)
        self._stage.inbox = self._stage.runner.inbox = Inbox(facts_max)
        self._store = self._stage.log.append

    async def play(self) -> list[Sealed]:
        """Run it: the feed in a task of its own, as in a session."""
        hooked: Any = self._stage.log
        hooked.append = self._slow
        await self._stage.open()
        feeding = asyncio.create_task(self._feed())
        await self._stage.runner.run()
        await feeding
        return self._stage.turns

    async def _slow(self, sealed: Sealed) -> None:
        for _ in range(self._random.choice([0, 0, 1, 5, 40])):
            await asyncio.sleep(0)
        await self._store(sealed)

    async def _feed(self) -> None:
        settings = SyntheticSettings(messages_per_second=self._pace)
        feed = SyntheticFeed(settings, 7, START).messages(START)
        for _ in range(1_500):
            for _ in range(self._random.choice([0, 0, 0, 1, 3])):
                await asyncio.sleep(0)
            await self._stage.inbox.put(*next(feed))
        self._stage.inbox.end()


@pytest.mark.parametrize("pace", [300, 50_000])
async def test_the_speed_of_feed_and_log_has_no_part(pace: int) -> None:
    """Every inbox that holds a turn, and every whim of feed and log, gives the same turns."""
    whims = [(1, 20_000), (2, 400), (3, 210), (4, 210)]
    runs = [await Uneven(seed, size, pace).play() for seed, size in whims]
    ids = [[sealed.id for sealed in run] for run in runs]
    assert len(ids[0]) > 15
    assert ids[1:] == ids[:1] * 3


def test_a_session_at_full_speed_is_a_function_of_its_feed(desk: Desk, tmp_path: Path) -> None:
    """Two desks that play one recording as fast as they can end in the same state."""
    ends = []
    for number in range(2):
        fire = Fire(tmp_path / str(number))
        recording = f'kind = "recording"\npath = "{desk.root / "short"}"\nspeed = "max"'
        fire.config.write_text(CONFIG.replace('kind = "synthetic"', recording))
        if number == 0:
            arguments = ("record", "--feed", "synthetic", "--seconds", 2, "--seed", 3)
            assert here(*arguments, "--out", desk.root / "short").returncode == 0
        ran = here(*fire.live("--seconds", 0, "--json"))
        assert ran.returncode == 0, ran.stderr
        ended = msgspec.json.decode(ran.stdout)["ended"]
        ends.append([ended[name] for name in ("turns", "events", "digest", "reason")])
    assert ends[0] == ends[1]
