"""A compiled run whose latency is at each time the last one that a session measured.

Latencies that are constant are changed here between two pieces of the rows. A command
takes as long as the last measured one, from the turn in which that was decided; an answer reaches
the desk as late as the last one was heard, from when the venue gave that. Until the first
measurement the latencies are those of the settings.

Why this stands beside `Measured`, which the pass plays too: that has acknowledged orders alone and
draws lines between them, while this has the way back of every answer, fills among them, and no line
across a stall. Of one paper session at its own pace (60 s, 690 orders) this reproduced 0.99, lines
0.49. `Measured` is for settings: trips that a venue gave, and what never arrived.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from mm.events.orders import OrderAcked, OrderCanceled, OrderFilled, OrderRejected
from mm.events.turn import Turn
from mm.events.units import Nanos
from mm.log.rows import Rows
from mm.sim.compiled_run import CompiledRun
from mm.sim.measured import round_trips

ANSWERS: Final = (OrderAcked, OrderCanceled, OrderFilled, OrderRejected)
Step = tuple[int, str, int]
"""From when on (log time), `entry` or `response`, and how long it takes, all in nanoseconds."""


def steps(turns: Iterable[Turn]) -> list[Step]:
    """What a session measured, by time: each placed order's way there, each answer's way back."""
    logged = list(turns)
    found: list[Step] = [
        (sent + 1, "entry", arrived - sent) for sent, arrived, _ in round_trips(logged).trips
    ]
    found += [
        (fact.venue_time, "response", Nanos(turn.at - fact.venue_time))
        for turn in logged
        for fact in turn.facts
        if isinstance(fact, ANSWERS) and 0 < fact.venue_time <= turn.at
    ]
    return sorted(found, key=lambda step: step[:2])


class Stepped:
    """Feeds a run of two clocks, which plays a turn only once later rows are there."""

    def __init__(self, run: CompiledRun, measured: Iterable[Step]) -> None:
        """Take the run, and its latencies in the order of time."""
        self._run = run
        self._steps = list(measured)
        self._times = np.array([at for at, _, _ in self._steps], np.int64)
        self._next = 0

    def feed(self, rows: Rows) -> None:
        """Play as far as these rows go, each turn with the latencies of its time."""
        cuts = np.searchsorted(rows["at"], self._times[self._next :], side="left")
        begin = 0
        for cut in cuts[cuts < len(rows)].tolist():
            if cut > begin:
                self._run.feed(rows[begin:cut])
                begin = cut
            _, name, delay = self._steps[self._next]
            self._run.memory.clock[name] = delay
            self._next += 1
        self._run.feed(rows[begin:])
