"""Market streams: who has subscribed to what, and each event worded once for all of them.

Depth is gathered for the time that a stream's speed says, as the venue does, so that a client sees
what it would see there; `@0ms` passes every change as it comes.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from mm.emulator.candles import Candle
from mm.emulator.exchange import Exchange, Listing, Told, Valued
from mm.emulator.sockets import Socket
from mm.events.market import (
    BookDelta,
    FundingPublished,
    IndexPublished,
    MarkPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import MILLIS, SECONDS, Nanos

INTERVALS: Final = {
    name: Nanos(minutes * 60 * SECONDS)
    for name, minutes in (
        *(("1m", 1), ("3m", 3), ("5m", 5), ("15m", 15), ("30m", 30), ("1h", 60), ("2h", 120)),
        *(("4h", 240), ("6h", 360), ("8h", 480), ("12h", 720), ("1d", 1440)),
    )
}
KLINE_EVERY: Final = Nanos(250 * MILLIS)
EARLY: Final = 0.8
"""Share of its time after which a gathered depth may go: events come unevenly."""

Payload = dict[str, Any]
encode: Final = msgspec.json.encode


class Wording(Protocol):
    """How a market's events are written."""

    @property
    def depth_speeds(self) -> dict[str, Nanos]:
        """The time that depth is gathered for, by the end of a stream's name."""
        ...

    def depth(self, listing: Listing, delta: BookDelta) -> Payload:
        """A change of the book."""
        ...

    def partial(self, listing: Listing, levels: int, at: Nanos) -> Payload:
        """The best levels."""
        ...

    def quote(self, listing: Listing, quote: QuoteUpdated) -> Payload:
        """The best bid and offer."""
        ...

    def trade(self, listing: Listing, trade: TradePrinted) -> Payload:
        """A trade."""
        ...

    def aggregate(self, listing: Listing, trade: TradePrinted) -> Payload:
        """A trade among those of one taker."""
        ...

    def kline(
        self, listing: Listing, name: str, candle: Candle, at: Nanos, *, closed: bool
    ) -> Payload:
        """A candle."""
        ...

    def day(self, listing: Listing, at: Nanos, *, mini: bool) -> Payload:
        """The last 24 hours."""
        ...

    def mark(self, listing: Listing, at: Nanos) -> Payload | None:
        """Mark, index and funding; None where there are none."""
        ...


class Subscriber(NamedTuple):
    """A socket, and whether its events are wrapped with the stream's name."""

    socket: Socket
    combined: bool


class _Gathered:
    """Depth of one stream on its way."""

    def __init__(self) -> None:
        self.delta: BookDelta | None = None
        self.told = Nanos(0)
        self.timer: asyncio.TimerHandle | None = None

    def add(self, delta: BookDelta) -> None:
        held = self.delta
        if held is None:
            self.delta = delta
            return
        self.delta = msgspec.structs.replace(
            delta,
            first=held.first,
            previous=held.previous,
            bids=_merged(held.bids, delta.bids),
            asks=_merged(held.asks, delta.asks),
        )


