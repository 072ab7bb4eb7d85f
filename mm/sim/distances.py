"""How far away the venue of a compiled run stands: a paper account's latencies, for `transit`."""

from collections.abc import Iterator, Sequence

import numpy as np

from mm.sim.compiled_run import Memory
from mm.sim.settings import Delay, Latency, PaperSettings
from mm.sim.transit import ANSWERS, CONSTANT, DRAWN, MEASURED
from mm.sim.venue import PLACE


def ways(paper: PaperSettings) -> tuple[Delay, ...]:
    """The delay of each kind of command, then that of answers; as `transit` numbers them."""
    given = (paper.place, paper.cancel, paper.amend)
    place, cancel, amend = (each or paper.entry for each in given)
    return place, cancel, cancel, amend, paper.response


def constant(paper: PaperSettings) -> bool:
    """Whether every command takes as long as the next, and every answer too."""
    found = ways(paper)
    same = all(isinstance(each, Latency) and each.least == each.most for each in found)
    return same and len(set(found[:ANSWERS])) == 1


def place_away(memory: Memory, paper: PaperSettings, seed: int) -> None:
    """Have messages take as long as the settings say; with the same seed, the same draws."""
    clock = memory.clock[0]
    columns: list[Sequence[int]]
    clock["seed"] = seed
    if paper.measured is not None:
        clock["varies"] = MEASURED
        columns = [*paper.measured.columns, *paper.measured.arrived]
        memory.latencies["count"][[PLACE, ANSWERS]] = len(columns[0]), len(columns[-1])
        memory.latencies["first"][ANSWERS] = sum(map(len, columns[:3]))
    else:
        clock["varies"] = CONSTANT if constant(paper) else DRAWN
        columns = list(_samples(memory, paper))
    memory.delays = np.array([each for column in columns for each in column], np.int64)
    clock["entry"], clock["response"] = memory.latencies["least"][[PLACE, ANSWERS]]
    memory.refresh()


def _samples(memory: Memory, paper: PaperSettings) -> Iterator[Sequence[int]]:
    """Note the range of each way, or where its sample will stand."""
    first = 0
    for row, delay in zip(memory.latencies, ways(paper), strict=True):
        if isinstance(delay, Latency):
            row["least"], row["most"] = delay.least, delay.most
        else:
            row["first"], row["count"] = first, len(delay.delays)
            first += len(delay.delays)
            yield delay.delays
