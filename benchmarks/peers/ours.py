"""Our own engine as a contestant: the compiled pass, in the peers' own semantics or in ours.

With `--rules theirs` the venue has a clock of its own and fills in full, as hftbacktest has it, and
every level change is an event: orders, fills and account are the same to the last one. With
`--rules ours` a printed volume is shared, and the feed is taken to be the venue's state. `--python`
asks the maker as a plain Python object, at every look or when something changed; without it its
rule is compiled into the pass. `events` is called back at every event.

    python -m benchmarks.peers.ours maker --events FILE --queue risk
"""

import argparse
import sys
import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

STARTED = time.perf_counter()

import numpy as np  # noqa: E402 - the imports are a phase of their own.

from benchmarks.peers.events import DEPTH, Events, counted, read  # noqa: E402
from benchmarks.peers.makers import EveryEvent, Maker  # noqa: E402
from benchmarks.peers.measure import Outcome, Stopwatch, arguments, report  # noqa: E402
from mm.engine.settings import (  # noqa: E402
    Duration,
    EngineSettings,
    LimitSettings,
    PeggedSettings,
)
from mm.events.instrument import ContractKind, InstrumentDefined  # noqa: E402
from mm.events.units import InstrumentId, Lots, Nanos  # noqa: E402
from mm.log.rows import ROW, Flag, Kind, Rows  # noqa: E402
from mm.sim.asking import Asker  # noqa: E402
from mm.sim.compiled_run import CompiledRun, warm  # noqa: E402
from mm.sim.settings import Latency, PaperSettings  # noqa: E402
from mm.sim.setup import begin, employ, memory_of  # noqa: E402
from mm.strategy.base import Strategy  # noqa: E402

IMPORTED = time.perf_counter() - STARTED
QUEUES = {"risk": "risk-averse", "power3": "power3"}
LOTS_MAX = 10**9
SECOND = Nanos(10**9)
LOOKS = Nanos(10**8)
FIELDS = (("at", "local_ts"), ("venue", "exch_ts"), ("price", "px"), ("size", "qty"))


def converted(pieces: Iterable[Events], count: int, *, apart: bool = False) -> Rows:
    """A row for each event, each level change an event of its own; a snapshot begins.

    With `apart` each event is a message of its own as well, instead of a part of a burst.
    """
    rows = np.zeros(count + 1, ROW)
    start = 1
    for piece in pieces:
        into = rows[start : start + len(piece)]
        depth, buys = piece["kind"] == DEPTH, piece["side"] == 1
        into["kind"] = np.where(
            depth, np.where(buys, Kind.BID, Kind.ASK), np.where(buys, Kind.BOUGHT, Kind.SOLD)
        )
        for field, source in FIELDS:
            into[field] = piece[source]
        last = np.uint8(1) if apart else piece["last"]
        into["flags"] = Flag.EVENT + last * np.uint8(Flag.TURN)
        start += len(piece)
    assert start == count + 1, "as many events as were announced"
    rows["kind"][0], rows["at"][0], rows["venue"][0] = Kind.CLEAR, rows["at"][1], rows["venue"][1]
    return rows


def listed(options: argparse.Namespace) -> InstrumentDefined:
    """The instrument, with the fees that the peers are given."""
    return InstrumentDefined(
        instrument=InstrumentId(0),
        venue="peers",
        symbol="X",
        kind=ContractKind.LINEAR,
        base="X",
        quote="USD",
        settle="USD",
        tick_size=Decimal(options.tick),
        lot_size=Decimal(options.lot),
        maker_fee=Decimal("-0.00005"),
        taker_fee=Decimal("0.0004"),
    )


def engine_of(options: argparse.Namespace, instrument: InstrumentDefined) -> EngineSettings:
    """One pegged maker and limits that bind nothing; none for the bare pass."""
    lot = instrument.lot_size
    limits = LimitSettings(
        order_size_max=lot * LOTS_MAX,
        order_notional_max=Decimal(10**12),
        position_max=lot * LOTS_MAX,
        open_orders_max=100,
        price_collar_bps=5_000,
        messages_per_second_max=1_000,
    )
    maker = PeggedSettings(
        instrument=instrument.name,
        order_size=lot * options.qty,
        position_max=lot * options.max_position,
        half_spread_ticks=options.half,
        skew_ticks=options.skew,
        refresh=Duration("100ms"),
    )
    strategies: dict[str, Any] = {"maker": maker} if options.workload != "none" else {}
    return EngineSettings(strategies=strategies, limits={instrument.name: limits})


def python_of(options: argparse.Namespace) -> Strategy | None:
    """The strategy that is a Python object, if it is to be one."""
    if options.workload == "events":
        return EveryEvent(size=Lots(options.qty), requote=options.requote)
    if not options.python:
        return None
    return Maker(
        size=Lots(options.qty),
        most=Lots(options.max_position),
        half=options.half,
        skew=options.skew,
        looks=LOOKS,
        changed=options.python == "changed",
    )


def paper_of(options: argparse.Namespace) -> PaperSettings:
    """The venue, in the peers' semantics or in ours."""
    theirs = options.rules == "theirs"
    entry, response = Nanos(options.entry_ns), Nanos(options.response_ns)
    return PaperSettings(
        entry=Latency(entry, entry),
        response=Latency(response, response),
        queue=QUEUES[options.queue],
        matching="whole" if theirs else "shared",
        market="venue" if theirs and options.workload != "none" else "received",
    )


def outcome_of(run: CompiledRun, options: argparse.Namespace) -> Outcome:
    """Orders, fills and account."""
    memory = run.memory
    counts = memory.clock[0]
    fills = memory.fills[: counts["fills"]]
    tick, lot = float(options.tick), float(options.lot)
    worth = fills["price"] * fills["size"] * tick * lot
    fees = np.where(fills["taker"] == 1, 0.0004, -0.00005)
    return Outcome(
        steps=int(counts["turns"]),
        orders=int(counts["orders"]),
        cancels=int(counts["cancels"]),
        fills=len(fills),
        position=int((fills["size"] * fills["side"].astype(np.int64)).sum()) * lot,
        balance=-float((worth * fills["side"]).sum()),
        fee=float((worth * fees).sum()),
    )


def main() -> None:
    """Play one workload and print what came of it."""
    parser = arguments(__doc__, ("maker", "events", "none"))
    parser.add_argument("--queue", choices=tuple(QUEUES), default="risk")
    parser.add_argument("--rules", choices=("theirs", "ours"), default="theirs")
    parser.add_argument("--python", choices=("changed", "look"), help="the maker a Python object")
    parser.add_argument("--apart", action="store_true", help="each event in a message of its own")
    options = parser.parse_args(sys.argv[1:])
    watch = Stopwatch(wall={"import": IMPORTED})
    with watch("convert"):
        count = counted(options.events, options.limit)
        rows = converted(read(options.events, count), count, apart=options.apart)
    with watch("compile"):
        warm()
    with watch("build"):
        instrument = listed(options)
        engine = engine_of(options, instrument)
        memory, _ = memory_of(engine, paper_of(options), [instrument])
        asker = None
        strategy = python_of(options)
        if strategy is not None:
            employ(memory, 0, 0, strategy)
            asker = Asker(memory, [instrument], [("maker", strategy)])
        begin(memory, Nanos(int(rows["at"][0])), SECOND)
        run = CompiledRun(memory, asker)
    with watch("run"):
        run.feed(rows)
    report(len(rows) - 1, watch, outcome_of(run, options), ("numba", "numpy"))


if __name__ == "__main__":
    main()
