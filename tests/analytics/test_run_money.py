"""Money of a run, against the ledger's fold, published examples and sums made by hand."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.analytics import money
from mm.analytics.equity import curve, drawdown, equity, gross, net, sampled
from mm.analytics.run import Run, Traded
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import Liquidity
from mm.events.units import INT64_MAX, InstrumentId, Side
from mm.projections.ledger import Ledger, Pnl
from mm.projections.position import unrealised
from mm.sim.fees import fee, fee_asset
from tests.analytics.runs import at, bought, payment, point, run, sold
from tests.build import START, filled, instrument

NO_FEES = {"maker_fee": Decimal(0), "taker_fee": Decimal(0)}
WHOLE = instrument(tick_size=Decimal(1), lot_size=Decimal(1), **NO_FEES)


def only(one: Run) -> Traded:
    """The only account of a run."""
    (traded,) = one.traded()
    return traded


def profit(one: Run, mid: Decimal | None = None) -> Pnl:
    """What the only account earned, at the run's last mid unless another one is given."""
    traded = only(one)
    return money.ledger([traded]).pnl(money.key(traded), mid or money.mid(traded))


def test_trading_technologies_example() -> None:
    """Average cost, as published: 14.2758..., then 36.6206..., and 37 in all at a mark of 100."""
    fills = [
        bought(1, 100, 12),
        bought(2, 99, 17),
        sold(3, 101, 9),
        sold(4, 105, 4),
        bought(5, 103, 3),
    ]
    partly = profit(run(fills[:3], [point(9, 100)], instruments=(WHOLE,)))
    assert partly.realised == pytest.approx(Decimal("14.275862068965516"), abs=Decimal("1e-8"))
    whole = profit(run(fills, [point(9, 100)], instruments=(WHOLE,)))
    assert whole.realised == pytest.approx(Decimal("36.620689655172414"), abs=Decimal("1e-8"))
    assert whole.total == 37


def test_average_cost_of_a_published_example() -> None:
    """1000 at 15, 1000 at 35, 1000 sold at 32: the average cost is 25 and 7000 is realised."""
    fills = [bought(1, 15, 1000), bought(2, 35, 1000), sold(3, 32, 1000)]
    assert profit(run(fills, instruments=(WHOLE,))).realised == 7000


def test_a_position_that_turns_over() -> None:
    """100 at 50, 150 sold at 55: 500 realised, short 50 at 55; bought back at 52: 150 more."""
    fills = [bought(1, 50, 100), sold(2, 55, 150)]
    one = run(fills, [point(3, 55)], instruments=(WHOLE,))
    assert profit(one).realised == 500
    held = money.position(only(one))
    assert held.net == -50
    assert held.entry(ContractKind.LINEAR) == 55
    assert profit(run([*fills, bought(3, 52, 50)], instruments=(WHOLE,))).realised == 650


def test_bitmex_inverse_with_funding() -> None:
    """Long 15,000 from 750 to 800: 1.25 coins, less funding of 0.05 coins."""
    inverse = instrument(
        kind=ContractKind.INVERSE,
        settle="BTC",
        quote="USD",
        tick_size=Decimal("0.5"),
        lot_size=Decimal(1),
        **NO_FEES,
    )
    one = run(
        [bought(1, 1500, 15_000), sold(60, 1600, 15_000)],
        [point(0, 1500), point(99, 1600)],
        instruments=(inverse,),
        payments=(payment(30, "-0.05", asset="BTC"),),
    )
    assert profit(one).realised == Decimal("1.25")
    assert profit(one).total == Decimal("1.20")
    assert equity(only(one), np.array([at(99)]))[0] == pytest.approx(1.2, abs=1e-12)


def test_binance_linear_fees() -> None:
    """1 bought at 10,104 as taker (0.05 %), sold at 11,104 as maker (0.02 %): 5.052 and 2.2208."""
    one = run([bought(1, 101_040, 1000, taker=1), sold(2, 111_040, 1000)])
    assert profit(one).fees == Decimal("7.2728")
    assert profit(one).realised == 1000


