"""What a paper account is and how far away it stands.

The defaults are a careful venue near by: 1 ms there, 1 ms back, no money checks. Latencies are
nanoseconds; a range is drawn from uniformly, a range of one value is a constant.
"""

import math
from decimal import Decimal
from typing import Final

import msgspec

from mm.errors import ConfigError
from mm.events.units import MILLIS, Nanos
from mm.sim.queue_models import check_power, number_of


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Delay on the way, in nanoseconds: uniform from `least` to `most`, both included."""

    least: Nanos
    most: Nanos


class Sampled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Delays in nanoseconds, smallest first, drawn from with equal chance."""

    delays: tuple[Nanos, ...]

    @property
    def least(self) -> Nanos:
        """The smallest delay."""
        return self.delays[0]

    @property
    def most(self) -> Nanos:
        """The largest delay."""
        return max(self.delays, default=Nanos(0))


Delay = Latency | Sampled
Trip = tuple[Nanos, Nanos, Nanos]
"""When a command was sent, when it reached the venue (0: never), when we had the answer."""


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Round trips by time sent, between which delays are interpolated in time."""

    trips: tuple[Trip, ...]

    @property
    def columns(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Times sent, arrived and heard."""
        sent, arrived, heard = zip(*self.trips, strict=True)
        return sent, arrived, heard

    @property
    def arrived(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Times arrived and heard of those that did arrive."""
        _, arrived, heard = zip(*(trip for trip in self.trips if trip[1] > 0), strict=True)
        return arrived, heard


class Arrivals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takers by chance: `rate` a second at the mid, falling by e every 1 / `decay` of price.

    `step` is how often they are drawn.
    """

    rate: float = 140.0
    decay: float = 1.5
    step: Nanos = Nanos(5 * MILLIS)


NONE: Final = Latency(Nanos(0), Nanos(0))
FAST: Final = Latency(Nanos(MILLIS), Nanos(MILLIS))
SEEDS: Final = Latency(Nanos(50 * MILLIS), Nanos(200 * MILLIS))
MATCHINGS: Final = ("shared", "whole", "poisson")
MARKETS: Final = ("received", "venue")
PRESETS: Final = {"none": NONE, "fast": FAST, "seeds": SEEDS}
"""Latencies by name: none at all, 1 ms, and the 50 to 200 ms of a far venue."""


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fees once so much was traded in quote currency; fractions of notional, negative: a rebate."""

    volume: Decimal
    maker: Decimal
    taker: Decimal


class PaperSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One paper account; without `balances` its money is unlimited and only counted.

    `entry` delays our commands, `response` what the venue says to us; `place`, `amend` and `cancel`
    take the place of `entry` for their kind, `measured` that of all of these. `closed_kept_max`
    bounds how many closed orders can still be asked about. `queue` is the queue model,
    `queue_power` the exponent of those that have one, `matching` how resting orders fill. With
    `market` "venue" the caller plays public events at the venue's own time, ahead of what we hear,
    and they act before commands of the very same time. `arrivals` is for matching "poisson".
    `tiers` take the place of the instruments' fees, by what was traded; `volume` before the start.
    """

    wallet: str = "main"
    entry: Delay = FAST
    response: Delay = FAST
    open_orders_max: int = 200
    closed_kept_max: int = 10_000
    balances: dict[str, Decimal] | None = None
    tiers: tuple[Tier, ...] = ()
    volume: Decimal = Decimal(0)
    queue: str = "risk-averse"
    queue_power: float = 3.0
    matching: str = "shared"
    market: str = "received"
    place: Delay | None = None
    amend: Delay | None = None
    cancel: Delay | None = None
    measured: Measured | None = None
    arrivals: Arrivals = Arrivals()


def validate(settings: PaperSettings) -> None:
    """Refuse settings nobody can have meant; raises `ConfigError` naming the field."""
    for name in ("entry", "response", "place", "amend", "cancel"):
        _check_delay(name, getattr(settings, name))
    if settings.measured is not None:
        _check_trips(settings.measured)
    for name in ("open_orders_max", "closed_kept_max"):
        if getattr(settings, name) < 1:
            _refuse(f"{name} = {getattr(settings, name)} must be above zero", name)
    number_of(settings.queue)
    check_power(settings.queue_power)
    _choice("matching", settings.matching, MATCHINGS)
    _choice("market", settings.market, MARKETS)
    _check_arrivals(settings.arrivals)
    _check_tiers(settings)
    for asset, amount in (settings.balances or {}).items():
        if not amount.is_finite() or amount < 0:
            _refuse(f"a balance of {amount} {asset} cannot be", f"balances.{asset}")


def _check_delay(name: str, delay: Delay | None) -> None:
    if isinstance(delay, Latency) and not 0 <= delay.least <= delay.most:
        _refuse(f"{name} latency from {delay.least} to {delay.most} ns is no range", name)
    if isinstance(delay, Sampled):
        if not delay.delays:
            _refuse(f"{name} latency is drawn from a sample that is empty", name)
        if list(delay.delays) != sorted(delay.delays) or delay.delays[0] < 0:
            _refuse(f"the sample of {name} latencies is negative, or not smallest first", name)


def _check_trips(measured: Measured) -> None:
    """Times must be such that a place among them can be found, and no answer precedes its cause."""
    latest_sent, latest_arrived = 0, 0
    for number, (sent, arrived, heard) in enumerate(measured.trips):
        if sent < latest_sent or heard < max(sent, arrived) or (arrived and arrived < sent):
            _refuse(f"round trip {number} ({sent}, {arrived}, {heard}) runs back", "measured")
        if arrived and arrived < latest_arrived:
            _refuse(f"round trip {number} overtakes the one before it at the venue", "measured")
        latest_sent, latest_arrived = sent, max(latest_arrived, arrived)
    if not latest_arrived:
        _refuse("none of the round trips reached the venue", "measured")


def _check_tiers(settings: PaperSettings) -> None:
    """Tiers follow one another, and fees are fractions."""
    if not (settings.volume.is_finite() and settings.volume >= 0):
        _refuse(f"a volume of {settings.volume} cannot have been traded", "volume")
    before = Decimal(-1)
    for number, tier in enumerate(settings.tiers):
        if not (tier.volume.is_finite() and tier.volume > before and tier.volume >= 0):
            _refuse(f"tier {number} from {tier.volume} is not above the one before it", "tiers")
        if not all(each.is_finite() and abs(each) < 1 for each in (tier.maker, tier.taker)):
            _refuse(f"tier {number} has fees {tier.maker}, {tier.taker}: no fractions", "tiers")
        before = tier.volume


def _check_arrivals(arrivals: Arrivals) -> None:
    for name in ("rate", "decay"):
        number = getattr(arrivals, name)
        if not 0 <= number < math.inf:
            _refuse(f"{name} = {number} must be zero or above", f"arrivals.{name}")
    if arrivals.step <= 0:
        _refuse(f"a step of {arrivals.step} ns must be above zero", "arrivals.step")


def _choice(field: str, chosen: str, choices: tuple[str, ...]) -> None:
    if chosen not in choices:
        _refuse(f"{field} = {chosen!r} is none of {', '.join(choices)}", field)


def preset(name: str) -> Latency:
    """The latency of that name; raises `ConfigError`."""
    if name not in PRESETS:
        _refuse(f"no latency is called {name!r}: there are {', '.join(PRESETS)}", "latency")
    return PRESETS[name]


def _refuse(what: str, field: str) -> None:
    raise ConfigError(what, where=f"paper.{field}", remedy="correct the paper account's settings")
