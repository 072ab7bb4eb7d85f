"""The compiled pass: rows in, books, wakes, matching, latency and orders in one loop.

It returns to Python only when a strategy that is a Python object is awake, when rows run out, or
when the results have no room left. A turn is what it is in a session: a message, or timers and
answers that fall due between two messages; strategies are asked once, at its end. Commands that
reach the venue at the very time of an event act before it, unless the venue has a clock of its own:
then, at one time, comes first what reaches us, the feed before answers, and then the venue's own,
the market before commands.
"""

from typing import Any

import numpy as np

from mm.log.rows import Kind
from mm.projections.compiled import njit, whole
from mm.projections.ladder import (
    BEST,
    MARGIN,
    NONE,
    WINDOW,
    bits,
    clear,
    heads,
    set_level,
    shown,
    sizes,
)
from mm.sim.trader import hear, quote
from mm.sim.venue import act, list_covered, news, printed, refresh_touch, spoken_of, usable
from mm.sim.world import (
    BOOKS,
    FAR_AWAY,
    FILLS,
    INSTRUMENTS,
    ORDERS,
    POINTS,
    ROWS,
    WIRE,
    clocks,
    commands,
    count_of,
    desk_count,
    desks,
    instrument_count,
    instruments,
    markets,
    numbers,
    points,
    responses,
    rows_of,
    wanted,
)
from mm.strategy.rules import PEGGED, pegged

MORE_ROWS, ASK, FULL, DONE = 0, 1, 2, 3
"""Why the pass returned."""
BID, ASKED, BOUGHT, SOLD = int(Kind.BID), int(Kind.ASK), int(Kind.BOUGHT), int(Kind.SOLD)
QUOTE_BID, QUOTE_ASK, CLEAR = int(Kind.QUOTE_BID), int(Kind.QUOTE_ASK), int(Kind.CLEAR)
SETTLED, LOST, DOWN, UP = int(Kind.SETTLED), int(Kind.LOST), int(Kind.DOWN), int(Kind.UP)
RESYNCED, STALE = int(Kind.RESYNCED), int(Kind.STALE)
ROOM = 256
"""Results that one step may add."""


@njit(cache=True, inline="always")
def at_best(m: int, b: int, side: int, price: int) -> int:
    """The size of a best level, which mostly stands in the window."""
    cell = price - heads(m)[b, 0]
    size: int = sizes(m, b, side)[cell] if 0 <= cell < WINDOW else shown(m, b, side, price)
    return size


@njit(cache=True)
def settle(m: int, b: int, at: int, leads: int) -> None:
    """A depth event ends: the touch is the depth's best, unless a newer quote stays."""
    market = markets(m)[b]
    market.updated = at
    if leads:
        return
    bid, ask = heads(m)[b, BEST], -heads(m)[b, BEST + 1]
    if bid == NONE:
        market.bid, market.bid_size = 0, 0
    else:
        market.bid, market.bid_size = bid, at_best(m, b, 0, bid)
    if ask == -NONE:
        market.ask, market.ask_size = 0, 0
    else:
        market.ask, market.ask_size = ask, at_best(m, b, 1, ask)


@njit(cache=True)
def rarely(m: int, b: int, row: Any, ours: bool) -> None:
    """The rows that come now and then: losses, channels, snapshots."""
    market = markets(m)[b]
    kind = whole(row.kind)
    if kind == CLEAR:
        clear(m, b)
        market.has_depth, market.lost = 1, 0
        market.hit = 2
        if b < instrument_count(m) or clocks(m)[0].two_clocks:
            instruments(m)[row.instrument].taken = 0
    elif kind in (LOST, DOWN):
        market.lost, market.has_depth, market.has_quote = 1, 0, 0
        if kind == DOWN:
            market.down |= np.uint64(1) << np.uint64(row.channel & 63)
    elif kind == UP:
        market.down &= ~(np.uint64(1) << np.uint64(row.channel & 63))
    elif kind == RESYNCED:
        market.lost = 0
    if ours and kind in (LOST, DOWN, UP, RESYNCED, STALE):
        for d in range(desk_count(m)):
            if desks(m)[d].instrument == row.instrument:
                desks(m)[d].awake = 1


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
    want = wanted(m)[d]
    b0, b1, a0, a1 = want[0, 0], desk.bids, want[1, 0], desk.asks
    if unquotable(m, desk.instrument):
        desk.bids, desk.asks = 0, 0
    elif desk.rule == PEGGED:
        desk.bids, desk.asks = pegged(
            numbers(m)[d], market.bid, market.ask, desk.net, want[0], want[1]
        )
    asked(m, d)
    if (
        desk.settled
        and desk.bids == b1
        and desk.asks == a1
        and (not b1 or want[0, 0] == b0)
        and (not a1 or want[1, 0] == a0)
    ):
        return
    quote(m, d, at)


