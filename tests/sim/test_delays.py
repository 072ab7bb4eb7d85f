"""Delays that are measured or drawn: exact figures, the wires, and the same compiled."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from mm.events.orders import (
    AmendRejected,
    CancelRejected,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderRejected,
    RejectReason,
)
from mm.events.turn import NO_HASH, Turn
from mm.events.units import MILLIS, Nanos, Seq, TurnNumber
from mm.sim import delays
from mm.sim.draws import ENTRY
from mm.sim.latency import draw
from mm.sim.measured import round_trips, samples
from mm.sim.paper import PaperVenue
from mm.sim.settings import Latency, Measured, PaperSettings, Sampled
from tests.build import BUY, START, acked, amend, cancel, cancel_all, instrument, placed
from tests.oracle.plain_trading import plain_venue
from tests.sim.build import BOOK, of_orders

SENT, ARRIVED, HEARD = (100, 200, 300, 400), (110, 240, 0, 420), (130, 250, 380, 425)


@njit
def entry_compiled(requests: Any, arrivals: Any, responses: Any, at: int) -> int:
    """As the compiled pass calls it."""
    return delays.on_entry(requests, arrivals, responses, at)


@njit
def response_compiled(arrivals: Any, responses: Any, at: int) -> int:
    """As the compiled pass calls it."""
    return delays.on_response(arrivals, responses, at)


@pytest.mark.parametrize(
    ("at", "delay"),
    [
        (0, 10),  # Before the first: its own.
        (100, 10),
        (150, 25),  # Half way from 10 to 40.
        (199, 39),  # 39.7, towards zero.
        (200, -50),  # The next one never arrived: refused, heard from 50 after on.
        (250, -65),
        (300, -80),
        (350, -53),  # -(80 - 27.5), and that towards zero.
        (400, 20),
        (9999, 20),  # After the last: its own.
    ],
)
def test_between_measured_round_trips(at: int, delay: int) -> None:
    """Linear in the time sent; no arrival on one side is a refusal, heard as late as measured."""
    assert delays.on_entry(SENT, ARRIVED, HEARD, at) == delay


def test_a_first_or_last_that_never_arrived() -> None:
    """Before and after all that was measured too, a refusal is one."""
    assert delays.on_entry((100, 200), (0, 210), (150, 230), 50) == -50
    assert delays.on_entry((100, 200), (110, 0), (150, 230), 250) == -30


def test_the_way_back_counts_from_the_arrival() -> None:
    """Only round trips that arrived."""
    told = zip(SENT, ARRIVED, HEARD, strict=True)
    arrived = Measured(tuple((Nanos(s), Nanos(a), Nanos(h)) for s, a, h in told)).arrived
    assert arrived == ((110, 240, 420), (130, 250, 425))
    found = [delays.on_response(*arrived, at) for at in (0, 110, 175, 240, 330, 420, 500)]
    assert found == [20, 20, 15, 10, 8, 5, 5]


trips = st.lists(
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**8), st.integers(1, 10**8), st.booleans()),
    min_size=1,
    max_size=8,
)


@given(trips, st.integers(0, 10**10))
def test_interpolation_compiled(told: list[tuple[int, int, int, bool]], at: int) -> None:
    """The same compiled; within the delays around; an answer never before its cause."""
    sent = arrived = int(START)
    made: list[tuple[int, int, int]] = []
    for gap, there, back, arrives in told:
        sent += gap
        arrived = max(arrived, sent + there)
        made.append((sent, arrived if arrives else 0, arrived + back))
    columns = tuple(zip(*made, strict=True))
    arrays = [np.array(column, np.int64) for column in columns]
    delay = delays.on_entry(columns[0], columns[1], columns[2], START + at)
    assert delay == entry_compiled(*arrays, START + at)
    if all(arrives for *_, arrives in told):
        possible = [there - before for before, there, _ in made]
        assert min(possible) <= delay <= max(possible)
        back = delays.on_response(columns[1], columns[2], START + at)
        assert back == response_compiled(*arrays[1:], START + at)
        assert back >= 0


def test_samples_are_drawn_evenly() -> None:
    """Each delay of the sample about as often, and nothing else."""
    sample = Sampled((Nanos(5), Nanos(7), Nanos(100)))
    drawn = [draw(sample, 3, ENTRY, number) for number in range(3000)]
    assert all(abs(drawn.count(delay) - 1000) < 150 for delay in sample.delays)
    assert set(drawn) == set(sample.delays)


def venue(settings: PaperSettings) -> PaperVenue:
    """A venue with a book."""
    paper = plain_venue(settings, seed=1)
    paper.hear(START, instrument())
    paper.hear(START, BOOK)
    return paper


def constant(millis: int) -> Latency:
    """Always so many milliseconds."""
    return Latency(Nanos(millis * MILLIS), Nanos(millis * MILLIS))


def test_each_kind_of_command_has_its_own_delay() -> None:
    """Placing takes 2 ms, amending 3, canceling 4; nothing overtakes."""
    paper = venue(
        PaperSettings(
            entry=constant(9),
            response=constant(0),
            place=constant(2),
            amend=constant(3),
            cancel=constant(4),
        )
    )
    paper.submit(START, placed("a", BUY, 100, 5))
    paper.submit(Nanos(START + 10 * MILLIS), amend("a", 99, 5))
    paper.submit(Nanos(START + 20 * MILLIS), cancel("a"))
    paper.submit(Nanos(START + 21 * MILLIS), placed("b", BUY, 100, 5))
    paper.submit(Nanos(START + 30 * MILLIS), cancel_all())
    told: list[Any] = of_orders(paper.advance(Nanos(START + 99 * MILLIS)))
    assert [(type(fact), (fact.received - START) // MILLIS) for fact in told] == [
        (OrderAcked, 2),
        (OrderAmended, 13),
        (OrderCanceled, 24),
        (OrderAcked, 24),
        (OrderCanceled, 34),
    ]


def test_a_command_that_never_arrives_is_refused() -> None:
    """Whatever it is; heard as late as measured, not before what was under way."""
    times = [(0, 1, 2), (10, 0, 50), (20, 21, 22)]
    measured = tuple(
        (
            Nanos(START + sent * MILLIS),
            Nanos(arrived and START + arrived * MILLIS),
            Nanos(START + heard * MILLIS),
        )
        for sent, arrived, heard in times
    )
    paper = venue(PaperSettings(measured=Measured(measured)))
    paper.submit(START, placed("early", BUY, 100, 5))
    at = Nanos(START + 10 * MILLIS)
    for command in (placed("a", BUY, 100, 5), cancel("a"), amend("a", 99, 5), cancel_all()):
        paper.submit(at, command)
    told: list[Any] = of_orders(paper.advance(Nanos(START + 99 * MILLIS)))
    kinds = [type(fact) for fact in told]
    assert kinds == [OrderRejected, OrderRejected, CancelRejected, AmendRejected]
    assert [(fact.received - START) // MILLIS for fact in told] == [2, 50, 50, 50]
    assert all(fact.reason is RejectReason.OTHER and fact.venue_time == 0 for fact in told)
    assert paper.open_orders() == []


def test_measured_delays_of_a_venue() -> None:
    """After the last round trip its delays count: there in 1 ms, back in 2."""
    last = (START, Nanos(START + MILLIS), Nanos(START + 3 * MILLIS))
    paper = venue(PaperSettings(measured=Measured((last,))))
    paper.submit(Nanos(START + 5 * MILLIS), placed("a", BUY, 100, 5))
    (told,) = paper.advance(Nanos(START + 99 * MILLIS))
    assert isinstance(told, OrderAcked)
    assert (told.venue_time, told.received) == (START + 6 * MILLIS, START + 8 * MILLIS)


def turn(number: int, at: int, facts: tuple[Any, ...], decisions: tuple[Any, ...]) -> Turn:
    """A turn of a session."""
    return Turn(
        version=1,
        number=TurnNumber(number),
        first=Seq(number),
        previous=NO_HASH,
        previous_orders=NO_HASH,
        at=Nanos(at),
        facts=facts,
        decisions=decisions,
    )


def answered(order_id: str, arrived: int, heard: int) -> OrderAcked:
    """An ack with its times."""
    ack: Any = acked(order_id)
    return OrderAcked(
        order_id=ack.order_id,
        instrument=ack.instrument,
        venue_order_id=ack.venue_order_id,
        venue_time=Nanos(arrived),
        received=Nanos(heard),
    )


def test_round_trips_of_a_session() -> None:
    """From placing to ack by the log; what another clock stamped, or overtakes, is left out."""
    orders = tuple(placed(name, BUY, 100, 1) for name in "abc")
    measured = round_trips(
        [
            turn(1, 100, (), orders),
            turn(2, 150, (answered("a", 120, 140),), (placed("d", BUY, 100, 1),)),
            turn(3, 200, (answered("b", 90, 190), answered("c", 130, 185)), ()),
            turn(4, 300, (answered("d", 125, 260), answered("x", 1, 2)), ()),
        ]
    )
    assert measured.trips == ((100, 120, 140), (100, 130, 185))
    assert samples(measured) == (
        Sampled((Nanos(20), Nanos(30))),
        Sampled((Nanos(20), Nanos(55))),
    )
