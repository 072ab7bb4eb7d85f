"""A session on a live venue: quotes and fills on paper, a clean stop, verified to the last byte."""

import asyncio
import time
from typing import Any

import pytest

from mm.apps import venues
from mm.apps.config import Config, build
from mm.apps.session import Ended, Session, recover
from mm.apps.wiring import precheck
from mm.emulator.binance.spot import SpotFront
from mm.emulator.server import Running
from mm.engine.verify import Verifier
from mm.errors import ConfigError
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta, FeedDown, FeedGapped, FeedUp, TradePrinted
from mm.events.orders import OrderFilled, PlaceOrder
from mm.events.units import Nanos, Side
from mm.log.memory import MemoryLog
from tests.apps.stage import LIMITS, plain
from tests.emulator.venue import opened, printed, reached, spot
from tests.gateways.live_market import Truth

BTC = "binance:BTCUSDT"


def configured(emulator: Running | None = None, **feed: Any) -> Config:
    """A maker on an emulated venue's market."""
    values = plain(instrument=BTC, half_spread_bps=1, level_spacing_bps=1)
    values["limits"] = {BTC: {**LIMITS, "price_collar_bps": 500}}
    values["feed"] = {"kind": "venue", "venue": "binance", "symbols": ["BTCUSDT"], **feed}
    if emulator is not None:
        values["network"] = {
            "resolve": emulator.environment["MM_RESOLVE"],
            "ca": str(emulator.ca_file),
        }
    return build(values, {}, {}, where="test")


async def busy(truth: Truth) -> None:
    """A market that moves and trades, for ever."""
    number = 0
    while True:
        truth.step()
        number += 1
        (bid, _), (ask, _) = truth.listing.book.bids(1)[0], truth.listing.book.asks(1)[0]
        price, side = (bid, Side.SELL) if number % 2 else (ask, Side.BUY)
        at = truth.exchange.now()
        truth.exchange.tell(printed(number, price, 1_000_000, side, at=at))
        await asyncio.sleep(0.01)


async def played(log: MemoryLog, fills: int) -> tuple[Ended, list[Any]]:
    """One session until there were some fills; how it ended, and every event of it."""
    exchange, _ = opened(spot(lot_size=spot().lot_size / 1000, size_step=1000, size_min=1000))
    truth = Truth(exchange)
    async with reached(SpotFront(exchange)) as there:
        config = configured(there.running, channels=["book", "quotes", "fills"])
        precheck(config)
        engine, _ = await recover(log)
        before, count, deltas = engine.turns, 0, 0
        async with venues.wired(config, engine, Nanos(time.time_ns())) as wiring:
            session = Session(config, log, engine, wiring)

            def look(sealed: Any, _timing: Any) -> None:
                nonlocal count, deltas
                count += sum(isinstance(fact, OrderFilled) for fact in sealed.turn.facts)
                deltas += sum(isinstance(fact, BookDelta) for fact in sealed.turn.facts)
                if count >= fills and deltas > 2:
                    session.runner.stop("test", "enough")

            session.runner.on_turn.append(look)
            market = asyncio.create_task(busy(truth))
            async with asyncio.timeout(60):
                ended = await session.run("paper")
            market.cancel()
    turns = [sealed.turn async for sealed in log.read(before)]
    return ended, [event for turn in turns for event in (*turn.facts, *turn.decisions)]


async def test_a_desk_trades_on_a_live_venue_and_is_verified() -> None:
    """Two sessions on one log: quotes, fills, an orderly end, and every decision recomputed."""
    log = MemoryLog()
    for fills in (3, 2):
        ended, events = await played(log, fills)
        assert ended.reason == "enough"
        assert not ended.faulted
        assert not ended.open
        kinds = [type(event) for event in events]
        assert kinds.count(OrderFilled) >= fills
        for kind in (InstrumentDefined, FeedUp, BookDelta, TradePrinted, PlaceOrder):
            assert kind in kinds
        assert FeedGapped not in kinds
        assert FeedDown not in kinds
    verifier = Verifier()
    async for sealed in log.read():
        assert verifier.take(sealed)
    result = verifier.result()
    assert result.turns == log.head.number


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        ({"venue": "nowhere"}, "there is no venue"),
        ({"channels": ["gossip"]}, "no channel gossip"),
        ({"channels": ["marks"]}, "no channel marks"),
        ({"channels": ["trades", "fills"]}, "twice"),
        ({"interval": "7m"}, "no interval"),
    ],
)
def test_what_a_venue_has_not_is_refused(feed: dict[str, Any], words: str) -> None:
    """A venue, channel or interval that there is not is named."""
    with pytest.raises(ConfigError, match=words):
        venues.market_port(configured(**feed).feed)  # type: ignore[arg-type]


def test_a_strategy_elsewhere_is_refused_before_anything_begins() -> None:
    """An instrument that is none of the feed's is refused without asking the venue."""
    with pytest.raises(ConfigError, match="does not carry"):
        precheck(configured(symbols=["ETHUSDT"]))
