"""How a venue treats us: its rate limits, its outages, its clock.

None of these moves an order or a position. They say why commands waited or stayed here, so that a
gap in quoting can be explained from the log alone.
"""

from enum import StrEnum

from mm.events.base import Body
from mm.events.units import Nanos


class CircuitState(StrEnum):
    """Closed lets all calls through, open none, half-open one that tries."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class RateLimited(Body, frozen=True, kw_only=True, gc=False, tag="rate.limited"):
    """The venue wants fewer calls: none leaves before `until`; `banned` if it shut us out."""

    venue: str
    endpoint: str
    until: Nanos
    banned: bool
    raw_code: str
    received: Nanos


class CircuitChanged(Body, frozen=True, kw_only=True, gc=False, tag="circuit.changed"):
    """The circuit breaker of one endpoint changed: calls are held back, or go out again."""

    venue: str
    endpoint: str
    state: CircuitState
    why: str
    received: Nanos


class ClockMeasured(Body, frozen=True, kw_only=True, gc=False, tag="clock.measured"):
    """The venue's clock against ours: `offset` is venue minus local, known to half a `round_trip`.

    Nothing is signed while it is not `safe`.
    """

    venue: str
    offset: Nanos
    round_trip: Nanos
    safe: bool
    received: Nanos
