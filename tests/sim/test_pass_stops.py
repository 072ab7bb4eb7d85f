"""Where the pass stops and goes on, nothing shows: not room for samples, not the end of a block."""

from typing import Any, Final

import numpy as np
import pytest

from mm.events.units import SECONDS, Nanos
from mm.log.rows import ROW, Flag, Kind, Rows
from mm.sim.compiled_run import Answer, CompiledRun, Memory
from mm.sim.setup import begin
from mm.sim.waking import OTHER, SAME

ENDS: Final = Flag.EVENT | Flag.TURN
S: Final = SECONDS
FILLS: Final = 2
"""The place of the number of fills after the best ask in what a desk is told."""


class Bidder:
    """Who answers for one desk: at its first looks at a book it wants a bid, then the same."""

    failure: BaseException | None = None

    def __init__(self, memory: Memory) -> None:
        """Stand before the first look."""
        self._memory = memory
        self.looks: list[int] = []
        self.fills: list[int] = []

    def answer_of(self, _desk: int) -> Answer:
        """There is one."""
        return self._answer

    def _answer(self, at: Nanos, _bid: int, _size: int, ask: int, *more: int) -> int:
        """Want one lot at a price, once there is a book."""
        self.looks.append(at)
        self.fills.append(more[FILLS])
        if not ask or len(self.looks) > 3:
            return SAME
        self._memory.wanted[0, :2] = 59_980, 1
        self._memory.desks["bids"] = 1
        return OTHER


def row(at: int, kind: Kind, price: int, flags: int, venue: int = 0) -> tuple[int, ...]:
    """A row of five lots."""
    return at, venue or at, price, 5, 0, kind, flags, 0


def book(at: int, bid: int) -> list[tuple[int, ...]]:
    """A whole book of one level a side."""
    clear = (at, at, 0, 0, 0, Kind.CLEAR, 0, 0)
    return [clear, row(at, Kind.BID, bid, 0), row(at, Kind.ASK, bid + 2, ENDS)]


def test_samples_in_a_long_gap_know_only_what_was_before() -> None:
    """Though there is no room for all of them at once."""
    memory = Memory(1, 1, two_clocks=False)
    rows = np.array(book(S, 1_000) + book(300_001 * S, 2_000) + book(300_003 * S, 3_000), ROW)
    run = CompiledRun(memory, Bidder(memory))
    begin(memory, Nanos(S), Nanos(S))
    run.feed(rows)
    points = memory.points[: memory.clock["points"][0]]
    gap = points[(points["at"] > S) & (points["at"] <= 300_001 * S)]
    assert len(gap) == 300_000
    assert set(gap["mid2"].tolist()) == {2_002}


def gathered(rows: Rows, cuts: list[int]) -> tuple[Bidder, Memory]:
    """A desk that hears in a turn what came since its first message, fed in pieces."""
    memory = Memory(1, 1, two_clocks=False)
    rules: dict[str, Any] = {
        "size_step": 1,
        "most_by": 1,
        "most": 1 << 40,
        "order_size_max": 100,
        "position_max": 100,
        "open_orders_max": 10,
        "collar_bps": 5_000,
        "rate_max": 100,
        "watched_by": 1,
    }
    for name, value in rules.items():
        memory.instruments[name] = value
    for name, value in {"open_max": 100, "gathers": 1, "entry": 1_000, "response": 1_000}.items():
        memory.clock[name] = value
    memory.desks["own_orders"] = memory.desks["top_changed"] = 1
    bidder = Bidder(memory)
    run = CompiledRun(memory, bidder)
    begin(memory, Nanos(S), Nanos(0))
    for start, stop in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        run.feed(rows[start:stop])
    run.end(S)
    return bidder, memory


def played(rows: Rows, cuts: list[int]) -> tuple[list[int], list[int]]:
    """When a desk was asked and its order acked, fed in pieces."""
    bidder, memory = gathered(rows, cuts)
    return bidder.looks, memory.orders["acked"][:1].tolist()


@pytest.mark.parametrize("cut", [3, 4, 5])
def test_a_full_turn_at_the_end_of_a_block(cut: int) -> None:
    """Answers for which it had no room are heard in the turn after, wherever a block ends."""
    opening = book(S, 59_990)
    full = [row(2 * S, Kind.BID, 59_989, ENDS | Flag.FULL, S + 1)]
    later = [row(at * S, Kind.BID, 59_990 - at, ENDS) for at in (3, 4)]
    rows = np.array(opening + full + later, ROW)
    whole = played(rows, [])
    assert whole[1] == [3 * S]
    assert played(rows, [cut]) == whole


def test_a_fill_for_which_a_turn_had_no_room_is_not_known_in_it() -> None:
    """Whoever is asked at the end of that turn has not heard of it, though it had come."""
    half = S + S // 2
    sold = [row(half, Kind.SOLD, 59_970, ENDS)]
    full = [row(2 * S, Kind.BID, 59_991, ENDS | Flag.FULL, half + 1)]
    rows = np.array(book(S, 59_990) + sold + full + [row(3 * S, Kind.BID, 59_989, ENDS)], ROW)
    bidder, memory = gathered(rows, [])
    assert memory.fills["heard"][0] == half + 1_000, "it comes while the full turn is under way"
    known = dict(zip(bidder.looks, bidder.fills, strict=True))
    assert (known[2 * S], known[3 * S]) == (0, 1)


@pytest.mark.parametrize("cuts", [[], [3], [3, 4]])
def test_an_order_names_the_last_row_before_it(cuts: list[int]) -> None:
    """Counted from 0 over the whole recording, wherever a block ends."""
    quiet = (S, S, 0, 5, 0, Kind.BOUGHT, ENDS, 0)
    rows = np.array([quiet, *book(2 * S, 59_990), row(3 * S, Kind.BID, 59_989, ENDS)], ROW)
    bidder, memory = gathered(rows, cuts)
    assert bidder.looks[:2] == [S, 2 * S]
    assert memory.orders["row"][0] == 3
