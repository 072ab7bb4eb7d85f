"""Binance's instruments, from `exchangeInfo`: steps, bounds and minima; fees of the lowest tier.

The list tells no fees. A spot book holds sizes from before a step was made coarser, so that the lot
is finer there than the step that orders keep.
"""

from decimal import Decimal
from typing import Any, Final

from mm.errors import ConfigError, MalformedLine
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import InstrumentId, Lots, Nanos, Ticks, steps
from mm.gateways import binance_wire
from mm.gateways.binance_raw import SPOT, MarketRules
from mm.gateways.definitions import FEES, FUNDING
from mm.gateways.exact import number
from mm.gateways.market_port import Frame
from mm.gateways.venues.binance import wire

OPEN: Final = "TRADING"
FINER: Final = Decimal("0.001")
"""How much finer than the step a spot lot may be; a whole step is split less."""
FINER_WHOLE: Final = Decimal("0.01")
ZERO: Final = Decimal(0)

Filters = dict[str, dict[str, Any]]


def listed(answers: tuple[Frame, ...]) -> dict[str, wire.Listed]:
    """Every instrument by its symbol; raises `MalformedLine`."""
    found: dict[str, wire.Listed] = {}
    for answer in answers:
        try:
            found |= {each.symbol: each for each in wire.exchange_info(answer.body).symbols}
        except binance_wire.UNREADABLE as error:
            raise MalformedLine(
                f"the list of instruments cannot be read: {error}",
                where=answer.channel,
                remedy="ask again",
            ) from error
    return found


def instruments(
    answers: tuple[Frame, ...], symbols: tuple[str, ...], rules: MarketRules
) -> tuple[InstrumentDefined, ...]:
    """The instruments named, numbered from 1; raises `ConfigError` for one that is not there."""
    rows = listed(answers)
    for symbol in symbols:
        if symbol not in rows:
            raise ConfigError(
                f"{symbol} is not listed",
                where=rules.venue,
                remedy="write the symbol as the venue does: BTCUSDT",
            )
    return tuple(
        defined(rows[symbol], InstrumentId(place), rules)
        for place, symbol in enumerate(symbols, start=1)
    )


def defined(row: wire.Listed, instrument: InstrumentId, rules: MarketRules) -> InstrumentDefined:
    """The instrument that a row describes; raises `MalformedLine`."""
    filters: Filters = {str(each.get("filterType")): each for each in row.filters}
    tick = _value(row, filters, "PRICE_FILTER", "tickSize")
    step = _value(row, filters, "LOT_SIZE", "stepSize")
    lot = _lot(row, step, rules)
    maker, taker = FEES[rules.venue]
    spot = rules is SPOT
    return InstrumentDefined(
        instrument=instrument,
        venue=rules.venue,
        symbol=row.symbol,
        kind=ContractKind.SPOT if spot else ContractKind.LINEAR,
        base=row.baseAsset,
        quote=row.quoteAsset,
        settle=row.marginAsset or row.quoteAsset,
        tick_size=tick,
        lot_size=lot,
        size_min=Lots(_steps(row, filters, "LOT_SIZE", "minQty", lot)),
        size_max=Lots(_steps(row, filters, "LOT_SIZE", "maxQty", lot)),
        size_step=Lots(_whole(row, step, lot)),
        notional_min=_notional(row, filters),
        price_min=Ticks(max(1, _steps(row, filters, "PRICE_FILTER", "minPrice", tick))),
        price_max=Ticks(_steps(row, filters, "PRICE_FILTER", "maxPrice", tick)),
        maker_fee=maker,
        taker_fee=taker,
        fee_from_received=spot,
        funding_interval=FUNDING.get(rules.venue, Nanos(0)),
    )


def _lot(row: wire.Listed, step: Decimal, rules: MarketRules) -> Decimal:
    if rules is not SPOT:
        finest = Decimal(1).scaleb(-(row.quantityPrecision or 0))
        return min(step, finest) if steps(step, finest) else step
    finest = Decimal(1).scaleb(-row.baseAssetPrecision)
    return max(step * (FINER if step < 1 else FINER_WHOLE), min(step, finest)).normalize()


def _value(row: wire.Listed, filters: Filters, name: str, field: str) -> Decimal:
    text = filters.get(name, {}).get(field)
    if not isinstance(text, str):
        raise MalformedLine(f"{name} has no {field}", where=row.symbol, remedy="ask again")
    value = number(text, field)
    if field in {"tickSize", "stepSize"}:
        if value <= 0:
            raise MalformedLine(f"{field} is {text}", where=row.symbol, remedy="ask again")
        return value.normalize()
    return value


def _steps(row: wire.Listed, filters: Filters, name: str, field: str, step: Decimal) -> int:
    """A bound in steps, rounded towards what is allowed: 0 is no bound."""
    value = _value(row, filters, name, field)
    least = field.startswith("min")
    whole = int(value / step)
    return whole + 1 if least and whole * step < value else whole


def _whole(row: wire.Listed, value: Decimal, step: Decimal) -> int:
    count = steps(value, step)
    if not count or count < 0:
        raise MalformedLine(f"a step of {value} in lots of {step}", where=row.symbol)
    return count


def _notional(row: wire.Listed, filters: Filters) -> Decimal:
    for name, field in (
        ("NOTIONAL", "minNotional"),
        ("MIN_NOTIONAL", "minNotional"),
        ("MIN_NOTIONAL", "notional"),
    ):
        if field in filters.get(name, {}):
            return _value(row, filters, name, field)
    return ZERO


def closed(
    answers: tuple[Frame, ...], instruments: tuple[InstrumentDefined, ...]
) -> dict[InstrumentId, str]:
    """Why instruments have no market now; those that have one are not named."""
    rows = listed(answers)
    states = {
        each.instrument: rows[each.symbol].status if each.symbol in rows else "not listed"
        for each in instruments
    }
    return {number: f"the market is {state}" for number, state in states.items() if state != OPEN}
