"""Whole sessions: what fits a turn, and what holds whatever market and venue do."""

import msgspec
from hypothesis import given

from mm.engine.core import DECISIONS_MAX, Engine
from mm.events.market import MarkPublished
from mm.events.orders import (
    CancelAll,
    PlaceOrder,
)
from mm.events.session import (
    EngineFaulted,
    ParameterChanged,
    QuotingReasonChanged,
    TimerFired,
)
from mm.events.turn import TURN_EVENTS_MAX, TURN_FACTS_MAX
from mm.events.units import SECONDS, Nanos, OrderId, Side
from mm.events.vocabulary import Event, Fact
from mm.strategy.base import Wakes
from tests.build import (
    BTC,
    BUY,
    SELL,
    START,
    instrument,
    printed,
    quote,
    reconciled,
    settings,
)
from tests.engine.session import (
    HALT,
    REARM,
    TOUCH,
    Broken,
    Draw,
    Session,
    draws,
    employ,
    plain,
    play,
)


def changed(name: str, new: str) -> ParameterChanged:
    """A person's change of a parameter of the maker or a limit."""
    path = f"limits.paper:BTCUSDT.{name}" if name.endswith("_max") else f"strategies.maker.{name}"
    return ParameterChanged(who="ann", name=path, old="", new=new)


# -- bounds ----------------------------------------------------------------------------------------


def test_what_does_not_fit_is_decided_in_the_next_turns() -> None:
    """A turn takes so many decisions; nothing is forgotten, nothing sent twice."""
    makers = {f"m{n}": {"levels": 20, "position_max": "1"} for n in range(4)}
    wide = {"open_orders_max": 1_000, "messages_per_second_max": 10_000, "position_max": "10"}
    session = Session(plain(makers, **wide)).quotes()
    assert len(session.outcome.decisions) == DECISIONS_MAX
    turns = 1
    while session.outcome.decisions:
        session.hears(printed(1, 1))
        turns += 1
    assert turns == 4
    assert len(session.live()) == 160
    assert {order.strategy for order in session.live()} == set(makers)


def large() -> Session:
    """Thirty instruments, each with a maker of twenty levels."""
    config = settings()
    maker, limits = config["strategies"]["maker"], config["limits"]["paper:BTCUSDT"]
    names = [f"paper:C{n}" for n in range(30)]
    config["limits"] = {key: {**limits, "open_orders_max": 100} for key in names}
    config["strategies"] = {
        f"m{n}": {**maker, "instrument": name, "levels": 20} for n, name in enumerate(names)
    }
    session = Session(config)
    return session.starts(*[instrument(instrument=n, symbol=f"C{n}") for n in range(30)])


def filling(session: Session) -> list[Fact]:
    """All the facts a turn can take beside its timers."""
    touches: list[Fact] = [msgspec.structs.replace(TOUCH, instrument=n) for n in range(30)]
    prints: list[Fact] = [printed(1, 1)] * (TURN_FACTS_MAX - session.engine.timers - 31)
    return [reconciled(), *touches, *prints]


def test_a_full_turn_of_a_large_desk_fits_the_log() -> None:
    """All facts a turn may hold, all timers, and as many decisions as may follow."""
    session = large()
    session.hears(*filling(session), after=SECONDS)
    assert len(session.outcome.facts) == TURN_FACTS_MAX
    assert session.outcome.decisions
    for _ in range(60):
        session.hears(printed(1, 1))
    assert len({order.instrument for order in session.engine.state.orders.live}) == 30
    session.hears(*filling(session), HALT, after=SECONDS)
    assert len(session.decided(CancelAll)) == 30
    assert session.turns[-1].turn.size <= TURN_EVENTS_MAX


def test_a_fault_at_the_end_of_a_full_turn_fits_the_log() -> None:
    """Its cancels of every instrument find room behind whatever was decided before."""
    session = large()
    employ(session.engine, "m1", Broken(ZeroDivisionError, Wakes(timer=Nanos(SECONDS))))
    for _ in range(3):
        session.hears(*filling(session), after=SECONDS)
        assert len(session.outcome.facts) == TURN_FACTS_MAX
        assert session.turns[-1].turn.size <= TURN_EVENTS_MAX
        if session.decided(EngineFaulted):
            break
    assert session.decided(PlaceOrder), "others decided before it"
    assert len(session.decided(CancelAll)) == 30


# -- what always holds -----------------------------------------------------------------------------


def orders_of(decisions: tuple[Event, ...]) -> list[PlaceOrder]:
    """The orders placed among decisions."""
    return [each for each in decisions if isinstance(each, PlaceOrder)]


