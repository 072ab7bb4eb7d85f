"""Symmetric quoting: what holds of its quotes in every market, and when they move or stay."""

from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mm.events.instrument import InstrumentDefined
from mm.events.market import QuoteUpdated
from mm.events.session import NoQuoteReason
from mm.events.units import MILLIS, SECONDS, Lots, Nanos, Side, Ticks
from mm.events.vocabulary import Event
from mm.projections.position import Position
from mm.strategy.base import Level, MarketView, Take, Wakes, Wanted
from mm.strategy.fair_value import FairValue
from mm.strategy.rules import Anchored, Seen, fair_value, reservation
from mm.strategy.symmetric import Anchor, Symmetric, grid_of
from tests.build import BTC, BUY, SELL, START, gapped, instrument, quote, snapshot
from tests.build import given as folded

INSTRUMENT: Final[InstrumentDefined] = instrument()
QUOTING: Final = NoQuoteReason.QUOTING
Prices = list[int]


def maker(**changes: Any) -> Symmetric:
    """Ten lots a side, ten basis points from fair value, up to a hundred lots."""
    values: dict[str, Any] = {
        "order_size": Lots(10),
        "position_max": Lots(100),
        "half_spread_bps": 10.0,
        "skew_bps": 5.0,
        **changes,
    }
    return Symmetric(**values)


def view(*events: Event, net: int = 0, after: int = 0) -> MarketView:
    """What the strategy sees of a market at a position, `after` nanoseconds after its news."""
    book = folded(*events).books.of(BTC)
    return MarketView(Nanos(START + after), INSTRUMENT, book, Position(Lots(net)))


def sized(seen: MarketView, **least: Any) -> MarketView:
    """The same view, of an instrument with these sizes."""
    return msgspec.structs.replace(seen, instrument=instrument(**least))


def decided(strategy: Symmetric, seen: MarketView) -> Wanted:
    """What it wants, asked for the first time, as the instrument of the view allows it."""
    fitted = msgspec.structs.replace(strategy, grid=grid_of(seen.instrument))
    return fitted.decide(seen, strategy.initial())[0]


def numbers(seen: MarketView) -> Seen:
    """The same view as a rule gets it."""
    book = seen.book
    return Seen(seen.at, book.bid, book.bid_size, book.ask, book.ask_size, seen.position.net)


def prices(levels: tuple[Level, ...]) -> Prices:
    """The prices of levels, best first."""
    return [level.price for level in levels]


# -- what always holds -----------------------------------------------------------------------------

touches = st.tuples(st.integers(1, 2**40), st.integers(1, 2**20)).map(
    lambda drawn: quote(drawn[0], drawn[0] + drawn[1], bid_size=1 + drawn[0] % 7, ask_size=3)
)
tight = st.tuples(st.integers(1, 5_000), st.integers(1, 3)).map(
    lambda drawn: quote(drawn[0], drawn[0] + drawn[1])
)
nets = st.integers(-250, 250)
bps = st.floats(0, 5_000) | st.sampled_from([0.0, 1e-12, 0.5, 1.0])
makers = st.builds(
    maker,
    half_spread_bps=st.floats(0, 5_000, exclude_min=True) | st.sampled_from([1e-12, 0.15, 10.0]),
    levels=st.integers(1, 5),
    level_spacing_bps=bps,
    skew_bps=bps,
    drift_bps=bps,
    fair=st.sampled_from(FairValue),
    hedge_above=st.sampled_from([Lots(0), Lots(1), Lots(30)]),
    hedge_slippage_bps=bps,
)


@given(makers, touches | tight, nets)
def test_bids_buy_asks_sell_and_never_cross(
    strategy: Symmetric, touch: QuoteUpdated, net: int
) -> None:
    """Every bid is below every ask, and neither crosses the market."""
    wanted = decided(strategy, view(touch, net=net))
    for bid in wanted.bids:
        assert 0 < bid.price < touch.ask
        assert all(bid.price < ask.price for ask in wanted.asks)
    for ask in wanted.asks:
        assert ask.price > touch.bid
    for side, levels, reason in (
        (BUY, wanted.bids, wanted.bid_reason),
        (SELL, wanted.asks, wanted.ask_reason),
    ):
        assert all(level.size == strategy.order_size for level in levels[:-1])
        assert all(0 < level.size <= strategy.order_size for level in levels[-1:])
        away = [-side * price for price in prices(levels)]
        assert away == sorted(set(away)), "each level stands behind the one before"
        assert not levels or reason is QUOTING
        assert len(levels) <= strategy.levels


