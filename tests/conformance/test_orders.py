"""Orders: each kind that the venue has does what it says, and the log has what the account has.

Every check runs for every venue against its emulator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mm.events.account import BalanceReported, PositionReported
from mm.events.orders import (
    CancelOrder,
    Liquidity,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    OrderRejected,
    RejectReason,
    Resolution,
    TimeInForce,
)
from mm.events.units import Nanos, OrderId, Seq, Side
from mm.gateways.order_port import Known
from mm.gateways.verdicts import VenueSaid, Verdict
from mm.projections.lifecycle import Status
from tests.conformance.desk import Desk, not_offered, other_id, rests

if TYPE_CHECKING:
    from tests.gateways.accounts import Wired

TAKES = -500
"""So far below the middle that an order to buy takes from the book."""
MARKET: dict[str, Any] = {"kind": OrderKind.MARKET, "post_only": False, "tif": TimeInForce.IOC}


async def test_limit_order_rests_and_has_the_venues_id(desk: Desk) -> None:
    """It is acknowledged once, and the venue has it as it was sent."""
    async with desk.wired() as account:
        await account.open()
        await rests(desk, account)
        (acked,), (held,) = account.of(OrderAcked), desk.held.open(None)
        assert acked.venue_order_id
        assert (held.price, held.size, held.ticket.side) == (
            desk.bid(),
            desk.lots("0.5"),
            Side.BUY,
        )


async def test_order_to_sell_rests(desk: Desk) -> None:
    """On the other side of the book."""
    async with desk.wired() as account:
        await account.open()
        name = account.place(1, desk.bid(-50), desk.lots("0.5"), side=Side.SELL)
        await account.reaches(name, Status.OPEN)
        assert [held.ticket.side for held in desk.held.open(None)] == [Side.SELL]


async def test_order_fills_in_parts(desk: Desk) -> None:
    """Two fills as a maker, with ids and fees, then it is done."""
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account)
        desk.sell(desk.lots("0.2"))
        await account.reaches(name, Status.PARTIALLY_FILLED)
        desk.sell(desk.lots("0.3"))
        await account.reaches(name, Status.FILLED)
        fills = account.of(OrderFilled)
        assert [fill.size for fill in fills] == [desk.lots("0.2"), desk.lots("0.3")]
        assert {fill.liquidity for fill in fills} == {Liquidity.MAKER}
        assert len({fill.fill_id for fill in fills}) == 2
        assert all(fill.fee > 0 and fill.fee_asset for fill in fills)
        assert account.net == desk.lots("0.5")


async def test_order_filled_in_part_is_canceled(desk: Desk) -> None:
    """What was filled stays, what was not is gone."""
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account)
        desk.sell(desk.lots("0.2"))
        await account.reaches(name, Status.PARTIALLY_FILLED)
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert account.net == desk.lots("0.2")
        assert not desk.held.open(None)


async def test_crossing_post_only_order_is_refused(desk: Desk) -> None:
    """With the reason, and without a fill."""
    async with desk.wired() as account:
        await account.open()
        name = account.place(1, desk.bid(TAKES), desk.lots("0.1"), post_only=True)
        await account.reaches(name, Status.REJECTED)
        (refusal,) = account.of(OrderRejected)
        assert refusal.reason is RejectReason.POST_ONLY_CROSSED
        assert not account.net


async def _takes(desk: Desk, account: Wired, size: str = "0.3", **changes: Any) -> OrderId:
    kind = {"post_only": False, "tif": TimeInForce.IOC, **changes}
    name = account.place(1, desk.bid(TAKES), desk.lots(size), **kind)
    await account.until(lambda: account.order(name).closed)
    return name


async def test_order_that_takes_at_once_fills(desk: Desk) -> None:
    """As a taker, at the book's price and not at its own."""
    async with desk.wired() as account:
        await account.open()
        name = await _takes(desk, account)
        assert account.status(name) is Status.FILLED
        await account.until(lambda: account.net == desk.lots("0.3"))
        assert {fill.liquidity for fill in account.of(OrderFilled)} == {Liquidity.TAKER}
        assert {fill.price for fill in account.of(OrderFilled)} == {desk.bid(-100)}


