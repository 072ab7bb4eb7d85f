"""Quote rules as plain arithmetic: one source, run as Python and compiled into the pass.

A rule gets numbers and writes its levels as price, size, price, size … into `bids` and `asks`,
nearest first, and returns how many there are on each side. Prices in ticks, sizes and positions in
lots, times in nanoseconds; floats are rounded once, away from the market, never against us. `terms`
are the parameters in the order of the constants below: `whole` ones are integers.
"""

import math
from typing import Any, Final, NamedTuple

from mm.projections.compiled import jitable

PYTHON, PEGGED, SYMMETRIC = 0, 1, 2
"""Numbers of the rules; 0: the strategy is a Python object that the pass asks."""

QUOTING, NO_ROOM, HEDGING = 0, 1, 2
"""Why a side stands or does not."""

BPS: Final = 10_000.0
APART_MIN: Final = 1e-3
"""Ticks from the reservation price to a quote: below a float's resolution both sides would meet."""


class Terms(NamedTuple):
    """Parameters of a rule: integers and floats, as the pass keeps them."""

    whole: tuple[int, ...]
    real: tuple[float, ...]


class Seen(NamedTuple):
    """What a rule looks at: a touch with both sides, and the position."""

    at: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int
    net: int


class Anchored(NamedTuple):
    """Where quotes were computed: fair value in ticks, when, at which position."""

    fair: float
    at: int
    net: int


class Sides(NamedTuple):
    """How many levels stand on each side, why not more, and what is taken at once.

    The sign of a take is 0 where there is none.
    """

    bids: int
    asks: int
    bid_reason: int
    ask_reason: int
    take_sign: int
    take_price: int
    take_size: int


@jitable
def worth(inverse: int, by: int, least: int, price: int, size: int) -> bool:
    """Whether a notional reaches a bound, in whole numbers: see `InstrumentDefined.bound`."""
    if inverse:
        return size * by >= price * least
    return price * size * by >= least


@jitable
def rounded(sign: int, price: float) -> int:
    """A fractional price rounded away from the market: down to buy, up to sell."""
    return math.floor(price) if sign > 0 else math.ceil(price)


@jitable
def passive(sign: int, price: int, bid: int, ask: int) -> int:
    """The price, moved back until it no longer crosses the touch."""
    return min(price, ask - 1) if sign > 0 else max(price, bid + 1)


# -- pegged: a distance in ticks -------------------------------------------------------------------

P_SIZE, P_MOST = 0, 1
P_HALF, P_SKEW = 0, 1


@jitable
def pegged(whole: Any, real: Any, seen: Seen, bids: Any, asks: Any) -> Sides:
    """One bid and one ask `half` ticks from the mid, leaning `skew` ticks per order size held.

    A quote never stands in front of its own touch, and a side stops when the position has reached
    its maximum.
    """
    size, most = whole[P_SIZE], whole[P_MOST]
    fair = 0.5 * (seen.bid + seen.ask) - real[P_SKEW] * seen.net / size
    bid_count, ask_count = 0, 0
    if seen.net < most:
        bids[0] = min(math.floor(fair - real[P_HALF]), seen.bid)
        bids[1] = size
        bid_count = 1
    if -seen.net < most:
        asks[0] = max(math.ceil(fair + real[P_HALF]), seen.ask)
        asks[1] = size
        ask_count = 1
    bid_reason = QUOTING if bid_count else NO_ROOM
    ask_reason = QUOTING if ask_count else NO_ROOM
    return Sides(bid_count, ask_count, bid_reason, ask_reason, 0, 0, 0)


# -- symmetric: a distance in basis points of an anchored fair value -------------------------------

S_SIZE, S_MOST, S_LEVELS, S_AGE, S_HEDGE, S_MICRO = 0, 1, 2, 3, 4, 5
S_SIZE_MIN, S_STEP, S_INVERSE, S_BY, S_LEAST = 6, 7, 8, 9, 10
S_HALF, S_SPACING, S_SKEW, S_DRIFT, S_SLIPPAGE = 0, 1, 2, 3, 4


