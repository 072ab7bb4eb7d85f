"""Unmodified ccxt.pro trades against the emulator on production addresses."""

import asyncio

import ccxt.pro
import pytest

from mm.emulator.account import Account
from mm.emulator.binance.spot import SpotFront
from mm.emulator.exchange import Exchange
from mm.events.units import Side
from tests.emulator.ccxt_client import spot_client
from tests.emulator.venue import PATIENCE, change, opened, printed, spot, until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ccxt")
SYMBOL = "BTC/USDT"


@pytest.fixture
def market() -> tuple[Exchange, Account]:
    """Spot BTC."""
    return opened(spot())


async def test_markets_have_the_filters_of_the_instrument(
    market: tuple[Exchange, Account],
) -> None:
    """Tick, lot and least notional arrive as they are listed."""
    async with spot_client(SpotFront(market[0])) as venue:
        markets = await venue.load_markets()
    found = markets[SYMBOL]
    assert (found["precision"]["price"], found["precision"]["amount"]) == (0.01, 0.00001)
    assert found["limits"]["cost"]["min"] == 5


async def test_the_book_is_followed_by_its_updates(market: tuple[Exchange, Account]) -> None:
    """A snapshot and the updates after it give the exchange's own book."""
    exchange, _ = market
    async with spot_client(SpotFront(exchange)) as venue:
        await venue.load_markets()
        watching = asyncio.create_task(venue.watch_order_book(SYMBOL))
        for number in range(101, 130):
            await asyncio.sleep(0.02)
            exchange.tell(change(number, bids=(5_990_000 - number, number)))
        found = await watching
        found = await until(
            lambda: venue.watch_order_book(SYMBOL), lambda book: book["nonce"] == 129
        )
        assert found["bids"][0] == [59_900.0, 1.0]
        assert found["bids"][1] == [5_989_899 / 100, 0.00101]
        assert len(found["bids"]) == 2 + 29


async def test_an_order_rests_fills_in_part_and_is_canceled(
    market: tuple[Exchange, Account],
) -> None:
    """What the private stream says of an order agrees with what REST says."""
    exchange, _ = market
    async with spot_client(SpotFront(exchange)) as venue:
        await venue.load_markets()
        watching = asyncio.create_task(venue.watch_orders(SYMBOL))
        await asyncio.sleep(0.3)
        placed = await venue.create_order(
            SYMBOL, "limit", "buy", 0.5, 59_950, {"clientOrderId": "mine-1"}
        )
        async with asyncio.timeout(PATIENCE):
            (resting,) = await watching
        assert (resting["status"], resting["clientOrderId"]) == ("open", "mine-1")
        assert placed["id"] == resting["id"]

        watching = asyncio.create_task(venue.watch_orders(SYMBOL))
        await asyncio.sleep(0)
        exchange.tell(printed(1, 5_995_000, 20_000, Side.SELL))
        async with asyncio.timeout(PATIENCE):
            found = await watching
        assert (found[-1]["filled"], found[-1]["remaining"]) == (0.2, 0.3)

        canceled = await venue.cancel_order(placed["id"], SYMBOL)
        assert (canceled["status"], canceled["filled"]) == ("canceled", 0.2)
        (trade,) = await venue.fetch_my_trades(SYMBOL)
        assert (trade["order"], trade["amount"], trade["price"]) == (placed["id"], 0.2, 59_950)
        balance = await venue.fetch_balance()
        assert balance["USDT"]["total"] == 1_000_000 - 0.2 * 59_950
        assert balance["BTC"]["total"] == pytest.approx(10 + 0.2 * 0.999)


async def test_refusals_have_the_venues_own_meaning(market: tuple[Exchange, Account]) -> None:
    """A crossing post-only, an unknown order and too large an order."""
    exchange, _ = market
    async with spot_client(SpotFront(exchange)) as venue:
        await venue.load_markets()
        with pytest.raises(ccxt.OrderImmediatelyFillable):
            await venue.create_order(SYMBOL, "limit", "buy", 0.1, 60_200, {"postOnly": True})
        with pytest.raises(ccxt.OrderNotFound):
            await venue.cancel_order("77", SYMBOL)
        with pytest.raises(ccxt.InsufficientFunds):
            await venue.create_order(SYMBOL, "limit", "buy", 100, 59_950)
        with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
            await venue.create_order(SYMBOL, "limit", "buy", 0.00001, 59_950)


async def test_a_market_order_takes_what_is_shown(market: tuple[Exchange, Account]) -> None:
    """It fills at the prices of the book, and the answer lists the fills."""
    async with spot_client(SpotFront(market[0])) as venue:
        await venue.load_markets()
        order = await venue.create_order(SYMBOL, "market", "buy", 1.5)
    assert (order["status"], order["filled"]) == ("closed", 1.5)
    assert [fill["price"] for fill in order["trades"]] == [60_100, 60_200]
