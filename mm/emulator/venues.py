"""The venues that can be emulated: the front of each, and what its instruments are like.

A recording says what was traded, not what a venue demands of an order; what it leaves open is
filled in here, as the venue has it.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from mm.emulator.binance.spot import SpotFront
from mm.emulator.binance.usdm import UsdmFront
from mm.emulator.exchange import Exchange, Keys
from mm.emulator.kraken.spot import KrakenFront
from mm.emulator.max.front import MaxFront
from mm.emulator.server import Front
from mm.emulator.standx.keys import credentials
from mm.emulator.standx.perps import StandxFront
from mm.errors import ConfigError
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import Lots, Ticks
from mm.sim.synthetic import SyntheticSettings

SIZE_MAX: Final = Decimal(9_000)
"""In base units."""
PRICE_MAX: Final = Decimal(1_000_000)
PACE: Final = 50
"""Messages a second of a synthetic market."""


class Venue(NamedTuple):
    """One of them; `synthetic` is the market that it has where none was recorded.

    `keys` makes of any pair of keys one in the form that the venue's clients have.
    """

    front: Callable[[Exchange], Front]
    kind: ContractKind
    notional_min: Decimal
    synthetic: dict[str, Any]
    fee_from_received: bool = False
    keys: Callable[[Keys], Keys] = lambda keys: keys

    def terms(self, instrument: InstrumentDefined) -> InstrumentDefined:
        """An instrument with what it leaves open filled in."""
        lots = int(SIZE_MAX / instrument.lot_size)
        return msgspec.structs.replace(
            instrument,
            size_max=instrument.size_max or Lots(lots - lots % instrument.size_step),
            price_max=instrument.price_max or Ticks(int(PRICE_MAX / instrument.tick_size)),
            notional_min=instrument.notional_min or self.notional_min,
            fee_from_received=instrument.fee_from_received or self.fee_from_received,
        )

    def settings(self) -> SyntheticSettings:
        """Of the synthetic market."""
        return SyntheticSettings(kind=self.kind, messages_per_second=PACE, **self.synthetic)


_SPOT: Final = {
    "symbol": "BTCUSDT",
    "tick_size": Decimal("0.01"),
    "lot_size": Decimal("0.00001"),
    "maker_fee": Decimal("0.001"),
    "taker_fee": Decimal("0.001"),
}
_USDM: Final = {
    "symbol": "BTCUSDT",
    "tick_size": Decimal("0.1"),
    "lot_size": Decimal("0.001"),
    "maker_fee": Decimal("0.0002"),
    "taker_fee": Decimal("0.0005"),
}
_KRAKEN: Final = {
    "symbol": "BTC/USD",
    "quote": "USD",
    "tick_size": Decimal("0.1"),
    "lot_size": Decimal("0.00000001"),
    "maker_fee": Decimal("0.0025"),
    "taker_fee": Decimal("0.004"),
}
_MAX: Final = {
    "symbol": "usdttwd",
    "base": "USDT",
    "quote": "TWD",
    "price": Decimal("31.5"),
    "level_size": Decimal(2_000),
    "tick_size": Decimal("0.001"),
    "lot_size": Decimal("0.01"),
    "maker_fee": Decimal("0.0005"),
    "taker_fee": Decimal("0.0015"),
}
_STANDX: Final = {
    "symbol": "BTC-USD",
    "quote": "DUSD",
    "tick_size": Decimal("0.01"),
    "lot_size": Decimal("0.0001"),
    "maker_fee": Decimal("0.0001"),
    "taker_fee": Decimal("0.0004"),
}
VENUES: Final = {
    "binance": Venue(SpotFront, ContractKind.SPOT, Decimal(5), _SPOT, fee_from_received=True),
    "binance_usdm": Venue(UsdmFront, ContractKind.LINEAR, Decimal(100), _USDM),
    "kraken": Venue(KrakenFront, ContractKind.SPOT, Decimal("0.5"), _KRAKEN),
    "max": Venue(MaxFront, ContractKind.SPOT, Decimal(250), _MAX, fee_from_received=True),
    "standx": Venue(StandxFront, ContractKind.LINEAR, Decimal(0), _STANDX, keys=credentials),
}


def venue_of(name: str) -> Venue:
    """A venue by the name that instruments have; raises `ConfigError`."""
    found = VENUES.get(name)
    if found is None:
        raise ConfigError(
            f"{name!r} cannot be emulated",
            where="VENUE",
            remedy=f"name one of {', '.join(VENUES)}",
        )
    return found
