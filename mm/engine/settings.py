"""Strategies and limits as a person writes them, and their conversion to ticks and lots.

Sizes are decimals in base units (contracts for inverse), durations are text with a unit, spreads
are basis points. The session records these settings, so that a replay builds the same engine from
the log alone. A value that the instrument cannot express exactly is refused, naming the field.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.engine.limits import Limits
from mm.engine.own import own
from mm.errors import ConfigError, OffLot
from mm.events.instrument import InstrumentDefined
from mm.events.units import EXACT, MICROS, MILLIS, SECONDS, Lots, Nanos, to_lots
from mm.strategy.base import NEAR_MAX, Strategy
from mm.strategy.fair_value import FairValue
from mm.strategy.pegged import Pegged
from mm.strategy.symmetric import Symmetric, grid_of

_UNITS: Final = {
    "ns": 1,
    "us": MICROS,
    "ms": MILLIS,
    "s": SECONDS,
    "m": 60 * SECONDS,
    "h": 3600 * SECONDS,
}
_DURATION: Final = re.compile(r"\s*(\d{1,18}(?:\.\d{1,18})?)\s*(ns|us|ms|s|m|h)\s*", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,16}")
STRATEGIES_MAX: Final = 60
INSTRUMENTS_MAX: Final = 30
"""A fault cancels on every instrument: as many decisions have to fit the turn it happens in."""
REFRESH_MIN: Final = Nanos(MILLIS)
_SIZE_MAX: Final = 10**15
_BPS_MAX: Final = 5_000
_TICKS_MAX: Final = 10**9
_DAY: Final = 24 * 3600 * SECONDS
MOST_POSITIVE: Final = {
    "order_size": _SIZE_MAX,
    "position_max": _SIZE_MAX,
    "half_spread_bps": _BPS_MAX,
    "half_spread_ticks": _TICKS_MAX,
    "levels": 20,
    "age_max": _DAY,
    "book_age_max": _DAY,
}
"""Fields of a strategy that must be above zero, and the most that anybody can mean."""
MOST: Final = {
    "level_spacing_bps": _BPS_MAX,
    "skew_bps": _BPS_MAX,
    "skew_ticks": _TICKS_MAX,
    "drift_bps": _BPS_MAX,
    "hedge_above": _SIZE_MAX,
    "hedge_slippage_bps": _BPS_MAX,
    "refresh": _DAY,
    "own_near_ticks": NEAR_MAX,
}
"""Fields of a strategy that may be zero, and the most that anybody can mean."""
LIMIT_MOST: Final = {
    "order_size_max": _SIZE_MAX,
    "order_notional_max": _SIZE_MAX,
    "position_max": _SIZE_MAX,
    "open_orders_max": 1_000,
    "price_collar_bps": _BPS_MAX,
    "messages_per_second_max": 10_000,
}
"""A limit beyond these limits nothing."""


class Duration(str):
    """Text such as `250ms` or `30s`; a bare number has no unit and is refused."""

    __slots__ = ()

    @property
    def nanos(self) -> Nanos:
        """The duration in nanoseconds."""
        nanos = _nanos(self)
        assert nanos is not None, f"unchecked duration {self!r}"
        return nanos


def _nanos(text: str) -> Nanos | None:
    """Whole nanoseconds, or None when the text says no such number."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    nanos = EXACT.multiply(Decimal(match[1]), _UNITS[match[2]])
    return Nanos(int(nanos)) if nanos == int(nanos) else None


def decode_hook(kind: type, value: Any) -> Any:
    """Read the types that msgspec does not know; raises ValueError with what was wanted."""
    if kind is Duration:
        if isinstance(value, str) and _nanos(value) is not None:
            return Duration(value)
        raise ValueError(f"{value!r} is no duration: write a number and a unit, such as '250ms'")
    raise TypeError(f"no field may be a {kind}")


def encode_hook(value: Any) -> str:
    """Write the types that msgspec does not know."""
    assert isinstance(value, Duration), f"no field may be a {type(value)}"
    return str.__str__(value)


class SymmetricSettings(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="symmetric",
):
    """Two-sided quoting around fair value with inventory skew; see `mm.strategy.symmetric`."""

    instrument: str
    order_size: Decimal
    position_max: Decimal
    half_spread_bps: float
    levels: int = 1
    level_spacing_bps: float = 1.0
    skew_bps: float = 0.0
    drift_bps: float = 1.0
    age_max: Duration = Duration("30s")
    book_age_max: Duration = Duration("5s")
    refresh: Duration = Duration("250ms")
    hedge_above: Decimal = Decimal(0)
    hedge_slippage_bps: float = 5.0
    fair: FairValue = FairValue.MID
    wallet: str = "main"
    amend: bool = False


class PeggedSettings(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="pegged",
):
    """One bid and one ask some ticks from the mid; see `mm.strategy.pegged`."""

    instrument: str
    order_size: Decimal
    position_max: Decimal
    half_spread_ticks: float
    skew_ticks: float = 0.0
    refresh: Duration = Duration("250ms")
    own_near_ticks: int | None = None
    wallet: str = "main"
    amend: bool = False


class PythonSettings(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="python",
):
    """A strategy of one's own, `module:Class`; `fingerprint` is its source's, see `mm.apps.own`."""

    instrument: str
    class_: str = msgspec.field(name="class")
    parameters: dict[str, bool | int | float | str] = {}
    fingerprint: str = ""
    wallet: str = "main"
    amend: bool = False


