"""From wanted quotes to the fewest steps: what rests where it should keeps its place."""

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.engine.quoter import Amend, Cancel, Hedge, Place, Step, explained, plan
from mm.events.orders import TimeInForce
from mm.events.session import NoQuoteReason
from mm.events.units import Lots, OrderId, Side, Ticks
from mm.projections.lifecycle import Status
from mm.projections.orders import Order
from mm.strategy.base import Level, Take, Wanted
from tests.build import BUY, SELL, placed
from tests.build import given as folded

LIVE: Final = [
    Status.PENDING_NEW,
    Status.OPEN,
    Status.PARTIALLY_FILLED,
    Status.PENDING_AMEND,
    Status.PENDING_CANCEL,
    Status.UNCERTAIN,
]
MOVABLE: Final = (Status.OPEN, Status.PARTIALLY_FILLED)
IOC: Final = TimeInForce.IOC


def order(name: str, side: Side, price: int, size: int, **changes: Any) -> Order:
    """A live order, open unless said otherwise."""
    (made,) = folded(placed(name, side, price, size)).orders.live
    return msgspec.structs.replace(made, **{"status": Status.OPEN, **changes})


def wanted(bids: dict[int, int], asks: dict[int, int] | None = None, **more: Any) -> Wanted:
    """Quotes by price and size."""
    return Wanted(
        bids=tuple(Level(Ticks(price), Lots(size)) for price, size in bids.items()),
        asks=tuple(Level(Ticks(price), Lots(size)) for price, size in (asks or {}).items()),
        **more,
    )


def take(side: Side, price: int, size: int = 5) -> Take:
    """An immediate trade."""
    return Take(side, Ticks(price), Lots(size))


# -- examples --------------------------------------------------------------------------------------


def test_quotes_from_nothing() -> None:
    """Every level is placed, with its number."""
    steps = plan(wanted({99: 5, 98: 5}, {101: 5}), [], amend=False)
    assert steps == [
        Place(BUY, 0, Ticks(99), Lots(5)),
        Place(BUY, 1, Ticks(98), Lots(5)),
        Place(SELL, 0, Ticks(101), Lots(5)),
    ]


def test_what_rests_where_it_should_stays() -> None:
    """An order at its level keeps its place in the queue, also when a part of it was filled."""
    whole, part = order("a", BUY, 99, 5), order("b", SELL, 101, 5, filled=Lots(3))
    assert plan(wanted({99: 5}, {101: 5}), [whole, part], amend=False) == []


def test_what_is_too_large_goes() -> None:
    """More than wanted at a level is more risk than was meant."""
    large = order("a", BUY, 99, 6)
    assert plan(wanted({99: 5}), [large], amend=False) == [
        Cancel(large),
        Place(BUY, 0, Ticks(99), Lots(5)),
    ]


def test_a_move_is_a_cancel_and_a_place_or_an_amend() -> None:
    """Where the venue can amend, one message does; the cancel comes first where it cannot."""
    old = order("a", BUY, 99, 5)
    new = Place(BUY, 0, Ticks(98), Lots(5))
    assert plan(wanted({98: 5}), [old], amend=False) == [Cancel(old), new]
    assert plan(wanted({98: 5}), [old], amend=True) == [Amend(old, Ticks(98), Lots(5))]


def test_only_what_rests_is_amended() -> None:
    """An order on its way in is canceled and placed anew."""
    new = order("a", BUY, 99, 5, status=Status.PENDING_NEW)
    steps = plan(wanted({98: 5}), [new], amend=True)
    assert steps == [Cancel(new), Place(BUY, 0, Ticks(98), Lots(5))]


def test_more_orders_than_levels_are_canceled() -> None:
    """Amends use what there are levels for; the rest goes, before anything is placed."""
    orders = [order(name, BUY, price, 5) for name, price in (("a", 90), ("b", 91), ("c", 92))]
    steps = plan(wanted({99: 5}), orders, amend=True)
    assert steps == [Cancel(orders[1]), Cancel(orders[2]), Amend(orders[0], Ticks(99), Lots(5))]


