"""A step of the engine: who is woken, by what, and what is decided when things go right.

What happens when things go wrong is in `test_faults.py`, what comes out again in `test_verify.py`.
"""

import re
from typing import Final

import msgspec
import pytest
from hypothesis import given

from mm.engine.core import DECISIONS_MAX, Engine
from mm.events.market import FeedStale, MarkPublished
from mm.events.orders import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    IntentRefused,
    PlaceOrder,
    Resolution,
    Rule,
    TimeInForce,
)
from mm.events.session import (
    NoQuoteReason,
    NoteTaken,
    ParameterChanged,
    QuotingReasonChanged,
    StopRequested,
    TimerFired,
    TradingHalted,
    TradingRearmed,
)
from mm.events.turn import TURN_EVENTS_MAX, TURN_FACTS_MAX
from mm.events.units import MILLIS, SECONDS, Lots, Nanos, OrderId, Seq, Side, Ticks
from mm.events.vocabulary import Event, Fact
from mm.projections.lifecycle import Status
from mm.strategy.base import Take, Wakes, Wanted
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
    settings,
    snapshot,
    uncertain,
)
from tests.engine.session import Draw, Probe, Session, draws, employ, plain, play

TOUCH: Final = quote(9_999, 10_001)
HALT: Final = TradingHalted(who="ann", reason="lunch")
REARM: Final = TradingRearmed(who="ann", reason="back")
STOP: Final = StopRequested(who="ann", reason="done")


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


# -- quoting ---------------------------------------------------------------------------------------


def test_quotes_are_placed_and_say_why() -> None:
    """Post-only orders around the mid, each with its cause, and the reason for quoting."""
    session = Session(levels=2, level_spacing_bps=3).quotes()
    placed = session.decided(PlaceOrder)
    assert [(each.side, each.price, each.level) for each in placed] == [
        (BUY, 9_990, 0),
        (BUY, 9_987, 1),
        (SELL, 10_010, 0),
        (SELL, 10_013, 1),
    ]
    first = session.turns[-1].turn.first
    for each in placed:
        assert (each.tif, each.post_only, each.reason) == (TimeInForce.GTC, True, "quote")
        assert (each.size, each.strategy, each.wallet, each.cause) == (10, "maker", "main", first)
    (reason,) = session.decided(QuotingReasonChanged)
    assert (reason.bid, reason.ask) == (NoQuoteReason.QUOTING, NoQuoteReason.QUOTING)


def test_the_cause_is_the_first_record_that_woke() -> None:
    """A timer, or the fact in the middle of a turn."""
    session = Session().quotes().answers()
    session.hears(printed(1, 1), quote(10_020, 10_022), quote(10_030, 10_032))
    first = session.turns[-1].turn.first
    assert {each.cause for each in session.decided(PlaceOrder)} == {first + 1}
    session.answers()
    session.hears(quote(10_040, 10_042), after=SECONDS)
    first = session.turns[-1].turn.first
    assert {each.cause for each in session.decided(PlaceOrder)} == {first}
    cause = session.engine.state.events - len(session.outcome.decisions)
    assert first < cause


def test_order_ids_name_their_place_on_the_log() -> None:
    """Readable, unique, and the same for the same record."""
    runs = [Session(levels=3).quotes() for _ in range(2)]
    for session in runs:
        for price in range(10_020, 10_100, 20):
            session.answers().hears(quote(price, price + 2))
    ids, again = (
        [
            each.order_id
            for sealed in session.turns
            for each in sealed.turn.decisions
            if isinstance(each, PlaceOrder)
        ]
        for session in runs
    )
    assert ids == again
    assert len(ids) == len(set(ids)) > 20
    millis = (START + 2 * MILLIS) // MILLIS
    assert ids[0] == f"maker_main_{millis}_201"
    assert all(re.fullmatch(r"maker_main_\d+_[0-9a-f]+", each) for each in ids)


def test_unchanged_quotes_are_left_alone() -> None:
    """Asked again and again, nothing is sent."""
    session = Session().quotes().answers()
    for _ in range(5):
        assert session.hears(TOUCH, after=SECONDS).decisions == ()


