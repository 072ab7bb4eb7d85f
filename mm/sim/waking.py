"""When the compiled engine asks a strategy, and what its compiled rule then wants.

Wakes are latched while rows are played and answered at the turn's end, as in `engine.desk`.
"""

from typing import Any

from mm.projections.compiled import ONE, RAISED, ZERO, inner, part
from mm.sim.quoting import quote
from mm.sim.trader import PENDING_CANCEL, UNCERTAIN
from mm.sim.venue import GTC, trusted
from mm.sim.world import (
    FAR_AWAY,
    POINTS,
    answered,
    clocks,
    count_of,
    desk_count,
    desks,
    integers,
    live,
    markets,
    points,
    real,
    slots,
    wanted,
)
from mm.strategy.rules import (
    PEGGED,
    PYTHON,
    Anchored,
    Seen,
    Sides,
    anchored,
    pegged,
    symmetric,
)

OTHER, SAME, FAILED = 0, 1, 2
"""What Python answers: the strategy wants something else than before, the same, or it raised."""
DONE, REVISED_NOW = 3, 4
"""Whether all desks were asked, or are first to be told of revisions."""
USABLE, DEPTH, DOWN, STOPPING = 1, 2, 4, 8
"""What Python is told of the state of a market and of the run."""


@inner
def looked(m: int, ins: int) -> None:
    """The book changed: wake whoever asked for that."""
    market = markets(m)[ins]
    for d in range(desk_count(m)):
        desk = desks(m)[d]
        if desk.instrument != ins or desk.awake:
            continue
        if desk.top_changed and (market.bid != desk.asked_bid or market.ask != desk.asked_ask):
            desk.awake = clocks(m)[0].awake = 1
        elif desk.moved_bps:
            moved = abs((market.bid + market.ask) / 2 - desk.asked_mid)
            if moved and moved * 10_000.0 >= desk.moved_bps * desk.asked_mid:
                desk.awake = clocks(m)[0].awake = 1
        if desk.near and approached(m, d):
            desk.awake = clocks(m)[0].awake = 1


@inner
def approached(m: int, d: int) -> bool:
    """Whether the best price has come near a quote of the desk's since it was last looked at."""
    desk, came = desks(m)[d], False
    bid, ask = desk.near_bid, desk.near_ask
    look(m, d)
    for i in range(desk.live):
        order = slots(m)[live(m)[d, i]]
        reach = order.sign * order.price_heard + desk.near - 1
        best, before = (desk.near_bid, bid) if order.sign > 0 else (desk.near_ask, ask)
        quotes = order.tif == GTC and order.status not in (PENDING_CANCEL, UNCERTAIN)
        came |= quotes and best <= reach < before
    return came


@inner
def look(m: int, d: int) -> None:
    """What is best on either side is looked at, as keys; far away where nothing is shown."""
    desk = desks(m)[d]
    market = markets(m)[desk.instrument]
    desk.near_bid = market.bid if market.bid_size else FAR_AWAY
    desk.near_ask = -market.ask if market.ask_size else FAR_AWAY


@inner
def sample(m: int, until: int) -> None:
    """Points of every desk on the grid of log time, as of before what happens at `until`."""
    clock = clocks(m)[0]
    while clock.point_due <= until:
        for d in range(desk_count(m)):
            desk = desks(m)[d]
            market = markets(m)[desk.instrument]
            point = points(m)[clock.points]
            point.at, point.net = clock.point_due, desk.net
            point.mid2 = market.bid + market.ask if market.bid_size and market.ask_size else 0
            point.instrument, point.desk = desk.instrument, d
            clock.points += 1
        clock.point_due += clock.point_every
        if clock.points + desk_count(m) > count_of(m, POINTS):
            return


@inner
def next_timer(m: int) -> int:
    """The earliest deadline of any desk."""
    due = FAR_AWAY
    for d in range(desk_count(m)):
        if 0 < desks(m)[d].deadline < due:
            due = desks(m)[d].deadline
    return due


