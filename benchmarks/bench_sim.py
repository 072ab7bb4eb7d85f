"""The simulated venue, one public event at a time: the compiled one beside the plain one.

Both hear the same facts through `hear`, as a paper session has them heard, without orders of ours
and with some that rest far from the market, so that none fills and every event is looked at. What
a fact costs is processor time, one core; what a fact of a kind costs is read off the clock around
each call, with what reading it costs. A price level counts as one event, as everywhere. Without a
recording the synthetic market plays.

    python benchmarks/bench_sim.py --recording DIRECTORY --json
"""

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.market import QuoteUpdated
from mm.events.orders import PlaceOrder
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Seq, Side, Ticks
from mm.events.vocabulary import levels_in
from mm.gateways.recorded import RecordedFeed
from mm.sim.compiled_trading import compiled_venue
from mm.sim.paper import PaperVenue
from mm.sim.settings import NONE, PaperSettings
from mm.sim.synthetic import SyntheticMarket, SyntheticSettings
from tests.oracle.plain_trading import plain_venue

START = Nanos(1_700_000_000_000_000_000)
MESSAGES = 50_000
RUNS = 5
OPENING = 100
"""Facts heard before the orders are placed, and not counted."""
ORDERS = (0, 6)
VENUES = {"plain": plain_venue, "compiled": compiled_venue}
FAR_TICKS = 300

Heard = tuple[Nanos, Any]


def market(recording: Path | None, messages: int) -> tuple[InstrumentDefined, list[Heard]]:
    """An instrument and its market events, each at the time it was received."""
    if recording is None:
        synthetic = SyntheticMarket(SyntheticSettings(), 7, START)
        told = islice(synthetic.messages(), messages)
        return synthetic.instrument, [(at, fact) for at, facts in told for fact in facts]
    feed = RecordedFeed(recording)
    recorded = islice(feed.messages(Nanos(0)), messages)
    events = [(each.received, fact) for each in recorded for fact in each.facts]
    return feed.instruments[0], [each for each in events if isinstance(each[1], MarketEvent)]


def resting(count: int, events: Iterable[Heard], instrument: InstrumentId) -> list[PlaceOrder]:
    """Orders on both sides, hundreds of ticks from the first quote."""
    quote = next(fact for _, fact in events if isinstance(fact, QuoteUpdated))
    sides = [Side.BUY if number % 2 else Side.SELL for number in range(count)]
    return [
        PlaceOrder(
            order_id=OrderId(f"o{number}"),
            instrument=instrument,
            side=side,
            price=Ticks(quote.bid - side * (FAR_TICKS + number)),
            size=Lots(1),
            strategy="bench",
            wallet="main",
            cause=Seq(1),
            reason="bench",
        )
        for number, side in enumerate(sides)
    ]


Open = Callable[[PaperSettings, int], PaperVenue]


def opened(make: Open, defined: InstrumentDefined, events: list[Heard], count: int) -> PaperVenue:
    """A venue that has heard the opening, with so many orders at rest."""
    venue = make(PaperSettings(entry=NONE, response=NONE), 1)
    venue.hear(events[0][0], defined)
    for at, event in events[:OPENING]:
        venue.hear(at, event)
    last = events[OPENING - 1][0]
    for order in resting(count, events, defined.instrument):
        venue.submit(last, order)
    venue.advance(last)
    assert len(venue.open_orders()) == count, "an order was refused"
    return venue


def run(venue: PaperVenue, events: list[Heard]) -> float:
    """Seconds of processor time for all events."""
    began = time.process_time()
    for at, event in events:
        venue.hear(at, event)
    return time.process_time() - began


def by_kind(venue: PaperVenue, events: list[Heard]) -> dict[str, dict[str, float]]:
    """Microseconds that each kind of fact takes."""
    took: dict[str, list[int]] = defaultdict(list)
    for at, event in events:
        began = time.perf_counter_ns()
        venue.hear(at, event)
        took[type(event).__name__].append(time.perf_counter_ns() - began)
    return {
        kind: {"facts": len(each), "p50": each[len(each) // 2] / 1e3, "p99": _p99(each) / 1e3}
        for kind, each in ((kind, sorted(took[kind])) for kind in sorted(took))
    }


def _p99(ordered: list[int]) -> int:
    return ordered[int(0.99 * (len(ordered) - 1))]


def measure(recording: Path | None, messages: int) -> dict[str, Any]:
    """Median of several runs, the venues in turn."""
    defined, events = market(recording, messages)
    counted = events[OPENING:]
    levels = sum(levels_in(fact) for _, fact in counted)
    figures: dict[str, Any] = {"market": defined.name, "events": levels, "facts": len(counted)}
    for count in ORDERS:
        seconds: dict[str, list[float]] = {name: [] for name in VENUES}
        for _ in range(RUNS):
            for name, make in VENUES.items():
                seconds[name].append(run(opened(make, defined, events, count), counted))
        for name, make in VENUES.items():
            median = statistics.median(seconds[name])
            figures[f"{name} venue, {count} orders"] = {
                "microseconds_a_fact": round(1e6 * median / len(counted), 2),
                "facts_per_second": round(len(counted) / median),
                "events_per_second": round(levels / median),
                "by_kind": by_kind(opened(make, defined, events, count), counted),
            }
    return figures


def show(figures: dict[str, Any]) -> None:
    """Print a line for each venue, and one for each kind of fact."""
    for name, figure in figures.items():
        if not isinstance(figure, dict):
            print(f"{name:28} {figure:>12,}" if isinstance(figure, int) else f"{name:28} {figure}")
            continue
        print(
            f"{name:28} {figure['microseconds_a_fact']:>8.2f} us a fact, "
            f"{figure['events_per_second']:,} events a second"
        )
        for kind, each in figure["by_kind"].items():
            took = f"p50 {each['p50']:.2f} p99 {each['p99']:.2f} us"
            print(f"    {kind:24} {each['facts']:>8,} facts, {took}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, help="a directory made by `mm import`")
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.recording, options.messages)
    if options.json:
        json.dump(figures, sys.stdout, indent=2)
        print()
        return
    show(figures)


if __name__ == "__main__":
    main()
