"""Market events in the one form that every contestant is fed: 32 bytes an event, integers only.

Prices are ticks, sizes lots (0 removes a level), times nanoseconds: `exch_ts` at the venue,
`local_ts` on arrival here; neither ever goes back. Events come in messages: `msg` counts them, and
`last` is 1 on the last event of each. `side` is 1 for a bid level or a print whose taker bought,
-1 for an ask level or a print whose taker sold. Nothing but NumPy is needed here, for the peers'
own environments read this file as well.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

EVENT: Final = np.dtype(
    [
        ("exch_ts", "<i8"),
        ("local_ts", "<i8"),
        ("px", "<i4"),
        ("qty", "<i4"),
        ("kind", "u1"),
        ("side", "i1"),
        ("last", "u1"),
        ("pad", "u1"),
        ("msg", "<u4"),
    ]
)
DEPTH: Final = 1
TRADE: Final = 2
STEP_NS: Final = 100_000_000
"""A market maker looks at every multiple of this."""

PIECE: Final = 1 << 15

Events = npt.NDArray[Any]


def counted(path: Path, limit: int | None) -> int:
    """How many events a file has, or those that are wanted."""
    count = len(np.load(path, mmap_mode="r"))
    return count if limit is None else min(count, limit)


def read(path: Path, count: int) -> Iterator[Events]:
    """The first events of a file, in pieces that stay in the processor's cache."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        for start in range(0, count, PIECE):
            yield np.fromfile(file, EVENT, min(PIECE, count - start))


def first_step(events: Events) -> int:
    """The first multiple of `STEP_NS` after the first arrival, in nanoseconds."""
    return (int(events["local_ts"][0]) // STEP_NS + 1) * STEP_NS
