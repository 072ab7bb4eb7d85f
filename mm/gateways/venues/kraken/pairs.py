"""What can be traded at Kraken, from its public list of pairs.

A pair has three names: the key of the list (`XXBTZUSD`), `altname` (`XBTUSD`) and `wsname`
(`XBT/USD`). WebSocket v2 writes the last one with today's names of the assets (`BTC/USD`), and
that is the symbol that we know it by.
"""

from decimal import Decimal
from typing import Annotated, Final

import msgspec

from mm.errors import BadInput, ConfigError, MalformedLine
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import InstrumentId, Lots, Nanos, Ticks, steps
from mm.gateways.market_port import Frame
from mm.gateways.venues.kraken.wire import UNREADABLE

VENUE: Final = "kraken"
RENAMED: Final = {"XBT": "BTC", "XDG": "DOGE"}
"""Assets that WebSocket v2 calls by another name than everything older."""
HUNDRED: Final = Decimal(100)
ZERO: Final = Decimal(0)
OPEN: Final = frozenset({"online", "post_only", "limit_only"})
"""States in which a pair has a market."""

Decimals = Annotated[int, msgspec.Meta(ge=0, le=18)]
Tier = tuple[Decimal, Decimal]


class Pair(msgspec.Struct, gc=False):
    """One entry of the list; fees are tiers of (volume, percent)."""

    altname: str
    base: str
    quote: str
    pair_decimals: Decimals
    lot_decimals: Decimals
    wsname: str = ""
    fees: list[Tier] = []
    fees_maker: list[Tier] = []
    ordermin: Decimal = ZERO
    costmin: Decimal = ZERO
    tick_size: Decimal | None = None
    status: str = "online"


class Pairs(msgspec.Struct, gc=False):
    """The whole answer."""

    error: list[str] = []
    result: dict[str, Pair] = {}


_pairs: Final = msgspec.json.Decoder(Pairs)


def pairs(body: bytes) -> dict[str, Pair]:
    """The list by the symbols of WebSocket v2; raises `BadInput`."""
    try:
        answer = _pairs.decode(body)
    except UNREADABLE as error:
        raise MalformedLine(
            f"the list of pairs cannot be read: {error}", where=VENUE, remedy="ask again"
        ) from error
    if answer.error:
        raise BadInput("; ".join(answer.error), where="AssetPairs", remedy="ask again")
    return {symbol(pair.wsname): pair for pair in answer.result.values() if pair.wsname}


def symbol(wsname: str) -> str:
    """The name of a pair in WebSocket v2."""
    base, _, quote = wsname.partition("/")
    return f"{RENAMED.get(base, base)}/{RENAMED.get(quote, quote)}"


def defined(pair: Pair, instrument: InstrumentId) -> InstrumentDefined:
    """The instrument that a pair is, under the id it has in one log.

    Tick and lot keep the pair's decimals as their exponent, for the checksum is made with them.
    """
    base, _, quote = symbol(pair.wsname).partition("/")
    place = Decimal(1).scaleb(-pair.pair_decimals)
    lot = Decimal(1).scaleb(-pair.lot_decimals)
    size_min = steps(pair.ordermin, lot)
    if size_min is None or not _tick_fits(pair.tick_size, place):
        raise MalformedLine(
            f"tick {pair.tick_size} or minimum {pair.ordermin} does not fit the pair's decimals",
            where=pair.wsname,
            remedy="ask for the list of pairs again",
        )
    return InstrumentDefined(
        instrument=instrument,
        venue=VENUE,
        symbol=f"{base}/{quote}",
        kind=ContractKind.SPOT,
        base=base,
        quote=quote,
        settle=quote,
        tick_size=(pair.tick_size or place).quantize(place),
        lot_size=lot,
        size_min=Lots(max(1, size_min)),
        notional_min=pair.costmin,
        maker_fee=_lowest(pair.fees_maker or pair.fees),
        taker_fee=_lowest(pair.fees),
        price_min=Ticks(1),
        funding_interval=Nanos(0),
    )


def _tick_fits(tick: Decimal | None, place: Decimal) -> bool:
    return tick is None or bool(tick > 0 and steps(tick, place))


def _lowest(tiers: list[Tier]) -> Decimal:
    """The fee of the tier that every account begins in, as a fraction."""
    return tiers[0][1] / HUNDRED if tiers else ZERO


def instruments(
    answers: tuple[Frame, ...], symbols: tuple[str, ...]
) -> tuple[InstrumentDefined, ...]:
    """The instruments named, numbered from 1; raises `ConfigError` for one that has no market."""
    listed = {name: pair for each in answers for name, pair in pairs(each.body).items()}
    for name in symbols:
        if name not in listed:
            raise ConfigError(
                f"{name} is not listed",
                where=VENUE,
                remedy="write the pair as WebSocket v2 does: BTC/USD",
            )
        if listed[name].status not in OPEN:
            raise ConfigError(
                f"{name} is {listed[name].status}", where=VENUE, remedy="choose another pair"
            )
    return tuple(
        defined(listed[name], InstrumentId(number)) for number, name in enumerate(symbols, start=1)
    )
