"""What a compiled run leaves behind, in columns: every order, every fill, the equity's points.

Money is not in here: it is exact only in decimals, and follows from fills, fees and marks, see
`analytics`. Times are log nanoseconds, prices ticks, sizes lots; 0 where there is none yet.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

ORDER: Final = np.dtype(
    [
        ("id", "<i8"),  # Counts from 1 over the run.
        ("placed", "<i8"),  # When it was decided and left.
        ("acked", "<i8"),  # When the ack reached us.
        ("ended", "<i8"),  # When we heard that it was filled, canceled or rejected.
        ("price", "<i8"),
        ("size", "<i8"),
        ("filled", "<i8"),  # As heard by us.
        ("front", "<f8"),  # Lots ahead of it when it came to rest.
        ("row", "<i8"),  # The last row that was heard before it was decided; -1: none.
        ("instrument", "<u2"),
        ("desk", "<u2"),
        ("side", "i1"),
        ("level", "u1"),
        ("status", "u1"),  # 0 live, 2 filled, 3 canceled, 4 rejected.
        ("reason", "u1"),  # 0 quote, 1 hedge.
    ]
)
FILL: Final = np.dtype(
    [
        ("order", "<i8"),
        ("at", "<i8"),  # At the venue.
        ("heard", "<i8"),  # When it reached us.
        ("price", "<i8"),
        ("size", "<i8"),
        ("mid2", "<i8"),  # Twice the mid at the venue then, in ticks; 0: no two-sided book.
        ("instrument", "<u2"),
        ("desk", "<u2"),
        ("side", "i1"),
        ("taker", "u1"),
        ("revision", "<u2"),  # Of its instrument, then: a place in the run's list, from 1; 0: none.
    ]
)
POINT: Final = np.dtype(
    [
        ("at", "<i8"),
        ("net", "<i8"),  # Signed lots, of fills heard by then.
        ("mid2", "<i8"),  # Twice the mid as we saw it; 0: none.
        ("instrument", "<u2"),
        ("desk", "<u2"),
        ("pad", "<u4"),
    ]
)
"""A sample of one desk's position on a grid of log time, from which equity is computed."""

Table = npt.NDArray[np.void]


def closed(points: Table, at: int, ends: Sequence[tuple[int, int, int, int]]) -> Table:
    """The points with one more for each desk, off the grid: what the run ended with.

    `ends` are lots, twice the mid, instrument and desk; `at` is the run's end, and not before the
    last sample.
    """
    last = np.zeros(len(ends), POINT)
    last["at"] = max([at, *points["at"][-1:].tolist()])
    for place, values in enumerate(ends):
        for name, value in zip(("net", "mid2", "instrument", "desk"), values, strict=True):
            last[name][place] = value
    return np.concatenate((points, last))
