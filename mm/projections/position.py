"""One position by average cost, in exact integers.

Cost and realised profit are integers in billionths of a point (linear, spot: a point is one tick
of one lot) or 1e-18 of a coin point (inverse: contracts divided by ticks). What a close takes out
of the cost is rounded once, to the nearest unit; the rest stays, so that cash always balances:
realised + unrealised is the cash that flowed plus the value held, to the last unit. Average cost
of an inverse contract is the harmonic mean of its entries, which is what a cost in coin gives.
"""

from decimal import Decimal, localcontext
from typing import Final

import msgspec

from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import OrderFilled
from mm.events.units import EXACT, Lots

SCALE: Final = 10**9
INVERSE_SCALE: Final = 10**18


class Position(msgspec.Struct, frozen=True, gc=False):
    """Signed lots, cost of what is held (never negative), profit realised so far."""

    net: Lots = Lots(0)
    cost: int = 0
    realised: int = 0

    def entry(self, kind: ContractKind) -> Decimal:
        """Average entry price in ticks; 0 when flat."""
        if not self.net:
            return Decimal(0)
        held = abs(self.net)
        if kind is ContractKind.INVERSE:
            return EXACT.divide(held * INVERSE_SCALE, self.cost)
        return EXACT.divide(self.cost, held * SCALE)


def rounded(numerator: int, denominator: int) -> int:
    """Nearest integer of a quotient of positive integers, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def value(kind: ContractKind, price: int, size: int) -> int:
    """Value of a fill in the position's integer unit."""
    if kind is ContractKind.INVERSE:
        return rounded(size * INVERSE_SCALE, price)
    return price * size * SCALE


def unit(instrument: InstrumentDefined) -> Decimal:
    """What one integer unit of cost or profit is worth in the settlement currency."""
    with localcontext(EXACT):
        lot = instrument.lot_size * instrument.multiplier
        if instrument.kind is ContractKind.INVERSE:
            return lot / instrument.tick_size / INVERSE_SCALE
        return lot * instrument.tick_size / SCALE


def evolve(position: Position, fill: OrderFilled, kind: ContractKind) -> Position:
    """The position after a fill: adding at cost, closing at average, or turning over."""
    assert min(fill.size, fill.price) > 0, f"a fill of nothing, or for nothing: {fill}"
    return moved(position, fill.side * fill.size, fill.price, kind)


def moved(position: Position, signed: int, price: int, kind: ContractKind) -> Position:
    """The position after `signed` lots were traded at `price` ticks."""
    size = abs(signed)
    assert min(size, price) > 0, f"a fill of nothing, or for nothing: {signed} at {price}"
    worth = value(kind, price, size)
    if position.net == 0 or (position.net > 0) == (signed > 0):
        return Position(Lots(position.net + signed), position.cost + worth, position.realised)
    held = abs(position.net)
    closing = min(size, held)
    released = rounded(position.cost * closing, held)
    taken = value(kind, price, closing)
    gain = taken - released
    long = position.net > 0
    won = gain if long != (kind is ContractKind.INVERSE) else -gain
    cost = worth - taken if size > held else position.cost - released
    return Position(Lots(position.net + signed), cost, position.realised + won)


def unrealised(position: Position, kind: ContractKind, mark: Decimal) -> Decimal:
    """Profit of closing at `mark` (in ticks), in the integer unit but not rounded to it."""
    if not position.net:
        return Decimal(0)
    held = abs(position.net)
    with localcontext(EXACT):
        inverse = kind is ContractKind.INVERSE
        gain = (held * INVERSE_SCALE / mark if inverse else mark * held * SCALE) - position.cost
    return gain if (position.net > 0) != inverse else gain.copy_negate()