def test_a_move_cancels_then_places() -> None:
    """Old quotes go, new ones come; where the venue can, they are amended instead."""
    session = Session().quotes().answers()
    kinds = [type(each) for each in session.hears(quote(10_019, 10_021)).decisions]
    assert kinds == [CancelOrder, CancelOrder, PlaceOrder, PlaceOrder]
    assert {each.reason for each in session.decided(CancelOrder)} == {"requote"}
    amending = Session(amend=True).quotes().answers()
    amends = amending.hears(quote(10_009, 10_011)).decisions
    assert [(type(each), getattr(each, "price", 0)) for each in amends] == [
        (AmendOrder, 9_999),
        (AmendOrder, 10_021),
    ]
    assert {each.size for each in amending.decided(AmendOrder)} == {10}
    assert amending.hears(quote(10_009, 10_011), after=SECONDS).decisions == ()


def test_an_amend_keeps_what_was_filled() -> None:
    """Total size is what was filled and what is to rest."""
    session = Session(amend=True, skew_bps=0).quotes().answers()
    order = session.live(BUY)[0]
    session.hears(filled(order.order_id, BUY, order.price, 4), quote(10_009, 10_011))
    sizes = {each.order_id: each.size for each in session.decided(AmendOrder)}
    assert sizes[order.order_id] == 14


def test_inventory_lowers_both_quotes() -> None:
    """A fill wakes the maker, and long quotes lower."""
    session = Session(skew_bps=20).quotes().answers()
    bid = session.live(BUY)[0]
    session.hears(filled(bid.order_id, BUY, bid.price, 10))
    assert [each.price for each in session.decided(PlaceOrder)] == [9_988, 10_008]


def test_two_makers_do_not_trade_with_each_other() -> None:
    """Each has its own quotes, and risk looks at both."""
    session = Session(plain({"up": {"skew_bps": 50}, "down": {"skew_bps": 50}})).quotes().answers()
    session.hears(
        filled("y", SELL, 10_000, 90, strategy="up"), filled("z", BUY, 10_000, 90, strategy="down")
    )
    assert [order.price for order in session.live(BUY) if order.strategy == "up"][-1] == 10_000
    refused = session.decided(IntentRefused)
    assert [(each.strategy, each.rule, each.price) for each in refused] == [
        ("down", Rule.OWN_CROSS, 10_000)
    ]


# -- reasons for not quoting -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ([gapped()], NoQuoteReason.NO_BOOK),
        ([feed_down()], NoQuoteReason.FEED_DOWN),
        ([snapshot((9_999, 1), (9_999, 1))], NoQuoteReason.CROSSED_BOOK),
        ([snapshot((9_999, 1), ())], NoQuoteReason.ONE_SIDED_BOOK),
        ([HALT], NoQuoteReason.HALTED),
        ([STOP], NoQuoteReason.STOPPING),
    ],
)
def test_quotes_are_pulled_for_a_reason(facts: list[Fact], reason: NoQuoteReason) -> None:
    """Every live order is canceled in the very turn, and the log says why."""
    session = Session().quotes().answers()
    session.hears(*facts)
    (told,) = session.decided(QuotingReasonChanged)
    assert (told.bid, told.ask) == (reason, reason)
    assert {order.status for order in session.live()} == {Status.PENDING_CANCEL}
    assert not session.decided(PlaceOrder)
    session.answers()
    assert session.live() == []
    session.hears(*facts, quote(9_999, 10_001) if reason is NoQuoteReason.HALTED else printed(1, 1))
    assert not session.decided(PlaceOrder)
    assert not session.decided(QuotingReasonChanged), "only changes are recorded"


def test_nothing_is_quoted_before_the_account_is_reconciled() -> None:
    """A session waits for the venue's answer, and then quotes at once."""
    session = Session().starts()
    session.hears(TOUCH)
    (told,) = session.decided(QuotingReasonChanged)
    assert told.bid is NoQuoteReason.RECONCILING
    session.hears(reconciled())
    assert session.prices() == [9_990, 10_010]


def test_a_stale_book_is_noticed_by_the_timer() -> None:
    """Silence is no event; the refresh finds it."""
    session = Session(book_age_max="1500ms").quotes().answers()
    session.hears(printed(1, 1), after=SECONDS)
    assert session.decided(CancelOrder) == []
    session.hears(printed(1, 1), after=SECONDS)
    assert len(session.decided(CancelOrder)) == 2
    (told,) = session.decided(QuotingReasonChanged)
    assert told.bid is NoQuoteReason.STALE_BOOK


