"""Fees, profit and balances, to the last decimal."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import (
    Liquidity,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    RejectReason,
)
from mm.events.units import Lots, Side
from mm.sim.fees import fee, rounded_down, rounded_up
from mm.sim.paper import Heard
from mm.sim.settings import NONE, PaperSettings
from tests.build import BTC, BUY, SELL, START, instrument, placed, snapshot
from tests.sim.build import (
    INVERSE,
    SPOT,
    Paper,
    amend,
    best,
    cancels_all,
    ioc,
    kinds,
    market,
    of_balances,
    of_orders,
    sold,
    takes,
)

UNIT: dict[str, Any] = {
    "tick_size": Decimal(1),
    "lot_size": Decimal(1),
    "maker_fee": Decimal(0),
    "taker_fee": Decimal(0),
}


def linear(**changes: Any) -> InstrumentDefined:
    """A linear contract in whole ticks and lots, without fees."""
    return instrument(**{**UNIT, **changes})


def inverse(**changes: Any) -> InstrumentDefined:
    """Contracts of one dollar, settled in coin, without fees."""
    kind = {"kind": ContractKind.INVERSE, "settle": "BTC"}
    return instrument(**{**UNIT, **kind, **changes})


def traded(paper: Paper, *trades: tuple[Side, int, int]) -> list[OrderFilled]:
    """Take exactly these (side, price, size), each from a book that shows just that."""
    told = []
    for number, (side, price, size) in enumerate(trades, len(paper.told)):
        bid, ask = (price - 1, price) if side is BUY else (price, price + 1)
        paper.hears(best((bid, size), (ask, size)))
        told += paper.gets(ioc(f"t{number}", side, price, size))
    return [fact for fact in told if isinstance(fact, OrderFilled)]


TT = [(BUY, 100, 12), (BUY, 99, 17), (SELL, 101, 9), (SELL, 105, 4), (BUY, 103, 3)]
"""The worked example of an average-cost position by Trading Technologies."""


@pytest.mark.parametrize(
    ("count", "entry", "realised"),
    [
        (2, "99.41379310344827", "0"),
        (3, "99.41379310344827", "14.275862068965"),
        (4, "99.41379310344827", "36.620689655172"),
        (5, "99.98003629764065", "36.620689655172"),
    ],
)
def test_average_cost(count: int, entry: str, realised: str) -> None:
    """Realised profit and average entry after each fill of the example."""
    paper = Paper(defined=linear())
    traded(paper, *TT[:count])
    assert abs(paper.position().entry - Decimal(entry)) < Decimal("1e-14")
    assert abs(paper.balance("USDT") - Decimal(realised)) < Decimal("1e-12")


def test_fees_of_the_example() -> None:
    """With 0.01 % on every fill: -0.2883, 13.89666207, 36.19948966, 36.16858966."""
    paper = Paper(defined=linear(taker_fee=Decimal("0.0001")))
    traded(paper, *TT[:2])
    after = [paper.balance("USDT")]
    for trade in TT[2:]:
        traded(paper, trade)
        after.append(paper.balance("USDT"))
    expected = ["-0.28830000", "13.89666207", "36.19948966", "36.16858966"]
    assert [round(each, 8) for each in after] == [Decimal(text) for text in expected]


def test_a_position_turns_over() -> None:
    """Long 100 @ 50, sell 150 @ 55: +500 and short 50 @ 55; back at 52: +150."""
    paper = Paper(defined=linear())
    traded(paper, (BUY, 50, 100), (SELL, 55, 150))
    assert paper.balance("USDT") == 500
    assert (paper.position().size, paper.position().entry) == (-50, Decimal(55))
    traded(paper, (BUY, 52, 50))
    assert paper.balance("USDT") == 650
    assert (paper.position().size, paper.position().entry) == (0, Decimal(0))


@pytest.mark.parametrize(
    ("trade", "liquidity", "expected"),
    [((BUY, 10_104, 1), Liquidity.TAKER, "5.052"), ((SELL, 11_104, 1), Liquidity.MAKER, "2.2208")],
)
def test_linear_fees(trade: tuple[Side, int, int], liquidity: Liquidity, expected: str) -> None:
    """One contract @ 10,104 taken at 0.05 %, @ 11,104 made at 0.02 %."""
    defined = linear(maker_fee=Decimal("0.0002"), taker_fee=Decimal("0.0005"))
    side, price, size = trade
    assert fee(defined, side, price, size, liquidity) == (Decimal(expected), "USDT")


def test_inverse_fees() -> None:
    """10 contracts of 100 dollars, and 100,000 of one: the coin fee, rounded up at 1e-12."""
    defined = inverse(multiplier=Decimal(100), taker_fee=Decimal("0.0005"))
    paid, asset = fee(defined, BUY, 10_104, 10, Liquidity.TAKER)
    assert (paid, asset) == (Decimal("0.000049485353"), "BTC")
    defined = inverse(taker_fee=Decimal("0.00075"))
    assert fee(defined, SELL, 10_000, 100_000, Liquidity.TAKER)[0] == Decimal("0.0075")


def test_amounts_are_rounded_against_us() -> None:
    """A fee up, a rebate down, what we receive down; what fits stays as it is."""
    third = Decimal(1) / 3
    assert rounded_up(third) == Decimal("0.333333333334")
    assert rounded_up(-third) == Decimal("-0.333333333333")
    assert rounded_down(third) == Decimal("0.333333333333")
    assert rounded_down(-third) == Decimal("-0.333333333334")
    assert str(rounded_up(Decimal("5.0520"))) == "5.0520"


def test_a_rebate_is_paid_to_us() -> None:
    """A negative maker fee is credited."""
    paper = Paper(defined=linear(maker_fee=Decimal("-0.0001")))
    paper.gets(placed("a", BUY, 100, 4))
    (fill,) = of_orders(paper.hears(sold(99, 9)))
    assert isinstance(fill, OrderFilled)
    assert fill.fee == Decimal("-0.04")
    assert paper.balance("USDT") == Decimal("0.04")


def test_inverse_profit_is_in_coin() -> None:
    """Long 15,000 @ 750, out at 800: 20 XBT in, 18.75 out, 1.25 won."""
    paper = Paper(defined=inverse())
    traded(paper, (BUY, 750, 15_000), (SELL, 800, 15_000))
    assert paper.balance("BTC") == Decimal("1.25")


def test_inverse_short_loses_as_the_price_rises() -> None:
    """Short 100,000 @ 10,000, back at 11,000: -0.909090909090909091 XBT."""
    paper = Paper(defined=inverse())
    traded(paper, (SELL, 10_000, 100_000), (BUY, 11_000, 100_000))
    assert paper.balance("BTC") == Decimal("-0.909090909090909091")


def test_inverse_entry_is_harmonic() -> None:
    """1,000 @ 5,000 and 2,000 @ 6,000 average 5,625."""
    paper = Paper(defined=inverse())
    traded(paper, (BUY, 5_000, 1_000), (BUY, 6_000, 2_000))
    assert abs(paper.position().entry - 5625) < Decimal("1e-10")


def test_spot_moves_both_assets() -> None:
    """Buy 1.0 and the fee of 0.1 % is taken from it: 0.999 stays, and 1000 is gone."""
    defined = instrument(**{**_spot(), "fee_from_received": True})
    paper = Paper(defined=defined)
    (fill,) = traded(paper, (BUY, 10_000, 1_000))
    assert (fill.fee, fill.fee_asset) == (Decimal("0.001"), "BTC")
    assert (paper.balance("BTC"), paper.balance("USDT")) == (Decimal("0.999"), Decimal(-1000))
    (fill,) = traded(paper, (SELL, 10_000, 999))
    assert (fill.fee, fill.fee_asset) == (Decimal("0.999"), "USDT")
    assert (paper.balance("BTC"), paper.balance("USDT")) == (Decimal(0), Decimal("-1.999"))


def _spot() -> dict[str, Any]:
    return {name: getattr(SPOT, name) for name in SPOT.__struct_fields__}


def rich(**balances: Any) -> PaperSettings:
    """An account with just this money."""
    totals = {asset: Decimal(amount) for asset, amount in balances.items()}
    return PaperSettings(entry=NONE, response=NONE, balances=totals)


def refusal(paper: Paper, intent: Any) -> RejectReason | None:
    """Why an order or an amend is rejected, if it is."""
    return getattr(paper.gets(intent)[0], "reason", None)


def test_spot_orders_lock_their_money() -> None:
    """A bid of 10.0 x 0.010 locks 0.1 and its dearest fee, 0.0001; the rest is free."""
    paper = Paper(settings=rich(USDT="0.2001", BTC="0.004"), defined=SPOT)
    assert refusal(paper, placed("a", BUY, 100, 10)) is None
    locked = {
        fact.asset: (fact.free, fact.locked)
        for fact in paper.venue.report(paper.at)
        if isinstance(fact, BalanceReported)
    }
    assert locked["USDT"] == (Decimal("0.1"), Decimal("0.1001"))
    assert refusal(paper, placed("b", BUY, 100, 10)) is RejectReason.NO_FUNDS
    assert refusal(paper, amend("a", 100, 20)) is RejectReason.NO_FUNDS
    assert refusal(paper, amend("a", 100, 15)) is None
    assert refusal(paper, placed("c", SELL, 105, 5)) is RejectReason.NO_FUNDS
    assert refusal(paper, placed("d", SELL, 105, 4)) is None
    paper.gets(cancels_all())
    assert refusal(paper, placed("e", BUY, 99, 20)) is None


def test_a_market_order_needs_what_it_would_cost() -> None:
    """7 @ 10.1 and 3 @ 10.2 cost 0.1013 and the fee of 0.0001013."""
    short = Paper(settings=rich(USDT="0.1014"), defined=SPOT)
    assert refusal(short, market("a", BUY, 10)) is RejectReason.NO_FUNDS
    enough = Paper(settings=rich(USDT="0.1014013"), defined=SPOT)
    enough.gets(market("a", BUY, 10))
    assert enough.balance("USDT") == 0


def test_no_money_is_no_limit_unless_there_are_balances() -> None:
    """Without opening balances money is only counted, and may be negative."""
    paper = Paper(defined=SPOT)
    paper.gets(market("a", BUY, 7))
    assert paper.balance("USDT") == -Decimal("0.0707707")


def test_derivatives_are_not_limited_by_money() -> None:
    """There is no margin model: a poor account may trade contracts."""
    paper = Paper(settings=rich(USDT=0))
    assert refusal(paper, takes("a", BUY, 101, 7)) is None


def test_restore_goes_on_where_the_report_ended() -> None:
    """Positions, entries and balances survive, before or after the instrument is known."""
    for defined, early in [(linear(), True), (inverse(), True), (linear(), False)]:
        first = Paper(defined=defined)
        traded(first, (BUY, 5_000, 1_000), (BUY, 6_000, 2_000), (SELL, 5_500, 10))
        left = [
            fact
            for fact in first.venue.report(first.at)
            if isinstance(fact, BalanceReported | PositionReported)
        ]
        second = Paper(defined=linear(instrument=9))
        if early:
            second.venue.restore(left)
        second.venue.hear(second.at, defined)
        if not early:
            second.venue.restore(left)
        second.hears(snapshot((100, 1), (101, 1)))
        assert second.position().size == 2_990
        for paper in (first, second):
            traded(paper, (SELL, 7_000, 2_990))
        asset = defined.settle
        assert abs(first.balance(asset) - second.balance(asset)) < Decimal("1e-12")


def told_balances(facts: list[Heard]) -> list[tuple[str, Decimal, Decimal]]:
    """Asset, free and locked, of each balance among facts."""
    return [(each.asset, each.free, each.locked) for each in of_balances(facts)]


def test_a_linear_fill_tells_its_settlement_currency() -> None:
    """Bought 2 @ 100 and 2 @ 101 at 1 %: two fills, the fee gone after each; sold @ 110: 19 won."""
    paper = Paper(defined=linear(taker_fee=Decimal("0.01")))
    paper.hears(snapshot((90, 1), (100, 2, 101, 2)))
    told = paper.gets(ioc("a", BUY, 101, 4))
    fill = ["OrderFilled", "BalanceReported"]
    assert kinds(told) == ["OrderAcked", *fill, *fill]
    none = Decimal(0)
    assert told_balances(told) == [("USDT", Decimal(-2), none), ("USDT", Decimal("-4.02"), none)]
    paper.hears(best((110, 2), (111, 1)))
    told = paper.gets(ioc("b", SELL, 110, 2))
    assert told_balances(told) == [("USDT", Decimal("-4.02") + 19 - Decimal("2.2"), none)]


def test_an_inverse_fill_tells_the_coin() -> None:
    """Long 15,000 @ 750 costs nothing yet; out at 800 the 1.25 won are told with the fill."""
    paper = Paper(defined=inverse())
    traded(paper, (BUY, 750, 15_000), (SELL, 800, 15_000))
    none = Decimal(0)
    assert told_balances(paper.told) == [("BTC", none, none), ("BTC", Decimal("1.25"), none)]


def test_a_spot_fill_tells_both_assets() -> None:
    """Of 0.004 bought at a base fee of 0.1 % 0.003996 come; what the rest locks is not free."""
    paper = Paper(settings=rich(USDT="1"), defined=replace(SPOT, fee_from_received=True))
    (acked,) = paper.gets(placed("a", BUY, 100, 10))
    assert isinstance(acked, OrderAcked)
    told = paper.hears(sold(99, 4))
    assert kinds(told) == ["OrderFilled", "BalanceReported", "BalanceReported"]
    assert told_balances(told) == [
        ("BTC", Decimal("0.003996"), Decimal(0)),
        ("USDT", Decimal("0.9"), Decimal("0.06")),
    ]
    assert [each.received for each in of_balances(told)] == [paper.at] * 2
    (canceled,) = paper.gets(cancels_all())
    assert isinstance(canceled, OrderCanceled), "what a cancel unlocks is no total that moved"
    assert told_balances(paper.gets(ioc("b", SELL, 100, 2))) == [
        ("BTC", Decimal("0.001996"), Decimal(0)),
        ("USDT", Decimal("0.97998"), Decimal(0)),
    ]


def test_reports_name_wallet_and_time() -> None:
    """Balances come first, by asset, then positions."""
    paper = Paper(defined=INVERSE)
    traded(paper, (SELL, 100, 3))
    report = paper.venue.report(paper.at)
    assert [type(fact) for fact in report] == [BalanceReported, PositionReported]
    position = report[1]
    assert isinstance(position, PositionReported)
    assert position.instrument == BTC
    assert position.size == Lots(-3)
    assert (position.wallet, position.received) == ("main", paper.at)
    assert paper.at > START


def test_money_is_checked_last() -> None:
    """A crossing post-only order without money is told that it crosses."""
    paper = Paper(settings=rich(USDT=0), defined=SPOT)
    (told,) = paper.gets(placed("a", BUY, 101, 10))
    assert isinstance(told, OrderRejected)
    assert told.reason is RejectReason.POST_ONLY_CROSSED
