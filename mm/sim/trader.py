"""The compiled engine's orders: commands that leave, answers that come, and what we know by them.

The rules are those of `projections.lifecycle`, over integers; the differential tests hold both
equal.
"""

from mm.projections.compiled import ONE, ZERO, inner, numbered, part, whole
from mm.sim.astray import astray
from mm.sim.transit import dispatch
from mm.sim.venue import (
    ACK,
    AMEND,
    AMEND_REJECTED,
    AMENDED,
    CANCEL,
    CANCEL_ALL,
    CANCEL_REJECTED,
    CANCELED,
    FILL,
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
)

FREE, PENDING_NEW, RESTING, PARTLY, PENDING_CANCEL, UNCERTAIN, PENDING_AMEND = numbered(7)
_, _, FILLED, ENDED, REFUSED = numbered(5)


@inner
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
    if kind in (
        CANCEL,
        CANCEL_ALL,
    ):  # Cancels of a turn leave before what adds risk, whose ever they are.
        first = max(clock.command_first, clock.command_from)
        while place > first:
            moved, before = commands(m)[place % WIRE], commands(m)[(place - 1) % WIRE]
            if before.kind in (CANCEL, CANCEL_ALL):
                break
            moved.arrival, moved.kind = before.arrival, before.kind
            moved.slot, moved.id, moved.instrument = before.slot, before.id, before.instrument
            moved.price, moved.size = before.price, before.size
            place -= 1
    message = commands(m)[place % WIRE]
    message.arrival, message.kind = clock.command_last, kind
    message.slot, message.id, message.instrument = slot, order_id, instrument
    if kind == AMEND:
        message.price, message.size = slots(m)[slot].amend_price, slots(m)[slot].amend_size
    clock.command_to += 1
    clock.pending = 1
    if clock.varies:
        dispatch(m, at, place)


@inner
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


@part
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
        answered(m, message.kind, message.slot, message.id, message.price, message.size)
        for d in range(desk_count(m)):
            desk = desks(m)[d]
            if desk.instrument == message.instrument:
                desk.settled = 0
                desk.news = 1
                if desk.own_orders:
                    desk.awake = clock.awake = 1
    return heard


@inner
def answered(m: int, kind: int, slot: int, order_id: int, price: int, size: int) -> None:
    """What an answer makes of our order; one that is over hears nothing more."""
    order, clock = slots(m)[slot], clocks(m)[0]
    if order.id != order_id or order.status == FREE:
        assert kind in (CANCEL_REJECTED, AMEND_REJECTED), "an answer to an order that is over"
        return
    told = orders(m)[order_id - 1]
    if kind == ACK:
        told.acked = clock.at
        if order.status == PENDING_NEW:
            order.status = RESTING
    elif kind == FILL:
        order.heard += size
        clock.heard += 1
        told.filled = order.heard
        desks(m)[order.desk].net += order.sign * size
        instruments(m)[order.instrument].net += order.sign * size
        if order.heard >= max(order.size_heard, order.amend_size):
            release(m, slot, FILLED)
        elif order.status not in (PENDING_CANCEL, UNCERTAIN, PENDING_AMEND):
            order.status = PARTLY
    elif kind == CANCELED:
        release(m, slot, ENDED)
    elif kind == REJECT:
        release(m, slot, REFUSED)
    elif kind == CANCEL_REJECTED and order.status == PENDING_CANCEL:
        order.status, clock.doubts = UNCERTAIN, 1
    elif kind in (AMENDED, AMEND_REJECTED):
        if kind == AMENDED:
            order.price_heard, order.size_heard = price, size
            told.price, told.size = price, size
        order.amend_price = order.amend_size = 0
        if order.status == PENDING_AMEND:
            order.status = PARTLY if order.heard else RESTING
        if order.heard >= order.size_heard:  # Only the amend kept it alive.
            release(m, slot, FILLED)


@inner
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


@inner
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
