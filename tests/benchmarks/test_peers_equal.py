"""The compiled pass does to the last order what hftbacktest does, on events of our workload."""

from argparse import Namespace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from benchmarks.peers import ours, workload
from benchmarks.peers.contestants import Day
from benchmarks.peers.environments import HFTBACKTEST, Absent, cache, existing
from benchmarks.peers.reference import Reference, Rule, reference
from mm.events.units import Nanos
from mm.sim.compiled_run import CompiledRun, Memory
from mm.sim.setup import begin, memory_of

COUNT: Final = 400_000
ORDERS: Final = {"at": "placed", "id": "id", "price": "price", "side": "side"}
FILLS: Final = {"venue": "at", "id": "order", "price": "price", "lots": "size", "side": "side"}


def theirs(day: Day, rule: Rule) -> Reference:
    """What hftbacktest does; the test is skipped where it is not installed."""
    try:
        python = existing(HFTBACKTEST, cache())
    except Absent as reason:
        pytest.skip(str(reason))
    return reference(day, rule, python)


def played(day: Day, rule: Rule) -> Memory:
    """What we do."""
    options = Namespace(
        tick=day.tick,
        lot=day.lot,
        half=rule.half,
        skew=rule.skew,
        qty=rule.qty,
        max_position=rule.most,
        entry_ns=rule.entry_ns,
        response_ns=rule.response_ns,
        queue=rule.queue,
        rules="theirs",
        workload="maker",
    )
    events = np.load(day.path)
    rows = ours.converted([events], len(events))
    listed = ours.listed(options)
    engine = ours.engine_of(options, listed)
    memory, _ = memory_of(engine, ours.paper_of(options), [listed])
    begin(memory, Nanos(int(rows["at"][0])), ours.SECOND)
    CompiledRun(memory).feed(rows)
    return memory


def same(ours_: Any, wanted: Any, columns: dict[str, str]) -> None:
    """Every column is equal."""
    assert len(ours_) == len(wanted) > 100
    for name, column in columns.items():
        assert np.array_equal(ours_[column], wanted[name]), name


@pytest.mark.storm
@pytest.mark.parametrize("latency", [1_000_000, 20_000_000])
@pytest.mark.parametrize("queue", ["risk", "power3"])
def test_orders_and_fills(queue: str, latency: int, tmp_path: Path) -> None:
    """Ids, times, sides, prices and sizes, all in order."""
    file = tmp_path / "events.npy"
    np.save(file, workload.generate(COUNT))
    day = Day(file, "0.1", "0.001")
    rule = Rule(queue=queue, entry_ns=latency, response_ns=latency)
    wanted, memory = theirs(day, rule), played(day, rule)
    clock = memory.clock[0]
    same(memory.orders[: clock["orders"]], wanted.orders, ORDERS)
    same(memory.fills[: clock["fills"]], wanted.fills, FILLS)
    assert clock["cancels"] == len(wanted.cancels)
