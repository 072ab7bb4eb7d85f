"""Who is woken, by what, and when: latched while facts are heard, answered at the turn's end."""

import msgspec
import pytest

from mm.errors import ConfigError
from mm.events.market import FeedStale
from mm.events.orders import (
    Resolution,
)
from mm.events.session import (
    NoteTaken,
    ParameterChanged,
    QuotingReasonChanged,
    TimerFired,
)
from mm.events.units import MILLIS, SECONDS, Lots, Nanos, Ticks
from mm.events.vocabulary import Fact
from mm.projections.lifecycle import Status
from mm.strategy.base import Level, Wakes, Wanted
from tests.build import (
    BTC,
    BUY,
    SELL,
    START,
    acked,
    amend_rejected,
    amended,
    cancel_rejected,
    canceled,
    delta,
    feed_down,
    feed_up,
    filled,
    gapped,
    instrument,
    printed,
    quote,
    reconciled,
    rejected,
    resolved,
    resynced,
    snapshot,
    uncertain,
)
from tests.engine.session import REARM, TOUCH, Probe, Session, employ, plain


def probed(wakes: Wakes, wants: Wanted | None = None) -> tuple[Session, Probe]:
    """A session whose maker is a probe, asked for nothing yet."""
    session = Session()
    session.starts()
    session.hears(TOUCH, reconciled())
    probe = Probe(wakes, wants or Wanted(), [])
    employ(session.engine, "maker", probe)
    session.hears(REARM)  # It is asked once, so that moves are measured from here.
    probe.seen.clear()
    return session, probe


def changed(name: str, new: str) -> ParameterChanged:
    """A person's change of a parameter of the maker or a limit."""
    path = f"limits.paper:BTCUSDT.{name}" if name.endswith("_max") else f"strategies.maker.{name}"
    return ParameterChanged(who="ann", name=path, old="", new=new)


# -- wakes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wakes", "fact", "asked"),
    [
        (Wakes(), TOUCH, False),
        (Wakes(), quote(5_000, 5_002), False),
        (Wakes(), printed(10_000, 5), False),
        (Wakes(), NoteTaken(who="ann", text="hm"), False),
        (Wakes(mid_moved_bps=1.0), quote(9_999, 10_002), False),
        (Wakes(mid_moved_bps=1.0), quote(10_000, 10_002), True),
        (Wakes(mid_moved_bps=1.0), quote(9_998, 10_000), True),
        (Wakes(mid_moved_bps=1.0), snapshot((9_000, 1), (9_002, 1)), True),
        (Wakes(mid_moved_bps=1.0), delta((9_000, 1), ()), False),
        (Wakes(top_changed=True), quote(9_999, 10_001, bid_size=99), False),
        (Wakes(top_changed=True), quote(9_999, 10_002), True),
        (Wakes(), gapped(), True),
        (Wakes(), feed_down(), True),
        (Wakes(), feed_up(), True),
        (Wakes(), resynced(), True),
        (Wakes(), FeedStale(instrument=BTC, received=START, age=Nanos(1)), True),
        (Wakes(), reconciled(), True),
        (Wakes(), REARM, True),
        *[
            (Wakes(own_orders=own), fact, own)
            for own in (True, False)
            for fact in (
                acked("x"),
                rejected("x"),
                canceled("x"),
                cancel_rejected("x"),
                amended("x", 1, 1),
                amend_rejected("x"),
                filled("x", BUY, 10_000, 1),
                uncertain("x"),
                resolved("x", Resolution.CANCELED),
            )
        ],
    ],
)
def test_a_strategy_is_woken_by_what_it_asked_for(wakes: Wakes, fact: Fact, asked: bool) -> None:
    """And by what may end or begin its quoting; never by anything else."""
    session, probe = probed(wakes)
    session.hears(fact)
    woken = bool(probe.seen) or session.decided(QuotingReasonChanged) != []
    assert woken is asked


def test_wakes_are_answered_once_at_the_end_of_the_turn() -> None:
    """On the state after all facts, however many of them woke it."""
    session, probe = probed(Wakes(mid_moved_bps=1.0))
    session.hears(quote(10_100, 10_102), quote(10_200, 10_202), filled("x", BUY, 10_000, 7))
    (view,) = probe.seen
    assert (view.book.mid, view.position.net, view.at) == (10_201, 7, session.at)


