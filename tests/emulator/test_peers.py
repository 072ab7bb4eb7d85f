"""Clients that nobody here wrote trade against the emulator, on the addresses they ship with.

Each runs in an environment of its own, where nothing of ours is installed, and can reach nothing
but the emulator. Where an environment cannot be made the test says so and is skipped.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.peers.environments import (
    BINANCE_CONNECTOR,
    PYTHON_BINANCE,
    Absent,
    Environment,
    cache,
    made,
)
from mm.emulator.binance.spot import SpotFront
from mm.emulator.binance.usdm import UsdmFront
from mm.emulator.exchange import Exchange
from mm.emulator.server import running
from mm.events.units import Side
from tests.emulator.venue import KEYS, change, opened, perpetual, printed, spot

PEERS = Path(__file__).with_name("peers")
SECONDS_MAX = 120


def python_of(environment: Environment) -> Path:
    """Its Python; the test is skipped where it cannot be had."""
    try:
        return made(environment, cache())
    except Absent as reason:
        pytest.skip(str(reason))


class Peer(NamedTuple):
    """A script that runs, and says something now and then."""

    process: asyncio.subprocess.Process

    async def says(self) -> Any:
        """The next thing."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), SECONDS_MAX)
        assert line, (await self.ended(), self.process.returncode)
        return json.loads(line)

    async def ended(self) -> bytes:
        """Its last words."""
        assert self.process.stderr is not None
        return await asyncio.wait_for(self.process.stderr.read(), SECONDS_MAX)


@asynccontextmanager
async def trading(environment: Environment, script: str, *fronts: Any) -> AsyncIterator[Peer]:
    """A script of a peer's beside an emulator."""
    python = await asyncio.to_thread(python_of, environment)
    async with running(*fronts) as emulator:
        told = {
            "EMULATOR_PORT": str(emulator.port),
            "EMULATOR_HOSTS": ",".join(emulator.hosts),
            "SSL_CERT_FILE": str(emulator.ca_file),
            "REQUESTS_CA_BUNDLE": str(emulator.ca_file),
            "WEBSOCKET_CLIENT_CA_BUNDLE": str(emulator.ca_file),
            "MM_BINANCE_KEY": KEYS.key,
            "MM_BINANCE_SECRET": KEYS.secret,
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
        }
        process = await asyncio.create_subprocess_exec(
            *(python, PEERS / script),
            env=told,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield Peer(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_binance_connector_trades() -> None:
    """REST, market and private streams, a fill, a cancel, and a refusal."""
    exchange, account = opened(spot())
    async with trading(BINANCE_CONNECTOR, "connector.py", SpotFront(exchange)) as peer:
        assert await peer.says() == {"symbol": "BTCUSDT", "bid": ["59900.00000000", "1.00000000"]}
        assert await peer.says() == {"acks": [None, None]}
        order = await peer.says()
        assert order["status"] == "NEW"
        exchange.tell(printed(1, 5_995_000, 50_000, Side.SELL))
        filled = await peer.says()
        assert filled["filled"] == "0.50000000"
        assert await peer.says() == {"trades": [filled["trade"]]}
        assert await peer.says() == {"canceled": "CANCELED"}
        assert await peer.says() == {"code": -2011, "status": 400}
        assert await asyncio.wait_for(peer.process.wait(), SECONDS_MAX) == 0
    assert account.order(order["order"]) is not None


async def test_python_binance_trades_spot_and_futures() -> None:
    """Its depth cache, its user sockets over the WebSocket API and by listen key."""
    exchange, _ = opened(spot())
    contracts, _ = opened(perpetual(), "binance_usdm")
    fronts = (SpotFront(exchange), UsdmFront(contracts))
    async with trading(PYTHON_BINANCE, "python_binance.py", *fronts) as peer:
        ticking = asyncio.create_task(tick(exchange))
        found = await peer.says()
        ticking.cancel()
        assert found["bids"][0] == [59_900.0, 1.0]
        assert await peer.says() == {"listening": "spot"}
        assert (await peer.says())["status"] == "NEW"
        exchange.tell(printed(1, 5_995_000, 50_000, Side.SELL))
        assert await peer.says() == {"filled": "0.50000000"}
        assert await peer.says() == {"canceled": "CANCELED"}
        assert await peer.says() == {"code": -2013}
        assert await peer.says() == {"listening": "futures"}
        assert (await peer.says())["status"] == "NEW"
        contracts.tell(printed(1, 599_500, 500, Side.SELL))
        assert await peer.says() == {"filled": "0.500"}
        assert await peer.says() == {"position": "0.500"}


async def tick(exchange: Exchange) -> None:
    """The book moves all the time."""
    for number in range(101, 10_000):
        exchange.tell(change(number, bids=(5_980_000, number)))
        await asyncio.sleep(0.05)
