"""Binance frames in, typed events out: one decoder an instrument, one router a connection.

A decoder is pure but for its own state, which is the joining of snapshot and diffs: no clock, no
IO. A live socket and a capture file call the same methods. A frame either yields its events or
raises a `BadInput` and leaves the decoder as it was; a diff that was refused so is missed by the
sequence rules when the next one comes, which makes the book a gap and never a wrong book.
"""

from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from mm.errors import CrossedBook, MalformedLine, OffTick
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedUp,
    FundingPublished,
    IndexPublished,
    MarkPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import MILLIS, Levels, Lots, Nanos, Side, Ticks
from mm.events.vocabulary import Market
from mm.gateways import binance_wire as wire
from mm.gateways.exact import StepReader, number
from mm.gateways.sequence import BookJoiner, Rule, futures_rule, spot_rule

CHANNEL: Final = "market"
DELTA_LEVELS_MAX: Final = 16_000
SNAPSHOT_LEVELS_MAX: Final = 8_000
"""Levels in one part of a snapshot."""
REMARKS_MAX: Final = 100
STRAYS_MAX: Final = 20
"""So many levels between two ticks may come alone."""

Raw = bytes | msgspec.Raw
Handler = Callable[[Raw, Nanos], list[Market]]


class MarketRules(NamedTuple):
    """What differs between Binance's markets."""

    venue: str
    rule: Rule
    chained: bool


SPOT: Final = MarketRules("binance", spot_rule, chained=False)
USDM: Final = MarketRules("binance_usdm", futures_rule, chained=True)
MARKETS: Final = {rules.venue: rules for rules in (SPOT, USDM)}

_depth: Final = wire.reader(wire.Depth)
_snapshot: Final = wire.reader(wire.Snapshot)
_ticker: Final = wire.reader(wire.Ticker)
_trade: Final = wire.reader(wire.Trade)
_mark: Final = wire.reader(wire.Mark)
_frame: Final = wire.reader(wire.Frame)


