"""All public frames of one market in, typed events out.

A book comes with its subscription and is lost by a hole in its ids, by another version, or when it
crosses: then nothing of it leaves here before a new snapshot. Public trades have no id: a trade is
known by its time, price, size and trend, and two that agree in all of them count as two only where
one frame holds both.
"""

from collections import Counter, OrderedDict
from typing import Final

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
    TradePrinted,
)
from mm.events.units import SECONDS, Levels, Lots, Nanos, Side, Ticks
from mm.events.vocabulary import Market
from mm.gateways.audit import BookSide
from mm.gateways.exact import StepReader
from mm.gateways.venues.max import wire

SNAPSHOT: Final = "snapshot"
TRENDS: Final = {"up": Side.BUY, "down": Side.SELL}
ANSWER_MAX: Final = Nanos(10 * SECONDS)
"""A snapshot that has not come by then is asked for again."""
PAUSE_MAX: Final = Nanos(60 * SECONDS)
"""Between two attempts to mend a book that will not mend."""
TRADES_KEPT: Final = 4_096
LEVELS_MAX: Final = 4_000
ORDINALS: Final = 1_000
"""Trades of one millisecond that can be told apart."""
MINUTE: Final = 60 * SECONDS
INTERVALS: Final = {
    **{f"{n}m": n * MINUTE for n in (1, 5, 15, 30)},
    **{f"{n}h": n * 60 * MINUTE for n in (1, 2, 4, 6, 12)},
    "1d": 1_440 * MINUTE,
}


