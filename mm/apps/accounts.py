"""A session's account at a venue: its port, its limits, its clock, and the gateway of them all."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import aiohttp

from mm.apps.account_config import AccountConfig
from mm.apps.config import Config
from mm.engine.core import Engine
from mm.errors import ConfigError
from mm.events.instrument import InstrumentDefined
from mm.events.units import SECONDS, Nanos
from mm.gateways.client_ids import parts_of
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials, credentials_for
from mm.gateways.limiter import Limiter, OwnPool
from mm.gateways.order_port import Abilities, OrderPort
from mm.gateways.shared_pool import account_of, joined
from mm.gateways.tasks import end
from mm.gateways.venue_gateway import Ties, VenueGateway
from mm.gateways.venues.binance.orders import BinanceOrders
from mm.gateways.venues.binance.spot import Spot
from mm.gateways.venues.binance.usdm import Usdm
from mm.gateways.venues.kraken.orders import KrakenOrders
from mm.gateways.venues.max.orders import MaxOrders
from mm.gateways.venues.standx.orders import StandxOrders
from mm.log import access, connection

LOOK_BACK: Final = Nanos(60 * SECONDS)
"""Fills are asked for from so long before the log's end: its last second may be missing."""


class Edge(NamedTuple):
    """What a port stands on: the network, our key, the venue's clock, log time, who owns ids."""

    session: aiohttp.ClientSession
    credentials: Credentials
    clock: VenueClock
    now: Callable[[], Nanos]
    owners: tuple[str, ...]


def _binance(market: type[Spot | Usdm]) -> Callable[[Edge], OrderPort]:
    return lambda edge: BinanceOrders(market(), *edge)


def _kraken(edge: Edge) -> OrderPort:
    return KrakenOrders(*edge)


def _standx(edge: Edge) -> OrderPort:
    return StandxOrders(*edge)


def _max(wallet: str) -> Callable[[Edge], OrderPort]:
    return lambda edge: MaxOrders(*edge, wallet)


class Venue(NamedTuple):
    """A venue that orders can be sent to."""

    hosts: tuple[str, ...]
    abilities: Abilities
    port: Callable[[Edge], OrderPort]


VENUES: Final[Mapping[str, Venue]] = {
    "binance": Venue(Spot().hosts, Spot().abilities, _binance(Spot)),
    "binance_usdm": Venue(Usdm().hosts, Usdm().abilities, _binance(Usdm)),
    "kraken": Venue(KrakenOrders.hosts, KrakenOrders.abilities, _kraken),
    "standx": Venue(StandxOrders.hosts, StandxOrders.abilities, _standx),
    "max": Venue(MaxOrders.hosts, MaxOrders.abilities, _max("spot")),
    "max_margin": Venue(MaxOrders.hosts, MaxOrders.abilities, _max("m")),
}


def venue_of(account: AccountConfig) -> Venue:
    """The venue of an account; raises `ConfigError`."""
    found = VENUES.get(account.name)
    if found is None:
        raise ConfigError(
            f"no orders can be sent to {account.name!r}",
            where="venue.name",
            remedy=f"choose one of {', '.join(VENUES)}",
        )
    return found


def hosts_of(config: Config) -> tuple[str, ...]:
    """Every host that the account needs."""
    assert config.venue is not None, "somebody asked for an account"
    return venue_of(config.venue).hosts


def check_account(config: Config) -> None:
    """Refuse what the venue cannot do, before anything is created; raises `ConfigError`."""
    account = config.venue
    assert account is not None, "somebody asked for an account"
    abilities = venue_of(account).abilities
    for name, strategy in config.strategies.items():
        where = f"strategies.{name}"
        if strategy.instrument.partition(":")[0] != account.name:
            raise ConfigError(
                f"{strategy.instrument} is not traded at {account.name}",
                where=f"{where}.instrument",
                remedy=f"write {account.name}:SYMBOL, or change venue.name",
            )
        if strategy.amend and not abilities.amend:
            raise ConfigError(
                f"{account.name} cannot amend orders",
                where=f"{where}.amend",
                remedy="leave it out: orders are canceled and placed anew",
            )


def owners_of(config: Config, engine: Engine) -> tuple[str, ...]:
    """The strategies with their wallets: those at work, and those whose orders may still rest."""
    owners = [f"{name}_{each.wallet}" for name, each in config.strategies.items()]
    live = [parts_of(order.order_id) for order in engine.state.orders.live]
    owners += [parts.owner for parts in live if parts is not None]
    return tuple(dict.fromkeys(owners))


def wall() -> Nanos:
    """UTC, which all processes on a key have in common."""
    return Nanos(time.time_ns())


@asynccontextmanager
async def account_at(
    config: Config,
    engine: Engine,
    instruments: tuple[InstrumentDefined, ...],
    session: aiohttp.ClientSession,
    edge: tuple[Callable[..., None], Callable[[], Nanos]],
) -> AsyncIterator[VenueGateway]:
    """The gateway to the account that the config names; `edge` is the inbox's `tell` and `now`."""
    account, (tell, now) = config.venue, edge
    assert account is not None, "somebody asked for an account"
    venue = venue_of(account)
    credentials = credentials_for(account.name, os.environ)
    clock = VenueClock(account.name, now)
    port = venue.port(Edge(session, credentials, clock, now, owners_of(config, engine)))
    port.learn(instruments)
    async with _limits(config, account, venue, credentials) as limiter:
        state = engine.state
        ties = Ties(tell, now, state.orders.get, state.ledger.is_repeated)
        gateway = VenueGateway(port, limiter, clock, ties, account.settings)
        since = Nanos(engine.at - LOOK_BACK) if engine.turns else now()
        gateway.learn(tuple(each.instrument for each in instruments), since)
        try:
            yield gateway
        finally:
            await gateway.close()


@asynccontextmanager
async def _limits(
    config: Config, account: AccountConfig, venue: Venue, credentials: Credentials
) -> AsyncIterator[Limiter]:
    """The venue's limits, ours alone or shared with the other desks on the key."""
    rates = venue.abilities.rates
    if account.processes_max == 1:
        yield Limiter(rates, OwnPool(), wall)
        return
    server = access.from_environment(os.environ)
    if server is None:
        raise ConfigError(
            f"{account.processes_max} desks on one key share its limits through a NATS server",
            where="venue.processes_max",
            remedy="set NATS_URL, the same for each of them, or leave processes_max at 1",
        )
    client = await connection.connect(server)
    try:
        name = account_of(account.name, credentials.key)
        pool = await joined(client, name, config.desk, rates, account.processes_max)
        keeping = asyncio.create_task(pool.keep())
        try:
            yield Limiter(rates, pool, wall, seats=account.processes_max)
        finally:
            await end(keeping)
    finally:
        await connection.close(client)
