"""Binance USD-M futures: what it can do, and its user stream by listen key.

A listen key lives for an hour unless it is renewed; one that has expired ends the connection, and
the next one takes a new key.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.orders import PlaceOrder
from mm.events.units import SECONDS, Nanos
from mm.events.vocabulary import Fact
from mm.gateways.order_port import Abilities, PrivateNews, Rate
from mm.gateways.user_stream import Ended, Stream, held_open
from mm.gateways.venues.binance.dialect import Parameters, Wire, limit_terms
from mm.gateways.venues.binance.messages import PositionNews, Reader, Report, WalletNews
from mm.gateways.venues.binance.rest import RECEIVE_WINDOW_MILLIS, Rest
from mm.gateways.verdicts import VenueSaid

URL: Final = "wss://fstream.binance.com/private/ws?listenKey="
RENEW_SECONDS: Final = 20 * 60.0
ORDERS: Final = ("place", "amend")


class Changes(msgspec.Struct):
    """The `a` of `ACCOUNT_UPDATE`."""

    m: str = ""
    B: list[WalletNews] = []
    P: list[PositionNews] = []


class UsdmEvent(msgspec.Struct):
    """One event of a user stream, of any kind."""

    e: str
    E: int = 0
    o: msgspec.Raw = msgspec.Raw(b"")
    a: msgspec.Raw = msgspec.Raw(b"")


_event: Final = msgspec.json.Decoder(UsdmEvent)
_report: Final = msgspec.json.Decoder(Report)
_changes: Final = msgspec.json.Decoder(Changes)


class Usdm(NamedTuple):
    """Binance USD-M."""

    venue: str = "binance_usdm"
    hosts: tuple[str, ...] = ("fapi.binance.com", "fstream.binance.com")
    abilities: Abilities = Abilities(
        amend=True,
        batch_places_max=5,
        batch_cancels_max=10,
        cancel_all=True,
        reduce_only=True,
        switch=True,
        positions=True,
        settles=Nanos(RECEIVE_WINDOW_MILLIS * 1_000_000 + 2 * SECONDS),
        rates=(
            Rate(name="weight", span=Nanos(60 * SECONDS), most=2_400),
            Rate(name="orders_10s", span=Nanos(10 * SECONDS), most=300, counts=ORDERS),
            Rate(name="orders_minute", span=Nanos(60 * SECONDS), most=1_200, counts=ORDERS),
        ),
    )
    weights: Mapping[str, int] = {
        "place": 0,
        "amend": 0,
        "cancel": 1,
        "cancel_all": 1,
        "order": 1,
        "open_orders": 1,
        "fills": 5,
        "account": 10,
        "venue_clock": 1,
        "permissions": 1,
    }
    calls: Mapping[str, str] = {
        "place": "fapiPrivatePostOrder",
        "amend": "fapiPrivatePutOrder",
        "cancel": "fapiPrivateDeleteOrder",
        "cancel_all": "fapiPrivateDeleteAllOpenOrders",
        "order": "fapiPrivateGetOrder",
        "open_orders": "fapiPrivateGetOpenOrders",
        "fills": "fapiPrivateGetUserTrades",
        "venue_clock": "fapiPublicGetTime",
    }

    def terms(self, order: PlaceOrder, instrument: InstrumentDefined) -> Parameters:
        """Post-only is a time in force here; an order may be made to reduce alone."""
        terms = limit_terms(order, instrument, "GTX")
        return terms | {"reduceOnly": "true"} if order.reduce_only else terms

    async def account(self, rest: Rest, reader: Reader) -> list[BalanceReported | PositionReported]:
        """Wallet balances, and the positions of what is traded."""
        told = await rest.call("fapiPrivateV3GetAccount")
        reports: list[BalanceReported | PositionReported] = [
            reader.wallet(each["asset"], each["walletBalance"], each["crossWalletBalance"], 0)
            for each in told["assets"]
            if Decimal(each["walletBalance"])
        ]
        for each in await rest.call("fapiPrivateV3GetPositionRisk"):
            found = reader.position(each["symbol"], each["positionAmt"], each["entryPrice"], 0)
            if found is not None:
                reports.append(found)
        return reports

    async def permissions(self, rest: Rest) -> tuple[str, ...]:
        """A futures key is told of by the spot side alone, which is another host."""
        del rest
        return ()

    async def stream(self, wire: Wire) -> AsyncIterator[PrivateNews]:
        """The user data stream, and the renewal of its key beside it."""
        renewal = asyncio.create_task(_renew(wire))
        try:
            async for news in held_open(_UsdmStream(wire), wire):
                yield news
        finally:
            renewal.cancel()
            with suppress(asyncio.CancelledError):
                await renewal


async def _renew(wire: Wire) -> None:
    """Keep the key alive; where that fails the stream ends, and begins with another key."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        with suppress(VenueSaid):
            await wire.rest.call("fapiPrivatePutListenKey")


class _UsdmStream(Stream):
    """One subscription."""

    def __init__(self, wire: Wire) -> None:
        """No key yet."""
        self._wire = wire

    async def url(self) -> str:
        """The address with a key; an account has one at a time."""
        answer: Any = await self._wire.rest.call("fapiPrivatePostListenKey")
        return URL + str(answer["listenKey"])

    def hello(self) -> bytes | None:
        """The address says it all."""
        return None

    def hear(self, body: bytes) -> list[Fact] | Ended | None:
        """The facts of a frame."""
        event, reader = _event.decode(body), self._wire.reader
        match event.e:
            case "ORDER_TRADE_UPDATE":
                return reader.report(_report.decode(event.o))
            case "ACCOUNT_UPDATE":
                return account_news(reader, _changes.decode(event.a), event.E)
            case "listenKeyExpired":
                return Ended(event.e)
            case _:
                return []  # `TRADE_LITE` is told again, and whole, by the order's own news.


def account_news(reader: Reader, changes: Changes, time: int) -> list[Fact]:
    """Balances and positions of an update."""
    facts: list[Fact] = [
        reader.wallet(each.asset, each.wallet, each.cross, time) for each in changes.B
    ]
    for each in changes.P:
        found = reader.position(each.symbol, each.amount, each.entry, time)
        if found is not None:
            facts.append(found)
    return facts
