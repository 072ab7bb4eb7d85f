"""All public frames of one pair in, typed events out; pure but for the book that it checks.

The venue numbers nothing, so updates are counted here, and the checksum alone proves that none is
missing. From a checksum that is wrong until a snapshot whose checksum is right nothing of the book
leaves here: it is either whole or a gap.
"""

from typing import Final, NamedTuple

import msgspec

from mm.errors import MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    CandleClosed,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedUp,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import SECONDS, Levels, Lots, Nanos, Side, Ticks
from mm.events.vocabulary import Market
from mm.gateways.moments import nanos
from mm.gateways.venues.kraken import wire
from mm.gateways.venues.kraken.checked import CheckedBook, places

SNAPSHOT: Final = "snapshot"
SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
MINUTE: Final = 60 * SECONDS
ANSWER_MAX: Final = Nanos(10 * SECONDS)
"""A snapshot that has not come by then is asked for again."""
CHANGES_MAX: Final = 4_000
PAUSE_MAX: Final = Nanos(60 * SECONDS)
"""Between two attempts to mend a book that will not mend."""


class Change(NamedTuple):
    """A snapshot (`whole`) or an update of a book; without a checksum there is none to check."""

    whole: bool
    at: Nanos
    bids: Levels
    asks: Levels
    checksum: int | None


