"""The compiled engine: what we know of our orders, what a rule wants, which intents may leave.

The rules are those of `engine.quoter` and `projections.lifecycle`, over integers;
the differential tests hold both equal. Decisions take effect at once: an order exists in its slot
from here on, and its command is on the wire.
"""

from mm.projections.compiled import ONE, ZERO, njit, numbered, whole
from mm.sim.astray import astray
from mm.sim.gate import allowed, count_sent
from mm.sim.transit import dispatch
from mm.sim.venue import (
    ACK,
    CANCEL,
    CANCEL_ALL,
    CANCEL_REJECTED,
    CANCELED,
    ELSEWHERE,
    FILL,
    GTC,
    IOC,
    PLACE,
    REJECT,
)
from mm.sim.world import (
    FAR_AWAY,
    WIRE,
    clocks,
    commands,
    desk_count,
    desks,
    free_slots,
    instrument_count,
    instruments,
    live,
    orders,
    responses,
    slots,
    wanted,
)

FREE, PENDING_NEW, RESTING, PARTLY, PENDING_CANCEL, UNCERTAIN = numbered(6)
_, _, FILLED, ENDED, REFUSED = numbered(5)


@njit(cache=True)
def command(m: int, at: int, kind: int, slot: int, order_id: int, instrument: int) -> None:
    """Send a command on its way."""
    clock = clocks(m)[0]
    if clock.varies and astray(m, at, kind, slot):
        return
    assert clock.command_to - clock.command_from < WIRE, "too many commands are under way"
    if clock.command_turn != clock.turns:
        clock.command_turn, clock.command_first = clock.turns, clock.command_to
        clock.command_before = clock.command_last
    clock.command_last = max(clock.command_last, at + clock.entry)
    place = clock.command_to
    if kind != PLACE:  # Cancels of a turn leave before what adds risk, whose ever they are.
        first = max(clock.command_first, clock.command_from)
        while place > first and commands(m)[(place - 1) % WIRE].kind == PLACE:
            moved, before = commands(m)[place % WIRE], commands(m)[(place - 1) % WIRE]
            moved.arrival, moved.kind = before.arrival, before.kind
            moved.slot, moved.id, moved.instrument = before.slot, before.id, before.instrument
            place -= 1
    message = commands(m)[place % WIRE]
    message.arrival, message.kind = clock.command_last, kind
    message.slot, message.id, message.instrument = slot, order_id, instrument
    clock.command_to += 1
    clock.pending = 1
    if clock.varies:
        dispatch(m, at, place)


@njit(cache=True)
def release(m: int, slot: int, status: int) -> None:
    """We have heard how an order ended: its slot is free for another."""
    order, clock = slots(m)[slot], clocks(m)[0]
    told = orders(m)[order.id - 1]
    told.ended, told.status, told.filled = clock.at, status, order.heard
    mine, count = live(m)[order.desk], desks(m)[order.desk].live
    found = 0
    while mine[found] != slot:
        found += 1
    for at in range(found, count - 1):
        mine[at] = mine[at + 1]
    desks(m)[order.desk].live = count - 1
    order.status = FREE
    free_slots(m)[clock.free] = slot
    clock.free += 1


@njit(cache=True)
def hear(m: int, at: int) -> bool:
    """Answers that have reached us by `at`; whether there were any."""
    clock = clocks(m)[0]
    heard = False
    while clock.response_from < clock.response_to:
        message = responses(m)[clock.response_from % WIRE]
        if message.arrival > at:
            break
        clock.response_from += 1
        heard = True
        answered(m, message.kind, message.slot, message.id, message.size)
        for d in range(desk_count(m)):
            desk = desks(m)[d]
            if desk.instrument == message.instrument:
                desk.settled = 0
                if desk.when_changed:
                    desk.asked_bid = desk.asked_ask = 0
                if desk.own_orders:
                    desk.awake = clock.awake = 1
    return heard