def test_quotes_come_back_with_the_book() -> None:
    """After the resync, and not before."""
    session = Session().quotes().answers()
    session.hears(gapped())
    session.answers()
    session.hears(snapshot((10_099, 5), (10_101, 5)), quote(10_099, 10_101))
    assert session.live() == []
    session.hears(resynced())
    assert session.prices() == [10_089, 10_111]


def test_a_feed_that_is_up_again_still_needs_its_resync() -> None:
    """Up means that it delivers, not that the book is whole."""
    session = Session().quotes().answers()
    session.hears(feed_down())
    session.answers()
    session.hears(feed_up(), snapshot((10_099, 5), (10_101, 5)))
    assert session.live() == []
    session.hears(resynced())
    assert session.prices() == [10_089, 10_111]


def test_a_side_at_its_limit_rests() -> None:
    """Only the side that reduces is quoted."""
    session = Session(skew_bps=0).quotes().answers()
    session.hears(filled("z", BUY, 10_000, 100))
    (told,) = session.decided(QuotingReasonChanged)
    assert (told.bid, told.ask) == (NoQuoteReason.POSITION_LIMIT, NoQuoteReason.QUOTING)
    session.answers()
    assert session.prices() == [10_010]


def test_an_uncertain_order_blocks_its_side() -> None:
    """Nothing is placed beside it until evidence closes it; the other side goes on."""
    session = Session().quotes().answers()
    bid = session.live(BUY)[0]
    session.hears(uncertain(bid.order_id, "cancel"))
    (told,) = session.decided(QuotingReasonChanged)
    assert (told.bid, told.ask) == (NoQuoteReason.UNCERTAIN_ORDER, NoQuoteReason.QUOTING)
    session.hears(quote(10_049, 10_051))
    assert {each.side for each in session.decided(PlaceOrder)} == {SELL}
    session.answers()
    session.hears(resolved(bid.order_id, Resolution.CANCELED))
    assert {each.side for each in session.decided(PlaceOrder)} == {BUY}


def test_a_cancel_that_was_refused_is_not_repeated() -> None:
    """No loop: the order is in doubt until the venue was asked."""
    session = Session().quotes().answers()
    session.hears(quote(10_049, 10_051))
    going = [order for order in session.live() if order.status is Status.PENDING_CANCEL]
    session.hears(*(cancel_rejected(order.order_id) for order in going))
    for _ in range(3):
        session.hears(quote(10_049, 10_051), after=SECONDS)
        assert not session.decided(CancelOrder)


# -- halts, stops, re-arms -------------------------------------------------------------------------


def test_a_halt_cancels_everything_at_once() -> None:
    """One command, before anything else, with the halt as its cause."""
    session = Session().quotes()
    outcome = session.hears(printed(1, 1), HALT)
    first = session.turns[-1].turn.first
    halted = CancelAll(instrument=BTC, cause=Seq(first + 1), reason="lunch")
    assert outcome.decisions[0] == halted
    assert not session.decided(CancelOrder)
    unreasoned = Session().quotes()
    unreasoned.hears(msgspec.structs.replace(HALT, reason=""))
    assert unreasoned.decided(CancelAll)[0].reason == "pulled"


def test_a_halt_without_orders_sends_nothing() -> None:
    """There is nothing to cancel."""
    session = Session().starts()
    assert session.hears(HALT).decisions == (
        QuotingReasonChanged(
            instrument=BTC,
            strategy="maker",
            bid=NoQuoteReason.HALTED,
            ask=NoQuoteReason.HALTED,
            cause=Seq(3),
            detail="lunch",
        ),
    )


def test_a_halt_outlives_the_session_until_a_person_re_arms() -> None:
    """The next session does not quote either; re-armed it does, at once."""
    session = Session().quotes().answers()
    session.hears(HALT)
    session.answers().starts()
    session.hears(TOUCH, reconciled())
    assert session.live() == []
    (told,) = session.decided(QuotingReasonChanged)
    assert (told.bid, told.detail) == (NoQuoteReason.HALTED, "lunch")
    session.hears(REARM)
    assert session.prices() == [9_990, 10_010]


