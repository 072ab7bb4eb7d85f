"""Where commands arrive at the compiled venue: checks, taking, resting, canceling.

As in `desk`: an order is acked before it fills; one that may not stand is rejected whole. A taker
walks what is displayed, less what we took before, and never meets an order of our own: what is left
of it there is canceled.
"""

from mm.projections.compiled import ONE, ZERO, njit
from mm.projections.ladder import NONE
from mm.sim.taking import after, offered, take
from mm.sim.venue import (
    ACK,
    CANCEL,
    CANCEL_REJECTED,
    CANCELED,
    CLOSED,
    GTC,
    OPEN,
    PLACE,
    REJECT,
    fill,
    leave,
    respond,
    rest,
    touch,
    usable,
)
from mm.sim.world import (
    WIRE,
    clocks,
    commands,
    instruments,
    queued,
    queues,
    responses,
    slots,
)
from mm.strategy.rules import worth


@njit(cache=True)
def crosses(m: int, b: int, slot: int) -> bool:
    """Whether a limit order would meet what is displayed, or an order of our own."""
    order = slots(m)[slot]
    other = (1 + order.sign) >> 1
    limit = -order.sign * order.price
    if touch(m, b, other) >= limit and touch(m, b, other) != NONE:
        return True
    if clocks(m)[0].whole or not queued(m)[order.instrument, other]:
        return False
    own = slots(m)[queues(m)[2 * order.instrument + other, 0]].price
    return -order.sign * own >= limit


@njit(cache=True)
def fits(m: int, b: int, price: int, size: int) -> bool:
    """The instrument's own rules on a limit order, as the venue of book `b` has them."""
    rules = instruments(m)[b]
    if size < max(1, rules.size_min) or (rules.size_max and size > rules.size_max):
        return False
    if price < max(1, rules.price_min) or (rules.price_max and price > rules.price_max):
        return False
    return worth(rules.inverse, rules.least_by, rules.least, price, size)


@njit(cache=True)
def arrive(m: int, b: int, at: int, slot: int) -> None:
    """An order reaches the venue: refused whole, or acked, then filled, resting or canceled."""
    order, clock = slots(m)[slot], clocks(m)[0]
    if clock.open >= clock.open_max or not fits(m, b, order.price, order.size):
        order.state = CLOSED
        respond(m, at, REJECT, slot, ZERO, ZERO)
        return
    crossing = crosses(m, b, slot)
    if not usable(m, b) or (order.post_only and crossing):
        order.state = CLOSED
        respond(m, at, REJECT, slot, ZERO, ZERO)
        return
    order.state = OPEN
    clock.open += 1
    respond(m, at, ACK, slot, ZERO, ZERO)
    if crossing:
        sweep(m, b, at, slot)
        if order.state == CLOSED:
            return
        if order.tif == GTC and not crosses(m, b, slot):
            rest(m, b, slot)
            return
        leave(m, slot)
        respond(m, at, CANCELED, slot, ZERO, ZERO)
    elif order.tif == GTC:
        rest(m, b, slot)
    else:
        leave(m, slot)
        respond(m, at, CANCELED, slot, ZERO, ZERO)


@njit(cache=True)
def sweep(m: int, b: int, at: int, slot: int) -> None:
    """A taker walks what is displayed, less what we took before, up to an order of our own."""
    order = slots(m)[slot]
    ins, other = order.instrument, (1 + order.sign) >> 1
    limit = -order.sign * order.price
    if clocks(m)[0].whole:
        best = touch(m, b, other)
        fill(m, b, at, slot, -order.sign * best, order.size - order.filled, ONE)
        return
    wall, front = NONE, 0.0
    if queued(m)[ins, other]:
        own = slots(m)[queues(m)[2 * ins + other, 0]]
        wall, front = -order.sign * own.price, own.front
    key = touch(m, b, other)
    while key != NONE and key >= limit and key >= wall and order.state != CLOSED:
        price = -order.sign * key
        got = min(offered(m, b, ins, other, key), order.size - order.filled)
        if key == wall:
            got = min(got, int(front))
        take(m, ins, other, price, fill(m, b, at, slot, price, got, ONE))
        if key == wall:
            return
        key = after(m, b, other, key)


@njit(cache=True)
def act(m: int, at: int, books: int) -> None:
    """Commands that have reached the venue by `at` take effect, each at its own time."""
    clock = clocks(m)[0]
    while clock.command_from < clock.command_to:
        message = commands(m)[clock.command_from % WIRE]
        if message.arrival > at:
            return
        clock.command_from += 1
        if message.kind == PLACE:
            arrive(m, slots(m)[message.slot].instrument + books, message.arrival, message.slot)
        elif message.kind == CANCEL:
            order = slots(m)[message.slot]
            if order.id == message.id and order.state == OPEN:
                leave(m, message.slot)
                respond(m, message.arrival, CANCELED, message.slot, ZERO, ZERO)
            else:
                respond(m, message.arrival, CANCEL_REJECTED, message.slot, ZERO, ZERO)
                answer = responses(m)[(clock.response_to - 1) % WIRE]
                answer.id, answer.instrument = message.id, message.instrument
        else:
            cancel_all(m, message.arrival, message.slot)


@njit(cache=True)
def cancel_all(m: int, at: int, ins: int) -> None:
    """Cancel every order in an instrument, oldest first."""
    while True:
        oldest = -ONE
        for side in range(2):
            for i in range(queued(m)[ins, side]):
                slot = queues(m)[2 * ins + side, i]
                if oldest < 0 or slots(m)[slot].id < slots(m)[oldest].id:
                    oldest = slot
        if oldest < 0:
            return
        leave(m, oldest)
        respond(m, at, CANCELED, oldest, ZERO, ZERO)