def test_fees_in_the_coin_bought() -> None:
    """A spot buy may pay in base: 1 coin at 0.1 % is 0.001 coins, worth the mid."""
    spot = instrument(
        kind=ContractKind.SPOT, fee_from_received=True, maker_fee=Decimal("0.001"), symbol="S"
    )
    one = run([bought(1, 1000, 1000), sold(2, 1200, 500)], [point(3, 1300)], instruments=(spot,))
    account = money.account(only(one))
    assert account.fees == {"BTC": Decimal("0.001"), "USDT": Decimal("0.06")}
    assert profit(one).fees == Decimal("0.19")
    assert equity(only(one), np.array([at(3)]))[0] == pytest.approx(float(profit(one).total))


INSTRUMENTS = [
    instrument(),
    instrument(maker_fee=Decimal("-0.00012345678"), taker_fee=Decimal("0.00075")),
    instrument(tick_size=Decimal("1e-8"), maker_fee=Decimal("1.23e-7"), multiplier=Decimal(10)),
    instrument(kind=ContractKind.SPOT, fee_from_received=True, tick_size=Decimal("0.01")),
    instrument(kind=ContractKind.SPOT, lot_size=Decimal("1e-9"), taker_fee=Decimal("0.00033")),
    instrument(kind=ContractKind.INVERSE, settle="BTC", lot_size=Decimal(1)),
    instrument(kind=ContractKind.INVERSE, settle="BTC", maker_fee=Decimal("-0.00025")),
]
NAMES = ["linear", "rebate", "small-ticks", "spot-base", "spot-quote", "inverse", "inverse-rebate"]
TRADES = st.lists(
    st.tuples(
        st.sampled_from([1, -1]),
        st.one_of(st.integers(1, 400), st.integers(1, 10**9), st.integers(1, 2**40)),
        st.one_of(st.integers(1, 50), st.integers(1, 10**7), st.integers(1, 2**22)),
        st.sampled_from([0, 1]),
    ),
    max_size=12,
)


def traded(drawn: list[tuple[int, ...]], at: InstrumentDefined) -> Traded:
    """An account with these fills, one a second."""
    fills = [
        bought(second, price, size, side=side, taker=taker)
        for second, (side, price, size, taker) in enumerate(drawn)
    ]
    return next(iter(run(fills, [point(50, 7)], instruments=(at,)).traded()))


@pytest.mark.parametrize("at", INSTRUMENTS, ids=NAMES)
@given(drawn=TRADES)
def test_fees_are_those_of_the_venue(at: InstrumentDefined, drawn: list[tuple[int, ...]]) -> None:
    """Every fee computed for many fills at once is the venue's own, to the last decimal."""
    charges = money.charged(traded(drawn, at))
    for place, (side, price, size, taker) in enumerate(drawn):
        liquidity = Liquidity.TAKER if taker else Liquidity.MAKER
        expected, asset = fee(at, Side(side), price, size, liquidity)
        assert money.amount(charges[asset][place : place + 1]) == expected
        assert all(units[place] == 0 for name, units in charges.items() if name != asset)


