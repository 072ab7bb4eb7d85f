"""Funding is exchanged once, at its time, at the last rate and mark before it."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from mm.events.account import BalanceReported, FundingPaid
from mm.events.instrument import ContractKind
from mm.events.units import SECONDS, Nanos, Side
from tests.build import BTC, BUY, SELL, START, instrument
from tests.sim.build import Paper, best, ioc, marked, rated

DUE = START + 100 * SECONDS
BEFORE, AFTER = DUE - 1, DUE


def holding(side: Side, size: int, price: int = 750, **changes: Any) -> Paper:
    """A position taken at this price; ticks and lots are whole, nothing costs a fee."""
    free = {"maker_fee": Decimal(0), "taker_fee": Decimal(0)}
    unit = {"tick_size": Decimal(1), "lot_size": Decimal(1)}
    paper = Paper(defined=instrument(**{**unit, **free, **changes}))
    paper.hears(best((price - (side is BUY), size), (price + (side is SELL), size)))
    paper.gets(ioc("in", side, price, size))
    return paper


def paid(told: list[Any]) -> list[FundingPaid]:
    """The payments among facts."""
    return [fact for fact in told if isinstance(fact, FundingPaid)]


@pytest.mark.parametrize(
    ("side", "rate", "amount"),
    [
        (BUY, "0.0001", "-2.25"),
        (SELL, "0.0001", "2.25"),
        (BUY, "-0.0001", "2.25"),
        (SELL, "-0.0001", "-2.25"),
    ],
)
def test_longs_pay_when_the_rate_is_positive(side: Side, rate: str, amount: str) -> None:
    """30 @ mark 750: 22,500 x 0.01 % is 2.25, and the sign is the rate's."""
    paper = holding(side, 30)
    paper.hears(marked("750"), rated(rate, DUE))
    (fact,) = paid(paper.hears(marked("751", venue_time=AFTER)))
    assert (fact.amount, fact.asset) == (Decimal(amount), "USDT")
    assert (fact.rate, fact.mark, fact.size) == (Decimal(rate), Decimal(750), side * 30)
    assert (fact.due, fact.venue_time) == (DUE, paper.at)
    assert paper.balance("USDT") == Decimal(amount)


def test_a_payment_tells_what_is_left() -> None:
    """22,500 x 0.01 % gone: the balance comes with the payment, at the very same time."""
    paper = holding(BUY, 30)
    paper.hears(marked("750"), rated("0.0001", DUE))
    payment, balance = paper.hears(marked("751", venue_time=AFTER))
    assert isinstance(payment, FundingPaid)
    assert isinstance(balance, BalanceReported)
    assert (balance.asset, balance.free) == ("USDT", Decimal("-2.25"))
    assert (balance.received, balance.venue_time) == (payment.received, payment.venue_time)


def test_inverse_funding_is_paid_in_coin() -> None:
    """15,000 contracts, mark 750, 0.25 %: 0.05 XBT paid; with the exit at 800 the net is 1.20."""
    paper = holding(BUY, 15_000, kind=ContractKind.INVERSE, settle="BTC")
    paper.hears(marked("750"), rated("0.0025", DUE))
    (fact,) = paid(paper.hears(marked("750", venue_time=AFTER)))
    assert (fact.amount, fact.asset) == (Decimal("-0.05"), "BTC")
    paper.hears(best((800, 15_000), (801, 1)))
    paper.gets(ioc("out", SELL, 800, 15_000))
    assert paper.balance("BTC") == Decimal("1.20")


def test_the_last_rate_and_mark_before_the_time_count() -> None:
    """What is published at the time itself, or after, is too late."""
    paper = holding(BUY, 10)
    paper.hears(rated("0.01", DUE), rated("0.02", DUE, venue_time=BEFORE))
    paper.hears(marked("700"), marked("800", venue_time=BEFORE))
    (fact,) = paid(
        paper.hears(marked("999", venue_time=AFTER), rated("0.5", DUE, venue_time=AFTER))
    )
    assert (fact.rate, fact.mark, fact.amount) == (Decimal("0.02"), Decimal(800), Decimal(-160))