@njit(cache=True)
def advance(m: int) -> int:
    """Play until Python is needed; returns why."""
    rows, row_at = count_of(m, ROWS), rows_of(m)
    order_room = count_of(m, ORDERS) - ROOM
    fill_room = count_of(m, FILLS) - ROOM
    point_room = count_of(m, POINTS) - ROOM
    rules_at, market_at = instruments(m), markets(m)
    clock = clocks(m)[0]
    other = count_of(m, BOOKS) - count_of(m, INSTRUMENTS)
    timer = next_timer(m)
    if clock.phase == 1:  # Python has answered for a desk.
        quote(m, clock.desk, clock.at)
        clock.desk += 1
        if decide(m, clock.at) == ASK:
            return ASK
        clock.phase = 0
        timer = next_timer(m)
    while True:
        if clock.orders > order_room or clock.fills > fill_room or clock.points > point_room:
            return FULL
        # -- what comes next -----------------------------------------------------------------------
        data = row_at[clock.i].at if clock.i < rows else FAR_AWAY
        answer = FAR_AWAY
        if clock.response_from < clock.response_to:
            answer = responses(m)[clock.response_from % WIRE].arrival
        arriving = FAR_AWAY
        if clock.command_from < clock.command_to:
            arriving = commands(m)[clock.command_from % WIRE].arrival
        if clock.i >= rows and not clock.stopping:
            return MORE_ROWS
        venue = FAR_AWAY
        if other:
            if clock.j < rows:
                venue = row_at[clock.j].venue
            elif not clock.stopping:
                return MORE_ROWS
        at = min(data, timer, answer, arriving, venue)
        if at == FAR_AWAY or (clock.stopping and at > clock.stopping):
            return DONE
        # -- the venue's own side, where it has a clock of its own ---------------------------------
        if other:
            if at < data and at < answer and at < timer:
                if venue <= arriving:
                    play_venue(m, other)
                else:
                    act(m, at, other)
                continue
        elif arriving <= at:
            act(m, max(at, clock.at), 0)
            if clock.response_from < clock.response_to:
                answer = responses(m)[clock.response_from % WIRE].arrival
        # -- a turn --------------------------------------------------------------------------------
        now = max(clock.at, at)
        if at < data:
            if not (answer <= now or timer <= now or clock.pending):
                continue
            if clock.point_due <= now:
                sample(m, now)
            clock.at = now
        else:
            if clock.point_due <= now:
                sample(m, now)
            clock.at = now
            # One message: every row of it, in the order in which it was received.
            while True:
                row = row_at[clock.i]
                clock.i += 1
                kind, ins = whole(row.kind), whole(row.instrument)
                flags = whole(row.flags)
                market = market_at[ins]
                if kind in (BID, ASKED):
                    side = kind - BID
                    if market.has_depth:
                        price, size = row.price, row.size
                        key = price if side == 0 else -price
                        if (
                            not other
                            and rules_at[ins].bid_near + rules_at[ins].ask_near != 2 * NONE
                        ):
                            rules = rules_at[ins]
                            if side == 0:
                                hit = (
                                    rules.bid_far <= key <= rules.bid_near
                                ) or key >= -rules.ask_near
                            else:
                                hit = (
                                    rules.ask_far <= key <= rules.ask_near
                                ) or key >= -rules.bid_near
                            if hit:
                                market.hit |= 1
                                before = shown(m, ins, side, price)
                                spoken_of(m, ins, ins, side, price, before, size)
                        cell = price - heads(m)[ins, 0]
                        word = cell >> 6
                        best = heads(m)[ins, BEST + side]
                        mask = np.uint64(1) << np.uint64(cell & 63)
                        if MARGIN <= cell < WINDOW - MARGIN and (size > 0 or key != best):
                            sizes(m, ins, side)[cell] = size
                            if size:
                                bits(m, ins, side)[word] |= mask
                                if key > best:
                                    heads(m)[ins, BEST + side] = key
                            else:
                                bits(m, ins, side)[word] &= ~mask
                        else:
                            set_level(m, ins, side, price, size)
                elif kind == BOUGHT:
                    if not other and rules_at[ins].ask_near >= -row.price:
                        printed(m, ins, ins, 1, now, row.price, row.size)
                elif kind == SOLD:
                    if not other and rules_at[ins].bid_near >= row.price:
                        printed(m, ins, ins, 0, now, row.price, row.size)
                elif kind == QUOTE_BID:
                    market.bid, market.bid_size = row.price, row.size
                elif kind == QUOTE_ASK:
                    market.ask, market.ask_size = row.price, row.size
                    market.has_quote, market.updated = 1, now
                elif kind not in (0, SETTLED):
                    rarely(m, ins, row, True)
                if flags & 1:
                    if kind in (BID, ASKED, SETTLED, CLEAR):
                        if market.has_depth:
                            bid, bid_size = market.bid, market.bid_size
                            ask, ask_size = market.ask, market.ask_size
                            settle(m, ins, now, flags & 4)
                            if not other:
                                rules = rules_at[ins]
                                if rules.bid_near + rules.ask_near != 2 * NONE:
                                    moved = (
                                        market.hit
                                        or bid != market.bid
                                        or ask != market.ask
                                        or bid_size != market.bid_size
                                        or ask_size != market.ask_size
                                    )
                                    if moved:
                                        settled(m, ins, ins, now, bid, bid_size, ask, ask_size)
                            market.hit = 0
                        looked(m, ins)
                    elif kind == QUOTE_ASK:
                        if not other:
                            settled(m, ins, ins, now, 0, -1, 0, -1)
                        looked(m, ins)
                if flags & 2:
                    break
                if clock.i >= rows:
                    break
        # -- its end: timers, answers, decisions ---------------------------------------------------
        clock.turns += 1
        clock.pending = 0
        if timer <= now:
            fire(m, now)
            timer = next_timer(m)
        if answer <= now or clock.response_from < clock.response_to:
            hear(m, now)
        if decide(m, now) == ASK:
            clock.phase = 1
            return ASK


