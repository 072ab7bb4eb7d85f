"""A gateway to an emulated Binance: the real port, over TLS, on production addresses."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mm.emulator.binance.spot import SpotFront
from mm.emulator.binance.usdm import UsdmFront
from mm.emulator.faults import REQUESTS, Kind, Rule
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.venues.binance.orders import BinanceOrders
from mm.gateways.venues.binance.spot import Spot
from mm.gateways.venues.binance.usdm import Usdm
from tests.emulator.venue import KEYS, opened, perpetual, reached, spot
from tests.gateways.accounts import Wired
from tests.gateways.fake_venue import now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from mm.emulator.account import Account as Held
    from mm.emulator.exchange import Exchange
    from mm.emulator.server import Running

OWNERS = ("maker_main",)
MARKETS = {"binance": (Spot, SpotFront, spot), "binance_usdm": (Usdm, UsdmFront, perpetual)}


def bid(binance: BinanceAccount, below: int = 50) -> int:
    """A price that rests: so many quote units below the mid of 60,000."""
    return int((60_000 - below) / binance.instrument.tick_size)


def lots(binance: BinanceAccount, size: str) -> int:
    """A size in lots."""
    return int(Decimal(size) / binance.instrument.lot_size)


class BinanceAccount:
    """The exchange, what it holds of us, and ways to it."""

    def __init__(self, name: str) -> None:
        """List one instrument and open an account."""
        dialect, front, defined = MARKETS[name]
        self.dialect: Any = dialect
        self.exchange: Exchange
        self.held: Held
        self.exchange, self.held = opened(defined(), name)
        self.front: Any = front(self.exchange)
        self.instrument = defined(venue=name)
        self.session: aiohttp.ClientSession
        self.running: Running

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[BinanceAccount]:
        """Serve, and hold a session that reaches it."""
        async with reached(self.front) as there:
            self.session, self.running = there.session, there.running
            yield self

    def goes_wrong(self, kind: Kind, **what: Any) -> None:
        """From now on this happens: to an order's request, or to a frame of the user stream."""
        where = {"path": "*/order"} if kind in REQUESTS else {}
        self.running.hub.faults.add([Rule(**{"kind": kind, **where, **what})])

    def wired(self, secret: str = KEYS.secret, **changes: Any) -> Wired:
        """A gateway to it."""
        clock = VenueClock(self.dialect().venue, now)
        port = BinanceOrders(
            self.dialect(), self.session, Credentials(KEYS.key, secret), clock, now, OWNERS
        )
        settings = {"heard_seconds_max": 2.0, "connect_seconds_max": 15.0}
        return Wired(port, self.instrument, clock, **{**settings, **changes})