@given(makers, touches | tight, nets)
def test_long_never_raises_a_quote_and_short_never_lowers_one(
    strategy: Symmetric, touch: QuoteUpdated, net: int
) -> None:
    """Compared with a flat position in the same market, level by level."""
    flat, held = (decided(strategy, view(touch, net=each)) for each in (0, net))
    for calm, skewed in ((flat.bids, held.bids), (flat.asks, held.asks)):
        for before, after in zip(prices(calm), prices(skewed), strict=False):
            assert (after - before) * net <= 0


@given(makers, touches | tight, nets)
def test_prices_round_away_from_the_market(
    strategy: Symmetric, touch: QuoteUpdated, net: int
) -> None:
    """A bid is never above what was meant, an ask never below."""
    seen = view(touch, net=net)
    worth = fair_value(strategy.fair is FairValue.MICROPRICE, numbers(seen))
    anchor = Anchored(worth, START, net)
    middle = reservation(*strategy.terms, anchor)
    wanted = decided(strategy, seen)
    apart = strategy.half_spread_bps * anchor.fair / 10_000
    for bid in wanted.bids[:1]:
        assert bid.price <= middle - apart
    for ask in wanted.asks[:1]:
        assert ask.price >= middle + apart


@given(makers, touches, nets)
def test_a_position_limit_stops_the_side_that_adds(
    strategy: Symmetric, touch: QuoteUpdated, net: int
) -> None:
    """At the maximum only the side that reduces is quoted."""
    wanted = decided(strategy, view(touch, net=net))
    if net >= strategy.position_max:
        assert (wanted.bids, wanted.bid_reason) == ((), NoQuoteReason.POSITION_LIMIT)
    if net <= -strategy.position_max:
        assert (wanted.asks, wanted.ask_reason) == ((), NoQuoteReason.POSITION_LIMIT)
    if abs(net) < strategy.position_max and wanted.take is None:
        assert (wanted.bid_reason, wanted.ask_reason) == (QUOTING, QUOTING)


@given(makers, touches, st.integers(-100, 100), st.integers(1, 7), st.integers(1, 12))
def test_fills_of_all_that_rests_do_not_pass_the_maximum(
    strategy: Symmetric, touch: QuoteUpdated, net: int, step: int, least: int
) -> None:
    """Sizes are what the venue takes; a side is cut only where the position leaves no room."""
    stepped = msgspec.structs.replace(strategy, order_size=Lots(12 * step))
    seen = sized(view(touch, net=net), size_step=Lots(step), size_min=Lots(least * step))
    wanted = decided(stepped, seen)
    meant = 12 * step * strategy.levels
    for side, levels in ((BUY, wanted.bids), (SELL, wanted.asks)):
        filled = sum(level.size for level in levels)
        assert side * net + filled <= strategy.position_max
        assert all(level.size % step == 0 and level.size >= least * step for level in levels)
        cut = levels and len(levels) == strategy.levels and filled < meant
        assert not cut or side * net + filled + step > strategy.position_max


@given(makers, touches | tight, nets)
def test_a_hedge_reduces_and_is_marketable(
    strategy: Symmetric, touch: QuoteUpdated, net: int
) -> None:
    """Beyond the threshold: towards flat, not past it, at the touch or within the slippage."""
    wanted = decided(strategy, view(touch, net=net))
    take = wanted.take
    if not strategy.hedge_above or abs(net) <= strategy.hedge_above:
        assert take is None
        return
    assert take is not None
    assert take.side is (SELL if net > 0 else BUY)
    assert 0 < take.size <= abs(net)
    best = touch.bid if take.side is SELL else touch.ask
    slippage = strategy.hedge_slippage_bps * best / 10_000
    assert 0 <= (take.price - best) * take.side <= slippage + 1e-3
    against = wanted.bids if take.side is SELL else wanted.asks
    assert against == (), "the side that adds to the position rests"


@given(makers, st.lists(st.tuples(touches, nets), max_size=6))
def test_equal_input_gives_equal_output(
    strategy: Symmetric, history: list[tuple[QuoteUpdated, int]]
) -> None:
    """The same views and memories, the same quotes; the memory survives a journey as bytes."""
    one: Any = strategy.initial()
    other: Any = strategy.initial()
    for touch, net in history:
        seen = view(touch, net=net)
        wanted, one = strategy.decide(seen, one)
        again, other = strategy.decide(seen, other)
        assert (wanted, one) == (again, other)
        plain = msgspec.msgpack.decode(msgspec.msgpack.encode(msgspec.to_builtins(other)))
        other = msgspec.convert(plain, Anchor)