@njit(cache=True)
def settled(
    m: int, b: int, ins: int, at: int, bid: int, bid_size: int, ask: int, ask_size: int
) -> None:
    """A depth event or a quote has changed what is shown: our orders hear of it."""
    market = markets(m)[b]
    if instruments(m)[ins].taken:
        bid_changed = bid != market.bid or bid_size != market.bid_size
        ask_changed = ask != market.ask or ask_size != market.ask_size
        refresh_touch(m, ins, 0, market.bid if market.bid_size else NONE, bid_changed)
        refresh_touch(m, ins, 1, -market.ask if market.ask_size else NONE, ask_changed)
    if market.hit & 2:
        list_covered(m, b, ins)
    news(m, b, ins, at)


@njit(cache=True)
def play_venue(m: int, other: int) -> None:
    """The next row happens at the venue, whose book runs ahead of ours."""
    clock = clocks(m)[0]
    row = rows_of(m)[clock.j]
    clock.j += 1
    at, flags = row.venue, whole(row.flags)
    kind, ins = whole(row.kind), whole(row.instrument)
    b = ins + other
    market = markets(m)[b]
    if kind in (BID, ASKED):
        if market.has_depth:
            side = kind - BID
            rules = instruments(m)[ins]
            key = row.price if side == 0 else -row.price
            if rules.bid_near + rules.ask_near != 2 * NONE:
                if side == 0:
                    hit = (rules.bid_far <= key <= rules.bid_near) or key >= -rules.ask_near
                else:
                    hit = (rules.ask_far <= key <= rules.ask_near) or key >= -rules.bid_near
                if hit:
                    market.hit |= 1
                    before = shown(m, b, side, row.price)
                    spoken_of(m, b, ins, side, row.price, before, row.size)
            set_level(m, b, side, row.price, row.size)
    elif kind == BOUGHT:
        if instruments(m)[ins].ask_near >= -row.price:
            printed(m, b, ins, 1, at, row.price, row.size)
    elif kind == SOLD:
        if instruments(m)[ins].bid_near >= row.price:
            printed(m, b, ins, 0, at, row.price, row.size)
    elif kind == QUOTE_BID:
        market.bid, market.bid_size = row.price, row.size
    elif kind == QUOTE_ASK:
        market.ask, market.ask_size = row.price, row.size
        market.has_quote = 1
    elif kind not in (0, SETTLED):
        rarely(m, b, row, False)
    if flags & 1 or clock.whole:
        if (kind in (BID, ASKED, SETTLED, CLEAR)) and market.has_depth:
            bid, bid_size, ask, ask_size = market.bid, market.bid_size, market.ask, market.ask_size
            settle(m, b, at, flags & 4)
            settled(m, b, ins, at, bid, bid_size, ask, ask_size)
            market.hit = 0
        elif kind == QUOTE_ASK:
            settled(m, b, ins, at, 0, -1, 0, -1)
