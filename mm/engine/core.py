"""The engine: facts in, decisions out, a deterministic function of the log.

A step folds the facts of a turn, then asks every strategy that was woken, compares what it wants
with what rests, and passes each intent through risk. It reads no clock: `at` is the turn's time.
Its settings come from `SessionStarted`, its instruments from `InstrumentDefined`, so that a replay
needs nothing but the log. If our own code raises, the turn still has its facts, and the fault is a
decision beside them: quotes are pulled and trading halts until a person re-arms it.
"""

from typing import Any, Final, NamedTuple

from mm.engine.desk import Desk, Post
from mm.engine.fault import described, located
from mm.engine.intents import Origin, amending, order_for
from mm.engine.parameters import changed, settings_in
from mm.engine.quoter import Amend, Cancel, Step, plan
from mm.engine.risk import Risk
from mm.engine.settings import EngineSettings, limits_of, strategy_of
from mm.events.base import Body
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedStale,
    QuoteUpdated,
)
from mm.events.orders import (
    CancelAll,
    CancelOrder,
    CancelRejected,
    IntentRefused,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderResolved,
    OrderUncertain,
)
from mm.events.session import (
    EngineFaulted,
    NoQuoteReason,
    ParameterChanged,
    QuotingReasonChanged,
    SessionStarted,
    StopRequested,
    TimerFired,
    TradingHalted,
    TradingRearmed,
)
from mm.events.turn import Record, Turn, records
from mm.events.units import (
    InstrumentId,
    Nanos,
    Seq,
    TurnNumber,
)
from mm.events.vocabulary import Decision, Fact
from mm.projections.base import digest
from mm.projections.state import State, combined
from mm.strategy.base import MarketView, Wanted, nothing

DECISIONS_MAX: Final = 56
"""A turn's room for decisions; what does not fit is decided in the next turn."""

_OWN: Final = (
    OrderAcked,
    OrderRejected,
    OrderAmended,
    OrderCanceled,
    CancelRejected,
    OrderExpired,
    OrderFilled,
    OrderUncertain,
    OrderResolved,
)


class Outcome(NamedTuple):
    """What a turn holds: due timers and what was heard, then what was decided."""

    facts: tuple[Fact, ...]
    decisions: tuple[Decision, ...]


