"""The live order book: microseconds for a message of depth and for a level, one message at a time.

A recording's depth, or the synthetic market's, is folded by `Book` as a session does: once as it
was sent, and once with every level a message of its own. Baseline in the same run: a dictionary a
side, which looks for the best price anew when the best one goes. Processor time, one core.

    python benchmarks/bench_book.py --recording DIRECTORY --json
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from mm.events.market import BookDelta, BookSnapshot
from mm.events.units import Levels, Lots, Nanos, Ticks
from mm.events.vocabulary import Fact
from mm.gateways.recorded import RecordedFeed
from mm.projections.book import Book
from mm.projections.depth import warm
from mm.sim.synthetic import SyntheticMarket, SyntheticSettings

START = Nanos(1_700_000_000_000_000_000)
MESSAGES = 50_000
SINGLE_MAX = 100_000
RUNS = 5
ALL = 1 << 30

Depth = BookSnapshot | BookDelta


class PlainBook:
    """What anybody would write first: the baseline."""

    def __init__(self) -> None:
        """Start empty."""
        self.bid, self.bid_size, self.ask, self.ask_size = Ticks(0), Lots(0), Ticks(0), Lots(0)
        self.levels: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def snapshot(self, event: BookSnapshot, at: Nanos) -> None:
        """Replace all levels; a snapshot of one part."""
        self.levels = ({}, {})
        self.delta(event, at)

    def delta(self, event: Depth, _at: Nanos) -> None:
        """Set the changed levels."""
        bids, asks = self.levels
        self.bid = Ticks(self._changed(bids, event.bids, self.bid, max))
        self.ask = Ticks(self._changed(asks, event.asks, self.ask, min))
        self.bid_size, self.ask_size = Lots(bids.get(self.bid, 0)), Lots(asks.get(self.ask, 0))

    @staticmethod
    def _changed(side: dict[int, int], levels: Levels, best: int, better: Any) -> int:
        places = iter(levels)
        for price, size in zip(places, places, strict=True):
            if size:
                side[price] = size
                if not best or better(price, best) == price:
                    best = price
            elif side.pop(price, 0) and price == best:
                best = better(side, default=0)
        return best


def depth_of(recording: Path | None, messages: int) -> list[Depth]:
    """The messages of depth, in order."""
    told: Iterator[tuple[Fact, ...]]
    if recording is None:
        market = SyntheticMarket(SyntheticSettings(), 7, START)
        told = (facts for _, facts in islice(market.messages(), messages))
    else:
        told = (each.facts for each in RecordedFeed(recording).messages(Nanos(0)))
    return [fact for facts in told for fact in facts if isinstance(fact, BookSnapshot | BookDelta)]


def singly(events: Sequence[Depth]) -> Iterator[Depth]:
    """The snapshot, and each level of the changes as a change of its own."""
    for event in events:
        if isinstance(event, BookSnapshot):
            yield event
            continue
        for name, levels in (("bids", event.bids), ("asks", event.asks)):
            for place in range(0, len(levels), 2):
                sides = {"bids": (), "asks": ()} | {name: levels[place : place + 2]}
                yield msgspec.structs.replace(event, **sides)


def fold(make: Callable[[], Any], events: Sequence[Depth]) -> tuple[float, Any]:
    """Seconds of processor time for the events, and the book they left."""
    book = make()
    began = time.process_time()
    for event in events:
        if type(event) is BookDelta:
            book.delta(event, START)
        else:
            book.snapshot(event, START)
    return time.process_time() - began, book


def figures(events: Sequence[Depth]) -> dict[str, Any]:
    """Medians of alternated runs of both books, which must agree."""
    levels = sum(len(event.bids) + len(event.asks) for event in events) // 2
    took: dict[str, list[float]] = {"book": [], "plain": []}
    for _ in range(RUNS):
        seconds, book = fold(Book, events)
        took["book"].append(seconds)
        seconds, plain = fold(PlainBook, events)
        took["plain"].append(seconds)
        bids, asks = plain.levels
        assert book.bids(ALL) == sorted(bids.items(), reverse=True), "bids differ"
        assert book.asks(ALL) == sorted(asks.items()), "asks differ"
        touch = (book.bid, book.bid_size, book.ask, book.ask_size)
        assert touch == (plain.bid, plain.bid_size, plain.ask, plain.ask_size), "touches differ"
    median = {name: statistics.median(seconds) for name, seconds in took.items()}
    found: dict[str, Any] = {"messages": len(events), "levels": levels}
    for name, seconds in median.items():
        found[f"{name}_message_us"] = round(seconds / len(events) * 1e6, 3)
        found[f"{name}_level_us"] = round(seconds / levels * 1e6, 4)
    return found | {"ratio_to_plain": round(median["book"] / median["plain"], 3)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, help="a directory made by `mm import`")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="of the synthetic market")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warm()
    events = depth_of(options.recording, options.messages)
    results = {
        "as sent": figures(events),
        "single levels": figures(list(islice(singly(events), SINGLE_MAX))),
    }
    if options.json:
        json.dump(results, sys.stdout, indent=2)
        print()
        return
    for name, each in results.items():
        print(
            f"{name:13} {each['messages']:,} messages, {each['levels']:,} levels: "
            f"{each['book_message_us']:.2f} us a message, {each['book_level_us']:.3f} a level "
            f"(plain {each['plain_message_us']:.2f}, {each['plain_level_us']:.3f})"
        )


if __name__ == "__main__":
    main()
