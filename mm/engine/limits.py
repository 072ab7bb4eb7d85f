"""The limits of the risk gate, each with its unit; none has a default that trades."""

from decimal import Decimal

import msgspec

from mm.events.units import Lots


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits for one instrument; sizes in lots, notional in quote currency (inverse: coin)."""

    order_size_max: Lots
    order_notional_max: Decimal
    position_max: Lots
    open_orders_max: int
    price_collar_bps: int
    messages_per_second_max: int
