"""The instrument's own rules on an order: reasons to reject it that need no book."""

from mm.events.instrument import InstrumentDefined
from mm.events.orders import OrderKind, PlaceOrder, RejectReason, TimeInForce
from mm.sim.fees import notional


def combination(place: PlaceOrder) -> RejectReason | None:
    """Post-only contradicts every order that does not rest."""
    rests = place.kind is OrderKind.LIMIT and place.tif is TimeInForce.GTC
    return RejectReason.NOT_PERMITTED if place.post_only and not rests else None


def size_filter(instrument: InstrumentDefined, size: int) -> RejectReason | None:
    """Smallest and largest size, in lots."""
    if size < max(1, instrument.size_min):
        return RejectReason.SIZE_TOO_SMALL
    if instrument.size_max and size > instrument.size_max:
        return RejectReason.SIZE_TOO_LARGE
    return None


def price_filter(instrument: InstrumentDefined, price: int) -> RejectReason | None:
    """Lowest and highest price, in ticks."""
    too_high = instrument.price_max and price > instrument.price_max
    if price < max(1, instrument.price_min) or too_high:
        return RejectReason.PRICE_OUT_OF_RANGE
    return None


def notional_filter(instrument: InstrumentDefined, price: int, size: int) -> RejectReason | None:
    """Smallest notional."""
    small = notional(instrument, price, size) < instrument.notional_min
    return RejectReason.NOTIONAL_TOO_SMALL if small else None


def limit_filter(instrument: InstrumentDefined, price: int, size: int) -> RejectReason | None:
    """All filters of a limit order, in the order size, price, notional."""
    return (
        size_filter(instrument, size)
        or price_filter(instrument, price)
        or notional_filter(instrument, price, size)
    )
