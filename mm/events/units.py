"""Integer units and the exact conversions that lead into them.

A price is a whole number of ticks, a size a whole number of lots, a time UTC nanoseconds. A
conversion is exact or refused: `OffTick` and `OffLot` name the value and the step. Floats exist
only in strategy maths and are rounded once on the way out, never against us: a bid down, an ask
up.
"""

from decimal import Context, Decimal
from enum import IntEnum
from typing import Final, NewType

from mm.errors import OffLot, OffTick

Ticks = NewType("Ticks", int)
Lots = NewType("Lots", int)
Nanos = NewType("Nanos", int)
Seq = NewType("Seq", int)
TurnNumber = NewType("TurnNumber", int)
InstrumentId = NewType("InstrumentId", int)
OrderId = NewType("OrderId", str)
Levels = tuple[int, ...]
"""Price, size, price, size … in ticks and lots; size 0 removes the level."""

MICROS: Final = 1_000
MILLIS: Final = 1_000_000
SECONDS: Final = 1_000_000_000
INT64_MAX: Final = 2**63 - 1
EXACT: Final = Context(prec=60)
"""For every sum and quotient that may show: a library may have changed the thread's context."""


class Side(IntEnum):
    """Buy is +1 and sell is -1, so that a signed size is `side * size`."""

    BUY = 1
    SELL = -1

    @property
    def other(self) -> "Side":
        """The opposite side."""
        return Side.SELL if self is Side.BUY else Side.BUY


def steps(value: Decimal, step: Decimal) -> int | None:
    """How many steps make the value, or None when they do not make it exactly."""
    if not (value.is_finite() and step.is_finite() and step > 0):
        return None
    try:
        count = EXACT.divide_int(value, step)
        exact = EXACT.multiply(count, step) == value and -INT64_MAX <= count <= INT64_MAX
    except ArithmeticError:  # More digits than any price or size has.
        return None
    return int(count) if exact else None


def to_ticks(price: Decimal, tick_size: Decimal) -> Ticks:
    """Exact number of ticks in a price; raises `OffTick`."""
    ticks = steps(price, tick_size)
    if ticks is None:
        raise OffTick(
            f"price {price} is not a multiple of the tick size {tick_size}",
            remedy="check the instrument's tick size, or round the price before it enters",
        )
    return Ticks(ticks)


def to_lots(size: Decimal, lot_size: Decimal) -> Lots:
    """Exact number of lots in a size; raises `OffLot`."""
    lots = steps(size, lot_size)
    if lots is None:
        raise OffLot(
            f"size {size} is not a multiple of the lot size {lot_size}",
            remedy="check the instrument's lot size, or round the size before it enters",
        )
    return Lots(lots)


def millis(at: Nanos) -> int:
    """Whole milliseconds of a time, for readable order ids."""
    return at // MILLIS