@njit(cache=True)
def answered(m: int, kind: int, slot: int, order_id: int, size: int) -> None:
    """What an answer makes of our order; one that is over hears nothing more."""
    order, clock = slots(m)[slot], clocks(m)[0]
    if order.id != order_id or order.status == FREE:
        assert kind == CANCEL_REJECTED, "an answer to an order that is over"
        return
    told = orders(m)[order_id - 1]
    if kind == ACK:
        told.acked = clock.at
        if order.status == PENDING_NEW:
            order.status = RESTING
    elif kind == FILL:
        order.heard += size
        told.filled = order.heard
        desks(m)[order.desk].net += order.sign * size
        instruments(m)[order.instrument].net += order.sign * size
        if order.heard == order.size:
            release(m, slot, FILLED)
        elif order.status not in (PENDING_CANCEL, UNCERTAIN):
            order.status = PARTLY
    elif kind == CANCELED:
        release(m, slot, ENDED)
    elif kind == REJECT:
        release(m, slot, REFUSED)
    elif kind == CANCEL_REJECTED and order.status == PENDING_CANCEL:
        order.status, clock.doubts = UNCERTAIN, 1


# -- quoting ---------------------------------------------------------------------------------------


@njit(cache=True)
def quote(m: int, d: int, at: int) -> None:
    """The fewest intents from what is live to what is wanted, cancels first."""
    desk = desks(m)[d]
    settled = True
    for side in range(2):
        withdraw(m, d, at, side)
    for side in range(2):
        settled &= supply(m, d, at, side)
    if desk.take_sign:
        take_now(m, d, at)
    desk.settled = settled and not desk.take_sign


@njit(cache=True)
def keeps(m: int, slot: int, price: int, size: int, sign: int) -> bool:
    """Whether a live order serves a wanted level: at its price, and never larger."""
    order = slots(m)[slot]
    return (
        order.sign == sign
        and order.tif == GTC
        and order.status not in (PENDING_CANCEL, UNCERTAIN)
        and order.price == price
        and order.size - order.heard <= size
    )


@njit(cache=True)
def withdraw(m: int, d: int, at: int, side: int) -> None:
    """Cancel what rests on a side and serves nothing wanted."""
    desk = desks(m)[d]
    sign, count = 1 - 2 * side, desk.bids if side == 0 else desk.asks
    for i in range(desk.live):
        slot = live(m)[d, i]
        order = slots(m)[slot]
        if order.sign != sign or order.tif != GTC:
            continue
        if order.status in (PENDING_CANCEL, UNCERTAIN):
            continue
        serves = False
        for level in range(count):
            if first_for(m, d, side, level, slot):
                serves = True
                break
        if not serves:
            order.status = PENDING_CANCEL
            count_sent(m, desk.instrument, at)
            command(m, at, CANCEL, slot, order.id, desk.instrument)
            clocks(m)[0].cancels += 1


@njit(cache=True)
def first_for(m: int, d: int, side: int, level: int, slot: int) -> bool:
    """Whether an order is the first that serves a level; levels never share a price."""
    sign = 1 - 2 * side
    price, size = wanted(m)[4 * d + side, 2 * level], wanted(m)[4 * d + side, 2 * level + 1]
    for i in range(desks(m)[d].live):
        if keeps(m, live(m)[d, i], price, size, sign):
            return live(m)[d, i] == slot
    return False


@njit(cache=True)
def supply(m: int, d: int, at: int, side: int) -> bool:
    """Place what is wanted on a side and not there; False where risk refused some of it."""
    desk = desks(m)[d]
    sign, count = 1 - 2 * side, desk.bids if side == 0 else desk.asks
    if clocks(m)[0].doubts and doubtful(m, d, sign):
        return True
    whole = True
    for level in range(count):
        price, size = wanted(m)[4 * d + side, 2 * level], wanted(m)[4 * d + side, 2 * level + 1]
        there = False
        for i in range(desk.live):
            if keeps(m, live(m)[d, i], price, size, sign):
                there = True
                break
        if there:
            continue
        if allowed(m, desk.instrument, at, sign, price, size):
            count_sent(m, desk.instrument, at)
            place_order(m, d, at, sign, level, price, size, GTC)
        else:
            clocks(m)[0].refused += 1
            whole = False
    return whole


