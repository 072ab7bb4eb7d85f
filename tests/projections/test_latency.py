"""How long things took, as the log can tell: exact counts in buckets, nothing clipped away."""

from typing import Any

import msgspec
import pytest
from hypothesis import given as sampled
from hypothesis import strategies as st

from mm.events.units import Nanos
from mm.projections import latency as module
from mm.projections.base import digest, pack
from mm.projections.latency import Histogram, Latency
from tests.build import (
    START,
    acked,
    amended,
    cancel_rejected,
    canceled,
    delta,
    given,
    printed,
    quote,
    rejected,
    submitted,
    when,
)


def at(event: Any, nanos: int) -> Any:
    """The event, received so much after the start."""
    return msgspec.structs.replace(event, received=Nanos(START + nanos))


def trips(state: Any) -> dict[int, int]:
    """Round trips by bucket."""
    return {n: count for n, count in enumerate(state.latency.round_trip.buckets) if count}


@sampled(st.lists(st.integers(1 - 2**64, 2**64 - 1), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_quantile_is_the_upper_bound_of_its_bucket(values: list[int], share: float) -> None:
    """At least the wanted share of values lies at or below it, and it is within a factor of two."""
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    found = histogram.quantile(share)
    assert histogram.count == len(values)
    below = sum(value <= found for value in values)
    assert below >= share * len(values) - 1e-9
    assert found == 0 or any(value > found // 2 for value in values)


def test_an_empty_histogram_has_no_quantile() -> None:
    """Zero, whatever is asked."""
    assert Histogram().quantile(0.99) == 0


@pytest.mark.parametrize("event", [quote(99, 101), printed(100, 1), delta((), ())])
def test_market_data_is_timed_from_the_venue_and_from_the_wire(event: Any) -> None:
    """Feed: venue to us, where the venue stamps. Inbox: from the wire to the turn."""
    stamped = msgspec.structs.replace(event, received=START - 5, venue_time=START - 105)
    ahead = msgspec.structs.replace(event, received=START - 5, venue_time=START + 1)
    state = given(stamped, at(event, -6), ahead)
    assert state.latency.feed.buckets[(100).bit_length()] == 1
    assert (state.latency.feed.count, state.latency.feed.negative) == (2, 1)
    assert state.latency.inbox.count == 3


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("place", acked("a")),
        ("place", rejected("a")),
        ("amend", amended("a", 1, 1)),
        ("cancel", canceled("a")),
        ("cancel", cancel_rejected("a")),
    ],
)
def test_a_command_is_timed_to_its_own_answer(command: str, answer: Any) -> None:
    """Once, however often it is answered; an answer to nothing is not timed."""
    state = given(at(answer, 7), submitted("a", command), at(answer, 100), at(answer, 200))
    assert trips(state) == {(100).bit_length(): 1}


def test_two_commands_of_one_order_are_two_round_trips() -> None:
    """A cancel that leaves before the place is answered does not take its answer."""
    sent = msgspec.structs.replace(submitted("a", "cancel"), sent=Nanos(START + 1_000))
    state = given(submitted("a"), sent, at(acked("a"), 1_024), at(canceled("a"), 1_016))
    assert trips(state) == {(1_024).bit_length(): 1, (16).bit_length(): 1}


def test_commands_without_an_answer_are_forgotten_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest first."""
    monkeypatch.setattr(module, "WAITING_MAX", 2)
    state = given(submitted("a"), submitted("b"), submitted("c"))
    when(state, at(acked("a"), 1), at(acked("b"), 2), at(acked("c"), 4))
    assert state.latency.round_trip.count == 2


def test_latencies_come_back_from_their_dump() -> None:
    """Counts, and the commands still under way."""
    state = given(submitted("a"), submitted("b"), at(acked("a"), 100), quote(99, 101))
    other = Latency()
    other.load(msgspec.msgpack.decode(pack(state.latency.dump())))
    assert digest(other.dump()) == digest(state.latency.dump())
    state.latency.load(other.dump())
    when(state, at(acked("b"), 300))
    assert trips(state) == {(100).bit_length(): 1, (300).bit_length(): 1}
