"""A circuit breaker: an endpoint that keeps failing is left alone for a while.

Closed, every call goes out. After so many failures in a row it opens, and no call goes out; when
the pause is over it is half-open, and one call tries. That one closes it, or opens it for longer.
Only outages count: a venue that says no is at work. Each change is a fact.
"""

from collections.abc import Callable
from typing import Final

from mm.events.units import SECONDS, Nanos
from mm.events.venue import CircuitChanged, CircuitState

FAILURES_MAX: Final = 5
PAUSE: Final = Nanos(2 * SECONDS)
PAUSE_MAX: Final = Nanos(60 * SECONDS)


class Breaker:
    """One endpoint of one venue; told the time, it reads no clock."""

    def __init__(self, venue: str, endpoint: str, tell: Callable[[CircuitChanged], None]) -> None:
        """Start closed; `tell` hears of each change."""
        self.state = CircuitState.CLOSED
        self._venue = venue
        self.endpoint = endpoint
        self._tell = tell
        self._failures = 0
        self._pause = PAUSE
        self._until = Nanos(0)
        self._trying = False

    def admits(self, at: Nanos) -> bool:
        """Whether a call may go out now; a half-open circuit admits one, which must be told of."""
        if self.state is CircuitState.CLOSED:
            return True
        if self.state is CircuitState.OPEN and at >= self._until:
            self._become(CircuitState.HALF_OPEN, "one call tries", at)
            self._trying = False
        if self.state is CircuitState.OPEN or self._trying:
            return False
        self._trying = True
        return True

    @property
    def until(self) -> Nanos:
        """When an open circuit lets one call try."""
        return self._until

    def worked(self, at: Nanos) -> None:
        """A call was answered, be it by a refusal."""
        self._failures, self._pause, self._trying = 0, PAUSE, False
        if self.state is not CircuitState.CLOSED:
            self._become(CircuitState.CLOSED, "it answers", at)

    def failed(self, at: Nanos, why: str) -> None:
        """A call found nobody, or nobody who answered."""
        self._failures += 1
        tried, self._trying = self._trying, False
        if self.state is CircuitState.HALF_OPEN and tried:
            self._pause = Nanos(min(2 * self._pause, PAUSE_MAX))
            self._open(at, why)
        elif self.state is CircuitState.CLOSED and self._failures >= FAILURES_MAX:
            self._open(at, why)

    def dropped(self) -> None:
        """A call that was admitted was not made after all."""
        self._trying = False

    def _open(self, at: Nanos, why: str) -> None:
        self._until = Nanos(at + self._pause)
        self._become(CircuitState.OPEN, why, at)

    def _become(self, state: CircuitState, why: str, at: Nanos) -> None:
        self.state = state
        self._tell(
            CircuitChanged(
                venue=self._venue, endpoint=self.endpoint, state=state, why=why, received=at
            )
        )
