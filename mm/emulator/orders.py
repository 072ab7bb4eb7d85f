"""Orders and fills as the emulated venue keeps them, whatever words its protocol has for them."""

from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from mm.events.instrument import InstrumentDefined
from mm.events.orders import CancelReason, Liquidity, OrderKind, RejectReason, TimeInForce
from mm.events.units import Lots, Nanos, Side, Ticks

ZERO: Final = Decimal(0)


class Status(StrEnum):
    """Where an order is in its life."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


OPEN: Final = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


class Happened(StrEnum):
    """What an update tells of an order."""

    PLACED = "placed"
    AMENDED = "amended"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for; `extras` are words of the venue's own that its answers repeat."""

    instrument: InstrumentDefined
    side: Side
    size: Lots
    price: Ticks = Ticks(0)
    client_id: str = ""
    kind: OrderKind = OrderKind.LIMIT
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    extras: dict[str, Any] = {}


class Record(msgspec.Struct, kw_only=True):
    """An order as the venue keeps it; changes in place, listeners get copies.

    `number` is the venue's own id, `filled` in lots, `value` what was filled in quote currency
    (base coin for inverse contracts). `reason` says why it was refused or ended.
    """

    number: int
    ticket: Ticket
    price: Ticks
    size: Lots
    placed: Nanos
    updated: Nanos
    status: Status = Status.NEW
    filled: Lots = Lots(0)
    value: Decimal = ZERO
    reason: RejectReason | CancelReason | None = None

    @property
    def instrument(self) -> InstrumentDefined:
        """What it trades."""
        return self.ticket.instrument

    @property
    def leaves(self) -> Lots:
        """What is still to be filled."""
        return Lots(self.size - self.filled)

    @property
    def open(self) -> bool:
        """Whether it may still fill."""
        return self.status in OPEN


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """A match; a negative fee is a rebate, `profit` what it realised in settlement currency."""

    number: int
    order: int
    client_id: str
    instrument: InstrumentDefined
    side: Side
    price: Ticks
    size: Lots
    liquidity: Liquidity
    fee: Decimal
    fee_asset: str
    at: Nanos
    profit: Decimal = ZERO


class Update(NamedTuple):
    """An order changed: how it stands now, and the fill that did it if one did."""

    happened: Happened
    order: Record
    at: Nanos
    fill: Fill | None = None
