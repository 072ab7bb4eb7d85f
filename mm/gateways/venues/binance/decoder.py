"""One instrument's frames as a live connection brings them: told once, and never believed blindly.

Two sockets that overlap say things twice; numbers of the venue tell. Beside the rules of sequence
stands the audit: a book that crosses, or contradicts a quote, is a gap until a newer snapshot.
"""

from typing import Any, Final

from mm.errors import CrossedBook, MalformedLine, OffTick
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    CandleClosed,
    FeedDown,
    FeedResynced,
    FeedUp,
    FundingPublished,
    IndexPublished,
    MarkPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import MILLIS, SECONDS, Lots, Nanos, Side, Ticks
from mm.events.vocabulary import Market
from mm.gateways.audit import BookAudit, believed
from mm.gateways.binance_raw import BinanceDecoder, Handler, Raw
from mm.gateways.exact import StepReader
from mm.gateways.venues.binance import wire

MINUTE: Final = 60 * SECONDS
INTERVALS: Final = {
    "1s": SECONDS,
    **{f"{n}m": n * MINUTE for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * 60 * MINUTE for n in (1, 2, 4, 6, 8, 12)},
    **{f"{n}d": n * 1_440 * MINUTE for n in (1, 3)},
    "1w": 7 * 1_440 * MINUTE,
}
ASK_WAIT_MIN: Final = SECONDS
ASK_WAIT_MAX: Final = 30 * SECONDS


