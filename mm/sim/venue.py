"""Our orders at the compiled venue: where they rest, and what the market does to them.

The rules are those of `pit`, line by line; the differential tests hold both equal. A
queue holds the slots of one instrument's resting orders of one side, best price first, at a price
oldest first. Book `b` is the one the venue matches against: our own where the feed is taken to be
the venue's state, else a second one that runs ahead of ours by the feed's delay.
"""

from typing import Final

from mm.projections.compiled import ZERO, njit, numbered
from mm.projections.ladder import NONE, next_key, shown
from mm.sim.queue_models import RISK_AVERSE, after_depth, after_trade, exceeded, moved_up
from mm.sim.world import (
    FILLS,
    QUEUE_MAX,
    TAKEN_MAX,
    TAKEN_WIDTH,
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
    taken_lots,
)

ACK, REJECT, FILL, CANCELED, CANCEL_REJECTED = numbered(5)
PLACE, CANCEL, CANCEL_ALL = numbered(3)
ELSEWHERE, OPEN, CLOSED = numbered(3)
GTC, IOC = numbered(2)
UNSEEN: Final = float(1 << 62)
"""The queue at a price deeper than what the feed shows: all that will appear is ahead of us."""


@njit(cache=True)
def respond(m: int, at: int, kind: int, slot: int, price: int, size: int) -> int:
    """Send an answer on its way; returns when it reaches us."""
    clock = clocks(m)[0]
    arrival = max(clock.response_last, at + clock.response)
    clock.response_last = arrival
    assert clock.response_to - clock.response_from < WIRE, "too many answers are under way"
    message = responses(m)[clock.response_to % WIRE]
    message.arrival, message.kind, message.slot = arrival, kind, slot
    message.id, message.instrument = slots(m)[slot].id, slots(m)[slot].instrument
    message.price, message.size = price, size
    clock.response_to += 1
    return arrival


@njit(cache=True)
def touch(m: int, b: int, side: int) -> int:
    """The key of the best level shown on a side, or NONE."""
    market = markets(m)[b]
    if side == 0:
        return market.bid if market.bid_size else NONE
    return -market.ask if market.ask_size else NONE


@njit(cache=True)
def touch_size(m: int, b: int, side: int) -> int:
    """The lots of the best level shown on a side."""
    return markets(m)[b].bid_size if side == 0 else markets(m)[b].ask_size


@njit(cache=True)
def displayed(m: int, b: int, side: int, price: int) -> int:
    """Lots shown at a price: none in front of the touch, else the touch or the depth."""
    key, best = (1 - 2 * side) * price, touch(m, b, side)
    if key >= best:
        return touch_size(m, b, side) if key == best else 0
    return shown(m, b, side, price)


@njit(cache=True)
def ahead(m: int, b: int, side: int, price: int) -> float:
    """Lots an order that comes to this price queues behind; UNSEEN below all that is shown."""
    key = (1 - 2 * side) * price
    if key >= touch(m, b, side):
        return float(displayed(m, b, side, price))
    size = shown(m, b, side, price)
    if size or next_key(m, b, side, key) != NONE:
        return float(size)
    return UNSEEN


@njit(cache=True)
def usable(m: int, b: int) -> bool:
    """Whether depth or quotes were heard since the last loss, and nothing is missing."""
    market = markets(m)[b]
    return not market.lost & 1 and (market.has_depth or market.has_quote)


@njit(cache=True)
def trusted(m: int, b: int) -> bool:
    """Whether we may quote from a book: usable, and said to be whole since the last loss."""
    return usable(m, b) and not markets(m)[b].lost & 2


@njit(cache=True)
def note_range(m: int, ins: int, side: int) -> None:
    """Remember between which prices orders of this side stand, as keys."""
    instrument, count = instruments(m)[ins], queued(m)[ins, side]
    near, far = NONE, -NONE
    if count:
        sign = 1 - 2 * side
        near = sign * slots(m)[queues(m)[2 * ins + side, 0]].price
        far = sign * slots(m)[queues(m)[2 * ins + side, count - 1]].price
    if side == 0:
        instrument.bid_near, instrument.bid_far = near, far
    else:
        instrument.ask_near, instrument.ask_far = near, far
    watch(m, ins)


@njit(cache=True)
def watch(m: int, ins: int) -> None:
    """Remember from which prices on rows may concern our orders; all do while levels are taken."""
    instrument = instruments(m)[ins]
    if instrument.taken:
        instrument.bid_watch, instrument.ask_watch = NONE, -NONE
    else:
        instrument.bid_watch = min(instrument.bid_far, -instrument.ask_near)
        instrument.ask_watch = max(-instrument.ask_far, instrument.bid_near)


