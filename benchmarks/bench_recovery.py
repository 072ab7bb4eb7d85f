"""Recovery: the state of a desk rebuilt from a log of 5 million events, orders only and in full.

The log is a backtest's session of a maker (on `--recording` made by `mm import`, else on the
synthetic market), its turns sealed again one after the other until the log holds `--events` events,
a price level counting as one. Orders only reads the copy of the orders' subject; in full reads and
folds everything, hashes and links checked. Baseline: reading without folding.

    python benchmarks/bench_recovery.py --recording btcusdt.rec --json
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from bench_verify import config

from mm.apps import snapshots
from mm.apps.cli.replay import backtested
from mm.apps.session import recover, recover_orders
from mm.events.orders import (
    AmendOrder,
    CancelOrder,
    CancelRejected,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    PlaceOrder,
)
from mm.events.units import Nanos
from mm.events.vocabulary import levels_in
from mm.log import streams
from mm.log.archive import Archive
from mm.log.chain import START, Sealed, advance, seal
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog
from mm.log.server import EmbeddedServer
from mm.projections.kernels import warm

NAMED = (
    PlaceOrder,
    AmendOrder,
    CancelOrder,
    CancelRejected,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
)


def rounds(session: Path, rows: int) -> Iterator[tuple[Sealed, int]]:
    """The session over and over, its order and fill ids made new in every round."""
    head, seen, lap = START, 0, 0
    while seen < rows:
        shift = head.at
        for sealed in Archive(session).turns():
            turn = sealed.turn
            facts = tuple(_renamed(fact, lap) for fact in turn.facts)
            decisions = tuple(_renamed(each, lap) for each in turn.decisions)
            again = seal(head, Nanos(max(shift, turn.at)), facts, decisions)
            head = advance(head, again)
            count = sum(levels_in(fact) for fact in facts) + len(decisions)
            seen += count
            yield again, count
        lap += 1


def _renamed(event: Any, lap: int) -> Any:
    if not isinstance(event, NAMED) or not event.order_id:
        return event
    changes = {"order_id": f"{event.order_id}-{lap}"}
    if isinstance(event, OrderFilled):
        changes["fill_id"] = f"{event.fill_id}-{lap}"
    return msgspec.structs.replace(event, **changes)


async def measure(session: Path, rows: int) -> dict[str, float]:
    """Fill a stream, then recover from it in every way."""
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedServer(Path(directory) / "store", sync="2m") as server:
            nc = await connect(server.access)
            log = await JetStreamLog.open(nc, streams.load("bench"))
            total = turns = 0
            for sealed, count in rounds(session, rows):
                await log.append(sealed)
                total, turns = total + count, turns + 1
            await log.close()
            began = time.perf_counter()
            log = await JetStreamLog.open(nc, streams.load("bench"))
            checked = time.perf_counter() - began
            began = time.perf_counter()
            orders = await recover_orders(log)
            only_orders = time.perf_counter() - began
            began = time.perf_counter()
            async for _sealed in log.read():
                pass
            reading = time.perf_counter() - began
            engine, full = await recover(log)
            snapshot = Path(directory) / "snapshot"
            snapshots.save(snapshot, engine, log.head)
            _, cached = await recover(log, snapshot)
            same = engine.state.orders.dump() == orders.state.orders.dump()
            await log.close()
            await close(nc)
    assert same, "the orders' copy gives other orders"
    return {
        "events": total,
        "turns": turns,
        "chain_check_seconds": checked,
        "orders_only_seconds": only_orders,
        "full_seconds": full.seconds,
        "full_with_check_seconds": full.seconds + checked,
        "reading_seconds": reading,
        "from_snapshot_seconds": cached.seconds,
        "events_per_second_full": total / full.seconds,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", default="replays/synthetic-maker")
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    warm()
    recording = Path(arguments.recording)
    with tempfile.TemporaryDirectory() as directory:
        session = recording
        if not (recording / "expected.json").exists():
            session = Path(directory) / "session"
            backtested(config(str(recording)), recording, session)
        runner = uvloop.run if sys.platform != "win32" else asyncio.run
        result = runner(measure(session, arguments.events))
    if arguments.json:
        json.dump(result, sys.stdout, indent=2)
        return
    print(
        f"{result['events']:,.0f} events in {result['turns']:,.0f} turns: orders only "
        f"{result['orders_only_seconds']:.2f} s, everything {result['full_seconds']:.2f} s "
        f"(reading alone {result['reading_seconds']:.2f} s; the chain's check before it "
        f"{result['chain_check_seconds']:.2f} s), from a snapshot "
        f"{result['from_snapshot_seconds']:.3f} s"
    )


if __name__ == "__main__":
    main()