def test_moves_are_measured_from_when_it_was_asked() -> None:
    """Small steps add up, and after each answer they add up anew."""
    session, probe = probed(Wakes(mid_moved_bps=3.0))
    for step in range(1, 10):
        session.hears(quote(9_999 + step, 10_001 + step))
    assert len(probe.seen) == 2


def test_facts_of_other_instruments_wake_nobody() -> None:
    """Each post hears of its own instrument."""
    session, probe = probed(Wakes(top_changed=True))
    other = instrument(instrument=1, symbol="ETHUSDT")
    session.hears(
        other,
        msgspec.structs.replace(TOUCH, instrument=1, bid=5),
        msgspec.structs.replace(gapped(), instrument=1),
        filled("x", BUY, 10_000, 1, instrument=1),
    )
    assert probe.seen == []


def test_news_of_an_order_wake_by_the_timer_alone() -> None:
    """Not as if the touch had changed: a book that stays as it is asks nothing."""
    wakes = Wakes(timer=Nanos(SECONDS), top_changed=True, own_orders=False, when_changed=True)
    session, probe = probed(wakes)
    session.hears(acked("x"))
    session.hears(TOUCH)
    assert probe.seen == []
    session.hears(after=SECONDS)
    session.hears(after=SECONDS)
    assert len(probe.seen) == 1


# -- the market near an own quote ------------------------------------------------------------------


def near(ticks: int, *, bid: int = 9_990, ask: int = 10_010) -> tuple[Session, Probe]:
    """A probe that rests one quote on each side, ten ticks behind the touch unless told."""
    wants = Wanted(bids=(Level(Ticks(bid), Lots(5)),), asks=(Level(Ticks(ask), Lots(5)),))
    wakes = Wakes(own_orders=False, own_near_ticks=ticks)
    session, probe = probed(wakes, wants)
    session.answers()
    return session, probe


@pytest.mark.parametrize(
    ("moves", "looks"),
    [
        ([quote(9_994, 10_001)], 0),
        ([quote(9_993, 10_001)], 1),
        ([quote(9_980, 9_982)], 1),
        ([quote(9_999, 10_006)], 0),
        ([quote(9_999, 10_007)], 1),
        ([snapshot((9_993, 4), (10_001, 4))], 1),
        ([snapshot((), (10_001, 4)), snapshot((9_994, 4), (10_001, 4))], 0),
        ([quote(9_993, 10_001), quote(9_992, 10_001), quote(9_991, 10_001)], 1),
        ([quote(9_993, 10_001), quote(9_994, 10_001), quote(9_993, 10_001)], 2),
        ([quote(9_993, 10_001), quote(9_993, 10_007)], 2),
        ([quote(9_993, 10_001, bid_size=0)], 0),
        ([quote(9_993, 10_001, bid_size=0), quote(9_993, 10_001)], 1),
        ([quote(9_999, 10_007, ask_size=0), quote(9_999, 10_007)], 1),
    ],
)
def test_a_quote_that_the_market_comes_near_wakes_it(moves: list[Fact], looks: int) -> None:
    """As the best price of its side comes to three ticks, and again only after it went away."""
    session, probe = near(3)
    for move in moves:
        session.hears(move)
    assert len(probe.seen) == looks


def test_nothing_near_is_nothing_behind() -> None:
    """Within no tick at all is at the quote's own price, or behind it."""
    session, probe = near(0)
    session.hears(quote(9_991, 10_001))
    assert probe.seen == []
    session.hears(quote(9_990, 10_001))
    assert len(probe.seen) == 1


def test_only_the_market_s_moves_wake_it() -> None:
    """Neither a quote that was placed near the best, nor one that was amended there."""
    session, probe = near(3, bid=9_997)
    session.hears(quote(9_998, 10_001))
    (ask,) = session.live(SELL)
    session.hears(amended(ask.order_id, 10_004, 5))
    session.hears(quote(9_998, 10_001, bid_size=3))
    assert probe.seen == []
    session.hears(quote(9_998, 10_002), quote(9_998, 10_000))
    session.hears(quote(9_998, 9_999))
    assert probe.seen == []
    session.hears(quote(9_998, 10_001))
    assert len(probe.seen) == 1


