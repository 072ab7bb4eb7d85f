"""Positions, fees and funding over facts: each thing told counts once, and equity balances.

Figures are NautilusTrader's tests of Trading Technologies' example, Binance's fee questions and
BitMEX's perpetual guide.
"""

from decimal import ROUND_UP, Decimal, localcontext
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given as sampled
from hypothesis import strategies as st

from mm.events.account import FundingPaid
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import FundingPublished, MarkPublished
from mm.events.orders import Liquidity
from mm.events.units import EXACT, InstrumentId, Lots, Nanos, Side
from mm.events.vocabulary import Event
from mm.projections import ledger as module
from mm.projections.base import digest, pack
from mm.projections.ledger import Key, Ledger, Pnl
from mm.projections.position import Position
from mm.projections.state import State
from tests.build import BTC, BUY, SELL, START, filled, given, instrument, when

KEY: Final[Key] = ("main", BTC, "maker")
ONE: Final = Decimal(1)
LINEAR, INVERSE, SPOT = ContractKind.LINEAR, ContractKind.INVERSE, ContractKind.SPOT


def whole(kind: ContractKind = LINEAR, **changes: Any) -> InstrumentDefined:
    """An instrument whose tick and lot are one."""
    settle = "BTC" if kind is INVERSE else "USDT"
    changes = {"tick_size": ONE, "lot_size": ONE, "settle": settle, **changes}
    return instrument(kind=kind, **changes)


def mark(price: str) -> MarkPublished:
    """The venue's mark."""
    return MarkPublished(instrument=BTC, received=START, venue_time=START, price=Decimal(price))


def funding(amount: str, asset: str = "USDT", **changes: Any) -> FundingPaid:
    """A funding payment, positive when we received it."""
    values: dict[str, Any] = {
        "wallet": "main",
        "instrument": BTC,
        "asset": asset,
        "amount": Decimal(amount),
        "rate": Decimal("0.0001"),
        "mark": Decimal(100),
        "size": Lots(1),
        "due": START,
        "received": START,
        "venue_time": START,
    }
    return FundingPaid(**{**values, **changes})


def paid(side: Side, size: int, price: int, fee: str, asset: str = "USDT", **more: Any) -> Event:
    """A fill with its fee."""
    name = f"{side}-{size}-{price}-{fee}"
    return filled(name, side, price, size, fee=Decimal(fee), fee_asset=asset, **more)


def pnl(state: State, mid: str | None = None) -> Pnl:
    """The maker's profit."""
    return state.ledger.pnl(KEY, None if mid is None else Decimal(mid))


# -- figures of others -----------------------------------------------------------------------------


def test_the_example_of_trading_technologies_with_fees() -> None:
    """Realised profit less a fee of 0.01 % a fill, as NautilusTrader's test has it."""
    trades = [(BUY, 12, 100), (BUY, 17, 99), (SELL, 9, 101), (SELL, 4, 105), (BUY, 3, 103)]
    state, net = given(whole()), []
    for side, size, price in trades:
        fee = str(Decimal(size * price) / 10_000)
        when(state, paid(side, size, price, fee))
        found = pnl(state)
        net.append((found.realised - found.fees).quantize(Decimal("1e-8")))
    wanted = ["-0.28830000", "13.89666207", "36.19948966", "36.16858966"]
    assert net[1:] == [Decimal(text) for text in wanted]


def test_the_perpetual_of_bitmex_with_funding() -> None:
    """1.25 coins of profit less 0.05 of funding are 1.20."""
    state = given(whole(INVERSE), paid(BUY, 15_000, 750, "0", "BTC"))
    when(state, funding("-0.05", "BTC"), mark("800"))
    assert pnl(state) == Pnl(Decimal(0), Decimal("1.25"), Decimal(0), Decimal("-0.05"))
    when(state, paid(SELL, 15_000, 800, "0", "BTC"))
    assert pnl(state).total == Decimal("1.20")


def test_the_short_of_nautilus() -> None:
    """100,000 sold at 10,000, marked at 11,000, with a taker's fee of 0.075 %."""
    state = given(whole(INVERSE), paid(SELL, 100_000, 10_000, "0.0075", "BTC"), mark("11000"))
    found = pnl(state)
    assert found.unrealised.quantize(Decimal("1e-8")) == Decimal("-0.90909091")
    assert found.fees == Decimal("0.0075")
    worth = whole(INVERSE).notional(11_000, 100_000)
    assert worth.quantize(Decimal("1e-8")) == Decimal("9.09090909")


