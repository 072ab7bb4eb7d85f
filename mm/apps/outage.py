"""While the log cannot acknowledge: cancel what rests, offer the same turn again, send nothing new.

Cancels that leave now are not on the log yet. They are written to the gateway's facts and come
back into the next turn, so that the log learns of each. The turn's id is its hash, so offering it
again can store it only once.
"""

import asyncio
import time
from typing import Final

from mm.errors import LogUnavailable
from mm.events.orders import AmendOrder, CancelOrder, OrderResolved, PlaceOrder, Resolution
from mm.events.units import Lots, Nanos, OrderId, Seq
from mm.events.vocabulary import Fact, Intent
from mm.gateways.base import Gateway
from mm.log.base import Log
from mm.log.chain import Sealed
from mm.projections.orders import Order

PATIENCE_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 0.25


class Outage:
    """The emergency path around one log and one gateway."""

    def __init__(self, log: Log, gateway: Gateway) -> None:
        """Stand by."""
        self._log = log
        self._gateway = gateway

    async def ride_out(self, sealed: Sealed, live: list[Order]) -> list[Fact]:
        """Cancel everything, then retry the append until it holds; raises `LogUnavailable`."""
        sent = [order for order in live if order.order_id not in _placed(sealed)]
        facts = self._cancel(sent, sealed.turn.at)
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                await self._log.append(sealed)
            except LogUnavailable:
                if time.monotonic() > give_up:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return facts

    def unsent(self, intent: Intent, at: Nanos) -> Fact:
        """Evidence that a late intent never left."""
        assert isinstance(intent, PlaceOrder | AmendOrder), "cancels are always sent"
        place = isinstance(intent, PlaceOrder)
        return OrderResolved(
            order_id=intent.order_id,
            instrument=intent.instrument,
            resolution=Resolution.NEVER_ARRIVED if place else Resolution.OPEN,
            filled=Lots(0),
            evidence="not sent: the log was away when it was decided",
            received=at,
            venue_time=Nanos(0),
        )

    def _cancel(self, live: list[Order], at: Nanos) -> list[Fact]:
        facts: list[Fact] = []
        for order in live:
            intent = CancelOrder(
                order_id=order.order_id,
                instrument=order.instrument,
                cause=Seq(0),
                reason="log unavailable",
            )
            facts.extend(self._gateway.send(at, intent))
        return facts


def _placed(sealed: Sealed) -> set[OrderId]:
    """Orders of the very turn that is not durable yet: they have not left."""
    places = (each for each in sealed.turn.decisions if isinstance(each, PlaceOrder))
    return {place.order_id for place in places}
