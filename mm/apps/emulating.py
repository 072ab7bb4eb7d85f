"""An emulator as people run it: a feed, accounts and faults around the venues they name."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from mm.emulator.exchange import Exchange, Keys
from mm.emulator.faults import Rule
from mm.emulator.market import Market
from mm.emulator.server import Front
from mm.emulator.venues import Venue, venue_of
from mm.errors import ConfigError
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import InstrumentId, Nanos
from mm.gateways.base import Feed
from mm.gateways.recorded import RecordedFeed, SyntheticFeed

KEY: Final = "MM_EMULATOR_KEY"
SECRET: Final = "MM_EMULATOR_SECRET"  # noqa: S105  The name of a variable.
KEY_BYTES: Final = 32
BASE_HELD: Final = Decimal(10)
QUOTE_HELD: Final = Decimal(1_000_000)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for; without a recording the market is synthetic."""

    venues: tuple[str, ...]
    recording: Path | None = None
    seed: int = 1
    start: Nanos
    speed: float = 1.0
    loop: bool = False
    balances: dict[str, Decimal] | None = None
    faults: tuple[Rule, ...] = ()


class Emulation:
    """The venues, with a market and an account each."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        """Read the feeds; raises `ConfigError` or `BadInput` where one cannot be played."""
        self._keys: dict[str, Keys] = {}
        self.fronts: list[Front] = []
        self.markets: list[Market] = []
        for name in settings.venues:
            venue = venue_of(name)
            exchange = Exchange(name)
            feed = _feed(name, venue, settings)
            market = Market(
                feed, exchange, speed=settings.speed, loop=settings.loop, terms=venue.terms
            )
            front = venue.front(exchange)
            held = settings.balances
            own = self._keys[name] = venue.keys(keys)
            exchange.open(own, opening(feed.instruments) if held is None else held)
            self.fronts.append(front)
            self.markets.append(market)

    def environment(self) -> dict[str, str]:
        """The credentials of every venue, as a client of ours reads them."""
        found: dict[str, str] = {}
        for front in self.fronts:
            name = front.venue.upper()
            keys = self._keys[front.venue]
            found |= {f"MM_{name}_KEY": keys.key, f"MM_{name}_SECRET": keys.secret}
        return found

    def status(self) -> str:
        """One line: markets, orders, fills, and what was used of the limits."""
        return " · ".join(map(_status, self.fronts))


def _status(front: Front) -> str:
    exchange = front.exchange
    tops = [
        f"{symbol} {listing.instrument.price(listing.book.bid)}"
        f"/{listing.instrument.price(listing.book.ask)}"
        for symbol, listing in exchange.listings.items()
    ]
    accounts = exchange.accounts.values()
    orders = sum(len(account.open()) for account in accounts)
    fills = sum(len(account.fills) for account in accounts)
    return f"{front.venue} {', '.join(tops)}, {orders} open, {fills} fills"


def keys_from(environment: Mapping[str, str]) -> Keys:
    """The keys that the environment names, else new ones; raises `ConfigError` for half of them."""
    key, secret = environment.get(KEY, ""), environment.get(SECRET, "")
    if bool(key) != bool(secret):
        raise ConfigError(
            "one of key and secret is set, the other is not",
            where=f"{KEY}, {SECRET}",
            remedy="set both, or neither: then new ones are made",
        )
    if key:
        return Keys(key, secret)
    return Keys(secrets.token_hex(KEY_BYTES), secrets.token_hex(KEY_BYTES))


def opening(instruments: Sequence[InstrumentDefined]) -> dict[str, Decimal]:
    """What an account begins with: enough of everything to play with."""
    held: dict[str, Decimal] = {}
    for instrument in instruments:
        if instrument.kind is ContractKind.SPOT:
            held.setdefault(instrument.base, BASE_HELD)
            held.setdefault(instrument.quote, QUOTE_HELD)
        else:
            held.setdefault(instrument.settle, QUOTE_HELD)
    return held


def _feed(name: str, venue: Venue, settings: Settings) -> Feed:
    if settings.recording is None:
        return SyntheticFeed(venue.settings(), settings.seed, settings.start)
    recorded = RecordedFeed(settings.recording)
    instruments = recorded.instruments
    own = [each for each in instruments if each.venue == name]
    if own:
        return OfInstruments(recorded, own)
    kinds = [each for each in instruments if (each.kind is venue.kind)]
    if not kinds:
        traded = ", ".join(each.name for each in instruments)
        raise ConfigError(
            f"{settings.recording} has nothing that {name} could trade, but {traded}",
            where="--recording",
            remedy=f"name a recording with a {venue.kind} instrument, or another venue",
        )
    return OfInstruments(recorded, kinds)


class OfInstruments:
    """A feed of which some instruments are played."""

    def __init__(self, feed: Feed, instruments: Sequence[InstrumentDefined]) -> None:
        """Play these."""
        self._feed = feed
        self.instruments = tuple(instruments)
        self._ids: set[InstrumentId] = {each.instrument for each in instruments}

    def messages(self, after: Nanos) -> Iterator[Any]:
        """The feed's messages, as far as they speak of these."""
        for message in self._feed.messages(after):
            facts = tuple(
                fact for fact in message.facts if getattr(fact, "instrument", None) in self._ids
            )
            if facts:
                yield message._replace(facts=facts)
