"""Commands that wait: cancels first, bounded, and none for an order that never left."""

from __future__ import annotations

from mm.events.orders import AmendOrder, CancelOrder, PlaceOrder
from mm.events.units import Nanos
from mm.gateways.outbox import Outbox, Queued
from tests.build import BUY, amend, cancel, placed

AT = Nanos(1)


def filled_outbox(*commands: PlaceOrder | AmendOrder | CancelOrder, most: int = 10) -> Outbox:
    """An outbox with these."""
    outbox = Outbox(most)
    for command in commands:
        outbox.put(Queued(AT, command))
    return outbox


async def test_cancels_overtake_all_else() -> None:
    """Whoever takes gets them first, in their order; some take nothing else."""
    outbox = filled_outbox(
        placed("a", BUY, 100, 1),
        cancel("b"),
        amend("c", 101, 1),
        cancel("d"),
        placed("e", BUY, 1, 1),
    )
    assert (await outbox.take(cancels_only=True)).command.order_id == "b"
    order = [(await outbox.take(cancels_only=False)).command.order_id for _ in range(4)]
    assert order == ["d", "a", "c", "e"]
    assert len(outbox) == 0


def test_a_cancel_always_finds_room() -> None:
    """One of each order; what adds risk does not."""
    outbox = filled_outbox(placed("a", BUY, 100, 1), most=1)
    assert not outbox.put(Queued(AT, placed("b", BUY, 100, 1)))
    for name in ("x", "y", "x"):
        assert outbox.put(Queued(AT, cancel(name)))
    assert (len(outbox), outbox.cancels) == (3, 2)


def test_what_waits_of_an_order_is_taken_back() -> None:
    """Its place and its amend, and nobody else's."""
    outbox = filled_outbox(placed("a", BUY, 100, 1), placed("b", BUY, 100, 1), amend("a", 101, 1))
    taken = [queued.command for queued in outbox.withdraw(placed("a", BUY, 1, 1).order_id)]
    assert [type(command) for command in taken] == [PlaceOrder, AmendOrder]
    assert len(outbox) == 1
