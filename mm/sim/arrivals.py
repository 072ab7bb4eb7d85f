"""Where commands arrive at the compiled venue: checks, taking, resting, amending, canceling.

An order is acked before it fills; one that may not stand is rejected whole: combination, filters,
book, reduce-only, post-only, liquidity and funds are checked, in this order. A taker walks what is
displayed, less what we took before, and never meets an order of our own: what is left of it there
is canceled. Whose an order is, that its id is new, its instrument defined and its cost covered is
the business of whoever sends it.
"""

from mm.projections.compiled import ONE, ZERO, inner, part
from mm.projections.ladder import NONE
from mm.sim.reasons import (
    ALL_CANCELED,
    IOC_REST,
    NO_BOOK,
    NO_FUNDS,
    NO_LIQUIDITY,
    NOT_PERMITTED,
    NOTIONAL_TOO_SMALL,
    POST_ONLY_CROSSED,
    PRICE_OUT_OF_RANGE,
    REDUCE_ONLY,
    REQUESTED,
    SELF_TRADE,
    SIZE_TOO_LARGE,
    SIZE_TOO_SMALL,
    UNKNOWN_ORDER,
)
from mm.sim.takers import await_takers, take_steps
from mm.sim.taking import after, offered, take
from mm.sim.venue import (
    ACK,
    AMEND_REJECTED,
    AMENDED,
    CANCEL,
    CANCEL_ALL,
    CANCEL_REJECTED,
    CLOSED,
    FOK,
    GTC,
    OPEN,
    PLACE,
    REJECT,
    answer,
    end,
    fill,
    reducible,
    respond,
    rest,
    touch,
    unqueue,
    usable,
)
from mm.sim.world import (
    WIRE,
    clocks,
    commands,
    instruments,
    markets,
    queued,
    queues,
    responses,
    slots,
)
from mm.strategy.rules import worth

ANY_PRICE = -(1 << 61)
"""The limit of a market order, as a key of the opposite side: every level is good enough."""


@inner
def limit_of(m: int, slot: int) -> int:
    """An order's limit as a key of the opposite side."""
    order = slots(m)[slot]
    return ANY_PRICE if order.market else -order.sign * order.price


@inner
def crosses(m: int, b: int, slot: int) -> bool:
    """Whether an order would meet what is displayed, or an order of our own."""
    order = slots(m)[slot]
    other = (1 + order.sign) >> 1
    limit = limit_of(m, slot)
    if touch(m, b, other) >= limit and touch(m, b, other) != NONE:
        return True
    if clocks(m)[0].whole or not queued(m)[order.instrument, other]:
        return False
    own = slots(m)[queues(m)[2 * order.instrument + other, 0]].price
    return -order.sign * own >= limit


@inner
def unfit(m: int, b: int, price: int, size: int) -> int:
    """What the instrument's own rules, at the venue of book `b`, say against a limit order.

    0 for nothing.
    """
    rules = instruments(m)[b]
    if size < max(1, rules.size_min):
        return SIZE_TOO_SMALL
    if rules.size_max and size > rules.size_max:
        return SIZE_TOO_LARGE
    if price < max(1, rules.price_min) or (rules.price_max and price > rules.price_max):
        return PRICE_OUT_OF_RANGE
    if not worth(rules.inverse, rules.least_by, rules.least, price, size):
        return NOTIONAL_TOO_SMALL
    return ZERO


@inner
def unfit_at_any_price(m: int, b: int, slot: int) -> int:
    """The same of a market order, whose worth is that at the best price it gets."""
    order, market = slots(m)[slot], markets(m)[b]
    rules = instruments(m)[b]
    if order.size < max(1, rules.size_min):
        return SIZE_TOO_SMALL
    if rules.size_max and order.size > rules.size_max:
        return SIZE_TOO_LARGE
    if market.has_depth or market.has_quote:
        best = sweep(m, b, ZERO, slot, ZERO)[1]
        if best and not worth(rules.inverse, rules.least_by, rules.least, best, order.size):
            return NOTIONAL_TOO_SMALL
    return ZERO


@inner
def unwelcome(m: int, b: int, slot: int) -> int:
    """What book and position say against an order; 0 for nothing."""
    order = slots(m)[slot]
    if not usable(m, b):
        return NO_BOOK
    if order.reduce_only and order.size - order.filled > reducible(m, slot):
        return REDUCE_ONLY
    if order.post_only and crosses(m, b, slot):
        return POST_ONLY_CROSSED
    if order.tif == FOK or order.market:
        lots = sweep(m, b, ZERO, slot, ZERO)[0]
        if not lots or (order.tif == FOK and lots < order.size):
            return NO_LIQUIDITY
    return NO_FUNDS if order.unfunded else ZERO


@inner
def refusal(m: int, b: int, slot: int) -> int:
    """Why an order may not stand; 0 where it may."""
    order, clock = slots(m)[slot], clocks(m)[0]
    if clock.open >= clock.open_max or (order.post_only and (order.tif != GTC or order.market)):
        return NOT_PERMITTED
    if order.market:
        reason = unfit_at_any_price(m, b, slot)
    else:
        reason = unfit(m, b, order.price, order.size)
    return reason or unwelcome(m, b, slot)


