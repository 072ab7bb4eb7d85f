"""The simulated venue behind the gateway's port: what paper trading and backtests trade against.

It hears each market fact at the time it was received, commands at the time they left. Those times
never run back for it, whatever order turns and sends come in.
"""

from collections.abc import Iterable
from typing import Final, cast

from mm.events.account import AccountReconciled, BalanceReported, PositionReported
from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    OrderResolved,
    OrderSubmitted,
    PlaceOrder,
    Resolution,
)
from mm.events.units import Nanos, OrderId
from mm.events.vocabulary import Fact, Intent, Market
from mm.projections.orders import Order
from mm.sim.compiled_trading import compiled_venue
from mm.sim.order import Standing
from mm.sim.settings import PaperSettings

_COMMANDS: Final[dict[type, str]] = {
    PlaceOrder: "place",
    AmendOrder: "amend",
    CancelOrder: "cancel",
    CancelAll: "cancel_all",
}
_RESOLUTIONS: Final = {
    Standing.OPEN: Resolution.OPEN,
    Standing.FILLED: Resolution.FILLED,
    Standing.CANCELED: Resolution.CANCELED,
    Standing.REJECTED: Resolution.NEVER_ARRIVED,
    # A simulated venue lives in our process: what it does not know died with it.
    Standing.UNKNOWN: Resolution.NEVER_ARRIVED,
}


class PaperGateway:
    """One paper account."""

    def __init__(self, settings: PaperSettings, seed: int) -> None:
        """Open the account."""
        self._venue = compiled_venue(settings, seed)
        self._wallet = settings.wallet
        self._last = Nanos(0)

    def define(self, at: Nanos, instrument: InstrumentDefined) -> None:
        """List an instrument."""
        self._venue.hear(self._at(at), instrument)

    def restore(self, reports: Iterable[BalanceReported | PositionReported]) -> None:
        """Give the account what an earlier session left in it."""
        self._venue.restore(reports)

    def observe(self, at: Nanos, facts: tuple[Fact, ...]) -> None:
        """Pass the market on, each fact at the time it was received; definitions tell none."""
        for fact in facts:
            if isinstance(fact, InstrumentDefined):
                self.define(at, fact)
            elif isinstance(fact, MarketEvent):
                received = getattr(fact, "received", self._last)
                self._venue.hear(self._at(received), cast("Market", fact))

    def send(self, at: Nanos, intent: Intent) -> tuple[Fact, ...]:
        """Enqueue a command; the venue hears it after the entry latency."""
        at = self._at(at)
        self._venue.submit(at, intent)
        order_id = OrderId("") if isinstance(intent, CancelAll) else intent.order_id
        return (
            OrderSubmitted(
                order_id=order_id,
                instrument=intent.instrument,
                command=_COMMANDS[type(intent)],
                sent=at,
            ),
        )

    def due(self) -> Nanos | None:
        """When the venue has something to do or to say."""
        return self._venue.due()

    def poll(self, at: Nanos) -> tuple[Fact, ...]:
        """What reached us by `at`."""
        return tuple(self._venue.advance(self._at(at)))

    async def reconcile(self, at: Nanos, live: list[Order]) -> tuple[Fact, ...]:
        """What `state` says: a simulated venue is never far."""
        return self.state(at, live)

    async def close(self) -> None:
        """Nothing is held."""

    def state(self, at: Nanos, live: list[Order]) -> tuple[Fact, ...]:
        """Evidence on each live order, the account, and that both were asked for."""
        at = self._at(at)
        resolved = [self._resolved(at, order) for order in live]
        done = AccountReconciled(
            wallet=self._wallet, orders=len(live), differences=len(resolved), received=at
        )
        return (*resolved, *self._venue.report(at), done)

    def _resolved(self, at: Nanos, order: Order) -> OrderResolved:
        known = self._venue.query(order.order_id)
        return OrderResolved(
            order_id=order.order_id,
            instrument=order.instrument,
            resolution=_RESOLUTIONS[known.standing],
            filled=known.filled,
            evidence=f"asked the venue: {known.standing.value}",
            received=at,
            venue_time=at,
            venue_order_id=known.venue_order_id,
        )

    def _at(self, at: Nanos) -> Nanos:
        self._last = max(self._last, at)
        return self._last
