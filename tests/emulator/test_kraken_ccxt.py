"""Unmodified ccxt.pro trades against the emulated Kraken on production addresses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import Any

import ccxt.pro
import pytest

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange
from mm.emulator.kraken.limits import Tier
from mm.emulator.kraken.spot import KrakenFront
from mm.events.units import Side
from tests.emulator.venue import KEYS, change, opened, printed, reached, spot

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ccxt")
SYMBOL = "BTC/USDT"
PATIENCE = 40.0


def kraken(session: Any) -> Any:
    """A client of ccxt's, its own brake off."""

    class Counting(ccxt.pro.kraken):  # type: ignore[misc]
        """Its nonce is the time in milliseconds, which two calls can share."""

        last = 0

        def nonce(self) -> int:
            """Never twice the same."""
            self.last = max(self.last + 1, self.milliseconds())
            return self.last

    return Counting(
        {
            "session": session,
            "apiKey": KEYS.key,
            "secret": KEYS.secret,
            "enableRateLimit": False,
            "options": {"fetchCurrencies": False},
        }
    )


@asynccontextmanager
async def client(front: KrakenFront) -> AsyncIterator[Any]:
    """A ccxt.pro client of the emulator."""
    async with reached(front) as there:
        venue = kraken(there.session)
        try:
            await venue.load_markets()
            yield venue
        finally:
            await venue.close()


async def holds(said: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE):
        for _ in count():
            if said():
                return
            await asyncio.sleep(0.01)


@pytest.fixture
def market() -> tuple[Exchange, Account]:
    """Spot BTC, at Kraken."""
    return opened(spot(fee_from_received=False, notional_min=Decimal(5)), "kraken")


async def test_markets_have_the_steps_of_the_instrument(market: tuple[Exchange, Account]) -> None:
    """Tick, lot, minima and fees arrive as they are listed."""
    async with client(KrakenFront(market[0])) as venue:
        found = venue.markets[SYMBOL]
    assert (found["precision"]["price"], found["precision"]["amount"]) == (0.01, 0.00001)
    assert found["limits"]["cost"]["min"] == 5
    assert (found["maker"], found["taker"]) == (0.001, 0.001)


async def test_book_of_ccxt_is_the_exchanges_own(market: tuple[Exchange, Account]) -> None:
    """After every update: levels that come and go at a depth of ten."""
    exchange, _ = market
    book = exchange.listings["BTCUSDT"].book
    bids, asks = (
        tuple(v for n in range(20) for v in (6_000_000 + sign * (10_030 + n), 7))
        for sign in (-1, 1)
    )
    exchange.tell(change(101, bids, asks))  # ccxt cuts at as many levels as a snapshot has.
    async with client(KrakenFront(exchange)) as venue:
        async with asyncio.timeout(PATIENCE):
            await venue.watch_order_book(SYMBOL, 10)
            for number in range(102, 142):
                size = 0 if number % 4 == 0 else number
                price = 5_990_000 - (number * 7) % 23
                exchange.tell(change(number, (price, size), (6_010_000 + number % 9, number)))
                found = await venue.watch_order_book(SYMBOL, 10)
                wanted = [
                    [[float(Decimal(p) / 100), float(Decimal(s) / 100_000)] for p, s in side]
                    for side in (book.bids(10), book.asks(10))
                ]
                assert [found["bids"][:10], found["asks"][:10]] == wanted


async def test_order_rests_fills_in_part_and_is_canceled(market: tuple[Exchange, Account]) -> None:
    """The private socket, REST and balances agree."""
    exchange, _ = market
    async with client(KrakenFront(exchange)) as venue, asyncio.timeout(PATIENCE):
        watching = asyncio.create_task(venue.watch_orders(SYMBOL))
        fills = asyncio.create_task(venue.watch_my_trades(SYMBOL))
        await holds(lambda: bool(market[1].listeners))
        placed = await venue.create_order(
            SYMBOL, "limit", "buy", 0.5, 59_950, {"postOnly": True, "clientOrderId": "mine-1"}
        )
        (resting,) = await watching
        assert (resting["id"], resting["info"]["cl_ord_id"]) == (placed["id"], "mine-1")
        exchange.tell(printed(1, 5_995_000, 20_000, Side.SELL))
        (fill,) = await fills
        assert (fill["order"], fill["amount"], fill["price"]) == (placed["id"], 0.2, 59_950)
        (found,) = await venue.fetch_open_orders(SYMBOL)
        assert (found["filled"], found["remaining"]) == (0.2, 0.3)
        await venue.cancel_order(placed["id"], SYMBOL)
        (told,) = await venue.fetch_closed_orders(SYMBOL)
        assert (told["status"], told["filled"]) == ("canceled", 0.2)
        (trade,) = await venue.fetch_my_trades(SYMBOL)
        assert (trade["order"], trade["amount"], trade["price"]) == (placed["id"], 0.2, 59_950)
        balance = await venue.fetch_balance()
        assert balance["USDT"]["total"] == pytest.approx(1_000_000 - 0.2 * 59_950 * 1.001)
        assert balance["BTC"]["total"] == 10.2


