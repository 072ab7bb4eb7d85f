"""Whatever the market does and we command: what may never happen at the simulated venue."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mm.events.account import PositionReported
from mm.events.base import MarketEvent
from mm.events.codec import encode_event
from mm.events.market import FeedGapped, TradePrinted
from mm.events.orders import (
    AmendOrder,
    Liquidity,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    OrderRejected,
    PlaceOrder,
    TimeInForce,
)
from mm.events.units import MILLIS, Nanos, OrderId, Side
from mm.events.vocabulary import Intent
from mm.sim.fees import notional
from mm.sim.paper import Heard, PaperVenue
from mm.sim.settings import NONE, SEEDS, Latency, PaperSettings
from tests.build import BTC, BUY, SELL, START, cancel, instrument, placed, printed, snapshot
from tests.sim.build import BOOK, amend, best, cancels_all, depth, of_orders

Action = MarketEvent | Intent
DEFINED = instrument()

prices = st.integers(97, 103)
sizes = st.integers(1, 12)
sides = st.sampled_from([BUY, SELL])
ids = st.integers(0, 5).map(lambda number: f"o{number}")


def flat(side: Side, around: int, shown: list[int]) -> tuple[int, ...]:
    """Levels on one side of a price, best first, with these sizes."""
    return tuple(n for d, size in enumerate(shown) for n in (around - side * (d + 1), size))


@st.composite
def books(draw: Any) -> MarketEvent:
    """A snapshot around some price."""
    around = draw(prices)
    shown = st.lists(sizes, max_size=5)
    return snapshot(flat(BUY, around, draw(shown)), flat(SELL, around, draw(shown)))


@st.composite
def quotes(draw: Any) -> MarketEvent:
    """A best bid and ask, one to three ticks apart."""
    bid = draw(prices)
    ask = bid + draw(st.integers(1, 3))
    return best((bid, draw(sizes)), (ask, draw(sizes)), sequence=draw(st.integers(0, 9)))


@st.composite
def deltas(draw: Any) -> MarketEvent:
    """A few changed levels anywhere, even across the other side."""
    changes = st.dictionaries(prices, st.integers(0, 12), max_size=4)
    sides_changed = [
        tuple(number for level in draw(changes).items() for number in level) for _ in range(2)
    ]
    return depth(*sides_changed, last=draw(st.integers(0, 9)))


trades = st.builds(printed, prices, sizes, sides)
gaps = st.just(FeedGapped(instrument=BTC, received=START, wanted=1, got=3))
shocks = st.integers(0, 7).flatmap(lambda number: gaps if number == 7 else books())
markets = st.one_of(quotes(), deltas(), trades, trades, trades, shocks)


makers = st.builds(placed, st.just(""), sides, prices, sizes)
takers = st.builds(
    placed,
    st.just(""),
    sides,
    prices,
    sizes,
    kind=st.sampled_from([OrderKind.LIMIT, OrderKind.LIMIT, OrderKind.MARKET]),
    tif=st.sampled_from([TimeInForce.GTC, *TimeInForce]),
    post_only=st.sampled_from([False, False, False, True]),
)
reducers = st.builds(
    placed, st.just(""), sides, prices, sizes, reduce_only=st.just(True), post_only=st.booleans()
)
amends = st.builds(amend, ids, prices, sizes)
commands = st.one_of(
    makers, makers, makers, takers, reducers, ids.map(cancel), amends, st.builds(cancels_all)
)
actions = st.one_of(markets, markets, commands)
stories = st.lists(st.tuples(st.integers(1, 10 * MILLIS), actions), min_size=15, max_size=60)
latencies = st.sampled_from([NONE, Latency(Nanos(0), Nanos(20 * MILLIS)), SEEDS])


def numbered(story: list[tuple[int, Action]]) -> list[tuple[Nanos, Action]]:
    """The story with times, its orders named in turn: o0 to o9, then x10 and so on."""
    at, count = int(START), 0
    told: list[tuple[Nanos, Action]] = []
    for gap, action in story:
        at += gap
        if isinstance(action, PlaceOrder):
            name = f"o{count}" if count < 10 else f"x{count}"
            told.append((Nanos(at), replace(action, order_id=OrderId(name))))
            count += 1
        else:
            told.append((Nanos(at), action))
    return told


class Watched:
    """A venue that checks itself after every step."""

    def __init__(self, latency: Latency, seed: int) -> None:
        self.venue = PaperVenue(PaperSettings(entry=latency, response=latency), seed)
        self.venue.hear(START, DEFINED)
        self.venue.hear(START, BOOK)
        self.pit = self.venue._pits[BTC]

    def bound(self, event: MarketEvent, side: Side, price: int) -> int:
        """What an event can at most give to our orders of a side, the best at this price."""
        if isinstance(event, TradePrinted):
            return event.size if event.aggressor is side.other else 0
        half = self.pit.book.half(side.other)
        crossing = range(90, 110)
        return sum(half.displayed(level) for level in crossing if side * (price - level) >= 0)

    def hear(self, at: Nanos, event: MarketEvent) -> None:
        """Pass an event on; makers get no more than it can give."""
        self.venue._act(at)
        before = {side: self.leaves(side) for side in (BUY, SELL)}
        bests = {side: self.pit.queues(side).prices[:1] for side in (BUY, SELL)}
        self.venue.hear(at, event)
        for side in (BUY, SELL):
            got = before[side] - self.leaves(side)
            assert got <= (self.bound(event, side, bests[side][0]) if bests[side] else 0)
        self.check()

    def leaves(self, side: Side) -> int:
        """Lots of ours that rest on a side."""
        resting = self.pit.orders.values()
        return sum(o.leaves for o in resting if o.side is side and not o.intent.reduce_only)

    def check(self) -> None:
        """Nobody overfilled, own quotes never cross, queues are in order."""
        assert all(0 < order.leaves <= order.size for order in self.pit.orders.values())
        bids, asks = self.pit.bids.prices, self.pit.asks.prices
        assert not (bids and asks) or bids[0] < asks[0]
        for queues in (self.pit.bids, self.pit.asks):
            for price in queues.prices:
                fronts = [order.front for order in queues.at(price)]
                assert fronts == sorted(fronts)
                assert fronts[0] >= 0


def played(story: list[tuple[Nanos, Action]], latency: Latency, step: int = 0) -> list[Heard]:
    """What the venue told us of a story; with a step, asked that often in between."""
    watched, told, asked = Watched(latency, seed=5), list[Heard](), int(START)
    for at, action in story:
        while step and asked + step < at:
            asked += step
            told += watched.venue.advance(Nanos(asked))
        if isinstance(action, MarketEvent):
            watched.hear(at, action)
        else:
            watched.venue.submit(at, action)
    end = Nanos((story[-1][0] if story else START) + 10**10)
    told += watched.venue.advance(end)
    assert watched.venue.due() is None
    check_account(watched.venue, told, end)
    return told


def check_account(venue: PaperVenue, told: list[Heard], at: Nanos) -> None:
    """The position is the sum of the fills; cash, fees and cost balance to the last decimal."""
    fills = [fact for fact in told if isinstance(fact, OrderFilled)]
    net = sum(fill.side * fill.size for fill in fills)
    position = venue.report(at)[-1]
    assert isinstance(position, PositionReported)
    assert position.size == net
    flow = sum((-f.side * notional(DEFINED, f.price, f.size) for f in fills), Decimal(0))
    fees = sum((fill.fee for fill in fills), Decimal(0))
    cost = venue._account._holding(BTC).cost
    held = cost if net >= 0 else -cost
    assert venue._account.total("USDT") == flow + held - fees


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
    for fact in of_orders(told):
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
    venue = PaperVenue(PaperSettings(entry=NONE, response=NONE), seed=5)
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
