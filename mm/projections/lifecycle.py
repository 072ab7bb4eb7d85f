"""The life of an order as a table: what each event makes of each status.

A pair missing from the table is a bug of ours and stops the engine. What venues do in real life
is a row: fills before acks and after cancels, repeated acks, late answers to closed orders. Closed
statuses are left by nothing; only their fills grow. A doubt is about one command, and only what
speaks of that command, or evidence, ends it: an ack told again says nothing of a cancel.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from mm.events.base import Body
from mm.events.orders import (
    AmendOrder,
    AmendRejected,
    CancelOrder,
    CancelRejected,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    OrderUncertain,
    Resolution,
)


class Status(StrEnum):
    """Where an order stands; UNCERTAIN means that nobody knows and all of it counts as risk."""

    PENDING_NEW = "pending_new"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_AMEND = "pending_amend"
    PENDING_CANCEL = "pending_cancel"
    UNCERTAIN = "uncertain"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


CLOSED: Final = (Status.FILLED, Status.CANCELED, Status.REJECTED, Status.EXPIRED)
RESTING: Final = (Status.OPEN, Status.PARTIALLY_FILLED)

_S = Status
_LIVE: Final = (
    _S.PENDING_NEW,
    _S.OPEN,
    _S.PARTIALLY_FILLED,
    _S.PENDING_AMEND,
    _S.PENDING_CANCEL,
    _S.UNCERTAIN,
)
_ANSWERS: Final[tuple[type[Body], ...]] = (
    OrderSubmitted,
    OrderAcked,
    OrderRejected,
    OrderAmended,
    AmendRejected,
    OrderCanceled,
    CancelRejected,
    OrderExpired,
    OrderFilled,
    OrderUncertain,
)
_ENDINGS: Final[dict[type[Body], Status]] = {
    OrderRejected: _S.REJECTED,
    OrderCanceled: _S.CANCELED,
    OrderExpired: _S.EXPIRED,
    OrderUncertain: _S.UNCERTAIN,
}

NEXT: Final[Mapping[tuple[Status, type[Body]], Status]] = {
    # The venue may end any live order at any time, and any answer may get lost.
    **{(live, event): status for live in _LIVE for event, status in _ENDINGS.items()},
    # Whatever is said of a closed order comes too late to reopen it.
    **{(closed, event): closed for closed in CLOSED for event in _ANSWERS},
    # Sending a command changes nothing: the intent already did.
    **{(live, OrderSubmitted): live for live in _LIVE},
    (_S.PENDING_NEW, OrderAcked): _S.OPEN,
    (_S.PENDING_NEW, OrderFilled): _S.PARTIALLY_FILLED,  # The fill overtook the ack.
    (_S.PENDING_NEW, CancelOrder): _S.PENDING_CANCEL,
    (_S.PENDING_NEW, AmendOrder): _S.PENDING_AMEND,
    (_S.PENDING_NEW, CancelRejected): _S.PENDING_NEW,  # It was not there yet.
    (_S.PENDING_NEW, AmendRejected): _S.PENDING_NEW,
    (_S.PENDING_NEW, OrderAmended): _S.OPEN,
    (_S.OPEN, OrderAcked): _S.OPEN,  # Told twice, by socket and by REST.
    (_S.OPEN, OrderFilled): _S.PARTIALLY_FILLED,
    (_S.OPEN, CancelOrder): _S.PENDING_CANCEL,
    (_S.OPEN, AmendOrder): _S.PENDING_AMEND,
    (_S.OPEN, OrderAmended): _S.OPEN,
    (_S.OPEN, AmendRejected): _S.OPEN,
    (_S.OPEN, CancelRejected): _S.OPEN,
    (_S.PARTIALLY_FILLED, OrderAcked): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, OrderFilled): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, CancelOrder): _S.PENDING_CANCEL,
    (_S.PARTIALLY_FILLED, AmendOrder): _S.PENDING_AMEND,
    (_S.PARTIALLY_FILLED, OrderAmended): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, AmendRejected): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, CancelRejected): _S.PARTIALLY_FILLED,
    (_S.PENDING_AMEND, OrderAcked): _S.PENDING_AMEND,
    (_S.PENDING_AMEND, OrderFilled): _S.PENDING_AMEND,  # The fill won the race.
    (_S.PENDING_AMEND, OrderAmended): _S.OPEN,
    (_S.PENDING_AMEND, AmendRejected): _S.OPEN,
    (_S.PENDING_AMEND, CancelOrder): _S.PENDING_CANCEL,
    (_S.PENDING_AMEND, CancelRejected): _S.PENDING_AMEND,
    (_S.PENDING_CANCEL, OrderAcked): _S.PENDING_CANCEL,
    (_S.PENDING_CANCEL, OrderFilled): _S.PENDING_CANCEL,  # The fill won the race.
    (_S.PENDING_CANCEL, OrderAmended): _S.PENDING_CANCEL,
    (_S.PENDING_CANCEL, AmendRejected): _S.PENDING_CANCEL,
    (_S.PENDING_CANCEL, CancelOrder): _S.PENDING_CANCEL,  # Asked again.
    (_S.PENDING_CANCEL, CancelRejected): _S.UNCERTAIN,  # Filled or gone: ask, never assume.
    (_S.UNCERTAIN, OrderAcked): _S.UNCERTAIN,  # See PROVES.
    (_S.UNCERTAIN, OrderFilled): _S.UNCERTAIN,
    (_S.UNCERTAIN, OrderAmended): _S.UNCERTAIN,  # See PROVES.
    (_S.UNCERTAIN, AmendRejected): _S.UNCERTAIN,
    (_S.UNCERTAIN, CancelRejected): _S.UNCERTAIN,
    (_S.UNCERTAIN, CancelOrder): _S.UNCERTAIN,  # Canceling what may rest is always allowed.
}

PROVES: Final[Mapping[str, tuple[type[Body], ...]]] = {
    "place": (OrderAcked, OrderAmended),  # The ack was only late.
    "amend": (OrderAmended,),
}
"""By the command in doubt, the answers that end it: the order rests after all."""

RESOLVED: Final[Mapping[Resolution, Status]] = {
    Resolution.OPEN: _S.OPEN,
    Resolution.FILLED: _S.FILLED,
    Resolution.CANCELED: _S.CANCELED,
    Resolution.NEVER_ARRIVED: _S.REJECTED,
}


def step(status: Status, event: type[Body]) -> Status:
    """The status after an event; a pair that is not in the table is a bug."""
    following = NEXT.get((status, event))
    assert following is not None, f"no row for {event.__name__} in status {status}"
    return following