def test_funding_is_settled_once() -> None:
    """The same time published again after it has passed changes nothing; the next one counts."""
    paper = holding(BUY, 10)
    paper.hears(marked("700"), rated("0.01", DUE))
    told = paper.hears(
        rated("0.01", DUE, venue_time=AFTER),
        rated("0.01", DUE, venue_time=AFTER + SECONDS),
        rated("0.03", DUE + 100, venue_time=AFTER + 1),
        marked("800", venue_time=DUE + 99),
        marked("900", venue_time=DUE + 100),
    )
    assert [(fact.due, fact.amount) for fact in paid(told)] == [
        (DUE, Decimal(-70)),
        (DUE + 100, Decimal(-240)),
    ]
    assert [fact.payment_id for fact in paid(told)] == [f"{BTC}-{DUE}", f"{BTC}-{DUE + 100}"]


def test_a_rate_that_overtook_its_own_settlement_is_late() -> None:
    """Stamped before the time but heard after another stream passed it: nothing is paid twice."""
    paper = holding(BUY, 10)
    paper.hears(marked("700"), rated("0.01", DUE))
    told = paper.hears(
        marked("700", venue_time=AFTER),
        rated("0.02", DUE, venue_time=BEFORE),
        marked("700", venue_time=AFTER + 1),
    )
    assert len(paid(told)) == 1


def test_a_time_first_heard_of_when_it_has_passed_is_not_ours() -> None:
    """Nobody charges us for what was due before we listened."""
    paper = holding(BUY, 10)
    assert paid(paper.hears(marked("700"), rated("0.01", START), marked("700"))) == []


def test_only_a_position_held_at_the_time_pays() -> None:
    """Closed before it: nothing. Opened after it: nothing."""
    paper = holding(BUY, 10)
    paper.hears(marked("700"), rated("0.01", DUE), best((750, 10), (751, 1)))
    paper.gets(ioc("out", SELL, 750, 10))
    assert paid(paper.hears(marked("700", venue_time=AFTER))) == []
    paper.hears(best((749, 10), (750, 10)))
    paper.gets(ioc("again", BUY, 750, 10))
    assert paid(paper.hears(marked("700", venue_time=AFTER + 1))) == []


def test_any_stamped_event_settles() -> None:
    """Whatever the venue stamps at or after the time; without a stamp, when we received it."""
    paper = holding(BUY, 10)
    paper.hears(marked("700"), rated("0.01", START + 5))
    assert paid(paper.hears(best((749, 1), (750, 1)))) == []
    paper.hears(rated("0.01", START + 5, venue_time=START + 4))
    late = replace(best((749, 1), (750, 1)), received=Nanos(START + 5))
    assert len(paid(paper.hears(late))) == 1


def test_without_a_mark_the_mid_counts() -> None:
    """A venue that publishes no mark values positions at its mid."""
    paper = holding(BUY, 10)
    paper.hears(rated("0.01", DUE))
    (fact,) = paid(paper.hears(rated("0.01", DUE, venue_time=AFTER)))
    assert (fact.mark, fact.amount) == (Decimal("749.5"), Decimal("-74.95"))


def test_payments_are_rounded_against_us() -> None:
    """7 contracts at mark 3, 1 %: 0.02333… paid is rounded up, received is rounded down."""
    for side, amount in [(BUY, "-0.023333333334"), (SELL, "0.023333333333")]:
        paper = holding(side, 7, kind=ContractKind.INVERSE, settle="BTC")
        paper.hears(marked("3"), rated("0.01", DUE))
        (fact,) = paid(paper.hears(marked("3", venue_time=AFTER)))
        assert fact.amount == Decimal(amount)
