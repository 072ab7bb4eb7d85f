"""The parts around a session's runner, built from a configuration in the order they are needed.

What is wrong with the configuration itself is found before anything is created (`precheck`).
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from mm.apps.clock import Clock, FeedClock, PacedClock
from mm.apps.config import Config, RecordingFeedConfig
from mm.apps.inbox import Inbox
from mm.apps.runner import pump
from mm.apps.session import ANOTHER, STEP, Wiring, check, check_names
from mm.apps.sessions import find
from mm.apps.venue_config import VenueFeedConfig
from mm.engine.core import Engine
from mm.errors import ConfigError, SessionError
from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.units import Nanos
from mm.gateways.base import Feed, Message
from mm.gateways.paper import PaperGateway
from mm.gateways.recorded import RecordedFeed, SyntheticFeed


def feed_of(config: Config, start: Nanos) -> Feed:
    """The recorded or synthetic feed that the configuration names."""
    chosen = config.feed
    assert not isinstance(chosen, VenueFeedConfig), "a venue is not played"
    if isinstance(chosen, RecordingFeedConfig):
        return RecordedFeed(find(chosen.path))
    return SyntheticFeed(chosen.market.settings, config.seed, start)


def precheck(config: Config) -> None:
    """Refuse what cannot be played, before anything is created; raises `ConfigError`."""
    if isinstance(config.feed, VenueFeedConfig):
        check_names(config.engine, [f"{config.feed.venue}:{each}" for each in config.feed.symbols])
        return
    if config.reference.pairs:
        raise ConfigError(
            "a market that is played has no rates of today",
            where="reference.pairs",
            remedy="leave the table out, or hear a venue",
        )
    check(config.engine, feed_of(config, Nanos(0)).instruments)


class PlayedSource:
    """A feed that is played: recorded or made."""

    def __init__(self, feed: Feed, first: Message, rest: Iterator[Message], clock: Clock) -> None:
        """Begin with a message that was taken from the feed to know when it begins."""
        self._feed = feed
        self._first = first
        self._rest = rest
        self._clock = clock

    @property
    def instruments(self) -> tuple[InstrumentDefined, ...]:
        """What the feed speaks of."""
        return self._feed.instruments

    async def carry(self, inbox: Inbox) -> None:
        """At the clock's pace."""
        await inbox.put(self._first.received, self._first.facts)
        await pump(self._rest, inbox, self._clock)


@asynccontextmanager
async def wired(config: Config, engine: Engine, wall: Nanos) -> AsyncIterator[Wiring]:
    """A recorded or synthetic market, and a paper account."""
    yield _played(config, engine, wall)


def _played(config: Config, engine: Engine, wall: Nanos) -> Wiring:
    feed = feed_of(config, Nanos(max(wall, engine.at + STEP)))
    messages = feed.messages(engine.at)
    first = next(messages, None)
    if first is None:
        raise SessionError(
            "the recording has nothing after where this desk's log ends",
            where=str(getattr(config.feed, "path", "feed")),
            remedy=f"name a longer recording, or another desk: {ANOTHER}",
        )
    start = Nanos(max(first.received, engine.at))
    speed = config.speed
    clock: Clock = FeedClock(start) if speed is None else PacedClock(start, speed)
    return Wiring(
        source=PlayedSource(feed, first, messages, clock),
        gateway=paper_account(config, engine, feed.instruments, start),
        clock=clock,
        inbox=Inbox(),
        wall=wall,
    )


def paper_account(
    config: Config, engine: Engine, instruments: tuple[InstrumentDefined, ...], at: Nanos
) -> PaperGateway:
    """The paper account, holding what the log says is in it; what the log lacks, nobody has.

    Only assets that the log has no figure of begin as the settings say.
    """
    gateway = PaperGateway(config.paper.settings, config.seed)
    for instrument in instruments:
        gateway.define(at, instrument)
    gateway.restore(left_behind(engine, config.paper.wallet, at))
    return gateway


def left_behind(engine: Engine, wallet: str, at: Nanos) -> list[BalanceReported | PositionReported]:
    """What the log says is in a wallet, however the sessions before ended.

    Balances are the last ones told, which come with each fill and payment that moved them.
    Positions are what all fills of the wallet net to, whoever asked for them, at the venue's cost.
    """
    reports: list[BalanceReported | PositionReported] = [
        BalanceReported(
            wallet=wallet, asset=asset, free=free, locked=locked, received=at, venue_time=at
        )
        for (owner, asset), (free, locked) in engine.state.balances.assets.items()
        if owner == wallet
    ]
    ledger = engine.state.ledger
    for (owner, number), position in ledger.netted.items():
        if owner != wallet:
            continue
        instrument = ledger.instruments[number]
        size, entry = position.net, position.entry(instrument.kind) * instrument.tick_size
        if size:
            reports.append(
                PositionReported(
                    wallet=wallet,
                    instrument=number,
                    size=size,
                    entry=entry,
                    received=at,
                    venue_time=at,
                )
            )
    return reports
