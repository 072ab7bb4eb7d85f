"""What a user of python-binance does: a book by its own cache, orders, spot and futures streams."""

import asyncio
import importlib
import os
from typing import Any

here: Any = importlib.import_module("here")
binance = importlib.import_module("binance")
errors = importlib.import_module("binance.exceptions")
SYMBOL = "BTCUSDT"
SECONDS = 20


async def until(socket: Any, name: str, **wanted: str) -> Any:
    """The first event of that name with these fields."""
    async with asyncio.timeout(SECONDS):
        while True:
            event = await socket.recv()
            body = event["o"] if isinstance(event.get("o"), dict) else event
            if event.get("e") == name and all(body.get(k) == v for k, v in wanted.items()):
                return body


async def spot(client: Any, sockets: Any) -> None:
    """A book, an order that fills, and one that is canceled."""
    async with binance.DepthCacheManager(client, SYMBOL) as caching:
        cache = await asyncio.wait_for(caching.recv(), SECONDS)
        here.tell(bids=cache.get_bids()[:2])
    async with sockets.user_socket() as socket:
        here.tell(listening="spot")
        order = await client.order_limit_buy(symbol=SYMBOL, quantity="0.5", price="59950.00")
        here.tell(order=order["orderId"], status=order["status"])
        filled = await until(socket, "executionReport", X="FILLED")
        here.tell(filled=filled["z"])
    order = await client.order_limit_sell(symbol=SYMBOL, quantity="0.1", price="60050.00")
    canceled = await client.cancel_order(symbol=SYMBOL, orderId=order["orderId"])
    here.tell(canceled=canceled["status"])
    try:
        await client.get_order(symbol=SYMBOL, orderId=1)
    except errors.BinanceAPIException as refused:
        here.tell(code=refused.code)


async def futures(client: Any, sockets: Any) -> None:
    """An order that fills, and the position."""
    async with sockets.futures_user_socket() as socket:
        here.tell(listening="futures")
        order = await client.futures_create_order(
            symbol=SYMBOL,
            side="BUY",
            type="LIMIT",
            timeInForce="GTX",
            quantity="0.5",
            price="59950.0",
        )
        here.tell(order=order["orderId"], status=order["status"])
        filled = await until(socket, "ORDER_TRADE_UPDATE", X="FILLED")
        here.tell(filled=filled["z"])
    (position,) = await client.futures_position_information(symbol=SYMBOL)
    here.tell(position=position["positionAmt"])


async def main() -> None:
    """One session."""
    key, secret = os.environ["MM_BINANCE_KEY"], os.environ["MM_BINANCE_SECRET"]
    client = await binance.AsyncClient.create(key, secret)
    sockets = binance.BinanceSocketManager(client)
    try:
        await spot(client, sockets)
        await futures(client, sockets)
    finally:
        await client.close_connection()


asyncio.run(main())
