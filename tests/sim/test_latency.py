"""Commands and responses take their time, keep their order, and race each other both ways."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.errors import ConfigError
from mm.events.account import BalanceReported
from mm.events.orders import CancelRejected, OrderAcked, OrderCanceled, OrderFilled
from mm.events.units import MILLIS, Nanos
from mm.sim.draws import ENTRY, RESPONSE
from mm.sim.latency import Wire, draw
from mm.sim.paper import PaperVenue
from mm.sim.settings import (
    FAST,
    NONE,
    SEEDS,
    Latency,
    Measured,
    PaperSettings,
    Sampled,
    preset,
    validate,
)
from tests.build import BUY, START, cancel, instrument, placed
from tests.oracle.plain_trading import plain_venue
from tests.sim.build import BOOK, of_orders, sold, takes

DRAWS = [178872935, 52228813, 93294139]
FAR = PaperSettings(
    entry=Latency(Nanos(5 * MILLIS), Nanos(5 * MILLIS)),
    response=Latency(Nanos(3 * MILLIS), Nanos(3 * MILLIS)),
)


def after(millis: float) -> Nanos:
    """A time of the session, in milliseconds after its start."""
    return Nanos(START + round(millis * MILLIS))


def trips(*told: tuple[int, int, int]) -> Measured:
    """Round trips of (sent, arrived, heard)."""
    return Measured(tuple((Nanos(s), Nanos(a), Nanos(h)) for s, a, h in told))


def venue(settings: PaperSettings = FAR) -> PaperVenue:
    """A venue with a book, 5 ms there and 3 ms back."""
    paper = plain_venue(settings, seed=1)
    paper.hear(START, instrument())
    paper.hear(START, BOOK)
    return paper


def test_there_and_back() -> None:
    """Sent at 0: at the venue at 5, heard at 8; both times stand in the ack."""
    paper = venue()
    assert paper.due() is None
    paper.submit(START, placed("a", BUY, 100, 1))
    assert paper.due() == after(5)
    assert paper.advance(after(7.9)) == []
    assert paper.due() == after(8)
    (told,) = paper.advance(after(8))
    assert isinstance(told, OrderAcked)
    assert (told.venue_time, told.received) == (after(5), after(8))
    assert paper.due() is None


def test_nothing_fills_before_it_arrives() -> None:
    """A print at 4.9 ms passes an order that reaches the venue at 5; one at 5 meets it."""
    paper = venue()
    paper.submit(START, placed("a", BUY, 100, 5))
    paper.hear(after(4.9), sold(99, 2))
    paper.hear(after(5), sold(99, 1))
    fills = [fact for fact in paper.advance(after(20)) if isinstance(fact, OrderFilled)]
    assert [(fact.size, fact.venue_time, fact.received) for fact in fills] == [
        (1, after(5), after(8))
    ]


def test_a_fill_beats_the_cancel() -> None:
    """The print comes while the cancel is under way: filled, then the cancel finds nothing."""
    paper = venue()
    paper.submit(START, placed("a", BUY, 100, 5))
    paper.submit(after(10), cancel("a"))
    paper.hear(after(14), sold(99, 9))
    told = paper.advance(after(30))
    assert [type(fact) for fact in of_orders(told)] == [OrderAcked, OrderFilled, CancelRejected]


def test_a_cancel_beats_the_fill() -> None:
    """The cancel arrives first: the print finds nothing of ours."""
    paper = venue()
    paper.submit(START, placed("a", BUY, 100, 5))
    paper.submit(after(10), cancel("a"))
    paper.hear(after(15), sold(99, 9))
    told = paper.advance(after(30))
    assert [type(fact) for fact in told] == [OrderAcked, OrderCanceled]


def test_we_hear_of_a_fill_after_we_sent_the_cancel() -> None:
    """Filled at 9, heard at 12; the cancel of 10 arrives at 15 and is refused at 18."""
    paper = venue()
    paper.submit(START, placed("a", BUY, 100, 5))
    paper.hear(after(9), sold(99, 9))
    paper.submit(after(10), cancel("a"))
    told: list[Any] = list(of_orders(paper.advance(after(30))))
    assert [fact.received for fact in told] == [after(8), after(12), after(18)]


def test_a_fill_under_way_is_heard_with_its_balance_or_not_at_all() -> None:
    """Filled at 9: until 12 we hear neither, at 12 both; who stops to listen before hears none."""
    paper = venue()
    paper.submit(START, placed("a", BUY, 100, 5))
    paper.hear(after(9), sold(99, 9))
    assert [type(fact) for fact in paper.advance(after(11.9))] == [OrderAcked]
    fill, balance = paper.advance(after(12))
    assert isinstance(fill, OrderFilled)
    assert isinstance(balance, BalanceReported)
    assert (fill.venue_time, fill.received) == (after(9), after(12))
    assert (balance.venue_time, balance.received) == (after(9), after(12))


def test_presets() -> None:
    """Near, at once, and the 50 to 200 ms of a far venue."""
    assert (preset("none"), preset("fast"), preset("seeds")) == (NONE, FAST, SEEDS)
    assert (FAST.least, FAST.most) == (MILLIS, MILLIS)
    assert (SEEDS.least, SEEDS.most) == (50 * MILLIS, 200 * MILLIS)
    with pytest.raises(ConfigError, match="no latency is called 'slow'"):
        preset("slow")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (PaperSettings(entry=Latency(Nanos(2), Nanos(1))), "entry"),
        (PaperSettings(response=Latency(Nanos(-1), Nanos(1))), "response"),
        (PaperSettings(place=Latency(Nanos(2), Nanos(1))), "place"),
        (PaperSettings(amend=Sampled(())), "amend"),
        (PaperSettings(cancel=Sampled((Nanos(2), Nanos(1)))), "cancel"),
        (PaperSettings(entry=Sampled((Nanos(-1), Nanos(1)))), "entry"),
        (PaperSettings(measured=Measured(())), "measured"),
        (PaperSettings(measured=trips((10, 9, 12))), "measured"),
        (PaperSettings(measured=trips((10, 12, 11))), "measured"),
        (PaperSettings(measured=trips((10, 12, 13), (9, 14, 15))), "measured"),
        (PaperSettings(measured=trips((10, 15, 16), (11, 14, 16))), "measured"),
        (PaperSettings(measured=trips((10, 0, 16))), "measured"),
        (PaperSettings(queue="fifo"), "queue"),
        (PaperSettings(queue_power=0.3), "queue_power"),
        (PaperSettings(matching="pro-rata"), "matching"),
        (PaperSettings(market="both"), "market"),
        (PaperSettings(open_orders_max=0), "open_orders_max"),
        (PaperSettings(balances={"BTC": -instrument().tick_size}), "balances.BTC"),
    ],
)
def test_settings_nobody_can_have_meant(settings: PaperSettings, field: str) -> None:
    """The field is named."""
    with pytest.raises(ConfigError) as caught:
        validate(settings)
    assert caught.value.where == f"paper.{field}"


@given(st.integers(), st.integers(0, 10**6), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_draw_stays_in_its_range(seed: int, number: int, least: int, spread: int) -> None:
    """And depends on nothing but seed, wire and number."""
    latency = Latency(Nanos(least), Nanos(least + spread))
    drawn = draw(latency, seed, ENTRY, number)
    assert least <= drawn <= least + spread
    assert drawn == draw(latency, seed, ENTRY, number)


def test_draws_are_these() -> None:
    """Fixed for ever: a session's seed must give the same delays in every release."""
    drawn = [draw(SEEDS, 7, ENTRY, number) for number in range(1, 4)]
    assert drawn == DRAWS
    assert draw(SEEDS, 7, RESPONSE, 1) not in drawn
    assert draw(SEEDS, 8, ENTRY, 1) not in drawn


