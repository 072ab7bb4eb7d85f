"""What a paper account is and how far away it stands.

The defaults are a careful venue near by: 1 ms there, 1 ms back, no money checks. Latencies are
nanoseconds; a range is drawn from uniformly, a range of one value is a constant.
"""

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


NONE: Final = Latency(Nanos(0), Nanos(0))
FAST: Final = Latency(Nanos(MILLIS), Nanos(MILLIS))
SEEDS: Final = Latency(Nanos(50 * MILLIS), Nanos(200 * MILLIS))
MATCHINGS: Final = ("shared", "whole")
MARKETS: Final = ("received", "venue")
PRESETS: Final = {"none": NONE, "fast": FAST, "seeds": SEEDS}
"""Latencies by name: none at all, 1 ms, and the 50 to 200 ms of a far venue."""


class PaperSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One paper account; without `balances` its money is unlimited and only counted.

    `entry` delays our commands, `response` what the venue says to us. `closed_kept_max` bounds
    how many closed orders can still be asked about. `queue` is the queue model, `queue_power` the
    exponent of those that have one. With `market` "venue" the caller plays public events at the
    venue's own time, ahead of what we hear, and they act before commands of the very same time.
    """

    wallet: str = "main"
    entry: Latency = FAST
    response: Latency = FAST
    open_orders_max: int = 200
    closed_kept_max: int = 10_000
    balances: dict[str, Decimal] | None = None
    queue: str = "risk-averse"
    queue_power: float = 3.0
    matching: str = "shared"
    market: str = "received"


def validate(settings: PaperSettings) -> None:
    """Refuse settings nobody can have meant; raises `ConfigError` naming the field."""
    for name in ("entry", "response"):
        latency: Latency = getattr(settings, name)
        if not 0 <= latency.least <= latency.most:
            _refuse(f"{name} latency from {latency.least} to {latency.most} ns is no range", name)
    for name in ("open_orders_max", "closed_kept_max"):
        if getattr(settings, name) < 1:
            _refuse(f"{name} = {getattr(settings, name)} must be above zero", name)
    number_of(settings.queue)
    check_power(settings.queue_power)
    _choice("matching", settings.matching, MATCHINGS)
    _choice("market", settings.market, MARKETS)
    for asset, amount in (settings.balances or {}).items():
        if not amount.is_finite() or amount < 0:
            _refuse(f"a balance of {amount} {asset} cannot be", f"balances.{asset}")


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
