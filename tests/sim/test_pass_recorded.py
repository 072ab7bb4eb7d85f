"""The compiled pass does what the plain engine does, in recorded markets."""

import gzip
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.session import TimerFired
from mm.events.units import MILLIS, Nanos
from mm.gateways.base import Message
from mm.sim.settings import Arrivals, Latency, PaperSettings
from tests.gateways.lines import SPOT_2024, USDM_2023, USDM_2024, imported, recording
from tests.sim.passing import Plain, Told, World, assert_same, compiled, plainly
from tests.sim.worlds import constant

FILES: Final = (USDM_2024, SPOT_2024, USDM_2023)
LINES: Final = 4_000
"""Enough for some hundred orders."""
MODELS: Final = (("risk-averse", 1), ("power3", 0), ("log2", 50), ("power", 5))
"""Queue models, each with a latency in milliseconds there and back."""


def settings(name: str) -> Plain:
    """Two makers so near the touch that they fill, of which one hedges."""
    maker = {
        "kind": "symmetric",
        "instrument": name,
        "order_size": "0.05",
        "position_max": "0.5",
        "half_spread_bps": 0.02,
        "levels": 2,
        "level_spacing_bps": 0.05,
        "skew_bps": 0.2,
        "drift_bps": 0.05,
        "refresh": "250ms",
    }
    hedged = {"hedge_above": "0.1", "fair": "microprice", "skew_bps": 0.0, "half_spread_bps": 0.2}
    limits = {
        "order_size_max": "0.5",
        "order_notional_max": "50000",
        "position_max": "1",
        "open_orders_max": 20,
        "price_collar_bps": 50,
        "messages_per_second_max": 200,
    }
    return {"strategies": {"maker": maker, "hedged": maker | hedged}, "limits": {name: limits}}


def world_of(path: Path, paper: PaperSettings) -> World:
    """A recording's market, and makers in it."""
    _, turns = imported(path)
    defined = [fact for fact in turns.facts if isinstance(fact, InstrumentDefined)]
    told = []
    for turn in turns.turns:
        facts: Any = [fact for fact in turn.facts if _is_market(fact)]
        if facts:
            told.append(Message(turn.at, tuple(facts)))
    return World((defined[0],), tuple(told), settings(defined[0].name), paper)


def _is_market(fact: Any) -> bool:
    return isinstance(fact, MarketEvent) and not isinstance(fact, TimerFired)


def near(queue: str, latency: int) -> PaperSettings:
    """An account so many milliseconds away."""
    delay = constant(latency * MILLIS)
    return PaperSettings(entry=delay, response=delay, queue=queue)


def compared(path: Path, paper: PaperSettings) -> Told:
    """Play it twice; equal."""
    world = world_of(path, paper)
    told = plainly(world)
    assert_same(told, compiled(world))
    return told


@pytest.mark.parametrize("name", FILES)
def test_the_beginning(name: str, tmp_path: Path) -> None:
    """The first lines of each recording."""
    path = tmp_path / name
    with gzip.open(recording(name)) as source, gzip.open(path, "wb", 1) as target:
        target.writelines(islice(source, LINES))
    told = compared(path, near("power3", 1))
    assert min(len(told.orders), told.cancels) > 10


@pytest.mark.storm
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("queue", "latency"), MODELS)
def test_all_of_it(name: str, queue: str, latency: int) -> None:
    """Every line of each recording, several ways."""
    told = compared(recording(name), near(queue, latency))
    assert min(len(told.orders), len(told.fills), told.cancels) > 100


RANGE: Final = Latency(Nanos(MILLIS), Nanos(20 * MILLIS))
CHANCES: Final = {
    "uniform": PaperSettings(entry=RANGE, response=RANGE, cancel=constant(MILLIS)),
    "poisson": PaperSettings(matching="poisson", arrivals=Arrivals(rate=20.0, decay=0.05)),
}


@pytest.mark.storm
@pytest.mark.parametrize("name", [USDM_2024, USDM_2023])
@pytest.mark.parametrize("chance", CHANCES)
def test_what_is_left_to_chance(name: str, chance: str) -> None:
    """Every line of two recordings, with latencies, then takers, that are drawn."""
    told = compared(recording(name), CHANCES[chance])
    assert min(len(told.orders), len(told.fills), told.cancels) > 100
