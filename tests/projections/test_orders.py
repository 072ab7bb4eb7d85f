"""Orders under every order of events: no fill is lost, and all ways lead to one end.

Faults F24 to F33 of the catalogue: fills before acks and after cancels, cancels that lost the race,
answers told twice or never, doubt and the evidence that ends it.
"""

from collections.abc import Iterator
from itertools import permutations
from typing import Any, Final

import msgspec
import pytest

from mm.events.orders import RejectReason, Resolution
from mm.events.units import InstrumentId, OrderId
from mm.events.vocabulary import Event
from mm.projections import orders as module
from mm.projections.base import digest, pack
from mm.projections.lifecycle import Status
from mm.projections.orders import Order
from mm.projections.state import State
from tests.build import (
    BTC,
    BUY,
    SELL,
    START,
    acked,
    amend,
    amend_rejected,
    amended,
    cancel,
    cancel_all,
    cancel_rejected,
    canceled,
    expired,
    filled,
    given,
    placed,
    rejected,
    resolved,
    submitted,
    uncertain,
    when,
)

SIZE: Final = 5
PLACED: Final = placed("a", BUY, price=100, size=SIZE)
FILL_2: Final = filled("a", BUY, 100, 2, "first")
FILL_3: Final = filled("a", BUY, 100, 3, "second")
FILL_1: Final = filled("a", BUY, 100, 1, "third")


def order(state: State, order_id: str = "a") -> Order:
    """The order, which must be known."""
    found = state.orders.get(OrderId(order_id))
    assert found is not None
    return found


def interleavings(*chains: list[Event]) -> Iterator[list[Event]]:
    """Every order of the events of these chains that keeps each chain's own order."""
    lots = [number for number, chain in enumerate(chains) for _ in chain]
    for choice in dict.fromkeys(permutations(lots)):
        sources = [iter(chain) for chain in chains]
        yield [next(sources[number]) for number in choice]


def lived(events: list[Event], start: Event = PLACED) -> State:
    """The state after these events; a closed order is not canceled or amended any more."""
    state = given(start)
    for event in events:
        if event == cancel("a") and order(state).closed:
            continue
        if isinstance(event, type(amend("a", 1, 1))) and not order(state).resting:
            continue
        when(state, event)
    return state


# -- one end, whatever the order -------------------------------------------------------------------

GONE = (Status.CANCELED, 0)
CASES: Final[list[tuple[str, list[list[Event]], tuple[Status, int, int]]]] = [
    ("fills and ack", [[acked("a")], [FILL_2], [FILL_3]], (Status.FILLED, 5, 0)),
    ("one fill and ack", [[acked("a")], [FILL_2]], (Status.PARTIALLY_FILLED, 2, 3)),
    (
        "cancel after a part",
        [[acked("a")], [FILL_2], [FILL_1], [cancel("a"), canceled("a")]],
        (Status.CANCELED, 3, 0),
    ),
    (
        "cancel that tells of every fill",
        [[acked("a")], [FILL_2], [FILL_1], [cancel("a"), canceled("a", filled=3)]],
        (Status.CANCELED, 3, 0),
    ),
    (
        "cancel that tells of a fill yet to come",
        [[acked("a")], [FILL_2], [cancel("a"), canceled("a", filled=3)]],
        (Status.CANCELED, 2, 1),
    ),
    (
        "cancel that came too late",
        [[acked("a")], [FILL_2], [FILL_3], [cancel("a"), cancel_rejected("a")]],
        (Status.FILLED, 5, 0),
    ),
    (
        "cancel refused, nobody knows why",
        [[acked("a")], [FILL_2], [cancel("a"), cancel_rejected("a")]],
        (Status.UNCERTAIN, 2, 3),
    ),
    (
        "cancel refused, then evidence",
        [
            [acked("a")],
            [FILL_2],
            [cancel("a"), cancel_rejected("a"), resolved("a", Resolution.CANCELED, 2)],
        ],
        (Status.CANCELED, 2, 0),
    ),
    (
        "cancel told twice, once each way",
        [[acked("a")], [FILL_2], [cancel("a"), canceled("a")], [cancel_rejected("a")]],
        (Status.CANCELED, 2, 0),
    ),
    (
        "cancel timed out",
        [[acked("a")], [FILL_2], [cancel("a"), uncertain("a", "cancel")]],
        (Status.UNCERTAIN, 2, 3),
    ),
    (
        "cancel timed out but worked",
        [[acked("a")], [FILL_2], [cancel("a"), uncertain("a", "cancel")], [canceled("a")]],
        (Status.CANCELED, 2, 0),
    ),
    (
        "place timed out but worked",
        [[acked("a")], [acked("a")], [uncertain("a", "place")], [FILL_2]],
        (Status.PARTIALLY_FILLED, 2, 3),
    ),
    (
        "place timed out and filled",
        [[uncertain("a", "place")], [FILL_2], [FILL_3], [resolved("a", Resolution.FILLED, 5)]],
        (Status.FILLED, 5, 0),
    ),
    (
        "everything told twice",
        [[acked("a")], [FILL_2], [FILL_2], [canceled("a")], [canceled("a")]],
        (Status.CANCELED, 2, 0),
    ),
    ("expired after a part", [[acked("a")], [FILL_2], [expired("a")]], (Status.EXPIRED, 2, 0)),
    ("rejected after a part", [[FILL_2], [rejected("a")]], (Status.REJECTED, 2, 0)),
    (
        "sent, and said so late",
        [[submitted("a")], [acked("a")], [FILL_2], [FILL_3]],
        (Status.FILLED, 5, 0),
    ),
]


