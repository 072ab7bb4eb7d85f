"""A gateway on a venue in memory, and the orders that its facts make on a log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from mm.events.orders import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from mm.events.units import Lots, Nanos, OrderId, Seq, Side, Ticks
from mm.gateways.account_settings import AccountSettings
from mm.gateways.calls import CallLimits
from mm.gateways.clock_check import VenueClock
from mm.gateways.limiter import Limiter, OwnPool
from mm.gateways.venue_gateway import Ties, VenueGateway
from mm.projections.lifecycle import Status
from mm.projections.state import State
from tests.build import instrument, placed, started, when
from tests.gateways.fake_venue import FakeVenue, now

if TYPE_CHECKING:
    from mm.events.instrument import InstrumentDefined
    from mm.gateways.order_port import OrderPort
    from mm.projections.orders import Order

PATIENCE_SECONDS: Final = 40.0
SETTINGS: Final = AccountSettings(
    calls=CallLimits(answer_seconds_max=0.3),
    heard_seconds_max=0.1,
    cancel_pause_seconds=0.01,
    retry_seconds=0.01,
    connect_seconds_max=2.0,
)


def order_id(number: int) -> OrderId:
    """An id as the engine makes it."""
    return OrderId(f"maker_main_{1_700_000_000_000 + number}_{number:x}00")


class Wired:
    """A session in small: intents are folded and sent, facts are folded as they come."""

    def __init__(
        self,
        port: OrderPort,
        definition: InstrumentDefined,
        clock: VenueClock | None = None,
        **changes: Any,
    ) -> None:
        """Wire a gateway to a port; nothing is connected yet."""
        self.port = port
        self.instrument = definition.instrument
        self.state = State()
        self.facts: list[Any] = []
        self.ahead = 0
        when(self.state, started(), definition)
        self.limiter = Limiter(port.abilities.rates, OwnPool(), now)
        self.gateway = VenueGateway(
            port,
            self.limiter,
            clock or VenueClock(port.venue, self.now),
            Ties(self.told, self.now, self.state.orders.get, self.state.ledger.is_repeated),
            msgspec.structs.replace(SETTINGS, **changes),
        )
        port.learn((definition,))
        self.gateway.learn((self.instrument,), Nanos(0))

    async def __aenter__(self) -> Self:
        """Leave connecting to `open`."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the gateway."""
        await self.gateway.close()

    def now(self) -> Nanos:
        """The time of day, and what a test let pass."""
        return Nanos(now() + self.ahead)

    def windows_pass(self) -> None:
        """Nothing that was sent before can take effect any more."""
        self.ahead += self.port.abilities.settles

    def told(self, *facts: Any) -> None:
        """Fold facts."""
        self.facts += facts
        when(self.state, *facts)

    async def open(self) -> Self:
        """Connect and reconcile, as a runner does."""
        self.told(*await self.gateway.reconcile(now(), self.state.orders.live))
        return self

    def place(self, number: int, price: int = 1_000, size: int = 5, **changes: Any) -> OrderId:
        """Decide on an order and send it."""
        name = order_id(number)
        side = changes.pop("side", Side.BUY)
        self.send(placed(name, side, price, size, instrument=self.instrument, **changes))
        return name

    def cancel(self, name: OrderId) -> None:
        """Decide on a cancel and send it."""
        where = self.instrument
        self.send(CancelOrder(order_id=name, instrument=where, cause=Seq(1), reason="test"))

    def amend(self, name: OrderId, price: int, size: int) -> None:
        """Decide on an amend and send it."""
        command = AmendOrder(
            order_id=name,
            instrument=self.instrument,
            price=Ticks(price),
            size=Lots(size),
            cause=Seq(1),
            reason="test",
        )
        self.send(command)

    def cancel_all(self) -> None:
        """Decide to cancel everything."""
        self.send(CancelAll(instrument=self.instrument, cause=Seq(1), reason="test"))

    def send(self, intent: PlaceOrder | CancelOrder | CancelAll | AmendOrder) -> None:
        """Fold an intent and send it; what is known at once is folded, too."""
        when(self.state, intent)
        self.told(*self.gateway.send(now(), intent))

    def order(self, name: OrderId) -> Order:
        """An order as the log has it."""
        found = self.state.orders.get(name)
        assert found is not None, f"no such order: {name}"
        return found

    def status(self, name: OrderId) -> Status:
        """Its status."""
        return self.order(name).status

    @property
    def net(self) -> Lots:
        """The position."""
        return self.state.ledger.net(self.instrument)

    def of(self, kind: type) -> list[Any]:
        """The facts of a kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def until(self, done: Callable[[], object]) -> None:
        """Wait for something; fails when it does not come."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not done():  # noqa: ASYNC110 - anything may be waited for.
                await asyncio.sleep(0.001)

    async def reaches(self, name: OrderId, status: Status) -> None:
        """Wait until an order has a status."""
        await self.until(lambda: self.status(name) is status)


class Account(Wired):
    """The same, at a venue in memory."""

    def __init__(self, venue: FakeVenue | None = None, **changes: Any) -> None:
        """Wire it; nothing is connected yet."""
        self.venue = venue or FakeVenue()
        super().__init__(self.venue, instrument(), **changes)