@inner
def arrive(m: int, b: int, at: int, slot: int) -> None:
    """An order reaches the venue: refused whole, or acked, then filled, resting or canceled."""
    order = slots(m)[slot]
    reason = refusal(m, b, slot)
    if reason:
        order.state = CLOSED
        answer(m, at, REJECT, slot, reason)
        return
    order.state = OPEN
    clocks(m)[0].open += 1
    respond(m, at, ACK, slot, ZERO, ZERO)
    stand(m, b, at, slot)


@inner
def stand(m: int, b: int, at: int, slot: int) -> None:
    """An order that may stand takes what it meets; what is left rests, or ends."""
    order, blocked = slots(m)[slot], ZERO
    if crosses(m, b, slot):
        blocked = sweep(m, b, at, slot, ONE)[2]
        if order.state == CLOSED:
            return
    if blocked:
        end(m, at, slot, SELF_TRADE)
    elif order.tif == GTC and not order.market:
        rest(m, b, slot)
    else:
        end(m, at, slot, IOC_REST)


@inner
def sweep(m: int, b: int, at: int, slot: int, taking: int) -> tuple[int, int, int, int]:
    """A taker walks what is displayed, less what we took before, up to an order of our own.

    Returns how many lots it gets, their best price, whether an order of our own stops it, and the
    sum of price times lots. It is filled only where it is `taking`: else nothing changes.
    """
    order = slots(m)[slot]
    ins, other, limit = order.instrument, (1 + order.sign) >> 1, limit_of(m, slot)
    left, lots, best, value = order.size - order.filled, ZERO, ZERO, ZERO
    key, wall, front = touch(m, b, other), NONE, 0.0
    if clocks(m)[0].whole:
        if key == NONE or key < limit:
            return ZERO, ZERO, ZERO, ZERO
        if taking:
            fill(m, b, at, slot, -order.sign * key, left, ONE)
        return left, -order.sign * key, ZERO, -order.sign * key * left
    if queued(m)[ins, other]:
        own = slots(m)[queues(m)[2 * ins + other, 0]]
        wall, front = -order.sign * own.price, own.front
    while key != NONE and key >= limit and key >= wall and left:
        price = -order.sign * key
        got = min(offered(m, b, ins, other, key), left)
        if key == wall:
            got = min(got, int(front))
        if got:
            if taking:
                take(m, ins, other, price, fill(m, b, at, slot, price, got, ONE))
            best = best or price
            left -= got
            lots += got
            value += price * got
        if key == wall:
            break
        key = after(m, b, other, key)
    return lots, best, ONE if left and wall != NONE and wall >= limit else ZERO, value


@part
def act(m: int, at: int, books: int) -> None:
    """What happens at the venue by `at` besides the market: commands, and takers after them."""
    clock = clocks(m)[0]
    while clock.command_from < clock.command_to:
        k = clock.command_from % WIRE
        message = commands(m)[k]
        if message.arrival > at:
            break
        if clock.step_due < message.arrival:
            take_steps(m, message.arrival - 1, books)
        clock.command_from += 1
        if message.kind == PLACE:
            arrive(m, slots(m)[message.slot].instrument + books, message.arrival, message.slot)
        elif message.kind == CANCEL:
            if known(m, k):
                end(m, message.arrival, message.slot, REQUESTED)
            else:
                unknown(m, k, CANCEL_REJECTED)
        elif message.kind == CANCEL_ALL:
            cancel_all(m, message.arrival, message.slot)
        elif known(m, k):
            amend(m, slots(m)[message.slot].instrument + books, k)
        else:
            unknown(m, k, AMEND_REJECTED)
        if clock.step:
            await_takers(m, message.arrival)
    if clock.step_due <= at:
        take_steps(m, at, books)


@inner
def amend(m: int, b: int, k: int) -> None:
    """Move the order that command `k` names; it keeps its place at its price, unless it grows."""
    message = commands(m)[k]
    at, slot = message.arrival, message.slot
    order = slots(m)[slot]
    price, size = order.price, order.size
    keeps = message.price == price and message.size <= size
    reason = SIZE_TOO_SMALL
    if message.size > order.filled:
        reason = unfit(m, b, message.price, message.size)
    if not (reason or keeps):
        order.price, order.size = message.price, message.size
        reason = unwelcome(m, b, slot)
        order.price, order.size = price, size
    if reason:
        answer(m, at, AMEND_REJECTED, slot, reason)
        return
    if not keeps:
        unqueue(m, slot)
    order.price, order.size = message.price, message.size
    respond(m, at, AMENDED, slot, message.price, message.size)
    if not keeps:
        stand(m, b, at, slot)


@inner
def known(m: int, k: int) -> bool:
    """Whether the order that command `k` speaks of is open: its slot may be another's by now."""
    message = commands(m)[k]
    order = slots(m)[message.slot]
    same = order.id == message.id and order.instrument == message.instrument
    return same and order.state == OPEN


@inner
def unknown(m: int, k: int, kind: int) -> None:
    """The order that command `k` speaks of is not open."""
    message = commands(m)[k]
    answer(m, message.arrival, kind, message.slot, UNKNOWN_ORDER)
    told = responses(m)[(clocks(m)[0].response_to - 1) % WIRE]
    told.id, told.instrument = message.id, message.instrument


@inner
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
        end(m, at, oldest, ALL_CANCELED)