@njit(cache=True)
def rest(m: int, b: int, slot: int) -> None:
    """Queue what is left of an order at its price, behind what is shown and our own."""
    order = slots(m)[slot]
    ins, side = order.instrument, (1 - order.sign) >> 1
    queue, count = queues(m)[2 * ins + side], queued(m)[ins, side]
    assert count < QUEUE_MAX, "too many orders rest on one side"
    sign = order.sign
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
    order.shown = displayed(m, b, side, order.price)
    note_range(m, ins, side)


@njit(cache=True)
def leave(m: int, slot: int) -> None:
    """Take an order out of its queue, if it rests at all; the venue is done with it."""
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
    order.state = CLOSED
    clocks(m)[0].open -= 1


@njit(cache=True)
def fill(m: int, b: int, at: int, slot: int, price: int, size: int, taker: int) -> int:
    """Fill up to `size` lots of an order, book and tell it; returns how many there were."""
    order, clock = slots(m)[slot], clocks(m)[0]
    if size <= 0:
        return 0
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
    clock.fills += 1
    if order.filled == order.size:
        leave(m, slot)
    return size


# -- what we took ----------------------------------------------------------------------------------


@njit(cache=True)
def taken(m: int, ins: int, side: int, price: int) -> int:
    """Lots of a level that we took since the feed last spoke of it."""
    for i in range(instruments(m)[ins].taken):
        if (
            taken_lots(m)[ins * TAKEN_MAX + i, 0] == side
            and taken_lots(m)[ins * TAKEN_MAX + i, 1] == price
        ):
            return taken_lots(m)[ins * TAKEN_MAX + i, 2]
    return 0


@njit(cache=True)
def take(m: int, ins: int, side: int, price: int, size: int) -> None:
    """We took lots of this level: they are not there for us again."""
    if not size:
        return
    first, count = ins * TAKEN_MAX, instruments(m)[ins].taken
    for i in range(first, first + count):
        if taken_lots(m)[i, 0] == side and taken_lots(m)[i, 1] == price:
            taken_lots(m)[i, 2] += size
            return
    assert count < TAKEN_MAX, "more levels taken from than a book has near its touch"
    entry = taken_lots(m)[first + count]
    entry[0], entry[1], entry[2], entry[3] = side, price, size, 0
    instruments(m)[ins].taken = count + 1
    watch(m, ins)


@njit(cache=True)
def list_taken(m: int, ins: int, side: int, price: int) -> None:
    """The feed spoke of a level that we may have taken from."""
    first = ins * TAKEN_MAX
    for i in range(first, first + instruments(m)[ins].taken):
        if taken_lots(m)[i, 0] == side and taken_lots(m)[i, 1] == price:
            taken_lots(m)[i, 3] = 1


@njit(cache=True)
def refresh(m: int, ins: int, side: int, key: int, changed: bool) -> None:
    """A touch was shown: what stands in front of it, or was spoken of, is there for us again.

    The touch itself is if it changed.
    """
    sign, first, i = 1 - 2 * side, ins * TAKEN_MAX, 0
    while i < instruments(m)[ins].taken:
        entry = taken_lots(m)[first + i]
        at = sign * entry[1]
        if entry[0] == side and (at > key or (changed if at == key else entry[3] != 0)):
            instruments(m)[ins].taken -= 1
            last = taken_lots(m)[first + instruments(m)[ins].taken]
            for k in range(TAKEN_WIDTH):
                entry[k] = last[k]
        else:
            if entry[0] == side:
                entry[3] = 0  # What was spoken of counts for this event only.
            i += 1
    watch(m, ins)


@njit(cache=True)
def offered(m: int, b: int, ins: int, side: int, key: int) -> int:
    """Lots of a level still to be had, of the touch or of depth behind it."""
    price = (1 - 2 * side) * key
    return max(0, displayed(m, b, side, price) - taken(m, ins, side, price))


@njit(cache=True)
def after(m: int, b: int, side: int, key: int) -> int:
    """The next worse key that is offered, or NONE."""
    best = touch(m, b, side)
    return next_key(m, b, side, min(key, best))


# -- the market ------------------------------------------------------------------------------------


