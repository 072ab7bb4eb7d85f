"""MAX's public channels: who has subscribed to what, and each change worded once for all.

A book is told as deep as it is subscribed to. Its changes carry the first and the last update that
they cover, without a hole, and the version of the book.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from mm.emulator.binance.digits import Digits
from mm.emulator.candles import Candle
from mm.emulator.exchange import Exchange, Listing, Told, Valued
from mm.emulator.max.calls import listing, market, millis
from mm.emulator.max.described import Payload, encode
from mm.emulator.max.public import ACTIVE, bare, minimum, precision
from mm.emulator.max.refusals import Refused
from mm.emulator.sockets import Socket
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta, BookSnapshot, TradePrinted
from mm.events.units import SECONDS, Nanos, Side

DEPTHS: Final = (1, 5, 10, 20, 50)
CHANNELS: Final = ("book", "trade", "ticker", "kline", "market_status")
RESOLUTIONS: Final = dict(
    zip(
        ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"),
        (1, 5, 15, 30, 60, 120, 240, 360, 720, 1_440),
        strict=True,
    )
)
"""Minutes of a candle, by what it is called."""
TRADES: Final = 50
"""Trades in a snapshot."""
Rows = list[tuple[int, int]]


class Topic(NamedTuple):
    """What can be subscribed to; `detail` is a book's depth or a candle's resolution."""

    channel: str
    market: str = ""
    detail: int | str = ""

    @property
    def name(self) -> str:
        """For faults to name it by."""
        return f"{self.channel}:{self.market}:{self.detail}"


def topic_of(asked: Any) -> Topic | None:
    """What a subscription asks for; None for something that is not offered."""
    if not isinstance(asked, dict) or asked.get("channel") not in CHANNELS:
        return None
    channel, name = asked["channel"], asked.get("market", "")
    if channel == "market_status":
        return Topic(channel)
    if channel == "book":
        depth = asked.get("depth", 50)
        return Topic(channel, name, depth) if depth in DEPTHS else None
    if channel == "kline":
        resolution = asked.get("resolution", "1m")
        return Topic(channel, name, resolution) if resolution in RESOLUTIONS else None
    return Topic(channel, name)


class View:
    """A book as deep as somebody sees it; changes in place."""

    def __init__(self, found: Listing, depth: int) -> None:
        """Begin with what stands."""
        self._listing = found
        self._depth = depth
        self.last = found.book.sequence
        self.bids: Rows = found.book.bids(depth)
        self.asks: Rows = found.book.asks(depth)

    def move(self) -> tuple[Rows, Rows]:
        """What changed since the last time, levels that went out of view among it."""
        book = self._listing.book
        bids, asks = book.bids(self._depth), book.asks(self._depth)
        changes = _changes(self.bids, bids), _changes(self.asks, asks)
        self.bids, self.asks = bids, asks
        return changes


def _changes(old: Rows, new: Rows) -> Rows:
    was, will = dict(old), dict(new)
    gone = [(price, 0) for price in was if price not in will]
    return gone + [(price, size) for price, size in new if was.get(price) != size]


class Streams:
    """Changes in place."""

    def __init__(self, exchange: Exchange) -> None:
        """Listen to the exchange; books are of the version of this moment."""
        self._exchange = exchange
        self.version = millis(exchange.now())
        self._subscribers: dict[Topic, list[Socket]] = {}
        self._views: dict[Topic, View] = {}
        self._candles: dict[Topic, Candle] = {}
        exchange.listeners.append(self._hear)

    def leave(self, socket: Socket) -> None:
        """A client is gone."""
        for topic in list(self._subscribers):
            self.unsubscribe(socket, topic)

    def known(self, topic: Topic) -> bool:
        """Whether its market is listed."""
        try:
            return not topic.market or bool(listing(self._exchange, topic.market))
        except Refused:
            return False

    def subscribe(self, socket: Socket, topic: Topic) -> None:
        """Tell a client what stands, and from now on what changes."""
        heard = self._subscribers.setdefault(topic, [])
        if socket not in heard:
            heard.append(socket)
        body = self._standing(topic)
        if body is not None:
            self._send(topic, "snapshot", body, [socket])

    def unsubscribe(self, socket: Socket, topic: Topic) -> None:
        """Tell no more."""
        heard = self._subscribers.get(topic, [])
        if socket in heard:
            heard.remove(socket)
        if not heard:
            self._subscribers.pop(topic, None)
            self._views.pop(topic, None)
            self._candles.pop(topic, None)

    def _send(self, topic: Topic, event: str, body: Payload, sockets: Iterable[Socket]) -> None:
        frame: Payload = {"c": topic.channel, "e": event}
        if topic.market:
            frame["M"] = topic.market
        said = encode({**frame, **body, "T": millis(self._exchange.now())})
        for socket in tuple(sockets):
            socket.send(topic.name, said)

    def _standing(self, topic: Topic) -> Payload | None:
        """What a snapshot says; None where there is nothing yet."""
        if topic.channel == "market_status":
            listed = self._exchange.listings.values()
            return {"ms": [_status(each.instrument) for each in listed]}
        found = listing(self._exchange, topic.market)
        digits = Digits(found.instrument, None)
        if topic.channel == "book":
            view = self._views.get(topic)
            if view is None:
                view = self._views[topic] = View(found, int(topic.detail))
            return self._book(digits, view.bids, view.asks, view.last, view.last)
        if topic.channel == "trade":
            return {"t": [_trade(digits, each) for each in list(found.trades)[-TRADES:]]}
        if topic.channel == "ticker":
            return _ticker(digits, found)
        candle = found.candles.latest(_interval(topic))
        if candle is None:
            return None
        self._candles[topic] = candle
        return {"k": _candle(digits, candle, topic, over=False)}

    def _hear(self, found: Listing, told: Told | Valued) -> None:
        name = market(found.instrument)
        for topic, sockets in list(self._subscribers.items()):
            if topic.market == name:
                for body in self._news(found, topic, told):
                    self._send(topic, "update", body, sockets)

    def _news(self, found: Listing, topic: Topic, told: Told | Valued) -> list[Payload]:
        """What an event says on a channel."""
        digits = Digits(found.instrument, None)
        match told:
            case BookDelta() | BookSnapshot() if topic.channel == "book":
                return self._moved(digits, topic, told)
            case TradePrinted() if topic.channel == "trade":
                return [{"t": [_trade(digits, told)]}]
            case TradePrinted() if topic.channel == "ticker":
                return [_ticker(digits, found)]
            case TradePrinted() if topic.channel == "kline":
                return self._candle_news(digits, found, topic)
        return []

    def _moved(self, digits: Digits, topic: Topic, told: BookDelta | BookSnapshot) -> list[Payload]:
        view = self._views[topic]
        bids, asks = view.move()
        if not bids and not asks:
            return []
        first = view.last + 1
        view.last = told.last if isinstance(told, BookDelta) else max(first, told.sequence)
        return [self._book(digits, bids, asks, first, view.last)]

    def _book(self, digits: Digits, bids: Rows, asks: Rows, first: int, last: int) -> Payload:
        return {
            "a": digits.levels(asks),
            "b": digits.levels(bids),
            "fi": first,
            "li": last,
            "v": self.version,
        }

    def _candle_news(self, digits: Digits, found: Listing, topic: Topic) -> list[Payload]:
        """The candle under way, after the end of the one before it."""
        candle, before = found.candles.latest(_interval(topic)), self._candles.get(topic)
        if candle is None:
            return []
        self._candles[topic] = candle
        news = []
        if before is not None and before.opened != candle.opened:
            news.append({"k": _candle(digits, before, topic, over=True)})
        return [*news, {"k": _candle(digits, candle, topic, over=False)}]


def _interval(topic: Topic) -> Nanos:
    return Nanos(RESOLUTIONS[str(topic.detail)] * 60 * SECONDS)


def _trade(digits: Digits, trade: TradePrinted) -> Payload:
    return {
        "p": digits.price(trade.price),
        "v": digits.size(trade.size),
        "T": millis(trade.venue_time or trade.received),
        "tr": "up" if trade.aggressor is Side.BUY else "down",
        "rpi": False,
    }


def _ticker(digits: Digits, found: Listing) -> Payload:
    prices = [each.price for each in found.trades] or [found.book.bid]
    return {
        "tk": {
            "M": market(found.instrument),
            "O": digits.price(prices[0]),
            "H": digits.price(max(prices)),
            "L": digits.price(min(prices)),
            "C": digits.price(prices[-1]),
            "v": digits.size(sum(each.size for each in found.trades)),
            "V": "0.0",
        }
    }


def _candle(digits: Digits, candle: Candle, topic: Topic, *, over: bool) -> Payload:
    span = _interval(topic)
    return {
        "ST": millis(candle.opened),
        "ET": millis(candle.opened + span) - 1,
        "M": topic.market,
        "R": topic.detail,
        "O": digits.price(candle.open),
        "H": digits.price(candle.high),
        "L": digits.price(candle.low),
        "C": digits.price(candle.close),
        "v": digits.size(candle.volume),
        "ti": int(candle.last) if candle.last.isdecimal() else 0,
        "x": over,
    }


def _status(instrument: InstrumentDefined) -> Payload:
    return {
        "M": market(instrument),
        "st": ACTIVE,
        "bu": instrument.base.lower(),
        "bup": precision(instrument.size(instrument.size_step)),
        "mba": minimum(instrument),
        "qu": instrument.quote.lower(),
        "qup": precision(instrument.tick_size),
        "mqa": bare(instrument.notional_min),
        "mws": True,
        "gs": False,
        "gsm": "",
        "ds": False,
    }