class BinanceDecoder:
    """All public frames of one instrument."""

    def __init__(self, definition: InstrumentDefined, *, strays: bool = False) -> None:
        """Decode for an instrument of one of `MARKETS`.

        With `strays` levels between two ticks are left out of the book and counted: where a venue
        made its tick coarser, orders from before still stand there.
        """
        self.definition = definition
        self.rules = MARKETS[definition.venue]
        self._id = definition.instrument
        self._price = StepReader(definition.tick_size, price=True)
        self._size = StepReader(definition.lot_size, price=False)
        self._level_price = StepReader(definition.tick_size, price=True, strays=strays)
        self.strays = 0
        self.book = BookJoiner(self._id, self.rules.rule, chained=self.rules.chained)
        self.not_market: Counter[str] = Counter()
        self.remarks: deque[str] = deque(maxlen=REMARKS_MAX)
        self.handlers: dict[str, Handler] = {
            "depth": self.depth,
            "bookTicker": self.ticker,
            "trade": self.trade,
            "markPrice": self.mark,
        }

    def up(self, received: Nanos) -> FeedUp:
        """The feed begins."""
        return FeedUp(instrument=self._id, received=received, channel=CHANNEL)

    def depth(self, data: Raw, received: Nanos) -> list[Market]:
        """A diff: held, dropped as stale, passed on, or proof of a gap."""
        frame = _depth(data)
        self._check_symbol(frame.s)
        delta = BookDelta(
            instrument=self._id,
            received=received,
            venue_time=Nanos((frame.T or frame.E) * MILLIS),
            first=frame.U,
            last=frame.u,
            previous=self._previous(frame),
            bids=self._levels(frame.b),
            asks=self._levels(frame.a),
        )
        return [*self.book.delta(delta)]

    def _previous(self, frame: wire.Depth) -> int:
        if (frame.pu is not None) is not self.rules.chained:
            raise MalformedLine(f"this is no diff of {self.definition.venue}", remedy=wire.COMPARE)
        if frame.u < frame.U or (frame.pu or 0) >= frame.u:
            raise MalformedLine(f"update ids run back: U {frame.U}, u {frame.u}, pu {frame.pu}")
        if len(frame.b) + len(frame.a) > DELTA_LEVELS_MAX:
            raise MalformedLine(f"a diff of {len(frame.b) + len(frame.a)} levels")
        return frame.pu or 0

    def _levels(self, rows: wire.Rows) -> Levels:
        price, size = self._level_price, self._size
        levels = tuple([steps for p, q in rows for steps in (price[p], size[q])])
        return self._on_tick(levels) if 0 in levels[::2] else levels

    def _on_tick(self, levels: Levels) -> Levels:
        """The levels without strays; more of those than others would be another tick."""
        pairs = [pair for pair in zip(levels[::2], levels[1::2], strict=True) if pair[0]]
        strays = len(levels) // 2 - len(pairs)
        if strays > STRAYS_MAX and strays > len(pairs):
            raise OffTick(
                f"{strays} of {len(levels) // 2} levels are no multiple of the tick size",
                remedy="check the instrument's tick size",
            )
        self.strays += strays
        return tuple(steps for pair in pairs for steps in pair)

    def _check_symbol(self, symbol: str) -> None:
        if symbol != self.definition.symbol:
            raise MalformedLine(
                f"a frame of {symbol} in the stream of {self.definition.symbol}",
                remedy=wire.COMPARE,
            )

    def snapshot(self, data: Raw, received: Nanos) -> list[Market]:
        """A REST depth snapshot: joined to the diffs held so far, or kept in reserve."""
        return [*self.book.snapshot(self.parts(data, received))]

    def parts(self, data: Raw, received: Nanos) -> tuple[BookSnapshot, ...]:
        """A REST depth snapshot by itself, in parts that fit a turn."""
        frame = _snapshot(data)
        bids, asks = self._levels(frame.bids), self._levels(frame.asks)
        if 0 in bids[1::2] or 0 in asks[1::2]:
            raise MalformedLine("the snapshot holds a level without a size", remedy=wire.COMPARE)
        if bids and asks and max(bids[::2]) >= min(asks[::2]):
            raise CrossedBook("the snapshot's best bid is not below its best ask")
        whole = BookSnapshot(
            instrument=self._id,
            received=received,
            venue_time=Nanos((frame.T or frame.E) * MILLIS),
            sequence=frame.lastUpdateId,
            bids=bids,
            asks=asks,
        )
        return snapshot_parts(whole)

    def ticker(self, data: Raw, received: Nanos) -> list[Market]:
        """The best bid and offer, as the venue says them."""
        frame = _ticker(data)
        self._check_symbol(frame.s)
        bid, ask = self._price[frame.b], self._price[frame.a]
        if bid >= ask:
            raise CrossedBook(f"bid {frame.b} is not below ask {frame.a}")
        quote = QuoteUpdated(
            instrument=self._id,
            received=received,
            venue_time=Nanos((frame.T or frame.E) * MILLIS),
            sequence=frame.u,
            bid=Ticks(bid),
            bid_size=Lots(self._size[frame.B]),
            ask=Ticks(ask),
            ask_size=Lots(self._size[frame.A]),
        )
        return [quote]

    def trade(self, data: Raw, received: Nanos) -> list[Market]:
        """A trade of the market; insurance fund and auto-deleveraging are counted, not passed."""
        frame = _trade(data)
        self._check_symbol(frame.s)
        if frame.X is not None and frame.X != "MARKET":
            self.not_market[frame.X] += 1
            self.remarks.append(f"trade {frame.t} is {frame.X}, no trade of the market")
            return []
        price, size = self._price[frame.p], self._size[frame.q]
        if not size:
            raise MalformedLine(f"trade {frame.t} has no size", remedy=wire.COMPARE)
        printed = TradePrinted(
            instrument=self._id,
            received=received,
            venue_time=Nanos(frame.T * MILLIS),
            trade_id=str(frame.t),
            price=Ticks(price),
            size=Lots(size),
            aggressor=Side.SELL if frame.m else Side.BUY,
        )
        return [printed]

    def mark(self, data: Raw, received: Nanos) -> list[Market]:
        """Mark price, index price and, on a perpetual, the funding rate and its time."""
        frame = _mark(data)
        self._check_symbol(frame.s)
        at = Nanos(frame.E * MILLIS)
        mark, index = self._valuation(frame.p), self._valuation(frame.i)
        events: list[Market] = [
            MarkPublished(instrument=self._id, received=received, venue_time=at, price=mark),
            IndexPublished(instrument=self._id, received=received, venue_time=at, price=index),
        ]
        if not frame.T:
            return events
        rate = number(frame.r, "funding rate")
        if abs(rate) > 1:
            raise MalformedLine(f"funding rate {rate} is out of all bounds", remedy=wire.COMPARE)
        funding = FundingPublished(
            instrument=self._id,
            received=received,
            venue_time=at,
            rate=rate,
            due=Nanos(frame.T * MILLIS),
        )
        return [*events, funding]

    def _valuation(self, text: str) -> Decimal:
        """A price that need not lie on a tick."""
        price = number(text, "price")
        if not 0 < price <= self._price.value_max:
            raise MalformedLine(f"price {text} is out of all bounds", remedy=wire.COMPARE)
        return price


