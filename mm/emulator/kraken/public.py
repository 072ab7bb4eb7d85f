"""Kraken's public REST: time, state, assets, pairs, and a pair's market."""

from decimal import Decimal
from typing import Any, Final

from mm.emulator.exchange import Listing
from mm.emulator.kraken import names
from mm.emulator.kraken.calls import Call
from mm.emulator.kraken.refusals import invalid
from mm.emulator.kraken.wording import (
    PLACES,
    PairWords,
    bare,
    moment,
    money,
    seconds,
    stamp,
)
from mm.events.instrument import InstrumentDefined
from mm.events.units import EXACT, SECONDS, Nanos, Side

INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
"""Minutes of a candle."""
CANDLES_MAX: Final = 720
DEPTH_MAX: Final = 500
HUNDRED: Final = Decimal(100)

Payload = dict[str, Any]


def time(call: Call) -> Payload:
    """The venue's clock."""
    now = call.exchange.now()
    return {"unixtime": seconds(now), "rfc1123": moment(now)}


def status(call: Call) -> Payload:
    """How the venue is."""
    return {"status": "online", "timestamp": moment(call.exchange.now())}


def assets(call: Call) -> Payload:
    """Every asset of every pair."""
    found: Payload = {}
    for each in call.exchange.listings.values():
        for asset in (each.instrument.base, each.instrument.quote):
            found[names.code(asset)] = {
                "aclass": "currency",
                "altname": names.old(asset),
                "decimals": 10,
                "display_decimals": 5,
                "status": "enabled",
            }
    return found


def pair(instrument: InstrumentDefined) -> Payload:
    """One entry of the list of pairs."""
    words = PairWords(instrument)
    return {
        "altname": names.altname(instrument),
        "wsname": names.wsname(instrument),
        "aclass_base": "currency",
        "base": names.code(instrument.base),
        "aclass_quote": "currency",
        "quote": names.code(instrument.quote),
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": words.price_places,
        "lot_decimals": words.size_places,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, bare(money(EXACT.multiply(instrument.taker_fee, HUNDRED), 4))]],
        "fees_maker": [[0, bare(money(EXACT.multiply(instrument.maker_fee, HUNDRED), 4))]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": words.size(instrument.size_min),
        "costmin": money(instrument.notional_min, 5),
        "tick_size": words.price(1),
        "status": "online",
    }


def _asked(call: Call) -> list[Listing]:
    """The listings that a request names, all if it names none."""
    wanted = call.text("pair", "")
    if not wanted:
        return list(call.exchange.listings.values())
    return [names.listing(call.exchange, each) for each in wanted.split(",")]


def pairs(call: Call) -> Payload:
    """The list of pairs."""
    return {names.key(each.instrument): pair(each.instrument) for each in _asked(call)}


def ticker(call: Call) -> Payload:
    """Best prices and the day's figures."""
    found: Payload = {}
    for each in _asked(call):
        words, book = PairWords(each.instrument), each.book
        last = words.price(each.trades[-1].price) if each.trades else words.price(0)
        bid, ask = words.price(book.bid), words.price(book.ask)
        found[names.key(each.instrument)] = {
            "a": [ask, "1", words.size(book.ask_size)],
            "b": [bid, "1", words.size(book.bid_size)],
            "c": [last, words.size(each.trades[-1].size) if each.trades else "0"],
            "v": ["0", "0"],
            "p": [last, last],
            "t": [len(each.trades), len(each.trades)],
            "l": [last, last],
            "h": [last, last],
            "o": last,
        }
    return found


def depth(call: Call) -> Payload:
    """The book: price, size and time of each level."""
    each = names.listing(call.exchange, call.text("pair"))
    levels = min(DEPTH_MAX, call.whole("count", 100))
    words, at = PairWords(each.instrument), seconds(call.exchange.now())
    sides = {"asks": each.book.asks(levels), "bids": each.book.bids(levels)}
    return {
        names.key(each.instrument): {
            name: [[words.price(price), words.size(size), at] for price, size in side]
            for name, side in sides.items()
        }
    }


def trades(call: Call) -> Payload:
    """Trades after `since` (nanoseconds, or seconds), oldest first."""
    each = names.listing(call.exchange, call.text("pair"))
    since = call.decimal("since") or Decimal(0)
    after = int(since if since > SECONDS * SECONDS // 10 else since * SECONDS)
    words, count = PairWords(each.instrument), call.whole("count", 1_000)
    found = [trade for trade in each.trades if trade.received > after][:count]
    rows = [
        [
            words.price(trade.price),
            words.size(trade.size),
            stamp(trade.received),
            "b" if trade.aggressor is Side.BUY else "s",
            "l",
            "",
            int(trade.trade_id) if trade.trade_id.isdecimal() else 0,
        ]
        for trade in found
    ]
    last = found[-1].received if found else after
    return {names.key(each.instrument): rows, "last": str(last)}


def candles(call: Call) -> Payload:
    """Candles; the last one is still under way."""
    each = names.listing(call.exchange, call.text("pair"))
    minutes, since = call.whole("interval", 1), call.whole("since", 0)
    if minutes not in INTERVALS:
        raise invalid("interval")
    words = PairWords(each.instrument)
    rows = []
    made = list(each.candles.of(Nanos(minutes * 60 * SECONDS)))[-CANDLES_MAX:]
    for candle in made:
        if seconds(candle.opened) <= since and candle is not made[-1]:
            continue
        mean = each.instrument.price(candle.value) / candle.volume if candle.volume else Decimal(0)
        prices = (candle.open, candle.high, candle.low, candle.close)
        rows.append(
            [
                seconds(candle.opened),
                *(words.price(price) for price in prices),
                money(mean, words.price_places),
                money(each.instrument.size(candle.volume), PLACES),
                candle.trades,
            ]
        )
    last = seconds(made[-2].opened) if len(made) > 1 else 0
    return {names.key(each.instrument): rows, "last": last}
