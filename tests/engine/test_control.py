"""What people command, and what a session leaves to the next: halts, parameters, orphans."""

import msgspec

from mm.engine.core import DECISIONS_MAX, Engine
from mm.events.orders import (
    CancelAll,
    CancelOrder,
    IntentRefused,
    PlaceOrder,
    Resolution,
    Rule,
)
from mm.events.session import (
    NoQuoteReason,
    ParameterChanged,
    QuotingReasonChanged,
)
from mm.events.units import MILLIS, SECONDS, Lots, Seq
from mm.events.vocabulary import Fact
from tests.build import (
    BTC,
    BUY,
    SELL,
    START,
    cancel_rejected,
    canceled,
    filled,
    instrument,
    printed,
    quote,
    reconciled,
    resolved,
    uncertain,
)
from tests.engine.session import HALT, REARM, STOP, TOUCH, Session, plain


def changed(name: str, new: str) -> ParameterChanged:
    """A person's change of a parameter of the maker or a limit."""
    path = f"limits.paper:BTCUSDT.{name}" if name.endswith("_max") else f"strategies.maker.{name}"
    return ParameterChanged(who="ann", name=path, old="", new=new)


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


def test_a_parameter_dies_with_its_session() -> None:
    """Changed in the very turn in which the next session starts, it changes nothing there."""
    session = Session().quotes().answers()
    session.hears(changed("half_spread_bps", "20"), HALT, *session.turns[0].turn.facts)
    session.hears(REARM, TOUCH, reconciled())
    assert session.prices() == [9_990, 10_010]
    assert not session.decided(CancelAll)


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
    assert session.engine._posts.review is None, "it is asked once"


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
    deep = {"levels": 20, "position_max": "1"}
    session = Session(plain({"m1": deep, "m2": deep}, **wide)).quotes()
    while session.outcome.decisions:
        session.hears(printed(1, 1))
    assert len(session.live()) == 80
    renamed(session, reconciled())
    assert len(session.decided(CancelOrder)) == DECISIONS_MAX
    session.hears(printed(1, 1))
    assert len(session.decided(CancelOrder)) == 80 - DECISIONS_MAX
