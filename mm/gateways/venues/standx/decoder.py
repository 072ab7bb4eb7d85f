"""All that is said of one symbol, as facts.

Every frame of a book is whole, so that nothing can be missing: what changed since the last one is
told as an update. Where the venue's numbers run back (it began to count anew, or another socket
took over) the whole book is told instead, and ours go on. A book that crosses is none.
"""

from decimal import Decimal
from typing import Any, Final

from mm.errors import CrossedBook, MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedUp,
    FundingPublished,
    IndexPublished,
    MarkPublished,
    TradePrinted,
)
from mm.events.units import SECONDS, Levels, Lots, Nanos, Side, Ticks
from mm.events.vocabulary import Market
from mm.gateways.exact import StepReader, number
from mm.gateways.venues.standx import wire

LEVELS_MAX: Final = 20_000
FUNDING_EVERY: Final = Nanos(60 * SECONDS)
"""How often the rate of the next funding is asked for: no stream tells it."""
SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
Levelled = dict[int, int]


class SymbolDecoder:
    """The market of one symbol; changes in place."""

    def __init__(self, definition: InstrumentDefined) -> None:
        """Start before the first connection."""
        self.definition = definition
        self._id = definition.instrument
        self._price = StepReader(definition.tick_size, price=True)
        self._size = StepReader(definition.lot_size, price=False)
        self._bids: Levelled = {}
        self._asks: Levelled = {}
        self._heard = Nanos(0)
        self._last = 0
        self._trade = 0
        self._priced = Nanos(0)
        self._funding: tuple[Decimal, Nanos] | None = None
        self._ask_at = Nanos(0)
        self._lost = False
        self.up = False
        self.whole = False
        self.sequence = 0
        self.resyncs = 0

    # -- connections ---------------------------------------------------------------------------

    def begin(self, received: Nanos, channel: str) -> list[Market]:
        """A connection stands, or the market is asked for over REST."""
        self.whole, self.up = False, True
        return [FeedUp(instrument=self._id, received=received, channel=channel)]

    def end(self, received: Nanos, channel: str, reason: str) -> list[Market]:
        """Nothing more is heard of the symbol."""
        if not self.up:
            return []
        self.whole, self.up, self._lost = False, False, True
        return [FeedDown(instrument=self._id, received=received, channel=channel, reason=reason)]

    def lose(self, received: Nanos, reason: str) -> list[Market]:
        """Give the book up; the next frame of it is whole again."""
        self.whole = False
        if self._lost or not self.up:
            return []
        self._lost = True
        gap = FeedGapped(
            instrument=self._id,
            received=received,
            wanted=self.sequence + 1,
            got=self.sequence,
            reason=reason,
        )
        return [gap]

    def asks(self, received: Nanos) -> bool:
        """Whether it is time to ask for the next funding."""
        if not self.up or received < self._ask_at:
            return False
        self._ask_at = Nanos(received + FUNDING_EVERY)
        return True

    # -- what is said --------------------------------------------------------------------------

    def book(self, received: Nanos, last: int, said: wire.Book) -> list[Market]:
        """A whole book under the venue's number; raises `BadInput`, and is then as before."""
        if not self.up or (self.whole and received < self._heard):
            return []  # Heard by a second socket before it took over.
        bids, asks = self._side(said.bids), self._side(said.asks)
        if bids and asks and max(bids) >= min(asks):
            raise CrossedBook(f"bid {max(bids)} is not below ask {min(asks)}, in ticks")
        same = last == self._last and (bids, asks) == (self._bids, self._asks)
        if self.whole and same:
            return []
        follows = self.whole and last > self._last
        self.resyncs += self.whole and not follows
        before, told = (self._bids, self._asks), self.sequence
        grown = last - self._last if follows else 1
        self.sequence += grown if self.sequence else max(1, last)
        self._bids, self._asks, self._last, self._heard = bids, asks, last, received
        self.whole = True
        if not follows:
            return self._told(received, bids, asks)
        delta = BookDelta(
            instrument=self._id,
            received=received,
            venue_time=Nanos(0),
            first=told + 1,
            last=self.sequence,
            previous=told,
            bids=_changes(before[0], bids),
            asks=_changes(before[1], asks),
        )
        return [delta]

    def _told(self, received: Nanos, bids: Levelled, asks: Levelled) -> list[Market]:
        whole = BookSnapshot(
            instrument=self._id,
            received=received,
            venue_time=Nanos(0),
            sequence=self.sequence,
            bids=_flat(sorted(bids.items(), reverse=True)),
            asks=_flat(sorted(asks.items())),
        )
        if not self._lost:
            return [whole]
        self._lost = False
        sequence = self.sequence
        return [whole, FeedResynced(instrument=self._id, received=received, sequence=sequence)]

    def _side(self, rows: list[wire.Level]) -> Levelled:
        if len(rows) > LEVELS_MAX:
            raise MalformedLine(f"a book of {len(rows)} levels", remedy=wire.COMPARE)
        price, size = self._price, self._size
        side = {price[at]: size[many] for at, many in rows}
        if len(side) != len(rows):
            raise MalformedLine("a price stands in a book twice", remedy=wire.COMPARE)
        return {at: many for at, many in side.items() if many}

    def valued(self, received: Nanos, said: wire.Price) -> list[Market]:
        """Mark and index; what is older than what was told is passed over."""
        at = wire.moment(said.time)
        if at <= self._priced:
            return []
        mark, index = number(said.mark_price, "mark"), number(said.index_price, "index")
        if mark <= 0 or index <= 0:
            raise MalformedLine("a mark or an index is not above zero", remedy=wire.COMPARE)
        self._priced = at
        stamps: dict[str, Any] = {"instrument": self._id, "received": received, "venue_time": at}
        return [MarkPublished(price=mark, **stamps), IndexPublished(price=index, **stamps)]

    def printed(self, received: Nanos, said: wire.Trade) -> list[Market]:
        """A trade, told once; one without a number cannot be told apart from another."""
        side = SIDES.get(said.side)
        if said.is_buyer_taker is not None:
            side = Side.BUY if said.is_buyer_taker else Side.SELL
        price, size = self._price[said.price], self._size[said.qty]
        if side is None or not size:
            raise MalformedLine(f"trade {said.id} has no side or no size", remedy=wire.COMPARE)
        at = wire.moment(said.time)
        if said.id and said.id <= self._trade:
            return []
        self._trade = max(self._trade, said.id)
        trade = TradePrinted(
            instrument=self._id,
            received=received,
            venue_time=at,
            trade_id=str(said.id or at),
            price=Ticks(price),
            size=Lots(size),
            aggressor=side,
        )
        return [trade]

    def funded(self, received: Nanos, said: wire.Market) -> list[Market]:
        """The rate of the next funding, where it is another than before."""
        rate, due = number(said.funding_rate, "funding rate"), wire.moment(said.next_funding_time)
        if (rate, due) == self._funding:
            return []
        self._funding = (rate, due)
        at = wire.moment(said.time) if said.time else Nanos(0)
        published = FundingPublished(
            instrument=self._id, received=received, venue_time=at, rate=rate, due=due
        )
        return [published]


def _changes(before: Levelled, now: Levelled) -> Levels:
    """What leads from one side to another; gone levels have no size."""
    gone = [(price, 0) for price in before if price not in now]
    changed = [(price, size) for price, size in now.items() if before.get(price) != size]
    return _flat(gone + changed)


def _flat(rows: list[tuple[int, int]]) -> Levels:
    return tuple([each for row in rows for each in row])
