"""Kraken's names: of assets and pairs, old and new, and the ids of orders and trades."""

from typing import Final

from mm.emulator.exchange import Exchange, Listing
from mm.emulator.kraken.refusals import UNKNOWN_PAIR, Refused
from mm.events.instrument import InstrumentDefined

OLD: Final = {"BTC": "XBT", "DOGE": "XDG"}
"""What REST still calls them."""
CODES: Final = {
    **{name: f"Z{name}" for name in ("USD", "EUR", "GBP", "CAD", "JPY", "AUD")},
    **{name: f"X{name}" for name in ("ETH", "XRP", "LTC", "XLM", "ETC", "ZEC", "XMR")},
    "BTC": "XXBT",
    "DOGE": "XXDG",
}
"""The codes of the oldest assets; the others' are their names."""
DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ID_CHARS: Final = 16


def code(asset: str) -> str:
    """An asset as balances name it."""
    return CODES.get(asset, asset)


def old(asset: str) -> str:
    """An asset as `altname` and `wsname` name it."""
    return OLD.get(asset, asset)


def symbol(instrument: InstrumentDefined) -> str:
    """A pair in WebSocket v2: `BTC/USD`."""
    return f"{instrument.base}/{instrument.quote}"


def altname(instrument: InstrumentDefined) -> str:
    """A pair in descriptions of orders: `XBTUSD`."""
    return old(instrument.base) + old(instrument.quote)


def wsname(instrument: InstrumentDefined) -> str:
    """A pair as WebSocket v1 had it: `XBT/USD`."""
    return f"{old(instrument.base)}/{old(instrument.quote)}"


def key(instrument: InstrumentDefined) -> str:
    """A pair in the list of pairs: `XXBTZUSD`."""
    return code(instrument.base) + code(instrument.quote)


def listing(exchange: Exchange, name: str) -> Listing:
    """The listing under any of its names; raises `Refused`."""
    for each in exchange.listings.values():
        instrument = each.instrument
        if name in {key(instrument), altname(instrument), wsname(instrument), symbol(instrument)}:
            return each
    raise Refused(UNKNOWN_PAIR)


def named(letter: str, number: int) -> str:
    """The id of an order (`O`) or a trade (`T`): `OABCDE-FGHIJ-KLMNOP`."""
    text = ""
    while number:
        number, rest = divmod(number, len(DIGITS))
        text = DIGITS[rest] + text
    text = text.rjust(ID_CHARS, "0")
    return f"{letter}{text[:5]}-{text[5:10]}-{text[10:]}"


def number_of(name: str) -> int:
    """The number that an id stands for; -1 for one that no order has."""
    plain = name[1:].replace("-", "")
    if len(plain) != ID_CHARS or not (plain.isascii() and plain.isalnum()):
        return -1
    return int(plain, len(DIGITS))