@njit(cache=True)
def spoken_of(m: int, ins: int, side: int, price: int, before: int, now: int) -> None:
    """The feed set a level's size: orders of ours at this price may stand further ahead."""
    clock = clocks(m)[0]
    for i in range(queued(m)[ins, side]):
        order = slots(m)[queues(m)[2 * ins + side, i]]
        if order.price == price:
            if clock.whole:
                order.front = after_depth(
                    clock.queue, clock.queue_n, order.front, order.traded, float(before), float(now)
                )
                order.traded = 0.0
            else:
                order.listed = 1


@njit(cache=True)
def list_covered(m: int, b: int, ins: int) -> None:
    """A snapshot speaks of every price that it is deep enough for."""
    for side in range(2):
        for i in range(queued(m)[ins, side]):
            order = slots(m)[queues(m)[2 * ins + side, i]]
            order.listed = 1 if ahead(m, b, side, order.price) < UNSEEN else 0


@njit(cache=True)
def news(m: int, b: int, ins: int, at: int) -> None:
    """An event has ended that spoke of our levels, or moved the touch."""
    if usable(m, b):
        for side in range(2):
            if queued(m)[ins, side]:
                if not clocks(m)[0].whole:
                    move_up(m, b, ins, side)
                cross(m, b, ins, side, at)
    for side in range(2):
        for i in range(queued(m)[ins, side]):
            slots(m)[queues(m)[2 * ins + side, i]].listed = 0


@njit(cache=True)
def move_up(m: int, b: int, ins: int, side: int) -> None:
    """No more than what is shown can be ahead of us."""
    best, sign, clock = touch(m, b, side), 1 - 2 * side, clocks(m)[0]
    last, least = NONE, 0.0
    for i in range(queued(m)[ins, side]):
        order = slots(m)[queues(m)[2 * ins + side, i]]
        if order.price != last:
            last, least = order.price, 0.0
        if order.listed or sign * order.price >= best:
            now = displayed(m, b, side, order.price)
            if clock.queue == RISK_AVERSE:
                order.front = min(order.front, float(now))
            else:
                before = float(order.shown)
                moved = moved_up(
                    clock.queue, clock.queue_n, order.front, order.traded, before, float(now)
                )
                order.front = least = max(least, moved)  # Never past an earlier one of ours.
            order.traded, order.shown = 0.0, now


@njit(cache=True)
def cross(m: int, b: int, ins: int, side: int, at: int) -> None:
    """Opposite levels displayed at or through our prices fill us."""
    sign, other = 1 - 2 * side, 1 - side
    i = 0
    while i < queued(m)[ins, side]:
        slot = queues(m)[2 * ins + side, i]
        order = slots(m)[slot]
        limit = -sign * order.price
        key = touch(m, b, other)
        if key < limit:
            return
        if clocks(m)[0].whole:
            fill(m, b, at, slot, order.price, order.size - order.filled, ZERO)
            continue
        while key >= limit and key != NONE:
            left = order.size - order.filled
            got = fill(m, b, at, slot, order.price, min(left, offered(m, b, ins, other, key)), ZERO)
            take(m, ins, other, -sign * key, got)
            if order.state == CLOSED:
                break
            key = after(m, b, other, key)
        if order.state != CLOSED:
            i += 1


@njit(cache=True)
def printed(m: int, b: int, ins: int, side: int, at: int, price: int, volume: int) -> None:
    """A print reaches our orders of the side its taker hit, best price first."""
    sign, left, clock = 1 - 2 * side, float(volume), clocks(m)[0]
    i, eaten = 0, 0.0
    last = NONE
    while i < queued(m)[ins, side]:
        slot = queues(m)[2 * ins + side, i]
        order = slots(m)[slot]
        beyond = sign * (order.price - price)
        if beyond < 0:
            return
        if clock.whole:
            if beyond == 0:
                order.front, order.traded = after_trade(order.front, order.traded, float(volume))
            if beyond > 0 or exceeded(order.front):
                fill(m, b, at, slot, order.price, order.size - order.filled, ZERO)
            else:
                i += 1
            continue
        if order.price != last:
            last, eaten = order.price, 0.0
        if beyond > 0:
            order.front = 0.0
        others = min(left, max(0.0, order.front - eaten))
        left -= others
        eaten += others
        order.front -= eaten
        order.traded += float(volume) if beyond == 0 else 0.0
        got = min(int(left), order.size - order.filled)
        left -= got
        fill(m, b, at, slot, order.price, got, ZERO)
        if order.state != CLOSED:
            i += 1