def _merged(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
    levels = dict(zip(before[::2], before[1::2], strict=True))
    levels |= dict(zip(after[::2], after[1::2], strict=True))
    return tuple(number for level in levels.items() for number in level)


class Streams:
    """Changes in place."""

    def __init__(self, exchange: Exchange, wording: Wording) -> None:
        """Listen to the exchange."""
        self._exchange = exchange
        self._wording = wording
        self._subscribers: dict[str, dict[Socket, Subscriber]] = {}
        self._gathered: dict[str, _Gathered] = {}
        self._candles: dict[str, tuple[Nanos, Nanos]] = {}
        self._days_told: dict[str, Nanos] = {}
        exchange.listeners.append(self._hear)

    def subscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        """From now on a socket is told these."""
        for name in names:
            self._subscribers.setdefault(name, {})[subscriber.socket] = subscriber

    def unsubscribe(self, socket: Socket, names: Iterable[str]) -> None:
        """It is not told these any more."""
        for name in names:
            found = self._subscribers.get(name)
            if found is not None:
                found.pop(socket, None)
                if not found:
                    del self._subscribers[name]

    def of(self, socket: Socket) -> list[str]:
        """What a socket is told."""
        return [name for name, found in self._subscribers.items() if socket in found]

    def leave(self, socket: Socket) -> None:
        """A socket is gone."""
        self.unsubscribe(socket, self.of(socket))

    def _hear(self, listing: Listing, fact: Told | Valued) -> None:
        if not self._subscribers:
            return
        symbol = listing.instrument.symbol.lower()
        match fact:
            case BookDelta():
                self._depth(listing, symbol, fact)
            case QuoteUpdated():
                names = (f"{symbol}@bookTicker", "!bookTicker")
                self._tell(names, lambda: self._wording.quote(listing, fact))
            case TradePrinted():
                self._tell((f"{symbol}@trade",), lambda: self._wording.trade(listing, fact))
                self._tell((f"{symbol}@aggTrade",), lambda: self._wording.aggregate(listing, fact))
                self._klines(listing, symbol, fact)
                self._days(listing, symbol, fact)
            case MarkPublished() | IndexPublished() | FundingPublished():
                if isinstance(fact, MarkPublished):
                    names = (f"{symbol}@markPrice@1s", f"{symbol}@markPrice")
                    self._tell(names, lambda: self._wording.mark(listing, fact.received))
            case _:
                pass  # The first snapshot: whoever subscribes asks for it over REST.

    def _tell(self, names: Iterable[str], word: Callable[[], Payload | None]) -> None:
        encoded: bytes | None = None
        for name in names:
            subscribers = self._subscribers.get(name)
            if not subscribers:
                continue
            if encoded is None:
                payload = word()
                if payload is None:
                    return
                encoded = encode(payload)
            wrapped = b'{"stream":"' + name.encode() + b'","data":' + encoded + b"}"
            for subscriber in tuple(subscribers.values()):
                subscriber.socket.send(name, wrapped if subscriber.combined else encoded)

    def _depth(self, listing: Listing, symbol: str, delta: BookDelta) -> None:
        for ending, interval in self._wording.depth_speeds.items():
            name = f"{symbol}@depth{ending}"
            if name in self._subscribers:
                self._gather(listing, name, interval, delta)
            else:
                self._gathered.pop(name, None)
            for levels in (5, 10, 20):
                part = f"{symbol}@depth{levels}{ending}"
                word = partial(self._wording.partial, listing, levels, delta.received)
                self._tell((part,), word)

    def _gather(self, listing: Listing, name: str, interval: Nanos, delta: BookDelta) -> None:
        held = self._gathered.setdefault(name, _Gathered())
        held.add(delta)
        if held.timer is not None:
            return
        stamp = delta.venue_time or delta.received
        left = int(interval * EARLY / self._exchange.speed) - (stamp - held.told)
        if left <= 0:
            self._flush(listing, name, held)
        else:
            loop = asyncio.get_running_loop()
            held.timer = loop.call_later(left / SECONDS, self._flush, listing, name, held)

    def _flush(self, listing: Listing, name: str, held: _Gathered) -> None:
        delta, held.delta = held.delta, None
        held.timer = None
        assert delta is not None, "it is flushed because something was gathered"
        held.told = delta.venue_time or delta.received
        self._tell((name,), lambda: self._wording.depth(listing, delta))

    def _days(self, listing: Listing, symbol: str, trade: TradePrinted) -> None:
        for ending, mini in (("ticker", False), ("miniTicker", True)):
            name, at = f"{symbol}@{ending}", trade.received
            if name in self._subscribers and at - self._days_told.get(name, 0) >= SECONDS:
                self._days_told[name] = at
                self._tell((name,), partial(self._wording.day, listing, at, mini=mini))

    def _klines(self, listing: Listing, symbol: str, trade: TradePrinted) -> None:
        for interval_name, interval in INTERVALS.items():
            name = f"{symbol}@kline_{interval_name}"
            if name not in self._subscribers:
                self._candles.pop(name, None)
                continue
            candle = listing.candles.latest(interval)
            assert candle is not None, "it has this trade"
            opened, told = self._candles.get(name, (candle.opened, Nanos(0)))
            at = trade.received
            if opened != candle.opened:
                finished = [c for c in listing.candles.of(interval) if c.opened == opened]
                for each in finished:
                    self._kline(listing, name, interval_name, each, at, closed=True)
                told = Nanos(0)
            if at - told >= KLINE_EVERY:
                self._kline(listing, name, interval_name, candle, at, closed=False)
                told = at
            self._candles[name] = (candle.opened, told)

    def _kline(
        self,
        listing: Listing,
        name: str,
        interval: str,
        candle: Candle,
        at: Nanos,
        *,
        closed: bool,
    ) -> None:
        def word() -> Payload:
            return self._wording.kline(listing, interval, candle, at, closed=closed)

        self._tell((name,), word)
