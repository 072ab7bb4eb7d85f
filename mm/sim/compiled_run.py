"""One compiled run, from Python: its memory, its desks, and the rows it is fed.

The arrays of a `World` are allocated here and kept alive while the pass works on their addresses.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import numpy as np

from mm.errors import BadInput
from mm.events.units import Nanos
from mm.log.rows import ROW, Flag, Rows
from mm.projections.compiled import compile_for
from mm.projections.ladder import FAR_MAX, NONE, empty
from mm.projections.ladder import FULL as LADDER_FULL
from mm.sim.arrivals import act
from mm.sim.replay import FULL, MORE_ROWS, advance, stop
from mm.sim.results import FILL, ORDER, POINT
from mm.sim.stretch import stretch
from mm.sim.trader import hear
from mm.sim.waking import DONE, FAILED, REVISED_NOW, decide
from mm.sim.world import (
    ANSWERING,
    BOOKS,
    CLOCK,
    DELAYS,
    DESK,
    FAR_AWAY,
    GIVEN,
    HANDED,
    INSTRUMENT,
    INTEGERS,
    LATENCIES,
    LATENCY,
    MARKET,
    MESSAGE,
    NUMBERS,
    QUEUE_MAX,
    REVISED,
    REVISION,
    SELF,
    SENT_MAX,
    SLOT,
    SLOTS,
    TABLE,
    TAKEN_MAX,
    TAKEN_WIDTH,
    WANTED_WIDTH,
    WAYS,
    WIRE,
)

RESULTS_START: Final = 1 << 18
"""Rows of results that there is room for at first: what is not written to takes no memory, and to
grow from few means to copy many."""
ARGUMENTS: Final = 8
"""Integers that an `Answer` is given."""
NEAR: Final = 1 << 10
"""Rows in which the end of a turn is looked for at once."""


class Memory:
    """The arrays of one run by name, and their addresses for the pass."""

    def __init__(self, instruments: int, desks: int, *, two_clocks: bool) -> None:
        """Allocate; with two clocks the venue has books of its own."""
        self.names = tuple(f"instrument {number}" for number in range(instruments))
        self.two_clocks = two_clocks
        self.held = [0] * desks
        books = instruments * (2 if two_clocks else 1)
        self.ladder = empty(books)
        self.markets = np.zeros(books, MARKET)
        rules = np.zeros(books, INSTRUMENT)
        self.instruments, self.at_venue = rules[:instruments], rules[books - instruments :]
        self.revisions = np.zeros(0, REVISION)
        self.desks = np.zeros(desks, DESK)
        self.real = np.zeros((desks, NUMBERS))
        self.integers = np.zeros((desks, NUMBERS), np.int64)
        self.wanted = np.zeros((4 * desks, WANTED_WIDTH), np.int64)
        self.answering = np.zeros(desks, np.int64)
        self.given = np.zeros(ARGUMENTS, np.int64)
        self.handed = np.array([0] * (1 + ARGUMENTS), object)  # Python integers, owned by it.
        self.slots = np.zeros(SLOTS, SLOT)
        self.free = np.arange(SLOTS - 1, -1, -1, dtype=np.int64)
        self.live = np.zeros((desks, SLOTS), np.int64)
        self.queues = np.zeros((instruments, 2, QUEUE_MAX), np.int64)
        self.queued = np.zeros((instruments, 2), np.int64)
        self.commands = np.zeros(WIRE, MESSAGE)
        self.responses = np.zeros(WIRE, MESSAGE)
        self.sent = np.zeros((instruments, SENT_MAX), np.int64)
        self.taken = np.zeros((instruments, TAKEN_MAX, TAKEN_WIDTH), np.int64)
        self.latencies = np.zeros(WAYS, LATENCY)
        self.delays = np.zeros(0, np.int64)
        self.clock = np.zeros(1, CLOCK)
        self.orders = np.zeros(RESULTS_START, ORDER)
        self.fills = np.zeros(RESULTS_START, FILL)
        self.points = np.zeros(RESULTS_START, POINT)
        self.rows: Rows = np.zeros(0, ROW)
        self.clock["free"] = SLOTS
        self.clock["response_last"] = self.clock["command_last"] = -FAR_AWAY
        self.clock["point_due"] = self.clock["step_due"] = FAR_AWAY
        for side in ("bid", "ask"):
            self.instruments[f"{side}_near"] = NONE
            self.instruments[f"{side}_far"] = -NONE
        self.addresses = np.zeros(TABLE, np.int64)
        self.address = self.addresses.ctypes.data
        self.refresh()

    def refresh(self) -> None:
        """Write the addresses down again, after an array was replaced."""
        arrays: list[Any] = [*self.ladder, self.markets, self.instruments, self.desks]
        arrays += [self.real, self.wanted, self.slots, self.free, self.live, self.queues]
        arrays += [self.queued, self.commands, self.responses, self.sent, self.taken, self.clock]
        arrays += [self.orders, self.fills, self.points, self.rows]
        self.addresses[SELF] = self.address
        self.addresses[INTEGERS] = self.integers.ctypes.data
        self.addresses[LATENCIES] = self.latencies.ctypes.data
        self.addresses[DELAYS] = self.delays.ctypes.data
        self.addresses[ANSWERING] = self.answering.ctypes.data
        self.addresses[GIVEN] = self.given.ctypes.data
        self.addresses[HANDED] = self.handed.ctypes.data
        self.addresses[REVISED] = self.revisions.ctypes.data
        self.addresses[: len(arrays)] = [array.ctypes.data for array in arrays]
        counted = [self.markets, self.instruments, self.desks, self.rows]
        counted += [self.orders, self.fills, self.points, self.revisions]
        self.addresses[BOOKS : BOOKS + len(counted)] = [len(array) for array in counted]

    def grow(self) -> None:
        """Double whichever results are three quarters full."""
        clock = self.clock[0]
        for name in ("orders", "fills", "points"):
            array = getattr(self, name)
            if clock[name] * 4 >= 3 * len(array):
                grown = np.zeros(2 * len(array), array.dtype)
                grown[: len(array)] = array
                setattr(self, name, grown)
        self.refresh()


Answer = Callable[[Nanos, int, int, int, int, Nanos, int, int], int]
"""Writes down what a desk wants: OTHER, SAME or FAILED; see `asking`. Never raises."""


class Asks(Protocol):
    """Who answers for strategies that are Python objects."""

    failure: BaseException | None
    """What a strategy raised: after it nothing can be played."""

    def answer_of(self, desk: int) -> Answer:
        """What the pass calls for a desk."""
        ...


class Nobody:
    """Who answers where every desk has a compiled rule."""

    failure: BaseException | None = AssertionError(
        "a desk without a rule, and nobody to ask for it"
    )

    def answer_of(self, _desk: int) -> Answer:
        """There is nobody to ask."""
        return lambda *_: FAILED


class CompiledRun:
    """A run that is fed with blocks of rows."""

    def __init__(
        self,
        memory: Memory,
        asker: Asks | None = None,
        revise: Callable[[], None] | None = None,
    ) -> None:
        """Take over a memory whose instruments and desks are filled in.

        `asker` answers whenever a strategy that is a Python object is awake, `revise` is called
        when instruments were defined anew.
        """
        self.memory = memory
        self._asker = asker or Nobody()
        # Kept: the pass has their addresses only.
        self._answers = [self._asker.answer_of(desk) for desk in range(len(memory.desks))]
        memory.answering[:] = [id(answer) for answer in self._answers]
        self._revise = revise or _unrevised
        self._begun: Rows = np.zeros(0, ROW)

    def feed(self, rows: Rows) -> int:
        """Play as far as these rows go; returns why the pass stopped.

        Raises `BadInput` for a book of more far levels than the pass has room for.
        A turn that a later block ends is kept until then, so that blocks do not show. With two
        clocks the venue is ahead of us: rows that have not reached us are kept as well.
        """
        start, stop = first_end(rows) if len(self._begun) else 0, last_end(rows)
        if start:
            self._load(np.concatenate((self._begun, rows[:start])))
            self.go_on()
        if stop:
            self._begun = rows[stop:].copy()
        else:
            self._begun = np.concatenate((self._begun, rows))
        self._load(rows[start : max(start, stop)])
        return self.go_on()

    def _load(self, rows: Rows) -> None:
        memory = self.memory
        clock = memory.clock
        # What is heard the moment it happens reaches us first: either may be the one behind.
        done = clock["i"][0] if not memory.two_clocks else min(clock["i"][0], clock["j"][0])
        kept = memory.rows[int(done) :]
        clock["first_row"] += done
        clock["i"] -= done
        clock["j"] -= done
        clock["rare"] -= done
        memory.rows = np.concatenate((kept, rows)) if len(kept) else np.ascontiguousarray(rows)
        memory.refresh()

    def end(self, patience: int) -> int:
        """Pull all quotes and wait for what the venue says, for so many nanoseconds at most."""
        if len(self._begun):
            self._load(self._begun)
            self.go_on()
        stop(self.memory.address, patience)
        return self.go_on()

    def go_on(self) -> int:
        """Play until the pass stops for another reason than room; returns which.

        Raises `BadInput` for a book that could not be held whole, and what a strategy raised.
        """
        memory = self.memory
        while True:
            try:
                why: int = advance(memory.address)
            except SystemError as error:
                # A signal's handler raised as Python was called: no answer, but an exception.
                if isinstance(error.__cause__, BaseException):
                    raise error.__cause__ from None
                raise
            if why == FAILED:
                assert self._asker.failure is not None, "the pass says that a strategy raised"
                raise self._asker.failure
            if why == FULL:
                memory.grow()
            elif why == REVISED_NOW:
                self._revise()
            else:
                check_whole(memory)
                return why


def check_whole(memory: Memory) -> None:
    """Raise `BadInput` for a book that lost a level for want of room."""
    for book, lost in enumerate(memory.ladder.heads[:, LADDER_FULL].tolist()):
        if lost:
            raise BadInput(
                f"a book has more than {FAR_MAX} levels a side far away from its market",
                where=memory.names[book % len(memory.names)],
                remedy="play it with --plain, or record fewer levels",
            )


def first_end(rows: Rows) -> int:
    """How many rows there are up to the end of the first turn; 0 where none ends."""
    for start in range(0, len(rows), NEAR):
        found = np.flatnonzero(rows["flags"][start : start + NEAR] & Flag.TURN)
        if len(found):
            return start + int(found[0]) + 1
    return 0


def last_end(rows: Rows) -> int:
    """How many rows there are up to the end of the last turn; 0 where none ends."""
    for until in range(len(rows), 0, -NEAR):
        start = max(0, until - NEAR)
        found = np.flatnonzero(rows["flags"][start:until] & Flag.TURN)
        if len(found):
            return start + int(found[-1]) + 1
    return 0


def _unrevised() -> None:
    raise AssertionError("an instrument is revised, and nobody tells its desks")


def warm_market() -> None:
    """Compile the part of the pass that plays rows."""
    compile_for(stretch, 6)


def warm_desks() -> None:
    """Compile the part of the pass that decides, sends, and hears answers."""
    compile_for(act, 3)
    compile_for(decide, 2)
    compile_for(hear, 2)


def warm() -> None:
    """Compile the pass, or load it from the cache; quicker once its parts are."""
    memory = Memory(1, 1, two_clocks=False)
    run = CompiledRun(memory)
    run.feed(memory.rows)
    run.end(0)


def play(run: CompiledRun, blocks: Iterable[Rows]) -> None:
    """Feed every block."""
    for block in blocks:
        run.feed(block)


__all__ = ["DONE", "MORE_ROWS", "CompiledRun", "Memory", "play", "warm"]
