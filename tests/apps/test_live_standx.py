"""A desk on a real account at an emulated StandX: quotes, fills, an orderly end, verified."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from mm.apps import venues
from mm.apps.config import Config, build
from mm.apps.session import Session, recover
from mm.apps.venue_check import Check
from mm.emulator.standx.perps import StandxFront
from mm.engine.verify import Verifier
from mm.events.account import AccountReconciled, BalanceReported
from mm.events.market import BookDelta, FeedGapped
from mm.events.orders import OrderFilled, PlaceOrder
from mm.events.units import Nanos
from mm.events.venue import ClockMeasured
from mm.log.memory import MemoryLog
from tests.apps.stage import LIMITS, plain
from tests.apps.test_live_venue import busy
from tests.emulator.venue import reached
from tests.gateways.live_market import Truth
from tests.gateways.venues.standx_desk import KEYS, opened

if TYPE_CHECKING:
    from mm.emulator.server import Running

SYMBOL = "standx:BTC-USD"
FILLS = 5


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MM_STANDX_KEY", KEYS.key)
    monkeypatch.setenv("MM_STANDX_SECRET", KEYS.secret)


def configured(emulator: Running) -> Config:
    """A maker of one symbol, with an account of its own."""
    values = plain(instrument=SYMBOL, half_spread_bps=1, level_spacing_bps=1)
    values["limits"] = {SYMBOL: {**LIMITS, "price_collar_bps": 500}}
    values["feed"] = {"kind": "venue", "venue": "standx", "symbols": ["BTC-USD"]}
    values["venue"] = {"name": "standx", "connect_timeout": "20s"}
    values["network"] = {
        "resolve": emulator.environment["MM_RESOLVE"],
        "ca": str(emulator.ca_file),
    }
    return build(values, {}, {}, where="test")


async def test_desk_trades_at_standx_and_is_verified() -> None:
    """The log says what the venue says, to the last lot; nothing is left behind."""
    log, fills = MemoryLog(), 0
    exchange, held = opened()
    truth = Truth(exchange)
    async with reached(StandxFront(exchange)) as there:
        config = configured(there.running)
        engine, _ = await recover(log)
        async with venues.wired(config, engine, Nanos(time.time_ns()), paper=False) as wiring:
            session = Session(config, log, engine, wiring)

            def look(sealed: Any, _timing: Any) -> None:
                nonlocal fills
                fills += sum(isinstance(fact, OrderFilled) for fact in sealed.turn.facts)
                if fills >= FILLS:
                    session.runner.stop("test", "enough")

            session.runner.on_turn.append(look)
            market = asyncio.create_task(busy(truth))
            async with asyncio.timeout(90):
                ended = await session.run("live")
            market.cancel()
    assert (ended.reason, ended.faulted, ended.halted) == ("enough", "", "")
    assert not ended.open
    assert held.open() == []
    events = [
        event
        async for sealed in log.read()
        for event in (*sealed.turn.facts, *sealed.turn.decisions)
    ]
    kinds = [type(event) for event in events]
    assert kinds.count(OrderFilled) == len(held.fills) >= FILLS
    assert kinds.index(AccountReconciled) < kinds.index(PlaceOrder)
    assert {BalanceReported, ClockMeasured, BookDelta} <= set(kinds)
    assert FeedGapped not in kinds
    verifier = Verifier()
    async for sealed in log.read():
        assert verifier.take(sealed)
    assert verifier.result().turns == log.head.number
    engine, _ = await recover(log)
    instrument = next(iter(engine.state.ledger.instruments))
    bought = sum(int(fill.side) * fill.size for fill in held.fills)
    assert engine.state.ledger.net(instrument) == bought


async def test_venue_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step that a session needs is good."""
    exchange, _ = opened()
    async with reached(StandxFront(exchange)) as there:
        for name, value in there.running.environment.items():
            monkeypatch.setenv(name, value)
        steps = await Check("standx", ("BTC-USD",)).run()
    assert [step for step in steps if not step.ok] == []