@pytest.mark.parametrize(("chains", "end"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_every_interleaving_has_one_end(
    chains: list[list[Event]], end: tuple[Status, int, int]
) -> None:
    """Status, filled and leaves do not depend on who told us first, and the position is exact."""
    ways = list(interleavings(*chains))
    assert len(ways) > 1
    for events in ways:
        state = lived(events)
        found = order(state)
        assert (found.status, found.filled, found.leaves) == end, events
        assert state.ledger.net(BTC) == found.filled, events
        assert state.orders.leaves(BTC, BUY) == found.leaves, events


@pytest.mark.parametrize("size", [8, 5, 4])
def test_an_amend_races_its_fills(size: int) -> None:
    """Filled up to the old size while a greater one is asked for, the order is not over."""
    told: list[Event] = [amend("a", 101, size), amended("a", 101, size)]
    end = (Status.PARTIALLY_FILLED, 3) if size > SIZE else (Status.FILLED, 0)
    for events in interleavings(told, [FILL_2], [FILL_3]):
        if events.index(told[0]) == 2:
            continue  # Filled before it was asked for.
        state = lived([acked("a"), *events])
        assert (order(state).status, order(state).leaves) == end, events
        assert state.ledger.net(BTC) == SIZE


def test_a_refused_amend_leaves_the_order_as_it_was() -> None:
    """Filled or not, in whatever order it is told."""
    for events in interleavings([amend("a", 101, 8), amend_rejected("a")], [FILL_2], [FILL_3]):
        found = order(lived([acked("a"), *events]))
        assert (found.status, found.price, found.leaves) == (Status.FILLED, 100, 0)
    found = order(given(PLACED, acked("a"), amend("a", 101, 8), amend_rejected("a")))
    assert (found.status, found.price, found.leaves) == (Status.OPEN, 100, 5)


# -- risk that nobody can see ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        [],
        [submitted("a")],
        [acked("a")],
        [uncertain("a")],
        [acked("a"), cancel("a")],
        [acked("a"), cancel("a"), uncertain("a", "cancel")],
        [acked("a"), cancel("a"), cancel_rejected("a")],
        [uncertain("a"), cancel_all()],
        [acked("a"), amend("a", 101, 3)],
        [acked("a"), amend("a", 101, 3), uncertain("a", "amend")],
        [rejected("a", RejectReason.DUPLICATE_ID)],
    ],
)
def test_an_order_is_risk_until_the_venue_ended_it(events: list[Event]) -> None:
    """In flight, being canceled, being made smaller or in doubt, all of it still counts."""
    state = given(PLACED, *events)
    assert state.orders.leaves(BTC, BUY) == SIZE
    assert state.orders.leaves(BTC, SELL) == 0
    assert state.orders.leaves(InstrumentId(9), BUY) == 0


def test_an_amend_counts_at_its_worst_until_it_is_answered() -> None:
    """The greater of both sizes is risk, and it may rest at either price."""
    state = given(PLACED, acked("a"), amend("a", 103, 8))
    found = order(state)
    assert (found.leaves, found.prices, found.aim) == (8, (100, 103), (103, 8))
    when(state, cancel("a"))
    assert order(state).leaves == 8, "the amend may still come through"
    when(state, amended("a", 103, 8))
    found = order(state)
    assert (found.status, found.leaves, found.prices) == (Status.PENDING_CANCEL, 8, (103,))


