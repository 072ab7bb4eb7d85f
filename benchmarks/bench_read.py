"""Reading 5 million events back from JetStream: checked only, orders only, and everything.

Two mixes: small turns of 5.6 events as a live session makes them, and full turns of 192. `verify`
checks every hash and link without reading the events, `orders` opens a log whose chain was verified
before and reads the copy of the orders' turns, `read` decodes all and checks all. CPU seconds are
our own: on a busy machine they say what the clock would on a quiet one. Baseline: nats-py reading
the same stream through its fastest consumer (ordered, with a callback), looking at nothing.

    python benchmarks/bench_read.py --json
"""

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import made_turns
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from mm.events.units import TurnNumber
from mm.log import streams
from mm.log.chain import START, Sealed
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog, LogOptions
from mm.log.reader import Reader
from mm.log.server import EmbeddedServer
from mm.log.wire import Frame, attach
from mm.log.writer import headers_of

DESK = streams.load("bench")
WINDOW = 512
ROUNDS = 3
BASELINE_TURNS = 100_000


async def fill(nc: Client, turns: Iterator[tuple[Sealed, int]]) -> tuple[int, int]:
    """Write the turns many at a time, each naming its predecessor; how many, and how many events.

    The log itself waits for each acknowledgement; here only the content matters.
    """
    wire, waiting, room, events, number = await attach(nc), 0, asyncio.Event(), 0, 0

    def heard(frames: list[Frame]) -> None:
        nonlocal waiting
        waiting -= len(frames)
        for _, _, payload in frames:
            assert b'"error"' not in payload, payload
        if waiting < WINDOW // 2:
            room.set()

    inbox, done = await wire.listen(heard)
    for sealed, count in turns:
        subject = DESK.orders_subject if sealed.turn.previous_orders else DESK.market_subject
        message = subject.encode(), inbox + b"x", sealed.payload
        headers = headers_of(sealed, DESK.session.name)
        while not wire.send(*message, headers):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        waiting, events, number = waiting + 1, events + count, number + 1
        while waiting >= WINDOW:
            room.clear()
            await room.wait()
    while waiting:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await done()
    return number, events


async def baseline(nc: Client, turns: int) -> float:
    """Turns a second that nats-py hands to a callback."""
    seen, ended = 0, asyncio.Event()

    async def count(_message: Msg) -> None:
        nonlocal seen
        seen += 1
        if seen == turns:
            ended.set()

    began = time.perf_counter()
    subscription = await nc.jetstream().subscribe(
        "mm.bench.>", stream=DESK.session.name, ordered_consumer=True, cb=count
    )
    await ended.wait()
    took = time.perf_counter() - began
    await subscription.unsubscribe()
    return turns / took


async def one_round(nc: Client, turns: int) -> dict[str, float]:
    """Each way of reading once, in seconds."""
    reader = Reader(await attach(nc), DESK)
    last = TurnNumber(turns)
    began, cpu_began = time.perf_counter(), time.process_time()
    head = await reader.verify(START, last)
    verified, cpu_verified = time.perf_counter(), time.process_time()
    options = LogOptions(verified=head)
    log = await JetStreamLog.open(nc, DESK, options)
    orders = sum([1 async for _ in log.read_orders()])
    ordered, cpu_ordered = time.perf_counter(), time.process_time()
    read = sum([1 async for _ in reader.turns(START, last)])
    ended, cpu_ended = time.perf_counter(), time.process_time()
    await log.close()
    assert (read, orders) == (turns, sum([1 async for _ in reader.orders(head)]))
    return {
        "verify_seconds": verified - began,
        "orders_only_seconds": ordered - verified,
        "read_seconds": ended - ordered,
        "verify_cpu_seconds": cpu_verified - cpu_began,
        "read_cpu_seconds": cpu_ended - cpu_ordered,
        "orders_turns": orders,
        "baseline_turns_per_second": await baseline(nc, min(turns, BASELINE_TURNS)),
    }


async def measure(mix: str, events: int) -> dict[str, float]:
    """Fill a stream and read it; medians over the rounds."""
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedServer(Path(directory) / "store", sync="2m") as server:
            nc = await connect(server.access)
            await streams.ensure(nc, DESK)
            turns, written = await fill(nc, made_turns.MIXES[mix](events))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            rounds = [await one_round(nc, turns) for _ in range(ROUNDS)]
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            await close(nc)
    result = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    rate = turns / result["read_seconds"]
    return {
        "events": written,
        "turns": turns,
        **result,
        "read_events_per_second": written / result["read_seconds"],
        "read_turns_over_baseline": rate / result["baseline_turns_per_second"],
        "memory_grown_mb": (after - before) / 1024,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=5_000_000)
    arguments = parser.parse_args()
    run = asyncio.run if sys.platform == "win32" else uvloop.run
    result = {mix: run(measure(mix, arguments.events)) for mix in made_turns.MIXES}
    if arguments.json:
        json.dump(result, sys.stdout, indent=2)
        return
    for mix, each in result.items():
        print(
            f"{mix}: {each['events']:,.0f} events in {each['turns']:,.0f} turns: verified in "
            f"{each['verify_seconds']:.2f} s, {each['orders_turns']:,.0f} turns of orders in "
            f"{each['orders_only_seconds']:.2f} s, everything read in {each['read_seconds']:.2f} s "
            f"({each['read_turns_over_baseline']:.2f} x nats-py's bare callback), memory grown "
            f"{each['memory_grown_mb']:.0f} MB"
        )


if __name__ == "__main__":
    main()
