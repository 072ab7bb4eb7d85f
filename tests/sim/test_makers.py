"""Resting orders: where they queue, what moves them up, and what fills them."""

import pytest

from mm.events.base import MarketEvent
from mm.events.market import FeedGapped
from mm.events.orders import Liquidity, OrderFilled
from mm.events.units import Lots, OrderId, Side, Ticks
from mm.sim.order import Order
from tests.build import BTC, BUY, SELL, START, placed, snapshot
from tests.oracle.plain_trading import pit_of
from tests.oracle.queue import UNSEEN, shares
from tests.sim.build import (
    BOOK,
    Paper,
    best,
    bought,
    depth,
    fills,
    ioc,
    kinds,
    of_orders,
    sold,
    takes,
)


def front(paper: Paper, order_id: str) -> float:
    """How many lots of others are ahead of an order."""
    return pit_of(paper.venue, BTC).orders[OrderId(order_id)].front


def test_an_order_queues_behind_what_is_displayed() -> None:
    """All that is shown at our price is ahead; inside the spread nobody is."""
    paper = Paper(snapshot((100, 10, 98, 5), (104, 7)))
    paper.gets(
        placed("at", BUY, 100, 1), placed("inside", BUY, 102, 1), placed("between", BUY, 99, 1)
    )
    assert [front(paper, name) for name in ("at", "inside", "between")] == [10, 0, 0]


def test_below_all_that_is_shown_the_queue_is_unknown() -> None:
    """A price deeper than the feed shows has everything ahead that will ever appear there."""
    paper = Paper()
    paper.gets(placed("deep", BUY, 90, 1))
    assert front(paper, "deep") == UNSEEN
    paper.hears(sold(90, 3))
    assert paper.fills == []
    paper.hears(depth((90, 8)))
    assert front(paper, "deep") == 8


def test_quotes_alone_hide_every_other_level() -> None:
    """Without depth, an order behind the touch waits for all that is shown once the touch comes."""
    paper = Paper(best((100, 10), (101, 7)))
    paper.gets(placed("a", BUY, 99, 1))
    paper.hears(best((99, 6), (101, 7)))
    assert front(paper, "a") == 6


def test_a_delta_without_a_snapshot_says_nothing() -> None:
    """Where only quotes are known, changes to unknown depth move nobody."""
    paper = Paper(best((100, 10), (101, 7)))
    paper.gets(placed("a", BUY, 99, 1))
    paper.hears(depth((99, 3)))
    assert front(paper, "a") == UNSEEN


@pytest.mark.parametrize(("shown", "ahead"), [(90, 30), (30, 30), (29, 29), (0, 0)])
def test_a_shrinking_level_moves_us_only_past_what_is_left(shown: int, ahead: int) -> None:
    """Front 30: a level of 100 that shrinks to 90 leaves 30 ahead; below 30 it is the new size."""
    paper = Paper(snapshot((100, 100, 99, 1), (105, 10)))
    paper.gets(placed("a", BUY, 100, 5))
    paper.hears(sold(100, 70))
    assert front(paper, "a") == 30
    paper.hears(depth((100, shown)))
    assert front(paper, "a") == ahead


def test_a_growing_level_grows_behind_us() -> None:
    """New size at our price came after us."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 5))
    paper.hears(depth((100, 50)))
    assert front(paper, "a") == 10


def test_a_trade_at_our_price_serves_the_queue_first() -> None:
    """10 ahead: 8 printed only move us up, the next 5 fill 3 of ours."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 4))
    assert fills(paper.hears(sold(100, 8))) == []
    assert fills(paper.hears(sold(100, 5))) == [("a", 100, 3)]
    assert fills(paper.hears(sold(100, 5))) == [("a", 100, 1)]
    assert paper.open == []


def test_only_takers_of_the_other_side_reach_us() -> None:
    """A buyer who lifts an ask says nothing of our bid."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 4))
    paper.hears(bought(100, 50), bought(99, 50))
    assert paper.fills == []


def test_a_trade_through_our_price_fills_up_to_what_was_printed() -> None:
    """Sold at 99 while we bid 100: the seller would have met us first, whatever stood ahead."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 4))
    assert fills(paper.hears(sold(99, 3))) == [("a", 100, 3)]
    assert fills(paper.hears(sold(100, 9))) == [("a", 100, 1)]