@given(makers, touches, st.integers(-99, 99), st.integers(0, 40 * SECONDS))
def test_quotes_hold_still_until_there_is_a_reason(
    strategy: Symmetric, touch: QuoteUpdated, net: int, after: int
) -> None:
    """Anchors move with drift, age or position, and with nothing else."""
    assume(strategy.drift_bps > 1e-9)
    patient = msgspec.structs.replace(strategy, book_age_max=Nanos(100 * SECONDS))
    _, anchor = patient.decide(view(touch, net=net), patient.initial())
    _, later = patient.decide(view(touch, net=net, after=after), anchor)
    if after < patient.age_max:
        assert later == anchor
    else:
        assert later == Anchor(anchor.fair, Nanos(START + after), Lots(net))
    _, moved = patient.decide(view(touch, net=net + 1), anchor)
    assert moved.net == net + 1


# -- examples --------------------------------------------------------------------------------------


def test_quotes_by_hand() -> None:
    """Ten basis points of 10,000 are ten ticks; half the position shifts both by 2.5."""
    touch = quote(9_999, 10_001)
    flat = decided(maker(levels=2, level_spacing_bps=3.0), view(touch))
    assert (prices(flat.bids), prices(flat.asks)) == ([9_990, 9_987], [10_010, 10_013])
    long = decided(maker(), view(touch, net=50))
    assert (prices(long.bids), prices(long.asks)) == ([9_987], [10_008])
    short = decided(maker(), view(touch, net=-50))
    assert (prices(short.bids), prices(short.asks)) == ([9_992], [10_013])


def test_fair_value_is_the_middle_or_leans_to_the_thinner_side() -> None:
    """Three quarters of the size on the bid pull the microprice up."""
    seen = numbers(view(quote(100, 104, bid_size=3, ask_size=1)))
    assert fair_value(0, seen) == 102
    assert fair_value(1, seen) == 103


def test_a_quote_never_crosses_the_touch() -> None:
    """A skew that would trade at once stops one tick before the other side."""
    wanted = decided(maker(skew_bps=100.0), view(quote(9_999, 10_001), net=-90))
    assert prices(wanted.bids) == [10_000]
    wanted = decided(maker(skew_bps=100.0), view(quote(9_999, 10_001), net=90))
    assert prices(wanted.asks) == [10_000]


def test_levels_at_one_price_are_pushed_apart() -> None:
    """Without spacing, or against the touch, each level still has its own tick."""
    wanted = decided(maker(levels=3, level_spacing_bps=0.0), view(quote(9_999, 10_001)))
    assert (prices(wanted.bids), prices(wanted.asks)) == (
        [9_990, 9_989, 9_988],
        [10_010, 10_011, 10_012],
    )


def test_levels_at_no_price_are_left_out() -> None:
    """Near zero there are fewer bids than levels, and none at or below zero."""
    wanted = decided(maker(levels=4), view(quote(2, 3)))
    assert prices(wanted.bids) == [2, 1]
    assert len(wanted.asks) == 4


def test_a_half_spread_of_nothing_still_leaves_a_spread() -> None:
    """Below the resolution of a float both sides would meet on one tick and trade together."""
    wanted = decided(maker(half_spread_bps=1e-15), view(quote(10_000, 10_002)))
    assert (prices(wanted.bids), prices(wanted.asks)) == ([10_000], [10_002])


@pytest.mark.parametrize(
    ("bid", "ask", "moves"),
    [
        (9_999, 10_001, False),
        (10_000, 10_001, False),
        (10_000, 10_002, True),
        (9_998, 10_000, True),
    ],
)
def test_drift_is_measured_from_the_anchor(bid: int, ask: int, moves: bool) -> None:
    """One basis point of 10,000 is one tick: half a tick of the mid is not enough."""
    strategy = maker(drift_bps=1.0)
    before, anchor = strategy.decide(view(quote(9_999, 10_001)), strategy.initial())
    after, later = strategy.decide(view(quote(bid, ask)), anchor)
    assert (later != anchor) is moves
    assert ((after.bids, after.asks) != (before.bids, before.asks)) is moves


