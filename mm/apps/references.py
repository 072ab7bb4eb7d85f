"""Reference rates of a session: the sources that its config names, heard beside its market."""

import asyncio
from typing import Protocol

import aiohttp

from mm.apps.inbox import Inbox
from mm.apps.session import Source
from mm.apps.venue_config import ReferenceConfig
from mm.errors import ConfigError
from mm.events.instrument import InstrumentDefined
from mm.gateways.overload import Offer
from mm.gateways.reference.quote import Source as RateSource
from mm.gateways.reference.quote import pair_from
from mm.gateways.reference.rates import (
    SOURCES,
    Now,
    PairRate,
    Provider,
    RateSettings,
    ReferenceFeed,
)


class Rates(Protocol):
    """What keeps rates current."""

    async def run(self, offer: Offer) -> None:
        """Until it is cancelled."""
        ...


def sources_of(config: ReferenceConfig) -> list[RateSource]:
    """The sources named; none where no pair is wanted. Raises `ConfigError`."""
    if not config.pairs:
        return []
    unknown = [name for name in config.sources if name not in SOURCES]
    if unknown or not config.sources:
        raise ConfigError(
            f"there is no source {unknown[0]!r}" if unknown else "no source is named",
            where="reference.sources",
            remedy=f"choose of {', '.join(SOURCES)}",
        )
    return [SOURCES[name] for name in dict.fromkeys(config.sources)]


def hosts_of(config: ReferenceConfig) -> tuple[str, ...]:
    """Whom the sources talk to; raises `ConfigError` for what cannot be had from them."""
    sources = sources_of(config)
    for pair in map(pair_from, config.pairs):
        for source in sources:
            source.url(pair)
    return tuple(host for source in sources for host in source.hosts)


def rates_of(
    config: ReferenceConfig, session: aiohttp.ClientSession, now: Now
) -> ReferenceFeed | None:
    """What keeps the config's pairs current; None where it has none."""
    if not config.pairs:
        return None
    settings = RateSettings(
        poll_every=config.poll_every.nanos,
        valid_for=config.valid_for.nanos,
        age_max=config.age_max.nanos,
        jump_max_bps=config.jump_max_bps,
    )
    sources = sources_of(config)
    pairs = [
        PairRate(pair, [Provider(each, pair, session, now) for each in sources], settings)
        for pair in map(pair_from, dict.fromkeys(config.pairs))
    ]
    return ReferenceFeed(pairs, settings, now)


class WithRates:
    """A market, and rates beside it: where one ends or fails, so does the other."""

    def __init__(self, market: Source, rates: Rates) -> None:
        """Hear nothing yet."""
        self._market = market
        self._rates = rates

    @property
    def instruments(self) -> tuple[InstrumentDefined, ...]:
        """Those of the market."""
        return self._market.instruments

    async def carry(self, inbox: Inbox) -> None:
        """Until the market has ended."""
        market = asyncio.create_task(self._market.carry(inbox))
        rates = asyncio.create_task(self._rates.run(inbox.offer))
        try:
            done, _ = await asyncio.wait((market, rates), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (market, rates):
                task.cancel()
            await asyncio.gather(market, rates, return_exceptions=True)
