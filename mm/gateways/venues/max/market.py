"""MAX's public market data: which sockets to open, and what their frames say.

One socket carries books, trades, candles and states of up to `MARKETS_MAX` markets. A book that is
lost is subscribed to anew on the socket that stands, for the snapshot comes with the subscription.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from mm.errors import ConfigError, MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.units import SECONDS, InstrumentId, Nanos
from mm.events.vocabulary import Market
from mm.gateways.market_port import Connection, Frame, Renew, Request, Say
from mm.gateways.venues.max import listing, wire
from mm.gateways.venues.max.decoder import INTERVALS, MarketDecoder

MARKETS_MAX: Final = 40
DEPTH: Final = 50
SILENCE_MAX: Final = Nanos(60 * SECONDS)
LIFE_MAX: Final = Nanos(23 * 3_600 * SECONDS)
PING_EVERY: Final = Nanos(30 * SECONDS)
PING: Final = b'{"action":"ping"}'
"""Its answer is heard, so that a quiet market is not taken for a dead socket."""
CHANNELS: Final = ("book", "trades", "candles")
ACTIVE: Final = "active"
POLL: Final = "poll"


class MaxMarket:
    """The port of MAX's public side; the margin wallet is a venue of its own on the same data."""

    hosts = wire.HOSTS

    def __init__(
        self, venue: str = wire.VENUE, channels: Iterable[str] = (), interval: str = "1m"
    ) -> None:
        """Subscribe to `channels`, or to all that there are; raises `ConfigError`."""
        self.venue = venue
        self._channels = tuple(channels) or CHANNELS
        self._interval = interval
        for each in self._channels:
            if each not in CHANNELS:
                raise ConfigError(
                    f"{venue} has no channel {each}",
                    where="feed.channels",
                    remedy=f"choose of {', '.join(CHANNELS)}",
                )
        if interval not in INTERVALS:
            raise ConfigError(
                f"{interval!r} is no interval of candles at {venue}",
                where="feed.interval",
                remedy=f"choose one of {', '.join(INTERVALS)}",
            )

    def definitions(self) -> tuple[Request, ...]:
        """The list of all markets."""
        return (Request(channel="markets", url=f"{wire.REST}/api/v3/markets"),)

    def instruments(
        self, answers: tuple[Frame, ...], symbols: tuple[str, ...]
    ) -> tuple[InstrumentDefined, ...]:
        """The markets named, numbered from 1."""
        return listing.instruments(self.venue, answers, symbols)

    def closed(
        self, answers: tuple[Frame, ...], instruments: tuple[InstrumentDefined, ...]
    ) -> dict[InstrumentId, str]:
        """MAX says so on its sockets."""
        del answers, instruments
        return {}

    def polls(
        self, connection: Connection, instruments: tuple[InstrumentDefined, ...]
    ) -> tuple[Request, ...]:
        """Books, while a socket is away."""
        carried = set(connection.instruments)
        return tuple(
            Request(
                channel=f"{POLL}/depth/{each.symbol}",
                url=f"{wire.REST}/api/v3/depth?market={each.symbol}&limit={DEPTH}",
            )
            for each in instruments
            if each.instrument in carried
        )

    def connections(self, instruments: tuple[InstrumentDefined, ...]) -> tuple[Connection, ...]:
        """One socket for every `MARKETS_MAX` markets."""
        return tuple(
            Connection(
                channel=channel,
                url=wire.STREAM,
                hello=(self._hello([each.symbol for each in carried]),),
                silence_max=SILENCE_MAX,
                life_max=LIFE_MAX,
                ping=PING,
                ping_every=PING_EVERY,
                instruments=tuple(each.instrument for each in carried),
            )
            for channel, carried in _shared(instruments)
        )

    def _hello(self, symbols: list[str]) -> bytes:
        wanted: list[dict[str, Any]] = [{"channel": "market_status"}]
        for symbol in symbols:
            if "book" in self._channels:
                wanted.append(_book(symbol))
            if "trades" in self._channels:
                wanted.append({"channel": "trade", "market": symbol})
            if "candles" in self._channels:
                candles = {"channel": "kline", "market": symbol, "resolution": self._interval}
                wanted.append(candles)
        return msgspec.json.encode({"action": "sub", "subscriptions": wanted, "id": "hello"})

    def parser(self, instruments: tuple[InstrumentDefined, ...]) -> "MaxParser":
        """A parser that has heard nothing yet."""
        return MaxParser(instruments, books="book" in self._channels)