def test_cancels_of_both_sides_come_first() -> None:
    """Room is made before it is taken."""
    bid, ask = order("a", BUY, 99, 5), order("b", SELL, 101, 5)
    steps = plan(wanted({100: 5}, {102: 5}), [bid, ask], amend=False)
    assert [type(step) for step in steps] == [Cancel, Cancel, Place, Place]


def test_what_is_being_canceled_is_no_quote() -> None:
    """It is neither kept nor canceled again."""
    going = order("a", BUY, 99, 5, status=Status.PENDING_CANCEL)
    assert plan(wanted({99: 5}), [going], amend=False) == [Place(BUY, 0, Ticks(99), Lots(5))]
    assert plan(wanted({}), [going], amend=False) == []


def test_what_is_on_its_way_to_a_level_counts_as_there() -> None:
    """An amend under way is waited for, not doubled; one to the wrong place is called back."""
    moving = order(
        "a", BUY, 99, 5, status=Status.PENDING_AMEND, amend_price=Ticks(98), amend_size=Lots(5)
    )
    assert plan(wanted({98: 5}), [moving], amend=True) == []
    assert plan(wanted({99: 5}), [moving], amend=True) == [
        Cancel(moving),
        Place(BUY, 0, Ticks(99), Lots(5)),
    ]


@pytest.mark.parametrize("amend", [True, False])
def test_an_uncertain_order_blocks_its_side(amend: bool) -> None:
    """Nothing is added next to what may be there; the other side is quoted, surplus goes."""
    doubt = order("a", BUY, 99, 5, status=Status.UNCERTAIN)
    stray = order("b", BUY, 90, 5)
    wants = wanted({99: 5, 98: 5}, {101: 5})
    steps = plan(wants, [doubt, stray], amend=amend)
    assert steps == [Cancel(stray), Place(SELL, 0, Ticks(101), Lots(5))]
    told = explained(wants, [doubt, stray])
    assert (told.bid_reason, told.ask_reason) == (
        NoQuoteReason.UNCERTAIN_ORDER,
        NoQuoteReason.QUOTING,
    )
    assert (told.bids, told.asks) == (wants.bids, wants.asks)


def test_doubt_is_told_only_where_it_matters() -> None:
    """A side that is not wanted keeps its own reason, and so does one without doubt."""
    doubts = [
        order(name, side, 99, 5, status=Status.UNCERTAIN)
        for name, side in (("a", BUY), ("b", SELL))
    ]
    limit = NoQuoteReason.POSITION_LIMIT
    told = explained(wanted({}, {101: 5}, bid_reason=limit), doubts)
    assert (told.bid_reason, told.ask_reason) == (limit, NoQuoteReason.UNCERTAIN_ORDER)
    hedge = order("c", BUY, 99, 5, status=Status.UNCERTAIN, tif=IOC)
    assert explained(wanted({99: 5}), [hedge]).bid_reason is NoQuoteReason.QUOTING
    assert plan(wanted({98: 5}), [hedge], amend=False) != []


# -- hedges ----------------------------------------------------------------------------------------


def test_one_hedge_at_a_time() -> None:
    """While one is under way, in doubt too, there is no second."""
    hedging = order("h", SELL, 98, 5, tif=IOC, status=Status.UNCERTAIN)
    wants = wanted({}, take=take(SELL, 98))
    assert plan(wants, [], amend=False) == [Hedge(take(SELL, 98))]
    assert plan(wants, [hedging], amend=False) == []
    assert plan(wants, [order("q", SELL, 103, 5)], amend=False)[-1] == Hedge(take(SELL, 98))