async def test_what_does_not_take_at_once_is_gone(desk: Desk) -> None:
    """Immediate or cancel, away from the book: nothing is filled, nothing rests."""
    async with desk.wired() as account:
        await account.open()
        kind = {"post_only": False, "tif": TimeInForce.IOC}
        name = account.place(1, desk.bid(), desk.lots("0.3"), **kind)
        await account.until(lambda: account.order(name).closed)
        assert account.status(name) is not Status.FILLED
        assert (account.net, desk.held.open(None)) == (0, [])


async def test_order_for_all_or_nothing_fills(desk: Desk) -> None:
    """Fill or kill, where the book holds enough."""
    async with desk.wired() as account:
        await account.open()
        name = await _takes(desk, account, tif=TimeInForce.FOK)
        assert account.status(name) is Status.FILLED
        assert account.net == desk.lots("0.3")


async def test_order_for_all_or_nothing_is_killed(desk: Desk) -> None:
    """Fill or kill, where the book at that price holds too little: not even a part is filled."""
    async with desk.wired() as account:
        await account.open()
        kind = {"post_only": False, "tif": TimeInForce.FOK}
        name = account.place(1, desk.bid(-100), 150_000, **kind)
        await account.until(lambda: account.order(name).closed)
        assert account.status(name) is not Status.FILLED
        assert (account.net, desk.held.open(None)) == (0, [])


async def test_market_order_fills(desk: Desk) -> None:
    """It has no price."""
    async with desk.wired() as account:
        await account.open()
        name = account.place(1, 0, desk.lots("0.3"), side=Side.SELL, **MARKET)
        await account.reaches(name, Status.FILLED)
        assert account.net == -desk.lots("0.3")


async def test_reducing_order_without_a_position_is_refused(desk: Desk) -> None:
    """It would open one."""
    async with desk.wired() as account:
        if not account.port.abilities.reduce_only:
            not_offered("there are no positions to reduce")
        await account.open()
        size = desk.lots("0.1")
        name = account.place(1, 0, size, side=Side.SELL, reduce_only=True, **MARKET)
        await account.reaches(name, Status.REJECTED)
        assert account.of(OrderRejected)[0].reason is RejectReason.REDUCE_ONLY


async def test_reducing_order_reduces(desk: Desk) -> None:
    """It closes what is there."""
    async with desk.wired() as account:
        if not account.port.abilities.reduce_only:
            not_offered("there are no positions to reduce")
        await account.open()
        await _takes(desk, account)
        await account.until(lambda: account.net == desk.lots("0.3"))
        size = desk.lots("0.3")
        name = account.place(2, 0, size, side=Side.SELL, reduce_only=True, **MARKET)
        await account.reaches(name, Status.FILLED)
        assert account.net == 0


async def _amends(desk: Desk, account: Wired) -> OrderId:
    if not account.port.abilities.amend:
        not_offered("an order is canceled and placed anew instead")
    await account.open()
    return await rests(desk, account)


async def test_amend_moves_the_price(desk: Desk) -> None:
    """The same order, at another price."""
    async with desk.wired() as account:
        name = await _amends(desk, account)
        account.amend(name, desk.bid(60), desk.lots("0.5"))
        await account.reaches(name, Status.OPEN)
        assert account.order(name).price == desk.bid(60)
        assert [held.price for held in desk.held.open(None)] == [desk.bid(60)]


async def test_amend_changes_the_size(desk: Desk) -> None:
    """The same order, of another size."""
    async with desk.wired() as account:
        name = await _amends(desk, account)
        account.amend(name, desk.bid(), desk.lots("0.4"))
        await account.reaches(name, Status.OPEN)
        assert account.order(name).size == desk.lots("0.4")
        assert [held.size for held in desk.held.open(None)] == [desk.lots("0.4")]


