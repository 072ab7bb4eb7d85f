"""Public market data of USD-M futures: events of streams, and what differs over REST."""

from decimal import Decimal
from typing import Any, Final

from mm.emulator.binance import day
from mm.emulator.binance.calls import Call
from mm.emulator.binance.digits import Digits, places_of, text
from mm.emulator.binance.public import (
    PublicData,
    kline_event,
    listing_of,
    millis,
    trade_number,
)
from mm.emulator.binance.streams import Payload
from mm.emulator.candles import Candle
from mm.emulator.exchange import Listing
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta, QuoteUpdated, TradePrinted
from mm.events.units import MILLIS, SECONDS, Nanos, Side

PERPETUAL_UNTIL: Final = 4_133_404_800_000
LISTED: Final = 1_569_398_400_000
FUNDING_EVERY: Final = Nanos(8 * 3_600 * SECONDS)


class UsdmWording:
    """USD-M events; one set of digits an instrument."""

    depth_speeds: Final = {
        "@0ms": Nanos(0),
        "@100ms": Nanos(100 * MILLIS),
        "@500ms": Nanos(500 * MILLIS),
        "": Nanos(250 * MILLIS),
    }

    def __init__(self) -> None:
        """Know no instrument yet."""
        self._digits: dict[InstrumentDefined, Digits] = {}

    def digits(self, listing: Listing) -> Digits:
        """How its numbers are written."""
        found = self._digits.get(listing.instrument)
        if found is None:
            found = self._digits[listing.instrument] = Digits(listing.instrument, None)
        return found

    def depth(self, listing: Listing, delta: BookDelta) -> Payload:
        """`depthUpdate`, chained by `pu`."""
        digits = self.digits(listing)
        at = millis(delta.venue_time or delta.received)
        return {
            "e": "depthUpdate",
            "E": at,
            "T": at,
            "s": listing.instrument.symbol,
            "U": delta.first,
            "u": delta.last,
            "pu": delta.previous or delta.first - 1,
            "b": digits.rows(delta.bids),
            "a": digits.rows(delta.asks),
        }

    def partial(self, listing: Listing, levels: int, at: Nanos) -> Payload:
        """The best levels."""
        digits, book = self.digits(listing), listing.book
        return {
            "e": "depthUpdate",
            "E": millis(at),
            "T": millis(at),
            "s": listing.instrument.symbol,
            "U": book.sequence,
            "u": book.sequence,
            "pu": book.sequence - 1,
            "b": digits.levels(book.bids(levels)),
            "a": digits.levels(book.asks(levels)),
        }

    def book(self, listing: Listing, levels: int, at: Nanos) -> Payload:
        """A snapshot."""
        digits = self.digits(listing)
        return {
            "lastUpdateId": listing.book.sequence,
            "E": millis(at),
            "T": millis(at),
            "bids": digits.levels(listing.book.bids(levels)),
            "asks": digits.levels(listing.book.asks(levels)),
        }

    def quote(self, listing: Listing, quote: QuoteUpdated) -> Payload:
        """`bookTicker`."""
        digits = self.digits(listing)
        at = millis(quote.venue_time or quote.received)
        return {
            "e": "bookTicker",
            "u": quote.sequence,
            "E": at,
            "T": at,
            "s": listing.instrument.symbol,
            "b": digits.price(quote.bid),
            "B": digits.size(quote.bid_size),
            "a": digits.price(quote.ask),
            "A": digits.size(quote.ask_size),
        }

    def trade(self, listing: Listing, trade: TradePrinted) -> Payload:
        """`trade`."""
        digits = self.digits(listing)
        at = millis(trade.venue_time or trade.received)
        return {
            "e": "trade",
            "E": at,
            "T": at,
            "s": listing.instrument.symbol,
            "t": trade_number(trade),
            "p": digits.price(trade.price),
            "q": digits.size(trade.size),
            "X": "MARKET",
            "m": trade.aggressor is Side.SELL,
        }

    def aggregate(self, listing: Listing, trade: TradePrinted) -> Payload:
        """`aggTrade`; each trade is one of its own here."""
        number = trade_number(trade)
        event = self.trade(listing, trade) | {"e": "aggTrade", "a": number, "f": number}
        del event["t"], event["X"]
        return event | {"l": number}

    def kline(
        self, listing: Listing, name: str, candle: Candle, at: Nanos, *, closed: bool
    ) -> Payload:
        """`kline`."""
        return kline_event(self.digits(listing), listing, name, candle, at, closed=closed)

    def day(self, listing: Listing, at: Nanos, *, mini: bool) -> Payload:
        """The last 24 hours."""
        return day.event(self.digits(listing), listing, at, mini=mini)

    def mark(self, listing: Listing, at: Nanos) -> Payload | None:
        """`markPriceUpdate`."""
        mark, index, funding = listing.mark, listing.index, listing.funding
        if mark is None:
            return None
        return {
            "e": "markPriceUpdate",
            "E": millis(mark.venue_time or at),
            "s": listing.instrument.symbol,
            "p": text(mark.price),
            "P": text(mark.price),
            "i": text(mark.price if index is None else index.price),
            "r": text(Decimal(0) if funding is None else funding.rate),
            "T": millis(_next_funding(listing, at) if funding is None else funding.due),
        }

    def trade_row(self, listing: Listing, trade: TradePrinted) -> Payload:
        """A trade over REST."""
        digits, instrument = self.digits(listing), listing.instrument
        return {
            "id": trade_number(trade),
            "price": digits.price(trade.price),
            "qty": digits.size(trade.size),
            "quoteQty": text(instrument.notional(trade.price, trade.size), 2),
            "time": millis(trade.venue_time or trade.received),
            "isBuyerMaker": trade.aggressor is Side.SELL,
        }

    def quote_row(self, listing: Listing, at: Nanos) -> Payload:
        """The best bid and offer over REST."""
        digits, book = self.digits(listing), listing.book
        return {
            "symbol": listing.instrument.symbol,
            "bidPrice": digits.price(book.bid),
            "bidQty": digits.size(book.bid_size),
            "askPrice": digits.price(book.ask),
            "askQty": digits.size(book.ask_size),
            "time": millis(at),
            "lastUpdateId": book.sequence,
        }


