"""The runner on a stage: log first then the world, and what it does when either fails."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from mm.apps import outage
from mm.apps.clock import FeedClock, PacedClock, WallWatch
from mm.apps.config import build
from mm.apps.outage import Outage
from mm.apps.runner import PUMP_BURST, Runner, pump
from mm.apps.sending import leaving
from mm.engine.core import Engine
from mm.engine.verify import verify
from mm.errors import LogError, LogFull, LogUnavailable, WriterFenced
from mm.events.account import AccountReconciled
from mm.events.market import BookDelta, QuoteUpdated
from mm.events.orders import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    OrderCanceled,
    OrderResolved,
    OrderSubmitted,
    PlaceOrder,
    Resolution,
)
from mm.events.session import (
    ClockStepped,
    EngineFaulted,
    NoteTaken,
    SessionEnded,
    SessionStarted,
    StopRequested,
    TimerFired,
    TradingHalted,
)
from mm.events.turn import TURN_EVENTS_MAX, TURN_FACTS_MAX
from mm.events.units import MILLIS, SECONDS, Nanos, Seq
from mm.gateways.base import Message
from mm.log.chain import Sealed
from tests.apps.stage import START, Stage, plain
from tests.build import BTC, BUY, SELL, cancel, placed

if TYPE_CHECKING:
    from collections.abc import Callable

    from mm.apps.runner import Timing
    from mm.events.vocabulary import Fact
    from mm.projections.orders import Order

CANCELS = (CancelOrder, CancelAll)
AWAY = LogUnavailable("nobody acknowledges", where="test")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is retried at once and given up at once."""
    monkeypatch.setattr(outage, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(outage, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is retried at once, for as long as it takes."""
    monkeypatch.setattr(outage, "RETRY_SECONDS", 0.0)


class Away:
    """A log that is away for one turn: the first that places orders while others rest."""

    def __init__(self, error: LogError = AWAY, times: int = 3) -> None:
        """Refuse that turn so often, then store it."""
        self.error = error
        self.times = times
        self.stage: Stage | None = None
        self.turn: Sealed | None = None

    def __call__(self, sealed: Sealed, times: int) -> LogError | None:
        """Whether this turn is the one, and still refused."""
        if self.turn is None and self._suits(sealed):
            self.turn = sealed
        mine = self.turn is not None and self.turn.hash == sealed.hash
        return self.error if mine and times < self.times else None

    def _suits(self, sealed: Sealed) -> bool:
        assert self.stage is not None
        placed = {each.order_id for each in sealed.turn.decisions if isinstance(each, PlaceOrder)}
        resting = {order.order_id for order in self.stage.engine.state.orders.live}
        return bool(placed) and bool(resting - placed)


def staged(trouble: Away, **options: Any) -> Stage:
    """A stage whose log has this trouble."""
    trouble.stage = Stage(trouble, **options)
    return trouble.stage


def stop_at(stage: Stage, when: Callable[[Sealed], bool]) -> None:
    """Ask for the end after the first turn of a kind."""

    def look(sealed: Sealed, _timing: Timing) -> None:
        if when(sealed):
            stage.runner.stop("test", "enough")

    stage.runner.on_turn.append(look)


def reproduced(stage: Stage) -> bool:
    """Whether the whole log replays, to the byte."""
    result = verify(stage.turns)
    return result.difference is None and result.turns == len(stage.turns)


async def test_log_first_then_the_world() -> None:
    """Every command leaves after its own turn is stored and before the next one is."""
    stage = Stage()
    await stage.play()
    expected: list[Any] = []
    for sealed in stage.turns:
        expected += [sealed, *leaving(sealed.turn.decisions)]
    assert stage.trace == expected
    assert len(stage.sent) > 20


async def test_cancels_leave_before_places() -> None:
    """Within a turn nothing that adds risk leaves before what takes it away."""
    stage = Stage(drift_bps=0)
    await stage.play()
    mixed = 0
    for sealed in stage.turns:
        kinds = [isinstance(each, CANCELS) for each in leaving(sealed.turn.decisions)]
        mixed += len(set(kinds)) == 2
        assert kinds == sorted(kinds, reverse=True)
    assert mixed > 5, "the market did not make the maker requote"


def test_what_adds_risk_leaves_last() -> None:
    """Whatever the order of the decisions, cancels are first; among equals the order stays."""
    first, second = placed("a", BUY, 10, 1), placed("b", SELL, 12, 1)
    pull = CancelAll(instrument=BTC, cause=Seq(1), reason="test")
    refused = StopRequested(who="not", reason="an intent")
    mixed: Any = (first, cancel("c"), refused, second, pull)
    assert leaving(mixed) == [cancel("c"), pull, first, second]


async def test_the_session_replays() -> None:
    """What the runner wrote is what the engine decides on it, and folds to the same state."""
    stage = Stage()
    await stage.play()
    assert reproduced(stage)
    folded = Engine()
    for sealed in stage.turns:
        folded.fold(sealed.turn)
    assert folded.state.digests() == stage.engine.state.digests()


@pytest.mark.usefixtures("patient")
async def test_only_cancels_leave_in_an_outage() -> None:
    """While a turn is not stored, what rests is canceled once, and nothing else leaves."""
    away = Away()
    stage = staged(away)
    await stage.play()
    assert away.turn is not None
    first = stage.trace.index(AWAY)
    stored = stage.trace.index(away.turn)
    within = [each for each in stage.trace[first:stored] if each is not AWAY]
    assert within
    assert all(isinstance(each, CancelOrder) for each in within)
    assert len({each.order_id for each in within}) == len(within)


@pytest.mark.usefixtures("patient")
async def test_the_same_turn_is_offered_again() -> None:
    """A turn that was not acknowledged is offered with the same bytes until it is, once stored."""
    away = Away(times=4)
    stage = staged(away)
    await stage.play()
    assert away.turn is not None
    offers = [each for each in stage.log.offered if each.turn.number == away.turn.turn.number]
    assert [each.payload for each in offers] == [away.turn.payload] * 5
    numbers = [sealed.turn.number for sealed in stage.turns]
    assert numbers == list(range(1, len(numbers) + 1))
    assert reproduced(stage)


@pytest.mark.usefixtures("patient")
async def test_late_places_never_leave() -> None:
    """An order decided before an outage is out of date after it: told so, and never sent."""
    away = Away()
    stage = staged(away)
    await stage.play()
    assert away.turn is not None
    late = {each.order_id for each in away.turn.turn.decisions if isinstance(each, PlaceOrder)}
    assert late
    assert not late & {each.order_id for each in stage.sent if isinstance(each, PlaceOrder)}
    told = [each for each in stage.facts if isinstance(each, OrderResolved)]
    assert {each.order_id for each in told} == late
    assert {each.resolution for each in told} == {Resolution.NEVER_ARRIVED}
    assert not stage.engine.state.orders.live


@pytest.mark.usefixtures("patient")
async def test_a_late_amend_never_leaves() -> None:
    """An amend decided before an outage stays here too; the order is canceled as it rests."""
    stage = Stage(amend=True, drift_bps=0)
    refused: list[Sealed] = []

    def trouble(sealed: Sealed, times: int) -> LogError | None:
        amends = [each for each in sealed.turn.decisions if isinstance(each, AmendOrder)]
        if not refused and amends:
            refused.append(sealed)
        return AWAY if refused and refused[0].hash == sealed.hash and times < 2 else None

    stage.log._trouble = trouble
    await stage.play()
    late = [each for each in refused[0].turn.decisions if isinstance(each, AmendOrder)]
    after = stage.trace[stage.trace.index(AWAY) :]
    assert late
    assert not [each for each in stage.sent if each in late]
    canceled = {each.order_id for each in after if isinstance(each, CancelOrder)}
    assert {each.order_id for each in late} <= canceled
    assert not stage.engine.state.orders.live
    assert reproduced(stage)


@pytest.mark.usefixtures("patient")
async def test_the_log_learns_what_was_canceled_without_it() -> None:
    """Each cancel of an outage is a fact in a later turn, and so is what the venue made of it."""
    away = Away()
    stage = staged(away)
    await stage.play()
    assert away.turn is not None
    canceled = {
        each.order_id
        for each in stage.trace[stage.trace.index(AWAY) : stage.trace.index(away.turn)]
        if isinstance(each, CancelOrder)
    }
    after = [fact for sealed in stage.turns[away.turn.turn.number :] for fact in sealed.turn.facts]
    notes = [each.text for each in after if isinstance(each, NoteTaken)]
    assert len(notes) == 1
    assert f"{len(canceled)} orders are canceled while the log is away" in notes[0]
    submitted = {each.order_id for each in after if isinstance(each, OrderSubmitted)}
    assert canceled <= submitted
    assert canceled <= {each.order_id for each in after if isinstance(each, OrderCanceled)}


@pytest.mark.usefixtures("patient")
async def test_trading_goes_on_after_an_outage() -> None:
    """The log is back, and so are the quotes."""
    away = Away()
    stage = staged(away)
    await stage.play()
    assert away.turn is not None
    after = stage.trace[stage.trace.index(away.turn) :]
    assert [each for each in after if isinstance(each, PlaceOrder)]
    assert stage.runner.reason == "the feed has ended"


@pytest.mark.usefixtures("impatient")
async def test_patience_ends() -> None:
    """A log that stays away ends the session; what rests was canceled and nothing else left."""
    stage = staged(Away(times=10**9))
    with pytest.raises(LogUnavailable):
        await stage.play()
    within = [each for each in stage.trace[stage.trace.index(AWAY) :] if each is not AWAY]
    assert within
    assert all(isinstance(each, CancelOrder) for each in within)


@pytest.mark.parametrize("error", [WriterFenced("someone else wrote"), LogFull("no room")])
async def test_a_refused_turn_ends_the_session(error: LogError) -> None:
    """Fenced, we touch nothing, for the orders are another's now; full, we only cancel."""
    stage = staged(Away(error))
    with pytest.raises(type(error)):
        await stage.play()
    after = [each for each in stage.trace[stage.trace.index(error) :] if each is not error]
    if isinstance(error, WriterFenced):
        assert after == []
    else:
        assert after
        assert all(isinstance(each, CancelOrder) for each in after)
    refused = stage.log.offered[-1]
    assert [each.hash for each in stage.log.offered].count(refused.hash) == 1


async def test_a_stop_is_orderly() -> None:
    """Asked to stop: quotes pulled, every cancel confirmed, no order after, the end recorded."""
    stage = Stage()
    stop_at(stage, lambda sealed: sealed.turn.number == 120)
    await stage.play()
    assert stage.runner.reason == "enough"
    asked = next(
        sealed
        for sealed in stage.turns
        if any(isinstance(fact, StopRequested) for fact in sealed.turn.facts)
    )
    assert any(isinstance(each, CancelAll) for each in asked.turn.decisions)
    after = stage.trace[stage.trace.index(asked) :]
    assert not [each for each in after if isinstance(each, PlaceOrder | AmendOrder)]
    assert not stage.engine.state.orders.live
    assert not stage.venue._venue.open_orders()
    last = stage.turns[-1].turn.facts
    assert isinstance(last[-1], SessionEnded)
    assert last[-1].reason == "enough"
    assert len(stage.turns) < 200, "the rest of the feed was played"


async def test_a_stop_is_asked_once() -> None:
    """The first reason counts; asking again changes nothing."""
    stage = Stage(messages=60)
    stage.runner.stop("test", "first")
    stage.runner.stop("test", "second")
    await stage.play()
    assert [each.reason for each in stage.facts if isinstance(each, StopRequested)] == ["first"]


async def test_the_feed_ends_the_session() -> None:
    """A feed with nothing more to say ends the session in order."""
    stage = Stage(messages=200)
    await stage.play()
    assert stage.runner.reason == "the feed has ended"
    assert not stage.engine.state.orders.live
    assert isinstance(stage.facts[-1], SessionEnded)


async def test_cancels_nobody_answers_do_not_hold_up_the_end() -> None:
    """Without timer, feed and answers the end comes when the patience for it is spent."""
    stage = Stage(messages=200, refresh="0s")
    deaf = stage.venue
    gateway: Any = stage.runner._gateway
    gateway.poll = lambda _at: ()
    gateway.due = lambda: None
    told = gateway.reconcile

    async def reconcile(at: Nanos, live: list[Order]) -> tuple[Fact, ...]:
        return () if stage.runner.reason else await told(at, live)

    gateway.reconcile = reconcile
    async with asyncio.timeout(10):
        await stage.play()
    assert deaf._venue.due() is not None, "the venue had an answer"
    assert stage.engine.state.orders.live, "nobody answered"
    count = len(stage.engine.state.orders.live)
    assert isinstance(stage.facts[-1], SessionEnded)
    assert stage.facts[-1].reason == f"the feed has ended; {count} orders are still open"


async def test_the_end_waits_for_what_the_venue_still_says() -> None:
    """A payment is under way when the last order is gone: it is heard before the end."""
    stage = Stage(messages=200)
    gateway: Any = stage.runner._gateway
    due, poll = gateway.due, gateway.poll
    told: list[Any] = []
    payment = NoteTaken(who="venue", text="a payment")

    def late(at: Nanos) -> Any:
        if told and told[0] is not None and at >= told[0]:
            told[0] = None
            return (*poll(at), payment)
        return poll(at)

    def soonest() -> Any:
        if stage.runner.reason and not told and not stage.engine.state.orders.live:
            told.append(stage.runner._now() + 50 * MILLIS)
        more = [at for at in (due(), *told) if at is not None]
        return min(more, default=None)

    gateway.due, gateway.poll = soonest, late
    await stage.play()
    assert payment in stage.facts
    assert isinstance(stage.facts[-1], SessionEnded)


async def test_the_end_asks_the_venue_once_more() -> None:
    """Orders whose cancels nobody answered: the venue is asked, and the log has what it said."""
    stage = Stage(messages=200, refresh="0s")
    gateway: Any = stage.runner._gateway
    poll = gateway.poll
    gateway.poll = lambda at: poll(at) and () if stage.runner.reason else poll(at)
    await stage.play()
    last = stage.facts[-12:]
    asked = [each for each in stage.facts if isinstance(each, AccountReconciled)]
    assert len(asked) == 2
    assert asked[-1] in last
    assert asked[-1].orders > 0
    assert [each for each in last if isinstance(each, OrderResolved)]
    assert not stage.engine.state.orders.live
    assert isinstance(last[-1], SessionEnded)
    assert last[-1].reason == "the feed has ended"


async def test_a_fault_halts() -> None:
    """A strategy that raises: the fault is on the log, quotes are pulled, trading halts."""
    stage = Stage()
    faulty_after(stage, decisions=30)
    await stage.play()
    (fault,) = [each for each in stage.decisions if isinstance(each, EngineFaulted)]
    assert fault.error == "ZeroDivisionError"
    assert stage.runner.faulted.startswith("ZeroDivisionError")
    assert stage.runner.reason == "engine faulted"
    at = next(index for index, sealed in enumerate(stage.turns) if fault in sealed.turn.decisions)
    assert stage.turns[at].turn.facts, "the facts of that turn are on the log"
    decided = stage.turns[at].turn.decisions
    assert isinstance(decided[-1], TradingHalted)
    assert any(isinstance(each, CancelAll) for each in decided)
    after = stage.trace[stage.trace.index(stage.turns[at]) :]
    assert not [each for each in after if isinstance(each, PlaceOrder)]
    assert not stage.engine.state.orders.live
    assert stage.engine.state.health.halted == "engine faulted"
    assert isinstance(stage.facts[-1], SessionEnded)


class Faulty(msgspec.Struct, frozen=True):
    """A strategy that divides by zero once it was asked so often."""

    inner: Any
    asked: list[int]
    most: int

    @property
    def wakes(self) -> Any:
        """As the strategy inside."""
        return self.inner.wakes

    @property
    def rule(self) -> Any:
        """As the strategy inside."""
        return self.inner.rule

    def initial(self) -> Any:
        """As the strategy inside."""
        return self.inner.initial()

    def decide(self, view: Any, memory: Any) -> Any:
        """As the strategy inside, until it raises."""
        self.asked.append(1)
        assert 1 // max(0, self.most - len(self.asked)) >= 0
        return self.inner.decide(view, memory)


def faulty_after(stage: Stage, decisions: int) -> None:
    """Let the maker raise when it was asked so often."""

    def replace(sealed: Sealed, _timing: Timing) -> None:
        if sealed.turn.number == 1:
            for post in stage.engine.posts.values():
                for desk in post.desks:
                    desk.strategy = Faulty(desk.strategy, [], decisions)

    stage.runner.on_turn.append(replace)


async def test_a_fault_while_hearing_forgets_no_fact() -> None:
    """The facts behind the one that raised are on the log, so the state has them too."""
    stage = Stage(messages=300)
    raised: list[int] = []
    followed = {
        fact.last
        for message in stage.messages
        for fact, behind in pairwise(message.facts)
        if isinstance(fact, BookDelta) and isinstance(behind, QuoteUpdated)
    }

    def raising(event: Any, _at: Nanos) -> None:
        if not raised and event.last in followed and stage.engine.state.orders.live:
            raised.append(stage.engine.state.events)
            raise ZeroDivisionError("in a watch")

    routes = stage.engine._routes
    routes[BookDelta] = (*routes[BookDelta], raising)
    live: list[dict[str, str]] = []

    def look(sealed: Sealed, _timing: Timing) -> None:
        if any(isinstance(each, EngineFaulted) for each in sealed.turn.decisions):
            live.append(stage.engine.state.digests())

    stage.runner.on_turn.append(look)
    await stage.play()
    folded = Engine()
    for sealed in stage.turns:
        folded.fold(sealed.turn)
        if any(isinstance(each, EngineFaulted) for each in sealed.turn.decisions):
            behind = sealed.turn.first + len(sealed.turn.facts) - 1 - raised[0]
            assert behind > 0, "no fact came after the one that raised"
            assert [folded.state.digests()] == live
    assert folded.state.digests() == stage.engine.state.digests()
    assert live


async def test_time_never_runs_back() -> None:
    """Whatever a feed says of when it was received, `at` stays or moves on."""
    stage = Stage(messages=200)
    back = [
        Message(Nanos(each.received - (index % 5) * 40 * MILLIS), each.facts)
        for index, each in enumerate(stage.messages)
    ]
    stage.messages = back
    await stage.play()
    times = [sealed.turn.at for sealed in stage.turns]
    assert times == sorted(times)
    assert reproduced(stage)


async def test_a_log_ahead_of_the_clock_holds_time() -> None:
    """The wall clock was set back between two sessions: log time waits until it is passed."""
    stage = Stage(messages=60)
    await stage.play()
    before = len(stage.turns)
    again = Stage(messages=60, clock=FeedClock(Nanos(START - 3600 * SECONDS)))
    engine = Engine()
    for sealed in stage.turns:
        engine.fold(sealed.turn)
    gateway = again.runner._gateway
    again.runner = Runner(stage.log, engine, gateway, again.clock, again.inbox)
    await again.play()
    times = [sealed.turn.at for sealed in stage.turns]
    assert len(times) > before + 10
    assert times == sorted(times)
    assert reproduced(stage)


async def test_a_step_of_the_wall_clock_is_a_fact() -> None:
    """The wall clock jumps an hour back: told once, by how much; log time does not follow."""
    wall, monotonic = [START], [0]
    watch = WallWatch(lambda: wall[0], lambda: monotonic[0])
    stage = Stage(messages=50, clock=PacedClock(START, watch=watch))

    def step(sealed: Sealed, _timing: Timing) -> None:
        if sealed.turn.number == 5:
            monotonic[0] += 2 * SECONDS
            wall[0] = Nanos(wall[0] + 2 * SECONDS - 3600 * SECONDS)
        monotonic[0] += 2 * SECONDS
        wall[0] = Nanos(wall[0] + 2 * SECONDS)

    stage.runner.on_turn.append(step)
    await stage.play()
    (told,) = [each for each in stage.facts if isinstance(each, ClockStepped)]
    assert told.offset == -3600 * SECONDS
    times = [sealed.turn.at for sealed in stage.turns]
    assert times == sorted(times)
    assert times[-1] - times[0] < 60 * SECONDS


async def test_a_decision_that_waited_too_long_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn stored late, though without an error, lets only its cancels leave."""
    stage = Stage(messages=400, clock=PacedClock(START, speed=50.0))
    real, ahead = time.monotonic_ns, [0]
    monkeypatch.setattr("mm.apps.runner.time.monotonic_ns", lambda: real() + ahead[0])
    slow: list[Sealed] = []

    def trouble(sealed: Sealed, _times: int) -> LogError | None:
        if not slow and any(isinstance(each, PlaceOrder) for each in sealed.turn.decisions):
            slow.append(sealed)
            ahead[0] += 2 * SECONDS
        return None

    stage.log._trouble = trouble
    await stage.open()
    pumping = asyncio.create_task(pump(stage.messages, stage.inbox, stage.clock))
    await stage.runner.run()
    await pumping
    await stage.runner.close("stage-1", START)
    late = {each.order_id for each in slow[0].turn.decisions if isinstance(each, PlaceOrder)}
    sent = {each.order_id for each in stage.sent if isinstance(each, PlaceOrder)}
    assert late
    assert sent
    assert not late & sent
    told = [each for each in stage.facts if isinstance(each, OrderResolved)]
    assert {each.order_id for each in told} == late


async def test_facts_that_waited_too_long_are_not_quoted_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process stood still while the inbox was full: of what comes, only cancels leave."""
    stage = Stage(messages=900, clock=PacedClock(START, speed=50.0), drift_bps=0)
    real, ahead = time.monotonic_ns, [0]
    monkeypatch.setattr("mm.apps.runner.time.monotonic_ns", lambda: real() + ahead[0])
    stood: list[Sealed] = []

    def look(sealed: Sealed, _timing: Timing) -> None:
        market = [fact for fact in sealed.turn.facts if isinstance(fact, BookDelta)]
        if market and stage.engine.state.orders.live and not stood:
            stood.append(sealed)
            ahead[0] += 2 * SECONDS

    stage.runner.on_turn.append(look)
    await stage.play()
    after = stage.turns[stage.turns.index(stood[0]) + 1 :]
    stale = [each for each in after if any(isinstance(x, BookDelta) for x in each.turn.facts)]
    decided = {
        each.order_id
        for sealed in stale
        for each in sealed.turn.decisions
        if isinstance(each, PlaceOrder | AmendOrder)
    }
    assert decided
    last = stage.trace[stage.trace.index(stood[0]) + 1 :]
    assert not decided & {each.order_id for each in last if isinstance(each, PlaceOrder)}
    assert decided == {each.order_id for each in stage.facts if isinstance(each, OrderResolved)}
    assert [each for each in last if isinstance(each, CANCELS)]


async def test_a_long_account_report_takes_several_turns() -> None:
    """What the venue says of more orders than a turn holds is told in as many as it needs."""
    stage = Stage(messages=50)
    many = [
        NoteTaken(who="venue", text=f"about order {number}")
        for number in range(2 * TURN_FACTS_MAX + 7)
    ]
    gateway: Any = stage.runner._gateway

    async def reconcile(at: Nanos, live: list[Order]) -> tuple[Fact, ...]:
        return (*many, *stage.venue.state(at, live))

    gateway.reconcile = reconcile
    await stage.play()
    notes = [each for each in stage.facts if isinstance(each, NoteTaken)]
    assert notes == [*many, *many]  # At the start and at the end.
    assert max(len(sealed.turn.facts) for sealed in stage.turns) == TURN_FACTS_MAX
    last_note = stage.facts.index(many[-1])
    reconciled = next(each for each in stage.facts if isinstance(each, AccountReconciled))
    assert stage.facts.index(reconciled) > last_note
    assert isinstance(stage.facts[0], SessionStarted)


async def test_many_desks_fit_a_turn() -> None:
    """Sixty desks whose timers fire and whose reasons change in a turn full of facts still fit."""
    stage = Stage(messages=900, clock=PacedClock(START, speed=100.0))
    maker = plain()["strategies"]["maker"]
    crowd = {f"m{number}": {**maker, "order_size": 0.001} for number in range(60)}
    stage.config = build({**plain(), "strategies": crowd}, {}, {}, where="test")
    stop_at(stage, lambda sealed: sealed.turn.number == 7)
    await stage.play()
    sizes = [sealed.turn.size for sealed in stage.turns]
    full = [
        sealed
        for sealed in stage.turns
        if len(sealed.turn.facts) == TURN_FACTS_MAX and isinstance(sealed.turn.facts[0], TimerFired)
    ]
    assert full, "no turn was full of timers and market data"
    assert max(sizes) <= TURN_EVENTS_MAX
    assert max(len(sealed.turn.facts) for sealed in stage.turns) == TURN_FACTS_MAX
    assert reproduced(stage)


async def test_timers_that_are_due_have_room_beside_what_is_told_at_once() -> None:
    """A long report while the timers of sixty desks are due: no turn has more than it may hold."""
    stage = Stage(messages=50)
    maker = plain()["strategies"]["maker"]
    crowd = {f"m{number}": {**maker, "order_size": 0.001} for number in range(60)}
    stage.config = build({**plain(), "strategies": crowd}, {}, {}, where="test")
    await stage.play()
    stage.clock = stage.runner._clock = FeedClock(Nanos(stage.turns[-1].turn.at + SECONDS))
    many = tuple(NoteTaken(who="venue", text=f"{number}") for number in range(2 * TURN_FACTS_MAX))
    before = len(stage.turns)
    await stage.runner._turns(stage.clock.now(), many)
    after = stage.turns[before:]
    assert [fact for each in after for fact in each.turn.facts if fact in many] == list(many)
    assert len([fact for fact in after[0].turn.facts if isinstance(fact, TimerFired)]) == 60
    assert max(len(each.turn.facts) for each in after) == TURN_FACTS_MAX


async def test_a_feed_that_is_behind_lets_others_run() -> None:
    """Everything is overdue at a real pace: the loop still gets its turn every few messages."""
    stage = Stage(messages=600)
    late = PacedClock(Nanos(stage.messages[-1].received + SECONDS))
    pumping = asyncio.create_task(pump(stage.messages, stage.inbox, late))
    seen = []
    while not pumping.done():
        await asyncio.sleep(0)
        seen.append(len(stage.inbox))
    assert len(seen) > 600 // PUMP_BURST
    assert stage.inbox.ended


async def test_an_outage_without_orders_cancels_nothing() -> None:
    """Nothing rests, nothing is canceled, nothing is noted."""
    stage = Stage()
    quiet = Outage(stage.log, stage.venue, stage.runner._spool)
    await stage.open()
    assert quiet.cancel(stage.turns[-1], [], START, AWAY) == []
    assert stage.sent == []


async def test_a_feed_clock_needs_no_time() -> None:
    """Without a pace a minute of log time with nothing to do takes no time at all."""
    clock = FeedClock(START)
    assert clock.seconds_until(START) == 0.0
    assert clock.seconds_until(Nanos(START + 1)) == float("inf")
