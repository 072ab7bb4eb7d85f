"""What a gateway remembers of its orders: each thing is told once, complete."""

from __future__ import annotations

from typing import Any

from mm.events.orders import OrderFilled
from mm.gateways.tracks import Tracks
from tests.build import BUY, acked, canceled, filled, placed


def tracks() -> Tracks:
    """One order, and a log that has booked nothing yet: its turn is still under way."""
    found = Tracks("main", lambda _id: None, lambda _fill: False)
    found.place(placed("a", BUY, price=100, size=5))
    return found


def test_a_fill_told_twice_before_it_is_booked_is_told_once() -> None:
    """By the stream and by a question, within one turn of the log."""
    known, fill = tracks(), filled("a", BUY, price=100, size=3)
    (told,) = known.hear((fill, fill))
    assert isinstance(told, OrderFilled)
    assert (told.strategy, told.wallet) == ("maker", "main")
    assert known.hear((fill,)) == ()
    (track,) = known.live
    assert (track.filled, track.closed) == (3, False)


def test_an_ack_and_an_end_are_told_once() -> None:
    """By the answer and by the stream, in either order."""
    known = tracks()
    facts: tuple[Any, ...] = (acked("a"), acked("a"), canceled("a"), canceled("a"), acked("a"))
    assert known.hear(facts) == (facts[0], facts[2])
    assert known.live == []


def test_a_late_fill_of_a_closed_order_is_told() -> None:
    """It moves the position, whatever came before."""
    known = tracks()
    known.hear((acked("a"), canceled("a")))
    (told,) = known.hear((filled("a", BUY, price=100, size=3),))
    assert isinstance(told, OrderFilled)
    assert told.strategy == "maker"