def test_an_order_that_survives_a_halt_is_canceled_again() -> None:
    """The cancel was refused, the order turns out to be open: it is canceled once more."""
    session = Session().quotes().answers()
    session.hears(HALT)
    bid, ask = session.live(BUY)[0], session.live(SELL)[0]
    session.hears(cancel_rejected(bid.order_id), canceled(ask.order_id))
    session.hears(resolved(bid.order_id, Resolution.OPEN))
    (again,) = session.decided(CancelOrder)
    assert again.order_id == bid.order_id


def test_a_stop_ends_quoting_for_the_session() -> None:
    """Orders are canceled, late fills are booked, and the next session quotes again."""
    session = Session().quotes().answers()
    session.hears(STOP)
    assert session.decided(CancelAll)[0].reason == "done"
    bid = session.live(BUY)[0]
    session.answers()
    session.hears(filled(bid.order_id, BUY, bid.price, 10), TOUCH, after=SECONDS)
    assert (session.live(), session.engine.state.ledger.net(BTC)) == ([], 10)
    session.starts()
    session.hears(TOUCH, reconciled())
    assert len(session.live()) == 2


# -- parameters and revisions ----------------------------------------------------------------------


def test_a_parameter_takes_effect_at_the_end_of_its_turn() -> None:
    """The turn that records it decides by the old value, the next one by the new."""
    session = Session().quotes().answers()
    session.hears(changed("half_spread_bps", "20"), quote(10_009, 10_011))
    assert [each.price for each in session.decided(PlaceOrder)] == [9_999, 10_021]
    cause = session.turns[-1].turn.first
    session.answers()
    assert [each.price for each in session.decided(PlaceOrder)] == [9_989, 10_031]
    assert {each.cause for each in session.decided(PlaceOrder)} == {cause}


def test_a_parameter_wakes_the_next_turn_whatever_it_hears() -> None:
    """A print would wake nobody; the new parameter does."""
    session = Session().quotes().answers()
    session.hears(changed("half_spread_bps", "20"))
    assert session.outcome.decisions == ()
    session.hears(printed(1, 1))
    assert [each.price for each in session.decided(PlaceOrder)] == [9_980, 10_020]


def test_limits_change_too() -> None:
    """And so does whether orders are amended; what did not change keeps its anchor."""
    session = Session().quotes().answers()
    anchor = session.engine.posts[BTC].desks[0].memory
    session.hears(changed("order_size_max", "0.005"), changed("amend", "true"))
    assert session.engine.posts[BTC].desks[0].memory == anchor
    session.hears(quote(10_049, 10_051))
    assert {each.rule for each in session.decided(IntentRefused)} == {Rule.ORDER_SIZE}
    assert not session.decided(CancelOrder), "an order that is to be amended is not canceled"


def test_a_timer_follows_its_parameter() -> None:
    """A new period begins with the turn that changed it."""
    session = Session().quotes()
    session.hears(changed("refresh", "100ms"))
    assert session.engine.deadline() == START + 100 * MILLIS
    session.hears(changed("refresh", "0s"))
    assert session.engine.deadline() is None


def test_a_revision_keeps_desks_and_the_rate_of_messages() -> None:
    """New filters count at once; what risk and strategy remember stays."""
    session = Session(plain({"maker": {}}, messages_per_second_max=2)).quotes()
    assert len(session.decided(PlaceOrder)) == 2
    before = session.engine.posts[BTC].desks[0].memory
    session.hears(instrument(revision=2, size_min=Lots(11)))
    assert session.engine.posts[BTC].desks[0].memory == before
    session.answers()
    session.hears(quote(10_049, 10_051))
    assert {each.rule for each in session.decided(IntentRefused)} == {Rule.OFF_GRID}
    session.hears(instrument(revision=3), quote(10_099, 10_101))
    assert {each.rule for each in session.decided(IntentRefused)} == {Rule.MESSAGE_RATE}


def test_an_instrument_without_limits_or_a_session_is_not_traded() -> None:
    """It is only looked at."""
    engine = Engine()
    engine.step(START, (instrument(), TOUCH))
    assert engine.posts == {}
    session = Session().starts(instrument(), instrument(instrument=1, symbol="ETHUSDT"))
    assert list(session.engine.posts) == [BTC]