class PairDecoder:
    """The market of one pair."""

    def __init__(
        self, definition: InstrumentDefined, depth: int, decimals: int | None = None
    ) -> None:
        """Start before the first connection; prices are written with the pair's own decimals.

        The older protocol wrote them with others (`decimals`).
        """
        self.definition = definition
        self._id = definition.instrument
        self._depth = depth
        self._price = wire.RawSteps(definition.tick_size, price=True)
        self._size = wire.RawSteps(definition.lot_size, price=False)
        shown = places(definition.tick_size) if decimals is None else decimals
        self._book = CheckedBook(definition, depth, shown)
        self._lost = False
        self._trade = -1
        self._candle: CandleClosed | None = None
        self._failures = 0
        self._ask_at = Nanos(0)
        self.up = False
        self.closed = False
        self.whole = False
        self.sequence = 0
        self.checked = 0

    def begin(self, received: Nanos, channel: str, *, heard: bool = True) -> list[Market]:
        """A connection stands, or the market is open again.

        On a new connection the subscription was said already (`heard`).
        """
        self._empty()
        self.up, self.closed = True, False
        self._ask_at = Nanos(received + ANSWER_MAX) if heard else received
        return [FeedUp(instrument=self._id, received=received, channel=channel)]

    def end(
        self, received: Nanos, channel: str, reason: str, *, closed: bool = False
    ) -> list[Market]:
        """Nothing more is heard of the pair, or its market is `closed` until it says otherwise."""
        self.closed = closed
        if not self.up:
            return []
        self._empty()
        self.up, self._lost = False, True
        return [FeedDown(instrument=self._id, received=received, channel=channel, reason=reason)]

    def _empty(self) -> None:
        self._book.clear()
        self.whole = False

    def lose(self, received: Nanos, reason: str, wanted: int = 0, got: int = 0) -> list[Market]:
        """Give the book up; only a new subscription brings it back."""
        if not self.up:
            return []
        self._empty()
        pause = min(PAUSE_MAX, (2**self._failures - 1) * SECONDS)
        self._failures += 1
        self._ask_at = Nanos(received + pause)
        if self._lost:
            return []
        self._lost = True
        gap = FeedGapped(
            instrument=self._id, received=received, wanted=wanted, got=got, reason=reason
        )
        return [gap]

    def asks(self, received: Nanos) -> bool:
        """Whether it is time to subscribe to the book anew; named once until it is answered."""
        if not self.up or self.whole or received < self._ask_at:
            return False
        self._ask_at = Nanos(received + ANSWER_MAX)
        return True

    def read(self, kind: str, data: wire.BookData) -> Change:
        """A frame's data in ticks and lots; raises `BadInput`, and changes nothing."""
        bids, asks = self._levels(data.bids), self._levels(data.asks)
        whole = kind == SNAPSHOT
        if whole and (0 in bids[1::2] or 0 in asks[1::2]):
            raise MalformedLine("a snapshot holds a level without a size", remedy=wire.COMPARE)
        if max(len(bids), len(asks)) > 2 * (self._depth if whole else CHANGES_MAX):
            raise MalformedLine("more levels than were subscribed to", remedy=wire.COMPARE)
        at = nanos(data.timestamp) if data.timestamp else Nanos(0)
        return Change(whole, at, bids, asks, data.checksum)

    def _levels(self, rows: list[wire.Level]) -> Levels:
        price, size = self._price, self._size
        return tuple(
            [steps for row in rows for steps in (price[bytes(row.price)], size[bytes(row.qty)])]
        )

    def book(self, received: Nanos, change: Change) -> list[Market]:
        """A snapshot or an update, believed if its checksum is right afterwards."""
        if change.whole:
            return self._snapshot(received, change)
        if not self.whole:
            return []  # Of a book that we gave up, or of a subscription that is over.
        bids, asks = self._book.change(change.bids, change.asks)
        if not self._right(change):
            return self._mistrust(received, change)
        self._failures = 0
        self.sequence += 1
        delta = BookDelta(
            instrument=self._id,
            received=received,
            venue_time=change.at,
            first=self.sequence,
            last=self.sequence,
            previous=self.sequence - 1,
            bids=bids,
            asks=asks,
        )
        return [delta]

    def _right(self, change: Change) -> bool:
        if change.checksum is None:
            return True
        self.checked += 1
        return self._book.checksum == change.checksum

    def _mistrust(self, received: Nanos, change: Change) -> list[Market]:
        wanted = change.checksum or 0
        return self.lose(received, "the checksum is wrong", wanted, self._book.checksum)

    def _snapshot(self, received: Nanos, change: Change) -> list[Market]:
        if not self.up:
            return []
        self._book.clear()
        self._book.change(change.bids, change.asks)
        if not self._right(change):
            return self._mistrust(received, change)
        if self._book.crossed:
            return self.lose(received, "the snapshot's best bid is not below its best ask")
        self.whole = True
        self.sequence += 1
        whole = BookSnapshot(
            instrument=self._id,
            received=received,
            venue_time=change.at,
            sequence=self.sequence,
            bids=change.bids,
            asks=change.asks,
        )
        if not self._lost:
            return [whole]
        self._lost = False
        sequence = self.sequence
        return [whole, FeedResynced(instrument=self._id, received=received, sequence=sequence)]

    def printed(self, received: Nanos, data: wire.TradeData) -> TradePrinted:
        """A trade; raises `BadInput`, and changes nothing."""
        side = SIDES.get(data.side)
        size = self._size[bytes(data.qty)]
        if side is None or not size:
            raise MalformedLine(
                f"trade {data.trade_id} has no side or no size", remedy=wire.COMPARE
            )
        return TradePrinted(
            instrument=self._id,
            received=received,
            venue_time=nanos(data.timestamp),
            trade_id=str(data.trade_id),
            price=Ticks(self._price[bytes(data.price)]),
            size=Lots(size),
            aggressor=side,
        )

    @property
    def listened(self) -> bool:
        """Whether a trade was ever heard of."""
        return self._trade >= 0

    def news(self, trade: TradePrinted) -> bool:
        """Whether a trade was not told before.

        After a connection was lost the snapshot holds the last trades, and so what we missed.
        """
        number, last = int(trade.trade_id), self._trade
        self._trade = max(number, last)
        return number > last

    def ticker(self, received: Nanos, data: wire.TickerData) -> list[Market]:
        """The best bid and offer, as the venue says them."""
        quote = QuoteUpdated(
            instrument=self._id,
            received=received,
            venue_time=nanos(data.timestamp) if data.timestamp else Nanos(0),
            sequence=0,
            bid=Ticks(self._price[bytes(data.bid)]),
            bid_size=Lots(self._size[bytes(data.bid_qty)]),
            ask=Ticks(self._price[bytes(data.ask)]),
            ask_size=Lots(self._size[bytes(data.ask_qty)]),
        )
        return [quote]

    def candle(self, received: Nanos, data: wire.CandleData) -> CandleClosed:
        """A candle, over or not; raises `BadInput`, and changes nothing."""
        price = self._price
        return CandleClosed(
            instrument=self._id,
            received=received,
            venue_time=Nanos(0),
            opened=nanos(data.interval_begin),
            interval=Nanos(data.interval * MINUTE),
            open=Ticks(price[bytes(data.open)]),
            high=Ticks(price[bytes(data.high)]),
            low=Ticks(price[bytes(data.low)]),
            close=Ticks(price[bytes(data.close)]),
            volume=Lots(self._size[bytes(data.volume)]),
            trades=data.trades,
        )

    def finished(self, heard: CandleClosed) -> list[Market]:
        """The candle before, once a later one has begun."""
        last = self._candle
        if last is not None and heard.opened < last.opened:
            return []
        self._candle = heard
        if last is None or heard.opened == last.opened:
            return []
        return [msgspec.structs.replace(last, received=heard.received)]