@jitable
def fair_value(micro: int, seen: Seen) -> float:
    """The mid, or the touch weighted by the opposite sizes (Stoikov 2018's weighted mid)."""
    if micro:
        total = seen.bid_size + seen.ask_size
        return (seen.bid * seen.ask_size + seen.ask * seen.bid_size) / total
    return (seen.bid + seen.ask) / 2


@jitable
def anchored(whole: Any, real: Any, seen: Seen, memory: Anchored) -> Anchored:
    """The present anchor while fair value, age and position allow it, else one from here."""
    fair = fair_value(whole[S_MICRO], seen)
    held = (
        memory.fair > 0.0
        and memory.net == seen.net
        and seen.at - memory.at < whole[S_AGE]
        and abs(fair - memory.fair) < real[S_DRIFT] * memory.fair / BPS
    )
    return memory if held else Anchored(fair, seen.at, seen.net)


@jitable
def reservation(whole: Any, real: Any, anchor: Anchored) -> float:
    """Fair value shifted against the position, in fractional ticks."""
    shifted: float = anchor.fair * (1.0 - real[S_SKEW] * (anchor.net / whole[S_MOST]) / BPS)
    return shifted


@jitable
def side_of(
    whole: Any, real: Any, seen: Seen, anchor: Anchored, sign: int, out: Any
) -> tuple[int, int]:
    """Write one side's levels; how many there are, and how many there would be with room.

    What a side rests could not, all of it filled, take the position past its maximum: the last
    level may be smaller, unless the venue takes no order as small as that.
    """
    room = whole[S_MOST] - sign * seen.net
    middle = reservation(whole, real, anchor)
    count, meant, last, ended = 0, 0, 0, False
    for level in range(whole[S_LEVELS]):
        distance = real[S_HALF] + level * real[S_SPACING]
        apart = max(distance * anchor.fair / BPS, APART_MIN)
        price = passive(sign, rounded(sign, middle - sign * apart), seen.bid, seen.ask)
        if level and (last - price) * sign <= 0:
            price = last - sign  # Levels never share a price.
        last = price
        if price <= 0:
            continue
        meant += 1
        size = min(whole[S_SIZE], room // whole[S_STEP] * whole[S_STEP])
        if size < whole[S_SIZE]:
            small = size < max(1, whole[S_SIZE_MIN])
            if small or not worth(whole[S_INVERSE], whole[S_BY], whole[S_LEAST], price, size):
                ended = True
        if not ended:
            out[2 * count] = price
            out[2 * count + 1] = size
            count += 1
            room -= size
    return count, meant


@jitable
def hedge(whole: Any, real: Any, seen: Seen) -> tuple[int, int, int]:
    """Beyond the threshold, an immediate trade back to half of it: sign, worst price, size."""
    above = whole[S_HEDGE]
    if not above or abs(seen.net) <= above:
        return 0, 0, 0
    sign = -1 if seen.net > 0 else 1
    touch = seen.bid if sign < 0 else seen.ask
    worst = touch * (1.0 + sign * real[S_SLIPPAGE] / BPS)
    return sign, rounded(sign, worst), abs(seen.net) - above // 2


@jitable
def symmetric(whole: Any, real: Any, seen: Seen, anchor: Anchored, bids: Any, asks: Any) -> Sides:
    """Quotes on both sides of the anchor, as far as there is room and no hedge in their way."""
    take_sign, take_price, take_size = hedge(whole, real, seen)
    bid_count, bid_meant = side_of(whole, real, seen, anchor, 1, bids)
    ask_count, ask_meant = side_of(whole, real, seen, anchor, -1, asks)
    bid_reason, ask_reason = QUOTING, QUOTING
    if whole[S_MOST] - seen.net <= 0 or bid_count < min(1, bid_meant):
        bid_count, bid_reason = 0, NO_ROOM
    elif take_sign < 0:
        bid_count, bid_reason = 0, HEDGING
    if whole[S_MOST] + seen.net <= 0 or ask_count < min(1, ask_meant):
        ask_count, ask_reason = 0, NO_ROOM
    elif take_sign > 0:
        ask_count, ask_reason = 0, HEDGING
    return Sides(bid_count, ask_count, bid_reason, ask_reason, take_sign, take_price, take_size)
