"""Money, exactly: the notional of a fill, its fee, and how amounts are rounded.

Everything is computed in a context of 60 digits, which no product of prices and sizes exceeds. An
amount that leaves or reaches our account has at most 12 decimals, rounded against us: a fee up, a
rebate down, funding received down. Where the account has tiers, a fill pays by what was traded in
that quote currency before it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from msgspec.structs import replace

from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import Liquidity
from mm.events.units import Side
from mm.sim.settings import Tier

EXACT: Final = Context(prec=60)
AMOUNT_STEP: Final = Decimal("1e-12")
AMOUNT_DECIMALS: Final = 12


def quantity(instrument: InstrumentDefined, size: int) -> Decimal:
    """Lots in base units (spot, linear) or in quote currency (inverse)."""
    return EXACT.multiply(EXACT.multiply(size, instrument.lot_size), instrument.multiplier)


def notional(instrument: InstrumentDefined, price: int, size: int) -> Decimal:
    """Value of a fill: quote currency (spot, linear) or coin (inverse, to 60 digits)."""
    amount = quantity(instrument, size)
    money = EXACT.multiply(price, instrument.tick_size)
    if instrument.kind is ContractKind.INVERSE:
        return EXACT.divide(amount, money)
    return EXACT.multiply(money, amount)


def rounded_up(amount: Decimal) -> Decimal:
    """What we pay, to 12 decimals: never less than it is."""
    return _rounded(amount, ROUND_CEILING)


def rounded_down(amount: Decimal) -> Decimal:
    """What we receive, to 12 decimals: never more than it is."""
    return _rounded(amount, ROUND_FLOOR)


def _rounded(amount: Decimal, rounding: str) -> Decimal:
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int), f"no amount: {amount}"
    if exponent >= -AMOUNT_DECIMALS:
        return amount
    return amount.quantize(AMOUNT_STEP, rounding=rounding, context=EXACT)


def rate(instrument: InstrumentDefined, liquidity: Liquidity) -> Decimal:
    """The fee as a fraction of notional; negative for a rebate."""
    return instrument.maker_fee if liquidity is Liquidity.MAKER else instrument.taker_fee


def fee_asset(instrument: InstrumentDefined, side: Side) -> str:
    """What the fee is paid in: settlement currency; on spot the quote, or the base bought."""
    if instrument.kind is not ContractKind.SPOT:
        return instrument.settle
    received_base = instrument.fee_from_received and side is Side.BUY
    return instrument.base if received_base else instrument.quote


def fee(
    instrument: InstrumentDefined, side: Side, price: int, size: int, liquidity: Liquidity
) -> tuple[Decimal, str]:
    """The fee of a fill and its asset; exact, then rounded up to 12 decimals."""
    asset = fee_asset(instrument, side)
    in_base = instrument.kind is ContractKind.SPOT and asset != instrument.quote
    value = quantity(instrument, size) if in_base else notional(instrument, price, size)
    return rounded_up(EXACT.multiply(value, rate(instrument, liquidity))), asset


class Tiers:
    """Fees by volume: what was traded so far in each quote currency, and what that leads to."""

    def __init__(self, tiers: Sequence[Tier], before: Decimal) -> None:
        """Start with so much traded before, in every quote currency."""
        self._tiers = tuple(tiers)
        self._floors = [tier.volume for tier in tiers]
        self._before = before
        self._volumes: dict[str, Decimal] = {}

    def place(self, instrument: InstrumentDefined) -> int:
        """Which tier the next fill pays by, from 1; 0: none, the instrument's own fees."""
        volume = self._volumes.get(instrument.quote, self._before)
        return bisect_right(self._floors, volume)

    def terms(self, instrument: InstrumentDefined, place: int) -> InstrumentDefined:
        """The instrument with the fees of a tier."""
        if not place:
            return instrument
        tier = self._tiers[place - 1]
        return replace(instrument, maker_fee=tier.maker, taker_fee=tier.taker)

    def add(self, instrument: InstrumentDefined, price: int, size: int) -> None:
        """A fill counts from the next one on: its worth in quote currency."""
        inverse = instrument.kind is ContractKind.INVERSE
        worth = quantity(instrument, size) if inverse else notional(instrument, price, size)
        volume = self._volumes.get(instrument.quote, self._before)
        self._volumes[instrument.quote] = EXACT.add(volume, worth)
