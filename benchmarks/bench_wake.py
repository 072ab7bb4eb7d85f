"""What one wake of a strategy costs in a replay, part by part, in nanoseconds of processor time.

Three hundred thousand rows, one a millisecond, each followed by a look on a timer. The strategies
do ever more: nothing, look at the touch, make their quotes anew, change them so that orders move.
Each part is the difference to the one before. Baseline: the same rows with nobody to ask; beside it
the rule that is compiled into the pass, which moves the same orders.

    python benchmarks/bench_wake.py --json
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
import numpy as np

from benchmarks.peers import ours
from benchmarks.peers.measure import arguments
from mm.events.units import Lots, Nanos, Ticks
from mm.log.rows import ROW, Flag, Kind, Rows
from mm.sim.asking import Asker
from mm.sim.compiled_run import CompiledRun, warm
from mm.sim.setup import begin, employ, memory_of
from mm.strategy.base import Level, MarketView, Strategy, Wakes, Wanted

LOOKS: Final = 300_000
RUNS: Final = 5
MILLI: Final = Nanos(1_000_000)
MIDDLE: Final = 500_000
QUOTES: Final = Wanted(
    bids=(Level(Ticks(MIDDLE - 20), Lots(10)),), asks=(Level(Ticks(MIDDLE + 20), Lots(10)),)
)


def still(_view: MarketView) -> Wanted:
    """Look at nothing, want the very same."""
    return QUOTES


def looking(view: MarketView) -> Wanted:
    """Look at the touch and the position, want the very same."""
    book = view.book
    _ = 0.5 * (book.bid + book.ask) - view.position.net
    return QUOTES


def fresh(view: MarketView) -> Wanted:
    """Make the same quotes anew."""
    book = view.book
    _ = 0.5 * (book.bid + book.ask) - view.position.net
    return Wanted(
        bids=(Level(Ticks(MIDDLE - 20), Lots(10)),), asks=(Level(Ticks(MIDDLE + 20), Lots(10)),)
    )


def moving(view: MarketView) -> Wanted:
    """Two ticks from the mid, which moves: a bid and an ask are canceled and placed each time."""
    book = view.book
    fair = 0.5 * (book.bid + book.ask) - 0.0 * view.position.net
    return Wanted(
        bids=(Level(Ticks(min(math.floor(fair - 2), book.bid)), Lots(10)),),
        asks=(Level(Ticks(max(math.ceil(fair + 2), book.ask)), Lots(10)),),
    )


class Woken(msgspec.Struct, frozen=True):
    """A strategy that looks each millisecond."""

    does: Callable[[MarketView], Wanted]

    @property
    def wakes(self) -> Wakes:
        """A timer, whatever the market does."""
        return Wakes(timer=MILLI, own_orders=False)

    @property
    def rule(self) -> "Woken":
        """All of it."""
        return self

    def initial(self) -> None:
        """It remembers nothing."""

    def decide(self, view: MarketView, memory: None) -> tuple[Wanted, None]:
        """What its function says."""
        return self.does(view), memory


def market() -> Rows:
    """A book of two levels whose best prices step up and down by a tick each millisecond."""
    rows = np.zeros(4 * LOOKS + 1, ROW)
    steps = np.arange(LOOKS) % 2
    rows["at"][1:] = rows["venue"][1:] = MILLI // 2 + np.repeat(np.arange(LOOKS), 4) * MILLI
    for place, (kind, far, size) in enumerate(
        ((Kind.BID, 0, 50), (Kind.ASK, 2, 50), (Kind.BID, 1, 40), (Kind.ASK, 1, 40))
    ):
        part = rows[1 + place :: 4]
        part["kind"] = kind
        # The inner level is there every other time.
        part["price"] = MIDDLE + far if place < 2 else MIDDLE + (1 if kind is Kind.ASK else 0)
        part["size"] = size if place < 2 else np.where(steps == (kind is Kind.ASK), size, 0)
    rows["flags"][4::4] = Flag.EVENT | Flag.TURN
    rows["kind"][0] = Kind.CLEAR
    return rows


def seconds(rows: Rows, strategy: Strategy | None, *, maker: bool = False) -> tuple[float, Any]:
    """The fastest of some runs, and the counts of the last."""
    parser = arguments(None, ("maker", "none"))
    asked = parser.parse_args(["maker" if maker or strategy else "none", "--events", "-"])
    asked.queue, asked.rules, asked.half = "risk", "ours", 2.0
    asked.skew = 0.0
    listed = ours.listed(asked)
    best, counts = math.inf, None
    for _ in range(RUNS):
        memory, _names = memory_of(ours.engine_of(asked, listed), ours.paper_of(asked), [listed])
        asker = None
        if strategy is not None:
            employ(memory, 0, 0, strategy)
            asker = Asker(memory, [listed], [("woken", strategy)])
        elif maker:
            memory.desks["timer"], memory.desks["when_changed"] = MILLI, 0
        begin(memory, Nanos(0), Nanos(0))
        run = CompiledRun(memory, asker)
        began = time.process_time()
        run.feed(rows)
        best = min(best, time.process_time() - began)
        counts = memory.clock[0]
    return best, counts


def main() -> None:
    """Measure every part and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    warm()
    rows = market()
    figures: dict[str, Any] = {"looks": LOOKS}
    bare, _ = seconds(rows, None)
    before = bare
    for name, does in (
        ("a look, the call into Python and its answer", still),
        ("looking at touch and position", looking),
        ("two quotes made anew, compared", fresh),
        ("an order moved every other look: sent, acked, canceled", moving),
    ):
        taken, counts = seconds(rows, Woken(does))
        assert counts["asks"] >= LOOKS - 1, "it was asked at every look"
        figures[name] = round(1e9 * (taken - before) / LOOKS)
        before = taken
    figures["all of it in Python"] = round(1e9 * (before - bare) / LOOKS)
    figures["orders in Python"] = int(counts["orders"])
    compiled, counts = seconds(rows, None, maker=True)
    figures["all of it by the compiled rule"] = round(1e9 * (compiled - bare) / LOOKS)
    figures["orders by the compiled rule"] = int(counts["orders"])
    figures["a row with nobody to ask"] = round(1e9 * bare / len(rows), 1)
    if as_json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"{name:56} {figure:>10,}")


if __name__ == "__main__":
    main()