def test_instruments_that_the_log_knows_are_traded_in_the_next_session() -> None:
    """Their definition stands on the log already."""
    session = Session().starts()
    session.hears(*[each for each in session.turns[0].turn.facts if each != instrument()])
    assert [desk.name for desk in session.engine.posts[BTC].desks] == ["maker"]
    assert session.engine.deadline() is not None


# -- risk in the engine ----------------------------------------------------------------------------


def test_a_refusal_is_told_once_a_second_and_tried_every_time() -> None:
    """The log is not flooded, and the order goes out as soon as it may."""
    session = Session(plain({"maker": {}}, open_orders_max=1)).quotes().answers()
    (bid,) = session.live()
    session.hears(quote(9_999, 10_003))
    (told,) = [each for each in session.turns[1].turn.decisions if isinstance(each, IntentRefused)]
    assert not session.decided(IntentRefused), "it was told a millisecond ago"
    assert (told.rule, told.limit, told.value, told.side) == (Rule.OPEN_ORDERS, "1", "2", SELL)
    for number in range(20):
        session.hears(filled("x", BUY, 10_000, 1, str(number), strategy="z"), after=10 * MILLIS)
        assert not session.decided(IntentRefused)
    session.hears(TOUCH, after=SECONDS)
    assert len(session.decided(IntentRefused)) == 1
    session.hears(canceled(bid.order_id))
    assert session.decided(PlaceOrder), "there is room now, and nobody waits a second for it"


def test_cancels_are_never_refused() -> None:
    """Neither by the rate of messages nor without a book."""
    session = Session(plain({"maker": {}}, messages_per_second_max=2)).quotes().answers()
    session.hears(quote(10_049, 10_051))
    assert len(session.decided(CancelOrder)) == 2
    assert {each.rule for each in session.decided(IntentRefused)} == {Rule.MESSAGE_RATE}
    session = Session(plain({"maker": {}}, messages_per_second_max=2)).quotes().answers()
    session.hears(gapped())
    assert len(session.decided(CancelOrder)) == 2


def test_orders_of_one_turn_count_for_each_other() -> None:
    """The gate sees what was approved before in the same turn."""
    limits = {"position_max": "0.025"}
    session = Session(plain({"maker": {"levels": 4}}, **limits)).quotes()
    assert len(session.live(BUY)) == len(session.live(SELL)) == 2
    assert {each.rule for each in session.decided(IntentRefused)} == {Rule.POSITION}


def test_a_hedge_is_sent_at_once_and_in_pieces_that_may_leave() -> None:
    """Beyond the threshold, as much as one order may take; the rest follows."""
    config = plain({"maker": {"hedge_above": "0.02"}}, order_size_max="0.03")
    session = Session(config).quotes().answers()
    session.hears(filled("z", BUY, 10_000, 90))
    (hedge,) = [each for each in session.decided(PlaceOrder) if each.tif is TimeInForce.IOC]
    assert (hedge.side, hedge.size, hedge.price) == (SELL, 30, 9_995)
    assert (hedge.post_only, hedge.reason) == (False, "hedge")
    session.hears(filled(hedge.order_id, SELL, 9_999, 30))
    (more,) = [each for each in session.decided(PlaceOrder) if each.tif is TimeInForce.IOC]
    assert more.size == 30


def test_a_hedge_keeps_to_the_venue_s_step() -> None:
    """Rounded down: never more than was held."""
    step = instrument(size_step=Lots(10))
    session = Session(hedge_above="0.02").starts(step)
    session.hears(TOUCH, reconciled(), filled("z", BUY, 10_000, 57))
    (hedge,) = [each for each in session.decided(PlaceOrder) if each.tif is TimeInForce.IOC]
    assert hedge.size == 40


def test_a_wish_for_nothing_is_nothing() -> None:
    """A hedge smaller than the venue's step does not leave, and the log says so."""
    take = Take(SELL, Ticks(9_990), Lots(5))
    session, _ = probed(Wakes(), Wanted(take=take))
    employ(session.engine, "maker", Probe(Wakes(), Wanted(take=take), []))
    session.hears(instrument(revision=2, size_step=Lots(10)), TOUCH)
    employ(session.engine, "maker", Probe(Wakes(), Wanted(take=take), []))
    session.hears(canceled(session.live()[0].order_id) if session.live() else REARM, REARM)
    assert [each.rule for each in session.decided(IntentRefused)] == [Rule.OFF_GRID]


