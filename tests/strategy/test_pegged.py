"""The pegged maker: where its quotes stand, and why a side has none."""

from typing import Any

import pytest

from mm.events.base import Body
from mm.events.session import NoQuoteReason
from mm.events.units import Lots, Nanos, Ticks
from mm.projections.position import Position
from mm.strategy.base import Level, MarketView, Wanted, nothing
from mm.strategy.pegged import Pegged
from tests import build
from tests.build import BTC, START, gapped, instrument, quote

FULL = NoQuoteReason.POSITION_LIMIT
QUOTING = NoQuoteReason.QUOTING


def wanted(*events: Any, net: int = 0, **changes: Any) -> Wanted:
    """What a maker of ten lots, up to thirty, wants of a market at a position."""
    maker = Pegged(
        order_size=Lots(10), position_max=Lots(30), half_spread_ticks=5.0, skew_ticks=2.0
    )
    book = build.given(*events).books.of(BTC)
    view = MarketView(Nanos(START), instrument(**changes), book, Position(Lots(net)))
    assert maker.rule == maker
    said, memory = maker.decide(view, None)
    assert memory is None
    return said


@pytest.mark.parametrize(
    ("net", "bid", "ask"), [(0, 995, 1_005), (10, 993, 1_003), (-10, 997, 1_007)]
)
def test_quotes_stand_around_the_mid_and_lean_against_the_position(
    net: int, bid: int, ask: int
) -> None:
    """So many ticks from it, and so many more for each order size held."""
    said = wanted(quote(999, 1_001), net=net)
    assert said.bids == (Level(Ticks(bid), Lots(10)),)
    assert said.asks == (Level(Ticks(ask), Lots(10)),)


@pytest.mark.parametrize(
    ("net", "sides", "why"), [(30, (0, 1), (FULL, QUOTING)), (-30, (1, 0), (QUOTING, FULL))]
)
def test_a_side_stops_at_the_greatest_position(
    net: int, sides: tuple[int, int], why: tuple[NoQuoteReason, NoQuoteReason]
) -> None:
    """And says so; the other one goes on."""
    said = wanted(quote(999, 1_001), net=net)
    assert (len(said.bids), len(said.asks)) == sides
    assert (said.bid_reason, said.ask_reason) == why


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], NoQuoteReason.NO_BOOK),
        ([quote(999, 1_001), gapped()], NoQuoteReason.NO_BOOK),
        ([quote(999, 1_001, ask_size=0)], NoQuoteReason.ONE_SIDED_BOOK),
        ([quote(1_001, 1_001)], NoQuoteReason.CROSSED_BOOK),
    ],
)
def test_without_a_market_there_is_no_quote(events: list[Body], why: NoQuoteReason) -> None:
    """And the reason is the book's."""
    assert wanted(*events) == nothing(why)
