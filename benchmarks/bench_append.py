"""Appending: acknowledged turns, flushed to disk and not, beside bare nats-py publishes.

Latency at 1,000 small turns a second, then as many turns a second as go one after the other, then
events a second when they come faster than appends and each turn takes what is there (192 facts).
Baselines in the same run, in turns with ours: nats-py's own synchronous publish of the same bytes
without ids, chain or fence; for events, of 64 of them a message.

    python benchmarks/bench_append.py --json
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import made_turns
import uvloop

from mm.events.codec import encode_event
from mm.events.turn import TURN_FACTS_MAX
from mm.events.units import Nanos
from mm.log import streams
from mm.log.chain import Sealed, seal
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog, LogOptions
from mm.log.server import EmbeddedServer

RATE = 1_000
ROUNDS = 5
BARE_EVENTS = 64
SYNCS = {"fsync every turn": "always", "fsync off": "2m"}


async def paced(count: int, one: Callable[[int], Awaitable[Any]]) -> list[float]:
    """Call it 1,000 times a second; what each call took, in milliseconds."""
    took, start = [], time.perf_counter()
    for number in range(count):
        wait = start + number / RATE - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        began = time.perf_counter()
        await one(number)
        took.append((time.perf_counter() - began) * 1e3)
    return took


async def flat_out(seconds: float, one: Callable[[int], Awaitable[Any]]) -> float:
    """Call it as often as it goes; calls a second."""
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        await one(count)
        count += 1
    return count / (time.perf_counter() - start)


def quantiles(took: list[float]) -> tuple[float, float]:
    """p50 and p99."""
    ordered = sorted(took)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


class Both:
    """Our log and a bare stream, on one server and with the same content."""

    def __init__(self, log: JetStreamLog, publish: Callable[[bytes], Awaitable[Any]]) -> None:
        """Prepare the facts that turns are made of."""
        chance = random.Random(7)
        self._small = [(made_turns.delta(chance, number),) for number in range(made_turns.POOL)]
        self._many = [made_turns.quote(chance, number) for number in range(made_turns.POOL)]
        self._bare = b"".join(encode_event(event) for event in self._many[:BARE_EVENTS])
        self._log = log
        self._publish = publish
        self.events = 0

    def _next(self, facts: Any) -> Sealed:
        head = self._log.head
        return seal(head, Nanos(max(head.at, time.time_ns())), facts, [])

    async def append(self, number: int) -> None:
        """One small turn, sealed and acknowledged."""
        await self._log.append(self._next(self._small[number % made_turns.POOL]))

    async def publish(self, number: int) -> None:
        """A bare publish of bytes of the same size."""
        await self._publish(self._next(self._small[number % made_turns.POOL]).payload)

    async def append_full(self, number: int) -> None:
        """A turn of all that is there, and more is there than fits."""
        start = number * TURN_FACTS_MAX % (made_turns.POOL - TURN_FACTS_MAX)
        await self._log.append(self._next(self._many[start : start + TURN_FACTS_MAX]))

    async def publish_some(self, _number: int) -> None:
        """A bare publish of 64 events, already encoded."""
        await self._publish(self._bare)


async def measure(sync: str, seconds: float) -> dict[str, float]:
    """All figures at one durability; medians over the rounds."""
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedServer(Path(directory) / "store", sync=sync) as server:
            nc = await connect(server.access)
            options = LogOptions(mark=Path(directory) / "mark")
            log = await JetStreamLog.open(nc, streams.load("bench"), options)
            bare = await connect(server.access)
            jetstream = bare.jetstream()
            await jetstream.add_stream(name="BARE", subjects=["bare"])
            both = Both(log, lambda payload: jetstream.publish("bare", payload))
            rounds = [await one_round(both, seconds) for _ in range(ROUNDS)]
            await log.close()
            await close(nc)
            await close(bare)
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


async def one_round(both: Both, seconds: float) -> dict[str, float]:
    """Ours and the baseline, one after the other."""
    count = int(RATE * seconds)
    p50, p99 = quantiles(await paced(count, both.append))
    bare_p50, bare_p99 = quantiles(await paced(count, both.publish))
    turns = await flat_out(seconds, both.append)
    messages = await flat_out(seconds, both.publish)
    events = await flat_out(seconds, both.append_full) * TURN_FACTS_MAX
    bare_events = await flat_out(seconds, both.publish_some) * BARE_EVENTS
    return {
        "ack_ms_p50": p50,
        "ack_ms_p99": p99,
        "bare_ms_p50": bare_p50,
        "bare_ms_p99": bare_p99,
        "p50_over_bare": p50 / bare_p50,
        "turns_per_second": turns,
        "bare_messages_per_second": messages,
        "events_per_second": events,
        "bare_events_per_second": bare_events,
        "events_over_bare": events / bare_events,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    run = asyncio.run if sys.platform == "win32" else uvloop.run
    result = {name: run(measure(sync, arguments.seconds)) for name, sync in SYNCS.items()}
    if arguments.json:
        json.dump(result, sys.stdout, indent=2)
        return
    for name, each in result.items():
        print(
            f"{name}: ack p50 {each['ack_ms_p50']:.3f} p99 {each['ack_ms_p99']:.3f} ms "
            f"(bare {each['bare_ms_p50']:.3f} / {each['bare_ms_p99']:.3f}), "
            f"{each['turns_per_second']:,.0f} turns/s (bare "
            f"{each['bare_messages_per_second']:,.0f}), {each['events_per_second']:,.0f} events/s "
            f"(bare {each['bare_events_per_second']:,.0f})"
        )


if __name__ == "__main__":
    main()
