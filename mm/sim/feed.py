"""One row of the feed at one book: ours, the venue's, or both where they are one.

Where `matched` is set the book is what our orders match against; where `ours` is set desks look at
it. Nearly every row of a block is played without this, by `stretch`.
"""

from typing import Any

import numpy as np

from mm.log.rows import Kind
from mm.projections.compiled import ONE, ZERO, inner, njit, part, whole
from mm.projections.ladder import (
    BEST,
    NONE,
    WINDOW,
    clear,
    heads,
    set_level,
    shown,
    sizes,
)
from mm.sim.meeting import list_covered, news, printed, spoken_of
from mm.sim.queue_models import RISK_AVERSE
from mm.sim.taking import list_taken, refresh
from mm.sim.waking import looked
from mm.sim.world import (
    FARTHEST,
    NEAR,
    REVISIONS,
    clocks,
    count_of,
    desk_count,
    desks,
    instruments,
    markets,
    revisions,
    rows_of,
    standing,
)

BID, ASK_LEVEL, BOUGHT, SOLD = int(Kind.BID), int(Kind.ASK), int(Kind.BOUGHT), int(Kind.SOLD)
QUOTE_BID, QUOTE_ASK, CLEAR = int(Kind.QUOTE_BID), int(Kind.QUOTE_ASK), int(Kind.CLEAR)
SETTLED, LOST, DOWN, UP = int(Kind.SETTLED), int(Kind.LOST), int(Kind.DOWN), int(Kind.UP)
RESYNCED, STALE, DEFINED = int(Kind.RESYNCED), int(Kind.STALE), int(Kind.DEFINED)
NOBODY = 2 * NONE
"""The sum of both near keys where no order of ours rests."""


@part
def play(m: int, k: int, other: int, at: int, matched: int, ours: int) -> int:
    """Play row `k` at time `at` in the book `other` places further on; returns its flags."""
    row = rows_of(m)[k]
    kind, ins, flags = whole(row.kind), whole(row.instrument), whole(row.flags)
    b, price, size = ins + other, row.price, row.size
    market, rules = markets(m)[b], instruments(m)[ins]
    watched = matched and (rules.bid_near + rules.ask_near != NOBODY or rules.taken != 0)
    if kind <= ASK_LEVEL:
        if kind and market.has_depth:
            side = kind - BID
            key = price if side == 0 else -price
            if watched:
                if rules.taken:
                    market.hit |= 1
                    list_taken(m, ins, side, price)
                if concerns(m, ins, side, key):
                    market.hit |= not clocks(m)[0].whole or key >= -near_of(m, ins, 1 - side)
                    spoken_of(m, ins, side, price, shown(m, b, side, price), size)
            market.stirred |= key >= heads(m)[b, BEST + side]
            set_level(m, b, side, price, size)
    elif kind == BOUGHT:
        if watched and rules.ask_near >= -price:
            printed(m, b, ins, ONE, at, price, size)
        return flags
    elif kind == SOLD:
        if watched and rules.bid_near >= price:
            printed(m, b, ins, ZERO, at, price, size)
        return flags
    elif kind == QUOTE_BID:
        market.was_bid, market.was_bid_size = market.bid, market.bid_size
        market.bid, market.bid_size = price, size
    elif kind == QUOTE_ASK:
        market.was_ask, market.was_ask_size = market.ask, market.ask_size
        market.stirred = 1
        market.ask, market.ask_size = price, size
        market.has_quote, market.updated = 1, at
    elif kind != SETTLED:
        rarely(m, b, row, matched, ours)
    if flags & 1 and kind:
        spoken(m, b, ins, at, kind, flags, watched, ours)
    return flags


@inner
def spoken(
    m: int, b: int, ins: int, at: int, kind: int, flags: int, watched: int, ours: int
) -> None:
    """A depth event or a quote has ended: the touch follows, our orders and desks look at it."""
    market, rules = markets(m)[b], instruments(m)[ins]
    if kind <= ASK_LEVEL or kind in (SETTLED, CLEAR):
        if market.has_depth:
            market.updated = at
            bid, bid_size = market.bid, market.bid_size
            ask, ask_size = market.ask, market.ask_size
            stirred = market.stirred
            if stirred and not flags & 4:
                settle(m, b)
            heard = market.hit or rules.taken
            if watched and (heard or concerned(m, b, ins)):
                moved = bid != market.bid or ask != market.ask
                resized = bid_size != market.bid_size or ask_size != market.ask_size
                if moved or resized or heard or again(m, b, ins):
                    settled(m, b, ins, at, bid, bid_size, ask, ask_size)
            market.hit = 0
            if ours and stirred and rules.watched_by:
                looked(m, ins)
    elif kind == QUOTE_ASK:
        if watched and (market.hit or rules.taken or concerned(m, b, ins)):
            bid, bid_size = market.was_bid, market.was_bid_size
            settled(m, b, ins, at, bid, bid_size, market.was_ask, market.was_ask_size)
        if ours and rules.watched_by:
            looked(m, ins)