def test_what_the_venue_says_was_filled_counts_until_we_are_told() -> None:
    """A cancel tells of more fills than we have: the missing ones are risk, then they come."""
    state = given(PLACED, acked("a"), FILL_2, cancel("a"), canceled("a", filled=5))
    assert (order(state).status, state.orders.leaves(BTC, BUY)) == (Status.CANCELED, 3)
    assert not state.orders.live
    when(state, FILL_1)
    assert (state.ledger.net(BTC), state.orders.leaves(BTC, BUY)) == (3, 2)
    when(state, filled("a", BUY, 100, 2, "last"))
    assert (state.ledger.net(BTC), state.orders.leaves(BTC, BUY)) == (5, 0)


def test_evidence_of_fills_counts_until_we_are_told() -> None:
    """An order that is resolved as filled is all risk until its fills arrive."""
    state = given(PLACED, uncertain("a"), resolved("a", Resolution.FILLED))
    assert (order(state).status, state.orders.leaves(BTC, BUY)) == (Status.FILLED, 5)
    when(state, FILL_2, FILL_3)
    assert (state.ledger.net(BTC), state.orders.leaves(BTC, BUY)) == (5, 0)
    when(state, resolved("a", Resolution.CANCELED, 6))
    assert (order(state).status, state.orders.leaves(BTC, BUY)) == (Status.FILLED, 1)


# -- doubt -----------------------------------------------------------------------------------------


def test_an_old_ack_does_not_end_the_doubt_about_a_cancel() -> None:
    """An ack told again says that the order was placed, which nobody doubted."""
    state = given(PLACED, acked("a"), cancel("a"), uncertain("a", "cancel"))
    for event in (acked("a"), amended("a", 101, 5), submitted("a"), amend_rejected("a")):
        when(state, event)
        assert order(state).status is Status.UNCERTAIN
    when(state, resolved("a", Resolution.OPEN))
    assert (order(state).status, order(state).doubt) == (Status.OPEN, "")


def test_an_old_ack_does_not_end_the_doubt_about_an_amend() -> None:
    """Only the amend's own answer does."""
    state = given(PLACED, acked("a"), amend("a", 101, 8), uncertain("a", "amend"), acked("a"))
    assert (order(state).status, order(state).leaves) == (Status.UNCERTAIN, 8)
    when(state, amended("a", 101, 8))
    assert (order(state).status, order(state).price) == (Status.OPEN, 101)


def test_a_doubt_about_what_was_answered_is_none() -> None:
    """A time-out that is told after the answer changes nothing."""
    state = given(PLACED, acked("a"), uncertain("a", "place"))
    assert order(state).status is Status.OPEN
    when(state, amend("a", 101, 5), amended("a", 101, 5), uncertain("a", "amend"))
    assert order(state).status is Status.OPEN
    when(state, cancel("a"), canceled("a"), uncertain("a", "cancel"))
    assert order(state).status is Status.CANCELED


def test_a_cancel_that_is_under_way_outlives_the_doubt_about_the_place() -> None:
    """Placed after all, but a cancel was asked for meanwhile: still nobody knows."""
    for ask in (cancel("a"), cancel_all()):
        for events in ([ask, uncertain("a")], [uncertain("a"), ask]):
            state = given(PLACED, *events, acked("a"))
            assert order(state).status is Status.UNCERTAIN


@pytest.mark.parametrize(
    ("resolution", "status"),
    [
        (Resolution.OPEN, Status.PARTIALLY_FILLED),
        (Resolution.CANCELED, Status.CANCELED),
        (Resolution.FILLED, Status.FILLED),
        (Resolution.NEVER_ARRIVED, Status.REJECTED),
    ],
)
def test_evidence_ends_the_doubt(resolution: Resolution, status: Status) -> None:
    """What the venue shows is what the order is."""
    state = given(PLACED, FILL_2, uncertain("a", "cancel"), resolved("a", resolution, 2))
    assert order(state).status is status