def _book(symbol: str) -> dict[str, Any]:
    return {"channel": "book", "market": symbol, "depth": DEPTH}


def _shared(
    instruments: tuple[InstrumentDefined, ...],
) -> list[tuple[str, tuple[InstrumentDefined, ...]]]:
    """Which channel carries which markets."""
    return [
        (f"public-{start // MARKETS_MAX + 1}", instruments[start : start + MARKETS_MAX])
        for start in range(0, len(instruments), MARKETS_MAX)
    ]


class MaxParser:
    """Frames of all connections in, facts out."""

    def __init__(self, instruments: tuple[InstrumentDefined, ...], *, books: bool = True) -> None:
        """Parse for these markets; without `books` none is asked for."""
        self._books = books
        self._carried = {
            channel: {each.symbol: MarketDecoder(each) for each in carried}
            for channel, carried in _shared(instruments)
        }

    def parse(self, frame: Frame) -> list[Market]:
        """The facts of a frame; raises `BadInput` and is then as it was before."""
        if frame.channel.startswith(f"{POLL}/depth/"):
            return self._polled(frame)
        received, carried = frame.received, self._of(frame.channel)
        match wire.read(frame.body):
            case wire.Book() as book if book.M in carried:
                return carried[book.M].book(received, book)
            case wire.Trades() as trades if trades.M in carried:
                return carried[trades.M].trades(received, trades)
            case wire.Candle() as candle if candle.M in carried:
                return carried[candle.M].candle(received, candle.k)
            case wire.Statuses(ms=rows):
                return [fact for row in rows for fact in self._state(frame, carried, row)]
            case wire.Reply(e="error", E=errors):
                return self._refused(frame, carried, "; ".join(errors))
            case _:
                return []  # An answer, a day's figures, or a market that is not ours.

    def _of(self, channel: str) -> dict[str, MarketDecoder]:
        carried = self._carried.get(channel.removeprefix(f"{POLL}/"))
        if carried is None:
            raise MalformedLine(f"a frame of an unknown channel {channel!r}", remedy=wire.COMPARE)
        return carried

    def _polled(self, frame: Frame) -> list[Market]:
        symbol = frame.channel.rpartition("/")[2]
        for carried in self._carried.values():
            if symbol in carried:
                return carried[symbol].polled(frame.received, wire.depth(frame.body))
        raise MalformedLine(f"a book of an unknown market {symbol!r}", remedy=wire.COMPARE)

    @staticmethod
    def _state(
        frame: Frame, carried: dict[str, MarketDecoder], row: wire.StatusRow
    ) -> list[Market]:
        """A market that takes no orders is a feed that is down."""
        decoder = carried.get(row.M)
        if decoder is None:
            return []
        if row.st != ACTIVE:
            reason = f"the market is {row.st[:40]}"
            return decoder.end(frame.received, frame.channel, reason, closed=True)
        return decoder.begin(frame.received, frame.channel, heard=False) if decoder.closed else []

    @staticmethod
    def _refused(frame: Frame, carried: dict[str, MarketDecoder], why: str) -> list[Market]:
        """What we said was refused: whose subscription it was nobody says."""
        lost = (each.lose(frame.received, why[:200]) for each in carried.values())
        return [fact for facts in lost for fact in facts]

    def connected(self, channel: str, received: Nanos) -> list[Market]:
        """A connection stands; its books come with the snapshots that were subscribed to."""
        return self._all(channel, lambda each: each.begin(received, channel))

    def disconnected(self, channel: str, received: Nanos, reason: str) -> list[Market]:
        """It stands no more."""
        return self._all(channel, lambda each: each.end(received, channel, reason))

    def missed(self, channel: str, received: Nanos, reason: str) -> list[Market]:
        """A frame was refused: it may have been any book's of the connection."""
        return self._all(channel, lambda each: each.lose(received, reason))

    def _all(self, channel: str, do: Callable[[MarketDecoder], list[Market]]) -> list[Market]:
        return [fact for each in self._of(channel).values() for fact in do(each)]

    def wants(self, received: Nanos) -> list[Request | Say | Renew]:
        """New subscriptions to the books that were lost."""
        said: list[Request | Say | Renew] = []
        for channel, carried in self._carried.items() if self._books else ():
            books = [_book(symbol) for symbol, each in carried.items() if each.asks(received)]
            if books:
                for action, key in (("unsub", "subscription"), ("sub", "subscriptions")):
                    text = msgspec.json.encode({"action": action, key: books})
                    said.append(Say(channel=channel, text=text))
        return said