@given(draws)
def test_no_history_leads_past_a_limit(drawn: list[Draw]) -> None:
    """After every turn of any session: exposure within limits, no own cross, no order unasked."""
    session = play(drawn)
    engine, seen, reference = session.engine, set[OrderId](), Engine()
    for sealed in session.turns:
        turn = sealed.turn
        heard = tuple(fact for fact in turn.facts if not isinstance(fact, TimerFired))
        reference.step(turn.at, heard)
        state, post = reference.state, reference.posts[BTC]
        placed = orders_of(turn.decisions)
        ids = [each.order_id for each in placed]
        assert not seen & set(ids)
        seen |= set(ids)
        if placed:
            assert not state.health.halted
            assert state.health.reconciled
            assert state.books.of(BTC).usable
        for side in Side:
            added = [each for each in placed if each.side is side]
            worst = side * state.ledger.net(BTC) + state.orders.leaves(BTC, side)
            assert not added or worst <= post.risk.limits.position_max
        live = state.orders.live_of(BTC)
        bids = [price for order in live if order.side is BUY for price in order.prices]
        asks = [price for order in live if order.side is SELL for price in order.prices]
        assert not placed or max(bids, default=0) < min(asks, default=1 << 62)
        assert len(live) <= 20
    assert reference.digest() == engine.digest()


@given(draws)
def test_two_engines_decide_alike(drawn: list[Draw]) -> None:
    """The same facts at the same times: the same bytes."""
    assert [sealed.hash for sealed in play(drawn).turns] == [
        sealed.hash for sealed in play(drawn).turns
    ]


@given(draws)
def test_recovered_by_folding_the_state_is_the_same(drawn: list[Draw]) -> None:
    """A fold of the log gives the state that the steps gave, and the next session is the same."""
    session = play(drawn)
    folded = Engine()
    for sealed in session.turns:
        folded.fold(sealed.turn)
    assert folded.state.digests() == session.engine.state.digests()
    assert (folded.turns, folded.events, folded.at) == (
        session.engine.turns,
        session.engine.events,
        session.engine.at,
    )
    lives = (session.engine, folded)
    facts: list[tuple[Fact, ...]] = [
        session.turns[0].turn.facts,
        (reconciled(), quote(9_999, 10_001)),
        (quote(10_019, 10_021), REARM),
        (printed(1, 1),),
    ]
    for number, heard in enumerate(facts, 1):
        at = Nanos(session.at + number * SECONDS)
        one, other = (engine.step(at, heard) for engine in lives)
        assert one == other
    assert session.engine.digest() == folded.digest()


def test_a_parameter_of_an_old_session_does_not_leak_into_the_next() -> None:
    """A recovered desk starts with its configuration, as the replay of the whole log does."""
    session = Session().quotes().answers()
    session.hears(changed("half_spread_bps", "20"))
    folded = Engine()
    for sealed in session.turns:
        folded.fold(sealed.turn)
    at = Nanos(session.at + SECONDS)
    folded.step(at, session.turns[0].turn.facts)
    decided = folded.step(at, (reconciled(), TOUCH)).decisions
    assert [type(each) for each in decided] == [QuotingReasonChanged], "quotes stay as they were"


def test_the_digest_covers_all_that_decides() -> None:
    """Equal states with another parameter, or another rate of messages, are told apart."""
    one, other = Session().quotes().answers(), Session().quotes().answers()
    assert one.engine.digest() == other.engine.digest()
    one.engine.posts[BTC].risk.sent(one.at)
    assert one.engine.digest() != other.engine.digest()
    assert one.engine.state.digests() == other.engine.state.digests()
    wider = Session(order_size="0.02").starts()
    plainly = Session().starts()
    assert wider.engine.digests()["posts"] != plainly.engine.digests()["posts"]


def test_a_mark_moves_no_quote() -> None:
    """It values the position and nothing else."""
    mark = MarkPublished(
        instrument=BTC, received=START, venue_time=START, price=instrument().price(10_000)
    )
    session = Session().quotes().answers()
    assert session.hears(mark).decisions == ()


def test_an_engine_can_stand_where_a_snapshot_was_taken() -> None:
    """State loaded, place given: the next turn is the one that would have been."""
    session = Session().quotes().answers()
    other = Engine()
    other.state.load(session.engine.state.dump())
    other.resume(session.engine.turns, session.engine.events, session.engine.at)
    at = Nanos(session.at + 1)
    heard = session.turns[0].turn.facts
    assert other.step(at, heard) == session.engine.step(at, heard)
    assert other.digest() == session.engine.digest()
