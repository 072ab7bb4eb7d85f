"""The compiled pass: rows in, books, wakes, matching, latency and orders in one loop.

It returns to Python only when rows run out, when the results have no room left, or when a strategy
raised; one that is a Python object is called from within. A turn is what it is in a session: a
message, or timers and answers that fall due between two messages; strategies are asked once, at its
end. Commands that reach the venue at the very time of an event act before it, unless the venue has
a clock of its own: then, at one time, comes first what reaches us, the feed before answers, and
then the venue's own, the market before commands.
"""

from mm.projections.compiled import ONE, ZERO, inner, njit
from mm.sim.arrivals import act
from mm.sim.stretch import stretch
from mm.sim.trader import hear, pull
from mm.sim.waking import DONE, FAILED, decide, fire, next_timer, sample
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
    instruments,
    responses,
    rows_of,
)

MORE_ROWS, FULL = 0, 1
"""Why the pass returned, beside FAILED, DONE and REVISED_NOW."""
ROOM = 1 << 12
"""Results that one step may add."""


@njit(cache=True)
def stop(m: int, patience: int) -> None:
    """The rows have ended: quotes are pulled, and for `patience` nanoseconds answers awaited."""
    clock = clocks(m)[0]
    clock.stopping = clock.at + patience
    clock.turns += 1
    clock.pending = 0
    pull(m, clock.at)


@inner
def over(m: int) -> bool:
    """Whether nothing of ours lives and nothing is left to be told."""
    for d in range(desk_count(m)):
        if desks(m)[d].live:
            return False
    return clocks(m)[0].pending == 0


@inner
def watched(m: int) -> bool:
    """Whether some desk may be woken by a move of the touch."""
    count = 0
    for ins in range(count_of(m, INSTRUMENTS)):
        count += instruments(m)[ins].watched_by
    return count > 0


@njit(cache=True)
def advance(m: int) -> int:
    """Play until Python is needed; returns why."""
    rows, row_at, clock = count_of(m, ROWS), rows_of(m), clocks(m)[0]
    order_room = count_of(m, ORDERS) - ROOM
    fill_room = count_of(m, FILLS) - ROOM
    point_room = count_of(m, POINTS) - ROOM
    other = count_of(m, BOOKS) - count_of(m, INSTRUMENTS)
    one_clock = ZERO if other else ONE
    coming, going = responses(m), commands(m)
    if clock.failed:
        return FAILED
    if clock.awake:
        why = decide(m, clock.at)
        if why != DONE:
            return why
    timer = next_timer(m)
    calm = not (clock.gathers or clock.stopping)
    blind = calm and not watched(m)
    while True:
        if clock.orders > order_room or clock.fills > fill_room or clock.points > point_room:
            return FULL
        if clock.stopping and over(m):
            return DONE
        if clock.i >= rows and not clock.stopping:
            return MORE_ROWS
        # -- what comes next -----------------------------------------------------------------------
        data = row_at[clock.i].at if clock.i < rows else FAR_AWAY
        answer = arriving = FAR_AWAY
        if clock.response_from < clock.response_to:
            answer = coming[clock.response_from % WIRE].arrival
        if clock.command_from < clock.command_to:
            arriving = going[clock.command_from % WIRE].arrival
        arriving = min(arriving, clock.step_due)
        gathered = clock.gathers and clock.i < rows and answer < data
        if gathered and (row_at[clock.i].venue <= answer or clock.owed):
            answer = data
        # Between two clocks we look once all is played that happened by then, as hftbacktest does.
        look = timer if one_clock else timer + 1
        first = min(data, look, answer)
        ended = ZERO
        if other:
            # The venue's own side, as far as nothing comes before it that reaches us and matters.
            horizon = min(look, answer) if blind and clock.i >= clock.rare else first
            until = min(horizon, arriving + 1)
            if clock.j < rows and row_at[clock.j].venue < until:
                told, rare = clock.response_to, clock.rare
                stretch(m, until, other, ONE, ZERO, ZERO)
                if clock.response_to != told or clock.rare != rare:
                    continue
            known = FAR_AWAY  # Up to here, and with it, all that the venue did is played.
            if clock.j < rows:
                known = row_at[clock.j].venue
            elif not clock.stopping:
                known = row_at[rows - 1].venue
            until = min(horizon, clock.point_due, known + 1, arriving + 1)
            if data < until:
                stretch(m, until, ZERO, ZERO, ONE, ZERO)
                if clock.i >= rows:
                    continue
                data = row_at[clock.i].at
                first = min(data, look, answer)
            if arriving < first:
                if arriving >= known and clock.j >= rows:
                    return MORE_ROWS
                act(m, arriving, other)
                continue
            if first > known:
                return MORE_ROWS
        else:
            until = min(timer, answer, arriving, clock.point_due)
            if calm and data < until:
                ended = stretch(m, until, ZERO, ONE, ONE, ZERO)
                if not ended:
                    if clock.i >= rows:
                        continue
                    data = row_at[clock.i].at
                    first = min(data, look, answer)
            if not ended and arriving <= first:
                if clock.stopping and arriving > clock.stopping:
                    return DONE
                act(m, max(arriving, clock.at), ZERO)
                first = min(first, arriving)
                if clock.response_from < clock.response_to:
                    answer = coming[clock.response_from % WIRE].arrival
        if first == FAR_AWAY or (clock.stopping and first > clock.stopping):
            return DONE
        # -- a turn --------------------------------------------------------------------------------
        now = clock.at
        if not ended:
            now = max(clock.at, min(first, timer))
            if first < data and not (answer <= now or timer <= now or clock.pending):
                continue
            if clock.point_due <= now:
                sample(m, now)
                if clock.point_due <= now:
                    return FULL  # Samples of before this turn are taken before it.
            clock.at = now
            if timer <= now and one_clock:  # As in the engine, before what is heard in this turn.
                fire(m, now)
                timer = next_timer(m)
            if first == data <= now:
                stretch(m, now, ZERO, one_clock, ONE, ONE)
        # -- its end: timers, answers, decisions ---------------------------------------------------
        clock.turns += 1
        clock.pending = 0
        if other and first >= look:
            fire(m, now)
            timer = next_timer(m)
        clock.owed = clock.gathers and first == data and row_at[clock.i - 1].flags & 8
        if clock.response_from < clock.response_to and not clock.owed:
            hear(m, now)
        if clock.awake:
            why = decide(m, now)
            if why != DONE:
                return why
