"""A step of the engine: what is decided when things go right, and why nothing is.

What goes wrong is in `test_faults.py`, what people command in `test_control.py`.
"""

import re

import pytest

from mm.events.orders import (
    AmendOrder,
    CancelOrder,
    IntentRefused,
    PlaceOrder,
    Resolution,
    Rule,
    TimeInForce,
)
from mm.events.session import (
    NoQuoteReason,
    QuotingReasonChanged,
)
from mm.events.units import MILLIS, SECONDS, Lots, Ticks
from mm.events.vocabulary import Fact
from mm.projections.lifecycle import Status
from mm.strategy.base import Take, Wakes, Wanted
from tests.build import (
    BUY,
    SELL,
    START,
    cancel_rejected,
    canceled,
    feed_down,
    feed_up,
    filled,
    gapped,
    instrument,
    printed,
    quote,
    reconciled,
    resolved,
    resynced,
    snapshot,
    uncertain,
    unheard,
)
from tests.engine.session import HALT, REARM, STOP, TOUCH, Probe, Session, employ, plain


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


def test_quotes_are_pulled_while_the_account_is_not_heard() -> None:
    """Without the private stream nobody knows what fills; reconciled, quoting goes on."""
    session = Session().quotes().answers()
    session.hears(unheard())
    assert len(session.decided(CancelOrder)) == 2
    (told,) = session.decided(QuotingReasonChanged)
    assert (told.bid, told.ask) == (NoQuoteReason.RECONCILING, NoQuoteReason.RECONCILING)
    session.answers().hears(reconciled())
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
