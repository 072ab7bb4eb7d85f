"""What a session runs with: one typed file, overridden by the environment, recorded in the log.

TOML or YAML. Unknown keys are refused with the nearest known name, durations carry their units,
limits have no defaults. `MM_<KEY>__<KEY>=value` overrides a field (`MM_FEED__SPEED=10`): see
`overrides.py`. The effective configuration, which holds no secret, is written into
`SessionStarted`.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from mm.apps import checking
from mm.apps.account_config import AccountConfig
from mm.apps.checking import SPEED_MAX, check
from mm.apps.overrides import overridden, source
from mm.apps.own import loaded
from mm.apps.typed import typed
from mm.apps.venue_config import NetworkConfig, ReferenceConfig, VenueFeedConfig
from mm.engine.settings import (
    Duration,
    EngineSettings,
    LimitSettings,
    StrategySettings,
    encode_hook,
)
from mm.errors import ConfigError
from mm.events.instrument import ContractKind
from mm.events.units import SECONDS, Nanos
from mm.log.limits import AppendLimits
from mm.sim.settings import (
    PRESETS,
    Arrivals,
    Delay,
    Latency,
    Measured,
    PaperSettings,
    Sampled,
    Tier,
)
from mm.sim.synthetic import SyntheticSettings

YEAR: Final = checking.YEAR


class RecordingFeedConfig(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="recording",
):
    """A recording, played at its own pace (`1`), faster (`10`), or as fast as possible (`max`).

    A file may give the speed as a number; here it is text.
    """

    path: str
    speed: str = "1"


USUAL: Final = SyntheticSettings()


class MarketConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The synthetic market: as `SyntheticSettings`, but for a duration with its unit."""

    symbol: str = USUAL.symbol
    kind: ContractKind = USUAL.kind
    base: str = USUAL.base
    quote: str = USUAL.quote
    price: Decimal = USUAL.price
    tick_size: Decimal = USUAL.tick_size
    lot_size: Decimal = USUAL.lot_size
    maker_fee: Decimal = USUAL.maker_fee
    taker_fee: Decimal = USUAL.taker_fee
    messages_per_second: int = USUAL.messages_per_second
    volatility_bps: Decimal = USUAL.volatility_bps
    levels: int = USUAL.levels
    level_size: Decimal = USUAL.level_size
    funding_interval: Duration = Duration("8h")

    @property
    def settings(self) -> SyntheticSettings:
        """The same, in the market's units."""
        given = msgspec.structs.asdict(self)
        return SyntheticSettings(**given | {"funding_interval": self.funding_interval.nanos})


class SyntheticFeedConfig(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="synthetic",
):
    """A seeded market that never was; its seed is the session's."""

    speed: str = "1"
    market: MarketConfig = MarketConfig()


FeedConfig = RecordingFeedConfig | SyntheticFeedConfig | VenueFeedConfig


class ArrivalsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Takers by chance, for `matching` "poisson": as `Arrivals`, but for a duration."""

    rate: float = 140.0
    decay: float = 1.5
    step: Duration = Duration("5ms")

    @property
    def settings(self) -> Arrivals:
        """The same, in the simulated venue's units."""
        return Arrivals(rate=self.rate, decay=self.decay, step=self.step.nanos)


class PaperConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The simulated venue: latency by name (`none`, `fast` 1 ms, `seeds` 50 to 200 ms) or given.

    A given latency is uniform from its first to its second duration; a sample is drawn from, and
    `measured` round trips (sent, arrived, heard, in nanoseconds) are interpolated in time. A tier
    is the volume from which on it holds, its maker fee and its taker fee.
    """

    wallet: str = "main"
    latency: str = "fast"
    entry: tuple[Duration, Duration] | None = None
    response: tuple[Duration, Duration] | None = None
    place: tuple[Duration, Duration] | None = None
    amend: tuple[Duration, Duration] | None = None
    cancel: tuple[Duration, Duration] | None = None
    entry_sample: tuple[Duration, ...] | None = None
    response_sample: tuple[Duration, ...] | None = None
    measured: tuple[tuple[int, int, int], ...] | None = None
    queue: str = "risk-averse"
    queue_power: float = 3.0
    matching: str = "shared"
    arrivals: ArrivalsConfig = ArrivalsConfig()
    open_orders_max: int = 200
    balances: dict[str, Decimal] | None = None
    tiers: tuple[tuple[Decimal, Decimal, Decimal], ...] = ()
    volume: Decimal = Decimal(0)

    @property
    def settings(self) -> PaperSettings:
        """The same, in the simulated venue's units; `latency` must be a preset's name."""
        return PaperSettings(
            wallet=self.wallet,
            entry=_delay(self.entry, self.entry_sample) or PRESETS[self.latency],
            response=_delay(self.response, self.response_sample) or PRESETS[self.latency],
            place=_delay(self.place),
            amend=_delay(self.amend),
            cancel=_delay(self.cancel),
            measured=_measured(self.measured),
            queue=self.queue,
            queue_power=self.queue_power,
            matching=self.matching,
            arrivals=self.arrivals.settings,
            open_orders_max=self.open_orders_max,
            balances=self.balances,
            tiers=tuple(Tier(*each) for each in self.tiers),
            volume=self.volume,
        )


def _delay(
    given: tuple[Duration, Duration] | None, sample: tuple[Duration, ...] | None = None
) -> Delay | None:
    if sample is not None:
        return Sampled(tuple(sorted(delay.nanos for delay in sample)))
    return None if given is None else Latency(given[0].nanos, given[1].nanos)


def _measured(trips: tuple[tuple[int, int, int], ...] | None) -> Measured | None:
    if trips is None:
        return None
    return Measured(tuple((Nanos(sent), Nanos(there), Nanos(back)) for sent, there, back in trips))


class LogConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How durable an embedded log is, and how long an append may take.

    Where the log is, the data directory and NATS_URL say; `sync` does not apply with the latter.
    """

    sync: str = "always"
    ack_timeout: Duration = Duration("1s")
    append_timeout: Duration = Duration("5s")
    tap_market: bool = False

    @property
    def append(self) -> AppendLimits:
        """The same, as the log's writer takes it."""
        return AppendLimits(
            append_seconds_max=self.append_timeout.nanos / SECONDS,
            ack_seconds_max=self.ack_timeout.nanos / SECONDS,
        )


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything one desk's session needs."""

    desk: str
    feed: FeedConfig
    strategies: dict[str, StrategySettings]
    limits: dict[str, LimitSettings]
    paper: PaperConfig = PaperConfig()
    log: LogConfig = LogConfig()
    network: NetworkConfig = NetworkConfig()
    reference: ReferenceConfig = ReferenceConfig()
    venue: AccountConfig | None = None
    seed: int = 1
    duration: Duration = Duration("0s")
    status_every: Duration = Duration("5s")

    @property
    def engine(self) -> EngineSettings:
        """The engine's part."""
        return EngineSettings(strategies=self.strategies, limits=self.limits)

    @property
    def speed(self) -> float | None:
        """How fast log time runs, None for as fast as possible."""
        text = self.feed.speed
        return None if text == SPEED_MAX else float(text)

    def as_json(self) -> str:
        """The effective configuration, canonical: keys sorted."""
        return msgspec.json.encode(self, enc_hook=encode_hook, order="sorted").decode()

    def fingerprint(self) -> str:
        """SHA-256 of the effective configuration."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()


def load(path: Path, environment: Mapping[str, str], overrides: Mapping[str, Any]) -> Config:
    """Read, override and check a config file; raises `ConfigError`."""
    return build(read(path), environment, overrides, where=str(path))


def read(path: Path) -> dict[str, Any]:
    """The plain values of a TOML or YAML file."""
    try:
        text = path.read_text(encoding="utf-8")
        plain = yaml.safe_load(text) if path.suffix in (".yaml", ".yml") else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            f"cannot read the config: {error.strerror}", where=str(path), remedy="check the path"
        ) from error
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"not a readable config: {error}", where=str(path), remedy="correct the file"
        ) from error
    if not isinstance(plain, dict):
        raise ConfigError("a config is a table", where=str(path), remedy="see docs/config.md")
    return plain


def build(
    plain: dict[str, Any],
    environment: Mapping[str, str],
    overrides: Mapping[str, Any],
    *,
    where: str,
) -> Config:
    """Plain values, then the environment, then the command line: typed and checked.

    The plain values stay as they are; raises `ConfigError`. Where `where` is a file, strategies of
    one's own are looked for beside it.
    """
    values, variables = overridden(plain, environment, Config)
    for dotted, value in overrides.items():
        _set(values, dotted.split("."), value)
        variables = {name: key for name, key in variables.items() if key != dotted}
    _word_speed(values.get("feed"))
    try:
        config: Config = typed(values, Config)
        check(config)
        beside = Path(where).resolve().parent if Path(where).is_file() else None
        config = msgspec.structs.replace(config, strategies=loaded(config.strategies, beside))
    except ConfigError as error:
        where = source(error.where, where, variables)
        raise ConfigError(error.what, where=where, remedy=error.remedy) from error
    return config


def _set(values: dict[str, Any], keys: list[str], value: Any) -> None:
    *tables, last = keys
    for key in tables:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise ConfigError(
                f"{key} holds a value, not a table",
                where=".".join(keys),
                remedy="make it a table; docs/config.md lists every key",
            )
    values[last] = value


def _word_speed(feed: Any) -> None:
    """A speed that was written as a number becomes text: one config, one fingerprint."""
    speed = feed.get("speed") if isinstance(feed, dict) else None
    if isinstance(speed, int | float) and not isinstance(speed, bool):
        feed["speed"] = str(speed)
