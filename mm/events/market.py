"""Public market data, as the venue published it and as we received it.

`received` is when the frame reached us, `venue_time` what the venue stamped (0: it stamped none).
Stamps only explain; order on the log is the order of truth. Levels are flat tuples of price and
size, see `units.Levels`.
"""

from decimal import Decimal

from mm.events.base import MarketEvent
from mm.events.units import InstrumentId, Levels, Lots, Nanos, Side, Ticks


class BookSnapshot(MarketEvent, frozen=True, kw_only=True, gc=False, tag="book.snapshot"):
    """The whole book, or one of the parts it was split into; `part` counts from 1 to `parts`."""

    instrument: InstrumentId
    received: Nanos
    venue_time: Nanos
    sequence: int
    bids: Levels
    asks: Levels
    part: int = 1
    parts: int = 1


class BookDelta(MarketEvent, frozen=True, kw_only=True, gc=False, tag="book.delta"):
    """Absolute sizes of changed levels; `first`..`last` are the venue's update ids it covers.

    `previous` is the last id of the delta before it, where the venue says (else 0).
    """

    instrument: InstrumentId
    received: Nanos
    venue_time: Nanos
    first: int
    last: int
    previous: int
    bids: Levels
    asks: Levels


class QuoteUpdated(MarketEvent, frozen=True, kw_only=True, gc=False, tag="quote"):
    """Best bid and offer; `sequence` is the venue's update id (0: it gives none)."""

    instrument: InstrumentId
    received: Nanos
    venue_time: Nanos
    sequence: int
    bid: Ticks
    bid_size: Lots
    ask: Ticks
    ask_size: Lots


class TradePrinted(MarketEvent, frozen=True, kw_only=True, gc=False, tag="trade"):
    """A public trade; `aggressor` is the taker's side."""

    instrument: InstrumentId
    received: Nanos
    venue_time: Nanos
    trade_id: str
    price: Ticks
    size: Lots
    aggressor: Side


class MarkPublished(MarketEvent, frozen=True, kw_only=True, gc=False, tag="mark"):
    """The price at which the venue values positions; finer than a tick."""

    instrument: InstrumentId
    received: Nanos
    venue_time: Nanos
    price: Decimal


class IndexPublished(MarketEvent, frozen=True, kw_only=True, gc=False, tag="index"):
    """The spot index behind a derivative; finer than a tick."""

    instrument: InstrumentId
    received: Nanos
    venue_time: Nanos
    price: Decimal


class FundingPublished(MarketEvent, frozen=True, kw_only=True, gc=False, tag="funding.rate"):
    """The rate that will be exchanged at `due`; a positive rate is paid by longs to shorts."""

    instrument: InstrumentId
    received: Nanos
    venue_time: Nanos
    rate: Decimal
    due: Nanos


class CandleClosed(MarketEvent, frozen=True, kw_only=True, gc=False, tag="candle"):
    """A finished candle of `interval` nanoseconds that opened at `opened`."""

    instrument: InstrumentId
    received: Nanos
    venue_time: Nanos
    opened: Nanos
    interval: Nanos
    open: Ticks
    high: Ticks
    low: Ticks
    close: Ticks
    volume: Lots
    trades: int = 0


class ReferenceRatePublished(MarketEvent, frozen=True, kw_only=True, gc=False, tag="reference"):
    """One unit of `base` in `quote`, from a source outside the venue (USD/TWD, say).

    `rate` is the mid of `bid` and `ask`; `basis` says what they are (board, mid, derived, traded).
    After `valid_until` nobody may rely on it; `document` is the SHA-256 of where it was read.
    """

    base: str
    quote: str
    received: Nanos
    venue_time: Nanos
    rate: Decimal
    source: str
    bid: Decimal = Decimal(0)
    ask: Decimal = Decimal(0)
    basis: str = ""
    valid_until: Nanos = Nanos(0)
    document: str = ""


class FeedUp(MarketEvent, frozen=True, kw_only=True, gc=False, tag="feed.up"):
    """A feed delivers; its book is not usable before a snapshot."""

    instrument: InstrumentId
    received: Nanos
    channel: str


class FeedDown(MarketEvent, frozen=True, kw_only=True, gc=False, tag="feed.down"):
    """A feed stopped; nothing it said before can be trusted to be current."""

    instrument: InstrumentId
    received: Nanos
    channel: str
    reason: str


class FeedGapped(MarketEvent, frozen=True, kw_only=True, gc=False, tag="feed.gap"):
    """Updates are missing: the book is unusable until `FeedResynced`."""

    instrument: InstrumentId
    received: Nanos
    wanted: int
    got: int
    reason: str = ""


class FeedResynced(MarketEvent, frozen=True, kw_only=True, gc=False, tag="feed.resynced"):
    """Snapshot and updates join again without a hole; the book is usable."""

    instrument: InstrumentId
    received: Nanos
    sequence: int


class FeedStale(MarketEvent, frozen=True, kw_only=True, gc=False, tag="feed.stale"):
    """Nothing was heard for `age` nanoseconds, more than the limit allows."""

    instrument: InstrumentId
    received: Nanos
    age: Nanos