def test_the_fees_of_binance() -> None:
    """Notional times the rate: linear in quote, inverse in coin, exactly."""
    linear, inverse = whole(), whole(INVERSE, multiplier=Decimal(100))
    assert linear.notional(10_104, 1) * Decimal("0.0005") == Decimal("5.052")
    assert linear.notional(11_104, 1) * Decimal("0.0002") == Decimal("2.2208")
    taker = inverse.notional(10_104, 10) * Decimal("0.0005")
    maker = inverse.notional(11_104, 10) * Decimal("0.0002")
    assert taker.quantize(Decimal("1e-10")) == Decimal("0.0000494854")
    assert maker.quantize(Decimal("1e-10")) == Decimal("0.0000180115")


def test_a_spot_fee_in_base_is_no_trade() -> None:
    """Bought 1 less 0.001 of fee, sold 0.999 less 0.000999: the net is of trades alone."""
    spot = instrument(kind=SPOT, lot_size=Decimal("0.001"), tick_size=ONE, fee_from_received=True)
    state = given(spot, paid(BUY, 1_000, 100, "0.001", "BTC"))
    when(state, paid(SELL, 999, 100, "0.000999", "BTC"))
    assert spot.size(state.ledger.net(BTC)) == Decimal("0.001")
    (account,) = state.ledger.accounts.values()
    assert account.fees == {"BTC": Decimal("0.001999")}
    assert pnl(state, "100").fees == Decimal("0.1999"), "valued at the mid"


# -- once, and exactly -----------------------------------------------------------------------------


def test_a_fill_told_twice_counts_once() -> None:
    """By socket and by REST, at once or much later."""
    fill = filled("a", BUY, 100, 5, fee=Decimal("0.1"))
    state = given(fill, fill, filled("b", BUY, 101, 1), fill)
    account = state.ledger.accounts[KEY]
    assert (state.ledger.net(BTC), account.fills, state.ledger.duplicates) == (6, 2, 2)
    assert account.fees == {"USDT": Decimal("0.1")}


def test_both_sides_of_a_trade_with_ourselves_count() -> None:
    """One trade of the venue, one id, two fills of ours: across wallets, or within one."""
    state = given(
        filled("a", BUY, 100, 5, "trade"),
        filled("b", SELL, 100, 5, "trade"),
        filled("c", BUY, 100, 5, "trade", wallet="other"),
    )
    assert (state.ledger.net(BTC), state.ledger.duplicates) == (5, 0)


def test_fills_of_two_instruments_may_share_an_id() -> None:
    """Venues number the trades of each symbol."""
    other = InstrumentId(1)
    state = given(
        instrument(),
        instrument(instrument=other, symbol="ETHUSDT"),
        filled("a", BUY, 100, 5, "7"),
        filled("b", BUY, 100, 5, "7", instrument=other),
    )
    assert (state.ledger.net(BTC), state.ledger.net(other)) == (5, 5)


def test_a_fill_without_an_id_is_never_dropped() -> None:
    """What cannot be told apart is booked: the venue's position will show a repetition."""
    fill = msgspec.structs.replace(filled("a", BUY, 100, 5), fill_id="")
    assert given(fill, fill).ledger.net(BTC) == 10


def test_the_memory_of_fills_and_payments_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten first."""
    monkeypatch.setattr(module, "FILLS_REMEMBERED_MAX", 2)
    monkeypatch.setattr(module, "PAYMENTS_REMEMBERED_MAX", 1)
    fills = [filled(name, BUY, 100, 1) for name in "abc"]
    state = given(*fills, fills[1], fills[2])
    assert (state.ledger.net(BTC), state.ledger.duplicates) == (3, 2)
    when(state, fills[0])
    assert state.ledger.net(BTC) == 4
    first, second = funding("1", payment_id="1"), funding("1", payment_id="2")
    when(state, first, second, second, first)
    assert state.ledger.accounts[KEY].funding == {"USDT": Decimal(3)}


def test_the_fills_of_others_push_none_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is that of one instrument in one wallet, and a snapshot keeps it."""
    monkeypatch.setattr(module, "FILLS_REMEMBERED_MAX", 2)
    other = InstrumentId(1)
    state = given(filled("a", BUY, 100, 1), instrument(instrument=other, symbol="OTHER"))
    for name in "bcd":
        when(state, filled(name, BUY, 100, 1, instrument=other))
        when(state, filled(name, BUY, 100, 1, wallet="second"))
    assert state.ledger.net(BTC) == 4
    restored = State()
    restored.ledger.load(msgspec.msgpack.decode(pack(state.ledger.dump())))
    for each in (state, restored):
        when(each, filled("a", BUY, 100, 1))
        assert (each.ledger.net(BTC), each.ledger.duplicates) == (4, 1)


