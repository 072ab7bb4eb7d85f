"""Kraken's public socket: who has subscribed to what, and each change worded once for all.

A book is told as deep as it is subscribed to: what falls out below is not mentioned, and what comes
into view is. Beside every change stands the checksum of the ten best of either side.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from mm.emulator.candles import Candle
from mm.emulator.exchange import Exchange, Listing, Told, Valued
from mm.emulator.kraken import names
from mm.emulator.kraken.public import INTERVALS
from mm.emulator.kraken.wording import PairWords, Rows, bare, encode, moment, money, number
from mm.emulator.sockets import Socket
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated, TradePrinted
from mm.events.units import SECONDS, Nanos, Side

DEPTHS: Final = (10, 25, 100, 500, 1_000)
TRADES: Final = 50
"""Trades in a snapshot."""
HEARTBEAT: Final = 1.0
Payload = dict[str, Any]


class Topic(NamedTuple):
    """What can be subscribed to; `detail` is a book's depth or a candle's minutes."""

    channel: str
    symbol: str
    detail: int = 0

    @property
    def name(self) -> str:
        """For faults to name it by."""
        return f"{self.channel}:{self.symbol}:{self.detail}"


class View:
    """A book as deep as somebody sees it; changes in place."""

    def __init__(self, listing: Listing, depth: int) -> None:
        """Begin with what stands."""
        self._listing = listing
        self._depth = depth
        self.bids: Rows = listing.book.bids(depth)
        self.asks: Rows = listing.book.asks(depth)

    def move(self) -> tuple[Rows, Rows]:
        """What changed since the last time, as it is told."""
        book = self._listing.book
        bids, asks = book.bids(self._depth), book.asks(self._depth)
        changes = (
            _changes(self.bids, bids, self._depth, -1),
            _changes(self.asks, asks, self._depth, 1),
        )
        self.bids, self.asks = bids, asks
        return changes


def _changes(old: Rows, new: Rows, depth: int, sign: int) -> Rows:
    """The changes that lead from one side to another, for a client that cuts at its depth."""
    was, will = dict(old), dict(new)
    worst = sign * new[-1][0] if len(new) == depth else None
    gone = [
        (price, 0) for price in was if price not in will and (worst is None or sign * price < worst)
    ]
    return gone + [(price, size) for price, size in new if was.get(price) != size]


class Streams:
    """Changes in place."""

    def __init__(self, exchange: Exchange) -> None:
        """Listen to the exchange."""
        self._exchange = exchange
        self._subscribers: dict[Topic, list[Socket]] = {}
        self._views: dict[Topic, View] = {}
        self._words: dict[str, tuple[InstrumentDefined, PairWords]] = {}
        self._bests: dict[str, tuple[int, ...]] = {}
        exchange.listeners.append(self._hear)

    def leave(self, socket: Socket) -> None:
        """A client is gone."""
        for topic in list(self._subscribers):
            self.unsubscribe(socket, topic)

    def subscribe(self, socket: Socket, topic: Topic, *, snapshot: bool) -> None:
        """Tell a client what stands, and from now on what changes."""
        heard = self._subscribers.setdefault(topic, [])
        heard.append(socket)
        body = self._standing(topic)
        if snapshot and body is not None:
            self._send(topic, "snapshot", body, [socket])

    def subscribed(self, socket: Socket, topic: Topic) -> bool:
        """Whether it is told."""
        return socket in self._subscribers.get(topic, ())

    def unsubscribe(self, socket: Socket, topic: Topic) -> bool:
        """Tell no more; False where it was not told before."""
        heard = self._subscribers.get(topic, [])
        if socket not in heard:
            return False
        heard.remove(socket)
        if not heard:
            del self._subscribers[topic]
            self._views.pop(topic, None)
        return True

    def _words_of(self, listing: Listing) -> PairWords:
        symbol = names.symbol(listing.instrument)
        known = self._words.get(symbol)
        if known is None or known[0] is not listing.instrument:
            known = self._words[symbol] = listing.instrument, PairWords(listing.instrument)
        return known[1]

    def _standing(self, topic: Topic) -> Any:
        """What a snapshot says; None where there is nothing yet."""
        if topic.channel == "instrument":
            return self.instruments()
        listing = names.listing(self._exchange, topic.symbol)
        if topic.channel == "book":
            view = self._views.setdefault(topic, View(listing, topic.detail))
            return [self._book(listing, view.bids, view.asks, view, self._exchange.now())]
        if topic.channel == "trade":
            return [self._trade(listing, each) for each in list(listing.trades)[-TRADES:]]
        if topic.channel == "ticker":
            return [self._ticker(listing)] if listing.book.two_sided else None
        interval = Nanos(topic.detail * 60 * SECONDS)
        candles = list(listing.candles.of(interval))
        return [self._candle(listing, each, topic.detail) for each in candles] or None

    def _send(self, topic: Topic, kind: str, data: Any, sockets: Iterable[Socket]) -> None:
        frame: Payload = {"channel": topic.channel, "type": kind, "data": data}
        if topic.channel == "ohlc":
            frame["timestamp"] = moment(self._exchange.now())
        body = encode(frame)
        for socket in tuple(sockets):
            socket.send(topic.name, body)

    def _hear(self, listing: Listing, told: Told | Valued) -> None:
        symbol = names.symbol(listing.instrument)
        for topic, sockets in list(self._subscribers.items()):
            if topic.symbol != symbol:
                continue
            data = self._news(listing, topic, told)
            if data is not None:
                self._send(topic, "update", [data], sockets)
        if isinstance(told, BookDelta | BookSnapshot | QuoteUpdated):
            book = listing.book
            self._bests[symbol] = (book.bid, book.bid_size, book.ask, book.ask_size)

    def _news(self, listing: Listing, topic: Topic, told: Told | Valued) -> Payload | None:
        """What an event says on a channel, None for nothing."""
        match told:
            case BookDelta() if topic.channel == "book":
                view = self._views[topic]
                bids, asks = view.move()
                at = told.venue_time or told.received
                return self._book(listing, bids, asks, view, at) if bids or asks else None
            case BookSnapshot() if topic.channel == "book":
                view = self._views[topic] = View(listing, topic.detail)
                return self._book(listing, view.bids, view.asks, view, told.received)
            case TradePrinted() if topic.channel == "trade":
                return self._trade(listing, told)
            case TradePrinted() if topic.channel == "ohlc":
                candle = listing.candles.latest(Nanos(topic.detail * 60 * SECONDS))
                return None if candle is None else self._candle(listing, candle, topic.detail)
            case BookDelta() | QuoteUpdated() if topic.channel == "ticker":
                book = listing.book
                best = (book.bid, book.bid_size, book.ask, book.ask_size)
                changed = best != self._bests.get(topic.symbol) and book.two_sided
                return self._ticker(listing) if changed else None
        return None

    def _book(self, listing: Listing, bids: Rows, asks: Rows, view: View, at: int) -> Payload:
        words = self._words_of(listing)
        return {
            "symbol": names.symbol(listing.instrument),
            "bids": words.levels(bids),
            "asks": words.levels(asks),
            "checksum": words.checksum(view.bids, view.asks),
            "timestamp": moment(at),
        }

    def _trade(self, listing: Listing, trade: TradePrinted) -> Payload:
        words = self._words_of(listing)
        return {
            "symbol": names.symbol(listing.instrument),
            "side": "buy" if trade.aggressor is Side.BUY else "sell",
            "price": bare(words.price(trade.price)),
            "qty": bare(words.size(trade.size)),
            "ord_type": "limit",
            "trade_id": int(trade.trade_id) if trade.trade_id.isdecimal() else 0,
            "timestamp": moment(trade.venue_time or trade.received),
        }

    def _ticker(self, listing: Listing) -> Payload:
        words, book = self._words_of(listing), listing.book
        last = listing.trades[-1].price if listing.trades else book.bid
        prices = dict.fromkeys(("last", "vwap", "low", "high"), bare(words.price(last)))
        return {
            "symbol": names.symbol(listing.instrument),
            "bid": bare(words.price(book.bid)),
            "bid_qty": bare(words.size(book.bid_size)),
            "ask": bare(words.price(book.ask)),
            "ask_qty": bare(words.size(book.ask_size)),
            **prices,
            "volume": bare(words.size(sum(each.size for each in listing.trades))),
            "change": 0,
            "change_pct": 0,
        }

    def _candle(self, listing: Listing, candle: Candle, minutes: int) -> Payload:
        words = self._words_of(listing)
        mean = listing.instrument.price(candle.value) / max(1, candle.volume)
        names_and_prices = {
            "open": candle.open,
            "high": candle.high,
            "low": candle.low,
            "close": candle.close,
        }
        return {
            "symbol": names.symbol(listing.instrument),
            **{name: bare(words.price(price)) for name, price in names_and_prices.items()},
            "trades": candle.trades,
            "volume": bare(words.size(candle.volume)),
            "vwap": bare(money(mean, words.price_places)),
            "interval_begin": moment(candle.opened),
            "interval": minutes,
            "timestamp": moment(candle.opened + minutes * 60 * SECONDS),
        }

    def instruments(self) -> Payload:
        """Reference data of all pairs and assets."""
        listed = [each.instrument for each in self._exchange.listings.values()]
        assets = dict.fromkeys(asset for each in listed for asset in (each.base, each.quote))
        return {
            "assets": [
                {"id": asset, "status": "enabled", "precision": 10, "precision_display": 5}
                for asset in assets
            ],
            "pairs": [_reference(each) for each in listed],
        }


def _reference(instrument: InstrumentDefined) -> Payload:
    words = PairWords(instrument)
    return {
        "symbol": names.symbol(instrument),
        "base": instrument.base,
        "quote": instrument.quote,
        "status": "online",
        "qty_precision": words.size_places,
        "qty_increment": bare(words.size(instrument.size_step)),
        "price_precision": words.price_places,
        "cost_precision": 5,
        "marginable": False,
        "has_index": False,
        "cost_min": number(instrument.notional_min, 5),
        "price_increment": bare(words.price(1)),
        "tick_size": bare(words.price(1)),
        "qty_min": bare(words.size(instrument.size_min)),
    }


def welcome(socket: Socket) -> None:
    """A client is here: it is told how the venue is, and every second that it lives."""
    data = [{"system": "online", "api_version": "v2", "connection_id": id(socket)}]
    socket.send("status", encode({"channel": "status", "type": "update", "data": data}))
    beats = asyncio.create_task(_beat(socket))

    def ended(_socket: Socket) -> None:
        beats.cancel()

    socket.ended.append(ended)


async def _beat(socket: Socket) -> None:
    frame = encode({"channel": "heartbeat"})
    while True:
        await asyncio.sleep(HEARTBEAT)
        socket.send("heartbeat", frame)


def detail_of(channel: str, params: Payload) -> int | None:
    """The depth of a book or the minutes of a candle; None for one that is not offered."""
    if channel == "book":
        depth = params.get("depth", 10)
        return depth if depth in DEPTHS else None
    if channel == "ohlc":
        minutes = params.get("interval", 1)
        return minutes if minutes in INTERVALS else None
    return 0