async def test_amended_order_fills_as_the_same(desk: Desk) -> None:
    """A fill after the amend is booked on it."""
    async with desk.wired() as account:
        name = await _amends(desk, account)
        account.amend(name, desk.bid(60), desk.lots("0.5"))
        await account.reaches(name, Status.OPEN)
        desk.sell(desk.lots("0.5"), below=60)
        await account.reaches(name, Status.FILLED)
        assert account.net == desk.lots("0.5")


async def test_cancel_removes_the_order(desk: Desk) -> None:
    """It is told once, with what was filled."""
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account)
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert len(account.of(OrderCanceled)) == 1
        assert not desk.held.open(None)


async def test_cancel_of_a_filled_order_finds_the_fill(desk: Desk) -> None:
    """The fill won the race."""
    async with desk.wired() as account:
        await account.open()
        name = await rests(desk, account)
        desk.sell(desk.lots("0.5"))
        account.cancel(name)
        await account.reaches(name, Status.FILLED)
        assert account.net == desk.lots("0.5")


async def test_cancel_all_spares_the_orders_of_others(desk: Desk) -> None:
    """Ours are gone, another desk's on the same account still rests."""
    other = await desk.other()
    await other.place(desk.order(1, below=70))
    async with desk.wired() as account:
        await account.open()
        names = [account.place(n, desk.bid(50 + n), desk.lots("0.1")) for n in range(1, 6)]
        for name in names:
            await account.reaches(name, Status.OPEN)
        account.cancel_all()
        for name in names:
            await account.reaches(name, Status.CANCELED)
        (left,) = desk.open_ids
        assert other.ids.decode(left) == other_id(1)


async def test_port_cancels_everything_at_once(desk: Desk) -> None:
    """One call, whoever placed the orders."""
    port = await desk.other()
    if not port.abilities.cancel_all:
        not_offered("no call of the venue's cancels one instrument")
    for number in (1, 2, 3):
        await port.place(desk.order(number, below=50 + number))
    await port.cancel_all(desk.definition.instrument)
    assert not desk.held.open(None)


async def test_order_below_the_minimum_is_refused(desk: Desk) -> None:
    """With a reason that says so."""
    async with desk.wired() as account:
        await account.open()
        name = account.place(1, int(1 / desk.definition.tick_size), desk.lots("1"))
        await account.reaches(name, Status.REJECTED)
        (refusal,) = account.of(OrderRejected)
        small = (
            RejectReason.NOTIONAL_TOO_SMALL,
            RejectReason.SIZE_TOO_SMALL,
            RejectReason.PRICE_OUT_OF_RANGE,
        )
        assert refusal.reason in small
        assert refusal.raw_code or refusal.raw_text


async def test_order_without_the_money_is_refused(desk: Desk) -> None:
    """Far more than the account holds."""
    async with desk.wired() as account:
        await account.open()
        name = account.place(1, desk.bid(), desk.lots("2000"))
        await account.reaches(name, Status.REJECTED)
        assert account.of(OrderRejected)[0].reason is RejectReason.NO_FUNDS


async def test_id_used_twice_is_one_order(desk: Desk) -> None:
    """The second is refused as a duplicate, which says nothing of the first."""
    port = await desk.other()
    await port.place(desk.order(1))
    with pytest.raises(VenueSaid) as raised:
        await port.place(desk.order(1))
    assert raised.value.verdict is Verdict.DUPLICATE_ID
    assert len(desk.held.open(None)) == 1


async def test_cancel_of_an_unknown_order_is_refused(desk: Desk) -> None:
    """As not found, not as done."""
    port = await desk.other()
    where = desk.definition.instrument
    cancel = CancelOrder(order_id=other_id(9), instrument=where, cause=Seq(1), reason="test")
    with pytest.raises(VenueSaid) as raised:
        await port.cancel(cancel, Known(other_id(9), where))
    assert raised.value.verdict is Verdict.ORDER_NOT_FOUND


async def test_unknown_order_is_known_to_be_unknown(desk: Desk) -> None:
    """Asked about an order that it never had, the venue says so."""
    port = await desk.other()
    assert await port.order(Known(other_id(9), desk.definition.instrument)) is None


