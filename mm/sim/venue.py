"""Our orders at the compiled venue: where they rest, and what the market does to them.

The tests have the same rules in plain Python, and hold both equal. A
queue holds the slots of one instrument's resting orders of one side, best price first, at a price
oldest first. Book `b` is the one the venue matches against: our own where the feed is taken to be
the venue's state, else a second one that runs ahead of ours by the feed's delay.
"""

from typing import Final

from mm.projections.compiled import ZERO, inner, numbered
from mm.projections.ladder import NONE, next_key, shown
from mm.sim.reasons import VENUE
from mm.sim.transit import answering
from mm.sim.world import (
    FARTHEST,
    FILLS,
    NEAR,
    QUEUE_MAX,
    WIRE,
    clocks,
    count_of,
    fills,
    instruments,
    markets,
    orders,
    queued,
    queues,
    responses,
    slots,
    standing,
)

ACK, REJECT, FILL, CANCELED, CANCEL_REJECTED, AMENDED, AMEND_REJECTED = numbered(7)
PLACE, CANCEL, CANCEL_ALL, AMEND = numbered(4)
ELSEWHERE, OPEN, CLOSED = numbered(3)
GTC, IOC, FOK = numbered(3)
UNSEEN: Final = float(1 << 62)
"""The queue at a price deeper than what the feed shows: all that will appear is ahead of us."""


@inner
def respond(m: int, at: int, kind: int, slot: int, price: int, size: int) -> int:
    """Send an answer on its way; returns when it reaches us."""
    clock = clocks(m)[0]
    delay = answering(m, at) if clock.varies else clock.response
    return put(m, at, at + delay, kind, slot, price, size)


@inner
def put(m: int, at: int, due: int, kind: int, slot: int, price: int, size: int) -> int:
    """Have an answer reach us once due, and after those before it; returns when it does."""
    clock = clocks(m)[0]
    arrival = max(clock.response_last, due)
    clock.response_last = arrival
    assert clock.response_to - clock.response_from < WIRE, "too many answers are under way"
    message = responses(m)[clock.response_to % WIRE]
    message.arrival, message.kind, message.slot = arrival, kind, slot
    message.id, message.instrument = slots(m)[slot].id, slots(m)[slot].instrument
    message.price, message.size = price, size
    message.reason, message.at = 0, at
    clock.response_to += 1
    return arrival


@inner
def answer(m: int, at: int, kind: int, slot: int, reason: int) -> None:
    """Send an answer that gives a reason; that an order is canceled says what was filled of it."""
    respond(m, at, kind, slot, ZERO, slots(m)[slot].filled if kind == CANCELED else ZERO)
    responses(m)[(clocks(m)[0].response_to - 1) % WIRE].reason = reason


@inner
def touch(m: int, b: int, side: int) -> int:
    """The key of the best level shown on a side, or NONE."""
    market = markets(m)[b]
    if side == 0:
        return market.bid if market.bid_size else NONE
    return -market.ask if market.ask_size else NONE


@inner
def touch_size(m: int, b: int, side: int) -> int:
    """The lots of the best level shown on a side."""
    return markets(m)[b].bid_size if side == 0 else markets(m)[b].ask_size


@inner
def displayed(m: int, b: int, side: int, price: int) -> int:
    """Lots shown at a price: none in front of the touch, else the touch or the depth."""
    key, best = (1 - 2 * side) * price, touch(m, b, side)
    if key >= best:
        return touch_size(m, b, side) if key == best else 0
    return shown(m, b, side, price)


@inner
def ahead(m: int, b: int, side: int, price: int) -> float:
    """Lots an order that comes to this price queues behind; UNSEEN below all that is shown."""
    key = (1 - 2 * side) * price
    if key >= touch(m, b, side):
        return float(displayed(m, b, side, price))
    size = shown(m, b, side, price)
    if size or next_key(m, b, side, key) != NONE:
        return float(size)
    return UNSEEN


@inner
def usable(m: int, b: int) -> bool:
    """Whether depth or quotes were heard since the last loss, and nothing is missing."""
    market = markets(m)[b]
    return not market.lost & 1 and (market.has_depth or market.has_quote)


@inner
def trusted(m: int, b: int) -> bool:
    """Whether we may quote from a book: usable, and said to be whole since the last loss."""
    return usable(m, b) and not markets(m)[b].lost & 2


