"""The table of an order's life: complete for what engine and venue can do, and never undone."""

from typing import Final, get_args

import pytest

from mm.events.base import Body
from mm.events.orders import (
    AmendOrder,
    CancelOrder,
    ForeignOrderSeen,
    OrderAcked,
    OrderFilled,
    OrderResolved,
    PlaceOrder,
    Resolution,
)
from mm.events.vocabulary import OrderFact
from mm.projections.lifecycle import CLOSED, NEXT, PROVES, RESOLVED, RESTING, Status, step

LIVE: Final = [status for status in Status if status not in CLOSED]
ANSWERS: Final = [
    kind for kind in get_args(OrderFact) if kind not in (OrderResolved, ForeignOrderSeen)
]
"""What a venue may say of one order at any time; evidence and foreign orders have their own way."""
POSSIBLE: Final = {
    **{(status, kind): "told" for status in Status for kind in ANSWERS},
    # A cancel may be asked for whatever is live; an amend only for what rests or is on its way.
    **{(status, CancelOrder): "asked" for status in LIVE},
    **{(status, AmendOrder): "asked" for status in (*RESTING, Status.PENDING_NEW)},
}


def test_the_table_has_a_row_for_all_that_can_happen_and_no_other() -> None:
    """Whatever a venue says in whatever status, and whatever the engine asks, has its row."""
    assert set(NEXT) == set(POSSIBLE)


@pytest.mark.parametrize("status", CLOSED)
@pytest.mark.parametrize("kind", ANSWERS)
def test_nothing_reopens_a_closed_order(status: Status, kind: type[Body]) -> None:
    """Whatever is said of a closed order comes too late."""
    assert step(status, kind) is status


@pytest.mark.parametrize("status", [*CLOSED, Status.UNCERTAIN, Status.PENDING_CANCEL])
def test_an_amend_where_none_may_be_is_our_bug(status: Status) -> None:
    """A pair that is not in the table stops the engine, naming both."""
    with pytest.raises(AssertionError, match=f"no row for AmendOrder in status {status}"):
        step(status, AmendOrder)


def test_an_order_is_placed_once() -> None:
    """No status takes a second place."""
    for status in Status:
        with pytest.raises(AssertionError, match="PlaceOrder"):
            step(status, PlaceOrder)


def test_fills_never_close_by_themselves() -> None:
    """Only the sum of the fills tells that an order is filled."""
    after = {step(status, OrderFilled) for status in LIVE}
    assert not after & set(CLOSED)


def test_doubt_is_left_by_evidence_only() -> None:
    """No answer alone makes an uncertain order rest again."""
    after = {step(Status.UNCERTAIN, kind) for kind in ANSWERS}
    assert not after & set(RESTING)
    assert OrderAcked not in PROVES.get("cancel", ())
    assert OrderAcked not in PROVES["amend"]


def test_every_status_can_be_reached() -> None:
    """No status is there for nothing; FILLED is reached by the sum of the fills."""
    reached, before = {Status.PENDING_NEW}, set[Status]()
    while reached != before:
        before = set(reached)
        reached |= {after for (status, _), after in NEXT.items() if status in before}
    assert reached | {Status.FILLED} == set(Status)


def test_every_resolution_has_its_status() -> None:
    """Evidence says open or closed, and never leaves a doubt."""
    assert set(RESOLVED) == set(Resolution)
    assert set(RESOLVED.values()) <= {Status.OPEN, *CLOSED}
