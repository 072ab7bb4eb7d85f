"""The venues there are, and a session's feed from one of them: everything network, in one file.

Nothing else of `mm.apps` imports it before a command needs a venue, so that all the rest works
without the `venues` extra.
"""

import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, Protocol

import msgspec

from mm.apps import references
from mm.apps.accounts import account_at, hosts_of
from mm.apps.clock import PacedClock
from mm.apps.config import Config
from mm.apps.inbox import Inbox
from mm.apps.session import STEP, Wiring
from mm.apps.venue_config import NetworkConfig, VenueFeedConfig
from mm.apps.wiring import paper_account
from mm.engine.core import Engine
from mm.errors import ConfigError
from mm.events.instrument import InstrumentDefined
from mm.events.units import Nanos
from mm.gateways.binance_raw import MARKETS
from mm.gateways.market_port import MarketPort
from mm.gateways.network import NetworkSettings, open_network, settings_from
from mm.gateways.overload import Offer
from mm.gateways.questions import Outside
from mm.gateways.raw_frames import RawWriter
from mm.gateways.venue_feed import FeedSettings, Known, VenueFeed, known
from mm.gateways.venues.binance.market import BinanceMarket
from mm.gateways.venues.kraken.market import KrakenMarket
from mm.gateways.venues.max.market import MaxMarket
from mm.gateways.venues.standx.market import StandxMarket
from mm.projections.ledger import Ledger

VENUES: Final = (*MARKETS, "kraken", "standx", "max", "max_margin", "ccxt.<id>")
CCXT: Final = "ccxt."


def market_port(feed: VenueFeedConfig) -> MarketPort:
    """The public side of the venue that a config names; raises `ConfigError`."""
    if feed.venue in MARKETS:
        return BinanceMarket(feed.venue, feed.channels, feed.interval, audit=feed.audit)
    if feed.venue == "kraken":
        return KrakenMarket()
    if feed.venue == "standx":
        return StandxMarket()
    if feed.venue in {"max", "max_margin"}:
        return MaxMarket(feed.venue, feed.channels, feed.interval)
    raise ConfigError(
        f"there is no venue {feed.venue!r}",
        where="feed.venue",
        remedy=f"choose one of {', '.join(VENUES)}",
    )


def settings_of(feed: VenueFeedConfig) -> FeedSettings:
    """How patient the feed is."""
    return FeedSettings(
        stale_after=feed.stale_after.nanos,
        poll_after=feed.poll_after.nanos,
        poll_every=feed.poll_every.nanos,
        redefine_every=feed.redefine_every.nanos,
    )


def network_of(config: NetworkConfig) -> NetworkSettings:
    """Where hosts are looked for, the environment's word first."""
    return settings_from(os.environ, NetworkSettings(resolve=config.resolve, ca=config.ca))


def revised(found: tuple[InstrumentDefined, ...], ledger: Ledger) -> tuple[InstrumentDefined, ...]:
    """The instruments as the venue has them now, as revisions of those that the log has."""
    return tuple(_revised(each, ledger.instruments.get(each.instrument, each)) for each in found)


def _revised(now: InstrumentDefined, before: InstrumentDefined) -> InstrumentDefined:
    same = msgspec.structs.replace(now, revision=before.revision)
    if same == before or now.identity != before.identity:
        return same
    return msgspec.structs.replace(now, revision=before.revision + 1)


class LiveFeed(Protocol):
    """What hears a venue: a port's feed, or ccxt's."""

    @property
    def instruments(self) -> tuple[InstrumentDefined, ...]:
        """What it speaks of."""
        ...

    async def run(self, offer: Offer) -> None:
        """Hear the venue until it is cancelled."""
        ...


class Heard(NamedTuple):
    """Where a feed's hosts are, and how to open it once a session is there.

    `open` takes what the log has of instruments, and who keeps frames as they come.
    """

    hosts: tuple[str, ...]
    open: Callable[[Outside, Ledger, RawWriter | None], Awaitable[LiveFeed]]


def heard(chosen: VenueFeedConfig) -> Heard:
    """The feed that a config names; raises `ConfigError`."""
    if chosen.venue.startswith(CCXT):
        return _by_ccxt(chosen)
    port = market_port(chosen)

    async def opened(outside: Outside, ledger: Ledger, raw: RawWriter | None) -> LiveFeed:
        listed = await known(port, outside, chosen.symbols)
        if raw is not None:
            raw.definitions(listed.answers)
        now = Known(revised(listed.instruments, ledger), listed.closed)
        return VenueFeed(port, outside, now, settings=settings_of(chosen), raw=raw)

    return Heard(port.hosts, opened)


def _by_ccxt(chosen: VenueFeedConfig) -> Heard:
    """Ccxt takes seconds to load, so that only who wants it waits for it."""
    feeds = importlib.import_module("mm.gateways.ccxt_feed")

    async def opened(outside: Outside, ledger: Ledger, raw: RawWriter | None) -> LiveFeed:
        if raw is not None:
            raise ConfigError(
                "ccxt keeps the frames of its sockets to itself",
                where="--raw",
                remedy="record without --raw, or a venue with a port of its own",
            )
        client = feeds.client_of(chosen.venue, outside)
        listed = await feeds.listed(client, chosen.venue, chosen.symbols)
        made: LiveFeed = feeds.CcxtFeed(client, outside, revised(listed, ledger), chosen.channels)
        return made

    return Heard(feeds.hosts_of(chosen.venue, chosen.hosts), opened)


class VenueSource:
    """A venue's feed as a session hears it."""

    def __init__(self, feed: LiveFeed) -> None:
        """Hear nothing yet."""
        self.feed = feed

    @property
    def instruments(self) -> tuple[InstrumentDefined, ...]:
        """What the feed speaks of."""
        return self.feed.instruments

    async def carry(self, inbox: Inbox) -> None:
        """Until it is cancelled."""
        await self.feed.run(inbox.offer)


@asynccontextmanager
async def wired(
    config: Config, engine: Engine, wall: Nanos, *, paper: bool = True
) -> AsyncIterator[Wiring]:
    """A venue's feed in real time, and an account that trades on it: on paper, or the config's."""
    chosen = config.feed
    assert isinstance(chosen, VenueFeedConfig), "somebody asked for a venue"
    market = heard(chosen)
    start = Nanos(max(wall, engine.at + STEP))
    clock = PacedClock(start)
    hosts = market.hosts if paper else (*market.hosts, *hosts_of(config))
    hosts = (*hosts, *references.hosts_of(config.reference))
    async with open_network(dict.fromkeys(hosts), network_of(config.network)) as session:
        outside = Outside(session=session, now=clock.now)
        feed = await market.open(outside, engine.state.ledger, None)
        instruments = feed.instruments
        inbox = Inbox()
        rates = references.rates_of(config.reference, session, clock.now)
        market_source = VenueSource(feed)
        source = market_source if rates is None else references.WithRates(market_source, rates)
        if paper:
            gateway = paper_account(config, engine, instruments, start)
            yield Wiring(source=source, gateway=gateway, clock=clock, inbox=inbox, wall=wall)
            return
        edge = (inbox.tell, clock.now)
        async with account_at(config, engine, instruments, session, edge) as real:
            yield Wiring(source=source, gateway=real, clock=clock, inbox=inbox, wall=wall)