@given(drawn=TRADES, revisions=st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_fees_are_those_in_force(drawn: list[tuple[int, ...]], revisions: list[int]) -> None:
    """Each fill pays by the definition that it is numbered with, in that one's asset."""
    spot = instrument(kind=ContractKind.SPOT, tick_size=Decimal("0.01"))
    later = (
        instrument(kind=ContractKind.SPOT, tick_size=Decimal("0.01"), fee_from_received=True),
        instrument(kind=ContractKind.SPOT, tick_size=Decimal("0.01"), maker_fee=Decimal("-1e-4")),
    )
    account = traded(drawn, spot)._replace(revisions=later)
    account.fills["revision"] = revisions[: len(drawn)]
    charges = money.charged(account)
    for place, (side, price, size, taker) in enumerate(drawn):
        liquidity = Liquidity.TAKER if taker else Liquidity.MAKER
        expected, asset = fee(account.under(revisions[place]), Side(side), price, size, liquidity)
        assert money.amount(charges[asset][place : place + 1]) == expected
        assert all(units[place] == 0 for name, units in charges.items() if name != asset)


@pytest.mark.parametrize("at", INSTRUMENTS, ids=NAMES)
@given(drawn=TRADES)
def test_accounts_are_the_ledgers(at: InstrumentDefined, drawn: list[tuple[int, ...]]) -> None:
    """The account made of columns is the one folded from the same fills as events."""
    ledger = Ledger()
    defined, heard = ledger.routes()[InstrumentDefined], None
    defined(at, START)
    for place, (side, price, size, taker) in enumerate(drawn):
        liquidity = Liquidity.TAKER if taker else Liquidity.MAKER
        cost, asset = fee(at, Side(side), price, size, liquidity)
        heard = filled(
            "o",
            Side(side),
            price,
            size,
            fill_id=str(place),
            strategy="maker",
            wallet="",
            fee=cost,
            fee_asset=asset,
            liquidity=liquidity,
        )
        ledger.routes()[type(heard)](heard, START)
    folded = ledger.account("", InstrumentId(0), "maker")
    assert money.account(traded(drawn, at)) == folded


@pytest.mark.parametrize("at", INSTRUMENTS, ids=NAMES)
@given(drawn=TRADES)
def test_equity_ends_at_the_ledgers_profit(
    at: InstrumentDefined, drawn: list[tuple[int, ...]]
) -> None:
    """The curve's end is realised and unrealised profit, as near as float64 comes."""
    account = traded(drawn, at)
    held = money.position(account)
    exact = held.realised + unrealised(held, at.kind, Decimal(7))
    scale = float(sum(abs(side * size * price) for side, price, size, _ in drawn) + 1)
    unit = float(at.lot_size * at.multiplier)
    unit *= 1 / float(at.tick_size) if at.kind is ContractKind.INVERSE else float(at.tick_size)
    parts = 10**18 if at.kind is ContractKind.INVERSE else 10**9
    shown = gross(account, account.points["at"])[-1] / unit
    assert shown == pytest.approx(float(exact) / parts, abs=1e-12 * scale + 1e-6, rel=1e-12)


def test_large_products_stay_exact() -> None:
    """Prices and sizes whose product leaves 64 bits are counted in Python's own integers."""
    price, size = 2**40, 2**30
    one = run([bought(1, price, size), sold(2, price + 1, size)], [point(3, price)])
    account = money.account(only(one))
    assert account.bought_value == price * size > INT64_MAX
    assert account.fees["USDT"] == sum(
        fee(instrument(), side, ticks, size, Liquidity.MAKER)[0]
        for side, ticks in ((Side.BUY, price), (Side.SELL, price + 1))
    )
    assert gross(only(one), np.array([at(2)]))[0] == pytest.approx(size * 0.0001)


def test_twice_a_product_stays_exact() -> None:
    """Fills whose worth fits 64 bits, but not twice: equity counts in halves of a tick."""
    size = INT64_MAX // 3
    one = run([bought(1, 1, size), bought(2, 1, size)], [point(3, 1)], instruments=(WHOLE,))
    assert gross(only(one), np.array([at(1), at(3)])) == pytest.approx([0, 0])
    assert money.account(only(one)).bought_value == 2 * size


def test_equity_by_hand() -> None:
    """Fees, funding and the mid move the curve when they are heard, not before."""
    one = run(
        [bought(10, 1000, 100), sold(50, 1010, 100, taker=1)],
        [point(0, 1000), point(20, 1005), point(30, 0), point(60, 900)],
        payments=(payment(40, "-0.5"),),
    )
    times = np.array([at(s) for s in (0, 9.9, 10, 20, 30, 40, 50, 99)])
    # 0.1 BTC: a tick (0.1 USDT) of it is 0.01; fees 10 * 0.0002 and 10.1 * 0.0005.
    expected = [0, 0, -0.002, 0.048, 0.048, -0.452, -0.40705, -0.40705]
    assert equity(only(one), times) == pytest.approx(expected)
    assert list(net(only(one), times)) == [0, 0, 100, 100, 100, 100, 0, 0]
    assert profit(one).total == Decimal("-0.40705")
    assert sampled(curve([only(one)]), at(0), at(100), 50 * 10**9) == pytest.approx(
        [0, -0.40705, -0.40705]
    )


def test_before_the_first_mid_the_first_one_counts() -> None:
    """A position that is there before any mid was seen is valued at the first."""
    one = run([bought(1, 100, 10)], [point(2, 0), point(3, 110)], instruments=(WHOLE,))
    assert list(equity(only(one), np.array([at(2), at(3)]))) == [100, 100]


def test_without_any_mid_a_position_has_no_value() -> None:
    """Nobody ever saw a price: nothing is unrealised, as in the ledger."""
    one = run([bought(1, 100, 10)], instruments=(WHOLE,))
    assert money.mid(only(one)) is None
    assert profit(one) == Pnl(Decimal(0), Decimal(0), Decimal(0), Decimal(0))


def test_fills_without_samples_tell_the_mid() -> None:
    """Where nothing was sampled, the mids at the fills value the position."""
    fills = [bought(1, 100, 10, mid2=202), bought(2, 100, 10, mid2=208)]
    assert money.mid(only(run(fills, instruments=(WHOLE,)))) == 104


@pytest.mark.parametrize(
    ("mids", "deepest", "longest", "share"),
    [
        ([100, 110, 120], 0, 0, 0.0),
        ([100, 90, 95, 100, 110], 10, 30, 0.5),
        ([100, 110, 105, 110, 90, 95], 20, 20, 0.4),
        ([90, 95], 10, 10, 1.0),
    ],
    ids=["up", "recovers", "twice", "at-once"],
)
def test_drawdown(mids: list[int], deepest: int, longest: int, share: float) -> None:
    """The deepest fall in money, and the longest time from a peak until it is reached again."""
    samples = [point(10 * place, mid) for place, mid in enumerate(mids)]
    fell = drawdown(curve([only(run([bought(0, 100, 1)], samples, instruments=(WHOLE,)))]))
    assert (fell.deepest, fell.longest / 1e9) == (deepest, longest)
    assert fell.share == pytest.approx(share)


def test_accounts_are_told_apart() -> None:
    """Two desks and two instruments are four accounts, each with its own fills, in order."""
    fills: list[dict[str, Any]] = [
        bought(3, 100, 1, desk=1, instrument=0),
        bought(2, 100, 2, desk=0, instrument=1),
        bought(1, 100, 4, desk=0, instrument=0),
        bought(0, 100, 8, desk=1, instrument=1),
        bought(0, 100, 16, desk=0, instrument=0),
    ]
    other = instrument(symbol="ETHUSDT", base="ETH")
    one = run(fills, desks=("a", "b"), instruments=(instrument(), other))
    seen = [(each.desk, each.instrument.base, each.fills["size"].tolist()) for each in one.traded()]
    assert seen == [
        ("a", "BTC", [16, 4]),
        ("a", "ETH", [2]),
        ("b", "BTC", [1]),
        ("b", "ETH", [8]),
    ]


def test_no_fills_no_money() -> None:
    """A desk that only looked has an empty account."""
    one = run([], [point(1, 100)])
    assert money.account(only(one)).fills == 0
    assert profit(one).total == 0
    assert fee_asset(instrument(), Side.BUY) == "USDT"
