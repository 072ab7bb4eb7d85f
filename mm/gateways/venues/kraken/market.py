"""Kraken's public market data: which sockets to open, and what their frames say.

One connection carries books, trades, candles and states of up to `PAIRS_MAX` pairs. A book that is
lost is subscribed to anew on the connection that stands, for the snapshot comes with the
subscription; nothing is asked over REST but the list of pairs.
"""

from typing import Any, Final

import msgspec

from mm.errors import ConfigError, MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.units import SECONDS, InstrumentId, Nanos
from mm.events.vocabulary import Market
from mm.gateways.market_port import Connection, Frame, Renew, Request, Say
from mm.gateways.venues.kraken import pairs, wire
from mm.gateways.venues.kraken.checked import DEPTHS
from mm.gateways.venues.kraken.decoder import SNAPSHOT, PairDecoder

REST: Final = "https://api.kraken.com"
PUBLIC: Final = "wss://ws.kraken.com/v2"
HOSTS: Final = ("api.kraken.com", "ws.kraken.com")
PAIRS_MAX: Final = 40
DEPTH: Final = 100
SILENCE_MAX: Final = Nanos(15 * SECONDS)
"""A heartbeat comes every second in which nothing else does."""
LIFE_MAX: Final = Nanos(23 * 3_600 * SECONDS)
PING_EVERY: Final = Nanos(30 * SECONDS)
PING: Final = b'{"method":"ping"}'


class Streams(msgspec.Struct, frozen=True, kw_only=True):
    """What is subscribed to for every pair; `candles` is their interval in minutes, 0 for none.

    The ticker comes beside the book without a number that would order the two, so it is wanted
    only where there is no book.
    """

    depth: int = DEPTH
    trades: bool = True
    candles: int = 1
    ticker: bool = False


class KrakenMarket:
    """The port of Kraken's public side."""

    venue = pairs.VENUE
    hosts = HOSTS

    def __init__(self, streams: Streams | None = None) -> None:
        """Subscribe to `streams`; raises `ConfigError` for a depth that is not offered."""
        self._streams = streams or Streams()
        if self._streams.depth not in DEPTHS:
            raise ConfigError(
                f"a book of {self._streams.depth} levels is not offered",
                where=self.venue,
                remedy=f"choose one of {', '.join(map(str, DEPTHS))}",
            )

    def definitions(self) -> tuple[Request, ...]:
        """The list of all pairs."""
        return (Request(channel="pairs", url=f"{REST}/0/public/AssetPairs"),)

    def instruments(
        self, answers: tuple[Frame, ...], symbols: tuple[str, ...]
    ) -> tuple[InstrumentDefined, ...]:
        """The pairs named, numbered from 1."""
        return pairs.instruments(answers, symbols)

    def closed(
        self, answers: tuple[Frame, ...], instruments: tuple[InstrumentDefined, ...]
    ) -> dict[InstrumentId, str]:
        """Kraken says so on its sockets."""
        del answers, instruments
        return {}

    def polls(
        self, connection: Connection, instruments: tuple[InstrumentDefined, ...]
    ) -> tuple[Request, ...]:
        """Nothing: a book over REST has no checksum."""
        del connection, instruments
        return ()

    def connections(self, instruments: tuple[InstrumentDefined, ...]) -> tuple[Connection, ...]:
        """One socket for every `PAIRS_MAX` pairs."""
        return tuple(
            Connection(
                channel=channel,
                url=PUBLIC,
                hello=self._hello([each.symbol for each in carried]),
                silence_max=SILENCE_MAX,
                life_max=LIFE_MAX,
                ping=PING,
                ping_every=PING_EVERY,
                instruments=tuple(each.instrument for each in carried),
            )
            for channel, carried in _shared(instruments)
        )

    def _hello(self, symbols: list[str]) -> tuple[bytes, ...]:
        streams = self._streams
        wanted: list[dict[str, Any]] = [{"channel": "book", "depth": streams.depth}]
        if streams.trades:
            wanted.append({"channel": "trade", "snapshot": True})
        if streams.ticker:
            wanted.append({"channel": "ticker", "event_trigger": "bbo"})
        if streams.candles:
            wanted.append({"channel": "ohlc", "interval": streams.candles})
        said = [_say("subscribe", each | {"symbol": symbols}) for each in wanted]
        return (*said, _say("subscribe", {"channel": "instrument"}))

    def parser(self, instruments: tuple[InstrumentDefined, ...]) -> "KrakenParser":
        """A parser that has heard nothing yet."""
        return KrakenParser(instruments, self._streams.depth)


def _shared(
    instruments: tuple[InstrumentDefined, ...],
) -> list[tuple[str, tuple[InstrumentDefined, ...]]]:
    """Which channel carries which pairs."""
    return [
        (f"public-{start // PAIRS_MAX + 1}", instruments[start : start + PAIRS_MAX])
        for start in range(0, len(instruments), PAIRS_MAX)
    ]


def _say(method: str, params: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"method": method, "params": params})