async def test_evidence_of_an_open_order_is_whole(desk: Desk) -> None:
    """Price, size, what was filled, and the venue's id."""
    port = await desk.other()
    await port.place(desk.order(1))
    desk.sell(desk.lots("0.2"))
    found = await port.order(Known(other_id(1), desk.definition.instrument))
    assert found is not None
    assert found.resolution is Resolution.OPEN
    assert (found.price, found.size, found.filled, found.side) == (
        desk.bid(),
        desk.lots("0.5"),
        desk.lots("0.2"),
        Side.BUY,
    )
    assert port.ids.decode(found.client_id) == other_id(1)
    assert found.venue_order_id


async def test_evidence_of_a_closed_order_is_had(desk: Desk) -> None:
    """Canceled and filled orders are found by our id."""
    port = await desk.other()
    where = desk.definition.instrument
    for number in (1, 2):
        await port.place(desk.order(number, below=40 + 10 * number))
    desk.sell(desk.lots("0.5"), below=50)
    cancel = CancelOrder(order_id=other_id(2), instrument=where, cause=Seq(1), reason="test")
    await port.cancel(cancel, Known(other_id(2), where))
    found = [await port.order(Known(other_id(number), where)) for number in (1, 2)]
    assert [each and each.resolution for each in found] == [
        Resolution.FILLED,
        Resolution.CANCELED,
    ]


async def test_open_orders_are_listed(desk: Desk) -> None:
    """All of the account's, whoever placed them."""
    port = await desk.other()
    for number in range(1, 8):
        await port.place(desk.order(number, below=50 + number, size="0.1"))
    found = await port.open_orders(desk.definition.instrument)
    assert sorted(str(port.ids.decode(each.client_id)) for each in found) == [
        other_id(number) for number in range(1, 8)
    ]


async def test_fills_go_on_from_an_id(desk: Desk) -> None:
    """Oldest first; those after the last that is known, and no others."""
    port = await desk.other()
    await port.place(desk.order(1))
    where, since = desk.definition.instrument, Nanos(desk.exchange.now() - 60_000_000_000)
    desk.sell(desk.lots("0.1"))
    desk.sell(desk.lots("0.2"))
    first, last = await port.fills(where, "", since)
    assert [fill.size for fill in first] == [desk.lots("0.1"), desk.lots("0.2")]
    desk.sell(desk.lots("0.15"))
    more, _ = await port.fills(where, last, since)
    known = {fill.fill_id for fill in first}
    assert [fill.size for fill in more if fill.fill_id not in known] == [desk.lots("0.15")]


async def test_many_orders_at_once(desk: Desk) -> None:
    """Ten placed together, each acknowledged once."""
    async with desk.wired() as account:
        await account.open()
        names = [account.place(n, desk.bid(50 + n), desk.lots("0.01")) for n in range(1, 11)]
        for name in names:
            await account.reaches(name, Status.OPEN)
        assert sorted(each.order_id for each in account.of(OrderAcked)) == sorted(names)


async def test_balances_are_the_venues(desk: Desk) -> None:
    """After a trade, with its fee."""
    async with desk.wired() as account:
        await account.open()
        name = await _takes(desk, account)
        await account.reaches(name, Status.FILLED)
        account.facts.clear()
        account.told(*await account.gateway.reconcile(account.now(), []))
        assert account.of(BalanceReported)
        for held in desk.held.balances():
            if held.free + held.locked:
                total = account.state.balances.total("main", held.asset)
                assert total == held.free + held.locked


async def test_positions_are_the_venues(desk: Desk) -> None:
    """Size and sign."""
    async with desk.wired() as account:
        if not account.port.abilities.positions:
            not_offered("it is a spot market")
        await account.open()
        await _takes(desk, account)
        account.facts.clear()
        account.told(*await account.gateway.reconcile(account.now(), []))
        assert [each.size for each in account.of(PositionReported)] == [desk.lots("0.3")]