@pytest.mark.parametrize(("price", "waits"), [(97, False), (98, True), (99, True)])
def test_a_hedge_waits_for_our_own_quotes_to_go(price: int, waits: bool) -> None:
    """It would trade with them."""
    quote = order("q", BUY, price, 5, status=Status.PENDING_CANCEL)
    steps = plan(wanted({}, take=take(SELL, 98)), [quote], amend=False)
    assert (steps == []) is waits


def test_a_hedge_waits_for_a_quote_that_moves_into_its_way() -> None:
    """Both prices of an amend under way count."""
    quote = order(
        "q", BUY, 90, 5, status=Status.PENDING_CANCEL, amend_price=Ticks(98), amend_size=Lots(5)
    )
    assert plan(wanted({}, take=take(SELL, 98)), [quote], amend=True) == []


def test_hedges_are_no_quotes() -> None:
    """An immediate order is never kept as a level and never canceled."""
    hedge = order("h", BUY, 99, 5, tif=IOC)
    assert plan(wanted({99: 5}), [hedge], amend=False) == [Place(BUY, 0, Ticks(99), Lots(5))]


# -- what always holds -----------------------------------------------------------------------------

quotes = st.dictionaries(st.integers(90, 99), st.integers(1, 5), max_size=4)
orders = st.lists(
    st.tuples(st.integers(90, 99), st.integers(1, 6), st.integers(0, 2), st.sampled_from(LIVE)),
    max_size=6,
).map(
    lambda drawn: [
        order(f"o{n}", BUY, price, size + filled, filled=Lots(filled), status=status)
        for n, (price, size, filled, status) in enumerate(drawn)
    ]
)


def touched(steps: list[Step]) -> list[OrderId]:
    """The orders that steps cancel or amend."""
    return [step.order.order_id for step in steps if isinstance(step, Cancel | Amend)]


@given(quotes, orders, st.booleans())
def test_a_plan_leads_to_what_is_wanted(
    bids: dict[int, int], live: list[Order], amend: bool
) -> None:
    """Kept, moved and placed together are the wanted levels, and no order is touched twice."""
    wants = wanted(bids)
    steps = plan(wants, live, amend=amend)
    ids = touched(steps)
    assert len(ids) == len(set(ids))
    going = [each for each in live if each.order_id in ids]
    assert all(each.status not in (Status.PENDING_CANCEL, Status.UNCERTAIN) for each in going)
    amends = [step for step in steps if isinstance(step, Amend)]
    assert all(step.order.status in MOVABLE and amend for step in amends)
    places = [step for step in steps if isinstance(step, Place)]
    passed = (Status.PENDING_CANCEL, Status.UNCERTAIN)
    kept = [each for each in live if each.order_id not in ids and each.status not in passed]
    reached = [each.price for each in kept]
    reached += [step.price for step in amends] + [step.price for step in places]
    if any(each.status is Status.UNCERTAIN for each in live):
        assert not amends
        assert not places
        assert set(reached) <= set(bids)
    else:
        assert sorted(reached) == sorted(bids)
    assert len(reached) == len(set(reached))
    assert all(each.leaves <= bids[each.price] for each in kept)
    kinds = [isinstance(step, Cancel) for step in steps]
    assert kinds == sorted(kinds, reverse=True)


@given(quotes, orders, st.booleans())
def test_a_plan_carried_out_needs_no_other(
    bids: dict[int, int], live: list[Order], amend: bool
) -> None:
    """Once every step is done, the same wish asks for nothing."""
    if any(each.status is Status.UNCERTAIN for each in live):
        return
    steps = plan(wanted(bids), live, amend=amend)
    ids = touched(steps)
    after = [each for each in live if each.order_id not in ids]
    for number, step in enumerate(steps):
        match step:
            case Amend(moved, price, leaves):
                size = Lots(moved.filled + leaves)
                after.append(msgspec.structs.replace(moved, price=price, size=size))
            case Place(side, _, price, size):
                after.append(order(f"n{number}", side, price, size))
            case _:
                pass
    assert plan(wanted(bids), after, amend=amend) == []
