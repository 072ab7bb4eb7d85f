"""Public spot market data: events of streams, and answers over REST."""

from decimal import Decimal
from typing import Final

from mm.emulator.binance import day
from mm.emulator.binance.calls import Call
from mm.emulator.binance.digits import Digits, text
from mm.emulator.binance.public import PublicData, kline_event, millis, trade_number
from mm.emulator.binance.streams import Payload
from mm.emulator.candles import Candle
from mm.emulator.exchange import Listing
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta, QuoteUpdated, TradePrinted
from mm.events.units import MILLIS, Nanos, Side

ORDER_TYPES: Final = ["LIMIT", "LIMIT_MAKER", "MARKET"]


class SpotWording:
    """Spot events; one set of digits an instrument."""

    depth_speeds: Final = {"@100ms": Nanos(100 * MILLIS), "": Nanos(1_000 * MILLIS)}

    def __init__(self) -> None:
        """Know no instrument yet."""
        self._digits: dict[InstrumentDefined, Digits] = {}

    def digits(self, listing: Listing) -> Digits:
        """How its numbers are written."""
        found = self._digits.get(listing.instrument)
        if found is None:
            found = self._digits[listing.instrument] = Digits(listing.instrument)
        return found

    def depth(self, listing: Listing, delta: BookDelta) -> Payload:
        """`depthUpdate`."""
        digits = self.digits(listing)
        return {
            "e": "depthUpdate",
            "E": millis(delta.venue_time or delta.received),
            "s": listing.instrument.symbol,
            "U": delta.first,
            "u": delta.last,
            "b": digits.rows(delta.bids),
            "a": digits.rows(delta.asks),
        }

    def partial(self, listing: Listing, levels: int, at: Nanos) -> Payload:
        """The best levels, as REST has them."""
        return self.book(listing, levels, at)

    def book(self, listing: Listing, levels: int, at: Nanos) -> Payload:
        """A snapshot; no time stands on it."""
        del at
        digits = self.digits(listing)
        return {
            "lastUpdateId": listing.book.sequence,
            "bids": digits.levels(listing.book.bids(levels)),
            "asks": digits.levels(listing.book.asks(levels)),
        }

    def quote(self, listing: Listing, quote: QuoteUpdated) -> Payload:
        """`bookTicker`: it has no name and no time on spot."""
        digits = self.digits(listing)
        return {
            "u": quote.sequence,
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
            "s": listing.instrument.symbol,
            "t": trade_number(trade),
            "p": digits.price(trade.price),
            "q": digits.size(trade.size),
            "T": at,
            "m": trade.aggressor is Side.SELL,
            "M": True,
        }

    def aggregate(self, listing: Listing, trade: TradePrinted) -> Payload:
        """`aggTrade`; each trade is one of its own here."""
        number = trade_number(trade)
        event = self.trade(listing, trade) | {"e": "aggTrade", "a": number, "f": number}
        del event["t"]
        return event | {"l": number}

    def kline(
        self, listing: Listing, name: str, candle: Candle, at: Nanos, *, closed: bool
    ) -> Payload:
        """`kline`."""
        return kline_event(self.digits(listing), listing, name, candle, at, closed=closed)

    def trade_row(self, listing: Listing, trade: TradePrinted) -> Payload:
        """A trade over REST."""
        digits, instrument = self.digits(listing), listing.instrument
        return {
            "id": trade_number(trade),
            "price": digits.price(trade.price),
            "qty": digits.size(trade.size),
            "quoteQty": text(instrument.notional(trade.price, trade.size)),
            "time": millis(trade.venue_time or trade.received),
            "isBuyerMaker": trade.aggressor is Side.SELL,
            "isBestMatch": True,
        }

    def quote_row(self, listing: Listing, at: Nanos) -> Payload:
        """The best bid and offer over REST."""
        del at
        digits, book = self.digits(listing), listing.book
        return {
            "symbol": listing.instrument.symbol,
            "bidPrice": digits.price(book.bid),
            "bidQty": digits.size(book.bid_size),
            "askPrice": digits.price(book.ask),
            "askQty": digits.size(book.ask_size),
        }

    def day(self, listing: Listing, at: Nanos, *, mini: bool) -> Payload:
        """The last 24 hours."""
        return day.event(self.digits(listing), listing, at, mini=mini)

    def mark(self, listing: Listing, at: Nanos) -> Payload | None:
        """Spot has none."""
        del listing, at
        return None


RATE_LIMITS: Final = [
    {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}
    for kind, interval, count, limit in (
        ("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
        ("ORDERS", "SECOND", 10, 100),
        ("ORDERS", "DAY", 1, 200_000),
        ("RAW_REQUESTS", "MINUTE", 5, 61_000),
    )
]


def exchange_info(data: PublicData, call: Call) -> Payload:
    """Instruments and limits."""
    return {
        "timezone": "UTC",
        "serverTime": millis(call.exchange.now()),
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
        "symbols": [symbol_info(instrument) for instrument in data.asked(call)],
    }


def symbol_info(instrument: InstrumentDefined) -> Payload:
    """One instrument with its filters."""
    return {
        "symbol": instrument.symbol,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ORDER_TYPES,
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters(instrument),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def filters(instrument: InstrumentDefined) -> list[Payload]:
    """What an order has to keep."""
    price_max = instrument.price_max or 10**8
    size_max = instrument.size(instrument.size_max) if instrument.size_max else Decimal(9_000)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": text(instrument.price(instrument.price_min)),
            "maxPrice": text(instrument.price(price_max)),
            "tickSize": text(instrument.tick_size),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": text(instrument.size(instrument.size_min)),
            "maxQty": text(size_max),
            "stepSize": text(instrument.size(instrument.size_step)),
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": text(instrument.notional_min),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ]
