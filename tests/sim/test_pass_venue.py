"""The compiled venue does to every command what the plain one does, answer by answer."""

from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mm.events.orders import (
    CancelReason,
    Liquidity,
    OrderKind,
    PlaceOrder,
    RejectReason,
    TimeInForce,
)
from mm.events.units import MICROS, MILLIS, Nanos, OrderId
from mm.sim.queue_models import NUMBERS
from mm.sim.settings import NONE, PaperSettings
from tests.build import BUY, SELL, START, amend, cancel, delta, instrument, placed, snapshot
from tests.sim.build import bought, cancels_all, fok, ioc, market, takes
from tests.sim.commanded import Action, Story, commanded, plainly
from tests.sim.worlds import (
    KINDS,
    MIDDLE,
    constant,
    events,
    narrow,
    second,
    sides,
    steady,
    trades,
    twice,
)

gaps = st.sampled_from([MILLIS, 3 * MILLIS, 20 * MILLIS, 50 * MICROS, 1])
prices = st.sampled_from([*range(MIDDLE - 6, MIDDLE + 7), *range(MIDDLE - 2, MIDDLE + 3), 0, 3])
sizes = st.sampled_from([*range(1, 13), 2, 4, 6, 30, 0])
few = st.integers(1, 4)
NUMBERED: Final = ""
"""Stands for the number of a new order, or of one that was placed."""


@st.composite
def makers(draw: Any) -> PlaceOrder:
    """An order that rests near the touch, now and then one that only reduces."""
    side, reduces = draw(sides), draw(st.integers(0, 2)) == 0
    price, size = MIDDLE - side * draw(few), draw(few) if reduces else draw(sizes)
    return placed(NUMBERED, side, price, size, reduce_only=reduces)


any_orders = st.builds(
    placed,
    st.just(NUMBERED),
    sides,
    prices,
    sizes,
    kind=st.sampled_from([OrderKind.LIMIT, OrderKind.LIMIT, OrderKind.MARKET]),
    tif=st.sampled_from([TimeInForce.GTC, *TimeInForce]),
    post_only=st.sampled_from([False, False, False, True]),
    reduce_only=st.sampled_from([False, False, True]),
)
ends = st.integers(0, 11).map(lambda n: cancel(NUMBERED) if n else cancels_all())
amends = st.builds(amend, st.just(NUMBERED), prices, sizes)
commands = st.one_of(makers(), makers(), any_orders, ends, amends)


@st.composite
def stories(draw: Any, events: Any, matching: str) -> Story:
    """Public events and commands, the orders numbered from 1; half of all are commands."""
    first = draw(st.sampled_from(KINDS))
    instruments = (first, second(first)) if draw(st.integers(0, 3)) == 3 else (first,)
    at, orders = int(START), 0
    told: list[Action] = []
    opening = snapshot((999, 5, 998, 8, 996, 3), (1001, 4, 1002, 9, 1005, 3))
    for each in instruments:
        at += 1
        told.append((Nanos(at), replace(opening, instrument=each.instrument)))
    opened = draw(sides)
    for each in instruments:
        at, orders = at + 1, orders + 1
        take = ioc(str(orders), opened, MIDDLE + 6 * opened, 12)
        told.append((Nanos(at), replace(take, instrument=each.instrument)))
    drawn = st.tuples(gaps, st.integers(0, 99), st.one_of(events, commands))
    for gap, which, action in draw(st.lists(drawn, min_size=20, max_size=80)):
        at += gap
        named: dict[str, Any] = {"instrument": instruments[which % len(instruments)].instrument}
        orders += isinstance(action, PlaceOrder)
        if getattr(action, "order_id", None) == NUMBERED:
            latest = 0 if isinstance(action, PlaceOrder) else which % 5
            named["order_id"] = OrderId(str(max(1, orders - latest)))
        if isinstance(action, PlaceOrder) and action.reduce_only and which % 5:
            named["side"] = opened.other
            named["price"] = 2 * MIDDLE - action.price if action.side is opened else action.price
        told.append((Nanos(at), replace(action, **named)))
    paper = PaperSettings(
        entry=constant(draw(steady)),
        response=constant(draw(steady)),
        queue=draw(st.sampled_from(sorted(NUMBERS))),
        queue_power=draw(st.sampled_from([1.0, 3.0])),
        matching=matching,
        market=draw(st.sampled_from(["received", "venue"])),
        open_orders_max=draw(st.sampled_from([200, 200, 200, 3])),
    )
    return Story(instruments, paper, told)


def compared(story: Story) -> None:
    """Command both; equal in every answer, queue, book and position."""
    plain, fast = plainly(story), commanded(story)
    for number, (one, other) in enumerate(zip(plain.answers, fast.answers, strict=False)):
        assert one == other, f"answer {number} differs"
    for number, (queues, others) in enumerate(zip(plain.queues, fast.queues, strict=True)):
        assert queues == others, f"queues differ after action {number}"
    assert plain == fast