# -- orders of nobody ------------------------------------------------------------------------------


def renamed(session: Session, *facts: Fact) -> Session:
    """The next session of the desk, whose maker has another name."""
    session.config = plain({"other": {}})
    session.starts()
    session.hears(*facts)
    return session


def test_what_an_earlier_session_left_to_nobody_is_canceled() -> None:
    """Once the venue has said what rests: its strategy is gone, and nobody would move it."""
    session = Session().quotes().answers()
    left = [order.order_id for order in session.live()]
    renamed(session, TOUCH)
    assert session.decided(CancelOrder) == []
    session.hears(reconciled())
    gone = session.decided(CancelOrder)
    assert [each.order_id for each in gone] == left
    assert {each.reason for each in gone} == {"nobody quotes this any more"}
    assert {each.cause for each in gone} == {session.turns[-1].turn.first}
    session.answers()
    assert {order.strategy for order in session.live()} == {"other"}
    assert session.hears(reconciled()).decisions == ()


def test_an_order_of_nobody_that_was_in_doubt_is_canceled_when_it_is_found() -> None:
    """Evidence says that it rests after all."""
    session = Session().quotes().answers()
    bid, ask = session.live()
    session.hears(uncertain(bid.order_id, "cancel"), uncertain(ask.order_id, "cancel"))
    renamed(session, TOUCH, reconciled())
    assert session.decided(CancelOrder) == []
    session.hears(resolved(bid.order_id, Resolution.OPEN))
    assert [each.order_id for each in session.decided(CancelOrder)] == [bid.order_id]


def test_more_orders_of_nobody_than_fit_a_turn_are_canceled_in_the_next() -> None:
    """All of them go."""
    wide = {"open_orders_max": 1_000, "messages_per_second_max": 10_000, "position_max": "10"}
    session = Session(plain({"m1": {"levels": 20}, "m2": {"levels": 20}}, **wide)).quotes()
    while session.outcome.decisions:
        session.hears(printed(1, 1))
    assert len(session.live()) == 80
    renamed(session, reconciled())
    assert len(session.decided(CancelOrder)) == DECISIONS_MAX
    session.hears(printed(1, 1))
    assert len(session.decided(CancelOrder)) == 80 - DECISIONS_MAX


# -- bounds ----------------------------------------------------------------------------------------


def test_what_does_not_fit_is_decided_in_the_next_turns() -> None:
    """A turn takes so many decisions; nothing is forgotten, nothing sent twice."""
    makers = {f"m{n}": {"levels": 20} for n in range(4)}
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


def test_a_full_turn_of_a_large_desk_fits_the_log() -> None:
    """Thirty instruments, all facts a turn may hold, and as many decisions as may follow."""
    config = settings()
    maker, limits = config["strategies"]["maker"], config["limits"]["paper:BTCUSDT"]
    names = [f"paper:C{n}" for n in range(30)]
    config["limits"] = dict.fromkeys(names, limits)
    config["strategies"] = {
        f"m{n}": {**maker, "instrument": name, "levels": 20} for n, name in enumerate(names)
    }
    session = Session(config)
    session.starts(*[instrument(instrument=n, symbol=f"C{n}") for n in range(30)])
    touches = [msgspec.structs.replace(TOUCH, instrument=n) for n in range(30)]
    room = TURN_FACTS_MAX - session.engine.timers
    filling: list[Fact] = [printed(1, 1)] * (room - 31)
    session.hears(reconciled(), *touches, *filling, after=SECONDS)
    assert len(session.outcome.facts) == TURN_FACTS_MAX
    assert len(session.outcome.facts) + len(session.outcome.decisions) <= TURN_EVENTS_MAX
    for _ in range(60):
        session.hears(printed(1, 1))
    assert len({order.instrument for order in session.engine.state.orders.live}) == 30
    session.hears(*filling, HALT)
    assert len(session.decided(CancelAll)) == 30
    assert session.turns[-1].turn.size <= TURN_EVENTS_MAX


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
