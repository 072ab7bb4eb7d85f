"""What can be traded at StandX, from its list of symbols: perpetuals margined in DUSD."""

from decimal import Decimal
from typing import Final

from mm.errors import ConfigError, MalformedLine
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import SECONDS, InstrumentId, Lots, Nanos, steps
from mm.gateways.market_port import Frame
from mm.gateways.venues.standx.wire import INFOS, Info, decoded

VENUE: Final = "standx"
OPEN: Final = "trading"
FUNDING_EVERY: Final = Nanos(3_600 * SECONDS)


def listed(answers: tuple[Frame, ...]) -> dict[str, Info]:
    """Every symbol by its name; raises `MalformedLine`."""
    rows: list[Info] = []
    for answer in answers:
        found = decoded(answer.body, INFOS, "the list of symbols")
        rows += found
    return {each.symbol: each for each in rows}


def instruments(
    answers: tuple[Frame, ...], symbols: tuple[str, ...]
) -> tuple[InstrumentDefined, ...]:
    """The instruments named, numbered from 1; raises `ConfigError` for one that is not there."""
    rows = listed(answers)
    for symbol in symbols:
        if symbol not in rows:
            raise ConfigError(
                f"{symbol} is not listed",
                where=VENUE,
                remedy="write the symbol as the venue does: BTC-USD",
            )
    return tuple(
        defined(rows[symbol], InstrumentId(place)) for place, symbol in enumerate(symbols, start=1)
    )


def defined(row: Info, instrument: InstrumentId) -> InstrumentDefined:
    """The instrument that a row describes; raises `MalformedLine`."""
    lot = Decimal(1).scaleb(-row.qty_tick_decimals)
    size_min, size_max = steps(row.min_order_qty, lot), steps(row.max_order_qty, lot)
    if size_min is None or size_max is None or size_min < 0 or size_max < 0:
        raise MalformedLine(
            f"sizes from {row.min_order_qty} to {row.max_order_qty} in steps of {lot}",
            where=row.symbol,
            remedy="ask for the list of symbols again",
        )
    return InstrumentDefined(
        instrument=instrument,
        venue=VENUE,
        symbol=row.symbol,
        kind=ContractKind.LINEAR,
        base=row.base_asset,
        quote=row.quote_asset,
        settle=row.quote_asset,
        tick_size=Decimal(1).scaleb(-row.price_tick_decimals),
        lot_size=lot,
        size_min=Lots(max(1, size_min)),
        size_max=Lots(size_max),
        maker_fee=row.maker_fee,
        taker_fee=row.taker_fee,
        funding_interval=FUNDING_EVERY,
    )


def closed(
    answers: tuple[Frame, ...], instruments: tuple[InstrumentDefined, ...]
) -> dict[InstrumentId, str]:
    """Why instruments have no market now; those that have one are not named."""
    rows = listed(answers)
    found: dict[InstrumentId, str] = {}
    for each in instruments:
        row = rows.get(each.symbol)
        if row is None:
            found[each.instrument] = "the market is not listed"
        elif row.status != OPEN or not row.enabled:
            state = row.status if row.status != OPEN else "disabled"
            found[each.instrument] = f"the market is {state}"
    return found
