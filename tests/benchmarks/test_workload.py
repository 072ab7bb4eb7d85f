"""The day that the peers' benchmark plays: the same bytes for everyone, and a sane market."""

from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.peers import workload
from benchmarks.peers.events import DEPTH, STEP_NS, TRADE, Events, first_step

COUNT = 100_000


@pytest.fixture(scope="module")
def events() -> Events:
    """The beginning of the day."""
    return workload.generate(COUNT)


def tops(events: Events) -> Iterator[tuple[int, int, int, int]]:
    """Kind, side, and the best bid and ask after each event that follows the snapshot."""
    books: dict[int, dict[int, int]] = {1: {}, -1: {}}
    best = {1: 0, -1: 0}
    columns = ("kind", "side", "px", "qty")
    rows = zip(*(events[name].tolist() for name in columns), strict=True)
    for place, (kind, side, price, size) in enumerate(rows):
        book = books[side]
        if kind == DEPTH and size:
            book[price] = size
            best[side] = side * max(side * best[side], side * price) if best[side] else price
        elif kind == DEPTH:
            book.pop(price, None)  # A venue may remove a level twice.
            best[side] = side * max(side * each for each in book)
        if place >= 2 * workload.LEVELS:
            yield kind, side, best[1], best[-1]


def test_the_day_is_the_same_everywhere(events: Events) -> None:
    """The beginning of the day has the digest that all figures were measured with."""
    assert workload.digest(events) == workload.DIGESTS[COUNT]


def test_the_book_is_never_crossed(events: Events) -> None:
    """After the snapshot every state is two-sided, at most a few ticks wide, never crossed."""
    spreads = {ask - bid for _, _, bid, ask in tops(events)}
    assert min(spreads) == 1
    assert max(spreads) < 40


def test_times_never_go_back(events: Events) -> None:
    """Venue and arrival times are in order, a message's are one, and transit takes a while."""
    for name in ("exch_ts", "local_ts", "msg"):
        assert (np.diff(events[name].astype(np.int64)) >= 0).all()
    assert (events["local_ts"] - events["exch_ts"]).min() >= workload.TRANSIT_NS
    ends = np.flatnonzero(np.diff(events["msg"], append=events["msg"][-1] + np.uint32(1)))
    assert (ends == np.flatnonzero(events["last"])).all()


def test_a_trade_is_followed_by_the_level_it_ate(events: Events) -> None:
    """The next event of the same message sets the printed price on the other side."""
    prints = np.flatnonzero(events["kind"] == TRADE)
    prints = prints[prints < COUNT - 1]
    assert 0.09 < len(prints) / COUNT < 0.11
    after = events[prints + 1]
    assert (after["kind"] == DEPTH).all()
    assert (after["px"] == events["px"][prints]).all()
    assert (after["side"] == -events["side"][prints]).all()
    assert (events["qty"][prints] > 0).all()


def test_a_shorter_day_is_a_beginning(events: Events) -> None:
    """Fewer events are the first of more, but for the flag that ends the last message."""
    short = workload.generate(1_000)
    for name in ("exch_ts", "local_ts", "px", "qty", "kind", "side", "msg"):
        assert (short[name] == events[name][:1_000]).all()
    assert short["last"][-1] == 1


def test_steps_stand_on_the_grid(events: Events) -> None:
    """The first look is at the first multiple of 100 ms after the first arrival."""
    step = first_step(events)
    assert step % STEP_NS == 0
    assert 0 < step - events["local_ts"][0] <= STEP_NS
