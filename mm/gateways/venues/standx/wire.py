"""StandX's public frames and answers as they stand on the wire.

Only fields that are read are named, under the venue's own names. Frames are numbered, by socket or
by channel: the venue does not say. A book is whole in every frame, its levels in no order.
"""

from decimal import Decimal
from typing import Annotated, Final, TypeVar

import msgspec

from mm.errors import MalformedLine
from mm.events.units import MILLIS, Nanos
from mm.gateways.moments import nanos

COMPARE: Final = "compare the frame with what the venue documents"
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Decimals = Annotated[int, msgspec.Meta(ge=0, le=18)]
Level = tuple[str, str]
"""Price and size."""
Row = TypeVar("Row")


class Frame(msgspec.Struct, gc=False):
    """Any frame of the market stream; without a channel it is an error."""

    seq: Count = 0
    channel: str = ""
    symbol: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    code: int = 0
    message: str = ""


class Book(msgspec.Struct, gc=False):
    """A whole book."""

    bids: list[Level]
    asks: list[Level]


class Price(msgspec.Struct, gc=False):
    """What positions are valued at, and the index behind it."""

    mark_price: str
    index_price: str
    time: str


class Trade(msgspec.Struct, gc=False):
    """A trade; `side` is the taker's, `time` a moment or milliseconds."""

    price: str
    qty: str
    time: str | int
    id: Count = 0
    side: str = ""
    is_buyer_taker: bool | None = None


class Market(msgspec.Struct, gc=False):
    """The day's figures, of which the next funding is read."""

    symbol: str
    funding_rate: str
    next_funding_time: str
    time: str = ""


class Info(msgspec.Struct, gc=False):
    """One entry of the list of symbols."""

    symbol: str
    base_asset: str
    quote_asset: str
    price_tick_decimals: Decimals
    qty_tick_decimals: Decimals
    min_order_qty: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    max_order_qty: Decimal = Decimal(0)
    enabled: bool = True
    status: str = "trading"


def decoded(body: bytes | msgspec.Raw, reader: msgspec.json.Decoder[Row], what: str) -> Row:
    """A body as its type; raises `MalformedLine`."""
    try:
        return reader.decode(body)
    except UNREADABLE as error:
        raise MalformedLine(f"{what} cannot be read: {error}", remedy=COMPARE) from error


BOOK: Final[msgspec.json.Decoder[Book]] = msgspec.json.Decoder(Book)
PRICE: Final[msgspec.json.Decoder[Price]] = msgspec.json.Decoder(Price)
TRADE: Final[msgspec.json.Decoder[Trade]] = msgspec.json.Decoder(Trade)
MARKET: Final[msgspec.json.Decoder[Market]] = msgspec.json.Decoder(Market)
INFOS: Final[msgspec.json.Decoder[list[Info]]] = msgspec.json.Decoder(list[Info])
_frame: Final[msgspec.json.Decoder[Frame]] = msgspec.json.Decoder(Frame)


def frame(body: bytes) -> Frame:
    """A frame; raises `MalformedLine`."""
    return decoded(body, _frame, "the frame")


def moment(time: str | int) -> Nanos:
    """A time as the venue writes it, which is in two ways."""
    return Nanos(time * MILLIS) if isinstance(time, int) else nanos(time)
