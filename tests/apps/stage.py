"""A session on a stage: the real runner, engine and paper venue on a synthetic market.

Only the log may be a stand-in, and both ports are watched: `trace` has what was acknowledged and
what left, in the order in which it happened.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mm.apps.clock import Clock, FeedClock
from mm.apps.config import Config, build
from mm.apps.inbox import Inbox
from mm.apps.runner import Runner, pump
from mm.apps.session import opening
from mm.engine.core import Engine
from mm.events.units import SECONDS, Nanos, TurnNumber
from mm.gateways.paper import PaperGateway
from mm.gateways.recorded import SyntheticFeed
from mm.log.memory import MemoryLog

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from mm.apps.spool import Spool
    from mm.errors import LogError
    from mm.events.orders import AmendOrder, CancelAll, CancelOrder, PlaceOrder
    from mm.events.vocabulary import Fact, Intent
    from mm.gateways.base import Message
    from mm.log.chain import Head, Sealed
    from mm.projections.orders import Order

    Command = PlaceOrder | AmendOrder | CancelOrder | CancelAll
    Trouble = Callable[[Sealed, int], LogError | None]

START: Final = Nanos(1_700_000_000 * SECONDS)
BTC: Final = "synthetic:BTC-USDT"
MAKER: Final[dict[str, Any]] = {
    "kind": "symmetric",
    "instrument": BTC,
    "order_size": 0.05,
    "position_max": 0.5,
    "half_spread_bps": 0.6,
    "levels": 2,
    "level_spacing_bps": 0.8,
    "skew_bps": 1.5,
    "drift_bps": 0.3,
    "refresh": "50ms",
}
LIMITS: Final = {
    "order_size_max": 0.5,
    "order_notional_max": 50_000,
    "position_max": 1,
    "open_orders_max": 20,
    "price_collar_bps": 50,
    "messages_per_second_max": 1_000,
}


def plain(**changes: Any) -> dict[str, Any]:
    """A config as a file would hold it; `changes` go to the one maker."""
    return {
        "desk": "stage",
        "seed": 7,
        "feed": {"kind": "synthetic", "speed": "max"},
        "strategies": {"maker": {**MAKER, **changes}},
        "limits": {BTC: dict(LIMITS)},
    }


def configured(**changes: Any) -> Config:
    """The same, typed."""
    return build(plain(**changes), {}, {}, where="stage")


class TroubledLog:
    """A log in memory that raises what `trouble` says of a turn and how often it was offered."""

    def __init__(self, trouble: Trouble, trace: list[Any]) -> None:
        """Start empty."""
        self.kept = MemoryLog()
        self.offered: list[Sealed] = []
        self._trouble = trouble
        self._trace = trace

    @property
    def head(self) -> Head:
        """Where the log stands."""
        return self.kept.head

    async def append(self, sealed: Sealed) -> None:
        """Raise, or store the turn and trace that."""
        times = sum(each.hash == sealed.hash for each in self.offered)
        self.offered.append(sealed)
        error = self._trouble(sealed, times)
        if error is not None:
            self._trace.append(error)
            raise error
        await self.kept.append(sealed)
        self._trace.append(sealed)

    def read(self, after: TurnNumber = TurnNumber(0)) -> AsyncGenerator[Sealed, None]:
        """As the log in memory."""
        return self.kept.read(after)

    def read_orders(self) -> AsyncGenerator[Sealed, None]:
        """As the log in memory."""
        return self.kept.read_orders()

    async def close(self) -> None:
        """Nothing to let go of."""


class WatchedGateway:
    """The paper gateway; every command that leaves is traced."""

    def __init__(self, gateway: PaperGateway, trace: list[Any]) -> None:
        """Watch `gateway`."""
        self._gateway = gateway
        self._trace = trace

    def observe(self, at: Nanos, facts: tuple[Fact, ...]) -> None:
        """Pass on."""
        self._gateway.observe(at, facts)

    def send(self, at: Nanos, intent: Intent) -> tuple[Fact, ...]:
        """Trace, then pass on."""
        self._trace.append(intent)
        return self._gateway.send(at, intent)

    def due(self) -> Nanos | None:
        """Pass on."""
        return self._gateway.due()

    def poll(self, at: Nanos) -> tuple[Fact, ...]:
        """Pass on."""
        return self._gateway.poll(at)

    async def reconcile(self, at: Nanos, live: list[Order]) -> tuple[Fact, ...]:
        """Pass on."""
        return await self._gateway.reconcile(at, live)

    async def close(self) -> None:
        """Pass on."""
        await self._gateway.close()


def nothing(_sealed: Sealed, _times: int) -> LogError | None:
    """A log without trouble."""
    return None


class Stage:
    """One session, wired; `play` opens it and runs it to its end."""

    def __init__(
        self,
        trouble: Trouble = nothing,
        *,
        messages: int = 600,
        clock: Clock | None = None,
        spool: Spool | None = None,
        **changes: Any,
    ) -> None:
        """Choose the log's trouble, the feed's length, and what to change of the maker."""
        self.config = configured(**changes)
        self.trace: list[Any] = []
        self.log = TroubledLog(trouble, self.trace)
        market = self.config.feed.market.settings  # type: ignore[union-attr]
        self.feed = SyntheticFeed(market, self.config.seed, START)
        self.inbox = Inbox()
        self.venue = PaperGateway(self.config.paper.settings, self.config.seed)
        for instrument in self.feed.instruments:
            self.venue.define(START, instrument)
        self.clock = clock or FeedClock(START)
        self.runner = Runner(
            self.log,
            Engine(),
            WatchedGateway(self.venue, self.trace),
            self.clock,
            self.inbox,
            spool,
        )
        self.messages: list[Message] = list(islice(self.feed.messages(Nanos(0)), messages))

    @property
    def engine(self) -> Engine:
        """The runner's."""
        return self.runner.engine

    @property
    def turns(self) -> list[Sealed]:
        """What was acknowledged, in order."""
        return [each for each in self.trace if hasattr(each, "payload")]

    @property
    def sent(self) -> list[Command]:
        """What left, in order."""
        return [each for each in self.trace if type(each).__name__.startswith(COMMANDS)]

    @property
    def facts(self) -> list[Any]:
        """Every fact on the log, in order."""
        return [fact for sealed in self.turns for fact in sealed.turn.facts]

    @property
    def decisions(self) -> list[Any]:
        """Every decision on the log, in order."""
        return [decision for sealed in self.turns for decision in sealed.turn.decisions]

    async def open(self) -> None:
        """Open the session."""
        facts = opening(self.config, "stage-1", "test", self.feed.instruments, START)
        await self.runner.open(facts)

    async def play(self) -> None:
        """Open, run to the end, close."""
        await self.open()
        await self.run()
        await self.runner.close("stage-1", START)

    async def run(self) -> None:
        """Feed the messages and run to the end; everything fits the inbox."""
        await pump(self.messages, self.inbox, FeedClock(START))
        await self.runner.run()


COMMANDS: Final = ("PlaceOrder", "AmendOrder", "CancelOrder", "CancelAll")
