"""Public market data as both markets answer it over REST; what differs is a market's wording."""

from typing import Any, Final, Protocol

from mm.emulator.binance.calls import Call
from mm.emulator.binance.digits import Digits, text
from mm.emulator.binance.refusals import Refused, unknown_symbol
from mm.emulator.binance.streams import INTERVALS, Payload
from mm.emulator.candles import Candle
from mm.emulator.exchange import Exchange, Listing
from mm.events.instrument import InstrumentDefined
from mm.events.market import TradePrinted
from mm.events.units import EXACT, MILLIS, Nanos

DEPTH_DEFAULT: Final = 100
DEPTH_MAX: Final = 5_000
TRADES_DEFAULT: Final = 500
ROWS_MAX: Final = 1_000


def millis(at: int) -> int:
    """As Binance stamps."""
    return at // MILLIS


def kline_event(
    digits: Digits, listing: Listing, name: str, candle: Candle, at: Nanos, *, closed: bool
) -> Payload:
    """`kline`."""
    row = kline_row(digits, listing, candle, INTERVALS[name])
    keys = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
    return {
        "e": "kline",
        "E": millis(at),
        "s": listing.instrument.symbol,
        "k": dict(zip(keys, row, strict=True))
        | {
            "s": listing.instrument.symbol,
            "i": name,
            "f": int(candle.first) if candle.first.isdecimal() else -1,
            "L": int(candle.last) if candle.last.isdecimal() else -1,
            "x": closed,
        },
    }


def kline_row(digits: Digits, listing: Listing, candle: Candle, interval: Nanos) -> list[Any]:
    """A candle over REST."""
    step = EXACT.multiply(listing.instrument.tick_size, listing.instrument.lot_size)
    return [
        millis(candle.opened),
        *map(digits.price, (candle.open, candle.high, candle.low, candle.close)),
        digits.size(candle.volume),
        millis(candle.opened + interval) - 1,
        text(EXACT.multiply(candle.value, step)),
        candle.trades,
        digits.size(candle.bought),
        text(EXACT.multiply(candle.bought_value, step)),
        "0",
    ]


def trade_number(trade: TradePrinted) -> int:
    """A trade's id; venues without whole numbers as ids have none here."""
    return int(trade.trade_id) if trade.trade_id.isdecimal() else 0


def listing_of(call: Call) -> Listing:
    """The listing that is asked for; raises `Refused`."""
    listing = call.exchange.listings.get(call.text("symbol"))
    if listing is None:
        raise unknown_symbol()
    return listing


class Rows(Protocol):
    """How a market's answers over REST are written, besides its events."""

    def digits(self, listing: Listing) -> Digits:
        """How its numbers are written."""
        ...

    def book(self, listing: Listing, levels: int, at: Nanos) -> Payload:
        """A snapshot."""
        ...

    def aggregate(self, listing: Listing, trade: TradePrinted) -> Payload:
        """A trade among those of one taker."""
        ...

    def trade_row(self, listing: Listing, trade: TradePrinted) -> Payload:
        """A trade."""
        ...

    def quote_row(self, listing: Listing, at: Nanos) -> Payload:
        """The best bid and offer."""
        ...


class PublicData:
    """Answers about the market."""

    def __init__(self, exchange: Exchange, rows: Rows) -> None:
        """Speak for an exchange."""
        self._exchange = exchange
        self._rows = rows

    def ping(self, call: Call) -> Payload:
        """Nothing."""
        del call
        return {}

    def time(self, call: Call) -> Payload:
        """The venue's clock."""
        return {"serverTime": millis(call.exchange.now())}

    def depth(self, call: Call) -> Payload:
        """The book."""
        listing = listing_of(call)
        limit = min(call.whole("limit", DEPTH_DEFAULT), DEPTH_MAX)
        if not limit:
            raise Refused(-1130, "Data sent for parameter 'limit' is not valid.")
        return self._rows.book(listing, limit, call.exchange.now())

    def trades(self, call: Call) -> list[Payload]:
        """The latest trades, oldest first."""
        listing = listing_of(call)
        limit = min(call.whole("limit", TRADES_DEFAULT), ROWS_MAX)
        return [self._rows.trade_row(listing, trade) for trade in list(listing.trades)[-limit:]]

    def aggregates(self, call: Call) -> list[Payload]:
        """The latest trades, each one of its own."""
        listing = listing_of(call)
        limit = min(call.whole("limit", TRADES_DEFAULT), ROWS_MAX)
        dropped = ("e", "E", "s")
        return [
            {k: v for k, v in self._rows.aggregate(listing, t).items() if k not in dropped}
            for t in list(listing.trades)[-limit:]
        ]

    def klines(self, call: Call) -> list[list[Any]]:
        """Candles, oldest first."""
        listing = listing_of(call)
        interval = INTERVALS.get(call.text("interval"))
        if interval is None:
            raise Refused(-1120, "Invalid interval.")
        begin = call.whole("startTime", 0)
        end = call.whole("endTime", 10**15)
        found = [
            candle
            for candle in listing.candles.of(interval)
            if begin <= millis(candle.opened) <= end
        ]
        limit = min(call.whole("limit", TRADES_DEFAULT), ROWS_MAX)
        kept = found[:limit] if call.given("startTime") else found[-limit:]
        return [kline_row(self._rows.digits(listing), listing, candle, interval) for candle in kept]

    def quotes(self, call: Call) -> Any:
        """The best bid and offer, of one or all."""
        if not call.given("symbol"):
            found = self._exchange.listings.values()
            return [self._rows.quote_row(listing, call.exchange.now()) for listing in found]
        return self._rows.quote_row(listing_of(call), call.exchange.now())

    def prices(self, call: Call) -> Any:
        """The last price, of one or all."""
        if not call.given("symbol"):
            return [self._price(listing) for listing in self._exchange.listings.values()]
        return self._price(listing_of(call))

    def _price(self, listing: Listing) -> Payload:
        last = listing.trades[-1].price if listing.trades else 0
        return {
            "symbol": listing.instrument.symbol,
            "price": self._rows.digits(listing).price(last),
        }

    def asked(self, call: Call) -> list[InstrumentDefined]:
        """The instruments that are asked for: one, several, or all; raises `Refused`."""
        listings = self._exchange.listings
        names = list(listings)
        if call.given("symbols"):
            names = [name.strip('" ') for name in call.params["symbols"].strip("[]").split(",")]
        if call.given("symbol"):
            names = [call.params["symbol"]]
        if not set(names) <= set(listings):
            raise unknown_symbol()
        return [listings[name].instrument for name in names]
