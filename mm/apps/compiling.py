"""Compile everything that is compiled, in processes beside one another as far as parts allow.

Each function is kept in the cache by itself, so that the pass, whose parts know nothing of each
other, is put together at the end from what was compiled at the same time.
"""

import gc
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from mm.log import facts, kernels
from mm.projections import depth
from mm.sim import compiled_run, compiled_trading, mids

Part = Callable[[], None]

PARTS: Final[tuple[tuple[Part, ...], ...]] = (
    (compiled_run.warm_market,),
    (compiled_run.warm_desks, depth.warm, kernels.warm, facts.warm),
)
"""What is compiled one after the other, in groups that take about as long."""
LAST: Final[tuple[Part, ...]] = (compiled_run.warm, compiled_trading.warm, mids.warm)
"""What is put together from them."""


def compile_all() -> None:
    """Compile what is not in the cache yet."""
    cores = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    if (cores or 1) > 1:
        # Forking a process that has compiled code is not safe: each starts anew.
        starting = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(len(PARTS), mp_context=starting) as processes:
            for done in [processes.submit(_warm, part) for part in PARTS]:
                done.result()
    for part in (*PARTS, LAST):
        _warm(part)


def _warm(parts: tuple[Part, ...]) -> None:
    """Compile one after the other; nothing of what a compiler makes is garbage while it runs."""
    collects = gc.isenabled()
    gc.disable()
    for part in parts:
        part()
    if collects:
        gc.enable()
