"""Binance USD-M futures: which requests it answers, on which hosts, and what each weighs."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from aiohttp import web

from mm.emulator.binance.calls import Call, Endpoint, Security
from mm.emulator.binance.day import Days
from mm.emulator.binance.limits import Limits
from mm.emulator.binance.listen_keys import ListenKeys
from mm.emulator.binance.public import PublicData
from mm.emulator.binance.refusals import Refused
from mm.emulator.binance.rest import Rest
from mm.emulator.binance.socket_api import SocketApi
from mm.emulator.binance.sockets import MarketSockets
from mm.emulator.binance.streams import Streams
from mm.emulator.binance.usdm_margin import Margin, UsdmAccounts
from mm.emulator.binance.usdm_market import RATE_LIMITS, UsdmWording, exchange_info, premium
from mm.emulator.binance.usdm_orders import UsdmOrders
from mm.emulator.binance.usdm_private import UsdmNews
from mm.emulator.exchange import Exchange
from mm.emulator.server import Hub

HOSTS: Final = ("fapi.binance.com", "fstream.binance.com", "ws-fapi.binance.com")
MESSAGES_MAX: Final = 10
"""Requests a second on one market socket."""
SIGNED: Final = Security.SIGNED
Endpoints = dict[tuple[str, str], Endpoint]


def depth_weight(call: Call) -> int:
    """The more levels, the heavier."""
    limit = call.whole("limit", 500)
    return next((w for most, w in ((50, 2), (100, 5), (500, 10)) if limit <= most), 20)


def open_weight(call: Call) -> int:
    """All symbols at once are dear."""
    return 1 if call.given("symbol") else 40


class UsdmFront:
    """Binance USD-M in front of an exchange."""

    venue = "binance_usdm"
    hosts: Sequence[str] = HOSTS

    def __init__(self, exchange: Exchange) -> None:
        """Speak for it."""
        self.exchange = exchange
        self.limits = Limits(exchange, RATE_LIMITS)
        wording, margin = UsdmWording(), Margin(exchange)
        self._streams = Streams(exchange, wording)
        self._news = UsdmNews(margin)
        self.listen_keys = ListenKeys(exchange, self._news)
        data = PublicData(exchange, wording)
        orders, accounts = UsdmOrders(margin), UsdmAccounts(margin)
        self.endpoints: Endpoints = {
            **_public(data, Days(wording.digits)),
            **_orders(orders),
            **_accounts(accounts, margin),
            **_keys(self.listen_keys),
        }
        self.methods = _methods(data, orders, accounts, self.listen_keys)

    def usage(self) -> dict[str, dict[str, int]]:
        """Weight and orders."""
        return self.limits.usage()

    def routes(self, hub: Hub) -> list[web.RouteDef]:
        """REST, market and private sockets, and the WebSocket API."""
        api = SocketApi(self.exchange, hub, self.methods, self._news, self.limits)
        prefixes = ("", "/public", "/market", "/private")
        sockets = MarketSockets(self._streams, hub, prefixes, self.listen_keys.join, MESSAGES_MAX)
        return [
            *Rest(self.exchange, self.endpoints, self.limits).routes(),
            *sockets.routes(),
            web.get("/ws-fapi/v1", api.handle),
        ]


def _public(data: PublicData, days: Days) -> Endpoints:
    return {
        ("GET", "/fapi/v1/ping"): Endpoint(data.ping),
        ("GET", "/fapi/v1/time"): Endpoint(data.time),
        ("GET", "/fapi/v1/exchangeInfo"): Endpoint(partial(exchange_info, data)),
        ("GET", "/fapi/v1/depth"): Endpoint(data.depth, depth_weight),
        ("GET", "/fapi/v1/trades"): Endpoint(data.trades, 5),
        ("GET", "/fapi/v1/historicalTrades"): Endpoint(data.trades, 20, Security.KEY),
        ("GET", "/fapi/v1/aggTrades"): Endpoint(data.aggregates, 20),
        ("GET", "/fapi/v1/klines"): Endpoint(data.klines, 5),
        ("GET", "/fapi/v1/ticker/bookTicker"): Endpoint(data.quotes, 2),
        ("GET", "/fapi/v1/ticker/24hr"): Endpoint(days.tickers, open_weight),
        ("GET", "/fapi/v1/ticker/price"): Endpoint(data.prices),
        ("GET", "/fapi/v2/ticker/price"): Endpoint(data.prices),
        ("GET", "/fapi/v1/premiumIndex"): Endpoint(premium),
    }


def _orders(orders: UsdmOrders) -> Endpoints:
    return {
        ("POST", "/fapi/v1/order"): Endpoint(orders.place, 0, SIGNED, 1),
        ("POST", "/fapi/v1/order/test"): Endpoint(orders.test, 1, SIGNED),
        ("PUT", "/fapi/v1/order"): Endpoint(orders.amend, 0, SIGNED, 1),
        ("DELETE", "/fapi/v1/order"): Endpoint(orders.cancel, 1, SIGNED),
        ("GET", "/fapi/v1/order"): Endpoint(orders.query, 1, SIGNED),
        ("GET", "/fapi/v1/openOrder"): Endpoint(orders.query_open, 1, SIGNED),
        ("GET", "/fapi/v1/openOrders"): Endpoint(orders.open, open_weight, SIGNED),
        ("DELETE", "/fapi/v1/allOpenOrders"): Endpoint(orders.cancel_all, 1, SIGNED),
        ("POST", "/fapi/v1/countdownCancelAll"): Endpoint(orders.countdown, 10, SIGNED),
        ("POST", "/fapi/v1/batchOrders"): Endpoint(orders.place_batch, 5, SIGNED, 5),
        ("PUT", "/fapi/v1/batchOrders"): Endpoint(orders.amend_batch, 5, SIGNED, 5),
        ("DELETE", "/fapi/v1/batchOrders"): Endpoint(orders.cancel_batch, 1, SIGNED),
        ("GET", "/fapi/v1/allOrders"): Endpoint(orders.all, 5, SIGNED),
        ("GET", "/fapi/v1/userTrades"): Endpoint(orders.trades, 5, SIGNED),
    }


def _accounts(accounts: UsdmAccounts, margin: Margin) -> Endpoints:
    return {
        ("GET", "/fapi/v2/account"): Endpoint(accounts.account, 5, SIGNED),
        ("GET", "/fapi/v3/account"): Endpoint(accounts.account, 5, SIGNED),
        ("GET", "/fapi/v2/balance"): Endpoint(accounts.balance, 5, SIGNED),
        ("GET", "/fapi/v3/balance"): Endpoint(accounts.balance, 5, SIGNED),
        ("GET", "/fapi/v2/positionRisk"): Endpoint(accounts.all_positions, 5, SIGNED),
        ("GET", "/fapi/v3/positionRisk"): Endpoint(accounts.positions, 5, SIGNED),
        ("GET", "/fapi/v1/leverageBracket"): Endpoint(accounts.leverages, 1, SIGNED),
        ("GET", "/fapi/v1/commissionRate"): Endpoint(accounts.commission, 20, SIGNED),
        ("GET", "/fapi/v1/positionSide/dual"): Endpoint(_one_way, 30, SIGNED),
        ("GET", "/fapi/v1/multiAssetsMargin"): Endpoint(_one_asset, 30, SIGNED),
        ("POST", "/fapi/v1/leverage"): Endpoint(margin.set_leverage, 1, SIGNED),
        ("POST", "/fapi/v1/marginType"): Endpoint(_cross_already, 1, SIGNED),
    }


def _one_way(call: Call) -> Any:
    del call
    return {"dualSidePosition": False}


def _one_asset(call: Call) -> Any:
    del call
    return {"multiAssetsMargin": False}


def _cross_already(call: Call) -> Any:
    if call.text("marginType") not in {"CROSSED", "CROSS"}:
        raise Refused(-4047, "Margin type cannot be changed: the emulator has cross margin alone.")
    raise Refused(-4046, "No need to change margin type.")


def _keys(keys: ListenKeys) -> Endpoints:
    path = "/fapi/v1/listenKey"
    return {
        ("POST", path): Endpoint(keys.create, 1, Security.KEY),
        ("PUT", path): Endpoint(keys.extend, 1, Security.KEY),
        ("DELETE", path): Endpoint(keys.close, 1, Security.KEY),
    }


def _methods(
    data: PublicData, orders: UsdmOrders, accounts: UsdmAccounts, keys: ListenKeys
) -> dict[str, Endpoint]:
    return {
        "ping": Endpoint(data.ping),
        "time": Endpoint(data.time),
        "depth": Endpoint(data.depth, depth_weight),
        "ticker.price": Endpoint(data.prices),
        "ticker.book": Endpoint(data.quotes, 2),
        "order.place": Endpoint(orders.place, 0, SIGNED, 1),
        "order.modify": Endpoint(orders.amend, 0, SIGNED, 1),
        "order.cancel": Endpoint(orders.cancel, 1, SIGNED),
        "order.status": Endpoint(orders.query, 1, SIGNED),
        "account.balance": Endpoint(accounts.balance, 5, SIGNED),
        "v2/account.balance": Endpoint(accounts.balance, 5, SIGNED),
        "account.status": Endpoint(accounts.account, 5, SIGNED),
        "v2/account.status": Endpoint(accounts.account, 5, SIGNED),
        "account.position": Endpoint(accounts.positions, 5, SIGNED),
        "v2/account.position": Endpoint(accounts.positions, 5, SIGNED),
        "userDataStream.start": Endpoint(keys.create, 5, Security.KEY),
        "userDataStream.ping": Endpoint(keys.extend, 1, Security.KEY),
        "userDataStream.stop": Endpoint(keys.close, 1, Security.KEY),
    }
