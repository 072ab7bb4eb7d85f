"""Private stream: every fill is booked once, whatever becomes of the frames that tell of it.

Every check runs for every venue against its emulator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mm.emulator.faults import Kind
from mm.events.account import AccountDown, AccountReconciled, BalanceReported
from mm.events.orders import ForeignOrderSeen, OrderCanceled, OrderFilled
from mm.events.units import Side
from mm.gateways.order_port import Known
from mm.projections.lifecycle import Status
from tests.conformance.desk import other_id, rests

if TYPE_CHECKING:
    from tests.conformance.desk import Desk
    from tests.gateways.accounts import Wired


async def test_account_is_reconciled_before_anything_else(desk: Desk) -> None:
    """What is in the account is told at the start, with its balances."""
    async with desk.wired() as account:
        await account.open()
        assert account.of(AccountReconciled)
        assert account.of(BalanceReported)
        assert account.state.health.reconciled


async def test_fill_before_the_answer_is_booked(desk: Desk) -> None:
    """The stream is faster than the answer to the place."""
    async with desk.wired() as account:
        await account.open()
        desk.fault(desk.words.answer_late)
        name = account.place(1, desk.bid(), desk.lots("0.5"))
        await account.until(lambda: desk.open_ids)
        desk.sell(desk.lots("0.2"))
        await account.until(lambda: account.net == desk.lots("0.2"))
        await account.reaches(name, Status.PARTIALLY_FILLED)


async def test_fill_said_twice_is_booked_once(desk: Desk) -> None:
    """The same frame again."""
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account)
        desk.on_fill(kind=Kind.DUPLICATE, count=0)
        desk.sell(desk.lots("0.2"))
        await account.until(lambda: account.net == desk.lots("0.2"))
        desk.well()
        desk.sell(desk.lots("0.2"))
        await account.until(lambda: account.net >= desk.lots("0.4"))
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert account.net == desk.lots("0.4")
        assert len(account.of(OrderFilled)) == 2


async def test_late_fill_is_booked(desk: Desk) -> None:
    """It comes after the cancel."""
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account)
        desk.on_fill(kind=Kind.LATE, seconds=0.5)
        desk.sell(desk.lots("0.2"))
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        await account.until(lambda: account.net == desk.lots("0.2"))
        assert len(account.of(OrderFilled)) == 1
        assert account.state.orders.leaves(account.instrument, Side.BUY) == 0


async def test_fill_that_was_never_told_is_found(desk: Desk) -> None:
    """The cancel of an order that is filled already finds it so."""
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account)
        desk.on_fill(kind=Kind.DROP, count=0)
        desk.sell(desk.lots("0.5"))
        await account.until(lambda: not desk.open_ids)
        account.cancel(name)
        await account.reaches(name, Status.FILLED)
        assert account.net == desk.lots("0.5")


async def test_fills_of_a_silent_stream_are_recovered(desk: Desk) -> None:
    """Nothing is heard while they happen; once the stream stands again each is booked once."""
    async with desk.wired() as account:
        await account.open()
        await rests(desk, account)
        desk.silence()
        desk.sell(desk.lots("0.1"))
        desk.sell(desk.lots("0.2"))
        assert account.net == 0
        desk.cut()
        await account.until(lambda: len(account.of(AccountReconciled)) > 1)
        assert account.net == desk.lots("0.3")
        desk.sell(desk.lots("0.2"))
        await account.until(lambda: account.net == desk.lots("0.5"))
        assert len({fill.fill_id for fill in account.of(OrderFilled)}) == 3


async def _recovers(desk: Desk, account: Wired, kind: Kind) -> None:
    await account.open()
    name = await rests(desk, account)
    desk.on_fill(kind=kind)
    desk.sell(desk.lots("0.2"))
    await account.until(lambda: account.of(AccountDown))
    await account.until(lambda: account.state.health.reconciled)
    assert account.net == desk.lots("0.2")
    assert account.status(name) is Status.PARTIALLY_FILLED


async def test_cut_stream_is_recovered(desk: Desk) -> None:
    """In the middle of a fill: down is told, then all that happened."""
    async with desk.wired() as account:
        await _recovers(desk, account, Kind.CUT)


async def test_closed_stream_is_recovered(desk: Desk) -> None:
    """With a farewell of the venue's."""
    async with desk.wired() as account:
        await _recovers(desk, account, Kind.CLOSE)


async def test_unreadable_stream_is_recovered(desk: Desk) -> None:
    """Half a frame is not passed over: what it said is asked for."""
    async with desk.wired() as account:
        await _recovers(desk, account, Kind.MALFORM)


async def test_order_canceled_while_the_stream_was_away_is_known(desk: Desk) -> None:
    """By somebody else; the comparison finds that it is gone."""
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account)
        desk.silence()
        (record,) = desk.held.open(None)
        desk.held.cancel(record)
        desk.cut()
        await account.reaches(name, Status.CANCELED)


async def test_order_canceled_by_somebody_else_is_told(desk: Desk) -> None:
    """By hand on the venue's page, say: the stream tells, and it is no error."""
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account)
        (record,) = desk.held.open(None)
        desk.held.cancel(record)
        await account.reaches(name, Status.CANCELED)
        assert len(account.of(OrderCanceled)) == 1


async def test_order_of_another_desk_is_foreign(desk: Desk) -> None:
    """It is told, and left alone."""
    other = await desk.other()
    await other.place(desk.order(1))
    async with desk.wired() as account:
        await account.open()
        (seen,) = account.of(ForeignOrderSeen)
        assert (seen.side, seen.size) == (Side.BUY, desk.lots("0.5"))
        assert len(desk.held.open(None)) == 1


async def test_fills_of_another_desk_are_not_ours(desk: Desk) -> None:
    """On the same account, while we listen: none is booked as ours, and our order rests."""
    other = await desk.other()
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account, below=60)
        await other.place(desk.order(1))
        desk.sell(desk.lots("0.5"))
        where = desk.definition.instrument
        found = await other.order(Known(other_id(1), where))
        assert found is not None
        assert found.filled == desk.lots("0.5")
        await rests(desk, account, number=2, below=70)
        assert account.status(name) is Status.OPEN
        assert not [fill for fill in account.of(OrderFilled) if fill.strategy == "maker"]


async def test_balances_are_told_as_they_change(desk: Desk) -> None:
    """After a fill, without being asked."""
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account)
        account.facts.clear()
        desk.sell(desk.lots("0.5"))
        await account.reaches(name, Status.FILLED)
        await account.until(lambda: account.of(BalanceReported))
