"""Arbitrary stories of a market and of our commands, and a venue that checks itself through them.

`played` tells one to its end; the account must then be what the facts that were told add up to.
"""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from mm.events.account import FundingPaid, PositionReported
from mm.events.base import MarketEvent
from mm.events.market import FeedGapped, TradePrinted
from mm.events.orders import OrderFilled, OrderKind, PlaceOrder, TimeInForce
from mm.events.units import MILLIS, Nanos, OrderId, Side
from mm.events.vocabulary import Intent
from mm.sim.fees import notional
from mm.sim.paper import Heard, PaperVenue
from mm.sim.settings import NONE, SEEDS, Latency, PaperSettings
from tests.build import BTC, BUY, SELL, START, cancel, instrument, placed, printed, snapshot
from tests.oracle.plain_trading import pit_of, plain_venue
from tests.oracle.queue import UNSEEN
from tests.sim.build import BOOK, amend, best, cancels_all, depth, marked, rated

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
gaps_between = st.integers(1, 10 * MILLIS)
stories = st.lists(st.tuples(gaps_between, actions), min_size=15, max_size=60)
stamps = st.integers(START, START + 200 * MILLIS)
fundings = st.one_of(
    st.builds(marked, st.sampled_from(["9", "10", "11.5"]), venue_time=stamps),
    st.builds(rated, st.sampled_from(["-0.01", "0.0003"]), stamps, venue_time=stamps),
)
funded = st.lists(
    st.tuples(gaps_between, st.one_of(markets, commands, commands, fundings)),
    min_size=15,
    max_size=60,
)
"""Stories in which positions are valued, and funding comes due now and then."""
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

    def __init__(self, latency: Latency, seed: int, queue: str = "risk-averse") -> None:
        settings = PaperSettings(entry=latency, response=latency, queue=queue, queue_power=1.5)
        self.venue = plain_venue(settings, seed)
        self.venue.hear(START, DEFINED)
        self.venue.hear(START, BOOK)
        self.pit = pit_of(self.venue, BTC)

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

    def meets(self, at: Nanos, action: Action) -> None:
        """An event is heard, a command sent."""
        if isinstance(action, MarketEvent):
            self.hear(at, action)
        else:
            self.venue.submit(at, action)

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
                assert all(0 <= front <= UNSEEN for front in fronts)


def played(story: list[tuple[Nanos, Action]], latency: Latency, step: int = 0) -> list[Heard]:
    """What the venue told us of a story; with a step, asked that often in between."""
    return settled(story, latency, step)[1]


def heard_by(until: Nanos, story: list[tuple[Nanos, Action]], latency: Latency) -> list[Any]:
    """What reached us of a story by some time, when we stopped to listen."""
    watched = Watched(latency, seed=5)
    for at, action in story:
        if at <= until:
            watched.meets(at, action)
    return list(watched.venue.advance(until))


def settled(
    story: list[tuple[Nanos, Action]], latency: Latency, step: int = 0, queue: str = "risk-averse"
) -> tuple[PaperVenue, list[Heard]]:
    """A venue after a story, when nothing is under way any more, and what it told us."""
    watched, told, asked = Watched(latency, 5, queue), list[Heard](), int(START)
    for at, action in story:
        while step and asked + step < at:
            asked += step
            told += watched.venue.advance(Nanos(asked))
        watched.meets(at, action)
    end = Nanos((story[-1][0] if story else START) + 10**10)
    told += watched.venue.advance(end)
    assert watched.venue.due() is None
    check_account(watched.venue, told, end)
    return watched.venue, told


def check_account(venue: PaperVenue, told: list[Heard], at: Nanos) -> None:
    """The position is the sum of the fills; cash, fees and cost balance to the last decimal."""
    fills = [fact for fact in told if isinstance(fact, OrderFilled)]
    net = sum(fill.side * fill.size for fill in fills)
    position = venue.report(at)[-1]
    assert isinstance(position, PositionReported)
    assert position.size == net
    flow = sum((-f.side * notional(DEFINED, f.price, f.size) for f in fills), Decimal(0))
    flow += sum((fact.amount for fact in told if isinstance(fact, FundingPaid)), Decimal(0))
    fees = sum((fill.fee for fill in fills), Decimal(0))
    cost = venue._account._holding(BTC).cost
    held = cost if net >= 0 else -cost
    assert venue._account.total("USDT") == flow + held - fees
