"""A market-data service with its venues and its connection: the wiring of `mm feed`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from mm.apps.feed_service import FeedService, ServiceSettings
from mm.apps.feed_streams import IDLE
from mm.apps.feed_venues import Venue
from mm.apps.feed_words import Subjects
from mm.apps.venue_config import NetworkConfig, VenueFeedConfig
from mm.apps.venues import CCXT, VENUES, market_port, network_of, settings_of
from mm.events.units import Nanos
from mm.gateways.network import open_network
from mm.gateways.questions import Outside
from mm.log.access import Access
from mm.log.connection import LinkOptions, close, connect
from mm.log.wire import attach

LINK = LinkOptions(name="mm-feed", jetstream=False, echo=False)

SERVED = tuple(name for name in VENUES if not name.startswith(CCXT))
"""What is served where nobody says; of those that ccxt knows, each has to be named."""


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for."""

    subjects: Subjects
    venues: tuple[str, ...]
    idle: Nanos = IDLE
    network: NetworkConfig = NetworkConfig()


@asynccontextmanager
async def serving(wanted: Serving, way: Access) -> AsyncIterator[FeedService]:
    """A service that is connected and has not begun; raises `ConfigError` and `LogUnavailable`."""
    feeds = [VenueFeedConfig(venue=name, symbols=()) for name in dict.fromkeys(wanted.venues)]
    ports = [(market_port(feed), settings_of(feed)) for feed in feeds]
    hosts = dict.fromkeys(host for port, _ in ports for host in port.hosts)
    async with open_network(hosts, network_of(wanted.network)) as session:
        outside = Outside(session=session)
        venues = {port.venue: Venue(port, outside, patience) for port, patience in ports}
        settings = ServiceSettings(subjects=wanted.subjects, idle=wanted.idle)
        nc = await connect(way, LINK)
        try:
            yield FeedService(await attach(nc), venues, settings)
        finally:
            await close(nc)