async def test_refusals_have_the_venues_own_texts(market: tuple[Exchange, Account]) -> None:
    """As its clients know them."""
    async with client(KrakenFront(market[0])) as venue:
        with pytest.raises(ccxt.ExchangeError, match="EOrder:Post only order"):
            await venue.create_order(SYMBOL, "limit", "buy", 0.1, 60_200, {"postOnly": True})
        with pytest.raises(ccxt.InsufficientFunds):
            await venue.create_order(SYMBOL, "limit", "buy", 100, 59_950)
        with pytest.raises(ccxt.ExchangeError, match="EOrder:Cost minimum not met"):
            await venue.create_order(SYMBOL, "limit", "buy", 0.00001, 59_950)
        with pytest.raises(ccxt.OrderNotFound):
            await venue.cancel_order("O00000-00000-000001", SYMBOL)
        venue.last = 10**18
        venue.nonce()
        await venue.fetch_balance()
        venue.last = 0
        with pytest.raises(ccxt.InvalidNonce):
            await venue.fetch_balance()
        venue.secret = "x" * 64
        with pytest.raises(ccxt.ExchangeError, match="EAPI:Invalid signature"):
            await venue.fetch_balance()


async def test_counter_of_calls_refuses_what_is_too_much(market: tuple[Exchange, Account]) -> None:
    """A history costs two, and the counter falls with time only."""
    front = KrakenFront(market[0], Tier(calls_max=4, calls_decay=0))
    async with client(front) as venue:
        await venue.fetch_my_trades(SYMBOL)
        await venue.fetch_my_trades(SYMBOL)
        with pytest.raises(ccxt.DDoSProtection, match="Rate limit exceeded"):
            await venue.fetch_balance()
        await venue.create_order(SYMBOL, "limit", "buy", 0.1, 59_950)


async def test_orders_over_the_socket_and_amends(market: tuple[Exchange, Account]) -> None:
    """Placed, moved and canceled without REST."""
    exchange, account = market
    async with client(KrakenFront(exchange)) as venue, asyncio.timeout(PATIENCE):
        placed = await venue.create_order_ws(SYMBOL, "limit", "sell", 0.5, 60_300)
        await venue.edit_order_ws(placed["id"], SYMBOL, "limit", "sell", 0.4, 60_250)
        (record,) = account.open()
        assert (record.price, record.size) == (6_025_000, 40_000)
        await venue.edit_order(placed["id"], SYMBOL, "limit", "sell", 0.3, 60_275)
        assert (record.price, record.size) == (6_027_500, 30_000)
        await venue.cancel_order_ws(placed["id"])
        assert account.open() == []


async def test_switch_cancels_all_when_it_is_not_touched(market: tuple[Exchange, Account]) -> None:
    """Said again it waits anew; nought ends it."""
    exchange, account = market
    async with client(KrakenFront(exchange)) as venue, asyncio.timeout(PATIENCE):
        await venue.create_order(SYMBOL, "limit", "buy", 0.1, 59_950)
        await venue.cancel_all_orders_after(1_000)
        await venue.cancel_all_orders_after(0)
        await asyncio.sleep(1.2)
        assert len(account.open()) == 1
        await venue.cancel_all_orders_after(1_000)
        await holds(lambda: not account.open())


async def test_batch_places_each_on_its_own(market: tuple[Exchange, Account]) -> None:
    """Two rest; a third that is refused leaves them alone."""
    exchange, account = market
    async with client(KrakenFront(exchange)) as venue:
        orders = [
            {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.1, "price": price}
            for price in (59_950, 59_940)
        ]
        placed = await venue.create_orders(orders)
    assert [order["id"] is not None for order in placed] == [True, True]
    assert [record.price for record in account.open()] == [5_995_000, 5_994_000]


async def test_public_rest_is_the_same_market(market: tuple[Exchange, Account]) -> None:
    """Book, trades, candles and time."""
    exchange, _ = market
    at = exchange.now()
    exchange.tell(printed(7, 6_000_000, 30_000, Side.BUY, at))
    async with client(KrakenFront(exchange)) as venue:
        book = await venue.fetch_order_book(SYMBOL)
        assert (book["bids"][0][:2], book["asks"][0][:2]) == ([59_900.0, 1.0], [60_100.0, 1.0])
        (trade,) = await venue.fetch_trades(SYMBOL)
        assert (trade["price"], trade["amount"], trade["side"]) == (60_000, 0.3, "buy")
        (candle,) = await venue.fetch_ohlcv(SYMBOL)
        assert candle[1:] == [60_000.0, 60_000.0, 60_000.0, 60_000.0, 0.3]
        assert abs(await venue.fetch_time() - at // 10**6) < 60_000
