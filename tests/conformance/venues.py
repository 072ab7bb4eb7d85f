"""The venues that conform: how each is emulated, reached, and made to fail in its own words.

A venue is one entry here. What it does not offer stands beside it, by the name of the check, with
the reason; everything else every venue has to pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mm.emulator.binance.spot import SpotFront
from mm.emulator.binance.usdm import UsdmFront
from mm.emulator.faults import Kind
from mm.emulator.kraken.spot import KrakenFront
from mm.events.units import MILLIS
from mm.gateways.venues.binance.market import BinanceMarket
from mm.gateways.venues.binance.orders import BinanceOrders
from mm.gateways.venues.binance.spot import Spot
from mm.gateways.venues.binance.usdm import Usdm
from mm.gateways.venues.kraken.market import KrakenMarket, Streams
from mm.gateways.venues.kraken.orders import KrakenOrders
from tests.emulator.venue import perpetual, spot
from tests.gateways.fake_venue import now

if TYPE_CHECKING:
    import aiohttp

    from mm.emulator.exchange import Exchange
    from mm.events.instrument import InstrumentDefined
    from mm.gateways.clock_check import VenueClock
    from mm.gateways.credentials import Credentials
    from mm.gateways.market_port import MarketPort
    from mm.gateways.order_port import OrderPort

Fault = Mapping[str, Any]
"""A rule of the emulator's."""
PortMaker = Callable[
    ["aiohttp.ClientSession", "Credentials", "VenueClock", tuple[str, ...]], "OrderPort"
]


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A venue's failures as rules of the emulator; `fill` is in each frame that tells of a fill.

    `book` and `trades` pick the frames of the public stream, `ask` the private questions. `lost`,
    `garbled` and `cancel_lost` befall the answer to a command that was done; `undone` keeps a place
    from arriving: without rules the private socket hears nothing any more.
    """

    book: Fault
    trades: Fault
    snapshot: Fault = {}
    listing: str
    ask: Fault
    fill: str
    lost: tuple[Fault, ...]
    garbled: tuple[Fault, ...]
    undone: tuple[Fault, ...] = ()
    cancel_lost: tuple[Fault, ...]
    answer_late: Fault
    limited: Fault
    banned: Fault
    denied: Fault


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A venue under test; `depth` levels of its book are told, `numbered` as the emulator counts.

    `symbol` is how it writes the instrument.
    """

    name: str
    symbol: str
    terms: InstrumentDefined
    front: Callable[[Exchange], Any]
    market: Callable[[], MarketPort]
    orders: PortMaker
    words: Words
    depth: int = 50
    numbered: bool = True
    lacks: Mapping[str, str] = {}

    @property
    def definition(self) -> InstrumentDefined:
        """The instrument as an order port learns it."""
        return msgspec.structs.replace(self.terms, venue=self.name, symbol=self.symbol)


def _binance_front(make: Callable[[Exchange], Any]) -> Callable[[Exchange], Any]:
    """A front whose depth is told as soon as it changes."""

    def made(exchange: Exchange) -> Any:
        front = make(exchange)
        front._streams._wording.depth_speeds = {"@100ms": MILLIS}
        return front

    return made


def _binance_orders(dialect: Callable[[], Any]) -> PortMaker:
    def made(
        session: aiohttp.ClientSession,
        credentials: Credentials,
        clock: VenueClock,
        owners: tuple[str, ...],
    ) -> OrderPort:
        return BinanceOrders(dialect(), session, credentials, clock, now, owners)

    return made


def _kraken_orders(
    session: aiohttp.ClientSession,
    credentials: Credentials,
    clock: VenueClock,
    owners: tuple[str, ...],
) -> OrderPort:
    return KrakenOrders(session, credentials, clock, now, owners, 0)


def _binance_words(ask: str, snapshot: str, listing: str) -> Words:
    order = {"path": "*/order", "method": "POST"}
    silent = {"kind": Kind.DROP, "text": '"NEW"', "count": 0}
    question = {"path": ask, "kind": Kind.REFUSE}
    body = '{"code":-1003,"msg":"Too many requests."}'
    return Words(
        book={"stream": "*@depth*"},
        trades={"stream": "*rade*"},
        snapshot={"path": snapshot},
        listing=listing,
        ask={"path": ask},
        fill='"TRADE"',
        lost=({"kind": Kind.ABORT, **order}, silent),
        garbled=({"kind": Kind.TRUNCATE, **order}, silent),
        undone=({"kind": Kind.RESET, **order},),
        cancel_lost=({"kind": Kind.ABORT, "path": "*/order", "method": "DELETE"},),
        answer_late={"kind": Kind.DELAY, "seconds": 0.5, **order},
        limited={**question, "status": 429, "body": body, "headers": {"Retry-After": "1"}},
        banned={**question, "status": 418, "body": body, "headers": {"Retry-After": "120"}},
        denied={**question, "status": 451},
    )


def _kraken_words() -> Words:
    private, ask = {"host": "ws-auth*"}, "/0/private/OpenOrders"
    answer = {"text": '"method":"add_order"', **private}
    silent = {"kind": Kind.DROP, "stream": "executions", "count": 0, **private}

    def refused(text: str) -> Fault:
        body = f'{{"error":["{text}"]}}'
        return {"path": ask, "kind": Kind.REFUSE, "status": 200, "body": body}

    return Words(
        book={"host": "ws.kraken.com", "stream": "book:*", "text": '"update"'},
        trades={"host": "ws.kraken.com", "stream": "trade:*", "text": '"update"'},
        listing="*/AssetPairs",
        ask={"path": ask},
        fill="exec_id",
        lost=({"kind": Kind.DROP, **answer}, silent),
        garbled=({"kind": Kind.MALFORM, **answer},),
        cancel_lost=({"kind": Kind.DROP, "text": '"method":"cancel_order"', **private}, silent),
        answer_late={"kind": Kind.LATE, "seconds": 0.5, **answer},
        limited=refused("EAPI:Rate limit exceeded"),
        banned=refused("EGeneral:Temporary lockout"),
        denied=refused("EGeneral:Permission denied"),
    )


_ONE_SOCKET: Final = "its snapshot comes on the socket, and nothing is asked for"
PLACES: Final = (
    Place(
        name="binance",
        symbol="BTCUSDT",
        terms=spot(),
        front=_binance_front(SpotFront),
        market=lambda: BinanceMarket("binance", ("book", "quotes", "trades")),
        orders=_binance_orders(Spot),
        words=_binance_words("*/openOrders", "*/depth", "*/exchangeInfo"),
    ),
    Place(
        name="binance_usdm",
        symbol="BTCUSDT",
        terms=perpetual(),
        front=_binance_front(UsdmFront),
        market=lambda: BinanceMarket("binance_usdm", ("book", "quotes", "trades")),
        orders=_binance_orders(Usdm),
        words=_binance_words("*/openOrders", "*/depth", "*/exchangeInfo"),
    ),
    Place(
        name="kraken",
        symbol="BTC/USDT",
        terms=spot(fee_from_received=False, notional_min=Decimal(5)),
        front=KrakenFront,
        market=lambda: KrakenMarket(Streams(depth=25)),
        orders=_kraken_orders,
        words=_kraken_words(),
        depth=25,
        numbered=False,
        lacks={
            "snapshot_that_is_refused_is_asked_for_again": _ONE_SOCKET,
            "moving_market_is_joined_without_a_gap": _ONE_SOCKET,
        },
    ),
)
