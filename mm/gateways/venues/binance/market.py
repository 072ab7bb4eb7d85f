"""Binance's public market data: which sockets to open, and what their frames say.

Streams are named in the address, so that a socket hears everything from its first moment and
nothing has to be said on it. Futures have two sorts of socket, one for books and trades and one for
the rest. A book's snapshot is asked for over REST once a first update waits for it.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from mm.errors import ConfigError, MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.units import SECONDS, InstrumentId, Nanos
from mm.events.vocabulary import Market
from mm.gateways import binance_wire
from mm.gateways.binance_raw import SPOT, USDM, Handler, MarketRules
from mm.gateways.market_port import Connection, Frame, Renew, Request, Say
from mm.gateways.venues.binance import listing, wire
from mm.gateways.venues.binance.decoder import INTERVALS, InstrumentDecoder

INSTRUMENTS_MAX: Final = 40
"""Instruments of one socket: 200 streams in one address."""
SILENCE_MAX: Final = Nanos(60 * SECONDS)
LIFE_MAX: Final = Nanos(23 * 3_600 * SECONDS)
DEPTH: Final = 1_000
POLLED_DEPTH: Final = 100
POLL: Final = "poll"
SHUTDOWN: Final = "serverShutdown"

_frame: Final = binance_wire.reader(binance_wire.Frame)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One of Binance's markets: its rules, where it is, and what questions weigh there.

    `sockets` is by sort: the path of their address, and the channels that come over them.
    """

    rules: MarketRules
    rest: str
    stream: str
    sockets: dict[str, tuple[str, tuple[str, ...]]]
    list_weight: int
    depth_weight: int
    polled_weight: int
    quote_weight: int


PLACES: Final = {
    SPOT.venue: Place(
        rules=SPOT,
        rest="https://api.binance.com/api/v3",
        stream="wss://stream.binance.com:9443",
        sockets={"public": ("", ("book", "quotes", "trades", "fills", "candles"))},
        list_weight=20,
        depth_weight=50,
        polled_weight=5,
        quote_weight=2,
    ),
    USDM.venue: Place(
        rules=USDM,
        rest="https://fapi.binance.com/fapi/v1",
        stream="wss://fstream.binance.com",
        sockets={
            "public": ("/public", ("book", "quotes", "fills")),
            "market": ("/market", ("trades", "marks", "candles")),
        },
        list_weight=1,
        depth_weight=20,
        polled_weight=5,
        quote_weight=2,
    ),
}
STREAMS: Final = {
    "book": "depth@100ms",
    "quotes": "bookTicker",
    "trades": "aggTrade",
    "fills": "trade",
    "marks": "markPrice@1s",
}
"""By channel; a candle's stream names its interval. `fills` are trades one by one."""
CHANNELS: Final = (*STREAMS, "candles")