@pytest.mark.parametrize(
    ("events", "after", "reason"),
    [
        ([], 0, NoQuoteReason.NO_BOOK),
        ([quote(99, 101), gapped()], 0, NoQuoteReason.NO_BOOK),
        ([snapshot((99, 1), ())], 0, NoQuoteReason.ONE_SIDED_BOOK),
        ([snapshot((99, 1), (99, 1))], 0, NoQuoteReason.CROSSED_BOOK),
        ([snapshot((99, 1), (98, 1))], 0, NoQuoteReason.CROSSED_BOOK),
        ([quote(99, 101)], 5 * SECONDS + 1, NoQuoteReason.STALE_BOOK),
    ],
)
def test_no_quote_has_a_reason(events: list[Event], after: int, reason: NoQuoteReason) -> None:
    """Both sides say why, nothing is wanted, and the anchor is forgotten."""
    strategy = maker(hedge_above=Lots(1))
    wanted, anchor = strategy.decide(view(*events, net=50, after=after), Anchor(1.0, START))
    assert wanted == Wanted(bid_reason=reason, ask_reason=reason)
    assert anchor == strategy.initial()


@pytest.mark.parametrize(
    ("net", "bids", "asks"),
    [(99, True, True), (100, False, True), (-99, True, True), (-100, True, False)],
)
def test_the_greatest_position_is_the_first_at_which_a_side_rests(
    net: int, bids: bool, asks: bool
) -> None:
    """At the maximum, not one lot beyond it."""
    wanted = decided(maker(), view(quote(9_999, 10_001), net=net))
    assert (bool(wanted.bids), bool(wanted.asks)) == (bids, asks)


@pytest.mark.parametrize(
    ("net", "bids", "asks"),
    [(0, [10, 10, 10], [10, 10, 10]), (85, [10, 5], [10, 10, 10]), (-99, [10, 10, 10], [1])],
)
def test_what_rests_fits_under_the_maximum(net: int, bids: list[int], asks: list[int]) -> None:
    """Levels nearest to the touch first, the last of them cut to the room that is left."""
    wanted = decided(maker(levels=3), view(quote(9_999, 10_001), net=net))
    assert [level.size for level in wanted.bids] == bids
    assert [level.size for level in wanted.asks] == asks


@pytest.mark.parametrize(("net", "bids"), [(85, [10]), (91, []), (92, []), (100, [])], ids=str)
@pytest.mark.parametrize(
    "least",
    [
        {"size_min": Lots(10)},
        {"notional_min": Decimal("9.9")},
        {"size_step": Lots(10), "size_min": Lots(10)},
    ],
    ids=["size", "notional", "step"],
)
def test_room_for_less_than_the_venue_takes_is_no_room(
    net: int, bids: list[int], least: dict[str, Any]
) -> None:
    """A side that would be too small to place is empty, and says that it is the position."""
    wanted = decided(maker(levels=3), sized(view(quote(9_999, 10_001), net=net), **least))
    assert [level.size for level in wanted.bids] == bids
    assert wanted.bid_reason is (QUOTING if bids else NoQuoteReason.POSITION_LIMIT)
    assert wanted.ask_reason is QUOTING


def test_a_book_at_its_greatest_age_is_quoted_from() -> None:
    """Stale begins after the limit."""
    wanted = decided(maker(), view(quote(9_999, 10_001), after=5 * SECONDS))
    assert wanted.bid_reason is QUOTING


def test_a_hedge_by_hand() -> None:
    """45 lots with a threshold of 30: back to 15, within 5 basis points of the touch."""
    strategy = maker(hedge_above=Lots(30))
    assert decided(strategy, view(quote(9_999, 10_001), net=30)).take is None
    long = decided(strategy, view(quote(9_999, 10_001), net=45))
    assert long.take == Take(Side.SELL, Ticks(9_995), Lots(30))
    assert (long.bid_reason, long.ask_reason) == (NoQuoteReason.HEDGING, QUOTING)
    short = decided(strategy, view(quote(9_999, 10_001), net=-45))
    assert short.take == Take(Side.BUY, Ticks(10_006), Lots(30))
    assert (short.bid_reason, short.ask_reason) == (QUOTING, NoQuoteReason.HEDGING)


def test_it_says_what_wakes_it() -> None:
    """A timer, the mid's drift, and its own orders."""
    strategy = maker(refresh=Nanos(5 * MILLIS), drift_bps=2.0)
    assert strategy.wakes == Wakes(timer=Nanos(5 * MILLIS), mid_moved_bps=2.0, own_orders=True)
