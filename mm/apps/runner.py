"""The runner: what was heard becomes a turn, the turn is made durable, then intents leave.

This loop is the system. It is the log's only writer and the only reader of the clock. While an
append is under way the inbox fills; what it holds when the acknowledgement comes is the next turn.
If the log cannot acknowledge, nothing leaves but cancels, and the same turn is offered again until
it is stored or the patience is spent. What would leave too long after it was decided stays here.
However a session breaks off, what rests is canceled first, unless the writer was fenced.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from mm.apps.clock import Clock, FeedClock, sleep_until
from mm.apps.inbox import Inbox, whole
from mm.apps.outage import Outage
from mm.apps.sending import FAULTED, TOO_OLD, has_faulted, leaving, unsent
from mm.apps.spool import Spool
from mm.engine.core import Engine
from mm.errors import LogFull, LogUnavailable, MmError, WriterFenced
from mm.events.base import MarketEvent
from mm.events.orders import CancelAll, CancelOrder
from mm.events.session import EngineFaulted, NoteTaken, SessionEnded, StopRequested
from mm.events.turn import TURN_FACTS_MAX
from mm.events.units import MILLIS, SECONDS, Nanos
from mm.events.vocabulary import Decision, Fact
from mm.gateways.base import Gateway
from mm.log.base import Log
from mm.log.chain import Sealed, advance, seal

BATCH_SPAN_MAX: Final = Nanos(5 * MILLIS)
"""Log time that one turn may cover when the feed does not wait for the clock."""
STOP_PATIENCE: Final = Nanos(10 * SECONDS)
PUMP_BURST: Final = 64
"""Messages between two yields to the loop, on a feed that has fallen behind or has no pace."""
DECISION_AGE_MAX: Final = SECONDS
"""Real time after which a decision is out of date, be the log slow or this process stopped.

