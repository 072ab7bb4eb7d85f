"""Kraken's public frames as they stand on the wire, WebSocket v2, and its REST list of pairs.

Only fields that are read are named, under the venue's own names. Numbers stay the bytes that they
came as until a reader makes them whole steps: a float would lose digits that the checksum counts.
"""

from decimal import Decimal
from typing import Annotated, Final

import msgspec

from mm.errors import MalformedLine
from mm.gateways.exact import StepReader

Symbol = Annotated[str, msgspec.Meta(min_length=3, max_length=32)]
Moment = Annotated[str, msgspec.Meta(min_length=20, max_length=30)]
"""UTC as `2023-10-06T17:35:55.440295Z`, with up to nine digits of a second."""
Crc = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
COMPARE: Final = "compare the frame with what the venue documents"


class Level(msgspec.Struct, gc=False):
    """A level of the book: absolute size, 0 removes it."""

    price: msgspec.Raw
    qty: msgspec.Raw


class BookData(msgspec.Struct, gc=False):
    """A snapshot of one book, or changes to it, and the checksum of the ten best afterwards."""

    symbol: Symbol
    bids: list[Level]
    asks: list[Level]
    checksum: Crc
    timestamp: str = ""


class TradeData(msgspec.Struct, gc=False):
    """One trade; `side` is the taker's."""

    symbol: Symbol
    side: str
    price: msgspec.Raw
    qty: msgspec.Raw
    trade_id: Count
    timestamp: Moment


class TickerData(msgspec.Struct, gc=False):
    """Best bid and offer."""

    symbol: Symbol
    bid: msgspec.Raw
    bid_qty: msgspec.Raw
    ask: msgspec.Raw
    ask_qty: msgspec.Raw
    timestamp: str = ""


class CandleData(msgspec.Struct, gc=False):
    """The candle under way, or one that is over; `interval` is in minutes."""

    symbol: Symbol
    open: msgspec.Raw
    high: msgspec.Raw
    low: msgspec.Raw
    close: msgspec.Raw
    trades: Count
    volume: msgspec.Raw
    interval_begin: Moment
    interval: Annotated[int, msgspec.Meta(ge=1, le=21_600)]


class StatusData(msgspec.Struct, gc=False):
    """How the whole venue is: `online`, `maintenance`, `cancel_only`, `post_only`."""

    system: str


class PairStatus(msgspec.Struct, gc=False):
    """How one pair is: `online`, `cancel_only`, `limit_only`, `delisted` ..."""

    symbol: Symbol
    status: str


class InstrumentData(msgspec.Struct, gc=False):
    """Pairs, all of them or those that changed."""

    pairs: list[PairStatus] = []


class Book(msgspec.Struct, gc=False, tag_field="channel", tag="book"):
    """Frame of the book channel; `type` is `snapshot` or `update`, here and below."""

    type: str
    data: list[BookData]


class Trades(msgspec.Struct, gc=False, tag_field="channel", tag="trade"):
    """Frame of the trade channel; a snapshot holds trades from before."""

    type: str
    data: list[TradeData]


class Ticker(msgspec.Struct, gc=False, tag_field="channel", tag="ticker"):
    """Frame of the ticker channel."""

    type: str
    data: list[TickerData]


class Candles(msgspec.Struct, gc=False, tag_field="channel", tag="ohlc"):
    """Frame of the candle channel."""

    type: str
    data: list[CandleData]


class Status(msgspec.Struct, gc=False, tag_field="channel", tag="status"):
    """Frame that comes once on connecting, and when the venue's state changes."""

    data: list[StatusData]


class Instruments(msgspec.Struct, gc=False, tag_field="channel", tag="instrument"):
    """Frame of reference data."""

    type: str
    data: InstrumentData


class Heartbeat(msgspec.Struct, gc=False, tag_field="channel", tag="heartbeat"):
    """Comes every second in which nothing else does."""


class Named(msgspec.Struct, gc=False):
    """What a subscription that was answered is about."""

    channel: str = ""
    symbol: str = ""


class Reply(msgspec.Struct, gc=False):
    """The answer to something that we said: `subscribe`, `unsubscribe`, `pong`."""

    method: str
    success: bool = True
    error: str = ""
    symbol: str = ""
    result: Named = msgspec.field(default_factory=Named)


Frame = Book | Trades | Ticker | Candles | Status | Instruments | Heartbeat
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_frame: Final[msgspec.json.Decoder[Frame]] = msgspec.json.Decoder(Frame)
_reply: Final = msgspec.json.Decoder(Reply)


def read(body: bytes) -> Frame | Reply:
    """A frame as its type; raises `MalformedLine` for one of no known kind."""
    try:
        return _frame.decode(body)
    except UNREADABLE as error:
        try:
            return _reply.decode(body)
        except UNREADABLE:
            raise MalformedLine(f"the frame cannot be read: {error}", remedy=COMPARE) from error


class RawSteps(dict[bytes, int]):
    """Maps a number's bytes to a whole number of steps, as `StepReader` does with its text.

    Plain decimals in steps of a power of ten are read here, everything else by the reader.
    """

    __slots__ = ("_places", "_reader", "_whole_max")

    def __init__(self, step: Decimal, *, price: bool) -> None:
        """Read prices (at least one tick) or sizes (zero allowed) in steps of `step`."""
        super().__init__()
        self._reader = StepReader(step, price=price)
        exponent = int(step.as_tuple().exponent)
        plain = exponent <= 0 and step == Decimal(1).scaleb(exponent)
        self._places = -exponent if plain else -1
        self._whole_max = (PRICE_MAX if price else SIZE_MAX) + exponent

    def __missing__(self, raw: bytes) -> int:
        """Convert a number that is met for the first time."""
        whole, _, fraction = raw.partition(b".")
        digits = whole + fraction
        plain = len(fraction) <= self._places and len(whole) <= self._whole_max
        if plain and digits.isdigit():
            steps = int(digits + ZEROS[len(fraction) : self._places]) or self._slowly(raw)
        else:
            steps = self._slowly(raw)
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        self[raw] = steps
        return steps

    def _slowly(self, raw: bytes) -> int:
        """Zeros, exponents, signs and everything that will be refused."""
        if not raw.isascii():
            raise MalformedLine(f"{raw[:40]!r} is no number", remedy=COMPARE)
        return self._reader[raw.decode()]


PRICE_MAX: Final = 12
SIZE_MAX: Final = 15
"""So many digits are within the bounds of a price and of a size."""
ZEROS: Final = b"0" * 32
REMEMBERED_MAX: Final = 1 << 17
