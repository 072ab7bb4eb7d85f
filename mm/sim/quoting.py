"""The compiled engine's quoter: the fewest intents from what is live to what is wanted.

The rules are those of `engine.quoter`, over integers; the differential tests hold both equal.
Decisions take effect at once: an order exists in its slot from here on, and its command is on the
wire.
"""

from mm.projections.compiled import ONE, ZERO, inner
from mm.sim.gate import allowed, count_sent, stands_in_way
from mm.sim.trader import (
    PARTLY,
    PENDING_AMEND,
    PENDING_CANCEL,
    PENDING_NEW,
    RESTING,
    UNCERTAIN,
    command,
)
from mm.sim.venue import AMEND, CANCEL, ELSEWHERE, GTC, IOC, PLACE
from mm.sim.world import (
    clocks,
    desks,
    free_slots,
    instruments,
    live,
    orders,
    slots,
    wanted,
)

MOVES = -ONE
"""What an order `serves` that is to be amended to a level which none serves."""
NOBODY = -ONE
"""The slot of no order."""


@inner
def quote(m: int, d: int, at: int) -> None:
    """The fewest intents from what is live to what is wanted, cancels first."""
    desk = desks(m)[d]
    settled, takes = True, desk.take_sign and not held_back(m, d)
    for side in range(2):
        withdraw(m, d, at, side)
    for side in range(2):
        settled &= supply(m, d, at, side)
    if takes:
        take_now(m, d, at)
    desk.settled = settled and not desk.take_sign


@inner
def keeps(m: int, slot: int, price: int, size: int) -> bool:
    """Whether a live quote serves a wanted level: at its price, and never larger.

    What counts is where it will stand once all that was asked of it is done.
    """
    order = slots(m)[slot]
    if order.tif != GTC or order.status in (PENDING_CANCEL, UNCERTAIN):
        return False
    if order.amend_size:
        return bool(order.amend_price == price and order.amend_size - order.heard <= size)
    return bool(order.price_heard == price and order.size_heard - order.heard <= size)


@inner
def assign(m: int, d: int, side: int) -> int:
    """Say which level of a side each order serves, the first that may; how many none serves."""
    desk = desks(m)[d]
    sign, count = 1 - 2 * side, desk.bids if side == 0 else desk.asks
    for i in range(desk.live):
        order = slots(m)[live(m)[d, i]]
        if order.sign == sign:
            order.serves = 0
    missing: int = count
    for level in range(count):
        price, size = wanted(m)[4 * d + side, 2 * level], wanted(m)[4 * d + side, 2 * level + 1]
        for i in range(desk.live):
            slot = live(m)[d, i]
            order = slots(m)[slot]
            if order.sign == sign and not order.serves and keeps(m, slot, price, size):
                order.serves = level + 1
                missing -= 1
                break
    return missing


@inner
def withdraw(m: int, d: int, at: int, side: int) -> None:
    """Cancel what rests on a side and serves nothing wanted, unless it can be moved to serve."""
    desk = desks(m)[d]
    sign, missing = 1 - 2 * side, assign(m, d, side)
    if clocks(m)[0].doubts and doubtful(m, d, sign):
        missing = 0
    for i in range(desk.live):
        slot = live(m)[d, i]
        order = slots(m)[slot]
        if order.sign != sign or order.serves or order.tif != GTC:
            continue
        if order.status in (PENDING_CANCEL, UNCERTAIN):
            continue
        if desk.amends and missing and order.status in (RESTING, PARTLY):
            order.serves = MOVES
            missing -= 1
            continue
        order.status = PENDING_CANCEL
        count_sent(m, desk.instrument, at)
        command(m, at, CANCEL, slot, order.id, desk.instrument)
        clocks(m)[0].cancels += 1


@inner
def doubtful(m: int, d: int, sign: int) -> bool:
    """Whether a quote of this side may rest there or not, and nobody knows."""
    for i in range(desks(m)[d].live):
        order = slots(m)[live(m)[d, i]]
        if order.sign == sign and order.tif == GTC and order.status == UNCERTAIN:
            return True
    return False


