"""The compiled pass draws the delays that the plain venue draws, of each kind of command."""

from itertools import product
from typing import Any, Final

import pytest
from hypothesis import given
from msgspec.structs import replace

from mm.events.units import MILLIS, Nanos
from mm.sim.compiled_run import CompiledRun
from mm.sim.settings import Latency, Measured, PaperSettings, Sampled
from tests.build import START
from tests.sim.passing import World, assert_same, compiled, left_by, plainly, prepared, rows_of
from tests.sim.worlds import all_varied, constant, synthetic, trips_measured, twice, worlds

FAR: Final = Latency(Nanos(MILLIS), Nanos(30 * MILLIS))
FEW: Final = Sampled((Nanos(1), Nanos(2 * MILLIS), Nanos(90 * MILLIS)))
STORM: Final = 300
"""Seeds of synthetic markets in a storm."""


def compared(world: World) -> None:
    """Play it twice; queues are looked at where commands need time, so that none is half done."""
    watched = world.takes_time
    assert_same(plainly(world, watched=watched), compiled(world, watched=watched))


@twice
@given(worlds(far=all_varied))
def test_any_delays(world: World) -> None:
    """Uniform or from a sample, for all commands or some of them."""
    compared(world)


@twice
@given(worlds(far=all_varied))
def test_any_delays_asked(world: World) -> None:
    """The same with strategies that the pass asks as Python objects."""
    assert_same(plainly(world), compiled(world, python=True))


@twice
@given(worlds(far=trips_measured))
def test_any_round_trips(world: World) -> None:
    """Interpolated between measured ones, of which some never arrived: an order in doubt stays."""
    compared(world)


@twice
@given(worlds(far=trips_measured))
def test_any_round_trips_asked(world: World) -> None:
    """The same with strategies that the pass asks as Python objects."""
    assert_same(plainly(world), compiled(world, python=True))


def away(seed: int, count: int, **latencies: Any) -> World:
    """A synthetic market, and a venue so far away."""
    world = synthetic(seed, count)
    return world._replace(paper=replace(world.paper, **latencies), seed=seed)


@pytest.mark.parametrize("seed", [9, 24])
@pytest.mark.parametrize(
    "latencies",
    [
        {"entry": FAR, "response": FAR},
        {"entry": FEW, "response": FEW},
        {"place": FAR, "cancel": constant(MILLIS)},
        {"cancel": FEW, "response": FAR},
    ],
)
def test_synthetic_markets(seed: int, latencies: Any) -> None:
    """Some seconds of a market that moves as markets do."""
    compared(away(seed, 600, **latencies))


@pytest.mark.storm
@pytest.mark.parametrize("seed", range(400, 400 + STORM))
def test_many_synthetic_markets(seed: int) -> None:
    """The same with many seeds."""
    kinds = tuple(product((FAR, FEW, constant(MILLIS)), repeat=4))
    names = ("entry", "response", "place", "cancel")
    compared(away(seed, 2_000, **dict(zip(names, kinds[seed % len(kinds)], strict=True))))


def test_what_went_astray_is_met() -> None:
    """Orders and cancels that never arrive are refused, and no quote stands in for one in doubt."""
    world = away(24, 600, measured=lossy(60))
    told = plainly(world)
    assert_same(told, compiled(world))
    assert sum(1 for order in told.orders if order.ended and not order.acked) > 5
    memory, _ = prepared(world)
    CompiledRun(memory).feed(rows_of(world))
    assert memory.clock["doubts"][0], "the venue never refused to cancel"


def lossy(lost: int) -> Measured:
    """Half a minute of round trips every 100 ms, as many of a hundred of them lost."""
    trips = []
    for number in range(300):
        sent = Nanos(START + 100 * MILLIS * number)
        there = Nanos(0) if 37 * number % 100 < lost else Nanos(sent + MILLIS * (1 + number % 7))
        trips.append((sent, there, Nanos(sent + 30 * MILLIS)))
    return Measured(tuple(trips))


def test_every_part_counts() -> None:
    """Another seed, another kind of delay, a kind of command with its own: each shows."""
    worlds_ = [
        away(24, 600, entry=FAR, response=FAR),
        away(24, 600, entry=FAR, response=FAR)._replace(seed=25),
        away(24, 600, entry=FEW, response=FAR),
        away(24, 600, entry=FAR, response=FEW),
        away(24, 600, entry=FAR, response=FAR, place=FEW),
        away(24, 600, entry=FAR, response=FAR, cancel=FEW),
    ]
    assert len({left_by(world) for world in worlds_}) == len(worlds_)


def test_funding_holds_no_answer_back() -> None:
    """What it moved is heard among answers, and costs them neither a draw nor time."""
    world = synthetic(19, 600, funding=100 * MILLIS)
    far = replace(world.paper, entry=FAR, response=FEW)
    told = plainly(world._replace(paper=far))
    assert told.odd > 3
    assert_same(told, compiled(world._replace(paper=far)))


def test_blocks_do_not_show() -> None:
    """Messages are numbered on over the blocks' ends."""
    world = away(24, 600, entry=FAR, response=FEW, cancel=FEW)
    assert left_by(world, 7) == left_by(world)


def test_a_constant_takes_no_draw() -> None:
    """With constant delays the seed is of no account."""
    paper = PaperSettings(entry=constant(MILLIS), response=constant(MILLIS))
    world = synthetic(24, 600)._replace(paper=paper)
    assert left_by(world) == left_by(world._replace(seed=9))
