"""While the log cannot acknowledge: cancel what rests, offer the same turn again, send nothing new.

Cancels that leave now are not on the log yet. Each is written to the spool before it leaves and
comes back as a fact in a later turn, so that the log learns of it, by the next session if need be.
A spool that cannot be written holds up no cancel: they leave, and then the session ends. So they do
when a session ends by any other exception.
The turn's id is its hash, so offering it again can store it only once.
"""

import asyncio
import time
from typing import Final

from mm.apps.spool import Spool
from mm.errors import LogError, LogFull, LogUnavailable, SessionError
from mm.events.orders import (
    CancelOrder,
    OrderSubmitted,
    PlaceOrder,
)
from mm.events.session import NoteTaken
from mm.events.units import Nanos, Seq, TurnNumber
from mm.events.vocabulary import Fact
from mm.gateways.base import Gateway
from mm.log.base import Log
from mm.log.chain import Head, Sealed
from mm.projections.orders import Order

PATIENCE_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 0.25
NOTE_MAX: Final = 500
"""Characters of a note: an exception may have a lot to say."""


class Outage:
    """The emergency path around one log and one gateway."""

    def __init__(self, log: Log, gateway: Gateway, spool: Spool) -> None:
        """Stand by."""
        self._log = log
        self._gateway = gateway
        self._spool = spool

    async def ride_out(self, sealed: Sealed) -> None:
        """Offer the turn again until it is stored; raises `LogUnavailable` after the patience."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                return await self._log.append(sealed)
            except LogUnavailable:
                if time.monotonic() > give_up:
                    raise

    def cancel(self, sealed: Sealed, live: list[Order], at: Nanos, why: LogError) -> list[Fact]:
        """Cancel every order that has left, on the spool first; returns what the log must learn.

        Raises `LogFull` or `SessionError`, after they left, when the spool could not be written.
        """
        orders = _left(live, sealed)
        note = f"{len(orders)} orders are canceled while the log is away: {why.what}"
        facts, unkept = self._pull(orders, note, TurnNumber(sealed.turn.number - 1), at)
        if unkept is not None:
            raise _unwritten(len(orders), unkept, why, str(self._spool.path)) from unkept
        return facts

    def abandon(
        self, offered: Sealed | None, live: list[Order], head: Head, at: Nanos, why: BaseException
    ) -> None:
        """Cancel every order that has left, for the session ends; `offered` is not durable yet."""
        orders = _left(live, offered)
        note = f"{len(orders)} orders are canceled as the session breaks off: {why!r}"
        _, unkept = self._pull(orders, note, head.number, at)
        if unkept is not None:
            why.add_note(f"the cancels that left are not written down: {unkept}")

    def _pull(
        self, orders: list[Order], note: str, after: TurnNumber, at: Nanos
    ) -> tuple[list[Fact], OSError | None]:
        """Spool, then cancels; what the log must learn, and why the spool was not written."""
        if not orders:
            return [], None
        facts: list[Fact] = [NoteTaken(who="runner", text=note[:NOTE_MAX])]
        facts += [_submitted(order, at) for order in orders]
        unkept = self._keep(facts, after)
        for order in orders:
            answers = self._gateway.send(at, _cancel(order))
            facts += [fact for fact in answers if not isinstance(fact, OrderSubmitted)]
        return facts, unkept

    def _keep(self, facts: list[Fact], after: TurnNumber) -> OSError | None:
        """Write down what is about to leave; a disk that is full holds up no cancel."""
        try:
            self._spool.keep(facts, after)
        except OSError as error:
            return error
        return None


def _unwritten(count: int, unkept: OSError, why: LogError, path: str) -> LogError | SessionError:
    """What ends a session whose cancels have left and are written down nowhere."""
    kind = LogFull if isinstance(why, LogFull) else SessionError
    return kind(
        f"{why.what}, and the {count} cancels that left are not written down: {unkept.strerror}",
        where=path,
        remedy="make room on the disk and start again: the venue is asked about every order",
    )


def _left(live: list[Order], offered: Sealed | None) -> list[Order]:
    """All but the orders of the very turn that is not durable yet: those have not left."""
    decisions = offered.turn.decisions if offered is not None else ()
    here = {place.order_id for place in decisions if isinstance(place, PlaceOrder)}
    return [order for order in live if order.order_id not in here]


def _submitted(order: Order, at: Nanos) -> OrderSubmitted:
    return OrderSubmitted(
        order_id=order.order_id, instrument=order.instrument, command="cancel", sent=at
    )


def _cancel(order: Order) -> CancelOrder:
    return CancelOrder(
        order_id=order.order_id,
        instrument=order.instrument,
        cause=Seq(0),
        reason="log unavailable",
    )