class KrakenParser:
    """Frames of all connections in, facts out."""

    def __init__(self, instruments: tuple[InstrumentDefined, ...], depth: int) -> None:
        """Parse for these pairs."""
        self._depth = depth
        self._carried = {
            channel: {each.symbol: PairDecoder(each, depth) for each in carried}
            for channel, carried in _shared(instruments)
        }

    def decoders(self) -> list[PairDecoder]:
        """Every pair's decoder, for figures."""
        return [each for pairs in self._carried.values() for each in pairs.values()]

    def parse(self, frame: Frame) -> list[Market]:
        """The facts of a frame; raises `BadInput` and is then as it was before."""
        received, carried = frame.received, self._of(frame.channel)
        match wire.read(frame.body):
            case wire.Book(type=kind, data=rows):
                read = [(carried[row.symbol], row) for row in rows if row.symbol in carried]
                changes = [(decoder, decoder.read(kind, row)) for decoder, row in read]
                return [
                    fact for decoder, change in changes for fact in decoder.book(received, change)
                ]
            case wire.Trades() as trades:
                return self._trades(carried, received, trades)
            case wire.Ticker(data=tickers):
                return [
                    fact
                    for row in tickers
                    if row.symbol in carried
                    for fact in carried[row.symbol].ticker(received, row)
                ]
            case wire.Candles(data=candles):
                heard = [
                    (carried[row.symbol], carried[row.symbol].candle(received, row))
                    for row in candles
                    if row.symbol in carried
                ]
                heard.sort(key=lambda each: each[1].opened)
                return [fact for decoder, candle in heard for fact in decoder.finished(candle)]
            case wire.Status() | wire.Instruments() as status:
                return self._states(frame, carried, status)
            case wire.Reply() as reply:
                return self._answered(frame, carried, reply)
            case wire.Heartbeat():
                return []

    def _of(self, channel: str) -> dict[str, PairDecoder]:
        carried = self._carried.get(channel)
        if carried is None:
            raise MalformedLine(f"a frame of an unknown channel {channel!r}", remedy=wire.COMPARE)
        return carried

    def _trades(
        self, carried: dict[str, PairDecoder], received: Nanos, trades: wire.Trades
    ) -> list[Market]:
        printed = [
            (row.trade_id, carried[row.symbol], carried[row.symbol].printed(received, row))
            for row in trades.data
            if row.symbol in carried
        ]
        printed.sort(key=lambda each: each[0])
        before = {each for _, each, _ in printed if trades.type == SNAPSHOT and not each.listened}
        return [
            trade for _, decoder, trade in printed if decoder.news(trade) and decoder not in before
        ]

    def _states(
        self, frame: Frame, carried: dict[str, PairDecoder], status: wire.Status | wire.Instruments
    ) -> list[Market]:
        """A venue or a pair that has no market is a feed that is down."""
        if isinstance(status, wire.Status):
            states = [(each, row.system) for row in status.data for each in carried.values()]
        else:
            rows = status.data.pairs
            states = [(carried[row.symbol], row.status) for row in rows if row.symbol in carried]
        facts: list[Market] = []
        for decoder, state in states:
            if state not in pairs.OPEN:
                reason = f"the market is {state}"
                facts += decoder.end(frame.received, frame.channel, reason, closed=True)
            elif decoder.closed:
                facts += decoder.begin(frame.received, frame.channel, heard=False)
        return facts

    def _answered(
        self, frame: Frame, carried: dict[str, PairDecoder], reply: wire.Reply
    ) -> list[Market]:
        """What we said was refused: the pair is not heard of, and asking again would not help."""
        decoder = carried.get(reply.symbol or reply.result.symbol)
        refused = reply.method == "subscribe" and not reply.success
        if decoder is None or not refused or "lready subscribed" in reply.error:
            return []
        return decoder.end(frame.received, frame.channel, reply.error)

    def connected(self, channel: str, received: Nanos) -> list[Market]:
        """A connection stands; its books come with the snapshots that were subscribed to."""
        carried = self._of(channel).values()
        return [fact for each in carried for fact in each.begin(received, channel)]

    def disconnected(self, channel: str, received: Nanos, reason: str) -> list[Market]:
        """It stands no more."""
        carried = self._of(channel).values()
        return [fact for each in carried for fact in each.end(received, channel, reason)]

    def missed(self, channel: str, received: Nanos, reason: str) -> list[Market]:
        """A frame was refused: it may have been any book's of the connection."""
        return [fact for each in self._of(channel).values() for fact in each.lose(received, reason)]

    def wants(self, received: Nanos) -> list[Request | Say | Renew]:
        """New subscriptions to the books that were lost."""
        said: list[Request | Say | Renew] = []
        for channel, carried in self._carried.items():
            symbols = [symbol for symbol, each in carried.items() if each.asks(received)]
            if symbols:
                book = {"channel": "book", "depth": self._depth, "symbol": symbols}
                said += [
                    Say(channel=channel, text=_say("unsubscribe", book)),
                    Say(channel=channel, text=_say("subscribe", book)),
                ]
        return said