def test_funding_told_twice_counts_once() -> None:
    """The venue's payment id decides, or without one the time it was due."""
    state = given(filled("a", BUY, 100, 5))
    for payment in (funding("1", payment_id="x"), funding("2", due=Nanos(START + 1))):
        when(state, payment, payment)
    assert state.ledger.accounts[KEY].funding == {"USDT": Decimal(3)}
    assert state.ledger.duplicates == 2
    unknown = funding("1", due=Nanos(0))
    when(state, unknown, unknown)
    assert state.ledger.accounts[KEY].funding == {"USDT": Decimal(5)}


def test_funding_goes_to_who_holds_the_position() -> None:
    """To the first account that holds one; to nobody's when none does, and is never lost."""
    state = given(filled("a", BUY, 100, 5), filled("b", SELL, 100, 5), funding("1"))
    assert state.ledger.accounts["main", BTC, ""].funding == {"USDT": ONE}
    when(state, filled("c", BUY, 100, 5, strategy="other"), funding("2", payment_id="2"))
    assert state.ledger.accounts["main", BTC, "other"].funding == {"USDT": Decimal(2)}


def test_fees_are_kept_by_asset_and_exactly() -> None:
    """Rebates lower them, other assets stand apart, and no digit is lost."""
    tiny = "0.00000000000000000000000000000000000001"
    state = given(
        paid(BUY, 1, 100, "10000000000"),
        paid(BUY, 1, 101, tiny),
        paid(BUY, 1, 102, "-1"),
        paid(BUY, 1, 103, "0.01", "BNB"),
    )
    fees = state.ledger.accounts[KEY].fees
    with localcontext(EXACT):
        assert fees["USDT"] == Decimal(9_999_999_999) + Decimal(tiny)
    assert fees["BNB"] == Decimal("0.01")
    assert pnl(state).fees == fees["USDT"], "there is no price for other assets here"


def test_an_account_counts_what_it_traded() -> None:
    """Lots and value by side, fills, and how many of them made the market."""
    state = given(paid(BUY, 3, 100, "0"), paid(BUY, 2, 101, "0", liquidity=Liquidity.TAKER))
    when(state, paid(SELL, 4, 102, "0"))
    account = state.ledger.accounts[KEY]
    assert (account.bought, account.sold, account.fills, account.maker_fills) == (5, 4, 3, 2)
    assert (account.bought_value, account.sold_value) == (502, 408)


def test_net_is_over_all_wallets_and_strategies() -> None:
    """What the risk gate looks at."""
    state = given(filled("a", BUY, 100, 5), filled("b", SELL, 100, 2, wallet="w", strategy="s"))
    assert state.ledger.net(BTC) == 3
    assert state.ledger.net(InstrumentId(9)) == 0


def test_asking_for_an_account_changes_nothing() -> None:
    """An account that never traded is flat, and looking at it is no fact."""
    state = given(filled("a", BUY, 100, 5))
    before = state.digests()
    assert state.ledger.account("main", BTC, "nobody").position == Position()
    assert state.digests() == before
    assert state.ledger.account(*KEY).position.net == 5


def test_profit_is_valued_at_the_mark_and_else_at_the_mid() -> None:
    """Without either, what is open has no value yet."""
    state = given(whole(), paid(BUY, 2, 100, "0"))
    assert [pnl(state).unrealised, pnl(state, "101").unrealised] == [Decimal(0), Decimal(2)]
    when(state, mark("102.5"))
    assert pnl(state, "101").unrealised == 5
    assert pnl(state).total == 5


def test_the_rate_of_the_next_funding_is_known() -> None:
    """As published last."""
    rate = FundingPublished(
        instrument=BTC, received=START, venue_time=START, rate=Decimal("0.0003"), due=START
    )
    assert given(rate).ledger.funding_rates == {BTC: (Decimal("0.0003"), START)}


def test_a_fill_of_an_instrument_nobody_defined_is_our_bug() -> None:
    """Its lots would have no meaning."""
    with pytest.raises(AssertionError, match="undefined instrument"):
        given(filled("a", BUY, 100, 5, instrument=InstrumentId(9)))


@pytest.mark.parametrize(
    "change",
    [
        {"tick_size": ONE},
        {"lot_size": ONE},
        {"multiplier": Decimal(2)},
        {"kind": SPOT},
        {"symbol": "ETHUSDT"},
        {"settle": "USD"},
    ],
)
def test_an_id_means_one_instrument_for_ever(change: dict[str, Any]) -> None:
    """Ticks and lots that are on the log keep their meaning; other steps take another id."""
    with pytest.raises(AssertionError, match=r"0 is .*BTCUSDT.*, not "):
        given(instrument(), instrument(revision=2, **change))


def test_a_revision_changes_filters_and_fees() -> None:
    """The latest counts."""
    revised = instrument(revision=2, size_min=Lots(5), maker_fee=Decimal("0.0001"))
    assert given(instrument(), revised).ledger.instruments == {BTC: revised}


