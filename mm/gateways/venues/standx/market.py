"""StandX's public market data: which socket to open, and what its frames say.

Books, prices and trades of all symbols come over one socket. A book needs no snapshot over REST,
for each of its frames is one; the rate of the next funding is asked for every minute.
"""

from typing import Final

import msgspec

from mm.errors import MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.units import SECONDS, InstrumentId, Nanos
from mm.events.vocabulary import Market
from mm.gateways.market_port import Connection, Frame, Renew, Request, Say
from mm.gateways.venues.standx import listing, wire
from mm.gateways.venues.standx.decoder import SymbolDecoder

REST: Final = "https://perps.standx.com/api"
STREAM: Final = "wss://perps.standx.com/ws-stream/v1"
HOSTS: Final = ("perps.standx.com",)
CHANNEL: Final = "public"
CHANNELS: Final = ("depth_book", "price", "public_trade")
POLL: Final = "poll"
SILENCE_MAX: Final = Nanos(30 * SECONDS)
LIFE_MAX: Final = Nanos(23 * 3_600 * SECONDS)
"""The venue ends a socket after a day."""


class StandxMarket:
    """The port of StandX's public side."""

    venue = listing.VENUE
    hosts = HOSTS

    def definitions(self) -> tuple[Request, ...]:
        """The list of all symbols."""
        return (Request(channel="symbols", url=f"{REST}/query_symbol_info"),)

    def instruments(
        self, answers: tuple[Frame, ...], symbols: tuple[str, ...]
    ) -> tuple[InstrumentDefined, ...]:
        """The instruments named, numbered from 1."""
        return listing.instruments(answers, symbols)

    def closed(
        self, answers: tuple[Frame, ...], instruments: tuple[InstrumentDefined, ...]
    ) -> dict[InstrumentId, str]:
        """Why instruments have no market now."""
        return listing.closed(answers, instruments)

    def polls(
        self, connection: Connection, instruments: tuple[InstrumentDefined, ...]
    ) -> tuple[Request, ...]:
        """Books, while the socket is away."""
        del connection
        return tuple(
            Request(
                channel=f"{POLL}/book/{each.symbol}",
                url=f"{REST}/query_depth_book?symbol={each.symbol}",
            )
            for each in instruments
        )

    def connections(self, instruments: tuple[InstrumentDefined, ...]) -> tuple[Connection, ...]:
        """One socket for all."""
        hello = [
            msgspec.json.encode({"subscribe": {"channel": channel, "symbol": each.symbol}})
            for each in instruments
            for channel in CHANNELS
        ]
        return (
            Connection(
                channel=CHANNEL,
                url=STREAM,
                hello=tuple(hello),
                silence_max=SILENCE_MAX,
                life_max=LIFE_MAX,
                instruments=tuple(each.instrument for each in instruments),
            ),
        )

    def parser(self, instruments: tuple[InstrumentDefined, ...]) -> "StandxParser":
        """A parser that has heard nothing yet."""
        return StandxParser(instruments)


class StandxParser:
    """Frames of the socket and answers in, facts out."""

    def __init__(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """Parse for these symbols."""
        self.decoders = {each.symbol: SymbolDecoder(each) for each in instruments}
        self._suspect: SymbolDecoder | None = None
        self._renew = False

    def parse(self, frame: Frame) -> list[Market]:
        """The facts of a frame; raises `BadInput` and is then as it was before."""
        self._suspect = None
        facts = self._said(frame) if frame.channel == CHANNEL else self._answered(frame)
        self._suspect = None
        return facts

    def _said(self, frame: Frame) -> list[Market]:
        said = wire.frame(frame.body)
        if not said.channel:
            # An error of the socket as a whole: whatever it means, another socket begins anew.
            self._renew = True
            return []
        decoder = self.decoders.get(said.symbol)
        if decoder is None:
            return []
        self._suspect = decoder
        received = frame.received
        match said.channel:
            case "depth_book":
                book = wire.decoded(said.data, wire.BOOK, "a book")
                return decoder.book(received, said.seq, book)
            case "price":
                price = wire.decoded(said.data, wire.PRICE, "a price")
                return decoder.valued(received, price)
            case "public_trade":
                trade = wire.decoded(said.data, wire.TRADE, "a trade")
                return decoder.printed(received, trade)
            case _:
                raise MalformedLine(f"unknown channel {said.channel[:80]!r}", remedy=wire.COMPARE)

    def _answered(self, frame: Frame) -> list[Market]:
        what, _, symbol = frame.channel.rpartition("/")
        decoder = self.decoders.get(symbol)
        if decoder is not None and what == "market":
            market = wire.decoded(frame.body, wire.MARKET, "the day's figures")
            return decoder.funded(frame.received, market)
        if decoder is None or what != f"{POLL}/book":
            raise MalformedLine(f"a frame of an unknown channel {frame.channel[:80]!r}")
        self._suspect = decoder
        book = wire.decoded(frame.body, wire.BOOK, "a book")
        return decoder.book(frame.received, 0, book)

    def _of(self, channel: str) -> list[SymbolDecoder]:
        """Whom a connection carries, polled or not."""
        carried = channel in {CHANNEL, f"{POLL}/{CHANNEL}"}
        return list(self.decoders.values()) if carried else []

    def connected(self, channel: str, received: Nanos) -> list[Market]:
        """A connection stands; its books come with their first frames."""
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
        """The rate of the next funding, and another socket where this one complained."""
        wanted: list[Request | Say | Renew] = [
            Request(channel=f"market/{symbol}", url=f"{REST}/query_symbol_market?symbol={symbol}")
            for symbol, decoder in self.decoders.items()
            if decoder.asks(received)
        ]
        if self._renew:
            self._renew = False
            wanted.append(Renew(channel=CHANNEL))
        return wanted
