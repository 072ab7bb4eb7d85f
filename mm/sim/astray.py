"""Commands of the compiled pass that never reach the venue: we hear so later, and no more."""

from mm.projections.compiled import ZERO, inner
from mm.sim.reasons import OTHER
from mm.sim.transit import sending
from mm.sim.venue import (
    AMEND,
    AMEND_REJECTED,
    CANCEL_ALL,
    CANCEL_REJECTED,
    PLACE,
    REJECT,
    put,
)
from mm.sim.world import WIRE, clocks, responses


@inner
def astray(m: int, at: int, kind: int, slot: int) -> bool:
    """Whether a command that leaves now never arrives, as only measured ones may; refused then."""
    delay = sending(m, at, kind, clocks(m)[0].command_to + 1)
    if delay >= 0:
        return False
    if kind != CANCEL_ALL:
        refused = REJECT if kind == PLACE else CANCEL_REJECTED
        if kind == AMEND:
            refused = AMEND_REJECTED
        put(m, ZERO, at - delay, refused, slot, ZERO, ZERO)
        responses(m)[(clocks(m)[0].response_to - 1) % WIRE].reason = OTHER
    clocks(m)[0].pending = 1
    return True
