"""Unmodified ccxt.pro trades USD-M futures against the emulator on production addresses."""

import asyncio
from typing import Any

import ccxt.pro
import pytest

from mm.emulator.account import Account
from mm.emulator.binance.usdm import UsdmFront
from mm.emulator.exchange import Exchange
from mm.events.units import Side
from tests.emulator.ccxt_client import usdm_client
from tests.emulator.venue import change, opened, perpetual, printed, until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ccxt")
SYMBOL = "BTC/USDT:USDT"


@pytest.fixture
def market() -> tuple[Exchange, Account]:
    """A BTC perpetual."""
    return opened(perpetual(), "binance_usdm")


async def test_the_book_is_followed_by_its_updates(market: tuple[Exchange, Account]) -> None:
    """Updates are chained by the one before."""
    exchange, _ = market
    async with usdm_client(UsdmFront(exchange)) as venue:
        await venue.load_markets()
        watching = asyncio.create_task(venue.watch_order_book(SYMBOL))
        for number in range(101, 130):
            await asyncio.sleep(0.02)
            exchange.tell(change(number, bids=(599_000 - number, number)))
        await watching
        found = await until(lambda: venue.watch_order_book(SYMBOL), lambda b: b["nonce"] == 129)
        assert found["bids"][1] == [59_889.9, 0.101]
        assert len(found["bids"]) == 2 + 29


async def test_a_position_opens_by_a_fill_and_closes_by_a_market_order(
    market: tuple[Exchange, Account],
) -> None:
    """The private stream tells the order, REST the position and what was realised."""
    exchange, _ = market
    async with usdm_client(UsdmFront(exchange)) as venue:
        await venue.load_markets()
        watching = asyncio.create_task(venue.watch_orders(SYMBOL))
        await asyncio.sleep(0.5)
        placed = await venue.create_order(
            SYMBOL, "limit", "buy", 0.5, 59_950, {"clientOrderId": "mine-1", "postOnly": True}
        )
        (resting,) = await asyncio.wait_for(watching, 10)
        assert (resting["status"], resting["clientOrderId"]) == ("open", "mine-1")
        watching = asyncio.create_task(venue.watch_orders(SYMBOL))
        await asyncio.sleep(0)
        exchange.tell(printed(1, 599_500, 500, Side.SELL))
        found = await asyncio.wait_for(watching, 10)
        assert (found[-1]["id"], found[-1]["status"]) == (placed["id"], "closed")
        (position,) = await venue.fetch_positions([SYMBOL])
        assert (position["contracts"], position["entryPrice"]) == (0.5, 59_950)
        await venue.create_order(SYMBOL, "market", "sell", 0.5, None, {"reduceOnly": True})
        trades = await venue.fetch_my_trades(SYMBOL)
        assert float(trades[-1]["info"]["realizedPnl"]) == -0.5 * 50
        assert await venue.fetch_positions([SYMBOL]) == []
        fees = 0.5 * 59_950 * 0.0002 + 0.5 * 59_900 * 0.0005
        balance = await venue.fetch_balance()
        assert balance["USDT"]["total"] == pytest.approx(1_000_000 - 25 - fees)


async def test_an_order_is_moved(market: tuple[Exchange, Account]) -> None:
    """It keeps its id at the new price and size."""
    async with usdm_client(UsdmFront(market[0])) as venue:
        await venue.load_markets()
        placed = await venue.create_order(SYMBOL, "limit", "buy", 0.5, 59_800)
        await venue.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.4, 59_850)
        (found,) = await venue.fetch_open_orders(SYMBOL)
    assert (found["id"], found["price"], found["amount"]) == (placed["id"], 59_850, 0.4)


async def test_refusals_have_the_venues_own_meaning(market: tuple[Exchange, Account]) -> None:
    """Post-only, reduce-only, margin and a duplicate id."""
    async with usdm_client(UsdmFront(market[0])) as venue:
        await venue.load_markets()
        with pytest.raises(ccxt.OrderNotFillable, match="-5022"):
            await venue.create_order(SYMBOL, "limit", "buy", 0.1, 60_200, {"postOnly": True})
        with pytest.raises(ccxt.InvalidOrder, match="-2022"):
            await venue.create_order(SYMBOL, "limit", "sell", 0.1, 60_200, {"reduceOnly": True})
        with pytest.raises(ccxt.InsufficientFunds, match="-2019"):
            await venue.create_order(SYMBOL, "limit", "buy", 900, 59_000)
        with pytest.raises(ccxt.OrderNotFound):
            await venue.cancel_order("77", SYMBOL)
        mine = {"clientOrderId": "mine-1"}
        await venue.create_order(SYMBOL, "limit", "buy", 0.1, 59_000, mine)
        with pytest.raises(ccxt.InvalidOrder, match="-4116"):
            await venue.create_order(SYMBOL, "limit", "buy", 0.1, 59_000, mine)


async def test_a_batch_is_answered_order_by_order(market: tuple[Exchange, Account]) -> None:
    """A refusal stands in the place of the order that it is about."""
    orders: list[Any] = [
        {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.1, "price": 59_800},
        {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.2, "price": 59_700},
    ]
    async with usdm_client(UsdmFront(market[0])) as venue:
        await venue.load_markets()
        first, second = await venue.create_orders(orders)
        assert (first["amount"], second["amount"]) == (0.1, 0.2)
        await venue.cancel_all_orders(SYMBOL)
        assert await venue.fetch_open_orders(SYMBOL) == []
