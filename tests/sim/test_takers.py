"""Orders that take: how they walk the book, what ends them, and what they may not do."""

from decimal import Decimal
from typing import Any

import pytest

from mm.events.market import FeedDown, FeedGapped, FeedResynced
from mm.events.orders import (
    CancelReason,
    Liquidity,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    OrderRejected,
    PlaceOrder,
    RejectReason,
    TimeInForce,
)
from mm.events.units import OrderId
from mm.sim.order import Standing
from mm.sim.settings import NONE, PaperSettings
from tests.build import BTC, BUY, SELL, START, instrument, placed, snapshot
from tests.sim.build import (
    BOOK,
    Paper,
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

GAP = FeedGapped(instrument=BTC, received=START, wanted=2, got=5)
DOWN = FeedDown(instrument=BTC, received=START, channel="depth", reason="closed")
RESYNCED = FeedResynced(instrument=BTC, received=START, sequence=9)


def refused(paper: Paper, intent: PlaceOrder) -> RejectReason | None:
    """Why an order is rejected, and that nothing else is said of it; None if it is not."""
    told = paper.gets(intent)
    if not isinstance(told[0], OrderRejected):
        return None
    assert len(told) == 1
    assert paper.venue.query(intent.order_id).standing is not Standing.OPEN
    return told[0].reason


def ended(told: list[Any]) -> tuple[CancelReason, int]:
    """Why the last order in these facts ended, and how much of it was filled."""
    assert isinstance(told[-1], OrderCanceled)
    return told[-1].reason, told[-1].filled


def test_a_taker_walks_the_levels() -> None:
    """20 lots: 7 @ 101, 9 @ 102, 4 @ 104, each at its level's price, as taker."""
    told = Paper().gets(market("a", BUY, 20))
    assert fills(told) == [("a", 101, 7), ("a", 102, 9), ("a", 104, 4)]
    taken = [fact.liquidity for fact in told if isinstance(fact, OrderFilled)]
    assert taken == [Liquidity.TAKER] * 3


def test_a_seller_walks_bids_downwards() -> None:
    """32 lots: 10 @ 100, 20 @ 99, 2 @ 97."""
    told = Paper().gets(market("a", SELL, 32))
    assert fills(told) == [("a", 100, 10), ("a", 99, 20), ("a", 97, 2)]


def test_a_limit_order_takes_to_its_price_and_rests() -> None:
    """Buy 12 @ 101 against 7 there: 7 taken, 5 rest with nobody ahead."""
    paper = Paper()
    assert fills(paper.gets(takes("a", BUY, 101, 12))) == [("a", 101, 7)]
    assert paper.open == [("a", 101, 5)]
    assert fills(paper.hears(sold(101, 2))) == [("a", 101, 2)]


def test_ioc_takes_what_is_there() -> None:
    """Buy 20 up to 102: 16 filled, the rest is canceled."""
    paper = Paper()
    told = paper.gets(ioc("a", BUY, 102, 20))
    assert fills(told) == [("a", 101, 7), ("a", 102, 9)]
    assert ended(told) == (CancelReason.IOC_REST, 16)
    assert paper.open == []


def test_ioc_that_finds_nothing_ends_unfilled() -> None:
    """It is accepted, and canceled with nothing filled."""
    told = Paper().gets(ioc("a", BUY, 100, 20))
    assert kinds(told) == ["OrderAcked", "OrderCanceled"]
    assert ended(told) == (CancelReason.IOC_REST, 0)


def test_fok_is_all_or_nothing() -> None:
    """16 lots are there up to 102: 16 fill whole, 17 are rejected."""
    paper = Paper()
    assert refused(paper, fok("a", BUY, 102, 17)) is RejectReason.NO_LIQUIDITY
    assert fills(paper.gets(fok("b", BUY, 102, 16))) == [("b", 101, 7), ("b", 102, 9)]


def test_a_market_order_past_the_book_ends() -> None:
    """46 lots are offered in all; the 47th is canceled."""
    told = Paper().gets(market("a", BUY, 47))
    assert sum(size for _, _, size in fills(told)) == 46
    assert ended(told) == (CancelReason.IOC_REST, 46)


def test_a_market_order_against_nobody_is_rejected() -> None:
    """An empty side sells nothing."""
    paper = Paper(snapshot((100, 1), ()))
    assert refused(paper, market("a", BUY, 1)) is RejectReason.NO_LIQUIDITY


def test_taken_lots_stay_taken_until_the_level_is_refreshed() -> None:
    """5 of 7 taken at 101: 2 are left, until the feed speaks of the level again."""
    paper = Paper()
    paper.gets(ioc("a", BUY, 101, 5))
    assert fills(paper.gets(ioc("b", BUY, 101, 5))) == [("b", 101, 2)]
    paper.hears(depth((), (102, 8)), bought(101, 1))
    assert fills(paper.gets(ioc("c", BUY, 101, 5))) == []
    paper.hears(depth((), (101, 6)))
    assert fills(paper.gets(ioc("d", BUY, 101, 9))) == [("d", 101, 6)]


def test_a_quote_refreshes_its_own_level_only_if_it_says_something_new() -> None:
    """The same best ask told again is no news; another size is; deeper levels stay taken."""
    paper = Paper(BOOK, best((100, 10), (101, 7)))
    paper.gets(ioc("a", BUY, 102, 16))
    paper.hears(best((100, 11), (101, 7)))
    assert fills(paper.gets(ioc("b", BUY, 102, 9))) == []
    paper.hears(best((100, 11), (101, 8)))
    assert fills(paper.gets(ioc("c", BUY, 102, 9))) == [("c", 101, 8)]


def test_a_level_that_went_and_came_back_is_new() -> None:
    """Once the touch was behind it, a level starts afresh."""
    paper = Paper(best((100, 10), (101, 7)))
    paper.gets(ioc("a", BUY, 101, 7))
    paper.hears(best((100, 10), (102, 7)), best((100, 10), (101, 7)))
    assert fills(paper.gets(ioc("b", BUY, 101, 9))) == [("b", 101, 7)]


@pytest.mark.parametrize(("side", "price"), [(BUY, 101), (BUY, 150), (SELL, 100), (SELL, 1)])
def test_post_only_that_would_cross_is_rejected(side: Any, price: int) -> None:
    """At or through the opposite touch, post-only is refused."""
    assert refused(Paper(), placed("a", side, price, 1)) is RejectReason.POST_ONLY_CROSSED


def test_post_only_just_short_of_crossing_rests() -> None:
    """One tick before the touch is fine."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 1), placed("b", SELL, 101, 1))
    assert paper.open == [("a", 100, 1), ("b", 101, 1)]


@pytest.mark.parametrize(
    "intent",
    [
        placed("a", BUY, 100, 1, tif=TimeInForce.IOC),
        placed("a", BUY, 100, 1, tif=TimeInForce.FOK),
        placed("a", BUY, 0, 1, kind=OrderKind.MARKET),
    ],
)
def test_post_only_contradicts_what_cannot_rest(intent: PlaceOrder) -> None:
    """IOC, FOK and market orders cannot be post-only."""
    assert refused(Paper(), intent) is RejectReason.NOT_PERMITTED


def test_a_taker_stops_at_our_own_order() -> None:
    """Own ask at 102 behind 9 others: the buyer takes 7 and 9, and its rest is canceled."""
    paper = Paper()
    paper.gets(placed("mine", SELL, 102, 4))
    told = paper.gets(takes("a", BUY, 103, 20))
    assert fills(told) == [("a", 101, 7), ("a", 102, 9)]
    assert ended(told) == (CancelReason.SELF_TRADE, 16)
    assert paper.open == [("mine", 102, 4)]


def test_a_taker_does_not_reach_what_is_behind_our_own_order() -> None:
    """2 of the 9 at 102 came before our ask: only these can be had."""
    paper = Paper()
    paper.hears(depth((), (102, 2)))
    paper.gets(placed("mine", SELL, 102, 4))
    paper.hears(depth((), (102, 9)))
    told = paper.gets(market("a", BUY, 20))
    assert fills(told) == [("a", 101, 7), ("a", 102, 2)]
    assert ended(told) == (CancelReason.SELF_TRADE, 9)


def test_our_own_order_alone_in_front_cancels_the_taker_whole() -> None:
    """An own ask inside the spread: nothing is taken past it."""
    paper = Paper(snapshot((100, 10), (105, 7)))
    paper.gets(placed("mine", SELL, 103, 4))
    told = paper.gets(ioc("a", BUY, 105, 5))
    assert ended(told) == (CancelReason.SELF_TRADE, 0)


def test_a_taker_that_is_filled_before_our_own_order_is_fine() -> None:
    """Self-trade matters only for what is left when it meets our order."""
    paper = Paper()
    paper.gets(placed("mine", SELL, 102, 4))
    assert fills(paper.gets(takes("a", BUY, 102, 7))) == [("a", 101, 7)]
    assert paper.venue.query(OrderId("a")).standing is Standing.FILLED


def test_fok_and_post_only_see_our_own_orders_too() -> None:
    """What is behind our order cannot fill a FOK; a post-only may not meet it."""
    paper = Paper(snapshot((100, 10), (105, 7)))
    paper.gets(placed("mine", SELL, 103, 4))
    assert refused(paper, fok("a", BUY, 105, 5)) is RejectReason.NO_LIQUIDITY
    assert refused(paper, placed("b", BUY, 103, 5)) is RejectReason.POST_ONLY_CROSSED


def test_reduce_only_needs_something_to_reduce() -> None:
    """Flat, or on the same side, or larger than the position: refused."""
    paper = Paper()
    assert refused(paper, ioc("a", SELL, 100, 1, reduce_only=True)) is RejectReason.REDUCE_ONLY
    paper.gets(market("b", BUY, 3))
    assert refused(paper, ioc("c", BUY, 101, 1, reduce_only=True)) is RejectReason.REDUCE_ONLY
    assert refused(paper, ioc("d", SELL, 100, 4, reduce_only=True)) is RejectReason.REDUCE_ONLY
    assert fills(paper.gets(ioc("e", SELL, 100, 3, reduce_only=True))) == [("e", 100, 3)]


def test_a_resting_reduce_only_order_never_opens() -> None:
    """Long 3, two exits of 3 rest; the market closes 3 by one, the other ends with the rest."""
    paper = Paper()
    paper.gets(market("in", BUY, 3))
    paper.gets(placed("x", SELL, 105, 3, reduce_only=True))
    paper.gets(placed("y", SELL, 106, 3, reduce_only=True), ioc("z", SELL, 100, 1))
    told = paper.hears(bought(110, 50))
    assert fills(told) == [("x", 105, 2)]
    gone = [(f.order_id, f.reason) for f in told if isinstance(f, OrderCanceled)]
    assert gone == [("x", CancelReason.VENUE), ("y", CancelReason.VENUE)]
    assert paper.position().size == 0


def test_a_reduce_only_order_ends_in_the_middle_of_a_crossing_book() -> None:
    """Two bids come to meet it; the first one closes the position, the second is not for it."""
    paper = Paper()
    paper.gets(market("in", BUY, 2), placed("x", SELL, 103, 2, reduce_only=True))
    paper.gets(ioc("out", SELL, 100, 1))
    told = paper.hears(depth((104, 1, 103, 5), (101, 0, 102, 0)))
    assert fills(told) == [("x", 103, 1)]
    assert ended(told) == (CancelReason.VENUE, 1)


@pytest.mark.parametrize(
    ("intent", "reason"),
    [
        (takes("a", BUY, 100, 0), RejectReason.SIZE_TOO_SMALL),
        (takes("a", BUY, 100, 4), RejectReason.SIZE_TOO_SMALL),
        (takes("a", BUY, 100, 51), RejectReason.SIZE_TOO_LARGE),
        (takes("a", BUY, 79, 50), RejectReason.PRICE_OUT_OF_RANGE),
        (takes("a", BUY, 121, 50), RejectReason.PRICE_OUT_OF_RANGE),
        (takes("a", BUY, 100, 9), RejectReason.NOTIONAL_TOO_SMALL),
        (market("a", BUY, 51), RejectReason.SIZE_TOO_LARGE),
        (market("a", BUY, 9), RejectReason.NOTIONAL_TOO_SMALL),
        (takes("a", BUY, 100, 10), None),
        (market("a", BUY, 10), None),
    ],
)
def test_filters(intent: PlaceOrder, reason: RejectReason | None) -> None:
    """Size 5 to 50 lots, price 80 to 120 ticks, notional at least 10 x 10.0 x 0.001 = 0.1."""
    limits = {"size_min": 5, "size_max": 50, "price_min": 80, "price_max": 120}
    defined = instrument(**limits, notional_min=Decimal("0.1"))
    assert refused(Paper(defined=defined), intent) is reason


def test_an_order_id_is_used_once() -> None:
    """Open or closed, an id that was seen is a duplicate; the first order stands."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 1), ioc("b", BUY, 101, 1))
    for name in "ab":
        (told,) = paper.gets(placed(name, BUY, 99, 1))
        assert isinstance(told, OrderRejected)
        assert told.reason is RejectReason.DUPLICATE_ID
    assert paper.open == [("a", 100, 1)]


def test_open_orders_are_limited() -> None:
    """The third order is one too many, until one is gone."""
    paper = Paper(settings=PaperSettings(entry=NONE, response=NONE, open_orders_max=2))
    paper.gets(placed("a", BUY, 100, 1), placed("b", BUY, 100, 1))
    assert refused(paper, placed("c", BUY, 100, 1)) is RejectReason.NOT_PERMITTED
    paper.hears(sold(99, 1))
    assert refused(paper, placed("d", BUY, 100, 1)) is None


def test_another_wallet_is_not_ours_to_trade() -> None:
    """The account has one wallet."""
    assert refused(Paper(), placed("a", BUY, 100, 1, wallet="x")) is RejectReason.NOT_PERMITTED


def test_an_unknown_instrument_is_closed() -> None:
    """Nobody defined it."""
    intent = placed("a", BUY, 100, 1, instrument=7)
    assert refused(Paper(), intent) is RejectReason.INSTRUMENT_CLOSED


@pytest.mark.parametrize(
    "events",
    [
        (depth((100, 1), (101, 1)),),
        (snapshot((100, 1), (101, 1), part=1, parts=2),),
        (BOOK, GAP),
        (BOOK, DOWN),
        (BOOK, GAP, depth((100, 1), (101, 1))),
        (BOOK, GAP, best((100, 1), (101, 1))),
        (BOOK, GAP, RESYNCED),
    ],
    ids=[
        *["no snapshot", "half a snapshot", "gap", "down", "delta in a gap", "quote in a gap"],
        "resynced without a book",
    ],
)
def test_without_a_usable_book_orders_are_rejected(events: tuple[Any, ...]) -> None:
    """Nobody can say what they would meet."""
    assert refused(Paper(*events), takes("a", BUY, 99, 1)) is RejectReason.NO_BOOK


@pytest.mark.parametrize(
    "events",
    [
        (best((100, 1), (101, 7)),),
        (BOOK, GAP, BOOK),
        (BOOK, DOWN, best((100, 1), (101, 7)), RESYNCED),
    ],
    ids=["quotes alone", "a new snapshot", "resynced, with quotes"],
)
def test_a_usable_book_is_back(events: tuple[Any, ...]) -> None:
    """A quote, a snapshot or a resync make it usable."""
    assert fills(Paper(*events).gets(ioc("a", BUY, 101, 9))) == [("a", 101, 7)]


def test_nothing_crosses_while_the_book_is_lost() -> None:
    """After the gap the fresh book counts at once."""
    paper = Paper()
    paper.gets(placed("a", BUY, 100, 5))
    assert paper.hears(GAP, best((98, 1), (99, 2))) == []
    assert fills(paper.hears(snapshot((98, 9), (99, 3)))) == [("a", 100, 3)]
