"""Processes on one key: never above the limit together, and no cancel waits for the store."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from mm.errors import ConfigError
from mm.events.units import MILLIS, Nanos
from mm.gateways.limiter import SLOTS
from mm.gateways.order_port import Rate
from mm.gateways.shared_pool import account_of, joined
from mm.log.connection import close, connect
from mm.log.server import EmbeddedServer
from tests.gateways.spender import SEATS, Job

if TYPE_CHECKING:
    from pathlib import Path

RATE = Rate(name="weight", span=Nanos(2_000 * MILLIS), most=600)
CALLS = 120


async def spender(server: EmbeddedServer, name: str) -> asyncio.subprocess.Process:
    """Start a process that spends."""
    access = server.access
    job = Job(
        access.urls[0], access.user, access.password, name, RATE.most, RATE.span // MILLIS, CALLS
    )
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.gateways.spender",
        msgspec.json.encode(job).decode(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def told(process: asyncio.subprocess.Process, end: str) -> list[tuple[int, int]]:
    """Times and weights of its calls, up to a word."""
    assert process.stdout is not None
    calls = []
    while (line := (await process.stdout.readline()).decode().strip()) != end:
        assert line, "the process ended early"
        at, weight = line.split()
        calls.append((int(at), int(weight)))
    return calls


def heaviest(calls: list[tuple[int, int]], span: int) -> int:
    """The most that any window of this length holds."""
    calls = sorted(calls)
    most, total, first = 0, 0, 0
    for at, weight in calls:
        total += weight
        while calls[first][0] <= at - span:
            total -= calls[first][1]
            first += 1
        most = max(most, total)
    return most


async def test_three_processes_keep_one_limit(tmp_path: Path) -> None:
    """Whatever window is looked at; and when the store is gone, their cancels still leave."""
    async with asyncio.timeout(120), EmbeddedServer(tmp_path / "store") as server:
        processes = [await spender(server, f"desk-{number}") for number in range(SEATS)]
        spent = await asyncio.gather(*(told(process, "away") for process in processes))
        calls = [call for each in spent for call in each]
        assert len(calls) == SEATS * CALLS
        assert RATE.most // 2 < heaviest(calls, RATE.span) <= RATE.most
        await server.stop()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"gone\n")
            await process.stdin.drain()
        canceled = await asyncio.gather(*(told(process, "canceled") for process in processes))
        calls += [call for each in canceled for call in each]
        assert heaviest(calls, RATE.span) <= RATE.most
        for process in processes:
            await process.wait()


async def test_seats_are_limited_and_kept(tmp_path: Path) -> None:
    """A desk that starts again sits where it sat; one too many is refused."""
    async with EmbeddedServer(tmp_path / "store") as server:
        client = await connect(server.access)
        try:
            for name in ("a", "b", "a"):
                await joined(client, "account", name, (RATE,), 2)
            with pytest.raises(ConfigError, match="2 desks share this key"):
                await joined(client, "account", "c", (RATE,), 2)
            await joined(client, "another", "c", (RATE,), 2)
        finally:
            await close(client)


async def test_what_is_leased_ahead_outlives_the_store(tmp_path: Path) -> None:
    """The next slot's slice was taken before it was needed."""
    async with EmbeddedServer(tmp_path / "store") as server:
        client = await connect(server.access)
        pool = await joined(client, "account", "a", (RATE,), 2)
        slot = 1_000
        assert await pool.lease(RATE, slot, 5, 80) == 5
        await pool._lease_ahead()
        ((name, ahead),) = pool._stock
        await close(client)
        assert await pool.lease(RATE, ahead, 80, 80) == 80 // 8
        assert await pool.lease(RATE, ahead, 1, 80) == 0
        assert (name, SLOTS) == ("weight", 4)


def test_an_accounts_name_does_not_tell_its_key() -> None:
    """It stands in a store that others may read."""
    assert "secretkey" not in account_of("binance", "secretkey")
    assert account_of("binance", "a") != account_of("kraken", "a")
