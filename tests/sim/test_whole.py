"""Matching in full, as hftbacktest has it: every rule by hand, and the two clocks."""

import numpy as np
import pytest

from mm.events.market import FeedGapped
from mm.events.orders import CancelRejected, Liquidity, OrderCanceled, OrderFilled, OrderRejected
from mm.events.units import MILLIS, Nanos, OrderId, Side
from mm.log.rows import ROW, Flag, Kind, Rows
from mm.sim.settings import NONE, Latency, PaperSettings
from tests.build import BTC, BUY, SELL, START, cancel, instrument, placed, snapshot
from tests.oracle.plain_trading import pit_of
from tests.sim.build import (
    BOOK,
    Paper,
    amend,
    best,
    bought,
    depth,
    fills,
    fok,
    ioc,
    kinds,
    market,
    sold,
    takes,
)
from tests.sim.two_clock import Maker, Outcome, event_by_event, play, row_by_row


def whole(queue: str = "risk-averse", power: float = 3.0) -> PaperSettings:
    """Settings without latency."""
    return PaperSettings(
        entry=NONE, response=NONE, matching="whole", queue=queue, queue_power=power
    )


def paper(queue: str = "risk-averse", power: float = 3.0) -> Paper:
    """A venue that fills in full, with the usual book."""
    return Paper(BOOK, settings=whole(queue, power))


def front(told: Paper, order_id: str) -> float:
    """How many lots of others are ahead of an order."""
    return pit_of(told.venue, BTC).orders[OrderId(order_id)].front


def test_the_touch_fills_in_full() -> None:
    """The best ask comes down to our bid: all of it, whatever is displayed there, as maker."""
    here = paper()
    here.gets(placed("a", BUY, 100, 50), placed("b", BUY, 99, 5))
    told = here.hears(depth((100, 0), (100, 1)))
    assert fills(told) == [("a", 100, 50)]
    filled = [fact for fact in told if isinstance(fact, OrderFilled)]
    assert filled[0].liquidity is Liquidity.MAKER
    here.hears(depth((), (96, 1)))
    assert here.fills == [("a", 100, 50), ("b", 99, 5)]


def test_only_a_better_touch_fills() -> None:
    """A touch that changes its size, or moves away, fills nobody."""
    here = paper()
    here.gets(placed("a", SELL, 101, 5))
    here.hears(depth((100, 3)), depth((100, 0)), depth((99, 90)))
    assert here.fills == []
    here.hears(depth((101, 1)))
    assert here.fills == [("a", 101, 5)]


def test_a_print_through_fills_in_full() -> None:
    """Whatever was ahead and however small the print."""
    here = paper()
    here.gets(placed("a", BUY, 100, 50), placed("b", BUY, 99, 7))
    here.hears(sold(99, 1))
    assert here.fills == [("a", 100, 50)]
    here.hears(bought(90, 100))
    assert here.open == [("b", 99, 7)]


def test_a_print_at_our_price_must_go_past_the_queue() -> None:
    """Ten are ahead: ten lots printed reach the end of the queue, the next one us."""
    here = paper()
    here.gets(placed("a", BUY, 100, 50))
    assert front(here, "a") == 10
    here.hears(sold(100, 6), sold(100, 4))
    assert here.fills == []
    assert front(here, "a") == 0
    here.hears(sold(100, 1))
    assert here.fills == [("a", 100, 50)]


@pytest.mark.parametrize(("ahead", "filled"), [(2.5, True), (2.6, False)])
def test_half_a_lot_past_the_queue_is_enough(ahead: float, filled: bool) -> None:
    """With a probability model a part of a lot may be ahead."""
    here = paper("power", 1.0)
    here.gets(placed("a", BUY, 100, 5))
    pit_of(here.venue, BTC).orders[OrderId("a")].front = ahead
    here.hears(sold(100, 3))
    assert bool(here.fills) == filled


def test_own_orders_do_not_queue_behind_one_another() -> None:
    """Each sees what is displayed alone, and one print fills both in full."""
    here = paper()
    here.gets(placed("a", BUY, 100, 5), placed("b", BUY, 100, 7))
    assert (front(here, "a"), front(here, "b")) == (10, 10)
    here.hears(sold(100, 11))
    assert here.fills == [("a", 100, 5), ("b", 100, 7)]


def test_a_price_where_nothing_is_shown_has_nobody_ahead() -> None:
    """Also deeper than all that is shown."""
    here = paper()
    here.gets(placed("a", BUY, 90, 5))
    here.hears(sold(90, 1))
    assert here.fills == [("a", 90, 5)]


def test_the_level_moves_us_up() -> None:
    """Risk-averse to what is shown at the most; by probability sooner, prints not counted twice."""
    careful, hopeful = paper(), paper("power3", 2.0)
    for here in (careful, hopeful):
        here.hears(depth((100, 30)))
        here.gets(placed("a", BUY, 100, 5))
        here.hears(depth((100, 100)), depth((100, 90)))
    assert front(careful, "a") == 30
    assert front(hopeful, "a") == pytest.approx(29.1)
    for here in (careful, hopeful):
        here.hears(sold(100, 9), depth((100, 81)))
    assert front(careful, "a") == 21
    assert front(hopeful, "a") == pytest.approx(20.1)