def test_a_trade_through_our_price_leaves_nobody_ahead() -> None:
    """After trading behind us, the next print at our price is ours."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 9))
    paper.hears(sold(99, 1))
    assert front(paper, "a") == 0


def test_asks_mirror_bids() -> None:
    """A sell order is filled by buyers at or above its price."""
    paper = Paper()
    paper.gets(placed("a", SELL, 101, 4), placed("b", SELL, 102, 4))
    paper.hears(sold(101, 99), bought(101, 9))
    assert paper.fills == [("a", 101, 2)]
    paper.hears(bought(103, 5))
    assert paper.fills[1:] == [("a", 101, 2), ("b", 102, 3)]


def test_a_print_is_shared_by_price_then_time() -> None:
    """5 printed at 99: the bid at 100 first, then the queue at 99, then ours there in turn."""
    paper = Paper(snapshot((98, 1), (105, 1)))
    paper.gets(placed("late", BUY, 99, 2), placed("later", BUY, 99, 9), placed("top", BUY, 100, 2))
    assert fills(paper.hears(sold(99, 5))) == [("top", 100, 2), ("late", 99, 2), ("later", 99, 1)]


def test_others_between_our_orders_are_served_between_them() -> None:
    """First 0 ahead, second 4 ahead: 7 printed are 2 for us, 4 for others, 1 for us."""
    paper = Paper(snapshot((98, 1), (105, 1)))
    paper.gets(placed("a", BUY, 99, 2))
    paper.hears(depth((99, 4)))
    paper.gets(placed("b", BUY, 99, 2))
    assert [front(paper, "a"), front(paper, "b")] == [0, 4]
    assert fills(paper.hears(sold(99, 7))) == [("a", 99, 2), ("b", 99, 1)]


def test_a_later_order_never_stands_nearer_the_front() -> None:
    """When the book shows less now than is ahead of our first order, the second waits as long."""
    paper = Paper(snapshot((100, 4, 99, 1), (105, 1)), best((100, 20), (105, 1), sequence=5))
    paper.gets(placed("a", BUY, 100, 1))
    paper.hears(best((102, 1), (105, 1), sequence=6))
    paper.gets(placed("b", BUY, 100, 1))
    assert [front(paper, "a"), front(paper, "b")] == [20, 20]


def test_volume_runs_through_a_level_once() -> None:
    """The arithmetic alone: 12 printed, 5 and 8 ahead, 2 and 9 wanted."""
    first = Order(intent=placed("a", BUY, 1, 2), price=Ticks(1), size=Lots(2), front=5)
    second = Order(intent=placed("b", BUY, 1, 9), price=Ticks(1), size=Lots(9), front=8)
    given = shares([first, second], 12)
    assert [share for _, share in given] == [2, 2]
    assert [first.front, second.front] == [0, 0]


@pytest.mark.parametrize(
    "event",
    [depth((), (101, 0, 100, 3)), best((99, 20), (100, 3)), best((98, 1), (99, 3))],
    ids=["depth at our price", "quote at our price", "quote through our price"],
)
def test_an_ask_displayed_at_our_bid_fills_us(event: MarketEvent) -> None:
    """3 lots offered at or below our bid: we buy those 3, at our price, as maker."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 5))
    told = paper.hears(event)
    assert fills(told) == [("a", 100, 3)]
    assert isinstance(told[0], OrderFilled)
    assert told[0].liquidity is Liquidity.MAKER


def test_a_crossing_level_fills_once() -> None:
    """The same 3 lots shown again are not there again; 4 lots shown afresh are."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 9))
    paper.hears(best((99, 20), (100, 3)))
    assert fills(paper.hears(best((99, 19), (100, 3)))) == []
    assert fills(paper.hears(best((99, 19), (100, 4)))) == [("a", 100, 4)]


def test_crossing_levels_are_shared_by_price_then_time() -> None:
    """5 lots across: our better bid first, and no lot twice."""
    paper = Paper(snapshot((98, 1), (105, 1)))
    paper.gets(placed("b", BUY, 99, 4), placed("a", BUY, 100, 3))
    told = paper.hears(depth((), (99, 5)))
    assert fills(told) == [("a", 100, 3), ("b", 99, 2)]


def test_several_crossing_levels_add_up() -> None:
    """Levels at 100 and 99 across our bid at 100 give their sizes, no more."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 9))
    told = paper.hears(depth((100, 0, 99, 0), (100, 2, 99, 3)))
    assert sum(size for _, _, size in fills(told)) == 5


def test_prints_count_while_the_book_is_lost() -> None:
    """In a gap nothing is matched against the book, but a print is a print."""
    gap = FeedGapped(instrument=BTC, received=START, wanted=2, got=5)
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 5))
    assert paper.hears(gap, best((98, 1), (99, 9))) == []
    assert fills(paper.hears(sold(99, 2))) == [("a", 100, 2)]


def test_fills_are_numbered_by_order() -> None:
    """Fill ids are unique over the log, restarts included, since order ids are."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 4))
    told = paper.hears(sold(99, 1), sold(99, 1))
    assert [fact.fill_id for fact in told if isinstance(fact, OrderFilled)] == ["a-1", "a-2"]


def test_a_fill_carries_who_and_where() -> None:
    """Strategy and wallet come back with the fill."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 4, strategy="maker7"))
    (fact,) = of_orders(paper.hears(sold(99, 9)))
    assert isinstance(fact, OrderFilled)
    assert (fact.strategy, fact.wallet, fact.side) == ("maker7", "main", Side.BUY)


def test_ack_before_fill() -> None:
    """A place that fills at once is acked first."""
    paper = Paper(BOOK)
    told = paper.gets(takes("a", BUY, 101, 3), ioc("b", BUY, 102, 20))
    assert kinds(of_orders(told)) == [
        *["OrderAcked", "OrderFilled"],
        *["OrderAcked", "OrderFilled", "OrderFilled", "OrderCanceled"],
    ]
