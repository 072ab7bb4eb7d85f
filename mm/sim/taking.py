"""What we took from the venue's levels: it is not there for us again until the feed speaks of it.

`taken_lots` lists, for each instrument, the levels that we took from; mostly there are none.
"""

from mm.projections.compiled import inner
from mm.projections.ladder import next_key
from mm.sim.venue import displayed, touch
from mm.sim.world import TAKEN_MAX, TAKEN_WIDTH, instruments, taken_lots


@inner
def taken(m: int, ins: int, side: int, price: int) -> int:
    """Lots of a level that we took since the feed last spoke of it."""
    for i in range(instruments(m)[ins].taken):
        if (
            taken_lots(m)[ins * TAKEN_MAX + i, 0] == side
            and taken_lots(m)[ins * TAKEN_MAX + i, 1] == price
        ):
            return taken_lots(m)[ins * TAKEN_MAX + i, 2]
    return 0


@inner
def take(m: int, ins: int, side: int, price: int, size: int) -> None:
    """We took lots of this level: they are not there for us again."""
    if not size:
        return
    first, count = ins * TAKEN_MAX, instruments(m)[ins].taken
    for i in range(first, first + count):
        if taken_lots(m)[i, 0] == side and taken_lots(m)[i, 1] == price:
            taken_lots(m)[i, 2] += size
            return
    assert count < TAKEN_MAX, "more levels taken from than a book has near its touch"
    entry = taken_lots(m)[first + count]
    entry[0], entry[1], entry[2], entry[3] = side, price, size, 0
    instruments(m)[ins].taken = count + 1


@inner
def list_taken(m: int, ins: int, side: int, price: int) -> None:
    """The feed spoke of a level that we may have taken from."""
    first = ins * TAKEN_MAX
    for i in range(first, first + instruments(m)[ins].taken):
        if taken_lots(m)[i, 0] == side and taken_lots(m)[i, 1] == price:
            taken_lots(m)[i, 3] = 1


@inner
def refresh(m: int, ins: int, side: int, key: int, changed: bool) -> None:
    """A touch was shown: what stands in front of it, or was spoken of, is there for us again.

    The touch itself is if it changed.
    """
    sign, first, i = 1 - 2 * side, ins * TAKEN_MAX, 0
    while i < instruments(m)[ins].taken:
        entry = taken_lots(m)[first + i]
        at = sign * entry[1]
        if entry[0] == side and (at > key or (changed if at == key else entry[3] != 0)):
            instruments(m)[ins].taken -= 1
            last = taken_lots(m)[first + instruments(m)[ins].taken]
            for k in range(TAKEN_WIDTH):
                entry[k] = last[k]
        else:
            if entry[0] == side:
                entry[3] = 0  # What was spoken of counts for this event only.
            i += 1


@inner
def offered(m: int, b: int, ins: int, side: int, key: int) -> int:
    """Lots of a level still to be had, of the touch or of depth behind it."""
    price = (1 - 2 * side) * key
    return max(0, displayed(m, b, side, price) - taken(m, ins, side, price))


@inner
def after(m: int, b: int, side: int, key: int) -> int:
    """The next worse key that is offered, or NONE."""
    best = touch(m, b, side)
    return next_key(m, b, side, min(key, best))
