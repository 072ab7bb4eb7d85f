"""The compiled risk gate: every order passes it, against the worst case of this instant.

The rules are those of `engine.risk`, over integers; cancels are never refused, but count.
"""

from mm.projections.compiled import inner
from mm.sim.venue import trusted
from mm.sim.world import SENT_MAX, desk_count, desks, instruments, live, markets, sent, slots
from mm.strategy.rules import worth

SECOND = 1_000_000_000
BPS = 10_000
PRICE_MAX = 1 << 31
"""Ticks, far beyond any market's price."""
SIZE_MAX = 1 << 62


@inner
def count_sent(m: int, ins: int, at: int) -> None:
    """Count a message that leaves towards the rate limit."""
    forget(m, ins, at)
    rules = instruments(m)[ins]
    sent(m)[ins, rules.sent_to % SENT_MAX] = at
    rules.sent_to += 1
    rules.sent_from = max(rules.sent_from, rules.sent_to - SENT_MAX)


@inner
def forget(m: int, ins: int, at: int) -> None:
    """Messages older than a second count no more."""
    rules = instruments(m)[ins]
    while (
        rules.sent_from < rules.sent_to and sent(m)[ins, rules.sent_from % SENT_MAX] <= at - SECOND
    ):
        rules.sent_from += 1


@inner
def allowed(m: int, ins: int, at: int, sign: int, price: int, size: int, replaces: int) -> bool:
    """Whether an order passes the risk gate, against the worst case of this instant.

    An amend is checked as the order it would become, in place of the one in the slot it `replaces`;
    a new order replaces none: -1.
    """
    rules, market = instruments(m)[ins], markets(m)[ins]
    if not trusted(m, ins) or not (market.bid_size and market.ask_size):
        return False
    # First what no order may pass, so that no product below outgrows 64 bits.
    if price > PRICE_MAX or size > rules.order_size_max or size > SIZE_MAX:
        return False
    if market.bid >= market.ask or not on_grid(m, ins, price, size):
        return False
    if not affordable(m, ins, price, size):
        return False
    twice = market.bid + market.ask
    if abs(2 * price - twice) * BPS > rules.collar_bps * twice:
        return False
    forget(m, ins, at)
    leaves, count = 0, 0
    for d in range(desk_count(m)):
        if desks(m)[d].instrument != ins:
            continue
        for i in range(desks(m)[d].live):
            order = slots(m)[live(m)[d, i]]
            if live(m)[d, i] == replaces:
                continue
            count += 1
            if order.sign == sign:
                leaves += max(order.size_heard, order.amend_size) - order.heard
            elif stands_in_way(m, live(m)[d, i], sign, price):
                return False
    if sign * rules.net + leaves + size > rules.position_max:
        return False
    if count >= rules.open_orders_max:
        return False
    return rules.sent_to - rules.sent_from < rules.rate_max


@inner
def stands_in_way(m: int, slot: int, sign: int, price: int) -> bool:
    """Whether an order of side `sign` would meet this live one of the other, whatever its state.

    While an amend is under way it may stand at either price.
    """
    order = slots(m)[slot]
    if (price - order.price_heard) * sign >= 0:
        return True
    return bool(order.amend_price and (price - order.amend_price) * sign >= 0)


@inner
def on_grid(m: int, ins: int, price: int, size: int) -> bool:
    """The instrument's own steps and bounds."""
    rules = instruments(m)[ins]
    if price < rules.price_min or 0 < rules.price_max < price:
        return False
    if size < rules.size_min or 0 < rules.size_max < size or size % rules.size_step:
        return False
    return worth(rules.inverse, rules.least_by, rules.least, price, size)


@inner
def affordable(m: int, ins: int, price: int, size: int) -> bool:
    """Whether the notional keeps within our own limit."""
    rules = instruments(m)[ins]
    if rules.inverse:
        return size * rules.most_by <= price * rules.most
    return price * size * rules.most_by <= rules.most
