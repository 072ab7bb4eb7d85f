"""What the venue says we have: its last word on each asset and each position."""

from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest

from mm.events.account import Adjusted, BalanceReported, PositionReported, TransferSeen
from mm.events.units import Lots
from mm.projections import balances as module
from mm.projections.base import digest, pack
from tests.build import BTC, START, given, when


def balance(asset: str, free: str, locked: str = "0", wallet: str = "main") -> BalanceReported:
    """A report of one asset."""
    return BalanceReported(
        wallet=wallet,
        asset=asset,
        free=Decimal(free),
        locked=Decimal(locked),
        received=START,
        venue_time=START,
    )


def position(lots: int) -> PositionReported:
    """A report of a position."""
    return PositionReported(
        wallet="main",
        instrument=BTC,
        size=Lots(lots),
        entry=Decimal(100),
        received=START,
        venue_time=START,
    )


def transfer(amount: str, transfer_id: str = "") -> TransferSeen:
    """Money that came in or went out."""
    return TransferSeen(
        wallet="main",
        asset="USDT",
        amount=Decimal(amount),
        received=START,
        venue_time=START,
        transfer_id=transfer_id,
    )


def adjusted() -> Adjusted:
    """A correction."""
    values: dict[str, Any] = {"before": Decimal(1), "after": Decimal(2), "received": START}
    return Adjusted(
        wallet="main",
        instrument=BTC,
        subject="balance",
        asset="USDT",
        evidence="asked",
        who="ann",
        **values,
    )


def test_the_last_report_counts() -> None:
    """By wallet and asset; free and locked together are the total."""
    state = given(balance("USDT", "5"), balance("USDT", "7", "1.5"), balance("USDT", "1", "0", "w"))
    assert state.balances.total("main", "USDT") == Decimal("8.5")
    assert state.balances.total("w", "USDT") == 1
    assert state.balances.total("main", "BTC") == 0
    when(state, position(5), position(-3))
    assert state.balances.positions == {("main", BTC): -3}


def test_a_transfer_told_twice_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the venue's id, in a bounded memory; without an id each one counts."""
    monkeypatch.setattr(module, "TRANSFERS_REMEMBERED_MAX", 1)
    state = given(transfer("10", "t1"), transfer("10", "t1"), transfer("-3"), transfer("-3"))
    assert state.balances.transferred == {("main", "USDT"): Decimal(4)}
    when(state, transfer("1", "t2"), transfer("1", "t3"), transfer("1", "t3"), transfer("1", "t2"))
    assert state.balances.transferred == {("main", "USDT"): Decimal(7)}


def test_sums_lose_no_digit() -> None:
    """Whatever a library made of the decimal context."""
    with localcontext(prec=3):
        state = given(balance("USDT", "123456789.123", "0.001"), transfer("123456789.125"))
        when(state, transfer("0.001"))
        assert state.balances.total("main", "USDT") == Decimal("123456789.124")
        assert state.balances.transferred == {("main", "USDT"): Decimal("123456789.126")}


def test_balances_come_back_from_their_dump() -> None:
    """Reports, transfers, what was told, and how many corrections there were."""
    state = given(balance("USDT", "5"), position(5), transfer("10", "t1"), adjusted(), adjusted())
    assert state.balances.adjustments == 2
    other = given()
    other.balances.load(msgspec.msgpack.decode(pack(state.balances.dump())))
    for each in (state, other):
        when(each, transfer("10", "t1"), transfer("1", "t2"))
    assert digest(other.balances.dump()) == digest(state.balances.dump())
    assert other.balances.transferred == {("main", "USDT"): Decimal(11)}
