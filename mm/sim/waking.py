"""When the compiled engine asks a strategy, and what its compiled rule then wants.

Wakes are latched while rows are played and answered at the turn's end, as in `engine.desk`.
"""

from mm.projections.compiled import njit
from mm.sim.trader import quote
from mm.sim.venue import usable
from mm.sim.world import (
    FAR_AWAY,
    POINTS,
    clocks,
    count_of,
    desk_count,
    desks,
    markets,
    numbers,
    points,
    wanted,
)
from mm.strategy.rules import PEGGED, pegged

ASK, DONE = 1, 3
"""Whether Python has to be asked, or all desks were."""


@njit(cache=True)
def looked(m: int, ins: int) -> None:
    """The book changed: wake whoever asked for that."""
    market = markets(m)[ins]
    for d in range(desk_count(m)):
        desk = desks(m)[d]
        if desk.instrument != ins or desk.awake:
            continue
        if desk.top_changed and (market.bid != desk.asked_bid or market.ask != desk.asked_ask):
            desk.awake = 1
        elif desk.moved_bps:
            moved = abs((market.bid + market.ask) / 2 - desk.asked_mid)
            if moved * 10_000.0 >= desk.moved_bps * desk.asked_mid:
                desk.awake = 1


@njit(cache=True)
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


@njit(cache=True)
def next_timer(m: int) -> int:
    """The earliest deadline of any desk."""
    due = FAR_AWAY
    for d in range(desk_count(m)):
        if 0 < desks(m)[d].deadline < due:
            due = desks(m)[d].deadline
    return due


@njit(cache=True)
def fire(m: int, at: int) -> None:
    """Timers that are due wake their desks; the next deadline stands on the grid."""
    for d in range(desk_count(m)):
        desk = desks(m)[d]
        if 0 < desk.deadline <= at:
            desk.awake = 1
            desk.deadline = (at // desk.timer + 1) * desk.timer


@njit(cache=True)
def unquotable(m: int, ins: int) -> bool:
    """Whether there is no book to quote from."""
    market = markets(m)[ins]
    if market.down or not usable(m, ins) or not (market.bid_size and market.ask_size):
        return True
    return bool(market.bid >= market.ask)


@njit(cache=True)
def decide(m: int, at: int) -> int:
    """Ask every desk that is awake, in order; returns ASK where Python has to."""
    clock = clocks(m)[0]
    while clock.desk < desk_count(m):
        desk = desks(m)[clock.desk]
        if desk.awake:
            if desk.rule == 0:
                return ASK
            ask_rule(m, clock.desk, at)
        clock.desk += 1
    clock.desk = 0
    return DONE


@njit(cache=True)
def asked(m: int, d: int) -> None:
    """The strategy was asked: watch for moves from here."""
    desk = desks(m)[d]
    market = markets(m)[desk.instrument]
    desk.awake = 0
    desk.asked_mid = (market.bid + market.ask) / 2
    desk.asked_bid, desk.asked_ask = market.bid, market.ask


@njit(cache=True)
def ask_rule(m: int, d: int, at: int) -> None:
    """A compiled rule says what it wants; nothing is done about what already rests."""
    desk = desks(m)[d]
    market = markets(m)[desk.instrument]
    bids, asks = wanted(m)[2 * d], wanted(m)[2 * d + 1]
    b0, b1, a0, a1 = bids[0], desk.bids, asks[0], desk.asks
    if unquotable(m, desk.instrument):
        desk.bids, desk.asks = 0, 0
    elif desk.rule == PEGGED:
        desk.bids, desk.asks = pegged(numbers(m)[d], market.bid, market.ask, desk.net, bids, asks)
    asked(m, d)
    if (
        desk.settled
        and desk.bids == b1
        and desk.asks == a1
        and (not b1 or bids[0] == b0)
        and (not a1 or asks[0] == a0)
    ):
        return
    quote(m, d, at)
