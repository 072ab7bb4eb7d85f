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

STEPS: Final[tuple[tuple[tuple[Part, ...], ...], ...]] = (
    ((compiled_run.warm_market,), (compiled_run.warm_desks, depth.warm)),
    ((compiled_run.warm, kernels.warm, facts.warm, mids.warm), (compiled_trading.warm,)),
)
"""What is compiled step by step; the parts of a step beside one another, about as long each."""


def compile_all() -> None:
    """Compile what is not in the cache yet."""
    cores = os.cpu_count() or 1
    # Forking a process that has compiled code is not safe: each starts anew.
    starting = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(cores, 2), mp_context=starting) as processes:
        for step in STEPS:
            for done in [processes.submit(_warm, parts) for parts in step]:
                done.result()


def _warm(parts: tuple[Part, ...]) -> None:
    """Compile one after the other; nothing of what a compiler makes is garbage while it runs."""
    gc.disable()
    for part in parts:
        part()
