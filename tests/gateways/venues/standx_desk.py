"""An emulated StandX for the tests: a small book, an account, and our order port on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange, Keys
from mm.emulator.standx.keys import credentials
from mm.emulator.standx.limits import USUAL, Terms
from mm.emulator.standx.perps import StandxFront
from mm.events.instrument import InstrumentDefined
from mm.events.orders import CancelOrder, PlaceOrder
from mm.events.units import SECONDS, Nanos, OrderId, Seq, Side
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.order_port import Known, StreamUp
from mm.gateways.venues.standx.orders import StandxOrders
from tests.build import placed
from tests.emulator.venue import BTCUSDT, Reached, book, perpetual, printed, reached
from tests.gateways.ear import Ear

OWNER = "maker_main"
KEYS = credentials(Keys("wallet", "secret"))
DUSD = Decimal(100_000)
FILLING = 5_995_000
"""A bid below the book's, in ticks; a sale at this price fills it."""
SIZE = 5_000


def bitcoin(**changes: Any) -> InstrumentDefined:
    """BTC-USD: ticks of a cent, lots of a ten-thousandth, an hourly funding."""
    values = {
        "venue": "standx",
        "symbol": "BTC-USD",
        "base": "BTC",
        "quote": "DUSD",
        "settle": "DUSD",
        "tick_size": Decimal("0.01"),
        "lot_size": Decimal("0.0001"),
        "maker_fee": Decimal("0.0001"),
        "taker_fee": Decimal("0.0004"),
        "notional_min": Decimal(0),
        "funding_interval": Nanos(3_600 * SECONDS),
        "size_max": 1_000_000,
    }
    return perpetual(**{**values, **changes})


def opened() -> tuple[Exchange, Account]:
    """An exchange with one symbol, a book of two levels a side around 60,000, an account."""
    exchange = Exchange("standx")
    exchange.list(bitcoin())
    bids, asks = (5_990_000, 10_000, 5_980_000, 20_000), (6_010_000, 10_000, 6_020_000, 20_000)
    exchange.tell(book(100, bids, asks))
    return exchange, exchange.open(KEYS, {"DUSD": DUSD})


def order_id(number: int) -> OrderId:
    """An id as the engine makes it."""
    return OrderId(f"{OWNER}_{1_732_224_000_000 + number}_{number:x}00")


class Desk(Ear):
    """The port, what its stream said, and the venue that it speaks to."""

    def __init__(self, exchange: Exchange, account: Account, there: Reached) -> None:
        """Nothing is connected yet."""
        self.exchange = exchange
        self.account = account
        super().__init__(there)
        self.clock = VenueClock("standx", exchange.now)
        self.port = self.made(KEYS)

    def made(self, keys: Keys, owner: str = OWNER) -> StandxOrders:
        """A port of the account."""
        credentials = Credentials(keys.key, keys.secret)
        port = StandxOrders(
            self.there.session, credentials, self.clock, self.exchange.now, (owner,)
        )
        port.learn((bitcoin(),))
        return port

    async def rests(self, most: int = 1) -> None:
        """Wait until so many orders rest at the venue."""
        await self.holds(lambda: len(self.account.open()) >= most)

    def fill(self, number: int, size: int, price: int = FILLING) -> None:
        """Somebody sells."""
        self.exchange.tell(printed(number, price, size, Side.SELL))


@asynccontextmanager
async def desk(*, listens: bool = True, terms: Terms = USUAL) -> AsyncIterator[Desk]:
    """A port on an emulated StandX; its stream stands where it `listens`."""
    exchange, account = opened()
    async with reached(StandxFront(exchange, terms)) as there:
        made = Desk(exchange, account, there)
        await made.clock.measure(made.port.venue_clock)
        listening = asyncio.create_task(made.listen()) if listens else None
        try:
            if listens:
                await made.until(StreamUp)
            yield made
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)


def bid(number: int, price: int = FILLING, size: int = SIZE, **changes: Any) -> PlaceOrder:
    """A resting bid for half a bitcoin."""
    return placed(order_id(number), Side.BUY, price, size, instrument=BTCUSDT, **changes)


def cancel(number: int) -> CancelOrder:
    """Its cancel."""
    return CancelOrder(order_id=order_id(number), instrument=BTCUSDT, cause=Seq(1), reason="test")


def known(number: int, venue_order_id: str = "") -> Known:
    """What names it."""
    return Known(order_id(number), BTCUSDT, venue_order_id)