def snapshot_parts(whole: BookSnapshot) -> tuple[BookSnapshot, ...]:
    """The snapshot in parts that fit a turn, bids first; usually it is one."""
    sides = [("bids", whole.bids), ("asks", whole.asks)]
    if len(whole.bids) + len(whole.asks) <= 2 * SNAPSHOT_LEVELS_MAX:
        return (whole,)
    pieces = [
        {"bids": (), "asks": (), side: levels[start : start + 2 * SNAPSHOT_LEVELS_MAX]}
        for side, levels in sides
        for start in range(0, len(levels), 2 * SNAPSHOT_LEVELS_MAX)
    ]
    return tuple(
        msgspec.structs.replace(whole, **piece, part=index, parts=len(pieces))
        for index, piece in enumerate(pieces, start=1)
    )


class BinanceRouter:
    """Combined-stream frames of one connection or file, each sent to its instrument's decoder."""

    def __init__(self, decoders: dict[str, BinanceDecoder]) -> None:
        """Route by the symbols given, in capitals as the venue writes them."""
        self._decoders = decoders
        self._routes: dict[str, tuple[BinanceDecoder, Handler]] = {}

    def take(self, payload: bytes, received: Nanos) -> tuple[BinanceDecoder, list[Market]]:
        """Decode one frame; raises a `BadInput`, and then nothing has changed."""
        try:
            frame = _frame(payload)
            if frame.stream:
                decoder, handler = self._routes.get(frame.stream) or self._route(frame.stream)
                return decoder, handler(frame.data, received)
            decoder = self._sole()
            return decoder, decoder.snapshot(payload, received)
        except wire.UNREADABLE as error:
            raise wire.unreadable(error) from error

    def _route(self, stream: str) -> tuple[BinanceDecoder, Handler]:
        symbol, _, channel = stream.partition("@")
        decoder = self._decoders.get(symbol.upper())
        handler = decoder.handlers.get(channel.partition("@")[0]) if decoder else None
        if decoder is None or handler is None:
            raise MalformedLine(
                f"unknown stream {stream[:80]!r}",
                remedy="streams read are depth, bookTicker, trade and markPrice of symbols that "
                "stand near the start of the file or are named with --instrument",
            )
        self._routes[stream] = decoder, handler
        return decoder, handler

    def _sole(self) -> BinanceDecoder:
        if len(self._decoders) > 1:
            raise MalformedLine(
                "a snapshot does not say which of several symbols it belongs to",
                remedy="capture one symbol a file",
            )
        return next(iter(self._decoders.values()))
