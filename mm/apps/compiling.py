"""Compile everything that is compiled, in processes beside one another as far as parts allow.

What the parts of the pass come to is kept by itself, so that the pass, whose parts know nothing of
each other, is put together at the end from what was compiled at the same time.
"""

import gc
import importlib
import multiprocessing
import os
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Final

RUN: Final = "mm.sim.compiled_run"
MARKET: Final = RUN, "warm_market"
DESKS: Final = RUN, "warm_desks"
FACTS: Final = "mm.log.facts", "warm"
PARTS: Final[dict[tuple[str, str], frozenset[tuple[str, str]]]] = {
    MARKET: frozenset(),
    DESKS: frozenset(),
    (RUN, "warm"): frozenset({MARKET, DESKS}),
    ("mm.sim.compiled_trading", "warm"): frozenset({MARKET, DESKS, FACTS}),
    FACTS: frozenset(),
    ("mm.log.kernels", "warm"): frozenset(),
    ("mm.projections.depth", "warm"): frozenset(),
    ("mm.sim.mids", "warm"): frozenset({MARKET}),
}
"""What compiles a part, module and function, and what it waits for; what is most urgent first.

They are names: whoever has them compiled need not load them.
"""


def compile_all() -> None:
    """Compile what is not in the cache yet."""
    room = min(os.cpu_count() or 1, 2)
    # Forking a process that has compiled code is not safe: each starts anew.
    starting = multiprocessing.get_context("spawn")
    waiting = dict(PARTS)
    done: set[tuple[str, str]] = set()
    busy: dict[Future[None], tuple[str, str]] = {}
    with ProcessPoolExecutor(room, mp_context=starting) as processes:
        while waiting or busy:
            ready = [part for part, needed in waiting.items() if needed <= done]
            for part in ready[: room - len(busy)]:
                del waiting[part]
                busy[processes.submit(_warm, *part)] = part
            for each in wait(busy, return_when=FIRST_COMPLETED).done:
                done.add(busy.pop(each))
                each.result()


def _warm(module: str, function: str) -> None:
    """Compile a part; nothing of what a compiler makes is garbage while it runs."""
    gc.disable()
    getattr(importlib.import_module(module), function)()
