"""Whether a venue can be traded at from here: each thing a session needs, tried one by one."""

import os
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec

from mm.apps.account_config import AccountConfig
from mm.apps.accounts import VENUES, Edge, venue_of, wall
from mm.apps.venue_config import VenueFeedConfig
from mm.apps.venues import market_port, revised
from mm.errors import MmError
from mm.events.instrument import InstrumentDefined
from mm.events.units import MILLIS
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import credentials_for, refuse_dangerous
from mm.gateways.network import open_network, settings_from
from mm.gateways.order_port import OrderPort
from mm.gateways.questions import Outside
from mm.gateways.venue_feed import known
from mm.projections.ledger import Ledger

STRATEGY: Final = "check_main"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried: what came of it, and what to do where it failed."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A venue that orders can be sent to, and what it can do."""

    venue: str
    amend: bool
    cancel_all: bool
    reduce_only: bool
    positions: bool
    limits: str
    key: str


def listed() -> list[Listed]:
    """Every venue, and whether a key for it is at hand."""
    return [
        Listed(
            venue=name,
            amend=venue.abilities.amend,
            cancel_all=venue.abilities.cancel_all,
            reduce_only=venue.abilities.reduce_only,
            positions=venue.abilities.positions,
            limits=", ".join(
                f"{rate.most:,} {rate.name} in {rate.span // (1000 * MILLIS)} s"
                for rate in venue.abilities.rates
            ),
            key=_key(name),
        )
        for name, venue in VENUES.items()
    ]


def _key(name: str) -> str:
    try:
        credentials_for(name, os.environ)
    except MmError:
        return "none"
    return "given"


class Check:
    """The steps of one venue, in the order in which a session takes them."""

    def __init__(self, name: str, symbols: tuple[str, ...]) -> None:
        """Check the venue for trading these symbols; raises `ConfigError` for no such venue."""
        self._name = name
        self._symbols = symbols
        self._venue = venue_of(AccountConfig(name=name))
        self._instruments: tuple[InstrumentDefined, ...] = ()
        self.steps: list[Step] = []

    async def run(self) -> list[Step]:
        """All steps; the first that fails is the last."""
        market = market_port(VenueFeedConfig(venue=self._name, symbols=self._symbols))
        hosts = dict.fromkeys((*market.hosts, *self._venue.hosts))
        async with open_network(hosts, settings_from(os.environ)) as session:
            clock = VenueClock(self._name, wall)

            async def instruments() -> str:
                outside = Outside(session=session, now=wall)
                found = await known(market, outside, self._symbols)
                self._instruments = revised(found.instruments, Ledger())
                return "; ".join(map(_worded, self._instruments))

            if not await self._step("instruments", instruments):
                return self.steps
            try:
                credentials = credentials_for(self._name, os.environ)
            except MmError as error:
                self.steps.append(_failed("key", error))
                return self.steps
            port = self._venue.port(Edge(session, credentials, clock, wall, (STRATEGY,)))
            port.learn(self._instruments)
            for name, work in _questions(self._name, port, clock, self._instruments):
                if not await self._step(name, work):
                    break
        return self.steps

    async def _step(self, name: str, work: Callable[[], Coroutine[Any, Any, str]]) -> bool:
        try:
            found = await work()
        except MmError as error:
            self.steps.append(_failed(name, error))
            return False
        self.steps.append(Step(name=name, ok=True, found=found))
        return True


def _questions(
    name: str, port: OrderPort, clock: VenueClock, instruments: tuple[InstrumentDefined, ...]
) -> list[tuple[str, Callable[[], Coroutine[Any, Any, str]]]]:
    """What the private side is asked."""

    async def time() -> str:
        measured = await clock.measure(port.venue_clock)
        state = "safe" if measured.safe else "too far away to sign anything"
        trip = measured.round_trip / MILLIS
        return f"{measured.offset / MILLIS:+.1f} ms off, {trip:.1f} ms there and back: {state}"

    async def permissions() -> str:
        found = await port.permissions()
        refuse_dangerous(name, found)
        return ", ".join(found) or "the venue does not tell"

    async def account() -> str:
        return f"{len(await port.account())} balances and positions"

    async def orders() -> str:
        counts = [
            f"{each.name}: {len(await port.open_orders(each.instrument))}" for each in instruments
        ]
        return "open orders: " + ", ".join(counts)

    async def budget() -> str:
        rates = port.abilities.rates
        return ", ".join(f"{rate.name} {rate.most:,}" for rate in rates) or "none is known"

    return [
        ("clock", time),
        ("permissions", permissions),
        ("account", account),
        ("orders", orders),
        ("rate budget", budget),
    ]


def _failed(name: str, error: MmError) -> Step:
    return Step(name=name, ok=False, found=error.what, remedy=error.remedy)


def _worded(instrument: InstrumentDefined) -> str:
    return (
        f"{instrument.name}: tick {instrument.tick_size}, "
        f"size step {instrument.size(instrument.size_step)}, least {instrument.notional_min} "
        f"{instrument.quote}"
    )
