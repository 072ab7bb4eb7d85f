"""Quote rules as plain arithmetic: one source, run as Python and compiled into the pass.

A rule gets numbers and writes its levels as price, size, price, size … into `bids` and `asks`,
nearest first; it returns how many there are on each side. Prices in ticks, sizes and positions in
lots, times in nanoseconds; floats are rounded once, away from the market, never against us.
"""

import math
from typing import Any

from mm.projections.compiled import jitable

PYTHON, PEGGED = 0, 1
"""Numbers of the rules; 0: the strategy is a Python object that the pass asks."""


@jitable
def pegged(numbers: Any, bid: int, ask: int, net: int, bids: Any, asks: Any) -> tuple[int, int]:
    """One bid and one ask `half` ticks from the mid, leaning `skew` ticks per order size held.

    `numbers` is half-spread, skew, order size, position maximum. A quote never stands in front of
    its own touch, and a side stops when the position has reached its maximum.
    """
    half, skew, size, most = numbers[0], numbers[1], numbers[2], numbers[3]
    fair = 0.5 * (bid + ask) - skew * net / size
    bid_count, ask_count = 0, 0
    if net < most:
        bids[0] = min(math.floor(fair - half), bid)
        bids[1] = int(size)
        bid_count = 1
    if -net < most:
        asks[0] = max(math.ceil(fair + half), ask)
        asks[1] = int(size)
        ask_count = 1
    return bid_count, ask_count