def _next_funding(listing: Listing, at: Nanos) -> Nanos:
    every = listing.instrument.funding_interval or FUNDING_EVERY
    return Nanos((at // every + 1) * every)


def premium(call: Call) -> Any:
    """Mark, index and funding, of one or all."""
    if call.given("symbol"):
        return _premium(call, listing_of(call))
    return [_premium(call, listing) for listing in call.exchange.listings.values()]


def _premium(call: Call, listing: Listing) -> Payload:
    funding, now = listing.funding, call.exchange.now()
    index = listing.price if listing.index is None else listing.index.price
    return {
        "symbol": listing.instrument.symbol,
        "markPrice": text(listing.price),
        "indexPrice": text(index),
        "estimatedSettlePrice": text(index),
        "lastFundingRate": text(Decimal(0) if funding is None else funding.rate),
        "interestRate": "0.00010000",
        "nextFundingTime": millis(_next_funding(listing, now) if funding is None else funding.due),
        "time": millis(now),
    }


RATE_LIMITS: Final = [
    {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}
    for kind, interval, count, limit in (
        ("REQUEST_WEIGHT", "MINUTE", 1, 2_400),
        ("ORDERS", "MINUTE", 1, 1_200),
        ("ORDERS", "SECOND", 10, 300),
    )
]


def exchange_info(data: PublicData, call: Call) -> Payload:
    """Instruments and limits."""
    instruments = data.asked(call)
    assets = sorted({instrument.settle for instrument in instruments})
    return {
        "timezone": "UTC",
        "serverTime": millis(call.exchange.now()),
        "futuresType": "U_MARGINED",
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
        "assets": [
            {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
            for asset in assets
        ],
        "symbols": [symbol_info(instrument) for instrument in instruments],
    }


def symbol_info(instrument: InstrumentDefined) -> Payload:
    """One contract with its filters."""
    return {
        "symbol": instrument.symbol,
        "pair": instrument.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": PERPETUAL_UNTIL,
        "onboardDate": LISTED,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.settle,
        "pricePrecision": places_of(instrument.tick_size),
        "quantityPrecision": places_of(instrument.lot_size),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10_000,
        "filters": _filters(instrument),
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _filters(instrument: InstrumentDefined) -> list[Payload]:
    price_max = instrument.price_max or 10**7
    digits = Digits(instrument, None)
    size_max = instrument.size_max or 10**6
    lots: Payload = {
        "minQty": digits.size(instrument.size_min),
        "maxQty": digits.size(size_max),
        "stepSize": digits.size(instrument.size_step),
    }
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": digits.price(instrument.price_min),
            "maxPrice": digits.price(price_max),
            "tickSize": digits.price(1),
        },
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "MARKET_LOT_SIZE", **lots},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": f"{instrument.notional_min.normalize():f}"},
    ]
