"""From a quoter's step to the intent that stands on the log.

Order ids derive from the place on the log, so that the same record names the same orders, live or
replayed: a readable prefix, and turn and index, which make it unique.
"""

from typing import NamedTuple

from msgspec.structs import replace

from mm.engine.desk import Desk
from mm.engine.limits import Limits
from mm.engine.quoter import Amend, Hedge, Place
from mm.engine.risk import Refusal
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    AmendOrder,
    CancelOrder,
    IntentRefused,
    OrderKind,
    PlaceOrder,
    TimeInForce,
)
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Seq, Side, Ticks, TurnNumber, millis
from mm.projections.orders import Order


class Origin(NamedTuple):
    """Where a decision is made: time and number of its turn, place in it, cause."""

    at: Nanos
    turn: TurnNumber
    place: int
    cause: Seq


def fitted(step: Hedge, limits: Limits, instrument: InstrumentDefined) -> Hedge:
    """As much of a hedge as one order may take; the rest follows when it is done."""
    take, most = step.take, instrument.size_max or step.take.size
    size = min(take.size, limits.order_size_max, most)
    return Hedge(replace(take, size=Lots(size - size % instrument.size_step)))


def refused(intent: PlaceOrder, refusal: Refusal) -> IntentRefused:
    """The record of an order that risk kept from leaving."""
    return IntentRefused(
        instrument=intent.instrument,
        side=intent.side,
        price=intent.price,
        size=intent.size,
        strategy=intent.strategy,
        rule=refusal.rule,
        limit=refusal.limit,
        value=refusal.value,
        cause=intent.cause,
    )


class _Terms(NamedTuple):
    side: Side
    level: int
    price: int
    size: int
    tif: TimeInForce
    reason: str


def order_for(
    step: Place | Amend | Hedge, desk: Desk, instrument: InstrumentId, origin: Origin
) -> PlaceOrder:
    """The order as risk has to see it: for an amend, the order it would become."""
    terms = _terms(step)
    return PlaceOrder(
        order_id=order_id(desk.name, desk.wallet, origin),
        instrument=instrument,
        side=terms.side,
        price=Ticks(terms.price),
        size=Lots(terms.size),
        strategy=desk.name,
        wallet=desk.wallet,
        cause=origin.cause,
        reason=terms.reason,
        kind=OrderKind.LIMIT,
        tif=terms.tif,
        post_only=terms.tif is TimeInForce.GTC,
        level=terms.level,
    )


def _terms(step: Place | Amend | Hedge) -> _Terms:
    match step:
        case Place(side, level, price, size):
            return _Terms(side, level, price, size, TimeInForce.GTC, "quote")
        case Amend(order, price, leaves):
            return _Terms(order.side, order.level, price, leaves, TimeInForce.GTC, "quote")
    take = step.take
    return _Terms(take.side, 0, take.price, take.size, TimeInForce.IOC, "hedge")


def amending(step: Amend, cause: Seq) -> AmendOrder:
    """The amend that leaves `step.leaves` of an order at its new price."""
    order = step.order
    return AmendOrder(
        order_id=order.order_id,
        instrument=order.instrument,
        price=step.price,
        size=Lots(order.filled + step.leaves),
        cause=cause,
        reason="requote",
    )


def canceling(order: Order, cause: Seq, reason: str) -> CancelOrder:
    """The command that takes an order out."""
    return CancelOrder(
        order_id=order.order_id, instrument=order.instrument, cause=cause, reason=reason
    )


def order_id(strategy: str, wallet: str, origin: Origin) -> OrderId:
    """`{strategy}_{wallet}_{ms}_{turn}{index}`, the last two hexadecimal."""
    return OrderId(f"{strategy}_{wallet}_{millis(origin.at)}_{origin.turn:x}{origin.place:02x}")