def test_an_id_that_the_venue_knows_already_is_not_a_refusal() -> None:
    """The command was sent twice and one came through: the order is there, or nobody knows."""
    again = rejected("a", RejectReason.DUPLICATE_ID)
    assert order(given(PLACED, again)).status is Status.UNCERTAIN
    assert order(given(PLACED, again, acked("a"))).status is Status.OPEN
    assert order(given(PLACED, acked("a"), again)).status is Status.OPEN
    assert order(given(PLACED, acked("a"), cancel("a"), again)).status is Status.PENDING_CANCEL
    assert order(given(PLACED, acked("a"), canceled("a"), again)).status is Status.CANCELED


def test_a_fill_shows_that_an_order_was_placed() -> None:
    """Before any ack it rests, partially filled, and may be amended or kept as a quote."""
    state = given(PLACED, FILL_2)
    assert (order(state).status, order(state).resting) == (Status.PARTIALLY_FILLED, True)


# -- late, repeated, unknown -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        (canceled("a"), Status.CANCELED),
        (expired("a"), Status.EXPIRED),
        (rejected("a"), Status.REJECTED),
        (resolved("a", Resolution.NEVER_ARRIVED), Status.REJECTED),
    ],
)
def test_a_late_fill_is_booked(ended: Event, status: Status) -> None:
    """A fill of a closed order moves the position; the order stays closed."""
    state = given(PLACED, acked("a"), ended, FILL_2)
    assert (order(state).status, order(state).filled, order(state).leaves) == (status, 2, 0)
    assert state.ledger.net(BTC) == 2
    when(state, FILL_2)
    assert (state.ledger.net(BTC), order(state).filled) == (2, 2)
    assert state.ledger.duplicates == 1


def test_a_venue_that_fills_too_much_is_believed() -> None:
    """An overfill moves the position by all of it and leaves nothing open."""
    state = given(PLACED, acked("a"), FILL_3, filled("a", BUY, 100, 4, "over"))
    assert (order(state).status, order(state).filled, order(state).leaves) == (Status.FILLED, 7, 0)
    assert state.ledger.net(BTC) == 7


def test_what_no_order_of_ours_is_named_in_is_counted() -> None:
    """Answers to unknown orders change nothing; a fill of one still moves the position."""
    state = given(acked("x"), canceled("x"), uncertain("x"), resolved("x", Resolution.OPEN))
    when(state, amended("x", 1, 1), amend_rejected("x"), cancel_rejected("x"), rejected("x"))
    when(state, expired("x"), submitted("x"), filled("x", SELL, 100, 4))
    assert (state.orders.unmatched, state.orders.fills, state.orders.live) == (11, 1, [])
    assert state.ledger.net(BTC) == -4


def test_a_command_for_no_order_in_particular_is_not_unmatched() -> None:
    """A cancel-all that was sent names no order."""
    state = given(PLACED, cancel_all(), submitted("", "cancel_all"))
    assert (state.orders.unmatched, order(state).status) == (0, Status.PENDING_CANCEL)


@pytest.mark.parametrize("event", [cancel("x"), amend("x", 1, 1)])
def test_to_change_an_order_that_is_not_live_is_our_bug(event: Event) -> None:
    """The engine changes only what it knows to be live."""
    with pytest.raises(AssertionError, match="no live order"):
        given(PLACED, event)
    closed = given(PLACED, canceled("a"))
    with pytest.raises(AssertionError, match="no live order"):
        when(closed, msgspec.structs.replace(event, order_id=OrderId("a")))


def test_an_order_id_is_used_once() -> None:
    """Placing under an id that is live or closed is our bug."""
    with pytest.raises(AssertionError, match="used twice: a"):
        given(PLACED, PLACED)
    with pytest.raises(AssertionError, match="used twice: a"):
        given(PLACED, canceled("a"), PLACED)


