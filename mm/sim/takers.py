"""Takers by chance, as the papers have them: at the end of each step of time, one draw a side.

An order `distance` from the mid (in price, negative beyond it) fills in full, at its own price and
as maker, with probability min(1, rate exp(-decay distance) dt), taken literally: Avellaneda and
Stoikov, Quantitative Finance 8(3), 2008, section 3. Of several orders on a side the nearer fills
whenever the farther does. Prints and displayed levels fill nobody.
"""

from mm.projections.compiled import ZERO, inner, jitable, part
from mm.sim.draws import ARRIVALS, fraction
from mm.sim.elementary import exp
from mm.sim.venue import CLOSED, fill, usable
from mm.sim.world import (
    FAR_AWAY,
    clocks,
    instrument_count,
    instruments,
    markets,
    queued,
    queues,
    slots,
)


@jitable
def chance(rate: float, decay: float, distance: float, seconds: float) -> float:
    """The probability that a taker reaches a distance within a step; `rate` is per second."""
    if rate <= 0.0:
        return 0.0
    return min(1.0, rate * exp(-decay * distance) * seconds)


@jitable
def reached(seed: int, step: int, bid: int) -> float:
    """The draw of a step, by its number since time 0, for bids (1) or asks (0): from 0 to 1."""
    return fraction(seed, ARRIVALS, 2 * step + bid)


@inner
def await_takers(m: int, at: int) -> None:
    """Something acted at `at`: takers come from then on while anything rests.

    Steps that ended by our own last turn are over, and so are those before `at`.
    """
    clock = clocks(m)[0]
    if not clock.open:
        clock.step_due = FAR_AWAY
    elif clock.step_due == FAR_AWAY:
        clock.step_due = (max(clock.at, at - 1) // clock.step + 1) * clock.step


@inner
def take_steps(m: int, by: int, books: int) -> None:
    """Every step that ends by then ends: takers come, and reach as far as chance has it."""
    clock = clocks(m)[0]
    while clock.step_due <= by:
        at = clock.step_due
        for ins in range(instrument_count(m)):
            for side in range(2):
                if queued(m)[ins, side]:
                    draw = reached(clock.seed, at // clock.step, 1 - side)
                    come(m, ins + books, at, ins, side, draw)
        clock.step_due = at + clock.step
        await_takers(m, at)


@part
def come(m: int, b: int, at: int, ins: int, side: int, draw: float) -> None:
    """Takers of one side's orders fill all that they reach, best price first."""
    clock, market, sign, i = clocks(m)[0], markets(m)[b], 1 - 2 * side, 0
    if not usable(m, b) or not (market.bid_size and market.ask_size):
        return
    while i < queued(m)[ins, side]:
        slot = queues(m)[2 * ins + side, i]
        order = slots(m)[slot]
        halves = sign * (market.bid + market.ask - 2 * order.price)
        distance = 0.5 * halves * instruments(m)[ins].tick_size
        if draw >= chance(clock.arrival_rate, clock.arrival_decay, distance, clock.step_seconds):
            return
        fill(m, b, at, slot, order.price, order.size - order.filled, ZERO)
        if order.state != CLOSED:
            i += 1