StrategySettings = SymmetricSettings | PeggedSettings | PythonSettings


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one instrument; every one must be set, none may be zero."""

    order_size_max: Decimal
    order_notional_max: Decimal
    position_max: Decimal
    open_orders_max: int
    price_collar_bps: int
    messages_per_second_max: int


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Strategies by name, limits by instrument (`venue:symbol`)."""

    strategies: dict[str, StrategySettings]
    limits: dict[str, LimitSettings]


def lots(field: str, size: Decimal, instrument: InstrumentDefined) -> Lots:
    """A size of the settings in lots; raises `ConfigError` naming the field."""
    try:
        return to_lots(size, instrument.lot_size)
    except OffLot as error:
        raise ConfigError(
            f"{field} = {size} is not a whole number of lots of {instrument.lot_size}",
            where=instrument.name,
            remedy="use a multiple of the lot size",
        ) from error


def strategy_of(name: str, settings: StrategySettings, instrument: InstrumentDefined) -> Strategy:
    """The strategy in the instrument's own units."""
    where = f"strategies.{name}"
    if isinstance(settings, PythonSettings):
        return own(where, settings.class_, settings.parameters)
    if isinstance(settings, PeggedSettings):
        return Pegged(
            order_size=lots(f"{where}.order_size", settings.order_size, instrument),
            position_max=lots(f"{where}.position_max", settings.position_max, instrument),
            half_spread_ticks=settings.half_spread_ticks,
            skew_ticks=settings.skew_ticks,
            refresh=settings.refresh.nanos,
            own_near_ticks=settings.own_near_ticks,
        )
    return Symmetric(
        order_size=lots(f"{where}.order_size", settings.order_size, instrument),
        position_max=lots(f"{where}.position_max", settings.position_max, instrument),
        half_spread_bps=settings.half_spread_bps,
        levels=settings.levels,
        level_spacing_bps=settings.level_spacing_bps,
        skew_bps=settings.skew_bps,
        drift_bps=settings.drift_bps,
        age_max=settings.age_max.nanos,
        book_age_max=settings.book_age_max.nanos,
        refresh=settings.refresh.nanos,
        hedge_above=lots(f"{where}.hedge_above", settings.hedge_above, instrument),
        hedge_slippage_bps=settings.hedge_slippage_bps,
        fair=settings.fair,
        grid=grid_of(instrument),
    )


def limits_of(settings: LimitSettings, instrument: InstrumentDefined) -> Limits:
    """The limits in the instrument's own units."""
    where = f"limits.{instrument.name}"
    return Limits(
        order_size_max=lots(f"{where}.order_size_max", settings.order_size_max, instrument),
        order_notional_max=settings.order_notional_max,
        position_max=lots(f"{where}.position_max", settings.position_max, instrument),
        open_orders_max=settings.open_orders_max,
        price_collar_bps=settings.price_collar_bps,
        messages_per_second_max=settings.messages_per_second_max,
    )


def validate(settings: EngineSettings) -> None:
    """Refuse settings nobody can have meant; raises `ConfigError` naming the field."""
    for name, strategy in settings.strategies.items():
        where = f"strategies.{name}"
        _named(where, name)
        _named(f"{where}.wallet", strategy.wallet)
        _bounded(where, strategy, MOST_POSITIVE, above=True)
        _bounded(where, strategy, MOST, above=False)
        if not isinstance(strategy, PythonSettings) and 0 < strategy.refresh.nanos < REFRESH_MIN:
            raise _outside(f"{where}.refresh", strategy.refresh, "0s, or at least 1ms")
        if strategy.instrument not in settings.limits:
            raise ConfigError(
                f"no limits for {strategy.instrument}",
                where=f'limits."{strategy.instrument}"',
                remedy="set every limit of each instrument that is quoted",
            )
    for name, limit in settings.limits.items():
        _bounded(f"limits.{name}", limit, LIMIT_MOST, above=True)
    _counted("limits", len(settings.limits), INSTRUMENTS_MAX)
    _counted("strategies", len(settings.strategies), STRATEGIES_MAX)


def _named(where: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot stand in an order id",
            where=where,
            remedy="use 1 to 16 letters, digits or '-'",
        )


def _counted(where: str, count: int, most: int) -> None:
    if count > most:
        raise ConfigError(
            f"{count} {where}, and a desk has room for {most}",
            where=where,
            remedy="start another desk",
        )


def _bounded(
    where: str, settings: msgspec.Struct, bounds: Mapping[str, int], *, above: bool
) -> None:
    for field, most in bounds.items():
        if field not in settings.__struct_fields__:
            continue
        value = getattr(settings, field)
        if value is None:
            continue
        number = Decimal(value.nanos if isinstance(value, Duration) else value)
        if not number.is_finite() or number > most or number < 0 or (above and not number):
            least = "above" if above else "at least"
            limit = f"{most // SECONDS}s" if isinstance(value, Duration) else most
            raise _outside(f"{where}.{field}", value, f"{least} 0 and at most {limit}")


def _outside(where: str, value: object, wanted: str) -> ConfigError:
    return ConfigError(f"{where} = {value} must be {wanted}", where=where, remedy="correct it")
