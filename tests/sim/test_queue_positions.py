"""Where our orders stand under each queue model: by hand, and whatever the market does."""

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.events.base import MarketEvent
from mm.events.market import FeedGapped
from mm.events.orders import Liquidity, OrderFilled, PlaceOrder
from mm.events.units import OrderId
from mm.sim import queue_models
from mm.sim.settings import NONE, Latency, PaperSettings
from tests.build import BTC, BUY, SELL, START, amend, placed, snapshot
from tests.oracle.plain_trading import pit_of, plain_venue
from tests.oracle.queue import UNSEEN
from tests.sim.build import BOOK, Paper, best, depth, sold
from tests.sim.stories import DEFINED, Action, latencies, numbered, settled, stories

models = st.sampled_from(sorted(queue_models.NUMBERS))
HUNDRED = snapshot((100, 30, 99, 20), (101, 7))


def paper(queue: str, power: float = 1.0, book: MarketEvent = HUNDRED) -> Paper:
    """A venue with 30 lots at 100 and this queue model."""
    settings = PaperSettings(entry=NONE, response=NONE, queue=queue, queue_power=power)
    return Paper(book, settings=settings)


def front(told: Paper, order_id: str) -> float:
    """How many lots of others are ahead of an order."""
    return pit_of(told.venue, BTC).orders[OrderId(order_id)].front


@pytest.mark.parametrize(
    ("queue", "power", "ahead"),
    [
        ("risk-averse", 1.0, 30),
        ("power", 1.0, 27),
        ("power", 3.0, 29.270270270),
        ("power2", 2.0, 24.9),
        ("power3", 2.0, 29.1),
    ],
)
def test_cancels_move_us_up(queue: str, power: float, ahead: float) -> None:
    """We come behind 30, 70 come behind us, 10 are canceled."""
    here = paper(queue, power)
    here.gets(placed("a", BUY, 100, 5))
    here.hears(depth((100, 100)), depth((100, 90)))
    assert front(here, "a") == pytest.approx(ahead)


@pytest.mark.parametrize("queue", ["log", "log2"])
def test_logarithms_count_in_base_units(queue: str) -> None:
    """A lot is 0.001: 30 lots are 0.03 units."""
    here = paper(queue)
    here.gets(placed("a", BUY, 100, 5))
    here.hears(depth((100, 100)), depth((100, 90)))
    model = queue_models.number_of(queue)
    moved = queue_models.after_depth(model, 0.001, 30.0, 0.0, 100.0, 90.0)
    assert front(here, "a") == moved
    assert moved != queue_models.after_depth(model, 1.0, 30.0, 0.0, 100.0, 90.0)


def test_what_was_traded_was_not_canceled() -> None:
    """Twelve are printed, the level shows twelve less: nobody canceled."""
    here = paper("power", 1.0)
    here.gets(placed("a", BUY, 100, 5))
    here.hears(depth((100, 100)), sold(100, 12))
    assert front(here, "a") == 18
    here.hears(depth((100, 88)))
    assert front(here, "a") == 18
    here.hears(depth((100, 68)))
    assert front(here, "a") == pytest.approx(18 - 20 * 18 / 88)


def test_depth_before_its_print_is_taken_for_a_cancel() -> None:
    """The level shrinks first: some of it was ahead; the print then takes its own part."""
    here = paper("power", 1.0)
    here.gets(placed("a", BUY, 100, 5))
    here.hears(depth((100, 100)), depth((100, 90)), sold(100, 10))
    assert front(here, "a") == pytest.approx(17)


def test_a_lot_that_is_partly_somebody_elses_is_not_ours() -> None:
    """With 2.7 ahead, 3 printed are none of ours, and of the next 2 both are."""
    here = paper("power", 1.0, snapshot((100, 3), (101, 7)))
    here.gets(placed("a", BUY, 100, 5))
    here.hears(depth((100, 10)), depth((100, 9)))
    assert front(here, "a") == pytest.approx(2.7)
    here.hears(sold(100, 3))
    assert here.fills == []
    assert front(here, "a") == 0
    here.hears(sold(100, 2))
    assert here.fills == [("a", 100, 2)]


def test_own_orders_keep_their_order() -> None:
    """Alone, the later one would come out in front of the first: it never passes it."""
    here = paper("power", 3.0, snapshot((100, 40), (101, 7)))
    here.gets(placed("a", BUY, 100, 5))
    here.hears(depth((100, 60)))
    here.gets(placed("b", BUY, 100, 5))
    assert (front(here, "a"), front(here, "b")) == (40, 60)
    here.hears(depth((100, 100)), depth((100, 10)))
    assert queue_models.moved_up(queue_models.POWER, 3.0, 60.0, 0.0, 100.0, 10.0) == 0
    assert (front(here, "a"), front(here, "b")) == (10, 10)
    here.hears(sold(100, 100))
    assert [name for name, _, _ in here.fills] == ["a", "b"]


