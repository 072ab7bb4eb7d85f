"""MAX's public frames as they stand on the wire, and its REST answers about markets.

Only fields that are read are named, under the venue's own names, which are letters on sockets.
"""

from decimal import Decimal
from typing import Annotated, Final

import msgspec

from mm.errors import MalformedLine
from mm.events.units import INT64_MAX, MILLIS, Nanos

VENUE: Final = "max"
REST: Final = "https://max-api.maicoin.com"
STREAM: Final = "wss://max-stream.maicoin.com/ws"
HOSTS: Final = ("max-api.maicoin.com", "max-stream.maicoin.com")
COMPARE: Final = "compare the frame with what the venue documents"
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

Millis = Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800_000)]
"""Milliseconds since 1970, up to the year 2100."""
Seconds = Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800)]
Count = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
Rows = list[tuple[str, str]]


class Book(msgspec.Struct, gc=False, tag_field="c", tag="book"):
    """A snapshot or an update of a book; `fi` to `li` are the updates that it covers."""

    e: str
    M: str
    T: Millis
    a: Rows
    b: Rows
    fi: Count
    li: Count
    v: Count


class TradeRow(msgspec.Struct, frozen=True):
    """A public trade; `tr` is where it moved the price."""

    p: str
    v: str
    T: Millis
    tr: str


class Trades(msgspec.Struct, gc=False, tag_field="c", tag="trade"):
    """The last trades, or a new one."""

    e: str
    M: str
    t: list[TradeRow]


class CandleRow(msgspec.Struct, gc=False):
    """A candle; `x` says that it is finished."""

    ST: Millis
    ET: Millis
    R: str
    O: str  # noqa: E741  The venue's own name.
    H: str
    L: str
    C: str
    v: str
    x: bool


class Candle(msgspec.Struct, gc=False, tag_field="c", tag="kline"):
    """A candle as it stands."""

    M: str
    k: CandleRow


class StatusRow(msgspec.Struct, gc=False):
    """How a market is."""

    M: str
    st: str


class Statuses(msgspec.Struct, gc=False, tag_field="c", tag="market_status"):
    """How all markets are, or those that changed."""

    ms: list[StatusRow]


class Ticker(msgspec.Struct, gc=False, tag_field="c", tag="ticker"):
    """Figures of a day, without best prices: nothing that a fact is made of."""


class Reply(msgspec.Struct, gc=False):
    """The answer to something that we said, which names no channel; `E` where it was refused."""

    e: str
    E: list[str] = []
    c: msgspec.UnsetType | str = msgspec.UNSET


Frame = Book | Trades | Candle | Statuses | Ticker
_frame: Final[msgspec.json.Decoder[Frame]] = msgspec.json.Decoder(Frame)
_reply: Final = msgspec.json.Decoder(Reply)


def read(body: bytes) -> Frame | Reply:
    """A frame as its type; raises `MalformedLine` for one of no known kind."""
    try:
        return _frame.decode(body)
    except UNREADABLE as error:
        reply = _answer(body)
        if reply is None:
            raise MalformedLine(f"the frame cannot be read: {error}", remedy=COMPARE) from error
        return reply


def _answer(body: bytes) -> Reply | None:
    try:
        reply = _reply.decode(body)
    except UNREADABLE:
        return None
    return reply if reply.c is msgspec.UNSET else None


class Depth(msgspec.Struct, gc=False):
    """A book over REST; asks may come with the worst first."""

    timestamp: Seconds
    last_update_id: Count
    asks: Rows
    bids: Rows


class Market(msgspec.Struct, gc=False):
    """One row of the list of markets; a precision below zero counts whole steps."""

    id: str
    status: str
    base_unit: str
    base_unit_precision: Annotated[int, msgspec.Meta(ge=-12, le=18)]
    min_base_amount: Decimal
    quote_unit: str
    quote_unit_precision: Annotated[int, msgspec.Meta(ge=-12, le=18)]
    min_quote_amount: Decimal
    m_wallet_supported: bool = False


_depth: Final = msgspec.json.Decoder(Depth)
_markets: Final[msgspec.json.Decoder[list[Market]]] = msgspec.json.Decoder(list[Market])


def depth(body: bytes) -> Depth:
    """A book over REST; raises `MalformedLine`."""
    try:
        return _depth.decode(body)
    except UNREADABLE as error:
        raise MalformedLine(f"the book cannot be read: {error}", where=VENUE) from error


def markets(body: bytes) -> list[Market]:
    """The list of markets; raises `MalformedLine`."""
    try:
        return _markets.decode(body)
    except UNREADABLE as error:
        raise MalformedLine(
            f"the list of markets cannot be read: {error}", where=VENUE, remedy="ask again"
        ) from error


def nanos(millis: int) -> Nanos:
    """A time of the venue's."""
    return Nanos(millis * MILLIS)