@twice
@given(stories(st.one_of(narrow(), trades, trades, events), "shared"))
def test_any_commands(story: Story) -> None:
    """Every kind of order in any market: answers with their reasons, queues, books, positions."""
    compared(story)


@twice
@given(stories(st.one_of(narrow(), trades), "whole"))
def test_any_commands_in_full(story: Story) -> None:
    """The same where orders fill in full, in markets of depth that does not cross itself."""
    compared(story)


ORDERS: Final = (
    snapshot((999, 5, 998, 8), (1001, 4, 1002, 9)),
    takes("1", BUY, 1001, 6),  # Four are there; two rest.
    placed("2", SELL, 1003, 4, reduce_only=True),
    takes("3", SELL, 1002, 2, reduce_only=True),
    fok("4", BUY, 1001, 1),
    ioc("5", SELL, 1001, 9),  # Our own bid stands there.
    bought(1004, 30),  # Of what is to be reduced, two lots are left to the second.
    cancel("1"),
    cancel("1"),
    placed("6", BUY, 1002, 1),
    fok("7", SELL, 999, 3),
    market("8", SELL, 12),
    placed("9", SELL, 1003, 4),
    amend("9", 1003, 3),
    amend("9", 1002, 3),
    amend("9", 998, 5),
    amend("8", 998, 5),
)
SAID: Final = [
    (1, "ack"),
    (1, "fill", 1001, 4, Liquidity.TAKER),
    (2, "ack"),
    (3, "ack"),
    (4, "reject", RejectReason.NO_LIQUIDITY),
    (5, "ack"),
    (5, "canceled", CancelReason.SELF_TRADE, 0),
    (3, "fill", 1002, 2, Liquidity.MAKER),
    (2, "fill", 1003, 2, Liquidity.MAKER),
    (2, "canceled", CancelReason.VENUE, 2),
    (1, "canceled", CancelReason.REQUESTED, 4),
    (1, "cancel rejected", RejectReason.UNKNOWN_ORDER),
    (6, "reject", RejectReason.POST_ONLY_CROSSED),
    (7, "ack"),
    (7, "fill", 999, 3, Liquidity.TAKER),
    (8, "ack"),
    (8, "fill", 999, 2, Liquidity.TAKER),
    (8, "fill", 998, 8, Liquidity.TAKER),
    (8, "canceled", CancelReason.IOC_REST, 10),
    (9, "ack"),
    (9, "amended", 1003, 3),
    (9, "amended", 1002, 3),
    (9, "amend rejected", RejectReason.POST_ONLY_CROSSED),
    (8, "amend rejected", RejectReason.UNKNOWN_ORDER),
]


def story_of(*actions: Any) -> Story:
    """One thing after another, and no latency."""
    told = [(Nanos(START + number), action) for number, action in enumerate(actions)]
    return Story((instrument(),), PaperSettings(entry=NONE, response=NONE), told)


def test_each_kind_is_answered() -> None:
    """What is compared is not nothing: kinds of orders, their ends and the reasons for these."""
    story = story_of(*ORDERS)
    compared(story)
    assert [answer[2:] for answer in commanded(story).answers] == SAID


def test_an_amend_keeps_its_place_unless_it_grows_or_moves() -> None:
    """Nine are ahead, of which four trade: a smaller order keeps that place, a larger loses it."""
    grown, shrunk = (
        commanded(
            story_of(ORDERS[0], placed("1", SELL, 1002, 5), bought(1002, 4), amend("1", 1002, size))
        )
        for size in (6, 2)
    )
    assert [found.queues[-1][1][0].front for found in (grown, shrunk)] == [9, 5]


def test_what_a_reducer_could_not_take_is_left_to_others() -> None:
    """Of six lots printed two reduce the position to nothing; three of the rest fill the last."""
    story = story_of(
        ORDERS[0],
        takes("1", BUY, 1001, 2),
        placed("2", SELL, 1002, 2, reduce_only=True),
        placed("3", SELL, 1003, 2, reduce_only=True),
        placed("4", SELL, 1004, 3),
        bought(1005, 6),
    )
    compared(story)
    filled = [answer[2:6] for answer in commanded(story).answers if answer[3] == "fill"]
    assert filled == [(1, "fill", 1001, 2), (2, "fill", 1002, 2), (4, "fill", 1004, 3)]


def test_a_level_behind_the_touch_is_shown_anew() -> None:
    """What we took of it is there again once the feed speaks of it, and of nothing else."""
    story = story_of(
        ORDERS[0],
        ioc("1", SELL, 998, 12),
        delta((998, 3, 990, 1), ()),
        takes("2", SELL, 998, 6),
    )
    compared(story)
    filled = [answer[2:6] for answer in commanded(story).answers if answer[3] == "fill"]
    assert filled == [(1, "fill", 999, 5), (1, "fill", 998, 7), (2, "fill", 998, 3)]
