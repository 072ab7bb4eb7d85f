"""What can be traded at MAX, from its public list of markets.

Precisions are decimals, and below zero they count whole steps: -3 is a thousand. Fees are not in
the list: those of the lowest tier stand here, and are taken from what is received.
"""

from decimal import Decimal
from typing import Final

from mm.errors import ConfigError, MalformedLine
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import InstrumentId, Lots
from mm.gateways.market_port import Frame
from mm.gateways.venues.max import wire

MAKER_FEE: Final = Decimal("0.0005")
TAKER_FEE: Final = Decimal("0.0015")
MARGIN: Final = "max_margin"
"""The same markets, traded from the margin wallet."""


def instruments(
    venue: str, answers: tuple[Frame, ...], symbols: tuple[str, ...]
) -> tuple[InstrumentDefined, ...]:
    """The instruments named, numbered from 1; raises `ConfigError` for one that is not there."""
    listed = {row.id: row for answer in answers for row in wire.markets(answer.body)}
    for symbol in symbols:
        if symbol not in listed:
            raise ConfigError(
                f"{symbol} is not listed",
                where=venue,
                remedy="write the market as the venue does: usdttwd",
            )
        if venue == MARGIN and not listed[symbol].m_wallet_supported:
            raise ConfigError(
                f"{symbol} is not traded from the margin wallet",
                where=venue,
                remedy=f"choose another market, or the venue {wire.VENUE}",
            )
    return tuple(
        defined(venue, listed[symbol], InstrumentId(number))
        for number, symbol in enumerate(symbols, start=1)
    )


def defined(venue: str, row: wire.Market, instrument: InstrumentId) -> InstrumentDefined:
    """The instrument that a market is; raises `MalformedLine`."""
    lot = Decimal(1).scaleb(-row.base_unit_precision)
    if min(row.min_base_amount, row.min_quote_amount) < 0:
        raise MalformedLine("a minimum below zero", where=row.id, remedy="ask again")
    least = int(row.min_base_amount / lot)
    least += least * lot < row.min_base_amount
    quote = row.quote_unit.upper()
    return InstrumentDefined(
        instrument=instrument,
        venue=venue,
        symbol=row.id,
        kind=ContractKind.SPOT,
        base=row.base_unit.upper(),
        quote=quote,
        settle=quote,
        tick_size=Decimal(1).scaleb(-row.quote_unit_precision),
        lot_size=lot,
        size_min=Lots(max(1, least)),
        notional_min=row.min_quote_amount,
        maker_fee=MAKER_FEE,
        taker_fee=TAKER_FEE,
        fee_from_received=True,
    )
