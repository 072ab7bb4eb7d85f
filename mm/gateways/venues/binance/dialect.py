"""What spot and USD-M do differently about orders, and what a private stream needs to stand."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

import aiohttp
import msgspec

from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.orders import OrderKind, PlaceOrder, TimeInForce
from mm.events.units import Nanos
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.order_port import Abilities, PrivateNews
from mm.gateways.venues.binance.messages import Reader
from mm.gateways.venues.binance.rest import Rest

Parameters = dict[str, Any]


class Dialect(Protocol):
    """What spot and USD-M do differently."""

    @property
    def venue(self) -> str:
        """As instruments name it."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host it talks to."""
        ...

    @property
    def abilities(self) -> Abilities:
        """What it can do."""
        ...

    @property
    def weights(self) -> Mapping[str, int]:
        """What a call costs, by command."""
        ...

    @property
    def calls(self) -> Mapping[str, str]:
        """Ccxt's name of a call, by command."""
        ...

    def terms(self, order: PlaceOrder, instrument: InstrumentDefined) -> Parameters:
        """Type, time in force, price and what else makes the order what it is."""
        ...

    async def account(self, rest: Rest, reader: Reader) -> list[BalanceReported | PositionReported]:
        """Balances and positions."""
        ...

    async def permissions(self, rest: Rest) -> tuple[str, ...]:
        """What the key may do."""
        ...

    def stream(self, wire: "Wire") -> AsyncIterator[PrivateNews]:
        """The user data stream."""
        ...


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """What a user stream needs."""

    session: aiohttp.ClientSession
    credentials: Credentials
    clock: VenueClock
    rest: Rest
    reader: Reader
    now: Callable[[], Nanos]


def limit_terms(order: PlaceOrder, instrument: InstrumentDefined, post_only: str) -> Parameters:
    """Terms that both markets share; `post_only` is the time in force that rests only."""
    if order.kind is OrderKind.MARKET:
        return {"type": "MARKET"}
    price = format(instrument.price(order.price), "f")
    rests = order.post_only and order.tif is TimeInForce.GTC
    tif = post_only if rests else order.tif.value.upper()
    return {"type": "LIMIT", "price": price, "timeInForce": tif}