class Engine:
    """State, posts and the place in the log; changes only by `step` and `fold`."""

    def __init__(self) -> None:
        """Start before the first record; a `SessionStarted` brings the settings."""
        self.state = State()
        self.posts: dict[InstrumentId, Post] = {}
        self.turns = TurnNumber(0)
        self.events = Seq(0)
        self.at = Nanos(0)
        self._settings: EngineSettings | None = None
        self._deadline: Nanos | None = None
        self._pull = ""
        self._pull_cause = Seq(0)
        self._changes: list[ParameterChanged] = []
        self._decisions: list[Decision] = []
        self._watch()

    # -- what the runner and the replay call ---------------------------------------------------

    def deadline(self) -> Nanos | None:
        """When the next timer is due, or None without timers."""
        return self._deadline

    def _reschedule(self) -> None:
        due = [desk.deadline for post in self.posts.values() for desk in post.desks]
        self._deadline = min((at for at in due if at), default=None)

    def step(self, at: Nanos, heard: tuple[Fact, ...]) -> Outcome:
        """Fold what was heard at `at`, and decide."""
        assert at >= self.at, f"time runs back: {self.at} then {at}"
        facts: tuple[Fact, ...] = (*self._due(at), *heard)
        self._decisions = []
        self.turns = TurnNumber(self.turns + 1)
        self.at = at
        try:
            self._hear(facts)
            self._decide()
        except Exception as error:  # noqa: BLE001 - law 1: the fault is logged and trading halts.
            self._fault(error)
        self.events = Seq(self.events + len(self._decisions))
        return Outcome(facts, tuple(self._decisions))

    def fold(self, turn: Turn) -> None:
        """Take a turn as it was recorded, without deciding anything: recovery."""
        for record in records(turn):
            self.state.apply(record)
        self.turns, self.at = turn.number, turn.at
        self.events = Seq(turn.first + turn.size - 1)

    def digests(self) -> dict[str, str]:
        """The digest of every fold, and of what the desks remember."""
        desks = [desk.dump() for post in self.posts.values() for desk in post.desks]
        return {**self.state.digests(), "desks": digest(desks)}

    def digest(self) -> str:
        """One digest of everything the next decision depends on."""
        return combined(self.digests())

    def dump(self) -> Any:
        """All state, as plain values."""
        posts = [
            (key, post.risk.dump(), [desk.dump() for desk in post.desks])
            for key, post in self.posts.items()
        ]
        place = [self.turns, self.events, self.at]
        return {"place": place, "state": self.state.dump(), "posts": posts}

    # -- hearing -------------------------------------------------------------------------------

    def _watch(self) -> None:
        handlers: dict[type[Body], Any] = {
            SessionStarted: self._started,
            InstrumentDefined: self._defined,
            StopRequested: self._pulled,
            TradingHalted: self._pulled,
            TradingRearmed: self._rearmed,
            ParameterChanged: self._parameter,
            TimerFired: self._fired,
            **dict.fromkeys((BookSnapshot, BookDelta, QuoteUpdated), self._looked),
            **dict.fromkeys((FeedDown, FeedGapped, FeedResynced, FeedStale), self._unsettled),
            **dict.fromkeys(_OWN, self._own),
        }
        for kind, handler in handlers.items():
            self.state.watch(kind, handler)

    def _hear(self, facts: tuple[Fact, ...]) -> None:
        apply, first = self.state.apply, self.events + 1
        self.events = Seq(self.events + len(facts))
        for index, fact in enumerate(facts):
            apply(Record(Seq(first + index), self.turns, index, self.at, fact))

    def _due(self, at: Nanos) -> list[TimerFired]:
        if self._deadline is None or self._deadline > at:
            return []
        desks = [desk for post in self.posts.values() for desk in post.desks]
        due = sorted((desk.deadline, desk.name) for desk in desks if 0 < desk.deadline <= at)
        return [TimerFired(timer=name, deadline=deadline) for deadline, name in due]

    def _started(self, event: SessionStarted, _record: Record) -> None:
        self._settings = settings_in(event.config)
        self.posts.clear()
        self._pull = ""
        for instrument in self.state.ledger.instruments.values():
            self._open(instrument)
        self._reschedule()

    def _defined(self, event: InstrumentDefined, _record: Record) -> None:
        self._open(event)

    def _open(self, instrument: InstrumentDefined) -> None:
        """Put every strategy that quotes this instrument to work."""
        settings = self._settings
        if settings is None or instrument.name not in settings.limits:
            return
        post = Post(
            instrument.instrument,
            Risk(limits_of(settings.limits[instrument.name], instrument)),
        )
        for name, chosen in settings.strategies.items():
            if chosen.instrument == instrument.name:
                strategy = strategy_of(name, chosen, instrument)
                desk = Desk(name, chosen.wallet, strategy, amend=chosen.amend)
                desk.schedule(self.at)
                post.desks.append(desk)
        self.posts[instrument.instrument] = post
        self._reschedule()

    def _pulled(self, event: StopRequested | TradingHalted, record: Record) -> None:
        self._pull, self._pull_cause = event.reason or "pulled", record.number

    def _rearmed(self, _event: TradingRearmed, record: Record) -> None:
        self._wake_all(record.number)

    def _parameter(self, event: ParameterChanged, record: Record) -> None:
        self._changes.append(event)
        self._wake_all(record.number)

    def _wake_all(self, cause: Seq) -> None:
        for post in self.posts.values():
            for desk in post.desks:
                desk.wake(cause)

    def _fired(self, event: TimerFired, record: Record) -> None:
        for post in self.posts.values():
            for desk in post.desks:
                if desk.name == event.timer:
                    desk.wake(record.number)
                    desk.schedule(self.at)
        self._reschedule()

    def _looked(self, event: BookSnapshot | BookDelta | QuoteUpdated, record: Record) -> None:
        post = self.posts.get(event.instrument)
        if post is not None:
            book = self.state.books.of(event.instrument)
            for desk in post.desks:
                desk.looked(book, record.number)

    def _unsettled(
        self, event: FeedDown | FeedGapped | FeedResynced | FeedStale, record: Record
    ) -> None:
        post = self.posts.get(event.instrument)
        for desk in post.desks if post is not None else ():
            desk.wake(record.number)

    def _own(self, event: Any, record: Record) -> None:
        post = self.posts.get(event.instrument)
        for desk in post.desks if post is not None else ():
            if desk.wakes.own_orders:
                desk.wake(record.number)

    # -- deciding ------------------------------------------------------------------------------

    def _decide(self) -> None:
        if self._pull:
            self._pull_quotes(self._pull, self._pull_cause)
            self._wake_all(self._pull_cause)
            self._pull = ""
        for post in self.posts.values():
            for desk in post.desks:
                if desk.cause:
                    self._ask(post, desk)
        for change in self._changes:
            self._adopt(change)
        self._changes = []

    def _pull_quotes(self, reason: str, cause: Seq) -> None:
        instruments = dict.fromkeys(order.instrument for order in self.state.orders.live)
        for instrument in instruments:
            self._emit(CancelAll(instrument=instrument, cause=cause, reason=reason))

    def _ask(self, post: Post, desk: Desk) -> None:
        book, cause = self.state.books.of(post.instrument), desk.cause
        wanted = self._wanted(post, desk)
        desk.asked(book)
        if desk.reasons_changed(wanted.bid_reason, wanted.ask_reason):
            self._emit(
                QuotingReasonChanged(
                    instrument=post.instrument,
                    strategy=desk.name,
                    bid=wanted.bid_reason,
                    ask=wanted.ask_reason,
                    cause=cause,
                    detail=wanted.detail,
                )
            )
        live = self.state.orders.live_of(post.instrument, desk.name)
        for step in plan(wanted, live, amend=desk.amend):
            if len(self._decisions) >= DECISIONS_MAX:
                desk.wake(cause)
                return
            self._take(step, post, desk, cause)

    def _wanted(self, post: Post, desk: Desk) -> Wanted:
        health = self.state.health
        if health.stopping:
            return nothing(NoQuoteReason.STOPPING)
        if health.halted:
            return nothing(NoQuoteReason.HALTED, health.halted)
        if not health.reconciled:
            return nothing(NoQuoteReason.RECONCILING)
        if health.feed_down(post.instrument):
            return nothing(NoQuoteReason.FEED_DOWN)
        account = self.state.ledger.account(desk.wallet, post.instrument, desk.name)
        instrument = self.state.ledger.instruments[post.instrument]
        book = self.state.books.of(post.instrument)
        view = MarketView(self.at, instrument, book, account.position)
        wanted, desk.memory = desk.strategy.decide(view, desk.memory)
        return wanted

    def _take(self, step: Step, post: Post, desk: Desk, cause: Seq) -> None:
        if isinstance(step, Cancel):
            order = step.order
            post.risk.sent(self.at)
            self._emit(
                CancelOrder(
                    order_id=order.order_id,
                    instrument=order.instrument,
                    cause=cause,
                    reason="requote",
                )
            )
            return
        place = Origin(self.at, self.turns, len(self._decisions), cause)
        intent = order_for(step, desk, post.instrument, place)
        if desk.is_refused(intent.side, intent.level, intent.price, self.at):
            return
        replaces = step.order if isinstance(step, Amend) else None
        refusal = post.risk.check(intent, self.state, self.at, replaces)
        if refusal is not None:
            desk.refused(intent.side, intent.level, refusal.rule, intent.price, self.at)
            self._emit(
                IntentRefused(
                    instrument=intent.instrument,
                    side=intent.side,
                    price=intent.price,
                    size=intent.size,
                    strategy=desk.name,
                    rule=refusal.rule,
                    limit=refusal.limit,
                    value=refusal.value,
                    cause=cause,
                )
            )
            return
        post.risk.sent(self.at)
        self._emit(amending(step, cause) if isinstance(step, Amend) else intent)

    def _adopt(self, change: ParameterChanged) -> None:
        """Parameters change at the end of the turn that records it."""
        assert self._settings is not None, "a parameter changed outside a session"
        self._settings = changed(self._settings, change.name, change.new)
        for post in self.posts.values():
            instrument = self.state.ledger.instruments[post.instrument]
            post.risk.limits = limits_of(self._settings.limits[instrument.name], instrument)
            for desk in post.desks:
                chosen = self._settings.strategies[desk.name]
                desk.strategy = strategy_of(desk.name, chosen, instrument)
                desk.wakes = desk.strategy.wakes
                desk.memory = desk.strategy.initial()
                desk.schedule(self.at)
        self._reschedule()

    def _emit(self, decision: Decision) -> None:
        """A decision takes effect at once: an order exists from here on."""
        index = len(self._decisions)
        self._decisions.append(decision)
        number = Seq(self.events + len(self._decisions))
        self.state.apply(Record(number, self.turns, index, self.at, decision))

    def _fault(self, error: Exception) -> None:
        cause = Seq(self.events)
        self._changes = []
        self._emit(EngineFaulted(error=described(error), where=located(error), cause=cause))
        self._pull_quotes("engine faulted", cause)
        self._emit(TradingHalted(who="engine", reason="engine faulted", cause=cause))
        self._pull = ""