@inner
def fire(m: int, at: int) -> None:
    """Timers that are due wake their desks; the next deadline stands on the grid."""
    for d in range(desk_count(m)):
        desk = desks(m)[d]
        if 0 < desk.deadline <= at:
            market = markets(m)[desk.instrument]
            same = market.bid == desk.asked_bid and market.ask == desk.asked_ask
            if desk.news or not (same and desk.when_changed):
                desk.awake = clocks(m)[0].awake = 1
            desk.deadline = (at // desk.timer + 1) * desk.timer


@inner
def unquotable(m: int, ins: int) -> bool:
    """Whether there is no book to quote from."""
    market = markets(m)[ins]
    if market.down or not trusted(m, ins) or not (market.bid_size and market.ask_size):
        return True
    return bool(market.bid >= market.ask)


@inner
def wake_all(m: int, ins: int) -> None:
    """An event was heard: wake whoever wants every one."""
    for d in range(desk_count(m)):
        if desks(m)[d].instrument == ins and desks(m)[d].every_event:
            desks(m)[d].awake = clocks(m)[0].awake = 1


@part
def decide(m: int, at: int) -> int:
    """Ask every desk that is awake, in order; DONE unless Python has to do something first."""
    clock = clocks(m)[0]
    if clock.revised:
        clock.revised = 0
        return REVISED_NOW
    for d in range(desk_count(m)):
        if desks(m)[d].awake:
            if desks(m)[d].rule == PYTHON:
                ask_python(m, d, at)
                if clock.failed:
                    return FAILED
            else:
                ask_rule(m, d, at)
    clock.awake = 0
    return DONE


@inner
def asked(m: int, d: int) -> None:
    """The strategy was asked: watch for moves from here."""
    desk = desks(m)[d]
    market = markets(m)[desk.instrument]
    desk.awake = desk.news = 0
    desk.asked_mid = (market.bid + market.ask) / 2
    desk.asked_bid, desk.asked_ask = market.bid, market.ask
    if desk.near:
        look(m, d)


@inner
def ask_python(m: int, d: int, at: int) -> None:
    """A Python object says what it wants; for the same again, nothing is done."""
    desk, clock = desks(m)[d], clocks(m)[0]
    market = markets(m)[desk.instrument]
    state = USABLE * trusted(m, desk.instrument) | DEPTH * market.has_depth
    state |= DOWN * (market.down != 0) | STOPPING * (clock.stopping != 0)
    clock.asks += 1
    said = answered(
        m,
        d,
        at,
        market.bid,
        market.bid_size,
        market.ask,
        market.ask_size,
        market.updated,
        clock.heard,
        state,
    )
    asked(m, d)
    clock.failed = said in (FAILED, RAISED)
    if not clock.failed and not (said == SAME and desk.settled and not desk.take_sign):
        quote(m, d, at)


@inner
def ask_rule(m: int, d: int, at: int) -> None:
    """A compiled rule says what it wants; for the same again, nothing is done."""
    desk = desks(m)[d]
    bids, asks = wanted(m)[4 * d + 2], wanted(m)[4 * d + 3]
    sides = ruled(m, d, at, bids, asks)
    asked(m, d)
    desk.take_sign = sides.take_sign
    desk.take_price, desk.take_size = sides.take_price, sides.take_size
    same = renewed(m, d, ZERO, desk.bids, sides.bids) & renewed(m, d, ONE, desk.asks, sides.asks)
    desk.bids, desk.asks = sides.bids, sides.asks
    if not (same and desk.settled and not sides.take_sign):
        quote(m, d, at)


@inner
def ruled(m: int, d: int, at: int, bids: Any, asks: Any) -> Sides:
    """What the desk's rule makes of the market and of its own memory."""
    desk = desks(m)[d]
    market, whole, floats = markets(m)[desk.instrument], integers(m)[d], real(m)[d]
    old = desk.book_age_max and at - market.updated > desk.book_age_max
    if clocks(m)[0].stopping or old or unquotable(m, desk.instrument):
        desk.fair, desk.anchored, desk.anchor_net = 0.0, 0, 0
        return Sides(0, 0, 0, 0, 0, 0, 0)
    seen = Seen(at, market.bid, market.bid_size, market.ask, market.ask_size, desk.net)
    if desk.rule == PEGGED:
        return pegged(whole, floats, seen, bids, asks)
    before = Anchored(desk.fair, desk.anchored, desk.anchor_net)
    anchor = anchored(whole, floats, seen, before)
    desk.fair, desk.anchored, desk.anchor_net = anchor.fair, anchor.at, anchor.net
    return symmetric(whole, floats, seen, anchor, bids, asks)


@inner
def renewed(m: int, d: int, side: int, before: int, now: int) -> bool:
    """Whether a side is wanted as before; the new one stands in its place."""
    same = before == now
    for i in range(2 * now):
        level = wanted(m)[4 * d + 2 + side, i]
        if wanted(m)[4 * d + side, i] != level:
            wanted(m)[4 * d + side, i] = level
            same = False
    return same