def test_deeper_than_what_is_shown_nothing_is_known_of_cancels() -> None:
    """All that appears there is ahead, also after a print."""
    for queue in queue_models.NUMBERS:
        here = paper(queue)
        here.gets(placed("a", BUY, 90, 5))
        assert front(here, "a") == UNSEEN
        here.hears(sold(90, 3), depth((90, 8)))
        assert front(here, "a") == 8


def test_trading_through_our_price_leaves_nobody_ahead() -> None:
    """Whatever the model; and what is displayed afterwards came behind us."""
    for queue in queue_models.NUMBERS:
        here = paper(queue)
        here.gets(placed("a", BUY, 100, 5))
        here.hears(sold(99, 2))
        assert here.fills == [("a", 100, 2)]
        here.hears(depth((100, 50)))
        assert front(here, "a") == 0


def test_an_amend_that_keeps_its_place_keeps_what_is_ahead() -> None:
    """Smaller at the same price: a part of a lot ahead stays a part; any other one starts anew."""
    here = paper("power", 1.0)
    here.gets(placed("a", BUY, 100, 5))
    here.hears(depth((100, 100)), depth((100, 93)))
    before = front(here, "a")
    assert before == pytest.approx(30 - 7 * 0.3)
    here.gets(amend("a", 100, 4))
    assert front(here, "a") == before
    here.gets(amend("a", 100, 6))
    assert front(here, "a") == 93


def test_a_touch_that_leaves_tells_what_is_ahead() -> None:
    """A quote behind our price shows nobody there; one at it shows what there is."""
    here = paper("power", 1.0)
    here.gets(placed("a", BUY, 100, 5))
    here.hears(best((100, 90), (101, 7)), best((100, 60), (101, 7)))
    assert front(here, "a") == pytest.approx(30 - 30 / 3)
    here.hears(best((99, 20), (101, 7)))
    assert front(here, "a") == 0


@given(stories, latencies, models)
def test_what_may_never_happen(
    story: list[tuple[int, Action]], latency: Latency, queue: str
) -> None:
    """No overfill, no volume from nowhere, first come first served; `stories` checks each event."""
    _, told = settled(numbered(story), latency, queue=queue)
    sizes: dict[str, int] = defaultdict(int)
    for _, action in numbered(story):
        if isinstance(action, PlaceOrder):
            sizes[action.order_id] = action.size
        elif hasattr(action, "size") and hasattr(action, "order_id"):
            sizes[action.order_id] = max(sizes[action.order_id], action.size)
    for fact in told:
        if isinstance(fact, OrderFilled):
            assert fact.size >= 1
            sizes[fact.order_id] -= fact.size
            assert sizes[fact.order_id] >= 0


@given(stories, models, st.booleans())
def test_whole_orders_only(story: list[tuple[int, Action]], queue: str, venue_time: bool) -> None:
    """Filled in full or not at all, makers at their own price; what is ahead is a number."""
    market = "venue" if venue_time else "received"
    settings = PaperSettings(
        entry=NONE, response=NONE, matching="whole", queue=queue, queue_power=2.5, market=market
    )
    venue = plain_venue(settings, seed=5)
    venue.hear(START, DEFINED)
    venue.hear(START, BOOK)
    for at, action in numbered(story):
        if isinstance(action, PlaceOrder) and action.reduce_only:
            continue  # What is left of the position may be less than the order.
        if isinstance(action, MarketEvent):
            venue.hear(at, action)
        else:
            venue.submit(at, action)
        for fact in venue.advance(at):
            if isinstance(fact, OrderFilled):
                report = venue.query(fact.order_id)
                assert report.filled == fact.size == report.size
                assert fact.liquidity is Liquidity.TAKER or fact.price == report.price
        orders = pit_of(venue, BTC).orders.values()
        assert all(order.filled == 0 for order in orders)
        assert not any(math.isnan(order.front) for order in orders)


def test_a_gap_leaves_the_queue_as_it_was() -> None:
    """Until the next snapshot speaks of our price."""
    here = paper("power", 1.0)
    here.gets(placed("a", BUY, 100, 5), placed("b", SELL, 101, 5))
    here.hears(FeedGapped(instrument=BTC, received=START, wanted=1, got=3))
    assert front(here, "a") == 30
    here.hears(snapshot((100, 15), (101, 7)))
    assert front(here, "a") == pytest.approx(15)