def test_the_memory_of_closed_orders_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten; its late fill still moves the position."""
    monkeypatch.setattr(module, "CLOSED_KEPT_MAX", 2)
    state = given()
    for name in "abc":
        when(state, placed(name, BUY, 100, 5), acked(name), canceled(name))
    assert state.orders.get(OrderId("a")) is None
    assert order(state, "b").status is Status.CANCELED
    when(state, filled("a", BUY, 100, 1))
    assert (state.ledger.net(BTC), state.orders.unmatched) == (1, 1)
    when(state, filled("b", BUY, 100, 1))
    when(state, placed("d", BUY, 100, 5), canceled("d"))
    assert state.orders.get(OrderId("b")) is None, "a fill does not make an order younger"


def test_an_order_that_owes_fills_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many close after it: it counts until its fills are told, and then leaves."""
    monkeypatch.setattr(module, "CLOSED_KEPT_MAX", 2)
    state = given(placed("owes", BUY, 100, 5), acked("owes"), canceled("owes", filled=3))
    for name in "abcdef":
        when(state, placed(name, BUY, 100, 5), acked(name), canceled(name))
        assert state.orders.leaves(BTC, BUY) == 3
    assert [state.orders.get(OrderId(name)) is None for name in "def"] == [True, False, False]
    when(state, filled("owes", BUY, 100, 2, "one"))
    assert state.orders.leaves(BTC, BUY) == 1
    when(state, filled("owes", BUY, 100, 1, "two"))
    assert state.orders.leaves(BTC, BUY) == 0
    for name in "gh":
        when(state, placed(name, BUY, 100, 5), acked(name), canceled(name))
    assert state.orders.get(OrderId("owes")) is None
    assert len(state.orders.dump()[1]) == 2


def test_what_too_many_orders_owe_is_kept_as_a_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and no lot that may be ours is left out; a snapshot keeps the sum."""
    monkeypatch.setattr(module, "OWING_KEPT_MAX", 2)
    state = given()
    for number in range(1, 7):
        side, name = (BUY, SELL)[number % 2], f"o{number}"
        when(state, placed(name, side, 100, 9), acked(name), canceled(name, filled=number))
    restored = State()
    restored.orders.load(msgspec.msgpack.decode(pack(state.orders.dump())))
    for each in (state, restored):
        assert (each.orders.leaves(BTC, BUY), each.orders.leaves(BTC, SELL)) == (12, 9)
        assert each.orders.get(OrderId("o4")) is None
        assert len(each.orders.dump()[1]) == 2
    when(state, filled("o4", BUY, 100, 4))
    assert state.orders.leaves(BTC, BUY) == 12, "nobody can tell which lots these were"


def test_orders_are_listed_as_they_were_placed() -> None:
    """Oldest first, by instrument and strategy, whatever happened to them meanwhile."""
    state = given(
        placed("a", BUY, 100, 1),
        placed("b", SELL, 105, 1, strategy="other"),
        placed("c", BUY, 99, 1, instrument=InstrumentId(1)),
        acked("b"),
        acked("a"),
    )
    assert [each.order_id for each in state.orders.live] == ["a", "b", "c"]
    assert [each.order_id for each in state.orders.live_of(BTC)] == ["a", "b"]
    assert [each.order_id for each in state.orders.live_of(BTC, "maker")] == ["a"]
    assert order(state).resting
    assert not order(state, "c").resting


def test_cancel_all_means_all_of_the_instrument() -> None:
    """Every live order of it is being canceled, those of other instruments are not."""
    state = given(PLACED, placed("c", BUY, 99, 1, instrument=InstrumentId(1)), cancel_all())
    assert order(state).status is Status.PENDING_CANCEL
    assert order(state, "c").status is Status.PENDING_NEW


def test_an_order_knows_what_it_was_placed_as() -> None:
    """All that the intent said, and when it was intended."""
    found = order(given(placed("a", SELL, 100, 5, level=2, reason="hedge", wallet="w")))
    said: dict[str, Any] = {"side": SELL, "price": 100, "size": 5, "level": 2, "placed": START}
    assert {name: getattr(found, name) for name in said} == said
    assert (found.reason, found.wallet, found.post_only) == ("hedge", "w", True)


def test_orders_come_back_from_their_dump() -> None:
    """Live, closed and owed: all is as it was, and goes on as it would have."""
    state = given(PLACED, acked("a"), amend("a", 103, 8), placed("b", BUY, 99, 2))
    when(state, acked("b"), canceled("b", filled=2), placed("c", SELL, 110, 1), canceled("c"))
    other = given()
    other.orders.load(msgspec.msgpack.decode(pack(state.orders.dump())))
    assert digest(other.orders.dump()) == digest(state.orders.dump())
    assert other.orders.live == state.orders.live
    assert other.orders.leaves(BTC, BUY) == state.orders.leaves(BTC, BUY) == 10
    for each in (state, other):
        when(each, filled("b", BUY, 99, 2), canceled("a", filled=0))
    assert digest(other.orders.dump()) == digest(state.orders.dump())
    assert other.orders.leaves(BTC, BUY) == 0
