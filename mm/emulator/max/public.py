"""MAX's public REST: markets, currencies, time, and a market's book, trades, candles and ticker."""

from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.emulator.binance.digits import Digits, text
from mm.emulator.exchange import Listing
from mm.emulator.max.calls import Call, listing, market, millis
from mm.emulator.max.refusals import invalid
from mm.events.instrument import InstrumentDefined
from mm.events.units import SECONDS, Nanos, Side

DEPTH_MAX: Final = 300
ROWS_MAX: Final = 1_000
CANDLES_MAX: Final = 10_000
PERIODS: Final = (1, 5, 15, 30, 60, 120, 240, 360, 720, 1_440, 4_320, 10_080)
"""Minutes of a candle."""
ACTIVE: Final = "active"
Payload = dict[str, Any]


def bare(value: Decimal) -> msgspec.Raw:
    """A number without quotes, as minima are written."""
    return msgspec.Raw(f"{value:f}".encode())


def precision(step: Decimal) -> int:
    """How many decimals a step has; below zero where it is more than one."""
    return -int(step.normalize().as_tuple().exponent)


def minimum(instrument: InstrumentDefined) -> msgspec.Raw:
    """The least that can be ordered, in base."""
    return bare(instrument.size(instrument.size_min))


def described(instrument: InstrumentDefined) -> Payload:
    """One row of the list of markets."""
    return {
        "id": market(instrument),
        "status": ACTIVE,
        "base_unit": instrument.base.lower(),
        "base_unit_precision": precision(instrument.size(instrument.size_step)),
        "min_base_amount": minimum(instrument),
        "quote_unit": instrument.quote.lower(),
        "quote_unit_precision": precision(instrument.tick_size),
        "min_quote_amount": bare(instrument.notional_min),
        "m_wallet_supported": True,
    }


def markets(call: Call) -> list[Payload]:
    """All markets."""
    return [described(each.instrument) for each in call.exchange.listings.values()]


def currencies(call: Call) -> list[Payload]:
    """All currencies."""
    listed = [each.instrument for each in call.exchange.listings.values()]
    units = dict.fromkeys(unit.lower() for each in listed for unit in (each.base, each.quote))
    return [
        {
            "currency": unit,
            "type": "fiat" if unit == "twd" else "crypto",
            "precision": 8,
            "m_wallet_supported": True,
            "min_borrow_amount": "0.0",
        }
        for unit in units
    ]


def timestamp(call: Call) -> Payload:
    """The venue's clock, in seconds."""
    return {"timestamp": call.exchange.now() // SECONDS}


def depth(call: Call, version: int) -> Payload:
    """The book; asks come with the worst first."""
    found, limit = call.listing(), call.whole("limit", DEPTH_MAX, DEPTH_MAX)
    digits = Digits(found.instrument, None)
    return {
        "timestamp": call.exchange.now() // SECONDS,
        "last_update_version": version,
        "last_update_id": found.book.sequence,
        "asks": digits.levels(found.book.asks(limit))[::-1],
        "bids": digits.levels(found.book.bids(limit)),
    }


def trades(call: Call) -> list[Payload]:
    """Trades, the latest first; `side` is the maker's."""
    found, limit = call.listing(), call.whole("limit", 50, ROWS_MAX)
    digits, instrument = Digits(found.instrument, None), found.instrument
    return [
        {
            "id": int(each.trade_id) if each.trade_id.isdecimal() else 0,
            "price": digits.price(each.price),
            "volume": digits.size(each.size),
            "funds": text(instrument.notional(each.price, each.size)),
            "market": market(instrument),
            "side": "ask" if each.aggressor is Side.BUY else "bid",
            "created_at": millis(each.venue_time or each.received),
        }
        for each in list(found.trades)[-limit:][::-1]
    ]


def candles(call: Call) -> list[list[Any]]:
    """Candles, the oldest first: time in seconds, open, high, low, close, volume."""
    found, minutes = call.listing(), call.whole("period", 1)
    limit, since = call.whole("limit", 30, CANDLES_MAX), call.whole("timestamp", 0)
    if minutes not in PERIODS:
        raise invalid("period")
    digits = Digits(found.instrument, None)
    rows = [
        [
            each.opened // SECONDS,
            *(bare(Decimal(digits.price(p))) for p in (each.open, each.high, each.low, each.close)),
            bare(Decimal(digits.size(each.volume))),
        ]
        for each in found.candles.of(Nanos(minutes * 60 * SECONDS))
        if each.opened // SECONDS >= since
    ]
    return rows[:limit] if since else rows[-limit:]


def _ticker(found: Listing, now: int) -> Payload:
    digits, book = Digits(found.instrument, None), found.book
    prices = [each.price for each in found.trades] or [book.bid]
    return {
        "market": market(found.instrument),
        "at": now // SECONDS,
        "buy": digits.price(book.bid),
        "buy_vol": digits.size(book.bid_size),
        "sell": digits.price(book.ask),
        "sell_vol": digits.size(book.ask_size),
        "open": digits.price(prices[0]),
        "low": digits.price(min(prices)),
        "high": digits.price(max(prices)),
        "last": digits.price(prices[-1]),
        "vol": digits.size(sum(each.size for each in found.trades)),
        "vol_in_btc": "0.0",
        "vol_in_quote": "0.0",
    }


def ticker(call: Call) -> Payload:
    """Best prices and the day's figures of one market."""
    return _ticker(call.listing(), call.exchange.now())


def tickers(call: Call) -> list[Payload]:
    """The same of several, of all where none is named."""
    named = call.params.get("markets", [])
    wanted = named if isinstance(named, list) else [named]
    found = [listing(call.exchange, each) for each in wanted]
    return [_ticker(each, call.exchange.now()) for each in found or call.exchange.listings.values()]