@inner
def near_of(m: int, ins: int, side: int) -> int:
    """The key of our best order of a side, NONE without one; chosen by address, not by a branch."""
    return standing(m)[ins, NEAR + 2 * side]


@inner
def concerns(m: int, ins: int, side: int, key: int) -> bool:
    """Whether a level may concern an order of ours that stands at it, or that it crosses."""
    stands = (standing(m)[ins, FARTHEST + 2 * side] <= key) & (key <= near_of(m, ins, side))
    return stands | (key >= -near_of(m, ins, 1 - side)) | (instruments(m)[ins].taken != 0)


@inner
def concerned(m: int, b: int, ins: int) -> bool:
    """Whether an order of ours stands at the touch, in front of it, or against it.

    Where orders fill in full, only the last matters.
    """
    market, rules = markets(m)[b], instruments(m)[ins]
    bid = market.bid if market.bid_size else NONE
    ask = -market.ask if market.ask_size else NONE
    if (rules.bid_near >= bid or rules.ask_near >= ask) and not clocks(m)[0].whole:
        return True
    return bool(ask >= -rules.bid_near or bid >= -rules.ask_near)


@inner
def again(m: int, b: int, ins: int) -> bool:
    """Whether a touch that did not change moves an order of ours up: by what was printed there."""
    market, rules = markets(m)[b], instruments(m)[ins]
    if clocks(m)[0].queue == RISK_AVERSE:
        return False
    if market.bid_size and rules.bid_near >= market.bid:
        return True
    return bool(market.ask_size and rules.ask_near >= -market.ask)


@njit(cache=True, inline="always")
def at_best(m: int, b: int, side: int, price: int) -> int:
    """The size of a best level, which mostly stands in the window."""
    cell = price - heads(m)[b, 0]
    size: int = sizes(m)[2 * b + side, cell] if 0 <= cell < WINDOW else shown(m, b, side, price)
    return size


@inner
def settle(m: int, b: int) -> None:
    """The touch is the depth's best."""
    market = markets(m)[b]
    market.stirred = 0
    bid, ask = heads(m)[b, BEST], -heads(m)[b, BEST + 1]
    if bid == NONE:
        market.bid, market.bid_size = 0, 0
    else:
        market.bid, market.bid_size = bid, at_best(m, b, ZERO, bid)
    if ask == -NONE:
        market.ask, market.ask_size = 0, 0
    else:
        market.ask, market.ask_size = ask, at_best(m, b, ONE, ask)


@inner
def rarely(m: int, b: int, row: Any, matched: int, ours: int) -> None:
    """The rows that come now and then: losses, channels, snapshots, revisions."""
    market = markets(m)[b]
    kind = whole(row.kind)
    if kind == CLEAR:
        clear(m, b)
        market.has_depth = 1
        market.lost &= 2
        market.hit, market.stirred = 2, 1
    elif kind in (LOST, DOWN):
        clear(m, b)
        market.lost, market.has_depth, market.has_quote, market.stirred = 3, 0, 0, 1
        if kind == DOWN:
            market.down |= np.uint64(1) << np.uint64(row.channel & 63)
    elif kind == UP:
        market.down &= ~(np.uint64(1) << np.uint64(row.channel & 63))
    elif kind == RESYNCED:
        market.lost = 0
    if matched and kind in (CLEAR, LOST, DOWN):
        instruments(m)[row.instrument].taken = 0
    if kind == DEFINED and row.price < count_of(m, REVISIONS):
        revision, clock = revisions(m)[row.price], clocks(m)[0]
        if matched:
            rules, revision.fills = instruments(m)[b], clock.fills
            rules.price_min, rules.price_max = revision.price_min, revision.price_max
            rules.size_min, rules.size_max = revision.size_min, revision.size_max
            rules.least_by, rules.least = revision.least_by, revision.least
        if ours:
            revision.heard = clock.revised = clock.awake = 1
    if ours and kind in (LOST, DOWN, UP, RESYNCED, STALE):
        for d in range(desk_count(m)):
            if desks(m)[d].instrument == row.instrument:
                desks(m)[d].awake = 1
                clocks(m)[0].awake = 1


@inner
def settled(
    m: int, b: int, ins: int, at: int, bid: int, bid_size: int, ask: int, ask_size: int
) -> None:
    """A depth event or a quote has changed what is shown: our orders hear of it."""
    market = markets(m)[b]
    if instruments(m)[ins].taken:
        bid_changed = bid != market.bid or bid_size != market.bid_size
        ask_changed = ask != market.ask or ask_size != market.ask_size
        refresh(m, ins, ZERO, market.bid if market.bid_size else NONE, bid_changed)
        refresh(m, ins, ONE, -market.ask if market.ask_size else NONE, ask_changed)
    if market.hit & 2:
        list_covered(m, b, ins)
    news(m, b, ins, at)
