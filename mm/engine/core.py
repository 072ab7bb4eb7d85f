"""The engine: facts in, decisions out, a deterministic function of the log.

A step folds the facts of a turn, then asks every strategy that was woken, compares what it wants
with what rests, and passes each intent through risk. It reads no clock: `at` is the turn's time.
Its settings come from `SessionStarted`, its instruments from `InstrumentDefined`, so that a replay
needs nothing but the log. If our own code raises, the turn still has its facts, and the fault is a
decision beside them: quotes are pulled and trading halts until a person re-arms it.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from mm.engine.desk import Desk, Post
from mm.engine.fault import described, located
from mm.engine.intents import Origin, amending, canceling, fitted, order_for, refused
from mm.engine.posts import Posts
from mm.engine.quoter import Amend, Cancel, Hedge, Step, explained, plan
from mm.events.orders import CancelAll
from mm.events.session import (
    EngineFaulted,
    NoQuoteReason,
    QuotingReasonChanged,
    SessionStarted,
    TradingHalted,
)
from mm.events.turn import TURN_EVENTS_MAX, TURN_FACTS_MAX, Turn
from mm.events.units import (
    InstrumentId,
    Nanos,
    Seq,
    TurnNumber,
)
from mm.events.vocabulary import Decision, Fact
from mm.projections.base import digest
from mm.projections.state import State, combined, joined
from mm.strategy.base import MarketView, Wanted, nothing, require_wanted

DECISIONS_MAX: Final = 56
"""A turn's room for decisions; what does not fit is decided in the next turn."""
_ROOM: Final = TURN_EVENTS_MAX - TURN_FACTS_MAX - 2
"""What facts and a fault's two decisions leave, to be shared with its cancels."""


def decisions_max(posts: int) -> int:
    """How many decisions a turn takes, a fault's own and its cancels of each post not counted."""
    return min(DECISIONS_MAX, _ROOM - posts)


class Outcome(NamedTuple):
    """What a turn holds: due timers and what was heard, then what was decided."""

    facts: tuple[Fact, ...]
    decisions: tuple[Decision, ...]


