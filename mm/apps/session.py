"""One session: the log is read, the state rebuilt, and a runner put between its parts.

What does not fit the desk's log is found when that has been read, and before anything is written
to it. The parts around the runner come from `mm.apps.wiring`.
"""

import asyncio
import contextlib
import platform
import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec

from mm import __version__
from mm.apps import snapshots
from mm.apps.clock import Clock
from mm.apps.config import Config
from mm.apps.inbox import Inbox
from mm.apps.runner import Runner
from mm.apps.snapshots import Snapshot
from mm.apps.spool import Spool
from mm.engine.core import Engine
from mm.engine.settings import EngineSettings, limits_of, strategy_of
from mm.errors import ConfigError, SessionError, TradingStopped
from mm.events.instrument import InstrumentDefined
from mm.events.session import SessionStarted, TradingRearmed
from mm.events.units import SECONDS, Nanos, TurnNumber
from mm.events.vocabulary import Fact
from mm.gateways.base import Gateway
from mm.log.base import Log
from mm.projections.ledger import Ledger

STEP: Final = Nanos(1)
ANOTHER: Final = "`desk = …` in the config, or MM_DESK"


class Recovery(msgspec.Struct, frozen=True):
    """What was read from the log before the session began; a snapshot stood for `skipped` turns."""

    turns: int
    events: int
    skipped: int
    seconds: float


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a session ended; `open` orders are those that the venue did not let go of in time."""

    session: str
    reason: str
    turns: int
    events: int
    digest: str
    halted: str
    faulted: str
    open: int


def check(settings: EngineSettings, instruments: tuple[InstrumentDefined, ...]) -> None:
    """Refuse strategies whose instrument the feed lacks, or whose sizes it cannot express."""
    known = {each.name: each for each in instruments}
    check_names(settings, known)
    for name, strategy in settings.strategies.items():
        instrument = known[strategy.instrument]
        strategy_of(name, strategy, instrument)
        limits_of(settings.limits[strategy.instrument], instrument)


def check_names(settings: EngineSettings, names: Collection[str]) -> None:
    """Refuse strategies whose instrument is none of these."""
    for name, strategy in settings.strategies.items():
        if strategy.instrument not in names:
            raise ConfigError(
                f"strategy {name} quotes {strategy.instrument}, which the feed does not carry",
                where=f"strategies.{name}.instrument",
                remedy=f"choose one of {', '.join(sorted(names))}",
            )


def check_known(instruments: tuple[InstrumentDefined, ...], logged: Ledger) -> None:
    """Refuse a feed that gives an id of this log to another instrument, or to other ticks or lots.

    Raises `SessionError`.
    """
    for each in instruments:
        before = logged.instruments.get(each.instrument, each)
        if before.identity != each.identity:
            raise SessionError(
                f"the feed's {each.name} is not the {before.name} that this desk's log has",
                where=f"instrument {each.instrument}",
                remedy=f"another instrument, tick or lot takes another desk: {ANOTHER}",
            )


async def recover(log: Log, snapshot: Path | None = None) -> tuple[Engine, Recovery]:
    """The engine's state as the log has it: a snapshot and what follows, or every turn folded.

    A log that was opened unchecked is checked as it is read; raises what `Log.read` does.
    """
    began = time.monotonic()
    cached = snapshots.load(snapshot) if snapshot is not None else None
    engine = await _from_snapshot(log, cached) if cached is not None else None
    skipped = cached.head.number if cached is not None and engine is not None else TurnNumber(0)
    if engine is None:
        engine = Engine()
        async for sealed in log.read():
            engine.fold(sealed.turn)
    seconds = time.monotonic() - began
    return engine, Recovery(engine.turns, engine.events, skipped, seconds)


async def recover_orders(log: Log) -> Engine:
    """Orders, positions and control alone, from the copy that is kept for ever."""
    engine = Engine()
    async for sealed in log.read_orders():
        engine.fold(sealed.turn)
    return engine


async def _from_snapshot(log: Log, cached: Snapshot) -> Engine | None:
    """A snapshot and what follows, when the log holds the very turn that it was taken after."""
    if not 0 < cached.head.number <= log.head.number:
        return None
    async with contextlib.aclosing(log.read(TurnNumber(cached.head.number - 1))) as turns:
        sealed = await anext(turns)
        if sealed.hash != cached.head.hash:
            return None
        engine = snapshots.restored(cached)
        if engine is None:
            return None
        async for sealed in turns:
            engine.fold(sealed.turn)
    return engine


def opening(
    config: Config,
    session: str,
    mode: str,
    instruments: tuple[InstrumentDefined, ...],
    wall_time: Nanos,
) -> tuple[Fact, ...]:
    """The facts of a session's first turn."""
    started = SessionStarted(
        session=session,
        desk=config.desk,
        mode=mode,
        code_version=f"{__version__}+{snapshots.fingerprint()[:12]}",
        config=config.as_json(),
        config_hash=config.fingerprint(),
        seed=config.seed,
        wall_time=wall_time,
        # A backtest is a function of recording, config and code: no machine has a part in it.
        python="" if mode == "backtest" else platform.python_version(),
    )
    return (started, *instruments)


