"""Tick to cancel at a venue: from a market frame that moves the quote to the cancel at the venue.

The real runner, engine, log in memory, feed, gateway and Binance port trade over TLS with the real
emulator in the same process, so that both ends read one clock. The market steps at a fixed rate;
measured is from when the emulator sent the frame of a step to when it heard the first cancel that
the desk made of it. Beside it, in the same run: a bare signed cancel of an order that is not there,
answered by the same emulator, which is what the wire and ccxt's signing cost alone.

    python benchmarks/bench_orders.py --json
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import uvloop

from mm.apps import venues
from mm.apps.config import Config, build
from mm.apps.session import Session
from mm.emulator.binance.calls import Call
from mm.emulator.binance.spot import SpotFront
from mm.emulator.server import Hub, running
from mm.emulator.sockets import Socket
from mm.engine.core import Engine
from mm.events.market import BookSnapshot
from mm.events.units import Nanos
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.network import NetworkSettings, open_network
from mm.gateways.venues.binance.rest import Rest
from mm.gateways.venues.binance.spot import Spot
from mm.gateways.verdicts import VenueSaid
from mm.log.memory import MemoryLog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.emulator.venue import KEYS, book, opened, spot

NAME: Final = "binance:BTCUSDT"
STEP_TICKS: Final = 500
ORDERS: Final = 2


def configured(environment: dict[str, str]) -> Config:
    """One maker of one level a side, asked by every change of the mid."""
    return build(
        {
            "desk": "bench",
            "feed": {
                "kind": "venue",
                "venue": "binance",
                "symbols": ["BTCUSDT"],
                "channels": ["book"],
            },
            "venue": {"name": "binance"},
            "network": {"resolve": environment["MM_RESOLVE"], "ca": environment["MM_CA_FILE"]},
            "strategies": {
                "maker": {
                    "kind": "symmetric",
                    "instrument": NAME,
                    "order_size": 0.01,
                    "position_max": 1,
                    "half_spread_bps": 5,
                    "refresh": "1s",
                    "drift_bps": 0.1,
                }
            },
            "limits": {
                NAME: {
                    "order_size_max": 1,
                    "order_notional_max": 1_000_000,
                    "position_max": 2,
                    "open_orders_max": 20,
                    "price_collar_bps": 500,
                    "messages_per_second_max": 1_000,
                }
            },
        },
        {},
        {},
        where="bench",
    )


def stepped(number: int) -> BookSnapshot:
    """The book, its mid to and fro."""
    mid, depth = 6_000_000 + STEP_TICKS * (number % 2), 100_000
    return book(1_000 + number, (mid - 1, depth), (mid + 1, depth))


class Witness:
    """When the emulator sent the frame of a step, and when it heard the first cancel after it."""

    def __init__(self, front: SpotFront) -> None:
        """Stand in front of the endpoint that cancels."""
        self.awaited = False
        self.told = 0
        self.took: list[int] = []
        key = ("DELETE", "/api/v3/order")
        endpoint = front.endpoints[key]
        answer: Callable[[Call], Any] = endpoint.answer

        def heard(call: Call) -> Any:
            if self.told:
                self.took.append(time.perf_counter_ns() - self.told)
                self.told = 0
            return answer(call)

        front.endpoints[key] = endpoint._replace(answer=heard)

    def watch(self, hub: Hub) -> None:
        """Stand beside what leaves on sockets: depth is told ten times a second, not at once."""
        frames = hub.faults.frames

        def sent(socket: Socket, stream: str, frame: bytes) -> list[bytes]:
            if self.awaited and b"depthUpdate" in frame:
                self.awaited, self.told = False, time.perf_counter_ns()
            return frames(socket, stream, frame)

        hub.faults.frames = sent  # type: ignore[method-assign]


async def measured(steps: int, rate: float) -> dict[str, Any]:
    """Play a market of so many steps; returns microseconds."""
    exchange, _ = opened(spot())
    front = SpotFront(exchange)
    witness = Witness(front)
    async with running(front) as emulator:
        witness.watch(emulator.hub)
        config, log, engine = configured(emulator.environment), MemoryLog(), Engine()
        wall = Nanos(time.time_ns())
        async with venues.wired(config, engine, wall, paper=False) as wiring:
            session = Session(config, log, engine, wiring)
            playing = asyncio.create_task(session.run("live"))
            number = 0
            while len(engine.state.orders.live) < ORDERS and not playing.done():
                number += 1
                exchange.tell(stepped(number))
                await asyncio.sleep(1 / rate)
            for _ in range(steps):
                number += 1
                witness.awaited, witness.told = True, 0
                exchange.tell(stepped(number))
                await asyncio.sleep(1 / rate)
            session.runner.stop("bench", "measured")
            await playing
        bare = await _bare(emulator.environment, steps)
    return {
        "steps": steps,
        "rate": rate,
        "cancels": len(witness.took),
        "tick_to_cancel_us": _quantiles(witness.took),
        "bare_cancel_round_trip_us": _quantiles(bare),
    }


async def _bare(environment: dict[str, str], count: int) -> list[int]:
    """Cancels of nothing, one after the other."""
    settings = NetworkSettings(resolve=environment["MM_RESOLVE"], ca=environment["MM_CA_FILE"])
    took = []
    async with open_network(Spot().hosts, settings) as session:
        clock = VenueClock("binance", lambda: Nanos(time.time_ns()))
        rest = Rest(session, Credentials(KEYS.key, KEYS.secret), clock)

        async def venue_clock() -> Nanos:
            answer = await rest.call("publicGetTime")
            return Nanos(int(answer["serverTime"]) * 1_000_000)

        await clock.measure(venue_clock)
        for _ in range(count):
            began = time.perf_counter_ns()
            with suppress(VenueSaid):
                await rest.call("privateDeleteOrder", symbol="BTCUSDT", orderId=1)
            took.append(time.perf_counter_ns() - began)
    return took


def _quantiles(took: list[int]) -> dict[str, float]:
    ordered = sorted(took)
    at = {"p50": 0.5, "p99": 0.99}
    return {name: ordered[int(part * (len(ordered) - 1))] / 1_000 for name, part in at.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rate", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = uvloop.run(measured(given.steps, given.rate))
    if given.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    for name, value in figures.items():
        sys.stdout.write(f"{name}: {value}\n")


if __name__ == "__main__":
    main()
