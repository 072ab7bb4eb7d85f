"""The last 24 hours of an instrument, as far as they were played: over REST and as a stream."""

from decimal import Decimal
from typing import Any, Final

from mm.emulator.binance.calls import Call
from mm.emulator.binance.digits import Digits, text
from mm.emulator.binance.public import listing_of, millis
from mm.emulator.binance.streams import Payload
from mm.emulator.candles import Candle
from mm.emulator.exchange import Listing
from mm.events.units import EXACT, SECONDS, Nanos

DAY: Final = Nanos(86_400 * SECONDS)
NOTHING: Final = Candle(opened=Nanos(0), open=0, high=0, low=0, close=0)
LETTERS: Final = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "x": "prevClosePrice",
    "c": "lastPrice",
    "Q": "lastQty",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}
MINI: Final = ("c", "o", "h", "l", "v", "q")


def row(digits: Digits, listing: Listing, at: Nanos) -> Payload:
    """`ticker/24hr` of one symbol."""
    day = listing.candles.since(Nanos(at - DAY)) or NOTHING
    book, instrument = listing.book, listing.instrument
    step = EXACT.multiply(instrument.tick_size, instrument.lot_size)
    value = EXACT.multiply(day.value, step)
    change = Decimal(100 * (day.close - day.open)) / (day.open or 1)
    mean = EXACT.divide(value, instrument.size(day.volume)) if day.volume else Decimal(0)
    last = listing.trades[-1].size if listing.trades else 0
    return {
        "symbol": instrument.symbol,
        "priceChange": digits.price(day.close - day.open),
        "priceChangePercent": text(change, 3),
        "weightedAvgPrice": text(mean),
        "prevClosePrice": digits.price(day.open),
        "lastPrice": digits.price(day.close),
        "lastQty": digits.size(last),
        "bidPrice": digits.price(book.bid),
        "bidQty": digits.size(book.bid_size),
        "askPrice": digits.price(book.ask),
        "askQty": digits.size(book.ask_size),
        "openPrice": digits.price(day.open),
        "highPrice": digits.price(day.high),
        "lowPrice": digits.price(day.low),
        "volume": digits.size(day.volume),
        "quoteVolume": text(value),
        "openTime": millis(at - DAY),
        "closeTime": millis(at),
        "firstId": int(day.first) if day.first.isdecimal() else -1,
        "lastId": int(day.last) if day.last.isdecimal() else -1,
        "count": day.trades,
    }


def event(digits: Digits, listing: Listing, at: Nanos, *, mini: bool) -> Payload:
    """`24hrTicker`, or the short one."""
    whole = row(digits, listing, at)
    letters = MINI if mini else tuple(LETTERS)
    return {
        "e": "24hrMiniTicker" if mini else "24hrTicker",
        "E": millis(at),
        "s": listing.instrument.symbol,
        **{letter: whole[LETTERS[letter]] for letter in letters},
    }


class Days:
    """Answers over REST."""

    def __init__(self, digits: Any) -> None:
        """`digits` are those of a listing."""
        self._digits = digits

    def tickers(self, call: Call) -> Any:
        """Of one symbol, or of all."""
        at = call.exchange.now()
        if call.given("symbol"):
            listing = listing_of(call)
            return row(self._digits(listing), listing, at)
        found = call.exchange.listings.values()
        return [row(self._digits(listing), listing, at) for listing in found]

    def average(self, call: Call) -> Payload:
        """The mean price of the last five minutes."""
        listing, at = listing_of(call), call.exchange.now()
        recent = listing.candles.since(Nanos(at - 300 * SECONDS))
        mean = listing.price
        if recent is not None:
            tick = listing.instrument.tick_size
            mean = EXACT.divide(EXACT.multiply(recent.value, tick), recent.volume)
        closed = millis(listing.trades[-1].received) if listing.trades else 0
        return {"mins": 5, "price": text(mean), "closeTime": closed}
