"""The compiled venue's counter: one public event or one command at a time.

What the pass does for blocks of rows and rings of commands, it does here for one of them, by the
same functions: an event is ruled on and becomes rows as a recording's do, the rows are played, and
a command takes the ring's one place. The caller writes them down beforehand and finds in the ring
of answers and in the column of fills what came of it, from place 0 on.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm.log.facts import FACT, RULING, STANDING, emit, judge
from mm.projections.compiled import ONE, ZERO, inner, laying, njit, whole
from mm.projections.ladder import BEST, FULL, NONE, follow, heads, next_key
from mm.sim.arrivals import act, sweep
from mm.sim.compiled_run import Memory
from mm.sim.feed import BID, LOST, play, settle
from mm.sim.takers import come, reached
from mm.sim.world import FAR_AWAY, block, clocks, commands, queued, rows_of

FACTS, RULINGS, STANDINGS, NUMBERS, PRICES, SIZES = range(40, 46)
"""Where the table of addresses tells where these are."""

facts = laying(FACTS, FACT, sliced=True)
"""What is heard: all parts of one event."""
rulings = laying(RULINGS, RULING, sliced=True)
"""What becomes of each."""
standings = laying(STANDINGS, STANDING, sliced=True)
"""How the book stands, for rulings."""
numbers = laying(NUMBERS, np.int64)
"""Its levels, as price, size, price, size …"""
prices = laying(PRICES, np.int64, sliced=True)
"""The prices of the levels."""
sizes = laying(SIZES, np.int64, sliced=True)
"""The sizes of the levels."""


@inner
def _begin(m: int) -> None:
    """Nothing has come of it yet."""
    clock = clocks(m)[0]
    clock.response_from = clock.response_to = clock.fills = 0


@inner
def alone(m: int, k: int, at: int) -> None:
    """Play a row where orders fill in full: there a level is an event of its own.

    Where it crosses the other side's best, that steps behind it.
    """
    row = rows_of(m)[k]
    side = whole(row.kind) - BID
    if not 0 <= side <= 1:
        play(m, k, ZERO, at, ONE, ZERO)
        return
    before, other = heads(m)[0, BEST + side], 1 - side
    row.flags |= 1
    play(m, k, ZERO, at, ONE, ZERO)
    best, against = heads(m)[0, BEST + side], heads(m)[0, BEST + other]
    if best > before and against != NONE and best >= -against:
        behind = next_key(m, ZERO, other, -best)
        heads(m)[0, BEST + other] = behind
        if behind != NONE:
            follow(m, ZERO, (1 - 2 * other) * behind)
        settle(m, ZERO)


@inner
def _happens(m: int, at: int, parts: int, levels: int) -> None:
    """An event of so many parts and levels happens."""
    for i in range(levels):
        prices(m)[i], sizes(m)[i] = numbers(m)[2 * i], numbers(m)[2 * i + 1]
    told, ruled = facts(m)[:parts], rulings(m)[:parts]
    judge(told, ZERO, standings(m)[:1], ruled)
    rows = ZERO
    for i in range(parts):
        rows += ruled[i].rows
    emit(told, ruled, (ZERO, parts), (prices(m)[:levels], sizes(m)[:levels]), block(m)[:rows])
    for k in range(rows):
        if clocks(m)[0].whole:
            alone(m, k, at)
        else:
            play(m, k, ZERO, at, ONE, ZERO)


@njit(cache=True)
def hears(m: int, at: int, parts: int, levels: int) -> int:
    """An event happens that is written down; returns how many answers it brings.

    A book that has lost a level for want of room misses something, like one after a gap.
    """
    _begin(m)
    _happens(m, at, parts, levels)
    if heads(m)[0, FULL]:
        facts(m)[0].kind = LOST
        _happens(m, at, ONE, ZERO)
        heads(m)[0, FULL] = 0
    answers: int = clocks(m)[0].response_to
    return answers


@njit(cache=True)
def gets(m: int, at: int) -> int:
    """The command that is written down arrives; returns how many answers it brings."""
    _begin(m)
    clock = clocks(m)[0]
    clock.command_from, clock.command_to = 0, 1
    clock.at, clock.step_due = at, FAR_AWAY  # When takers come is the caller's to say.
    commands(m)[0].arrival = at
    act(m, at, ZERO)
    answers: int = clock.response_to
    return answers


@njit(cache=True)
def comes(m: int, at: int) -> int:
    """A step of time ends, and takers come by chance; returns how many answers it brings."""
    _begin(m)
    clock = clocks(m)[0]
    for side in range(2):
        if queued(m)[0, side]:
            come(m, ZERO, at, ZERO, side, reached(clock.seed, at // clock.step, 1 - side))
    answers: int = clock.response_to
    return answers


@njit(cache=True)
def costs(m: int, slot: int) -> tuple[int, int]:
    """What an order would take now: lots, and the sum of price times lots."""
    lots, _, _, value = sweep(m, ZERO, ZERO, slot, ZERO)
    return lots, value


def lay(memory: Memory, arrays: Sequence[NDArray[Any]]) -> None:
    """Write down where the arrays of events are, in the order of their places."""
    for place, array in zip(range(FACTS, SIZES + 1), arrays, strict=True):
        memory.addresses[place] = array.ctypes.data
