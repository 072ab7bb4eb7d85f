"""StandX's public questions over REST."""

from decimal import Decimal
from random import Random
from typing import Any, Final

from mm.emulator.binance.digits import Digits, places_of
from mm.emulator.binance.usdm_margin import LEVERAGE
from mm.emulator.exchange import Exchange, Listing
from mm.emulator.kraken.wording import moment
from mm.emulator.standx.calls import Call
from mm.emulator.standx.refusals import invalid
from mm.events.instrument import InstrumentDefined
from mm.events.units import MILLIS, SECONDS, Nanos, Side

DEPTH_MAX: Final = 200
TRADES_MAX: Final = 100
FUNDING_EVERY: Final = 3_600 * SECONDS
RESOLUTIONS: Final = {
    "1": 60,
    "5": 300,
    "15": 900,
    "60": 3_600,
    "1D": 86_400,
    "1m": 60,
    "1h": 3_600,
}
"""Seconds by name."""
ORDERS_MAX: Final = 100
Payload = dict[str, Any]


def infos(call: Call) -> list[Payload]:
    """What is listed, all or one."""
    name = call.text("symbol", "")
    found = [call.listing()] if name else list(call.exchange.listings.values())
    return [_info(each.instrument) for each in found]


def _info(instrument: InstrumentDefined) -> Payload:
    digits = Digits(instrument, None)
    return {
        "base_asset": instrument.base,
        "base_decimals": 9,
        "created_at": moment(0),
        "def_leverage": "10",
        "depth_ticks": "0.01,0.1,1",
        "enabled": True,
        "maker_fee": f"{instrument.maker_fee:f}",
        "max_leverage": str(LEVERAGE),
        "max_open_orders": str(ORDERS_MAX),
        "max_order_qty": digits.size(instrument.size_max or 10**9),
        "max_position_size": digits.size(10**10),
        "min_order_qty": digits.size(instrument.size_min),
        "price_cap_ratio": "0.3",
        "price_floor_ratio": "0.3",
        "price_tick_decimals": places_of(instrument.tick_size),
        "qty_tick_decimals": places_of(instrument.lot_size),
        "quote_asset": instrument.settle,
        "quote_decimals": 9,
        "status": "trading",
        "symbol": instrument.symbol,
        "taker_fee": f"{instrument.taker_fee:f}",
        "updated_at": moment(0),
    }


def prices(exchange: Exchange, listing: Listing) -> Payload:
    """Mark, index and best prices; what is not known is null."""
    digits, book, instrument = Digits(listing.instrument, None), listing.book, listing.instrument
    index = listing.price if listing.index is None else listing.index.price
    last = listing.trades[-1].price if listing.trades else None
    mid = instrument.price(book.bid + book.ask) / 2 if book.two_sided else None
    return {
        "base": instrument.base,
        "index_price": f"{index:f}",
        "last_price": None if last is None else digits.price(last),
        "mark_price": f"{listing.price:f}",
        "mid_price": None if mid is None else f"{mid:f}",
        "quote": instrument.settle,
        "spread": [digits.price(book.bid), digits.price(book.ask)] if book.two_sided else [],
        "symbol": instrument.symbol,
        "time": moment(exchange.now()),
    }


def price(call: Call) -> Payload:
    """Of one symbol."""
    found = prices(call.exchange, call.listing())
    bid, ask = found.pop("spread") or (None, None)
    return {**found, "spread_ask": ask, "spread_bid": bid}


def market(call: Call) -> Payload:
    """The day's figures, and the rate of the next funding."""
    listing = call.listing()
    funding, now = listing.funding, call.exchange.now()
    due = Nanos((now // FUNDING_EVERY + 1) * FUNDING_EVERY) if funding is None else funding.due
    rate = Decimal(0) if funding is None else funding.rate
    traded = [each.price for each in listing.trades] or [listing.book.bid]
    digits = Digits(listing.instrument, None)
    return {
        **prices(call.exchange, listing),
        "funding_rate": f"{rate:f}",
        "high_price_24h": digits.price(max(traded)),
        "low_price_24h": digits.price(min(traded)),
        "next_funding_time": moment(due),
        "open_interest": "0",
        "volume_24h": digits.size(sum(each.size for each in listing.trades)),
    }


def book(listing: Listing, random: Random) -> Payload:
    """The whole book, its levels in no order."""
    digits = Digits(listing.instrument, None)
    sides = {
        "asks": digits.levels(listing.book.asks(DEPTH_MAX)),
        "bids": digits.levels(listing.book.bids(DEPTH_MAX)),
    }
    for rows in sides.values():
        random.shuffle(rows)
    return {**sides, "symbol": listing.instrument.symbol}


def depth(call: Call) -> Payload:
    """The book over REST."""
    return book(call.listing(), Random(0))  # noqa: S311  Any order will do.


def trades(call: Call) -> list[Payload]:
    """The latest trades, newest first."""
    listing = call.listing()
    digits, instrument = Digits(listing.instrument, None), listing.instrument
    latest = list(listing.trades)[-TRADES_MAX:]
    return [
        {
            "is_buyer_taker": each.aggressor is Side.BUY,
            "price": digits.price(each.price),
            "qty": digits.size(each.size),
            "quote_qty": f"{instrument.notional(each.price, each.size):f}",
            "symbol": instrument.symbol,
            "time": moment(each.venue_time or each.received),
        }
        for each in reversed(latest)
    ]


def fundings(call: Call) -> list[Payload]:
    """The rate that was last published."""
    listing = call.listing()
    if listing.funding is None:
        return []
    at = moment(listing.funding.venue_time)
    row = {"funding_rate": f"{listing.funding.rate:f}", "premium": "0"}
    times = dict.fromkeys(("time", "created_at", "updated_at"), at)
    shown = prices(call.exchange, listing)
    names = {name: shown[name] for name in ("symbol", "index_price", "mark_price")}
    return [{"id": 1, **names, **row, **times}]


def seconds(call: Call) -> int:
    """The venue's time in whole seconds."""
    return call.exchange.now() // SECONDS


def region(call: Call) -> Payload:
    """The venue's time in milliseconds."""
    return {"systemTime": call.exchange.now() // MILLIS, "region": "jp"}


def candles(call: Call) -> Payload:
    """Candles between two times, as columns; numbers are bare here."""
    listing = call.listing()
    span = RESOLUTIONS.get(call.text("resolution"))
    if span is None:
        raise invalid("resolution")
    since, until = call.whole("from", 0), call.whole("to", call.exchange.now() // SECONDS)
    instrument = listing.instrument
    made = [
        each
        for each in listing.candles.of(Nanos(span * SECONDS))
        if since <= each.opened // SECONDS <= until
    ]
    columns = {
        name: [float(instrument.price(getattr(each, field))) for each in made]
        for name, field in (("c", "close"), ("o", "open"), ("h", "high"), ("l", "low"))
    }
    volumes = [float(instrument.size(each.volume)) for each in made]
    return {"s": "ok", "t": [each.opened // SECONDS for each in made], **columns, "v": volumes}
