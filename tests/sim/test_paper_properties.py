"""Whatever the market does and we command: what may never happen at the simulated venue."""

from collections import defaultdict
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mm.events.account import BalanceReported, FundingPaid
from mm.events.base import MarketEvent
from mm.events.codec import encode_event
from mm.events.orders import (
    AmendOrder,
    Liquidity,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    OrderRejected,
    PlaceOrder,
)
from mm.events.units import MILLIS, Nanos, OrderId
from mm.sim.account import Account
from mm.sim.settings import NONE, Latency, PaperSettings
from tests.build import START
from tests.oracle.plain_trading import plain_venue
from tests.sim.build import of_balances, of_orders
from tests.sim.stories import (
    DEFINED,
    Action,
    funded,
    heard_by,
    latencies,
    numbered,
    played,
    settled,
    stories,
)


@given(stories, latencies)
def test_what_may_never_happen(story: list[tuple[int, Action]], latency: Latency) -> None:
    """No overfill, no volume from nowhere, no crossing of our own, no money lost or found."""
    told = played(numbered(story), latency)
    sent = {a.order_id: a for _, a in numbered(story) if isinstance(a, PlaceOrder)}
    sizes_max: dict[str, int] = {name: order.size for name, order in sent.items()}
    for _, action in numbered(story):
        if isinstance(action, AmendOrder) and action.order_id in sent:
            sizes_max[action.order_id] = max(sizes_max[action.order_id], action.size)
    filled: dict[str, int] = defaultdict(int)
    for fact in told:
        if isinstance(fact, OrderFilled):
            filled[fact.order_id] += fact.size
            assert fact.size > 0
            assert fact.side is sent[fact.order_id].side
    assert all(filled[name] <= sizes_max[name] for name in filled)


@given(stories, latencies)
def test_answers_come_in_order(story: list[tuple[int, Action]], latency: Latency) -> None:
    """Received in time order, none before it happened; ack first, nothing after the end."""
    told: list[Any] = played(numbered(story), latency)
    assert [fact.received for fact in told] == sorted(fact.received for fact in told)
    assert [fact.venue_time for fact in told] == sorted(fact.venue_time for fact in told)
    assert all(fact.received >= fact.venue_time + latency.least for fact in told)
    seen: dict[str, str] = {}
    orders: list[Any] = of_orders(told)
    for fact in orders:
        state = seen.get(fact.order_id)
        if isinstance(fact, OrderAcked | OrderRejected):
            assert state is None
            seen[fact.order_id] = "open" if isinstance(fact, OrderAcked) else "closed"
        elif isinstance(fact, OrderFilled | OrderCanceled):
            assert state == "open"
            seen[fact.order_id] = "closed" if isinstance(fact, OrderCanceled) else "open"
    answered = {a.order_id for _, a in numbered(story) if isinstance(a, PlaceOrder)}
    assert answered <= set(seen)


@given(stories, latencies)
def test_limits_and_kinds_hold(story: list[tuple[int, Action]], latency: Latency) -> None:
    """No fill is worse than its limit; post-only never takes; reduce-only never opens."""
    told = played(numbered(story), latency)
    sent = {a.order_id: a for _, a in numbered(story) if isinstance(a, PlaceOrder)}
    moved = {a.order_id for _, a in numbered(story) if isinstance(a, AmendOrder)}
    net = 0
    for fact in told:
        if not isinstance(fact, OrderFilled):
            continue
        order = sent[fact.order_id]
        if order.kind is OrderKind.LIMIT and fact.order_id not in moved:
            assert fact.side * (order.price - fact.price) >= 0
            assert fact.liquidity is Liquidity.TAKER or fact.price == order.price
        assert fact.liquidity is Liquidity.MAKER or not order.post_only
        if order.reduce_only:
            assert fact.size <= -fact.side * net
        net += fact.side * fact.size


@given(stories, latencies, st.integers(MILLIS, 50 * MILLIS))
def test_the_same_story_is_told_the_same(
    story: list[tuple[int, Action]], latency: Latency, step: int
) -> None:
    """To the byte, however often one asks in between."""
    once = [encode_event(fact) for fact in played(numbered(story), latency)]
    again = [encode_event(fact) for fact in played(numbered(story), latency, step=step)]
    assert once == again


@given(stories)
def test_the_venue_knows_what_it_told(story: list[tuple[int, Action]]) -> None:
    """Asked about each order, it answers what the facts said, lots included."""
    venue = plain_venue(PaperSettings(entry=NONE, response=NONE), seed=5)
    venue.hear(START, DEFINED)
    told: list[Any] = []
    for at, action in numbered(story):
        if isinstance(action, MarketEvent):
            venue.hear(at, action)
        else:
            venue.submit(at, action)
        told += venue.advance(at)
    totals: dict[str, int] = defaultdict(int)
    ends: dict[str, str] = {}
    for fact in told:
        if isinstance(fact, OrderFilled):
            totals[fact.order_id] += fact.size
        if isinstance(fact, OrderAcked | OrderRejected | OrderCanceled):
            ends[fact.order_id] = type(fact).__name__
    resting = {report.order_id for report in venue.open_orders()}
    for name, end in ends.items():
        report = venue.query(OrderId(name))
        assert report.filled == totals[name]
        assert (report.standing == "open") == (name in resting)
        standing = {"OrderRejected": "rejected", "OrderCanceled": "canceled"}.get(end)
        assert standing in (None, report.standing)


def check_balances(told: list[Any]) -> None:
    """Each fill and payment is followed by the balance that all of them so far add up to."""
    account, moves = Account(None), 0
    for fact, following in zip_longest(told, told[1:]):
        if isinstance(fact, OrderFilled):
            account.book(fact, DEFINED)
        elif isinstance(fact, FundingPaid):
            account.fund(fact)
        else:
            continue
        moves += 1
        assert isinstance(following, BalanceReported)
        assert (following.wallet, following.asset) == ("main", "USDT")
        assert (following.received, following.venue_time) == (fact.received, fact.venue_time)
        assert (following.free, following.locked) == (account.total("USDT"), Decimal(0))
    assert moves == len(of_balances(told)), "a balance that nothing moved"


@given(funded, latencies)
def test_what_moves_money_tells_the_balance(
    story: list[tuple[int, Action]], latency: Latency
) -> None:
    """At the same arrival, as it was then; the last one heard is what the venue holds."""
    venue, told = settled(numbered(story), latency)
    check_balances(told)
    last = {each.asset: each.free + each.locked for each in of_balances(told)}
    held = {each.asset: each.free + each.locked for each in of_balances(venue.report(venue._now))}
    assert last == held


@given(funded, latencies, st.integers(0, 9))
def test_what_is_under_way_is_heard_whole_or_not_at_all(
    story: list[tuple[int, Action]], latency: Latency, number: int
) -> None:
    """Listened until a balance arrived: nothing is missing, nor heard of what came later."""
    whole: list[Any] = played(numbered(story), latency)
    arrivals = sorted({each.received for each in of_balances(whole)}) or [START]
    until = arrivals[number % len(arrivals)]
    for listened in (until, Nanos(max(START, until - 1))):
        told = heard_by(listened, numbered(story), latency)
        check_balances(told)
        assert told == [fact for fact in whole if fact.received <= listened]
