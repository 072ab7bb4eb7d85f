"""A desk at MAX: quotes and fills at the emulated venue, an orderly end, and the log verified."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from mm.apps import venues
from mm.apps.config import build
from mm.apps.session import Session, recover
from mm.apps.venue_check import Check
from mm.emulator.max.front import MaxFront
from mm.engine.verify import Verifier
from mm.events.account import AccountReconciled
from mm.events.market import FeedGapped
from mm.events.orders import OrderFilled, OrderUncertain, PlaceOrder
from mm.events.units import Nanos
from mm.log.memory import MemoryLog
from tests.apps.stage import LIMITS
from tests.apps.test_live_venue import busy, configured
from tests.emulator.venue import KEYS, opened, reached, spot
from tests.gateways.live_market import Truth

NAME = "max:btcusdt"
DEFINED = spot(notional_min=Decimal(0))


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MM_MAX_KEY", KEYS.key)
    monkeypatch.setenv("MM_MAX_SECRET", KEYS.secret)


async def test_a_desk_trades_at_max_and_is_verified() -> None:
    """What the log says of the position is what the venue's fills make; nothing is left behind."""
    exchange, held = opened(DEFINED, "max")
    truth, log, count = Truth(exchange), MemoryLog(), 0
    async with reached(MaxFront(exchange, requests_max=100_000)) as there:
        values: dict[str, Any] = msgspec.json.decode(configured(there.running).as_json())
        values["feed"] = {"kind": "venue", "venue": "max", "symbols": ["btcusdt"]}
        values["venue"] = {"name": "max"}
        values["strategies"]["maker"]["instrument"] = NAME
        values["limits"] = {NAME: {**LIMITS, "price_collar_bps": 500}}
        config = build(values, {}, {}, where="test")
        engine, _ = await recover(log)
        async with venues.wired(config, engine, Nanos(time.time_ns()), paper=False) as wiring:
            session = Session(config, log, engine, wiring)

            def look(sealed: Any, _timing: Any) -> None:
                nonlocal count
                count += sum(isinstance(fact, OrderFilled) for fact in sealed.turn.facts)
                if count >= 3:
                    session.runner.stop("test", "enough")

            session.runner.on_turn.append(look)
            market = asyncio.create_task(busy(truth))
            async with asyncio.timeout(90):
                ended = await session.run("live")
            market.cancel()
    assert ended.reason == "enough"
    assert not ended.faulted
    assert not ended.halted
    assert not ended.open
    assert held.open() == []
    turns = [sealed.turn async for sealed in log.read()]
    kinds = [type(event) for turn in turns for event in (*turn.facts, *turn.decisions)]
    assert kinds.index(AccountReconciled) < kinds.index(PlaceOrder)
    assert not {OrderUncertain, FeedGapped} & set(kinds)
    verifier = Verifier()
    async for sealed in log.read():
        assert verifier.take(sealed)
    again, _ = await recover(log)
    bought = sum(int(fill.side) * fill.size for fill in held.fills)
    assert again.state.ledger.net(next(iter(again.state.ledger.instruments))) == bought


@pytest.mark.parametrize("venue", ["max", "max_margin"])
async def test_each_wallet_is_checked(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instruments, clock, account, orders and limits, with the key of the account."""
    exchange, _ = opened(DEFINED, "max")
    async with reached(MaxFront(exchange)) as there:
        for name, value in there.running.environment.items():
            monkeypatch.setenv(name, value)
        steps = await Check(venue, ("btcusdt",)).run()
    assert all(step.ok for step in steps), steps
    assert f"{venue}:btcusdt" in steps[0].found
