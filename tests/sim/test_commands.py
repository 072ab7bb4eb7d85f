"""Amending and canceling, and what the venue knows of an order afterwards."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mm.errors import BadInput
from mm.events.market import FeedGapped
from mm.events.orders import (
    AmendRejected,
    CancelReason,
    CancelRejected,
    OrderAmended,
    OrderCanceled,
    OrderRejected,
    RejectReason,
)
from mm.events.units import Nanos, OrderId
from mm.sim.order import Standing
from mm.sim.settings import NONE, PaperSettings
from tests.build import BTC, BUY, SELL, START, cancel, instrument, placed, snapshot
from tests.sim.build import (
    Paper,
    amend,
    best,
    cancels_all,
    fills,
    ioc,
    kinds,
    of_orders,
    sold,
    takes,
)


def test_a_smaller_size_keeps_the_place() -> None:
    """4 of 10 ahead are served, the order shrinks, and still has 6 ahead."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 5))
    paper.hears(sold(100, 4))
    (told,) = paper.gets(amend("a", 100, 2))
    assert isinstance(told, OrderAmended)
    assert (told.price, told.size) == (100, 2)
    assert fills(paper.hears(sold(100, 7))) == [("a", 100, 1)]


@pytest.mark.parametrize(("price", "size"), [(100, 6), (99, 5), (99, 2)])
def test_any_other_change_loses_it(price: int, size: int) -> None:
    """More size, or another price: to the back of the queue."""
    paper = Paper(snapshot((100, 10, 99, 10), (105, 1)))
    paper.gets(placed("a", BUY, 100, 5))
    paper.hears(sold(100, 9))
    paper.gets(amend("a", price, size))
    assert fills(paper.hears(sold(price, 10))) == []
    assert fills(paper.hears(sold(price, 1))) == [("a", price, 1)]


def test_an_amended_order_queues_behind_our_later_one() -> None:
    """Growing costs the place among our own orders too."""
    paper = Paper(snapshot((98, 1), (105, 1)))
    paper.gets(placed("a", BUY, 99, 2), placed("b", BUY, 99, 2), amend("a", 99, 3))
    assert fills(paper.hears(sold(99, 3))) == [("b", 99, 2), ("a", 99, 1)]


def test_an_amend_may_take() -> None:
    """Moved across the ask: amended, 7 taken, the rest rests at the new price."""
    paper = Paper()
    paper.gets(takes("a", BUY, 100, 9))
    told = paper.gets(amend("a", 101, 9))
    assert kinds(of_orders(told)) == ["OrderAmended", "OrderFilled"]
    assert paper.open == [("a", 101, 2)]


def test_size_is_the_total() -> None:
    """Filled lots count: 3 of 5 filled, amended to 4, one is left."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 5))
    paper.hears(sold(99, 3))
    paper.gets(amend("a", 100, 4))
    assert paper.open == [("a", 100, 1)]


def reason(paper: Paper, price: int, size: int) -> RejectReason:
    """Why the amend of order a is rejected; the order must stay as it was."""
    before = paper.open
    (told,) = paper.gets(amend("a", price, size))
    assert isinstance(told, AmendRejected)
    assert paper.open == before
    return told.reason


def test_refused_amends_leave_the_order_alone() -> None:
    """Crossing post-only, nothing left, too small, out of range, unknown."""
    limits = {"size_min": 2, "price_max": 120}
    paper = Paper(defined=instrument(**limits))
    paper.gets(placed("a", BUY, 100, 5))
    paper.hears(sold(99, 3))
    assert reason(paper, 101, 5) is RejectReason.POST_ONLY_CROSSED
    assert reason(paper, 100, 3) is RejectReason.SIZE_TOO_SMALL
    assert reason(paper, 99, 1) is RejectReason.SIZE_TOO_SMALL
    assert reason(paper, 121, 5) is RejectReason.PRICE_OUT_OF_RANGE
    paper.gets(cancel("a"))
    assert reason(paper, 100, 5) is RejectReason.UNKNOWN_ORDER


def test_without_a_book_only_shrinking_is_possible() -> None:
    """A move would have to be matched; less at the same price would not."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 5))
    paper.hears(FeedGapped(instrument=BTC, received=START, wanted=2, got=5))
    assert reason(paper, 99, 5) is RejectReason.NO_BOOK
    paper.gets(amend("a", 100, 4))
    assert paper.open == [("a", 100, 4)]


