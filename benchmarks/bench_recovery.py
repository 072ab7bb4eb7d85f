"""Recovery: the state of a desk rebuilt from a log of 5 million events, orders only and in full.

The log is a backtest's session of a maker (on `--recording` made by `mm import`, else on the
synthetic market), its turns sealed again one after the other until the log holds `--events` events,
a price level counting as one. Orders only reads the copy of the orders' subject, in a log that was
checked before; in full reads, checks and folds everything in one pass; from a snapshot checks
everything and folds the end. Baseline: reading and checking without folding. Best of three.

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
from bench_read import DESK, fill
from bench_verify import config
from nats.aio.client import Client

from mm.apps import snapshots
from mm.apps.cli.backtesting import backtested
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
from mm.log.jetstream import JetStreamLog, LogOptions
from mm.log.server import EmbeddedServer
from mm.projections.depth import warm

ROUNDS = 3
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
            if seen >= rows:
                return
        lap += 1


def _renamed(event: Any, lap: int) -> Any:
    if not isinstance(event, NAMED) or not event.order_id:
        return event
    changes = {"order_id": f"{event.order_id}-{lap}"}
    if isinstance(event, OrderFilled):
        changes["fill_id"] = f"{event.fill_id}-{lap}"
    return msgspec.structs.replace(event, **changes)


async def measure(session: Path, rows: int) -> dict[str, float]:
    """Fill a stream, then recover from it in every way, as `mm live` does at its start."""
    with tempfile.TemporaryDirectory() as directory:
        snapshot = Path(directory) / "snapshot"
        async with EmbeddedServer(Path(directory) / "store", sync="2m") as server:
            nc = await connect(server.access)
            await streams.ensure(nc, DESK)
            turns, total = await fill(nc, rounds(session, rows))
            rounds_of = [await one_round(nc, snapshot) for _ in range(ROUNDS)]
            await close(nc)
    best = {name: min(each[name] for each in rounds_of) for name in rounds_of[0]}
    return {
        "events": total,
        "turns": turns,
        **best,
        "events_per_second_full": total / best["full_seconds"],
    }


async def one_round(nc: Client, snapshot: Path) -> dict[str, float]:
    """Every way once, in seconds, opening the log included."""
    took = {}
    began = time.perf_counter()
    log = await opened(nc)
    async for _sealed in log.read():
        pass
    took["reading_seconds"] = time.perf_counter() - began
    verified = log.head
    await log.close()

    began = time.perf_counter()
    log = await JetStreamLog.open(nc, DESK, LogOptions(verified=verified))
    orders = await recover_orders(log)
    took["orders_only_seconds"] = time.perf_counter() - began
    await log.close()

    began, cpu = time.perf_counter(), time.process_time()
    log = await opened(nc)
    engine, _ = await recover(log)
    took["full_seconds"] = time.perf_counter() - began
    took["full_cpu_seconds"] = time.process_time() - cpu
    snapshots.save(snapshot, engine, log.head)
    await log.close()

    began = time.perf_counter()
    log = await opened(nc)
    cached, _ = await recover(log, snapshot)
    took["from_snapshot_seconds"] = time.perf_counter() - began
    await log.close()
    assert engine.state.orders.dump() == orders.state.orders.dump(), "the copy has other orders"
    assert engine.state.digests() == cached.state.digests(), "the snapshot is another state"
    return took


async def opened(nc: Client) -> JetStreamLog:
    """The log, which whoever reads it checks, to the last turn."""
    return await JetStreamLog.open(nc, DESK, LogOptions(checked_by_read=True))


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
        f"(CPU {result['full_cpu_seconds']:.2f} s; reading and checking alone "
        f"{result['reading_seconds']:.2f} s), from a snapshot "
        f"{result['from_snapshot_seconds']:.2f} s"
    )


if __name__ == "__main__":
    main()