class Source(Protocol):
    """Where a session hears the market: recorded, made, or a venue's."""

    @property
    def instruments(self) -> tuple[InstrumentDefined, ...]:
        """What it speaks of."""

    async def carry(self, inbox: Inbox) -> None:
        """Bring what is heard into the inbox, until there is nothing more or nobody listens."""


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around a runner: `mm.apps.wiring` makes it from a configuration."""

    source: Source
    gateway: Gateway
    clock: Clock
    inbox: Inbox
    wall: Nanos
    """The wall clock when the session was built."""


class Session:
    """A runner with its feed, wired; `run` plays it to its end."""

    def __init__(
        self,
        config: Config,
        log: Log,
        engine: Engine,
        wiring: Wiring,
        spool: Spool | None = None,
    ) -> None:
        """Put the runner between its parts; refuses what does not fit the log."""
        self.config = config
        self._source = wiring.source
        check(config.engine, self._source.instruments)
        check_known(self._source.instruments, engine.state.ledger)
        self.clock = wiring.clock
        self.inbox = wiring.inbox
        self.runner = Runner(log, engine, wiring.gateway, self.clock, self.inbox, spool)
        self._wall = wiring.wall
        begun = datetime.fromtimestamp(self._wall // SECONDS, UTC)
        self.name = f"{config.desk}-{begun:%Y%m%dT%H%M%SZ}"

    async def run(self, mode: str, rearm: str = "") -> Ended:
        """Play the session to its end, however it is asked to end."""
        runner, engine = self.runner, self.runner.engine
        self._refuse_halted(rearm)
        facts = opening(self.config, self.name, mode, self._source.instruments, self._wall)
        if rearm:
            facts = (*facts, TradingRearmed(who="operator", reason=rearm))
        await runner.open(facts)
        pumping = asyncio.create_task(self._source.carry(self.inbox))
        pumping.add_done_callback(self._fed)
        try:
            with _timer(self.config, runner):
                await runner.run()
        finally:
            pumping.cancel()
            (failure,) = await asyncio.gather(pumping, return_exceptions=True)
        await runner.close(self.name, Nanos(time.time_ns()))
        if isinstance(failure, Exception):
            raise failure
        return Ended(
            session=self.name,
            reason=runner.reason,
            turns=engine.turns,
            events=engine.events,
            digest=engine.digest(),
            halted=engine.state.health.halted,
            faulted=runner.faulted,
            open=len(engine.state.orders.live),
        )

    def _fed(self, feed: asyncio.Task[None]) -> None:
        """The feed says no more: it has ended, was ended, or failed."""
        failure = None if feed.cancelled() else feed.exception()
        if failure is not None:
            self.runner.stop("feed", f"the feed failed: {getattr(failure, 'what', failure)}")
        self.inbox.end()

    def _refuse_halted(self, rearm: str) -> None:
        halted = self.runner.engine.state.health.halted
        if halted and not rearm:
            raise TradingStopped(
                f"this desk is halted: {halted}",
                where=self.config.desk,
                remedy="find out why, then start again with --rearm 'what you found'",
            )


@contextlib.contextmanager
def _timer(config: Config, runner: Runner) -> Iterator[None]:
    seconds = config.duration.nanos / 1e9
    if not seconds:
        yield
        return
    handle = asyncio.get_running_loop().call_later(
        seconds, runner.stop, "runner", f"{config.duration} have passed"
    )
    try:
        yield
    finally:
        handle.cancel()
