"""The simulated venue: market events a second through `hear`, by how many orders of ours rest.

A price level counts as one event, as everywhere; processor time, one core. The orders stand far
from the market, so that none fills and every event is looked at. Without a recording the
synthetic market plays.

    python benchmarks/bench_sim.py --recording DIRECTORY --json
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterable
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
from mm.sim.plain_trading import plain_venue
from mm.sim.settings import NONE, PaperSettings
from mm.sim.synthetic import SyntheticMarket, SyntheticSettings

START = Nanos(1_700_000_000_000_000_000)
MESSAGES = 50_000
RUNS = 5
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


def run(defined: InstrumentDefined, events: list[Heard], orders: list[PlaceOrder]) -> float:
    """Seconds of processor time for all events, once the orders rest."""
    venue = plain_venue(PaperSettings(entry=NONE, response=NONE), seed=1)
    venue.hear(events[0][0], defined)
    opening, rest = events[:100], events[100:]
    for at, event in opening:
        venue.hear(at, event)
    for order in orders:
        venue.submit(opening[-1][0], order)
    venue.advance(opening[-1][0])
    began = time.process_time()
    for at, event in rest:
        venue.hear(at, event)
    return time.process_time() - began


def measure(recording: Path | None, messages: int) -> dict[str, Any]:
    """Median rates of several runs, without orders and with six."""
    defined, events = market(recording, messages)
    levels = sum(levels_in(fact) for _, fact in events[100:])
    figures: dict[str, Any] = {"market": defined.name, "events": levels, "facts": len(events) - 100}
    for count in (0, 6):
        orders = resting(count, events, defined.instrument)
        seconds = statistics.median(run(defined, events, orders) for _ in range(RUNS))
        figures[f"events_per_second_with_{count}_orders"] = round(levels / seconds)
        figures[f"facts_per_second_with_{count}_orders"] = round(len(events) / seconds)
    return figures


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
    for name, figure in figures.items():
        print(f"{name:32} {figure:>12,}" if isinstance(figure, int) else f"{name:32} {figure:>12}")


if __name__ == "__main__":
    main()