@njit(cache=True)
def doubtful(m: int, d: int, sign: int) -> bool:
    """Whether a quote of this side may rest there or not, and nobody knows."""
    for i in range(desks(m)[d].live):
        order = slots(m)[live(m)[d, i]]
        if order.sign == sign and order.tif == GTC and order.status == UNCERTAIN:
            return True
    return False


@njit(cache=True)
def take_now(m: int, d: int, at: int) -> None:
    """Trade at once: one at a time, and none while a quote of our own stands in its way."""
    desk = desks(m)[d]
    sign, price, rules = desk.take_sign, desk.take_price, instruments(m)[desk.instrument]
    for i in range(desk.live):
        order = slots(m)[live(m)[d, i]]
        if order.tif != GTC or (order.sign == -sign and (price - order.price) * sign >= 0):
            return
    size = min(desk.take_size, rules.order_size_max)
    if rules.size_max:
        size = min(size, rules.size_max)
    size -= size % rules.size_step
    if allowed(m, desk.instrument, at, sign, price, size):
        count_sent(m, desk.instrument, at)
        place_order(m, d, at, sign, ZERO, price, size, IOC)
    else:
        clocks(m)[0].refused += 1


@njit(cache=True)
def place_order(
    m: int, d: int, at: int, sign: int, level: int, price: int, size: int, tif: int
) -> None:
    """An order exists from here on; its command is on the way."""
    clock, desk = clocks(m)[0], desks(m)[d]
    assert clock.free > 0, "too many orders are alive at once"
    clock.free -= 1
    slot = free_slots(m)[clock.free]
    order = slots(m)[slot]
    clock.orders += 1
    order.id, order.desk, order.instrument = clock.orders, d, desk.instrument
    order.sign, order.level, order.price, order.size = sign, level, price, size
    order.heard, order.status, order.tif, order.post_only = 0, PENDING_NEW, tif, tif == GTC
    order.market = order.reduce_only = order.unfunded = 0
    order.state, order.filled, order.listed = ELSEWHERE, 0, 0
    order.front, order.traded, order.shown = 0.0, 0.0, 0
    told = orders(m)[clock.orders - 1]
    told.id, told.placed, told.price, told.size = order.id, at, price, size
    told.acked, told.ended, told.filled, told.status = 0, 0, 0, 0
    told.front, told.row = 0.0, clock.first_row + clock.i
    told.instrument, told.desk, told.side, told.level = desk.instrument, d, sign, level
    told.reason = tif == IOC
    live(m)[d, desk.live] = slot
    desk.live += 1
    command(m, at, PLACE, slot, order.id, desk.instrument)


@njit(cache=True)
def pull(m: int, at: int) -> None:
    """Cancel everything that rests, by instrument, as their oldest orders: the run is over."""
    last = ZERO
    while True:
        chosen, first = -ONE, FAR_AWAY
        for ins in range(instrument_count(m)):
            oldest = eldest(m, ins)
            if last < oldest < first:
                chosen, first = whole(ins), oldest
        if chosen < 0:
            return
        last = first
        command(m, at, CANCEL_ALL, chosen, ZERO, chosen)


@njit(cache=True)
def eldest(m: int, ins: int) -> int:
    """The oldest live order of an instrument, 0 if there is none; all are now to be canceled."""
    oldest = ZERO
    for d in range(desk_count(m)):
        if desks(m)[d].instrument == ins:
            for i in range(desks(m)[d].live):
                order = slots(m)[live(m)[d, i]]
                order.status = PENDING_CANCEL
                oldest = order.id if not oldest or order.id < oldest else oldest
    return oldest
