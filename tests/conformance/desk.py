"""An account at a venue under test: the exchange, what it holds of us, and gateways to it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from mm.emulator.faults import Rule
from mm.events.units import OrderId, Side
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.projections.lifecycle import Status
from tests.build import placed
from tests.emulator.venue import KEYS, opened, printed, reached
from tests.gateways.accounts import Wired
from tests.gateways.fake_venue import now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mm.emulator.exchange import Exchange
    from mm.emulator.server import Running
    from mm.events.orders import PlaceOrder
    from mm.gateways.order_port import OrderPort
    from tests.conformance.venues import Fault, Place

OURS: Final = ("maker_main",)
OTHERS: Final = ("other_main",)
MID: Final = 60_000
ABILITIES: Final[dict[str, Any]] = {}
"""What the ports say that their venues can do, by venue."""


def not_offered(why: str) -> None:
    """Leave the check: the venue has no such thing."""
    pytest.skip(f"not offered: {why}")


def other_id(number: int) -> OrderId:
    """An id of another desk's."""
    return OrderId(f"{OTHERS[0]}_{1_700_000_000_000 + number}_{number:x}00")


class Desk:
    """One emulated venue with one account."""

    def __init__(self, place: Place) -> None:
        """List one instrument and open the account."""
        self.place = place
        self.words = place.words
        self.exchange: Exchange
        self.exchange, self.held = opened(place.terms, place.name)
        self.front = place.front(self.exchange)
        self.definition = place.definition
        self.session: Any
        self.running: Running
        self._prints = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Desk]:
        """Serve, and hold a session that reaches it."""
        async with reached(self.front) as there:
            self.session, self.running = there.session, there.running
            yield self

    def fault(self, *rules: Fault) -> None:
        """From now on these apply."""
        self.running.hub.faults.add([Rule(**rule) for rule in rules])

    def well(self) -> None:
        """Nothing goes wrong any more."""
        self.running.hub.faults.clear()

    def on_fill(self, **rule: Any) -> None:
        """Something befalls the frames that tell of fills."""
        self.fault({"text": self.words.fill, **rule})

    def lose_places(self) -> None:
        """The next place does not arrive, and nobody says so."""
        self.fault(*self.words.undone)
        if not self.words.undone:
            for socket in self.running.hub.sockets:
                socket.deaf = True

    def silence(self) -> None:
        """The private stream says nothing more."""
        for socket in self.running.hub.sockets:
            socket.silent = True

    def cut(self) -> None:
        """Break every socket."""
        for socket in tuple(self.running.hub.sockets):
            socket.cut()

    def port(
        self, key: str = KEYS.key, secret: str = KEYS.secret, owners: tuple[str, ...] = OURS
    ) -> tuple[OrderPort, VenueClock]:
        """The port of the venue, and its clock."""
        clock = VenueClock(self.place.name, now)
        port = self.place.orders(self.session, Credentials(key, secret), clock, owners)
        ABILITIES[self.place.name] = msgspec.to_builtins(port.abilities)
        return port, clock

    async def other(self) -> OrderPort:
        """A port of another desk's on the same account."""
        port, clock = self.port(owners=OTHERS)
        port.learn((self.definition,))
        await clock.measure(port.venue_clock)
        return port

    def wired(self, **changes: Any) -> Wired:
        """A gateway to it; nothing is connected before `open`."""
        keys = {name: changes.pop(name) for name in ("key", "secret") if name in changes}
        port, clock = self.port(**keys)
        settings = {"heard_seconds_max": 2.0, "connect_seconds_max": 15.0}
        return Wired(port, self.definition, clock, **{**settings, **changes})

    def bid(self, below: int = 50) -> int:
        """A price so far below the middle; 50 is the best bid, below -100 it takes."""
        return int((MID - below) / self.definition.tick_size)

    def lots(self, size: str) -> int:
        """A size in lots."""
        return int(Decimal(size) / self.definition.lot_size)

    def sell(self, size: int, below: int = 50) -> None:
        """Somebody sells at a price."""
        self._prints += 1
        self.exchange.tell(printed(self._prints, self.bid(below), size, Side.SELL))

    def order(self, number: int, below: int = 50, size: str = "0.5", **changes: Any) -> PlaceOrder:
        """A command of another desk's."""
        name, side = other_id(number), changes.pop("side", Side.BUY)
        where = self.definition.instrument
        return placed(name, side, self.bid(below), self.lots(size), instrument=where, **changes)

    @property
    def open_ids(self) -> list[str]:
        """The client ids of what rests at the venue."""
        return [record.ticket.client_id for record in self.held.open(None)]


async def rests(desk: Desk, account: Wired, number: int = 1, below: int = 50) -> OrderId:
    """An order of ours of half a coin at rest."""
    name = account.place(number, desk.bid(below), desk.lots("0.5"))
    await account.reaches(name, Status.OPEN)
    return name
