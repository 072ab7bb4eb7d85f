"""What an instrument of a capture is: a small table of known ones, and a text to define others.

A capture does not say its tick size, and a wrong guess would be a wrong book; what is not in the
table has to be named: `venue:symbol,kind,tick,lot` and optionally `name=value` pairs. The lot is
the unit in which sizes are exact; `step` is the multiple of it that orders have to keep.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.errors import ConfigError, MalformedLine
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import SECONDS, InstrumentId, Lots, Nanos, steps
from mm.gateways.exact import number

FORM: Final = "venue:symbol,kind,tick,lot[,step=…,maker=…,taker=…,multiplier=…,base=…,quote=…]"
QUOTES: Final = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "TRY", "BTC", "ETH", "BNB")
"""Quote assets that end a symbol, as far as it can be told."""
FEES: Final = {
    "binance": (Decimal("0.001"), Decimal("0.001")),
    "binance_usdm": (Decimal("0.0002"), Decimal("0.0005")),
}
"""Maker and taker fee of the lowest tier, as fractions of notional."""
FUNDING: Final = {"binance_usdm": Nanos(8 * 3_600 * SECONDS)}
# Spot books still hold orders from before the step became 0.00001: 25.426189, say.
KNOWN: Final = (
    "binance:BTCUSDT,spot,0.01,0.000001,step=0.00001",
    "binance_usdm:BTCUSDT,linear,0.1,0.001",
)
DECIMALS: Final = {
    "step": "step",
    "maker": "maker_fee",
    "taker": "taker_fee",
    "multiplier": "multiplier",
}
ASSETS: Final = ("base", "quote", "settle")
UNNUMBERED: Final = InstrumentId(0)

Definitions = dict[tuple[str, str], InstrumentDefined]


def definitions(texts: tuple[str, ...] | list[str]) -> Definitions:
    """The known instruments and those defined by `texts`, which win; raises `ConfigError`."""
    parsed = [definition(text) for text in (*KNOWN, *texts)]
    return {(each.venue, each.symbol): each for each in parsed}


def numbered(defined: InstrumentDefined, instrument: int) -> InstrumentDefined:
    """The same instrument under the id it has in one log."""
    return msgspec.structs.replace(defined, instrument=InstrumentId(instrument))


def definition(text: str) -> InstrumentDefined:
    """Read one definition; raises `ConfigError` naming the part that is wrong.

    A comma never stands inside a value, so that the parts need no quotes.
    """
    name, *rest = (part.strip() for part in text.split(","))
    venue, _, symbol = name.partition(":")
    if not venue or not symbol or len(rest) < 3:  # noqa: PLR2004  Kind, tick and lot.
        raise _wrong(text, "a definition has at least a name, a kind, a tick and a lot")
    kind, tick, lot, *pairs = rest
    if kind not in list(ContractKind):
        raise _wrong(text, f"{kind!r} is none of {', '.join(ContractKind)}")
    maker, taker = FEES.get(venue, (Decimal(0), Decimal(0)))
    fields: dict[str, Any] = {"maker_fee": maker, "taker_fee": taker}
    for pair in pairs:
        fields |= _pair(text, pair)
    lot_size = _positive(text, "lot", lot)
    step = steps(fields.pop("step", lot_size), lot_size)
    if not step or step < 0:
        raise _wrong(text, "the step is no multiple of the lot")
    return InstrumentDefined(
        instrument=UNNUMBERED,
        venue=venue,
        symbol=symbol,
        kind=ContractKind(kind),
        tick_size=_positive(text, "tick", tick),
        lot_size=lot_size,
        size_min=Lots(step),
        size_step=Lots(step),
        fee_from_received=kind == ContractKind.SPOT,
        funding_interval=FUNDING.get(venue, Nanos(0)),
        **(_assets(text, symbol, kind, fields) | fields),
    )


def _pair(text: str, pair: str) -> dict[str, Any]:
    name, _, value = (part.strip() for part in pair.partition("="))
    if name in ASSETS and value:
        return {name: value}
    if name in DECIMALS:
        return {DECIMALS[name]: _decimal(text, name, value)}
    raise _wrong(text, f"{pair!r} is none of {', '.join((*DECIMALS, *ASSETS))}")


def _assets(text: str, symbol: str, kind: str, given: dict[str, Any]) -> dict[str, str]:
    """Base, quote and settlement asset, as far as the symbol tells and nothing else is given."""
    quote = given.get("quote") or next((q for q in QUOTES if symbol.endswith(q)), "")
    base = given.get("base") or symbol.removesuffix(quote).rstrip("-_/")
    if not quote or not base:
        raise _wrong(text, f"{symbol} does not tell its assets; add base= and quote=")
    settle = base if kind == ContractKind.INVERSE else quote
    return {"base": base, "quote": quote, "settle": settle}


def _positive(text: str, name: str, value: str) -> Decimal:
    amount = _decimal(text, name, value)
    if amount <= 0:
        raise _wrong(text, f"{name} {value} is not positive")
    return amount


def _decimal(text: str, name: str, value: str) -> Decimal:
    try:
        return number(value, name)
    except MalformedLine as error:
        raise _wrong(text, error.what) from error


def _wrong(text: str, what: str) -> ConfigError:
    return ConfigError(what, where=f"--instrument {text}", remedy=f"write {FORM}")
