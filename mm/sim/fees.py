"""Money, exactly: the notional of a fill, its fee, and how amounts are rounded.

Everything is computed in a context of 60 digits, which no product of prices and sizes exceeds. An
amount that leaves or reaches our account has at most 12 decimals, rounded against us: a fee up, a
rebate down, funding received down.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import Liquidity
from mm.events.units import Side

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