class MarketDecoder:
    """One market."""

    def __init__(self, definition: InstrumentDefined) -> None:
        """Start before the first connection."""
        self.definition = definition
        self._id = definition.instrument
        self._price = StepReader(definition.tick_size, price=True)
        self._size = StepReader(definition.lot_size, price=False)
        self._bids, self._asks = BookSide(), BookSide()
        self._lost = False
        self._failures = 0
        self._ask_at = Nanos(0)
        self._told: OrderedDict[wire.TradeRow, int] = OrderedDict()
        self._ordinals: dict[int, int] = {}
        self._candle = Nanos(-1)
        self.up = False
        self.closed = False
        self.whole = False
        self.sequence = 0
        self.version = 0

    # -- connections ---------------------------------------------------------------------------

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
        """Nothing more is heard of it, or the market is `closed` until it says otherwise."""
        self.closed = closed
        if not self.up:
            return []
        self._empty()
        self.up, self._lost = False, True
        return [FeedDown(instrument=self._id, received=received, channel=channel, reason=reason)]

    def _empty(self) -> None:
        self._bids, self._asks = BookSide(), BookSide()
        self.whole = False

    def lose(self, received: Nanos, reason: str, wanted: int = 0, got: int = 0) -> list[Market]:
        """Give the book up; only a new subscription brings it back."""
        if not self.up:
            return []
        self._empty()
        pause = min(PAUSE_MAX, (2**self._failures - 1) * SECONDS)
        self._failures = min(self._failures + 1, 16)
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

    # -- the book ------------------------------------------------------------------------------

    def levels(self, rows: wire.Rows) -> Levels:
        """Levels in ticks and lots; raises `BadInput`."""
        if len(rows) > LEVELS_MAX:
            raise MalformedLine("more levels than any book has", remedy=wire.COMPARE)
        price, size = self._price, self._size
        return tuple([steps for p, v in rows for steps in (price[p], size[v])])

    def book(self, received: Nanos, said: wire.Book) -> list[Market]:
        """A snapshot or an update; raises `BadInput`, and changes nothing."""
        bids, asks = self.levels(said.b), self.levels(said.a)
        if said.e == SNAPSHOT:
            return self._snapshot(received, said, bids, asks)
        if not self.whole or (said.li <= self.sequence and said.v == self.version):
            return []  # Of a subscription that is over, or contained in what we have.
        if said.v != self.version:
            return self.lose(received, "the book is of another version")
        if said.fi > self.sequence + 1:
            return self.lose(received, "updates are missing", self.sequence + 1, said.fi)
        self._bids.set(bids)
        self._asks.set(asks)
        if self._crossed:
            return self.lose(received, "the book is crossed", said.li, said.li)
        self._failures = 0
        delta = BookDelta(
            instrument=self._id,
            received=received,
            venue_time=wire.nanos(said.T),
            first=self.sequence + 1,
            last=said.li,
            previous=self.sequence,
            bids=bids,
            asks=asks,
        )
        self.sequence = said.li
        return [delta]

    def _snapshot(
        self, received: Nanos, said: wire.Book, bids: Levels, asks: Levels
    ) -> list[Market]:
        """A snapshot replaces the book, unless it is older; an empty one takes it away."""
        if 0 in bids[1::2] or 0 in asks[1::2]:
            raise MalformedLine("a snapshot holds a level without a size", remedy=wire.COMPARE)
        if not self.up:
            return []
        if self.whole and said.v == self.version and said.li <= self.sequence:
            return []
        if not bids and not asks:
            return self.lose(received, "the book is empty")
        self._empty()
        self._bids.set(bids)
        self._asks.set(asks)
        if self._crossed:
            return self.lose(received, "the snapshot's best bid is not below its best ask")
        self.whole, self.sequence, self.version = True, said.li, said.v
        whole = BookSnapshot(
            instrument=self._id,
            received=received,
            venue_time=wire.nanos(said.T),
            sequence=said.li,
            bids=bids,
            asks=asks,
        )
        if not self._lost:
            return [whole]
        self._lost = False
        return [whole, FeedResynced(instrument=self._id, received=received, sequence=said.li)]

    @property
    def _crossed(self) -> bool:
        bids, asks = self._bids.prices, self._asks.prices
        return bool(bids and asks and bids[-1] >= asks[0])

    def polled(self, received: Nanos, said: wire.Depth) -> list[Market]:
        """The book as REST has it, whole for the moment; it joins no stream."""
        asks = self.levels(sorted(said.asks, key=lambda row: self._price[row[0]]))
        sequence = said.last_update_id
        whole = BookSnapshot(
            instrument=self._id,
            received=received,
            venue_time=Nanos(said.timestamp * SECONDS),
            sequence=sequence,
            bids=self.levels(said.bids),
            asks=asks,
        )
        return [whole, FeedResynced(instrument=self._id, received=received, sequence=sequence)]

    # -- trades and candles --------------------------------------------------------------------

    def trades(self, received: Nanos, said: wire.Trades) -> list[Market]:
        """The trades of a frame that were not told before; raises `BadInput`.

        After a connection was lost the snapshot holds the last trades, and so what we missed; what
        was before we first listened is passed over.
        """
        read = [(row, self._printed(received, row)) for row in said.t]
        silent = said.e == SNAPSHOT and not self._told
        seen: Counter[wire.TradeRow] = Counter()
        oldest = next(iter(self._told)).T if len(self._told) >= TRADES_KEPT else 0
        facts: list[Market] = []
        for row, trade in sorted(read, key=lambda each: each[0].T):
            seen[row] += 1
            if oldest > row.T or seen[row] <= self._told.get(row, 0):
                continue
            self._told[row] = seen[row]
            if not silent:
                number = str(row.T * ORDINALS + self._ordinal(row.T))
                facts.append(msgspec.structs.replace(trade, trade_id=number))
        while len(self._told) > TRADES_KEPT:
            self._told.popitem(last=False)
        return facts

    def _ordinal(self, at: int) -> int:
        """Which trade of its millisecond this is."""
        number = self._ordinals.get(at, -1) + 1
        self._ordinals[at] = number
        while len(self._ordinals) > TRADES_KEPT:
            del self._ordinals[next(iter(self._ordinals))]
        return number

    def _printed(self, received: Nanos, row: wire.TradeRow) -> TradePrinted:
        side, size = TRENDS.get(row.tr), self._size[row.v]
        if side is None or not size:
            raise MalformedLine("a trade without a trend or a size", remedy=wire.COMPARE)
        return TradePrinted(
            instrument=self._id,
            received=received,
            venue_time=wire.nanos(row.T),
            trade_id="",
            price=Ticks(self._price[row.p]),
            size=Lots(size),
            aggressor=side,
        )

    def candle(self, received: Nanos, row: wire.CandleRow) -> list[Market]:
        """A candle, once it is finished; raises `BadInput`."""
        interval = INTERVALS.get(row.R)
        prices = [self._price[each] for each in (row.O, row.H, row.L, row.C)]
        if interval is None or max(prices) != prices[1] or min(prices) != prices[2]:
            raise MalformedLine(f"a candle of {row.R[:8]} with high {row.H} and low {row.L}")
        opened = wire.nanos(row.ST)
        if not row.x or opened <= self._candle:
            return []
        self._candle = opened
        closed = CandleClosed(
            instrument=self._id,
            received=received,
            venue_time=wire.nanos(row.ET),
            opened=opened,
            interval=Nanos(interval),
            open=Ticks(prices[0]),
            high=Ticks(prices[1]),
            low=Ticks(prices[2]),
            close=Ticks(prices[3]),
            volume=Lots(self._size[row.v]),
        )
        return [closed]
