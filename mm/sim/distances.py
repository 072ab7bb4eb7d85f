"""How far away the venue of a compiled run stands: a paper account's latencies, for `transit`."""

import numpy as np

from mm.sim.compiled_run import Memory
from mm.sim.settings import Delay, Latency, PaperSettings
from mm.sim.transit import ANSWERS, CONSTANT, DRAWN


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
    clock, found = memory.clock[0], ways(paper)
    samples: list[int] = []
    clock["seed"] = seed
    clock["varies"] = CONSTANT if constant(paper) else DRAWN
    for row, delay in zip(memory.latencies, found, strict=True):
        if isinstance(delay, Latency):
            row["least"], row["most"] = delay.least, delay.most
        else:
            row["first"], row["count"] = len(samples), len(delay.delays)
            samples += delay.delays
    memory.delays = np.array(samples, np.int64)
    clock["entry"], clock["response"] = memory.latencies["least"][[0, ANSWERS]]
    memory.refresh()
