"""What makes an order, as Kraken takes it, and how answers of its REST are read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.events.instrument import InstrumentDefined
from mm.events.orders import OrderKind, PlaceOrder, TimeInForce
from mm.gateways.verdicts import VenueSaid, Verdict

LATEST: Final = timedelta(seconds=5)
"""An order that reaches the venue later than this is refused by it."""


class Held(msgspec.Struct):
    """A balance over REST."""

    balance: Decimal
    hold_trade: Decimal = Decimal(0)


def bare(value: Decimal) -> msgspec.Raw:
    """A number digit for digit: a float would lose what it cannot hold."""
    return msgspec.Raw(f"{value:f}".encode())


def deadline(millis: int) -> str:
    """When an order is not wanted any more, if it is now so late at the venue."""
    latest = datetime.fromtimestamp(millis / 1_000, UTC) + LATEST
    return f"{latest:%Y-%m-%dT%H:%M:%S.%f}Z"


def rests_only(order: PlaceOrder) -> bool:
    """Whether it may only make; what is to fill at once cannot."""
    rests = order.kind is OrderKind.LIMIT and order.tif is TimeInForce.GTC
    return order.post_only and rests


def socket_terms(order: PlaceOrder, instrument: InstrumentDefined) -> dict[str, Any]:
    """What makes an order, as the socket takes it."""
    terms: dict[str, Any] = {
        "order_type": order.kind.value,
        "side": order.side.name.lower(),
        "symbol": instrument.symbol,
        "order_qty": bare(instrument.size(order.size)),
        "fee_preference": "quote",
    }
    if order.kind is OrderKind.LIMIT:
        terms["limit_price"] = bare(instrument.price(order.price))
        terms["time_in_force"] = order.tif.value
        terms["post_only"] = rests_only(order)
    return terms


def rest_terms(order: PlaceOrder, instrument: InstrumentDefined) -> dict[str, str]:
    """What makes an order, as REST takes it."""
    terms = {
        "pair": instrument.symbol,
        "type": order.side.name.lower(),
        "ordertype": order.kind.value,
        "volume": f"{instrument.size(order.size):f}",
        "oflags": "post,fciq" if rests_only(order) else "fciq",
    }
    if order.kind is OrderKind.LIMIT:
        terms["price"] = f"{instrument.price(order.price):f}"
        terms["timeinforce"] = order.tif.value.upper()
    return terms


def text_in(answer: Any, name: str) -> str:
    """A field that has to be there; without it nobody knows what was done."""
    value = answer.get(name) if isinstance(answer, dict) else None
    if value is None:
        raise unreadable(f"an answer without {name}")
    return str(value)


def read(row: Any, kind: Any) -> Any:
    """A row of an answer as its type; raises `VenueSaid`."""
    try:
        return msgspec.convert(row, kind)
    except msgspec.MsgspecError as error:
        raise unreadable(str(error)) from error


def unreadable(what: str) -> VenueSaid:
    """An answer from which nobody knows what was done."""
    return VenueSaid(Verdict.UNKNOWN, raw_code="body", raw_text=what[:200])
