"""Strategies that share a wallet and an instrument: a restart gives the venue's one position back.

What the venue's account had in cash and position before is what it has after, to the last step of
its own cost; whatever one strategy closed of another's was realised there and in no account here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.apps.wiring import left_behind
from mm.engine.core import Engine
from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import Lots, Nanos, Side
from mm.sim.account import Account
from tests.build import BTC, BUY, SELL, filled, instrument, when

if TYPE_CHECKING:
    from mm.events.orders import OrderFilled

NEAR: Final = Decimal("1e-9")
"""The ledger counts money in billionths: every fill may round once."""
KINDS: Final = [ContractKind.LINEAR, ContractKind.INVERSE]
Deal = tuple[str, Side, int, int]
"""Strategy, side, price, size."""
deals: Final = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from(Side), st.integers(50, 500), st.integers(1, 20)
    ),
    max_size=12,
)


def traded(deals: list[Deal]) -> list[OrderFilled]:
    """The fills of these deals."""
    return [
        filled(f"o{number}", side, price, size, strategy=strategy)
        for number, (strategy, side, price, size) in enumerate(deals)
    ]


def coin(kind: ContractKind) -> InstrumentDefined:
    """An instrument whose tick and lot are one."""
    settle = "BTC" if kind is ContractKind.INVERSE else "USDT"
    steps: dict[str, Any] = {"tick_size": Decimal(1), "lot_size": Decimal(1)}
    return instrument(kind=kind, settle=settle, **steps)


def logged(fills: list[OrderFilled], defined: InstrumentDefined) -> Engine:
    """An engine that knows these fills."""
    engine = Engine()
    when(engine.state, defined, *fills)
    return engine


def position(engine: Engine) -> tuple[Lots, Decimal]:
    """Size and entry that the venue's account is given back."""
    reports = left_behind(engine, "main", Nanos(0))
    found = [each for each in reports if isinstance(each, PositionReported)]
    assert len(found) <= 1
    return (found[0].size, found[0].entry) if found else (Lots(0), Decimal(0))


def test_what_one_closed_of_another_is_realised() -> None:
    """Ten bought at 100, six sold at 110 by the other, ten bought at 120: 14 at 1600 / 14."""
    fills = traded([("a", BUY, 100, 10), ("b", SELL, 110, 6), ("a", BUY, 120, 10)])
    engine = logged(fills, coin(ContractKind.LINEAR))
    size, entry = position(engine)
    assert (size, round(entry * size, 9)) == (Lots(14), Decimal(1600))
    assert engine.state.ledger.netted["main", BTC].realised == 60 * 10**9


@pytest.mark.parametrize("kind", KINDS)
@given(deals=deals)
def test_a_restart_moves_no_money(kind: ContractKind, deals: list[Deal]) -> None:
    """Balance and entry after it are those before it, and so is what a last fill realises."""
    defined, fills = coin(kind), traded(deals)
    account, again = Account(None), Account(None)
    for fill in fills:
        account.book(fill, defined)
    before = account.position("main", defined, Nanos(0))
    size, entry = position(logged(fills, defined))
    assert size == before.size
    assert abs(entry - before.entry) < NEAR * max(Decimal(1), before.entry)
    cash = account.total(defined.settle)
    told: dict[str, Any] = {"wallet": "main", "received": Nanos(0), "venue_time": Nanos(0)}
    again.restore([BalanceReported(asset=defined.settle, free=cash, locked=Decimal(0), **told)])
    again.restore([PositionReported(instrument=BTC, size=size, entry=entry, **told)])
    again.define(defined)
    if size:
        last = filled("last", Side.SELL if size > 0 else Side.BUY, 300, abs(size))
        for each in (account, again):
            each.book(last, defined)
    moved = abs(account.total(defined.settle) - again.total(defined.settle))
    assert moved < NEAR * (1 + len(fills))


@pytest.mark.parametrize("kind", KINDS)
@given(deals=deals)
def test_the_accounts_and_the_venue_have_one_cash_flow(
    kind: ContractKind, deals: list[Deal]
) -> None:
    """Realised profit less signed cost is what was paid: equal in sum, exactly."""
    fills = traded(deals)
    ledger = logged(fills, coin(kind)).state.ledger
    sign = -1 if kind is ContractKind.INVERSE else 1
    parts = [account.position for account in ledger.accounts.values()]
    flows = [
        sum(
            each.realised - sign * (each.cost if each.net > 0 else -each.cost) for each in positions
        )
        for positions in (parts, list(ledger.netted.values()))
    ]
    assert flows[0] == flows[1]
    one = ledger.netted.get(("main", BTC))
    assert (one.net if one else 0) == sum(each.net for each in parts)


def test_strategies_that_cancel_out_leave_nothing() -> None:
    """A wallet that is flat has no position to give back, though its strategies have."""
    fills = traded([("a", BUY, 100, 6), ("b", SELL, 300, 6)])
    assert position(logged(fills, coin(ContractKind.LINEAR))) == (Lots(0), Decimal(0))