# -- what always holds -----------------------------------------------------------------------------

fees = st.decimals(-10, 10, places=9)
trade = st.tuples(
    st.sampled_from(Side),
    st.integers(1, 2**40),
    st.integers(1, 2**30),
    fees,
    st.booleans(),
    st.sampled_from(["maker", "taker"]),
)
step = trade | st.tuples(st.decimals(-100, 100, places=8))
instruments = st.builds(
    whole,
    st.sampled_from(ContractKind),
    tick_size=st.sampled_from([Decimal(text) for text in ("0.01", "0.5", "1", "25")]),
    lot_size=st.sampled_from([Decimal(text) for text in ("0.00001", "0.001", "1", "10")]),
    multiplier=st.sampled_from([ONE, Decimal("0.1"), Decimal(100)]),
)


@sampled(instruments, st.lists(step, max_size=12), st.decimals("0.01", 2**30, places=4))
def test_equity_is_cash_and_holding(
    defined: InstrumentDefined, steps: list[tuple[Any, ...]], price: Decimal
) -> None:
    """Realised + unrealised - fees + funding is what flowed plus what is held, exactly."""
    state, cash, inverse = given(defined), Decimal(0), defined.kind is INVERSE
    with localcontext(EXACT):
        for number, (first, *rest) in enumerate(steps):
            if not rest:
                when(state, funding(str(first), defined.settle, payment_id=str(number)))
                cash += first
                continue
            size, ticks, fee, in_base, strategy = rest
            asset = defined.base if in_base else defined.settle
            more = {"fee": fee, "fee_asset": asset, "strategy": strategy}
            when(state, filled("a", first, ticks, size, f"f{number}", **more))
            flow = -first * defined.notional(ticks, size)
            cash += -flow if inverse else flow
            cash -= fee * price if asset != defined.settle else fee
        when(state, mark(str(price)))
        found = [state.ledger.pnl(key) for key in state.ledger.accounts]
        total = sum((each.total for each in found), Decimal(0))
        held = state.ledger.net(BTC) * defined.lot_size * defined.multiplier
        holding = -held / price if inverse else held * price
        error = abs(total - (cash + holding))
        # A coin value is rounded to 1e-18 of a point, once a fill; everything else is exact.
        point = defined.lot_size * defined.multiplier / defined.tick_size
        assert error <= (len(steps) * point * Decimal("1e-18") if inverse else 0)


@sampled(st.lists(trade, max_size=8), st.lists(trade, max_size=8))
def test_a_ledger_continues_from_its_dump(
    before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]
) -> None:
    """Dumped and loaded it goes on as if nothing was, and still knows what it was told."""

    def fills(trades: list[tuple[Any, ...]], name: str) -> list[Event]:
        return [
            filled(name, side, ticks, size, f"{name}{n}", fee=fee, strategy=strategy)
            for n, (side, size, ticks, fee, _, strategy) in enumerate(trades)
        ]

    payments: list[Event] = [funding("1.50", payment_id="1"), mark("100.250")]
    one = given(*fills(before, "a"), *payments)
    other = State()
    other.load(msgspec.msgpack.decode(pack(one.dump())))
    for state in (one, other):
        when(state, *fills(before, "a"), *fills(after, "b"), *payments)
    assert digest(one.ledger.dump()) == digest(other.ledger.dump())
    assert one.ledger.net(BTC) == other.ledger.net(BTC)
    assert one.ledger.duplicates == other.ledger.duplicates == len(before) + 1


def test_the_largest_numbers_still_have_a_digest() -> None:
    """Sums past 64 bits are packed, loaded and equal."""
    huge = 2**63 - 1
    state = given(*[filled("a", BUY, huge, huge, str(n)) for n in range(4)])
    other = Ledger()
    other.load(msgspec.msgpack.decode(pack(state.ledger.dump())))
    assert (other.net(BTC), digest(other.dump())) == (4 * huge, digest(state.ledger.dump()))


def test_a_library_that_changes_the_decimal_context_changes_no_profit() -> None:
    """Profit is computed in a context of our own."""
    state = given(
        whole(INVERSE), paid(BUY, 15_000, 777, "0.123456789", "BTC"), funding("-0.05", "BTC")
    )
    when(state, mark("801.25"))
    usual, entry = pnl(state), state.ledger.accounts[KEY].position.entry(INVERSE)
    with localcontext(prec=3, rounding=ROUND_UP):
        assert pnl(state) == usual
        assert pnl(state).total == usual.total
        assert state.ledger.accounts[KEY].position.entry(INVERSE) == entry
        assert whole(INVERSE).notional(777, 15_000).quantize(ONE, context=EXACT) == 19
