"""What the market does to our resting orders: it moves them up, crosses them, trades with them."""

from mm.projections.compiled import ZERO, inner
from mm.projections.ladder import NONE
from mm.sim.queue_models import RISK_AVERSE, after_depth, after_trade, exceeded, moved_up
from mm.sim.taking import after, offered, take
from mm.sim.venue import CLOSED, UNSEEN, ahead, displayed, fill, touch, usable
from mm.sim.world import clocks, instruments, queued, queues, slots


@inner
def spoken_of(m: int, ins: int, side: int, price: int, before: int, now: int) -> None:
    """The feed set a level's size: orders of ours at this price may stand further ahead."""
    clock, n = clocks(m)[0], instruments(m)[ins].queue_n
    for i in range(queued(m)[ins, side]):
        order = slots(m)[queues(m)[2 * ins + side, i]]
        if order.price == price:
            if clock.whole:
                order.front = after_depth(
                    clock.queue, n, order.front, order.traded, float(before), float(now)
                )
                order.traded = 0.0
            else:
                order.listed = 1


@inner
def list_covered(m: int, b: int, ins: int) -> None:
    """A snapshot speaks of every price that it is deep enough for."""
    for side in range(2):
        for i in range(queued(m)[ins, side]):
            order = slots(m)[queues(m)[2 * ins + side, i]]
            order.listed = 1 if ahead(m, b, side, order.price) < UNSEEN else 0


@inner
def news(m: int, b: int, ins: int, at: int) -> None:
    """An event has ended that spoke of our levels, or moved the touch."""
    if usable(m, b) and not clocks(m)[0].step:
        for side in range(2):
            if queued(m)[ins, side]:
                if not clocks(m)[0].whole:
                    move_up(m, b, ins, side)
                cross(m, b, ins, side, at)
    for side in range(2):
        for i in range(queued(m)[ins, side]):
            slots(m)[queues(m)[2 * ins + side, i]].listed = 0


@inner
def move_up(m: int, b: int, ins: int, side: int) -> None:
    """No more than what is shown can be ahead of us."""
    best, sign, clock = touch(m, b, side), 1 - 2 * side, clocks(m)[0]
    last, least, n = NONE, 0.0, instruments(m)[ins].queue_n
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
                moved = moved_up(clock.queue, n, order.front, order.traded, before, float(now))
                order.front = least = max(least, moved)  # Never past an earlier one of ours.
            order.traded, order.shown = 0.0, now


@inner
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


@inner
def printed(m: int, b: int, ins: int, side: int, at: int, price: int, volume: int) -> None:
    """A print reaches our orders of the side its taker hit, best price first."""
    sign, left, clock = 1 - 2 * side, 0.0, clocks(m)[0]
    i, eaten, rest = 0, 0.0, volume
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
            last, eaten, left = order.price, 0.0, float(rest)
        if beyond > 0:
            order.front = 0.0
        others = min(left, max(0.0, order.front - eaten))
        left -= others
        eaten += others
        order.front -= eaten
        order.traded += float(volume) if beyond == 0 else 0.0
        got = min(int(left), order.size - order.filled)
        left -= got
        rest -= fill(m, b, at, slot, order.price, got, ZERO)
        if order.state != CLOSED:
            i += 1