It counts from when the oldest market fact of its turn came in: what waited is not fresh.
"""


class Timing(msgspec.Struct):
    """Where the real time of the last turn went, in nanoseconds."""

    turns: int = 0
    step: int = 0
    append: int = 0
    heard_to_durable: int = 0


OnTurn = Callable[[Sealed, Timing], None]


class Runner:
    """One session of one desk, from its first turn to its last."""

    def __init__(
        self,
        log: Log,
        engine: Engine,
        gateway: Gateway,
        clock: Clock,
        inbox: Inbox,
        spool: Spool | None = None,
    ) -> None:
        """Take over a log, the engine that was recovered from it, and what the log is owed."""
        assert engine.turns == log.head.number, "the engine is not where the log is"
        self.log = log
        self.engine = engine
        self.inbox = inbox
        self.timing = Timing()
        self.faulted = ""
        self.on_turn: list[OnTurn] = []
        self._gateway = gateway
        self._clock = clock
        self._head = log.head
        self._stop: StopRequested | None = None
        self._stop_by: Nanos | None = None
        self._spool = spool or Spool(None)
        self._outage = Outage(log, gateway, self._spool)
        self._offered: Sealed | None = None
        self._pulled = False

    # -- control -------------------------------------------------------------------------------

    def stop(self, who: str, reason: str) -> None:
        """Ask for an orderly end: quotes pulled, orders canceled, log flushed; asked once."""
        if self._stop is None:
            self._stop = StopRequested(who=who, reason=reason)
            self.inbox.tell(self._stop)

    @property
    def reason(self) -> str:
        """Why the session ends, or nothing while it goes on."""
        return self._stop.reason if self._stop is not None else ""

    # -- the session ---------------------------------------------------------------------------

    async def open(self, facts: Iterable[Fact]) -> None:
        """The first turns: session and instruments, then what the venue says of our account."""
        await self._turns(self._now(), tuple(facts))
        await self._spool.reconsider(self.log)
        await self._turns(self._now(), self._spool.owed)
        at = self._now()
        live = self.engine.state.orders.live
        await self._turns(at, await self._gateway.reconcile(at, live))

    async def run(self) -> None:
        """Turns until the session is asked to stop and nothing of ours rests any more.

        Whatever else ends it is passed on, after cancels for all that rests have left.
        """
        orderly = False
        try:
            while not self._done():
                facts, at, arrived = await self._heard()
                if facts or self._timer_due(at):
                    await self._turn(at, tuple(facts), arrived)
                if self.inbox.ended and not len(self.inbox):
                    self.stop("feed", "the feed has ended")
            orderly = True
        finally:
            if not orderly:
                self._abandon(sys.exception())

    async def close(self, session: str, wall_time: Nanos) -> None:
        """The last turns: what the venue says of our account now, then the end."""
        at, live = self._now(), self.engine.state.orders.live
        await self._turns(at, await self._gateway.reconcile(at, live))
        reason, count = self.reason, len(self.engine.state.orders.live)
        if count:
            reason = f"{reason}; {count} orders are still open"
        ended = SessionEnded(session=session, reason=reason, wall_time=wall_time)
        left, _, _ = self.inbox.take(Nanos(0), len(self.inbox))
        await self._turns(self._now(), (*left, ended))

    def _abandon(self, error: BaseException | None) -> None:
        """Cancel what rests, unless that was done or the orders are another writer's now."""
        assert error is not None, "only an exception breaks off"
        if not self._pulled and not isinstance(error, WriterFenced):
            live = self.engine.state.orders.live
            self._outage.abandon(self._offered, live, self._head, self._now(), error)

    def _done(self) -> bool:
        if self._stop is None or self.inbox.has_private:
            return False
        if self._stop_by is None:
            self._stop_by = Nanos(self._now() + STOP_PATIENCE)
        if self._now() >= self._stop_by:
            return True
        return not self.engine.state.orders.live and not self._venue_speaks(self._stop_by)

    def _venue_speaks(self, until: Nanos) -> bool:
        """Whether the venue has something to do or to say by then: a fill under way, a payment."""
        due = self._gateway.due()
        return due is not None and due <= until

    # -- hearing -------------------------------------------------------------------------------

    def _now(self) -> Nanos:
        return Nanos(max(self._head.at, self._clock.now()))

    def _deadline(self) -> Nanos | None:
        due = (self.engine.deadline(), self._gateway.due(), self._stop_by)
        return min((at for at in due if at is not None), default=None)

    def _timer_due(self, at: Nanos) -> bool:
        deadline = self.engine.deadline()
        return deadline is not None and deadline <= at

    async def _heard(self) -> tuple[list[Fact], Nanos, int]:
        if isinstance(self._clock, FeedClock):
            return await self._heard_as_fed(self._clock)
        deadline = self._deadline()
        wait = None if deadline is None else self._clock.seconds_until(deadline)
        await self.inbox.filled(wait)
        stepped = self._clock.stepped()
        if stepped is not None:
            self.inbox.tell(stepped)
        at = self._now()  # The one clock read of this turn.
        facts, arrived, _ = self.inbox.take(None, self._room(at))
        return self._with_answers(facts, at), at, arrived

    async def _heard_as_fed(self, clock: FeedClock) -> tuple[list[Fact], Nanos, int]:
        """Without a pace, deadlines and messages alternate by log time alone."""
        await self.inbox.gathered(BATCH_SPAN_MAX, TURN_FACTS_MAX)
        deadline, waiting = self._deadline(), self.inbox.next_at
        if deadline is not None and (waiting is None or deadline < waiting):
            if not self.inbox.has_private:
                clock.move(deadline)
            until = self._now()
        else:
            until = Nanos((waiting or self._now()) + BATCH_SPAN_MAX)
            until = min(until, deadline) if deadline is not None else until
        facts, arrived, last = self.inbox.take(until, self._room(until))
        clock.move(last)
        at = self._now()
        return self._with_answers(facts, at), at, arrived

    def _room(self, at: Nanos) -> int:
        """How many facts the turn can take beside the timers that are due."""
        return TURN_FACTS_MAX - (self.engine.timers if self._timer_due(at) else 0)

    def _with_answers(self, facts: list[Fact], at: Nanos) -> list[Fact]:
        """What the market did reaches the simulated venue first; then its answers reach us."""
        market = tuple(fact for fact in facts if isinstance(fact, MarketEvent))
        if market:
            self._gateway.observe(at, market)
        answers = self._gateway.poll(at)
        room = 0 if self.inbox.has_private else max(0, self._room(at) - len(facts))
        count = whole(answers, room)  # None overtakes one that is still waiting.
        facts.extend(answers[:count])
        if len(answers) > count:
            self.inbox.tell(*answers[count:])
        return facts

    # -- one turn ------------------------------------------------------------------------------

    async def _turns(self, at: Nanos, heard: tuple[Fact, ...]) -> None:
        """As many turns as the facts, and the timers that are due, need."""
        if not heard:
            return
        room = self._room(at)
        await self._turn(at, heard[:room])
        for start in range(room, len(heard), TURN_FACTS_MAX):
            await self._turn(at, heard[start : start + TURN_FACTS_MAX])

    async def _turn(self, at: Nanos, heard: tuple[Fact, ...], arrived: int = 0) -> None:
        began = time.monotonic_ns()
        outcome = self.engine.step(at, heard)
        sealed = seal(self._head, at, outcome.facts, outcome.decisions)
        stepped = time.monotonic_ns()
        late = await self._append(sealed)
        durable = time.monotonic_ns()
        self._head, self._offered = advance(self._head, sealed), None
        if self._spool.owed:
            self._spool.settle(sealed.turn.facts)
        since = min(began, arrived or began)
        old = self._clock.paced and time.monotonic_ns() - since > DECISION_AGE_MAX
        self._act(outcome.decisions, late=late or old)
        self._measure(began, stepped, durable, arrived)
        self._show(sealed)

    def _show(self, sealed: Sealed) -> None:
        """Tell who watches; one whose outside fails, a pipe perhaps, watches no more."""
        for told in tuple(self.on_turn):
            try:
                told(sealed, self.timing)
            except (OSError, MmError) as error:
                self.on_turn.remove(told)
                self.inbox.tell(NoteTaken(who="runner", text=f"nobody watches now: {error!r}"))

    async def _append(self, sealed: Sealed) -> bool:
        """Store the turn; True when that took an outage, so that its orders are out of date."""
        self._offered = sealed
        try:
            await self.log.append(sealed)
        except (LogUnavailable, LogFull) as error:
            live, self._pulled = self.engine.state.orders.live, True
            self.inbox.tell(*self._outage.cancel(sealed, live, self._now(), error))
            if isinstance(error, LogFull):
                raise
            await self._outage.ride_out(sealed)
            self._pulled = False
            return True
        return False

    def _act(self, decisions: tuple[Decision, ...], *, late: bool) -> None:
        """Intents leave, cancels first; orders of a fault, and those too late, stay here."""
        faulted = has_faulted(decisions)
        for intent in leaving(decisions):
            at = self._now()
            if (late or faulted) and not isinstance(intent, CancelOrder | CancelAll):
                self.inbox.tell(unsent(intent, at, FAULTED if faulted else TOO_OLD))
            else:
                self.inbox.tell(*self._gateway.send(at, intent))
        for decision in decisions:
            if isinstance(decision, EngineFaulted):
                self.faulted = f"{decision.error} in {decision.where}"
                self.stop("engine", "engine faulted")

    def _measure(self, began: int, stepped: int, durable: int, arrived: int) -> None:
        timing = self.timing
        timing.turns += 1
        timing.step = stepped - began
        timing.append = durable - stepped
        timing.heard_to_durable = durable - arrived if arrived else 0


async def pump(
    messages: Iterable[tuple[Nanos, tuple[Fact, ...]]], inbox: Inbox, clock: Clock
) -> None:
    """Carry a recorded feed into the inbox at the clock's pace; yields to the loop throughout."""
    for count, (received, facts) in enumerate(messages):
        await sleep_until(clock, received)
        if not count % PUMP_BURST:
            await asyncio.sleep(0)
        await inbox.put(received, facts)
    inbox.end()
