"""Binance spot: which requests it answers, on which hosts, and what each weighs."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from aiohttp import web

from mm.emulator.binance.calls import Call, Endpoint, Security
from mm.emulator.binance.day import Days
from mm.emulator.binance.limits import Limits
from mm.emulator.binance.listen_keys import ListenKeys
from mm.emulator.binance.public import PublicData
from mm.emulator.binance.rest import Rest
from mm.emulator.binance.socket_api import SocketApi
from mm.emulator.binance.sockets import MarketSockets
from mm.emulator.binance.spot_changes import SpotChanges, restrictions
from mm.emulator.binance.spot_market import RATE_LIMITS, SpotWording, exchange_info
from mm.emulator.binance.spot_orders import SpotOrders
from mm.emulator.binance.spot_private import spot_news
from mm.emulator.binance.streams import Streams
from mm.emulator.exchange import Exchange
from mm.emulator.server import Hub

HOSTS: Final = (
    "api.binance.com",
    "api1.binance.com",
    "api2.binance.com",
    "api3.binance.com",
    "api4.binance.com",
    "api-gcp.binance.com",
    "data-api.binance.vision",
    "stream.binance.com",
    "data-stream.binance.vision",
    "ws-api.binance.com",
)
MESSAGES_MAX: Final = 5
"""Requests a second on one market socket."""
SIGNED: Final = Security.SIGNED


def depth_weight(call: Call) -> int:
    """The more levels, the heavier."""
    limit = call.whole("limit", 100)
    return next((w for most, w in ((100, 5), (500, 25), (1_000, 50)) if limit <= most), 250)


def open_weight(call: Call) -> int:
    """All symbols at once are dear."""
    return 6 if call.given("symbol") else 80


def day_weight(call: Call) -> int:
    """As above."""
    return 2 if call.given("symbol") else 80


class SpotFront:
    """Binance spot in front of an exchange."""

    venue = "binance"
    hosts: Sequence[str] = HOSTS

    def __init__(self, exchange: Exchange) -> None:
        """Speak for it."""
        self.exchange = exchange
        self.limits = Limits(exchange, RATE_LIMITS)
        wording = SpotWording()
        self._streams = Streams(exchange, wording)
        data, orders = PublicData(exchange, wording), SpotOrders()
        self.listen_keys = ListenKeys(exchange, spot_news)
        self.endpoints = {
            **_public(data, Days(wording.digits)),
            **_private(orders),
            **_keys(self.listen_keys),
        }
        self.methods = _methods(data, orders)

    def usage(self) -> dict[str, dict[str, int]]:
        """Weight and orders."""
        return self.limits.usage()

    def routes(self, hub: Hub) -> list[web.RouteDef]:
        """REST, market sockets, and the WebSocket API."""
        api = SocketApi(self.exchange, hub, self.methods, spot_news, self.limits)
        return [
            *Rest(self.exchange, self.endpoints, self.limits).routes(),
            *MarketSockets(self._streams, hub, ("",), self.listen_keys.join, MESSAGES_MAX).routes(),
            web.get("/ws-api/v3", api.handle),
        ]


def _public(data: PublicData, days: Days) -> dict[tuple[str, str], Endpoint]:
    return {
        ("GET", "/api/v3/ping"): Endpoint(data.ping),
        ("GET", "/api/v3/time"): Endpoint(data.time),
        ("GET", "/api/v3/exchangeInfo"): Endpoint(partial(exchange_info, data), 20),
        ("GET", "/api/v3/depth"): Endpoint(data.depth, depth_weight),
        ("GET", "/api/v3/trades"): Endpoint(data.trades, 25),
        ("GET", "/api/v3/historicalTrades"): Endpoint(data.trades, 25),
        ("GET", "/api/v3/aggTrades"): Endpoint(data.aggregates, 4),
        ("GET", "/api/v3/klines"): Endpoint(data.klines, 2),
        ("GET", "/api/v3/uiKlines"): Endpoint(data.klines, 2),
        ("GET", "/api/v3/ticker/bookTicker"): Endpoint(data.quotes, 4),
        ("GET", "/api/v3/ticker/24hr"): Endpoint(days.tickers, day_weight),
        ("GET", "/api/v3/avgPrice"): Endpoint(days.average, 2),
        ("GET", "/api/v3/ticker/price"): Endpoint(data.prices, 4),
    }


def _private(orders: SpotOrders) -> dict[tuple[str, str], Endpoint]:
    changes = SpotChanges(orders)
    return {
        ("POST", "/api/v3/order"): Endpoint(orders.place, 1, SIGNED, 1),
        ("POST", "/api/v3/order/test"): Endpoint(orders.test, 1, SIGNED),
        ("DELETE", "/api/v3/order"): Endpoint(orders.cancel, 1, SIGNED),
        ("POST", "/api/v3/order/cancelReplace"): Endpoint(changes.replace, 1, SIGNED, 1),
        ("PUT", "/api/v3/order/amend/keepPriority"): Endpoint(changes.amend, 4, SIGNED),
        ("GET", "/sapi/v1/account/apiRestrictions"): Endpoint(restrictions, 1, SIGNED),
        ("GET", "/api/v3/order"): Endpoint(orders.query, 4, SIGNED),
        ("GET", "/api/v3/openOrders"): Endpoint(orders.open, open_weight, SIGNED),
        ("DELETE", "/api/v3/openOrders"): Endpoint(orders.cancel_all, 1, SIGNED),
        ("GET", "/api/v3/allOrders"): Endpoint(orders.all, 20, SIGNED),
        ("GET", "/api/v3/account"): Endpoint(orders.account, 20, SIGNED),
        ("GET", "/api/v3/myTrades"): Endpoint(orders.trades, 20, SIGNED),
    }


def _keys(keys: ListenKeys) -> dict[tuple[str, str], Endpoint]:
    """The older private stream, which many clients still open."""
    path = "/api/v3/userDataStream"
    return {
        ("POST", path): Endpoint(keys.create, 2, Security.KEY),
        ("PUT", path): Endpoint(keys.extend, 2, Security.KEY),
        ("DELETE", path): Endpoint(keys.close, 2, Security.KEY),
    }


def _methods(data: PublicData, orders: SpotOrders) -> dict[str, Endpoint]:
    changes = SpotChanges(orders)
    return {
        "ping": Endpoint(data.ping),
        "time": Endpoint(data.time),
        "exchangeInfo": Endpoint(partial(exchange_info, data), 20),
        "depth": Endpoint(data.depth, depth_weight),
        "trades.recent": Endpoint(data.trades, 25),
        "klines": Endpoint(data.klines, 2),
        "order.place": Endpoint(orders.place, 1, SIGNED, 1),
        "order.test": Endpoint(orders.test, 1, SIGNED),
        "order.cancel": Endpoint(orders.cancel, 1, SIGNED),
        "order.cancelReplace": Endpoint(changes.replace, 1, SIGNED, 1),
        "order.amend.keepPriority": Endpoint(changes.amend, 4, SIGNED),
        "order.status": Endpoint(orders.query, 4, SIGNED),
        "openOrders.status": Endpoint(orders.open, open_weight, SIGNED),
        "openOrders.cancelAll": Endpoint(orders.cancel_all, 1, SIGNED),
        "allOrders": Endpoint(orders.all, 20, SIGNED),
        "account.status": Endpoint(orders.account, 20, SIGNED),
        "myTrades": Endpoint(orders.trades, 20, SIGNED),
    }
