"""A circuit breaker: when calls go out, and what is told of it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mm.events.units import SECONDS, Nanos
from mm.events.venue import CircuitChanged, CircuitState
from mm.gateways.breaker import FAILURES_MAX, PAUSE, PAUSE_MAX, Breaker

START = Nanos(1_000 * SECONDS)


def breaker() -> tuple[Breaker, list[CircuitChanged]]:
    """One that is closed, and what it tells."""
    told: list[CircuitChanged] = []
    return Breaker("fake", "place", told.append), told


def opened() -> tuple[Breaker, list[CircuitChanged]]:
    """One that has seen enough."""
    circuit, told = breaker()
    for _ in range(FAILURES_MAX):
        assert circuit.admits(START)
        circuit.failed(START, "timeout")
    return circuit, told


def test_it_opens_after_failures_in_a_row() -> None:
    """One answer between them starts the count anew."""
    circuit, told = breaker()
    for _ in range(FAILURES_MAX - 1):
        circuit.failed(START, "timeout")
    circuit.worked(START)
    for _ in range(FAILURES_MAX - 1):
        circuit.failed(START, "timeout")
    assert circuit.admits(START)
    assert told == []
    circuit.failed(START, "timeout")
    assert not circuit.admits(START)
    assert [each.state for each in told] == [CircuitState.OPEN]


def test_one_call_tries_and_closes_it() -> None:
    """Half-open admits a single call; its answer closes the circuit."""
    circuit, told = opened()
    later = Nanos(START + PAUSE)
    assert circuit.admits(later)
    assert not circuit.admits(later)
    circuit.worked(later)
    assert circuit.admits(later)
    assert [each.state for each in told] == ["open", "half_open", "closed"]


def test_a_call_that_fails_opens_it_for_longer() -> None:
    """The pause doubles, up to a limit."""
    circuit, _ = opened()
    at, pause = START, int(PAUSE)
    for _ in range(10):
        assert not circuit.admits(Nanos(at + pause - 1))
        at = Nanos(at + pause)
        assert circuit.admits(at)
        circuit.failed(at, "timeout")
        pause = min(2 * pause, PAUSE_MAX)
    assert circuit.until - at == PAUSE_MAX


def test_a_try_that_was_not_made_leaves_room_for_another() -> None:
    """The rate budget was used, say."""
    circuit, _ = opened()
    later = Nanos(START + PAUSE)
    assert circuit.admits(later)
    circuit.dropped()
    assert circuit.admits(later)


@given(st.lists(st.sampled_from(["ask", "worked", "failed", "dropped", "wait"]), max_size=60))
def test_changes_are_told_in_order(steps: list[str]) -> None:
    """Each is a change, and the last one told is the state."""
    circuit, told = breaker()
    at = START
    for step in steps:
        match step:
            case "ask":
                circuit.admits(at)
            case "worked":
                circuit.worked(at)
            case "failed":
                circuit.failed(at, "timeout")
            case "dropped":
                circuit.dropped()
            case _:
                at = Nanos(at + PAUSE)
    states = [CircuitState.CLOSED, *(each.state for each in told)]
    assert all(one is not two for one, two in pairwise(states))
    assert states[-1] is circuit.state
