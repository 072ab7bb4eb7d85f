"""A desk on a real account: quotes and fills at an emulated venue, and the log verified."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from mm.apps import venues
from mm.apps.accounts import account_at, check_account
from mm.apps.config import Config, build
from mm.apps.session import Ended, Session, recover
from mm.emulator.binance.spot import SpotFront
from mm.engine.verify import Verifier
from mm.errors import ConfigError
from mm.events.account import AccountReconciled, BalanceReported
from mm.events.orders import OrderFilled, PlaceOrder
from mm.events.units import Nanos
from mm.events.venue import ClockMeasured
from mm.log.memory import MemoryLog
from tests.apps.test_live_venue import busy, configured
from tests.emulator.venue import KEYS, opened, reached, spot
from tests.gateways.fake_venue import now
from tests.gateways.live_market import Truth

if TYPE_CHECKING:
    from mm.emulator.account import Account
    from mm.emulator.server import Running

CHANNELS = ["book", "quotes", "fills"]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ccxt")


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MM_BINANCE_KEY", KEYS.key)
    monkeypatch.setenv("MM_BINANCE_SECRET", KEYS.secret)


def real(emulator: Running | None = None, **venue: Any) -> Config:
    """The maker of the paper test, with an account of its own."""
    values = msgspec.json.decode(configured(emulator, channels=CHANNELS).as_json())
    values["venue"] = {"name": "binance", "connect_timeout": "20s", **venue}
    return build(values, {}, {}, where="test")


async def traded(log: MemoryLog, fills: int) -> tuple[Ended, list[Any], Account]:
    """One session until there were some fills; how it ended, its events, and the venue's view."""
    exchange, held = opened(spot(lot_size=spot().lot_size / 1000, size_step=1000, size_min=1000))
    truth = Truth(exchange)
    async with reached(SpotFront(exchange)) as there:
        config = real(there.running)
        engine, _ = await recover(log)
        before, count = engine.turns, 0
        async with venues.wired(config, engine, Nanos(time.time_ns()), paper=False) as wiring:
            session = Session(config, log, engine, wiring)

            def look(sealed: Any, _timing: Any) -> None:
                nonlocal count
                count += sum(isinstance(fact, OrderFilled) for fact in sealed.turn.facts)
                if count >= fills:
                    session.runner.stop("test", "enough")

            session.runner.on_turn.append(look)
            market = asyncio.create_task(busy(truth))
            async with asyncio.timeout(90):
                ended = await session.run("live")
            market.cancel()
    turns = [sealed.turn async for sealed in log.read(before)]
    return ended, [event for turn in turns for event in (*turn.facts, *turn.decisions)], held


async def test_a_desk_trades_at_a_venue_and_is_verified() -> None:
    """Quotes, fills, an orderly end with nothing left behind; the log says what the venue says."""
    log = MemoryLog()
    ended, events, held = await traded(log, 5)
    assert ended.reason == "enough"
    assert not ended.faulted
    assert not ended.halted
    assert not ended.open
    assert not held.open(None)
    kinds = [type(event) for event in events]
    assert kinds.count(OrderFilled) >= 5
    assert kinds.index(AccountReconciled) < kinds.index(PlaceOrder)
    assert {BalanceReported, ClockMeasured} <= set(kinds)
    verifier = Verifier()
    async for sealed in log.read():
        assert verifier.take(sealed)
    assert verifier.result().turns == log.head.number
    engine, _ = await recover(log)
    bought = sum(int(fill.side) * fill.size for fill in held.fills)
    instrument = next(iter(engine.state.ledger.instruments))
    assert engine.state.ledger.net(instrument) == bought
    for balance in held.balances():
        told = engine.state.balances.total("main", balance.asset)
        assert told == balance.free + balance.locked


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"venue": {"name": "nowhere"}}, "no orders can be sent to 'nowhere'"),
        ({"venue": {"name": "kraken"}}, "is not traded at kraken"),
        ({"amend": True}, "binance cannot amend orders"),
    ],
)
def test_what_an_account_cannot_be_is_refused(what: dict[str, Any], words: str) -> None:
    """A venue that there is not, another venue's instrument, an order that cannot be amended."""
    config = real(**what.get("venue", {}))
    if "amend" in what:
        maker = msgspec.structs.replace(config.strategies["maker"], amend=True)
        config = msgspec.structs.replace(config, strategies={"maker": maker})
    with pytest.raises(ConfigError, match=words):
        check_account(config)


def test_another_wallet_than_the_accounts_is_refused() -> None:
    """The venue would not know whose order it is."""
    with pytest.raises(ConfigError, match=r"is not venue\.wallet = 'other'"):
        real(wallet="other")


async def test_desks_on_one_key_need_a_server_between_them() -> None:
    """Without one, nothing is sent: their limits could not be kept."""
    config, log = real(processes_max=2), MemoryLog()
    engine, _ = await recover(log)
    with pytest.raises(ConfigError, match="share its limits"):
        async with account_at(config, engine, (), None, (print, now)):  # type: ignore[arg-type]
            raise AssertionError
