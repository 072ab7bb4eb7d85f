"""The emulator's own host: what it is doing, and what is to go wrong, over plain JSON.

GET  /state            venues, accounts, sockets, rules
POST /faults           one rule or a list of them, see `mm.emulator.faults`
POST /faults/clear     no rules any more
POST /market           {"pause": true} or false, {"skip": seconds}, {"skew_ms": 1500}
POST /sockets          {"action": "close" | "cut" | "silence" | "deafen", "host": …, "path": …}
POST /print            {"venue", "symbol", "side", "price", "size"}: a trade of somebody else's
"""

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from aiohttp import web

from mm.emulator.faults import rules_from
from mm.emulator.market import Market
from mm.errors import BadInput, ConfigError, MmError
from mm.events.market import TradePrinted
from mm.events.units import MILLIS, Nanos, Side, to_lots, to_ticks

if TYPE_CHECKING:
    from mm.emulator.server import Front, Hub

encode: Final = msgspec.json.encode
NORMAL_CLOSE: Final = 1_001


class MarketOrder(msgspec.Struct, forbid_unknown_fields=True):
    """What is to happen to the market; what is not named stays."""

    pause: bool | None = None
    skip: float = 0.0
    skew_ms: int | None = None
    venue: str = "*"


class SocketOrder(msgspec.Struct, forbid_unknown_fields=True):
    """What is to happen to sockets; patterns as in rules."""

    action: Literal["close", "cut", "silence", "deafen"]
    host: str = "*"
    path: str = "*"
    code: int = NORMAL_CLOSE


class Print(msgspec.Struct, forbid_unknown_fields=True):
    """A public trade; `side` is the taker's."""

    venue: str
    symbol: str
    side: Literal["buy", "sell"]
    price: str
    size: str


class Control:
    """Answers on `emulator.local`."""

    def __init__(self, fronts: "Sequence[Front]", hub: "Hub", markets: Sequence[Market]) -> None:
        """Speak for all of them."""
        self._fronts = fronts
        self._hub = hub
        self._markets = markets

    def routes(self) -> list[web.RouteDef]:
        """What can be asked."""
        return [
            web.get("/state", self._answering(lambda _: self.state())),
            web.post("/faults", self._answering(self.faults)),
            web.post("/faults/clear", self._answering(lambda _: self._hub.faults.clear())),
            web.post("/market", self._answering(self.market)),
            web.post("/sockets", self._answering(self.sockets)),
            web.post("/print", self._answering(self.print)),
        ]

    def _answering(self, act: Callable[[bytes], Any]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            try:
                answer = act(await request.read())
            except MmError as error:
                return web.json_response({"error": str(error)}, status=400)
            except msgspec.MsgspecError as error:
                return web.json_response({"error": str(error)}, status=400)
            body = encode({} if answer is None else answer)
            return web.Response(body=body, content_type="application/json")

        return handle

    def state(self) -> dict[str, Any]:
        """Everything at a glance; no secrets."""
        return {
            "venues": {front.venue: _venue(front) for front in self._fronts},
            "markets": [
                {"paused": m.paused, "rounds": m.rounds, "messages": m.messages}
                for m in self._markets
            ],
            "sockets": [
                {"host": s.host, "path": s.path, "silent": s.silent, "deaf": s.deaf}
                for s in self._hub.sockets
            ],
            "faults": self._hub.faults.told(),
        }

    def faults(self, body: bytes) -> None:
        """Add rules."""
        self._hub.faults.add(rules_from(body))

    def market(self, body: bytes) -> None:
        """Pause, resume, skip, or set the venue's clock wrong."""
        order = msgspec.json.decode(body, type=MarketOrder)
        for market in self._markets:
            if order.pause is not None:
                market.paused = order.pause
            if order.skip:
                market.skip(order.skip)
        for front in self._fronts:
            if order.skew_ms is not None and fnmatchcase(front.venue, order.venue):
                front.exchange.skew = Nanos(order.skew_ms * MILLIS)

    def sockets(self, body: bytes) -> dict[str, int]:
        """Close, cut, silence or deafen; answers how many."""
        order = msgspec.json.decode(body, type=SocketOrder)
        found = [
            socket
            for socket in self._hub.sockets
            if fnmatchcase(socket.host, order.host) and fnmatchcase(socket.path, order.path)
        ]
        for socket in found:
            match order.action:
                case "close":
                    socket.close(order.code)
                case "cut":
                    socket.cut()
                case "silence":
                    socket.silent = True
                case "deafen":
                    socket.silent = socket.deaf = True
        return {"sockets": len(found)}

    def print(self, body: bytes) -> None:
        """Somebody trades, and perhaps with one of the accounts."""
        asked = msgspec.json.decode(body, type=Print)
        front = next((f for f in self._fronts if f.venue == asked.venue), None)
        listing = front.exchange.listings.get(asked.symbol) if front else None
        if front is None or listing is None:
            raise ConfigError(
                f"{asked.venue}:{asked.symbol} is not traded here",
                where="/print",
                remedy="GET /state names the venues and their symbols",
            )
        try:
            price, size = Decimal(asked.price), Decimal(asked.size)
        except InvalidOperation as error:
            raise BadInput(f"{asked.price} or {asked.size} is no number", where="/print") from error
        at = front.exchange.at()
        last = listing.trades[-1].trade_id if listing.trades else "0"
        front.exchange.tell(
            TradePrinted(
                instrument=listing.instrument.instrument,
                received=at,
                venue_time=at,
                trade_id=str(int(last) + 1) if last.isdecimal() else last,
                price=to_ticks(price, listing.instrument.tick_size),
                size=to_lots(size, listing.instrument.lot_size),
                aggressor=Side.BUY if asked.side == "buy" else Side.SELL,
            )
        )


def _venue(front: "Front") -> dict[str, Any]:
    exchange = front.exchange
    return {
        "hosts": list(front.hosts),
        "skew_ms": exchange.skew // MILLIS,
        "limits": front.usage(),
        "symbols": {
            symbol: {
                "sequence": listing.book.sequence,
                "bid": str(listing.instrument.price(listing.book.bid)),
                "ask": str(listing.instrument.price(listing.book.ask)),
            }
            for symbol, listing in exchange.listings.items()
        },
        "accounts": {
            key: {
                "open": len(account.open()),
                "fills": len(account.fills),
                "balances": {b.asset: str(b.free + b.locked) for b in account.balances()},
            }
            for key, account in exchange.accounts.items()
        },
    }