def test_crossing_post_only_is_refused() -> None:
    """At the best ask it does not rest; nothing is taken."""
    here = paper()
    (told,) = here.gets(placed("a", BUY, 101, 5))
    assert isinstance(told, OrderRejected)
    assert here.gets(placed("b", BUY, 100, 5)) != []
    assert here.open == [("b", 100, 5)]


def test_takers_fill_in_full_at_the_best() -> None:
    """Seven are displayed, fifty are had, again and again; the book does not change."""
    here = paper()
    for number, order in enumerate(
        (takes("g", BUY, 105, 50), ioc("i", BUY, 101, 50), fok("f", BUY, 101, 50))
    ):
        here.gets(order)
        assert len(here.fills) == number + 1
    here.gets(market("m", SELL, 60))
    assert here.fills == [("g", 101, 50), ("i", 101, 50), ("f", 101, 50), ("m", 100, 60)]
    taken = [fact for fact in here.told if isinstance(fact, OrderFilled)]
    assert all(fact.liquidity is Liquidity.TAKER for fact in taken)


def test_takers_that_do_not_cross_end() -> None:
    """IOC is canceled, FOK refused, a market order without a book too."""
    here = paper()
    assert kinds(here.gets(ioc("i", BUY, 100, 5))) == ["OrderAcked", "OrderCanceled"]
    assert kinds(here.gets(fok("f", BUY, 100, 5))) == ["OrderRejected"]
    here.hears(snapshot((), ()))
    assert kinds(here.gets(market("m", BUY, 5))) == ["OrderRejected"]
    assert here.open == []


def test_orders_of_ours_may_cross_one_another() -> None:
    """They never enter the book: no self-trade is prevented."""
    here = Paper(snapshot((90, 5), (110, 5)), settings=whole())
    here.gets(placed("a", BUY, 100, 5), placed("b", SELL, 99, 5))
    assert here.open == [("a", 100, 5), ("b", 99, 5)]


def test_canceling_what_is_gone_is_refused() -> None:
    """A filled order cannot be canceled; one that rests can."""
    here = paper()
    here.gets(placed("a", BUY, 100, 5), placed("b", BUY, 99, 5))
    here.hears(sold(99, 1))
    told = here.gets(cancel("a"), cancel("b"))
    assert [type(fact) for fact in told] == [CancelRejected, OrderCanceled]


def test_amending_queues_anew_at_another_price() -> None:
    """An order moved across the spread takes in full; moved elsewhere it queues behind all."""
    here = paper()
    here.gets(placed("a", BUY, 100, 5, post_only=False), amend("a", 99, 5))
    assert front(here, "a") == 20
    here.gets(amend("a", 101, 5))
    assert here.fills == [("a", 101, 5)]


def test_a_snapshot_is_taken_level_by_level() -> None:
    """The queue restarts from what is shown; an ask at our price fills us."""
    here = paper()
    here.gets(placed("a", BUY, 100, 5), placed("b", BUY, 99, 5))
    here.hears(snapshot((99, 3), (100, 4)))
    assert here.fills == [("a", 100, 5)]
    assert front(here, "b") == 3


def test_a_snapshot_without_our_price_leaves_the_queue_as_it_was() -> None:
    """Who comes then has nobody ahead, whatever an earlier order of ours still has."""
    here = paper()
    here.gets(placed("a", BUY, 100, 5))
    here.hears(snapshot((99, 3), (102, 4)))
    here.gets(placed("b", BUY, 100, 5))
    assert (front(here, "a"), front(here, "b")) == (10, 0)


def test_quotes_are_no_depth() -> None:
    """A best ask at our bid fills nobody."""
    here = paper()
    here.gets(placed("a", BUY, 100, 5))
    here.hears(best((98, 5), (99, 5), sequence=9))
    assert here.fills == []


def test_nothing_is_accepted_while_levels_are_missing() -> None:
    """After a gap orders are refused until the next snapshot; prints still fill what rests."""
    here = paper()
    here.gets(placed("a", BUY, 100, 5))
    here.hears(FeedGapped(instrument=BTC, received=START, wanted=1, got=3))
    assert kinds(here.gets(placed("b", BUY, 99, 5))) == ["OrderRejected"]
    here.hears(depth((), (98, 5)))
    assert here.fills == []
    here.hears(sold(99, 1))
    assert here.fills == [("a", 100, 5)]
    here.hears(BOOK)
    here.gets(placed("c", BUY, 100, 5))
    assert front(here, "c") == 10


def test_the_newer_level_is_believed_where_depth_crosses() -> None:
    """A bid through the ask moves the best ask behind it; what was in front is dead."""
    here = paper()
    here.hears(depth((101, 4)))
    here.gets(placed("a", SELL, 102, 5))
    assert here.open == [("a", 102, 5)]
    ladders = pit_of(here.venue, BTC).matching
    assert ladders.bids.best == 101  # type: ignore[attr-defined]
    assert ladders.asks.best == -102  # type: ignore[attr-defined]
    here.hears(depth((), (101, 9)))
    assert ladders.bids.best == 100  # type: ignore[attr-defined]
    assert ladders.asks.best == -101  # type: ignore[attr-defined]


