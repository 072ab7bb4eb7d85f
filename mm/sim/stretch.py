"""Rows one after the other, as long as nobody has to be asked: every row is played from here.

A level inside the window, a print that reaches none of our orders and the end of an event that
concerns none of them, which are nearly all, cost no call. What is left is for `feed`.
"""

import numpy as np

from mm.log.rows import Kind
from mm.projections.compiled import ONE, ZERO, inner, part, whole
from mm.projections.ladder import BEST, MARGIN, WINDOW, bits, heads, sizes
from mm.sim.feed import NOBODY, concerns, play, settle, spoken
from mm.sim.waking import wake_all
from mm.sim.world import ROWS, clocks, count_of, instruments, markets, rows_of

BID, ASK_LEVEL, BOUGHT, SOLD = int(Kind.BID), int(Kind.ASK), int(Kind.BOUGHT), int(Kind.SOLD)
SETTLED, LOST, STALE = int(Kind.SETTLED), int(Kind.LOST), int(Kind.STALE)
DEFINED = int(Kind.DEFINED)


@part
def stretch(m: int, until: int, other: int, matched: int, ours: int, single: int) -> int:
    """Play rows up to a time; whether a turn was played whose end is left to the caller.

    With `ours` rows are messages that reach us, played whole, at the log's times; without it they
    are the venue's, played in the books `other` places further on, at its times. It stops early at
    what makes an answer or wakes a desk, and after the first message if only a `single` one is
    asked for, whenever that comes.
    """
    clock, row_at, rows = clocks(m)[0], rows_of(m), count_of(m, ROWS)
    at, told, turns, due = clock.at, clock.response_to, 0, -ONE
    first = k = clock.i if ours else clock.j
    halt, flags = single, ZERO
    every, idle = ours and clock.every_event, clock.whole or not matched
    while k < rows:
        row = row_at[k]
        when = row.at if ours else row.venue
        if when >= until and not single:
            break
        at = max(at, when) if ours else when
        kind, flags, b = row.kind, whole(row.flags), row.instrument + other
        price, size, ends = row.price, row.size, flags & 1
        market, rules = markets(m)[b], instruments(m)[row.instrument]
        swift = False
        if kind in (BID, ASK_LEVEL):
            # What differs by chance from row to row is chosen, not branched on.
            side = whole(kind) - BID
            key = (1 - 2 * side) * price
            base, best = heads(m)[b, 0], heads(m)[b, BEST + side]
            cell = np.uint64(price - base)  # What lies before the window is beyond its end.
            swift = (cell - np.uint64(MARGIN) < np.uint64(WINDOW - 2 * MARGIN)) & (
                market.has_depth != 0
            )
            swift &= (size != 0) | (key != best)
            if matched:
                swift &= not concerns(m, whole(row.instrument), side, key)
            if swift:
                row_of_bits, word = bits(m)[2 * b + side], cell >> np.uint64(6)
                sizes(m)[2 * b + side, cell] = size
                place, some = cell & np.uint64(63), size != 0
                row_of_bits[word] = (row_of_bits[word] & ~(np.uint64(1) << place)) | (
                    np.uint64(some) << place
                )
                heads(m)[b, BEST + side] = key if (key > best) & some else best
                market.stirred |= key >= best
        elif kind == BOUGHT:
            swift, ends = not (matched and rules.ask_near >= -price), 0
        elif kind == SOLD:
            swift, ends = not (matched and rules.bid_near >= price), 0
        elif kind == SETTLED:
            swift = True
        elif kind == 0:
            swift, ends = True, 0
            if size == 1:
                market.updated = at  # A quote older than the book says that it still lives.
        if not swift:
            if due >= 0 and kind > ASK_LEVEL:
                catch_up(m, due)
            play(m, k, other, at, matched, ours)
            if (LOST <= kind <= STALE or kind == DEFINED) and not ours:
                clock.rare, halt = k + 1, True
            halt |= clock.awake | (clock.response_to != told)
        elif ends and market.has_depth:
            market.updated = at
            if idle and not (market.hit or market.has_quote or (ours and rules.watched_by)):
                # Nobody looks: the touch may follow later, once for many events.
                if due >= 0 and due != b:
                    catch_up(m, due)
                due = b
            else:
                # What was printed at a touch that did not change moves us up there, in some models.
                printed = (market.bid_size != 0) & (rules.bid_near >= market.bid)
                printed |= (market.ask_size != 0) & (rules.ask_near >= -market.ask)
                if market.stirred | market.hit or (matched and clock.queue and printed):
                    ins = whole(row.instrument)
                    near = rules.bid_near + rules.ask_near != NOBODY or rules.taken
                    spoken(m, ins + other, ins, at, whole(kind), flags, matched and near, ours)
                    halt |= clock.awake | (clock.response_to != told)
        if every and flags & 1 and kind <= SETTLED and (kind or size):
            wake_all(m, whole(row.instrument))
            halt |= clock.awake
        k += 1
        turns += flags >> 1 & 1
        if halt and (flags & 2 or not ours):
            break
    if due >= 0:
        catch_up(m, due)
    if not ours:
        clock.j = k
        return False
    if k > first:
        clock.i, clock.at, clock.pending = k, at, 0
        turns += k >= rows and not flags & 2  # The last rows may not say that their turn ends.
        clock.turns += turns - halt
    return halt


@inner
def catch_up(m: int, b: int) -> None:
    """The touch follows the depth of events that have ended."""
    if markets(m)[b].stirred:
        settle(m, b)