def test_cancel() -> None:
    """The order is gone, with what was filled of it."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 5))
    paper.hears(sold(99, 3))
    (told,) = paper.gets(cancel("a"))
    assert isinstance(told, OrderCanceled)
    assert (told.reason, told.filled) == (CancelReason.REQUESTED, 3)
    assert fills(paper.hears(sold(1, 99))) == []


@pytest.mark.parametrize("order_id", ["never", "filled", "canceled"])
def test_what_is_gone_cannot_be_canceled(order_id: str) -> None:
    """Unknown, filled, canceled: the venue knows no such order."""
    paper = Paper()
    paper.gets(ioc("filled", BUY, 101, 1), placed("canceled", BUY, 100, 1), cancel("canceled"))
    (told,) = paper.gets(cancel(order_id))
    assert isinstance(told, CancelRejected)
    assert told.reason is RejectReason.UNKNOWN_ORDER


def test_cancel_all_spares_nothing_of_its_instrument() -> None:
    """Every order of the instrument, oldest first; others stay."""
    paper = Paper()
    other = instrument(instrument=1, symbol="ETHUSDT")
    paper.venue.hear(paper.at, other)
    paper.hears(replace(best((50, 1), (60, 1)), instrument=1))
    paper.gets(
        placed("b", SELL, 101, 1), placed("x", BUY, 50, 1, instrument=1), placed("a", BUY, 100, 1)
    )
    told = paper.gets(cancels_all())
    gone = [(f.order_id, f.reason) for f in told if isinstance(f, OrderCanceled)]
    assert gone == [("b", CancelReason.CANCEL_ALL), ("a", CancelReason.CANCEL_ALL)]
    assert paper.open == [("x", 50, 1)]
    assert paper.gets(cancels_all()) == []


def test_query_tells_how_an_order_stands() -> None:
    """Open, filled, canceled, rejected, unknown, each with its filled lots."""
    paper = Paper()
    paper.gets(
        placed("open", BUY, 100, 5),
        ioc("filled", BUY, 101, 7),
        ioc("canceled", BUY, 102, 10),
        placed("rejected", BUY, 102, 1),
    )
    paper.hears(sold(99, 2))
    names = ["open", "filled", "canceled", "rejected", "never"]
    standings = [paper.venue.query(OrderId(name)) for name in names]
    assert [(each.standing, each.filled) for each in standings] == [
        (Standing.OPEN, 2),
        (Standing.FILLED, 7),
        (Standing.CANCELED, 9),
        (Standing.REJECTED, 0),
        (Standing.UNKNOWN, 0),
    ]


def test_closed_orders_are_forgotten_in_the_end() -> None:
    """The record of closed orders is bounded; the oldest leaves first."""
    paper = Paper(settings=PaperSettings(entry=NONE, response=NONE, closed_kept_max=2))
    for name in "abc":
        paper.gets(placed(name, BUY, 100, 1), cancel(name))
    standings = [paper.venue.query(OrderId(name)).standing for name in "abc"]
    assert standings == [Standing.UNKNOWN, Standing.CANCELED, Standing.CANCELED]


def test_a_new_revision_may_change_fees_and_filters() -> None:
    """From then on it is what counts, and open orders stay."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 1))
    paper.venue.hear(paper.at, instrument(revision=2, size_min=2))
    (told,) = paper.gets(placed("b", BUY, 100, 1))
    assert isinstance(told, OrderRejected)
    assert told.reason is RejectReason.SIZE_TOO_SMALL
    assert paper.open == [("a", 100, 1)]


@pytest.mark.parametrize("change", ["tick_size", "lot_size", "multiplier"])
def test_a_new_revision_may_not_change_its_steps(change: str) -> None:
    """What a lot or a tick is worth cannot change under the orders and positions in them."""
    paper = Paper()
    with pytest.raises(BadInput, match="changes its kind or its steps"):
        paper.venue.hear(paper.at, instrument(revision=2, **{change: Decimal(7)}))


def test_time_never_runs_back() -> None:
    """A caller that plays time backwards has a bug."""
    paper = Paper()
    with pytest.raises(AssertionError, match="time runs back"):
        paper.venue.advance(Nanos(paper.at - 1))
