"""Unknown outcomes: what nobody knows is asked about, never guessed, never sent again.

Every check runs for every venue against its emulator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mm.emulator.orders import Update
from mm.events.orders import OrderResolved, OrderUncertain, Resolution
from mm.gateways.calls import CallLimits
from mm.projections.lifecycle import Status
from tests.conformance.desk import rests

if TYPE_CHECKING:
    from tests.conformance.desk import Desk

HASTE = CallLimits(answer_seconds_max=1.0)
"""How long an answer may take."""


async def test_accepted_order_without_an_answer_is_adopted(desk: Desk) -> None:
    """It is uncertain, asked about, found at rest, and there is one of it."""
    async with desk.wired(calls=HASTE) as account:
        await account.open()
        desk.fault(*desk.words.lost)
        name = account.place(1, desk.bid(), desk.lots("0.5"))
        await account.until(lambda: account.of(OrderUncertain))
        desk.well()
        await account.reaches(name, Status.OPEN)
        assert len(desk.held.open(None)) == 1


async def test_answer_that_cannot_be_read_is_no_refusal(desk: Desk) -> None:
    """Half an answer to an order that rests: it is found."""
    async with desk.wired(calls=HASTE) as account:
        await account.open()
        desk.fault(*desk.words.garbled)
        name = account.place(1, desk.bid(), desk.lots("0.5"))
        await account.until(lambda: not account.order(name).closed and desk.open_ids)
        await account.reaches(name, Status.OPEN)
        assert len(desk.held.open(None)) == 1


async def test_order_filled_while_nobody_knew_is_booked(desk: Desk) -> None:
    """The answer is lost, and the order fills before it is found."""
    async with desk.wired(calls=HASTE) as account:
        await account.open()
        desk.fault(*desk.words.lost)
        name = account.place(1, desk.bid(), desk.lots("0.5"))
        await account.until(lambda: desk.open_ids)
        desk.sell(desk.lots("0.5"))
        await account.until(
            lambda: account.of(OrderUncertain) or account.status(name) is Status.FILLED
        )
        desk.well()
        await account.reaches(name, Status.FILLED)
        assert account.net == desk.lots("0.5")


async def test_order_that_never_arrived_is_given_up_late(desk: Desk) -> None:
    """Not before it can take effect no more; then it is known never to have arrived."""
    async with desk.wired(calls=HASTE) as account:
        await account.open()
        desk.lose_places()
        name = account.place(1, desk.bid(), desk.lots("0.5"))
        await account.until(lambda: account.of(OrderUncertain))
        assert not account.order(name).closed
        account.windows_pass()
        await account.until(lambda: account.order(name).closed)
        assert {each.resolution for each in account.of(OrderResolved)} == {Resolution.NEVER_ARRIVED}
        assert not desk.held.open(None)


async def test_order_that_nobody_knows_of_is_not_sent_again(desk: Desk) -> None:
    """After all of it the venue has seen it at most once."""
    async with desk.wired(calls=HASTE) as account:
        await account.open()
        seen: list[object] = []
        desk.held.listeners.append(seen.append)
        desk.fault(*desk.words.lost)
        name = account.place(1, desk.bid(), desk.lots("0.5"))
        await account.until(lambda: account.of(OrderUncertain))
        desk.well()
        await account.reaches(name, Status.OPEN)
        numbers = {update.order.number for update in seen if isinstance(update, Update)}
        assert len(numbers) == 1


async def test_doubtful_order_keeps_its_risk(desk: Desk) -> None:
    """While nobody knows, it counts as if it rested."""
    async with desk.wired(calls=HASTE) as account:
        await account.open()
        desk.lose_places()
        name = account.place(1, desk.bid(), desk.lots("0.5"))
        await account.until(lambda: account.of(OrderUncertain))
        side = account.order(name).side
        assert account.state.orders.leaves(account.instrument, side) == desk.lots("0.5")


async def test_cancel_without_an_answer_is_done(desk: Desk) -> None:
    """The stream or a question says so."""
    async with desk.wired(calls=HASTE) as account:
        await account.open()
        name = await rests(desk, account)
        desk.fault(*desk.words.cancel_lost)
        account.cancel(name)
        await account.until(lambda: not desk.open_ids)
        desk.well()
        await account.reaches(name, Status.CANCELED)


async def test_cancel_overtakes_doubt(desk: Desk) -> None:
    """An order in doubt that is to go is canceled once it is found."""
    async with desk.wired(calls=HASTE) as account:
        await account.open()
        desk.fault(*desk.words.lost)
        name = account.place(1, desk.bid(), desk.lots("0.5"))
        await account.until(lambda: account.of(OrderUncertain))
        account.cancel(name)
        desk.well()
        await account.reaches(name, Status.CANCELED)
        assert not desk.held.open(None)


async def test_order_of_a_session_before_is_taken_over(desk: Desk) -> None:
    """It rests, fills while nobody runs, and the next session finds what happened."""
    async with desk.wired() as before:
        await before.open()
        name = await rests(desk, before)
        state = before.state
    desk.sell(desk.lots("0.2"))
    async with desk.wired() as account:
        account.state = state
        account.gateway._tracks._lookup = state.orders.get
        await account.open()
        assert account.status(name) is Status.PARTIALLY_FILLED
        assert account.net == desk.lots("0.2")
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)


async def test_late_answer_changes_nothing(desk: Desk) -> None:
    """The answer to a place comes after the order is filled: it stays filled."""
    async with desk.wired() as account:
        await account.open()
        desk.fault(desk.words.answer_late)
        name = account.place(1, desk.bid(), desk.lots("0.5"))
        await account.until(lambda: desk.open_ids)
        desk.sell(desk.lots("0.5"))
        await account.reaches(name, Status.FILLED)
        account.place(2, desk.bid(60), desk.lots("0.1"))
        await account.until(lambda: desk.open_ids)
        assert account.status(name) is Status.FILLED
        assert account.net == desk.lots("0.5")
