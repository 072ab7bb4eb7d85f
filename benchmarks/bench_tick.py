"""Tick to decision, and tick to acknowledged turn, through the real runner, log and engine.

Best quotes arrive at a fixed rate on the wall clock; a maker with the usual wakes quotes against
the simulated venue; every turn is one fsynced append on an embedded JetStream. Baseline in the
same run: a bare synchronous nats-py publish of a message of the same size to the same server.

    python benchmarks/bench_tick.py --json
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import uvloop

from mm.apps.clock import PacedClock
from mm.apps.config import Config, build
from mm.apps.inbox import Inbox
from mm.apps.runner import Runner, Timing, pump
from mm.apps.session import opening
from mm.engine.core import Engine
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import QuoteUpdated
from mm.events.units import SECONDS, InstrumentId, Lots, Nanos, Ticks
from mm.gateways.base import Message
from mm.gateways.paper import PaperGateway
from mm.log import streams
from mm.log.chain import Sealed
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog
from mm.log.server import EmbeddedServer
from mm.projections.depth import warm

NAME = "bench:BTCUSDT"
INSTRUMENT = InstrumentDefined(
    instrument=InstrumentId(0),
    venue="bench",
    symbol="BTCUSDT",
    kind=ContractKind.LINEAR,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
)
MAKER = {
    "kind": "symmetric",
    "instrument": NAME,
    "order_size": "0.01",
    "position_max": "1",
    "half_spread_bps": 2,
    "drift_bps": 0.1,
}
LIMITS = {
    "order_size_max": "1",
    "order_notional_max": "100000",
    "position_max": "2",
    "open_orders_max": 20,
    "price_collar_bps": 100,
    "messages_per_second_max": 1000,
}
BARE_PUBLISHES = 2_000


def config() -> Config:
    """The maker's session."""
    plain = {
        "desk": "bench",
        "feed": {"kind": "synthetic"},
        "strategies": {"maker": MAKER},
        "limits": {NAME: LIMITS},
    }
    return build(plain, {}, {}, where="benchmark")


def ticks(start: Nanos, rate: int, seconds: float) -> Iterator[Message]:
    """Quotes at even distances; the price wanders by a tick every 16 of them."""
    for number in range(int(rate * seconds)):
        at = Nanos(start + number * SECONDS // rate)
        bid = 618_000 + (number // 16) % 64
        quote = QuoteUpdated(
            instrument=INSTRUMENT.instrument,
            received=at,
            venue_time=at,
            sequence=number + 1,
            bid=Ticks(bid),
            bid_size=Lots(100 + number % 7),
            ask=Ticks(bid + 1),
            ask_size=Lots(100 + number % 5),
        )
        yield Message(at, (quote,))


class Samples:
    """What every turn took."""

    def __init__(self) -> None:
        self.step: list[int] = []
        self.durable: list[int] = []
        self.decided: list[int] = []
        self.orders = 0
        self.events = 0

    def turn(self, sealed: Sealed, timing: Timing) -> None:
        """Take note of a durable turn."""
        self.events += sealed.turn.size
        self.orders += len(sealed.turn.decisions)
        if timing.heard_to_durable:
            self.durable.append(timing.heard_to_durable)
            self.decided.append(timing.heard_to_durable - timing.append)
        self.step.append(timing.step)


def quantiles(values: list[int]) -> dict[str, float]:
    """Milliseconds at the usual places."""
    ordered = sorted(values)
    at = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
    return {name: ordered[int(share * (len(ordered) - 1))] / 1e6 for name, share in at.items()}


async def one(rate: int, seconds: float, sync: str) -> dict[str, object]:
    """A session at one rate, on a fresh log."""
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedServer(Path(directory) / "store", sync=sync) as server:
            nc = await connect(server.access)
            log = await JetStreamLog.open(nc, streams.load("bench"))
            start = Nanos(time.time_ns())
            clock, inbox, samples = PacedClock(start), Inbox(), Samples()
            settings = config()
            gateway = PaperGateway(settings.paper.settings, 1)
            gateway.define(start, INSTRUMENT)
            runner = Runner(log, Engine(), gateway, clock, inbox)
            await runner.open(opening(settings, "bench", "paper", (INSTRUMENT,), start))
            runner.on_turn.append(samples.turn)
            pumping = asyncio.create_task(pump(ticks(clock.now(), rate, seconds), inbox, clock))
            await runner.run()
            await pumping
            await runner.close("bench", Nanos(0))
            bare = await bare_publish(nc, 200)
            await log.close()
            await close(nc)
    return {
        "ticks_per_second": rate,
        "sync": sync,
        "turns": len(samples.step),
        "events": samples.events,
        "decisions": samples.orders,
        "inbox_high_water": inbox.high_water,
        "tick_to_decision_ms": quantiles(samples.decided),
        "tick_to_durable_ms": quantiles(samples.durable),
        "step_ms": quantiles(samples.step),
        "bare_publish_ms": bare,
        "p50_over_bare": quantiles(samples.durable)["p50"] / bare["p50"],
    }


async def bare_publish(nc: object, size: int) -> dict[str, float]:
    """A synchronous publish of nats-py's own, on a stream of its own, at the same durability."""
    stream = nc.jetstream()  # type: ignore[attr-defined]
    await stream.add_stream(name="BARE", subjects=["bare"])
    payload, took = bytes(size), []
    for _ in range(BARE_PUBLISHES):
        began = time.monotonic_ns()
        await stream.publish("bare", payload)
        took.append(time.monotonic_ns() - began)
    return quantiles(took)


def main() -> None:
    """Measure at 100, 1,000 and 5,000 ticks a second and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rates", type=int, nargs="*", default=[100, 1_000, 5_000])
    parser.add_argument("--sync", default="always")
    arguments = parser.parse_args()
    warm()
    results = [uvloop.run(one(rate, arguments.seconds, arguments.sync)) for rate in arguments.rates]
    if arguments.json:
        json.dump(results, sys.stdout, indent=2)
        return
    for each in results:
        decided, durable = each["tick_to_decision_ms"], each["tick_to_durable_ms"]
        print(
            f"{each['ticks_per_second']:>6,} ticks/s  decision p50 {decided['p50']:.3f} "
            f"p99 {decided['p99']:.3f} ms   durable p50 {durable['p50']:.3f} "
            f"p99 {durable['p99']:.3f} ms   bare publish p50 {each['bare_publish_ms']['p50']:.3f} "
            f"p99 {each['bare_publish_ms']['p99']:.3f} ms   {each['decisions']:,} decisions"
        )


if __name__ == "__main__":
    main()
