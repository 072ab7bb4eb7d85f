"""Takers by chance come in the compiled pass as they do at the plain venue."""

from typing import Any, Final

import pytest
from hypothesis import given
from msgspec.structs import replace

from mm.events.units import MILLIS, Nanos
from mm.sim.settings import Arrivals, Latency
from tests.sim.passing import World, assert_same, compiled, left_by, plainly
from tests.sim.worlds import all_varied, synthetic, twice, worlds

STORM: Final = 100
"""Seeds of synthetic markets in a storm."""
OFTEN: Final = Arrivals(rate=400.0, decay=0.5, step=Nanos(5 * MILLIS))
FAR: Final = Latency(Nanos(MILLIS), Nanos(30 * MILLIS))


def compared(world: World) -> None:
    """Play it twice; queues are looked at where commands need time, so that none is half done."""
    watched = world.takes_time
    assert_same(plainly(world, watched=watched), compiled(world, watched=watched))


@twice
@given(worlds(matching="poisson"))
def test_any_world(world: World) -> None:
    """Whatever the market does, only takers that are drawn fill what rests."""
    compared(world)


@twice
@given(worlds(matching="poisson", far=all_varied))
def test_any_world_asked(world: World) -> None:
    """The same with any delays, and strategies that the pass asks as Python objects."""
    assert_same(plainly(world), compiled(world, python=True))


def by_chance(seed: int, count: int, **changes: Any) -> World:
    """A synthetic market whose takers are drawn."""
    world = synthetic(seed, count)
    paper = replace(world.paper, matching="poisson", **{"arrivals": OFTEN, **changes})
    return world._replace(paper=paper, seed=seed)


@pytest.mark.parametrize("seed", [9, 24])
def test_synthetic_markets(seed: int) -> None:
    """Some seconds of a market that moves as markets do."""
    compared(by_chance(seed, 600))
    compared(by_chance(seed, 600, entry=FAR, response=FAR))


@pytest.mark.storm
@pytest.mark.parametrize("seed", range(700, 700 + STORM))
def test_many_synthetic_markets(seed: int) -> None:
    """The same with many seeds."""
    step = Nanos((1, 5, 40)[seed % 3] * MILLIS)
    compared(by_chance(seed, 2_000, arrivals=replace(OFTEN, step=step)))


def test_every_part_counts() -> None:
    """Another seed, rate, decay or step: each shows, and somebody is filled."""
    world = by_chance(24, 600)
    slow = replace(OFTEN, step=Nanos(7 * MILLIS))
    arrivals = (replace(OFTEN, rate=200.0), replace(OFTEN, decay=3.0), slow)
    other = [by_chance(24, 600, arrivals=each) for each in arrivals]
    found = [left_by(each) for each in (world, world._replace(seed=25), *other)]
    assert len(set(found)) == len(found)
    assert len(compiled(world).fills) > 20


def test_blocks_do_not_show() -> None:
    """Steps go on over the blocks' ends."""
    world = by_chance(24, 600)
    assert left_by(world, 7) == left_by(world)
