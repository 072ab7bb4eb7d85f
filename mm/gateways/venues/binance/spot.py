"""Binance spot: what it can do, and its user stream over the WebSocket API.

Spot orders are not amended: what the venue calls replacing is a cancel and a new order.
"""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.orders import PlaceOrder
from mm.events.units import SECONDS, Nanos
from mm.events.vocabulary import Fact
from mm.gateways.order_port import Abilities, PrivateNews, Rate
from mm.gateways.user_stream import Ended, Refused, Stream, held_open
from mm.gateways.venues.binance.dialect import Parameters, Wire, limit_terms
from mm.gateways.venues.binance.errors import socket_refusal
from mm.gateways.venues.binance.messages import AssetNews, Reader, Report
from mm.gateways.venues.binance.rest import RECEIVE_WINDOW_MILLIS, Rest
from mm.gateways.verdicts import VenueSaid

URL: Final = "wss://ws-api.binance.com:443/ws-api/v3"
SUBSCRIBE: Final = "userDataStream.subscribe.signature"
NO_PAGE: Final = f"http {HTTPStatus.NOT_FOUND.value}"
DAY: Final = Nanos(86_400 * SECONDS)


class SpotEvent(msgspec.Struct):
    """One event of a user stream, of any kind."""

    e: str
    E: int = 0
    B: list[AssetNews] = []


class SpotFrame(msgspec.Struct):
    """A frame of the WebSocket API: an answer to us, or an event."""

    event: msgspec.Raw = msgspec.Raw(b"")
    status: int = 0
    error: dict[str, Any] = {}


_frame: Final = msgspec.json.Decoder(SpotFrame)
_event: Final = msgspec.json.Decoder(SpotEvent)
_report: Final = msgspec.json.Decoder(Report)


class Spot(NamedTuple):
    """Binance spot."""

    venue: str = "binance"
    hosts: tuple[str, ...] = ("api.binance.com", "ws-api.binance.com")
    abilities: Abilities = Abilities(
        cancel_all=True,
        settles=Nanos(RECEIVE_WINDOW_MILLIS * 1_000_000 + 2 * SECONDS),
        rates=(
            Rate(name="weight", span=Nanos(60 * SECONDS), most=6_000),
            Rate(name="orders_10s", span=Nanos(10 * SECONDS), most=100, counts=("place",)),
            Rate(name="orders_day", span=DAY, most=200_000, counts=("place",)),
        ),
    )
    weights: Mapping[str, int] = {
        "place": 1,
        "amend": 1,
        "cancel": 1,
        "cancel_all": 1,
        "order": 4,
        "open_orders": 6,
        "fills": 20,
        "account": 20,
        "venue_clock": 1,
        "permissions": 1,
    }
    calls: Mapping[str, str] = {
        "place": "privatePostOrder",
        "cancel": "privateDeleteOrder",
        "cancel_all": "privateDeleteOpenOrders",
        "order": "privateGetOrder",
        "open_orders": "privateGetOpenOrders",
        "fills": "privateGetMyTrades",
        "venue_clock": "publicGetTime",
    }

    def terms(self, order: PlaceOrder, instrument: InstrumentDefined) -> Parameters:
        """Post-only is an order type here, without a time in force."""
        terms = limit_terms(order, instrument, "MAKER")
        if terms.get("timeInForce") == "MAKER":
            return {"type": "LIMIT_MAKER", "price": terms["price"]}
        return terms

    async def account(self, rest: Rest, reader: Reader) -> list[BalanceReported | PositionReported]:
        """Balances."""
        answer = await rest.call("privateGetAccount", omitZeroBalances="true")
        time = int(answer.get("updateTime", 0))
        return [
            reader.balance(each["asset"], each["free"], each["locked"], time)
            for each in answer["balances"]
        ]

    async def permissions(self, rest: Rest) -> tuple[str, ...]:
        """What the key may do; a venue without such a page does not tell."""
        try:
            answer = await rest.call("sapiGetAccountApiRestrictions")
        except VenueSaid as said:
            if said.raw_code == NO_PAGE:
                return ()
            raise
        names = {
            "enableReading": "read",
            "enableSpotAndMarginTrading": "trade",
            "enableWithdrawals": "withdraw",
            "enableInternalTransfer": "transfer",
        }
        return tuple(word for name, word in names.items() if answer.get(name))

    async def stream(self, wire: Wire) -> AsyncIterator[PrivateNews]:
        """The user data stream; a signature subscribes, there is no key to keep alive."""
        async for news in held_open(_SpotStream(wire), wire):
            yield news


class _SpotStream(Stream):
    """One subscription."""

    def __init__(self, wire: Wire) -> None:
        """Nothing is subscribed yet."""
        self._wire = wire

    async def url(self) -> str:
        """The WebSocket API."""
        return URL

    def hello(self) -> bytes | None:
        """Subscribe; the signature is over the sorted parameters."""
        wire = self._wire
        params: dict[str, Any] = {
            "apiKey": wire.credentials.key,
            "recvWindow": RECEIVE_WINDOW_MILLIS,
            "timestamp": wire.clock.stamp(),
        }
        params["signature"] = wire.rest.signed(urlencode(sorted(params.items())))
        return msgspec.json.encode({"id": "user", "method": SUBSCRIBE, "params": params})

    def hear(self, body: bytes) -> list[Fact] | Ended | None:
        """The facts of a frame; None for the answer that the subscription stands."""
        frame = _frame.decode(body)
        if frame.status:
            if frame.status == HTTPStatus.OK:
                return None
            raise Refused(socket_refusal(frame.status, frame.error, self._wire.clock.stamp()))
        event = _event.decode(frame.event)
        match event.e:
            case "executionReport":
                return self._wire.reader.report(_report.decode(frame.event))
            case "outboundAccountPosition":
                return self._wire.reader.balances(event.B, event.E)
            case "eventStreamTerminated" | "serverShutdown":
                return Ended(event.e)
            case _:
                return []