@inner
def serving(m: int, d: int, sign: int, what: int) -> int:
    """The slot of the first order of a side that serves a level, or MOVES; else NOBODY."""
    for i in range(desks(m)[d].live):
        slot: int = live(m)[d, i]
        if slots(m)[slot].sign == sign and slots(m)[slot].serves == what:
            return slot
    return int(NOBODY)


@inner
def supply(m: int, d: int, at: int, side: int) -> bool:
    """Place or move what is wanted on a side and not there; False where risk refused some of it."""
    desk = desks(m)[d]
    sign, count = 1 - 2 * side, desk.bids if side == 0 else desk.asks
    if clocks(m)[0].doubts and doubtful(m, d, sign):
        return True
    whole = True
    for level in range(count):
        if serving(m, d, sign, level + 1) >= 0:
            continue
        price, size = wanted(m)[4 * d + side, 2 * level], wanted(m)[4 * d + side, 2 * level + 1]
        mover = serving(m, d, sign, MOVES) if desk.amends else NOBODY
        if mover >= 0:
            slots(m)[mover].serves = 0
        if not allowed(m, desk.instrument, at, sign, price, size, mover):
            clocks(m)[0].refused += 1
            whole = False
            continue
        count_sent(m, desk.instrument, at)
        if mover >= 0:
            move(m, d, at, mover, price, size)
        else:
            place_order(m, d, at, sign, level, price, size, GTC)
    return whole


@inner
def move(m: int, d: int, at: int, slot: int, price: int, leaves: int) -> None:
    """Amend an order, so that so many lots of it are left at another price."""
    order, clock = slots(m)[slot], clocks(m)[0]
    order.status = PENDING_AMEND
    order.amend_price, order.amend_size = price, order.heard + leaves
    command(m, at, AMEND, slot, order.id, desks(m)[d].instrument)
    clock.amends += 1


@inner
def held_back(m: int, d: int) -> bool:
    """One hedge at a time, and none while a quote of our own stands in its way."""
    desk = desks(m)[d]
    for i in range(desk.live):
        slot = live(m)[d, i]
        if slots(m)[slot].tif != GTC:
            return True
        other = slots(m)[slot].sign == -desk.take_sign
        if other and stands_in_way(m, slot, desk.take_sign, desk.take_price):
            return True
    return False


@inner
def take_now(m: int, d: int, at: int) -> None:
    """Trade at once."""
    desk = desks(m)[d]
    sign, price, rules = desk.take_sign, desk.take_price, instruments(m)[desk.instrument]
    size = min(desk.take_size, rules.order_size_max)
    if rules.size_max:
        size = min(size, rules.size_max)
    size -= size % rules.size_step
    if allowed(m, desk.instrument, at, sign, price, size, NOBODY):
        count_sent(m, desk.instrument, at)
        place_order(m, d, at, sign, ZERO, price, size, IOC)
    else:
        clocks(m)[0].refused += 1


@inner
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
    order.sign, order.level, order.price_heard, order.size_heard = sign, level, price, size
    order.heard, order.status, order.tif, order.post_only = 0, PENDING_NEW, tif, tif == GTC
    order.market = order.reduce_only = order.unfunded = 0
    order.amend_price = order.amend_size = order.serves = 0
    order.price, order.size = price, size
    order.state, order.filled, order.listed = ELSEWHERE, 0, 0
    order.front, order.traded, order.shown = 0.0, 0.0, 0
    told = orders(m)[clock.orders - 1]
    told.id, told.placed, told.price, told.size = order.id, at, price, size
    told.acked, told.ended, told.filled, told.status = 0, 0, 0, 0
    told.front, told.row = 0.0, clock.first_row + clock.i - 1
    told.instrument, told.desk, told.side, told.level = desk.instrument, d, sign, level
    told.reason = tif == IOC
    live(m)[d, desk.live] = slot
    desk.live += 1
    command(m, at, PLACE, slot, order.id, desk.instrument)
