"""What open orders on spot lock: what they could cost at worst, at their own price.

A buy locks quote for its price and, where the fee is not taken from what is bought, for the
dearer of the two fees; a sell locks base. Derivatives lock nothing: there is no margin model.
"""

from decimal import Decimal
from typing import Final

from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import Side
from mm.sim.fees import EXACT, notional, quantity

NOTHING: Final = ("", Decimal(0))


def reservation(
    instrument: InstrumentDefined, side: Side, price: int, size: int
) -> tuple[str, Decimal]:
    """Asset and amount that an order of `size` lots at `price` locks."""
    if instrument.kind is not ContractKind.SPOT:
        return NOTHING
    if side is Side.SELL:
        return instrument.base, quantity(instrument, size)
    value = notional(instrument, price, size)
    if instrument.fee_from_received:
        return instrument.quote, value
    dearest = max(instrument.maker_fee, instrument.taker_fee, Decimal(0))
    return instrument.quote, EXACT.add(value, EXACT.multiply(value, dearest))
