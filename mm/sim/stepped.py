"""A compiled run whose latency is at each time the last one that a session measured.

The pass plays constant latencies; here they are changed between two pieces of the rows, after the
turn before that in which a measured command left. So what leaves with it takes as long as it did,
and what leaves before the next takes as long as well. Until the first measurement the latency is
that of the settings.
"""

from itertools import pairwise

import numpy as np

from mm.log.rows import Rows
from mm.sim.compiled_run import CompiledRun
from mm.sim.settings import Measured


class Stepped:
    """Feeds a run of two clocks, which plays a turn only once later rows are there."""

    def __init__(self, run: CompiledRun, measured: Measured) -> None:
        """Take the run, and round trips by the time at which they were sent."""
        trips = {sent: (arrived - sent, heard - arrived) for sent, arrived, heard in measured.trips}
        self._run = run
        self._times = np.array(list(trips), np.int64)
        self._delays = list(trips.values())
        self._next = 0

    def feed(self, rows: Rows) -> None:
        """Play as far as these rows go, each turn with the latency of its time."""
        start = self._next
        ends = np.searchsorted(rows["at"], self._times[start:], side="right")
        cuts = [0, *ends[ends < len(rows)].tolist(), len(rows)]
        for number, (begin, end) in enumerate(pairwise(cuts), start):
            if number > start:
                self._set(number - 1)
            self._run.feed(rows[begin:end])
        self._next = start + len(cuts) - 2

    def _set(self, number: int) -> None:
        clock = self._run.memory.clock
        clock["entry"], clock["response"] = self._delays[number]
