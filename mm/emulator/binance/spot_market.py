"""Public spot market data: events of streams, and answers over REST."""

from decimal import Decimal
from typing import Any, Final

from mm.emulator.binance.calls import Call
from mm.emulator.binance.digits import Digits, text
from mm.emulator.binance.refusals import Refused, unknown_symbol
from mm.emulator.binance.streams import INTERVALS, Payload
from mm.emulator.candles import Candle
from mm.emulator.exchange import Exchange, Listing
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta, QuoteUpdated, TradePrinted
from mm.events.units import EXACT, MILLIS, Nanos, Side

DEPTH_DEFAULT: Final = 100
DEPTH_MAX: Final = 5_000
TRADES_DEFAULT: Final = 500
ROWS_MAX: Final = 1_000
ORDER_TYPES: Final = ["LIMIT", "LIMIT_MAKER", "MARKET"]


def millis(at: int) -> int:
    """As Binance stamps."""
    return at // MILLIS


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
        """The best levels, as REST has them; `at` is not told on spot."""
        del at
        return self.book(listing, levels)

    def book(self, listing: Listing, levels: int) -> Payload:
        """A snapshot."""
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
        row = self.kline_row(listing, candle, INTERVALS[name])
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

    def kline_row(self, listing: Listing, candle: Candle, interval: Nanos) -> list[Any]:
        """A candle over REST."""
        digits = self.digits(listing)
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

    def mark(self, listing: Listing, at: Nanos) -> Payload | None:
        """Spot has none."""
        del listing, at
        return None


def trade_number(trade: TradePrinted) -> int:
    """A trade's id; venues without whole numbers as ids have none here."""
    return int(trade.trade_id) if trade.trade_id.isdecimal() else 0


def listing_of(call: Call) -> Listing:
    """The listing that is asked for; raises `Refused`."""
    listing = call.exchange.listings.get(call.text("symbol"))
    if listing is None:
        raise unknown_symbol()
    return listing


class SpotData:
    """Answers about the market."""

    def __init__(self, exchange: Exchange, wording: SpotWording) -> None:
        """Speak for an exchange."""
        self._exchange = exchange
        self._wording = wording

    def ping(self, call: Call) -> Payload:
        """Nothing."""
        del call
        return {}

    def time(self, call: Call) -> Payload:
        """The venue's clock."""
        return {"serverTime": millis(call.exchange.now())}

    def info(self, call: Call) -> Payload:
        """Instruments and limits."""
        listings = self._exchange.listings
        names = [call.params["symbol"]] if call.given("symbol") else list(listings)
        if call.given("symbols"):
            names = [name.strip('"') for name in call.params["symbols"].strip("[]").split(",")]
        if not set(names) <= set(listings):
            raise unknown_symbol()
        return {
            "timezone": "UTC",
            "serverTime": millis(call.exchange.now()),
            "rateLimits": RATE_LIMITS,
            "exchangeFilters": [],
            "symbols": [symbol_info(listings[name].instrument) for name in names],
        }

    def depth(self, call: Call) -> Payload:
        """The book."""
        listing = listing_of(call)
        limit = min(call.whole("limit", DEPTH_DEFAULT), DEPTH_MAX)
        if not limit:
            raise Refused(-1130, "Data sent for parameter 'limit' is not valid.")
        return self._wording.book(listing, limit)

    def trades(self, call: Call) -> list[Payload]:
        """The latest trades, oldest first."""
        listing = listing_of(call)
        limit = min(call.whole("limit", TRADES_DEFAULT), ROWS_MAX)
        return [self._trade(listing, trade) for trade in list(listing.trades)[-limit:]]

    def _trade(self, listing: Listing, trade: TradePrinted) -> Payload:
        digits, instrument = self._wording.digits(listing), listing.instrument
        return {
            "id": trade_number(trade),
            "price": digits.price(trade.price),
            "qty": digits.size(trade.size),
            "quoteQty": text(instrument.notional(trade.price, trade.size)),
            "time": millis(trade.venue_time or trade.received),
            "isBuyerMaker": trade.aggressor is Side.SELL,
            "isBestMatch": True,
        }

    def aggregates(self, call: Call) -> list[Payload]:
        """The latest trades, each one of its own."""
        listing = listing_of(call)
        limit = min(call.whole("limit", TRADES_DEFAULT), ROWS_MAX)
        dropped = ("e", "E", "s")
        return [
            {k: v for k, v in self._wording.aggregate(listing, t).items() if k not in dropped}
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
        return [self._wording.kline_row(listing, candle, interval) for candle in kept]

    def quotes(self, call: Call) -> Any:
        """The best bid and offer, of one or all."""
        if not call.given("symbol"):
            return [self._quote(listing) for listing in self._exchange.listings.values()]
        return self._quote(listing_of(call))

    def _quote(self, listing: Listing) -> Payload:
        digits, book = self._wording.digits(listing), listing.book
        return {
            "symbol": listing.instrument.symbol,
            "bidPrice": digits.price(book.bid),
            "bidQty": digits.size(book.bid_size),
            "askPrice": digits.price(book.ask),
            "askQty": digits.size(book.ask_size),
        }

    def prices(self, call: Call) -> Any:
        """The last price, of one or all."""
        if not call.given("symbol"):
            return [self._price(listing) for listing in self._exchange.listings.values()]
        return self._price(listing_of(call))

    def _price(self, listing: Listing) -> Payload:
        last = listing.trades[-1].price if listing.trades else 0
        return {
            "symbol": listing.instrument.symbol,
            "price": self._wording.digits(listing).price(last),
        }


RATE_LIMITS: Final = [
    {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}
    for kind, interval, count, limit in (
        ("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
        ("ORDERS", "SECOND", 10, 100),
        ("ORDERS", "DAY", 1, 200_000),
        ("RAW_REQUESTS", "MINUTE", 5, 61_000),
    )
]


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
