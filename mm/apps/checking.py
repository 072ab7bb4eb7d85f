"""What a config's types cannot say: bounds, names, and keys that belong together.

Every error's `where` is the key in question, several joined by `AND`; `mm.apps.config` adds the
file, and the variable if one set that key.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

from mm.apps.account_config import BOUNDS, PROCESSES_MAX
from mm.apps.overrides import AND
from mm.engine.settings import PythonSettings, validate
from mm.errors import ConfigError
from mm.events.units import INT64_MAX, MILLIS, SECONDS
from mm.sim.settings import PRESETS
from mm.sim.settings import validate as validate_paper

if TYPE_CHECKING:
    from mm.apps.config import Config, PaperConfig

SPEED_MAX: Final = "max"
SPEED_LEAST: Final = 0.001
SPEED_MOST: Final = 1_000_000.0
HOUR: Final = 3600 * SECONDS
YEAR: Final = 366 * 24 * HOUR
LISTED_MAX: Final = 2_000
VENUE_AGES: Final = {
    "stale_after": 100 * MILLIS,
    "poll_after": SECONDS,
    "poll_every": 100 * MILLIS,
    "redefine_every": 60 * SECONDS,
}
"""The least that a duration of a venue's feed can mean."""
NEAR: Final = 0.8
"""How alike two names of instruments are before one is taken for the other."""


def check(config: Config) -> None:
    """Refuse what nobody can have meant, or what could never trade; raises `ConfigError`."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", config.desk):
        raise ConfigError(
            f"desk {config.desk!r} cannot name a stream",
            where="desk",
            remedy="use 1 to 32 lower-case letters, digits or '-'",
        )
    _check_speed(config.feed.speed)
    if config.paper.latency not in PRESETS:
        raise ConfigError(
            f"paper.latency = {config.paper.latency!r} is no preset",
            where="paper.latency",
            remedy=f"use one of {', '.join(PRESETS)}, or give entry and response",
        )
    _check_latencies(config.paper)
    validate_paper(config.paper.settings)
    for field, least, value, most in bounded(config):
        if not least <= value <= most:
            raise ConfigError(
                f"{field} = {value} is not within {least} to {most}",
                where=field,
                remedy="correct it",
            )
    _check_instruments(config)
    validate(config.engine)
    _check_sizes(config)
    _check_wallets(config)


def _check_instruments(config: Config) -> None:
    """An instrument without limits may be one that has them, but for its venue or a letter."""
    for name, strategy in config.strategies.items():
        wanted, known = strategy.instrument, list(config.limits)
        near = [each for each in known if each.partition(":")[2] == wanted]
        near += difflib.get_close_matches(wanted, known, n=1, cutoff=NEAR)
        if wanted not in known and near:
            raise ConfigError(
                f"no limits for {wanted}; did you mean {near[0]}?",
                where=f"strategies.{name}.instrument",
                remedy=f'write instrument = "{near[0]}", or set every limit of limits."{wanted}"',
            )


def _check_wallets(config: Config) -> None:
    """There is one account, and every order of another would be rejected."""
    wallets = {"paper.wallet": config.paper.wallet}
    if config.venue is not None:
        wallets["venue.wallet"] = config.venue.wallet
    for name, strategy in config.strategies.items():
        for where, wallet in wallets.items():
            if strategy.wallet == wallet:
                continue
            raise ConfigError(
                f"strategies.{name}.wallet = {strategy.wallet!r} is not {where} = {wallet!r}: "
                "the venue would reject its every order",
                where=f"strategies.{name}.wallet{AND}{where}",
                remedy="give both the same name",
            )


def _check_sizes(config: Config) -> None:
    """Refuse a maker that could never trade: risk would refuse every order of it."""
    for name, strategy in config.strategies.items():
        if isinstance(strategy, PythonSettings):
            continue  # What it asks for is its own affair; risk refuses what is too large.
        most = config.limits[strategy.instrument].order_size_max
        limit = f'limits."{strategy.instrument}".order_size_max'
        if strategy.order_size > most:
            raise ConfigError(
                f"strategies.{name}.order_size = {strategy.order_size}, and no order may be larger "
                f"than {most}",
                where=f"strategies.{name}.order_size{AND}{limit}",
                remedy=f"make it smaller, or raise {limit}",
            )


def _check_latencies(paper: PaperConfig) -> None:
    """One sort of latency a way; lists short enough for the turn that records the config."""
    for way in ("entry", "response"):
        if getattr(paper, way) and getattr(paper, f"{way}_sample"):
            raise ConfigError(
                f"paper.{way} and paper.{way}_sample are both given",
                where=f"paper.{way}_sample",
                remedy="leave out the one that is not meant",
            )
    for name in ("entry_sample", "response_sample", "measured"):
        if len(getattr(paper, name) or ()) > LISTED_MAX:
            raise ConfigError(
                f"paper.{name} lists more than {LISTED_MAX}",
                where=f"paper.{name}",
                remedy="leave some of them out",
            )


def _check_speed(text: str) -> None:
    try:
        right = text == SPEED_MAX or SPEED_LEAST <= float(text) <= SPEED_MOST
    except ValueError:
        right = False
    if not right:
        raise ConfigError(
            f"feed.speed = {text!r} is no speed",
            where="feed.speed",
            remedy=f"write a number from {SPEED_LEAST:g} to {SPEED_MOST:,g}, or max",
        )


def bounded(config: Config) -> list[tuple[str, int, int, int]]:
    """Whole numbers and durations (in nanoseconds), with the least and most one can mean."""
    paper = config.paper.settings
    found = [
        ("seed", 0, config.seed, INT64_MAX),
        ("duration", 0, config.duration.nanos, YEAR),
        ("status_every", 100 * MILLIS, config.status_every.nanos, YEAR),
        ("log.ack_timeout", MILLIS, config.log.ack_timeout.nanos, HOUR),
        ("log.append_timeout", MILLIS, config.log.append_timeout.nanos, HOUR),
        ("paper.entry", 0, paper.entry.most, HOUR),
        ("paper.response", 0, paper.response.most, HOUR),
        ("paper.arrivals.step", MILLIS, paper.arrivals.step, HOUR),
        ("paper.open_orders_max", 1, paper.open_orders_max, 1_000),
        ("reference.poll_every", SECONDS, config.reference.poll_every.nanos, YEAR),
        ("reference.valid_for", SECONDS, config.reference.valid_for.nanos, YEAR),
        ("reference.age_max", SECONDS, config.reference.age_max.nanos, YEAR),
        ("reference.jump_max_bps", 1, config.reference.jump_max_bps, 5_000),
    ]
    given = {kind: getattr(paper, kind) for kind in ("place", "amend", "cancel")}
    found += [(f"paper.{kind}", 0, delay.most, HOUR) for kind, delay in given.items() if delay]
    for name, least in VENUE_AGES.items():
        if age := getattr(config.feed, name, None):
            found.append((f"feed.{name}", least, age.nanos, YEAR))
    if config.venue is not None:
        for name, (least, most) in BOUNDS.items():
            found.append((f"venue.{name}", least, getattr(config.venue, name).nanos, most))
        found.append(("venue.processes_max", 1, config.venue.processes_max, PROCESSES_MAX))
    if market := getattr(config.feed, "market", None):
        found.append(("feed.market.funding_interval", 0, market.funding_interval.nanos, YEAR))
    return found