class Engine:
    """State, posts and the place in the log; changes only by `step` and `fold`."""

    def __init__(self) -> None:
        """Start before the first record; a `SessionStarted` brings the settings."""
        self.state = State()
        self.turns = TurnNumber(0)
        self.events = Seq(0)
        self.at = Nanos(0)
        self._decisions: list[Decision] = []
        self._posts = Posts(self.state)
        self._routes = joined(self.state.routes, self._posts.routes())

    # -- what the runner and the replay call ---------------------------------------------------

    @property
    def posts(self) -> dict[InstrumentId, Post]:
        """The posts of the present session, by instrument."""
        return self._posts.by_instrument

    def deadline(self) -> Nanos | None:
        """When the next timer is due, or None without timers."""
        return self._posts.deadline

    @property
    def timers(self) -> int:
        """The most timers that can be due at once; they take room in a turn."""
        return sum(1 for _ in self._posts.desks())

    def step(self, at: Nanos, heard: tuple[Fact, ...]) -> Outcome:
        """Fold what was heard at `at`, and decide."""
        assert at >= self.at, f"time runs back: {self.at} then {at}"
        deadline, facts = self._posts.deadline, heard
        # A session that starts owes nothing to the timers of one that was cut off.
        if deadline is not None and deadline <= at and not _starts_session(heard):
            facts = (*self._posts.due(at), *heard)
        self._decisions = []
        self.turns = TurnNumber(self.turns + 1)
        self.at = at
        try:
            self._hear(facts)
            self._decide()
        except Exception as error:  # noqa: BLE001 - law 1: the fault is logged and trading halts.
            self._fault(error, self._catch_up(facts))
        self.events = Seq(self.events + len(self._decisions))
        return Outcome(facts, tuple(self._decisions))

    def fold(self, turn: Turn) -> None:
        """Take a turn as it was recorded, without deciding anything: recovery.

        What raised when a faulted turn was stepped may raise again, and the fold goes on after it
        just as the step did: a desk that faulted can be recovered.
        """
        state, facts, decisions = self.state, turn.facts, turn.decisions
        if decisions and any(type(each) is EngineFaulted for each in decisions):
            self._fold_faulted(turn)
        else:
            state.hear(facts, turn.first, turn.at)
            if decisions:
                first = Seq(turn.first + len(facts))
                state.hear(decisions, first, turn.at)
        self.turns, self.at = turn.number, turn.at
        self.events = Seq(turn.first + len(facts) + len(decisions) - 1)

    def _fold_faulted(self, turn: Turn) -> None:
        """Event by event, past what raises now as it did then."""
        for index, event in enumerate((*turn.facts, *turn.decisions)):
            try:
                self.state.hear((event,), Seq(turn.first + index), turn.at)
            except Exception:  # noqa: BLE001, S112 - the turn itself tells of the fault.
                continue

    def resume(self, turns: TurnNumber, events: Seq, at: Nanos) -> None:
        """Stand at a place in the log whose state was loaded from a snapshot."""
        self.turns, self.events, self.at = turns, events, at

    def digests(self) -> dict[str, str]:
        """The digest of every fold, of what desks and risk remember, and of the parameters."""
        return {**self.state.digests(), "posts": digest(self._posts.dump())}

    def digest(self) -> str:
        """One digest of everything the next decision depends on."""
        return combined(self.digests())

    # -- hearing -------------------------------------------------------------------------------

    def _hear(self, facts: tuple[Fact, ...]) -> None:
        first = Seq(self.events + 1)
        self.events = Seq(self.events + len(facts))
        self.state.hear(facts, first, self.at, self._routes)

    # -- deciding ------------------------------------------------------------------------------

    def _decide(self) -> None:
        posts = self._posts
        if posts.pull is not None:
            self._pull_quotes(*posts.pull)
            posts.wake_all(posts.pull[1])
            posts.pull = None
        if posts.review is not None:
            self._clear_orphans(posts.review)
        for post in posts.by_instrument.values():
            for desk in post.desks:
                if desk.cause:
                    self._ask(post, desk)
        if posts.changes:
            posts.adopt(self.at)

    def _pull_quotes(self, reason: str, cause: Seq) -> None:
        resting = dict.fromkeys(order.instrument for order in self.state.orders.live)
        self._cancel(resting, reason, cause)

    def _cancel(self, instruments: Iterable[InstrumentId], reason: str, cause: Seq) -> None:
        for instrument in instruments:
            self._emit(CancelAll(instrument=instrument, cause=cause, reason=reason))

    def _clear_orphans(self, cause: Seq) -> None:
        """Cancel what an earlier session left to nobody; what does not fit, in the next turn."""
        for order in self._posts.orphans():
            if self._full:
                return
            self._emit(canceling(order, cause, "nobody quotes this any more"))
        self._posts.review = None

    @property
    def _full(self) -> bool:
        """Whether a turn takes no more decisions, a fault's own and its cancels not counted."""
        return len(self._decisions) >= decisions_max(len(self.posts))

    def _ask(self, post: Post, desk: Desk) -> None:
        if self._full:
            return  # It stays awake and is asked in the next turn.
        book, cause = self.state.books.of(post.instrument), desk.cause
        live = self.state.orders.live_of(post.instrument, desk.name)
        wanted = explained(self._wanted(post, desk), live)
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
        for step in plan(wanted, live, amend=desk.amend):
            if self._full:
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
        return require_wanted(desk.name, wanted)

    def _take(self, step: Step, post: Post, desk: Desk, cause: Seq) -> None:
        if isinstance(step, Cancel):
            post.risk.sent(self.at)
            self._emit(canceling(step.order, cause, "requote"))
            return
        if isinstance(step, Hedge):
            instrument = self.state.ledger.instruments[post.instrument]
            step = fitted(step, post.risk.limits, instrument)
        place = Origin(self.at, self.turns, len(self._decisions), cause)
        intent = order_for(step, desk, post.instrument, place)
        replaces = step.order if isinstance(step, Amend) else None
        refusal = post.risk.check(intent, self.state, self.at, replaces)
        if refusal is None:
            post.risk.sent(self.at)
            self._emit(amending(step, cause) if isinstance(step, Amend) else intent)
        elif desk.is_news(intent, refusal.rule, self.at):
            self._emit(refused(intent, refusal))

    def _emit(self, decision: Decision) -> None:
        """A decision takes effect at once: an order exists from here on."""
        self._decisions.append(decision)
        number = Seq(self.events + len(self._decisions))
        self.state.hear((decision,), number, self.at)

    def _catch_up(self, facts: tuple[Fact, ...]) -> int:
        """Fold what the fault kept us from hearing, a fill perhaps; how many more faults it made.

        These facts are on the log, and the state is what the log says.
        """
        first, faults = self.events - len(facts) + 1, 0
        for index, fact in enumerate(facts):
            if first + index > self.state.events:
                try:
                    self.state.hear((fact,), Seq(first + index), self.at)
                except Exception:  # noqa: BLE001 - counted, and told beside the first one.
                    faults += 1
        return faults

    def _fault(self, error: Exception, more: int) -> None:
        cause = Seq(self.events)
        self._posts.forget()
        what = described(error) + (f" (and {more} more)" if more else "")
        self._emit(EngineFaulted(error=what, where=located(error), cause=cause))
        resting = (order.instrument for order in self.state.orders.live)
        self._cancel(dict.fromkeys((*self.posts, *resting)), "engine faulted", cause)
        self._emit(TradingHalted(who="engine", reason="engine faulted", cause=cause))


def _starts_session(facts: tuple[Fact, ...]) -> bool:
    return bool(facts) and type(facts[0]) is SessionStarted