def test_a_quote_whose_cancel_is_under_way_wakes_nobody() -> None:
    """It is on its way out."""
    session, probe = near(3)
    probe = Probe(probe.wakes, Wanted(), [])
    employ(session.engine, "maker", probe)
    session.hears(REARM)
    probe.seen.clear()
    assert {order.status for order in session.live()} == {Status.PENDING_CANCEL}
    session.hears(quote(9_990, 10_001))
    assert probe.seen == []


def test_what_it_was_shown_when_asked_is_known() -> None:
    """Woken by something else while the market is near, it is not woken by that as well."""
    session, probe = near(3)
    session.hears(gapped(), quote(9_992, 10_001))
    assert len(probe.seen) == 1
    session.hears(quote(9_991, 10_001))
    assert len(probe.seen) == 1


def test_what_was_best_counts_for_what_is_decided_next() -> None:
    """It is digested, where it is watched: what comes near from there is yet to be seen."""
    (one, _), (other, _) = near(3), near(3)
    one.hears(quote(9_998, 10_001), quote(9_999, 10_001))
    other.hears(quote(9_999, 10_001), quote(9_998, 10_001))
    assert one.engine._posts.dump() != other.engine._posts.dump()


@pytest.mark.parametrize("ticks", [-1, 10**9 + 1])
def test_a_distance_that_nobody_can_mean_is_refused(ticks: int) -> None:
    """Before a session starts."""
    with pytest.raises(ConfigError, match=f"own_near_ticks = {ticks} must be"):
        Wakes(own_near_ticks=ticks)


# -- timers ----------------------------------------------------------------------------------------


def test_timers_stand_on_a_grid_of_log_time() -> None:
    """The next whole second, whenever it was asked; one that was missed fires once."""
    session = Session().quotes()
    assert session.engine.deadline() == START + SECONDS
    outcome = session.hears(TOUCH, after=SECONDS)
    assert outcome.facts[0] == TimerFired(timer="maker", deadline=Nanos(START + SECONDS))
    assert session.engine.deadline() == START + 2 * SECONDS
    outcome = session.hears(after=5 * SECONDS)
    assert outcome.facts == (TimerFired(timer="maker", deadline=Nanos(START + 2 * SECONDS)),)
    assert session.engine.deadline() == START + 7 * SECONDS


def test_timers_fire_in_order_and_before_the_turn_s_other_facts() -> None:
    """By deadline, then by name."""
    makers = {"slow": {"refresh": "2s"}, "b": {"refresh": "1s"}, "a": {"refresh": "1s"}}
    session = Session(plain(makers)).starts()
    facts = session.hears(printed(1, 1), after=3 * SECONDS).facts
    fired = [(fact.timer, fact.deadline - START) for fact in facts[:-1]]  # type: ignore[union-attr]
    assert fired == [("a", SECONDS), ("b", SECONDS), ("slow", 2 * SECONDS)]
    assert facts[-1] == printed(1, 1)
    assert session.engine.timers == 3


def test_before_its_time_no_timer_fires() -> None:
    """Not a nanosecond early."""
    session = Session().quotes()
    session.at = Nanos(START + SECONDS - 2)
    assert session.hears(TOUCH, after=1).facts == (TOUCH,)
    assert len(session.hears(TOUCH, after=1).facts) == 2


def test_without_a_timer_there_is_no_deadline() -> None:
    """A refresh of nothing."""
    session = Session(refresh="0s").quotes()
    assert session.engine.deadline() is None
    assert session.hears(TOUCH, after=3600 * SECONDS).facts == (TOUCH,)
    session.hears(changed("refresh", "500ms"))
    assert session.engine.deadline() == START + 3600 * SECONDS + 500 * MILLIS


def test_a_new_session_owes_nothing_to_old_timers() -> None:
    """What was due when a session was cut off does not fire in the next one."""
    session = Session().quotes()
    session.at = Nanos(START + 100 * SECONDS)
    session.starts()
    assert not [fact for fact in session.outcome.facts if isinstance(fact, TimerFired)]
    assert session.engine.deadline() == START + 101 * SECONDS


def test_time_never_runs_back() -> None:
    """Nor does the engine."""
    session = Session().quotes()
    with pytest.raises(AssertionError, match="time runs back"):
        session.engine.step(Nanos(session.at - 1), ())
