"""What can be traded, and in which steps.

An instrument is immutable: when the venue changes a filter or a fee, a new revision is defined
under the same id and the old one stays on the log. Other ticks or lots are another instrument and
take another id, for positions are counted in them. Within one log the id is a small integer, so
that books and positions live in dense arrays.
"""

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from mm.events.base import Body
from mm.events.units import EXACT, InstrumentId, Lots, Nanos, Ticks

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)


class ContractKind(StrEnum):
    """How a fill turns into money."""

    SPOT = "spot"
    LINEAR = "linear"
    INVERSE = "inverse"


class InstrumentDefined(Body, frozen=True, kw_only=True, gc=False, tag="instrument.defined"):
    """An instrument (or a new revision of it) became known.

    `lot_size` is in base units (spot, linear) or in contracts (inverse), each contract worth
    `multiplier`; an order's size is a multiple of `size_step` lots, while a book may still hold
    finer sizes from before the venue made its step coarser. Fees are fractions of notional; a
    negative fee is a rebate. With `fee_from_received` a spot fee is taken from what was bought
    (base on a buy).
    """

    instrument: InstrumentId
    venue: str
    symbol: str
    kind: ContractKind
    base: str
    quote: str
    settle: str
    tick_size: Decimal
    lot_size: Decimal
    multiplier: Decimal = ONE
    revision: int = 1
    size_min: Lots = Lots(1)
    size_max: Lots = Lots(0)
    notional_min: Decimal = ZERO
    price_min: Ticks = Ticks(1)
    price_max: Ticks = Ticks(0)
    maker_fee: Decimal = ZERO
    taker_fee: Decimal = ZERO
    fee_from_received: bool = False
    funding_interval: Nanos = Nanos(0)
    size_step: Lots = Lots(1)

    @property
    def name(self) -> str:
        """`venue:symbol`, the readable key."""
        return f"{self.venue}:{self.symbol}"

    @property
    def identity(self) -> tuple[object, ...]:
        """What no revision under the same id may change: the name, and what ticks and lots mean."""
        steps = (self.tick_size, self.lot_size, self.multiplier)
        return (self.venue, self.symbol, self.kind, self.settle, *steps)

    def price(self, ticks: int) -> Decimal:
        """The decimal price of a number of ticks."""
        return EXACT.multiply(ticks, self.tick_size)

    def size(self, lots: int) -> Decimal:
        """The decimal size of a number of lots."""
        return EXACT.multiply(lots, self.lot_size)

    def notional(self, price: int, size: int) -> Decimal:
        """Value of a fill: quote currency (spot, linear) or base coin (inverse)."""
        worth = EXACT.multiply(self.size(size), self.multiplier)
        if self.kind is ContractKind.INVERSE:
            return EXACT.divide(worth, self.price(price))
        return EXACT.multiply(worth, self.price(price))

    def bound(self, notional: Decimal) -> tuple[int, int]:
        """Whole numbers `by` and `least` that stand for a bound on notional.

        A fill is worth at least `notional` just when price * size * by >= least; with inverse
        contracts, when size * by >= price * least.
        """
        worth = Fraction(self.lot_size) * Fraction(self.multiplier)
        tick = Fraction(self.tick_size)
        inverse = self.kind is ContractKind.INVERSE
        ratio = (
            Fraction(notional) * tick / worth if inverse else Fraction(notional) / (worth * tick)
        )
        return ratio.denominator, ratio.numerator