def rows(*told: tuple[int, int, Kind, int, int]) -> Rows:
    """Rows of (milliseconds received, happened, kind, price, size), an event each."""
    made = np.zeros(len(told), ROW)
    for row, (at, venue, kind, price, size) in zip(made, told, strict=True):
        row["at"], row["venue"] = at * MILLIS, venue * MILLIS
        row["kind"], row["price"], row["size"] = kind, price, size
        row["flags"] = Flag.EVENT | Flag.TURN
    return made


def two_clocks(entry: int, response: int, matching: str = "whole") -> PaperSettings:
    """Constant latencies in milliseconds, the venue's own clock."""
    there, back = Nanos(entry * MILLIS), Nanos(response * MILLIS)
    return PaperSettings(
        entry=Latency(there, there), response=Latency(back, back), matching=matching, market="venue"
    )


MAKER = Maker(half=1.0, skew=0.0, size=5, position_max=5, step=100 * MILLIS, first=100 * MILLIS)
OPENING = ((10, 5, Kind.BID, 100, 10), (10, 5, Kind.ASK, 102, 10))
ENDING = (900, 899, Kind.BID, 50, 1)


def played(*told: tuple[int, int, Kind, int, int], entry: int = 10, response: int = 10) -> Outcome:
    """The maker on these rows; quotes are 100 and 102, and a row at the end is seen."""
    settings = two_clocks(entry, response)
    return play(row_by_row(rows(*OPENING, *told, ENDING)), settings, MAKER, instrument())


def test_the_venue_is_ahead_of_us() -> None:
    """Placed at 100, there at 110: a print of 105 passes before it, one of 115 fills it."""
    assert played((500, 105, Kind.SOLD, 99, 1)).fills == []
    outcome = played((500, 115, Kind.SOLD, 99, 1))
    assert outcome.fills == [(1, 115 * MILLIS, Side.BUY, 100, 5)]
    assert outcome.position == 5


def test_what_happens_at_the_venue_comes_before_a_request_of_that_moment() -> None:
    """A print at 110 does not meet an order that arrives at 110; one after it does."""
    assert played((500, 110, Kind.SOLD, 99, 1)).fills == []
    assert played((500, 111, Kind.SOLD, 99, 1)).fills != []


def test_what_we_hear_at_a_look_is_known_at_it() -> None:
    """A level seen at the very time of the look moves the quote; one seen later does not."""
    lifted = (500, 215, Kind.BOUGHT, 103, 1)
    early = played((200, 150, Kind.BID, 101, 10), lifted)
    late = played((201, 150, Kind.BID, 101, 10), lifted)
    assert early.fills == [(3, 215 * MILLIS, Side.SELL, 103, 5)]
    assert late.fills == [(2, 215 * MILLIS, Side.SELL, 102, 5)]
    assert early.looks == 8


def test_an_unconfirmed_order_is_left_alone() -> None:
    """The book moves at 150 for good, or until 250: at 200 the order is not confirmed yet."""
    for_good, for_long = (150, 149, Kind.BID, 101, 10), (250, 249, Kind.BID, 101, 0)
    assert played(for_good, entry=40, response=40).cancels == 1
    assert played(for_good, for_long, entry=40, response=40).cancels == 2
    assert played(for_good, for_long, entry=60, response=60).cancels == 0


def test_a_position_moves_when_the_fill_is_heard() -> None:
    """Filled at 115 and heard at 165, the bid is not replaced; unheard it cannot be either."""
    hit, moved = (500, 115, Kind.SOLD, 99, 1), (150, 149, Kind.BID, 101, 10)
    prompt, tardy = played(hit, moved, response=50), played(hit, moved, response=150)
    assert (prompt.position, tardy.position) == (5, 5)
    assert (prompt.orders, prompt.cancels) == (3, 1)
    assert (tardy.orders, tardy.cancels) == (3, 1)


def test_events_put_together_again_play_alike() -> None:
    """With a snapshot and whole events, the same comes out as row by row."""
    made = rows(
        (10, 5, Kind.CLEAR, 0, 0),
        (10, 5, Kind.BID, 100, 10),
        (10, 5, Kind.ASK, 102, 10),
        (10, 5, Kind.SETTLED, 0, 0),
        (300, 115, Kind.SOLD, 99, 1),
        (310, 301, Kind.BID, 101, 3),
        (310, 301, Kind.ASK, 102, 1),
        (900, 899, Kind.BID, 50, 1),
    )
    made["flags"][[0, 1, 2, 5]] = 0
    for matching in ("whole", "shared"):
        settings = two_clocks(10, 10, matching)
        together = play(event_by_event(made), settings, MAKER, instrument())
        assert together.position == (5 if matching == "whole" else 1)
        if matching == "whole":
            assert together == play(row_by_row(made), settings, MAKER, instrument())