class InstrumentDecoder:
    """All that is said of one instrument, over sockets and over REST."""

    def __init__(self, definition: InstrumentDefined, *, audited: bool = True) -> None:
        """Begin before anything was heard."""
        self.definition = definition
        self.core = BinanceDecoder(definition, strays=True)
        self.audit = BookAudit()
        self._audited = audited
        self._id = definition.instrument
        self._price = StepReader(definition.tick_size, price=True)
        self._size = StepReader(definition.lot_size, price=False)
        self.handlers: dict[str, Handler] = self.core.handlers | {
            "aggTrade": self.aggregate,
            "kline": self.kline,
        }
        self.repeated = 0
        self._forget()
        self.asked = False
        self._ask_at = Nanos(0)
        self._ask_wait = ASK_WAIT_MIN

    def _forget(self) -> None:
        self._quote = self._trade = 0
        self._mark = self._candle = Nanos(0)

    # -- connections ---------------------------------------------------------------------------

    def begin(self, received: Nanos, channel: str) -> list[Market]:
        """A connection stands: what it carries begins anew."""
        self._forget()
        return [FeedUp(instrument=self._id, received=received, channel=channel)]

    def end(self, received: Nanos, channel: str, reason: str) -> list[Market]:
        """It stands no more; whoever folds a `FeedDown` gives the book up, and so do we."""
        down = FeedDown(instrument=self._id, received=received, channel=channel, reason=reason)
        return [down, *self.lose(received, reason)]

    def lose(self, received: Nanos, reason: str) -> list[Market]:
        """Give the book up, until a newer snapshot joins."""
        self.audit.lose()
        self.asked = False
        return [*self.core.book.distrust(received, reason)]

    def asks(self, received: Nanos) -> bool:
        """Whether a snapshot is wanted now: once, and later each time it does not last."""
        book = self.core.book
        if book.stands or self.asked or not book.held or received < self._ask_at:
            return False
        rested = received - self._ask_at > ASK_WAIT_MAX
        self._ask_wait = ASK_WAIT_MIN if rested else min(ASK_WAIT_MAX, self._ask_wait * 2)
        self._ask_at = Nanos(received + self._ask_wait)
        self.asked = True
        return True

    # -- what is said --------------------------------------------------------------------------

    def hear(self, handler: Handler, data: Raw, received: Nanos) -> list[Market]:
        """What of a frame is news and can be believed; raises `BadInput`.

        A quote or trade at a price between two ticks is that of an order from before the tick was
        made coarser: it is counted, and not told.
        """
        try:
            events = handler(data, received)
        except OffTick:
            if handler == self.core.depth:
                raise
            self.core.strays += 1
            return []
        return self._believed(events, received)

    def snapshot(self, data: Raw, received: Nanos) -> list[Market]:
        """A snapshot that was asked for; raises `BadInput`, and may be asked for again then."""
        self.asked = False
        return self._believed(self.core.snapshot(data, received), received)

    def _believed(self, events: list[Market], received: Nanos) -> list[Market]:
        facts = [event for event in events if self._news(event)]
        if not self._audited:
            return facts
        facts, wrong = believed(self.audit, self.core.book, facts, received)
        if wrong:
            self.asked = False
        return facts

    def _news(self, event: Market) -> bool:
        """Whether it was not said before; updates of the book have rules of their own."""
        match event:
            case QuoteUpdated(sequence=number):
                fresh, self._quote = number > self._quote, max(number, self._quote)
            case TradePrinted(trade_id=text):
                number = int(text)
                fresh, self._trade = number > self._trade, max(number, self._trade)
            case MarkPublished() | IndexPublished() | FundingPublished():
                fresh = event.venue_time >= self._mark
                self._mark = max(event.venue_time, self._mark)
            case CandleClosed(opened=opened):
                fresh, self._candle = opened > self._candle, max(opened, self._candle)
            case _:
                return True
        self.repeated += not fresh
        return fresh

    def aggregate(self, data: Raw, received: Nanos) -> list[Market]:
        """Fills of one taker at one price, as one trade."""
        frame = wire.aggregate(data)
        self._check(frame.s)
        printed = TradePrinted(
            instrument=self._id,
            received=received,
            venue_time=Nanos(frame.T * MILLIS),
            trade_id=str(frame.a),
            price=Ticks(self._price[frame.p]),
            size=Lots(self._size[frame.q]),
            aggressor=Side.SELL if frame.m else Side.BUY,
        )
        return [printed]

    def kline(self, data: Raw, received: Nanos) -> list[Market]:
        """A candle, once it is finished."""
        frame = wire.kline(data)
        self._check(frame.s)
        if not frame.k.x:
            return []
        k = frame.k
        return [self.candle((k.t, k.o, k.h, k.l, k.c, k.v, k.T, "", k.n), k.i, received)]

    def candle(self, row: tuple[Any, ...], interval: str, received: Nanos) -> CandleClosed:
        """A candle from a row as REST has it; raises `MalformedLine` for one that cannot be."""
        opened, first, high, low, last, volume, closes, _, trades, *_ = row
        span = INTERVALS.get(interval)
        prices = [self._price[each] for each in (first, high, low, last)]
        if span is None or max(prices) != prices[1] or min(prices) != prices[2]:
            raise MalformedLine(f"a candle of {interval} with high {high} and low {low}")
        return CandleClosed(
            instrument=self._id,
            received=received,
            venue_time=Nanos((closes + 1) * MILLIS),
            opened=Nanos(opened * MILLIS),
            interval=Nanos(span),
            open=Ticks(prices[0]),
            high=Ticks(prices[1]),
            low=Ticks(prices[2]),
            close=Ticks(prices[3]),
            volume=Lots(self._size[volume]),
            trades=trades,
        )

    def _check(self, symbol: str) -> None:
        if symbol != self.definition.symbol:
            raise MalformedLine(f"a frame of {symbol} in the stream of {self.definition.symbol}")

    # -- what is polled ------------------------------------------------------------------------

    def polled_book(self, data: Raw, received: Nanos) -> list[Market]:
        """The book as REST has it, whole for the moment; it joins no stream."""
        parts = self.core.parts(data, received)
        whole = FeedResynced(instrument=self._id, received=received, sequence=parts[0].sequence)
        return [*parts, whole]

    def polled_quote(self, data: Raw, received: Nanos) -> list[Market]:
        """The best bid and offer as REST has them."""
        frame = wire.rest_ticker(data)
        self._check(frame.symbol)
        bid, ask = self._price[frame.bidPrice], self._price[frame.askPrice]
        if bid >= ask:
            raise CrossedBook(f"bid {frame.bidPrice} is not below ask {frame.askPrice}")
        quote = QuoteUpdated(
            instrument=self._id,
            received=received,
            venue_time=Nanos(frame.time * MILLIS),
            sequence=0,
            bid=Ticks(bid),
            bid_size=Lots(self._size[frame.bidQty]),
            ask=Ticks(ask),
            ask_size=Lots(self._size[frame.askQty]),
        )
        return [quote]
