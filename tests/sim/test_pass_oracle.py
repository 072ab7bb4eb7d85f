"""The compiled pass does what the plain engine does at the plain venue, order by order."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sim.passing import World, assert_same, compiled, left_by, plainly
from tests.sim.worlds import synthetic, twice, worlds

STORM: Final = 300
"""Seeds of synthetic markets in a storm."""


def compared(world: World) -> None:
    """Play it twice; queues are looked at where commands need time, so that none is half done."""
    watched = world.takes_time
    assert_same(plainly(world, watched=watched), compiled(world, watched=watched))


@twice
@given(worlds())
def test_any_world(world: World) -> None:
    """Whatever the market does: orders, fills, queues, books, refusals and turns are equal."""
    compared(world)


@twice
@given(worlds())
def test_any_world_asked(world: World) -> None:
    """The same with strategies that the pass asks as Python objects."""
    assert_same(plainly(world), compiled(world, python=True))


@pytest.mark.parametrize("seed", [0, 9, 18, 24])
def test_synthetic_markets(seed: int) -> None:
    """Some seconds of a market that moves as markets do."""
    compared(synthetic(seed, 600))


@pytest.mark.storm
@pytest.mark.parametrize("seed", range(100, 100 + STORM))
def test_many_synthetic_markets(seed: int) -> None:
    """The same with many seeds."""
    compared(synthetic(seed, 2_000))


def test_worlds_differ() -> None:
    """What is compared is not nothing: makers and takers fill, are canceled, moved, and refused."""
    told = plainly(synthetic(24, 600))
    assert min(len(told.orders), len(told.fills), told.cancels, told.amends, told.refusals) > 10


@twice
@given(world=worlds(), block=st.sampled_from([1, 7, 64]))
def test_blocks_do_not_show(world: World, block: int) -> None:
    """Row by row, by sevens or whole: a run leaves the same bytes, and twice the same."""
    whole = left_by(world)
    assert left_by(world, block) == whole
    assert left_by(world) == whole


def test_no_hash_decides() -> None:
    """Under other hash seeds of Python the bytes are the same."""
    here = digest(synthetic(24, 600))
    assert [elsewhere(seed) for seed in ("0", "1")] == [here, here]


def digest(world: World) -> str:
    """Everything a run leaves, in short."""
    return sha256(left_by(world)).hexdigest()


def elsewhere(seed: str) -> str:
    """The same world in another process."""
    code = (
        "from tests.sim.test_pass_oracle import digest, synthetic;print(digest(synthetic(24, 600)))"
    )
    environment: dict[str, Any] = {**os.environ, "PYTHONHASHSEED": seed}
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip()