class BinanceMarket:
    """The port of the public side of one of `PLACES`."""

    def __init__(
        self, venue: str, channels: Iterable[str] = (), interval: str = "1m", *, audit: bool = True
    ) -> None:
        """Subscribe to `channels`, or to all that there are; raises `ConfigError`."""
        self.venue = venue
        self._place = PLACES[venue]
        offered = {each for _, carried in self._place.sockets.values() for each in carried}
        self._channels = tuple(channels) or tuple(
            each for each in CHANNELS if each in offered and each != "fills"
        )
        for each in self._channels:
            if each not in offered:
                raise ConfigError(
                    f"{venue} has no channel {each}",
                    where="feed.channels",
                    remedy=f"choose of {', '.join(each for each in CHANNELS if each in offered)}",
                )
        if interval not in INTERVALS:
            raise ConfigError(
                f"{interval!r} is no interval of candles",
                where="feed.interval",
                remedy=f"choose one of {', '.join(INTERVALS)}",
            )
        if {"trades", "fills"} <= set(self._channels):
            raise ConfigError(
                "trades and fills are the same trades twice",
                where="feed.channels",
                remedy="leave one of them out",
            )
        self._interval = interval
        self._audit = audit

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host it talks to."""
        urls = (self._place.rest, self._place.stream)
        return tuple(url.split("/")[2].partition(":")[0] for url in urls)

    def definitions(self) -> tuple[Request, ...]:
        """The list of all instruments."""
        place = self._place
        return (
            Request(
                channel="definitions", url=f"{place.rest}/exchangeInfo", weight=place.list_weight
            ),
        )

    def instruments(
        self, answers: tuple[Frame, ...], symbols: tuple[str, ...]
    ) -> tuple[InstrumentDefined, ...]:
        """The instruments named, numbered from 1."""
        return listing.instruments(answers, symbols, self._place.rules)

    def closed(
        self, answers: tuple[Frame, ...], instruments: tuple[InstrumentDefined, ...]
    ) -> dict[InstrumentId, str]:
        """Why instruments have no market now."""
        return listing.closed(answers, instruments)

    def connections(self, instruments: tuple[InstrumentDefined, ...]) -> tuple[Connection, ...]:
        """Sockets of each sort that carries something, `INSTRUMENTS_MAX` to each."""
        found = []
        for sort, (path, carried) in self._place.sockets.items():
            streams = [self._stream(each) for each in self._channels if each in carried]
            for first in range(0, len(instruments) if streams else 0, INSTRUMENTS_MAX):
                some = instruments[first : first + INSTRUMENTS_MAX]
                names = [f"{each.symbol.lower()}@{name}" for each in some for name in streams]
                found.append(
                    Connection(
                        channel=f"{sort}-{first // INSTRUMENTS_MAX + 1}",
                        url=f"{self._place.stream}{path}/stream?streams={'/'.join(names)}",
                        hello=(),
                        silence_max=SILENCE_MAX,
                        life_max=LIFE_MAX,
                        instruments=tuple(each.instrument for each in some),
                    )
                )
        return tuple(found)

    def _stream(self, channel: str) -> str:
        return STREAMS.get(channel) or f"kline_{self._interval}"

    def polls(
        self, connection: Connection, instruments: tuple[InstrumentDefined, ...]
    ) -> tuple[Request, ...]:
        """What to ask again and again while a socket is away: books and best prices."""
        if not connection.channel.startswith("public"):
            return ()
        place, carried = self._place, set(connection.instruments)
        return tuple(
            request
            for each in instruments
            if each.instrument in carried
            for request in (
                Request(
                    channel=f"{POLL}/depth/{each.symbol}",
                    url=f"{place.rest}/depth?symbol={each.symbol}&limit={POLLED_DEPTH}",
                    weight=place.polled_weight,
                ),
                Request(
                    channel=f"{POLL}/quote/{each.symbol}",
                    url=f"{place.rest}/ticker/bookTicker?symbol={each.symbol}",
                    weight=place.quote_weight,
                ),
            )
        )

    def parser(self, instruments: tuple[InstrumentDefined, ...]) -> "BinanceParser":
        """A parser that has heard nothing yet."""
        carried = {each.channel: each.instruments for each in self.connections(instruments)}
        return BinanceParser(self._place, instruments, carried, audit=self._audit)


class BinanceParser:
    """Frames of all connections and answers in, facts out."""

    def __init__(
        self,
        place: Place,
        instruments: tuple[InstrumentDefined, ...],
        carried: dict[str, tuple[InstrumentId, ...]],
        *,
        audit: bool = True,
    ) -> None:
        """Parse for these instruments; `carried` is by the channel of a connection."""
        self._place = place
        self.decoders = {
            each.symbol: InstrumentDecoder(each, audited=audit) for each in instruments
        }
        by_number = {each.definition.instrument: each for each in self.decoders.values()}
        self._carried = {
            channel: [by_number[number] for number in numbers]
            for channel, numbers in carried.items()
        }
        self._routes: dict[str, tuple[InstrumentDecoder, Handler]] = {}
        self._suspect: InstrumentDecoder | None = None
        self._renew: list[str] = []

    def parse(self, frame: Frame) -> list[Market]:
        """The facts of a frame; raises `BadInput` and is then as it was before."""
        self._suspect = None
        try:
            if frame.channel in self._carried:
                return self._said(frame)
            return self._answered(frame)
        except binance_wire.UNREADABLE as error:
            raise binance_wire.unreadable(error) from error

    def _said(self, frame: Frame) -> list[Market]:
        said = _frame(frame.body)
        if not said.stream:
            return self._aside(frame)
        route = self._routes.get(said.stream) or self._route(said.stream)
        self._suspect, handler = route
        facts = self._suspect.hear(handler, said.data, frame.received)
        self._suspect = None
        return facts

    def _aside(self, frame: Frame) -> list[Market]:
        """Said outside any stream: that the venue will close the socket, or something unknown."""
        if wire.unwrapped(frame.body).e != SHUTDOWN:
            raise MalformedLine("a frame of no stream", remedy=binance_wire.COMPARE)
        self._renew.append(frame.channel)
        return []

    def _route(self, stream: str) -> tuple[InstrumentDecoder, Handler]:
        symbol, _, channel = stream.partition("@")
        decoder = self.decoders.get(symbol.upper())
        kind = channel.partition("@")[0].partition("_")[0]
        handler = decoder.handlers.get(kind) if decoder is not None else None
        if decoder is None or handler is None:
            raise MalformedLine(f"unknown stream {stream[:80]!r}", remedy=binance_wire.COMPARE)
        self._routes[stream] = decoder, handler
        return decoder, handler

    def _answered(self, frame: Frame) -> list[Market]:
        what, _, symbol = frame.channel.rpartition("/")
        decoder = self.decoders.get(symbol)
        readers = (
            {}
            if decoder is None
            else {
                "depth": decoder.snapshot,
                f"{POLL}/depth": decoder.polled_book,
                f"{POLL}/quote": decoder.polled_quote,
            }
        )
        reader = readers.get(what)
        if reader is None:
            raise MalformedLine(f"a frame of an unknown channel {frame.channel[:80]!r}")
        self._suspect = decoder
        facts = reader(frame.body, frame.received)
        self._suspect = None
        return facts

    def _of(self, channel: str) -> list[InstrumentDecoder]:
        """Whom a connection carries, polled or not."""
        return self._carried.get(channel.removeprefix(f"{POLL}/"), [])

    def connected(self, channel: str, received: Nanos) -> list[Market]:
        """A connection stands."""
        return [fact for each in self._of(channel) for fact in each.begin(received, channel)]

    def disconnected(self, channel: str, received: Nanos, reason: str) -> list[Market]:
        """It stands no more."""
        return [fact for each in self._of(channel) for fact in each.end(received, channel, reason)]

    def missed(self, channel: str, received: Nanos, reason: str) -> list[Market]:
        """A frame was refused or dropped; where it is known whose it was, only that is lost."""
        suspect, self._suspect = self._suspect, None
        lost = self._of(channel) if suspect is None else [suspect]
        return [fact for each in lost for fact in each.lose(received, reason)]

    def wants(self, received: Nanos) -> list[Request | Say | Renew]:
        """Snapshots of the books that wait for one, and sockets that will be closed."""
        place = self._place
        wanted: list[Request | Say | Renew] = [
            Request(
                channel=f"depth/{symbol}",
                url=f"{place.rest}/depth?symbol={symbol}&limit={DEPTH}",
                weight=place.depth_weight,
            )
            for symbol, decoder in self.decoders.items()
            if decoder.asks(received)
        ]
        wanted += [Renew(channel=channel) for channel in self._renew]
        self._renew.clear()
        return wanted