@given(st.lists(st.tuples(st.integers(0, 10**9), st.booleans()), max_size=30))
def test_a_message_never_overtakes(gaps: list[tuple[int, bool]]) -> None:
    """Out in the order they went in, never early, whenever one asks."""
    wire: Wire[int] = Wire("entry")
    at, out = 0, []
    for number, (gap, ask) in enumerate(gaps):
        at += gap
        arrives = at + draw(SEEDS, 3, ENTRY, wire.count())
        wire.put(wire.book(arrives), number)
        if ask:
            out += [(arrival, number) for arrival, number in wire.take(Nanos(at))]
    out += list(wire.take(Nanos(at + 10**9)))
    assert [number for _, number in out] == list(range(len(gaps)))
    assert sorted(out) == out


SCRIPT = """
from mm.sim.draws import ENTRY
from mm.sim.latency import draw
from mm.sim.settings import SEEDS
print([draw(SEEDS, 7, ENTRY, number) for number in range(1, 4)])
"""


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_draws_do_not_depend_on_the_process(hash_seed: str) -> None:
    """Another process with another hash seed draws the same."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == str(DRAWS)


def test_an_order_filled_on_arrival_is_told_in_order() -> None:
    """Uniform response latencies: the ack still comes before its fill."""
    settings = PaperSettings(entry=SEEDS, response=SEEDS)
    for seed in range(20):
        paper = plain_venue(settings, seed)
        paper.hear(START, instrument())
        paper.hear(START, BOOK)
        paper.submit(START, takes("a", BUY, 101, 3))
        told = paper.advance(after(500))
        assert [type(fact) for fact in of_orders(told)] == [OrderAcked, OrderFilled]