@inner
def note_range(m: int, ins: int, side: int) -> None:
    """Remember between which prices orders of this side stand, as keys."""
    count = queued(m)[ins, side]
    near, far = NONE, -NONE
    if count and not clocks(m)[0].step:  # What comes by chance heeds no row.
        sign = 1 - 2 * side
        near = sign * slots(m)[queues(m)[2 * ins + side, 0]].price
        far = sign * slots(m)[queues(m)[2 * ins + side, count - 1]].price
    standing(m)[ins, NEAR + 2 * side], standing(m)[ins, FARTHEST + 2 * side] = near, far


@inner
def rest(m: int, b: int, slot: int) -> None:
    """Queue what is left of an order at its price, behind what is shown and our own."""
    order = slots(m)[slot]
    ins, side = order.instrument, (1 - order.sign) >> 1
    queue, count = queues(m)[2 * ins + side], queued(m)[ins, side]
    assert count < QUEUE_MAX, "too many orders rest on one side"
    sign = order.sign
    if clocks(m)[0].whole:  # Levels in front of the best may be dead, and come to life again.
        shown_here = shown(m, b, side, order.price)
        front = float(shown_here)
    else:
        shown_here = displayed(m, b, side, order.price)
        front = ahead(m, b, side, order.price)
    at = count
    while at > 0 and sign * slots(m)[queue[at - 1]].price < sign * order.price:
        queue[at] = queue[at - 1]
        at -= 1
    if not clocks(m)[0].whole and at > 0 and slots(m)[queue[at - 1]].price == order.price:
        front = max(front, slots(m)[queue[at - 1]].front)
    queue[at] = slot
    queued(m)[ins, side] = count + 1
    order.front, order.traded = front, 0.0
    orders(m)[order.id - 1].front = front
    order.shown = shown_here
    note_range(m, ins, side)


@inner
def unqueue(m: int, slot: int) -> None:
    """Take an order out of its queue, if it rests at all."""
    order = slots(m)[slot]
    ins, side = order.instrument, (1 - order.sign) >> 1
    queue, count = queues(m)[2 * ins + side], queued(m)[ins, side]
    found = -1
    for at in range(count):
        if queue[at] == slot:
            found = at
            break
    if found >= 0:
        for at in range(found, count - 1):
            queue[at] = queue[at + 1]
        queued(m)[ins, side] = count - 1
        note_range(m, ins, side)


@inner
def leave(m: int, slot: int) -> None:
    """The venue is done with an order."""
    unqueue(m, slot)
    slots(m)[slot].state = CLOSED
    clocks(m)[0].open -= 1


@inner
def end(m: int, at: int, slot: int, reason: int) -> None:
    """Cancel what is left of an order, and tell why."""
    leave(m, slot)
    answer(m, at, CANCELED, slot, reason)


@inner
def reducible(m: int, slot: int) -> int:
    """How many lots an order of this side can take off the position."""
    order = slots(m)[slot]
    return max(0, -order.sign * instruments(m)[order.instrument].held)


@inner
def fill(m: int, b: int, at: int, slot: int, price: int, size: int, taker: int) -> int:
    """Fill up to `size` lots of an order, book and tell it; returns how many there were.

    A reduce-only order never opens anything: it ends where there is nothing left to reduce.
    """
    order, clock = slots(m)[slot], clocks(m)[0]
    if order.reduce_only:
        size = min(size, reducible(m, slot))
    if size > 0:
        assert size <= order.size - order.filled, "an order was overfilled"
        order.filled += size
        assert clock.fills < count_of(m, FILLS), "no room for what the market did in one step"
        market = markets(m)[b]
        entry = fills(m)[clock.fills]
        entry.order, entry.at, entry.price, entry.size = order.id, at, price, size
        entry.mid2 = market.bid + market.ask if market.bid_size and market.ask_size else 0
        entry.instrument, entry.desk, entry.side = order.instrument, order.desk, order.sign
        entry.taker = taker
        instruments(m)[order.instrument].held += order.sign * size
        entry.heard = respond(m, at, FILL, slot, price, size)
        responses(m)[(clock.response_to - 1) % WIRE].reason = taker
        clock.fills += 1
        if order.filled == order.size:
            leave(m, slot)
            return size
    if order.reduce_only and not reducible(m, slot):
        end(m, at, slot, VENUE)
    return max(0, size)
