"""Log time: where the runner's `now` comes from.

A paced clock follows the monotonic clock from a start, at any speed; the wall clock is read once,
for that start, and never again. A feed clock stands where the last message of a feed was received:
time moves only as data does, as fast as it can be worked off.
"""

import asyncio
import time
from typing import Protocol

from mm.events.units import SECONDS, Nanos


class Clock(Protocol):
    """Never runs back."""

    @property
    def paced(self) -> bool:
        """Whether time passes by itself."""
        ...

    def now(self) -> Nanos:
        """The present log time."""
        ...

    def seconds_until(self, at: Nanos) -> float:
        """Real seconds until a log time; zero or less when it has passed."""
        ...


class PacedClock:
    """Log time runs `speed` times as fast as real time."""

    paced = True

    def __init__(self, start: Nanos, speed: float = 1.0) -> None:
        """Start now."""
        assert speed > 0, "a clock runs forward"
        self._start = start
        self._speed = speed
        self._origin = time.monotonic_ns()

    def now(self) -> Nanos:
        """Start plus what has passed."""
        elapsed = time.monotonic_ns() - self._origin
        return Nanos(self._start + (elapsed if self._speed == 1.0 else int(elapsed * self._speed)))

    def seconds_until(self, at: Nanos) -> float:
        """Real seconds until `at`."""
        return (at - self.now()) / (SECONDS * self._speed)


class FeedClock:
    """Log time is what the feed says."""

    paced = False

    def __init__(self, start: Nanos) -> None:
        """Stand at `start`."""
        self._now = start

    def now(self) -> Nanos:
        """The latest time it was moved to."""
        return self._now

    def move(self, at: Nanos) -> None:
        """Stand at `at`, or stay where it is later."""
        self._now = max(self._now, at)

    def seconds_until(self, at: Nanos) -> float:
        """No time passes by itself: what is due is due now."""
        return 0.0 if at <= self._now else float("inf")


async def sleep_until(clock: Clock, at: Nanos) -> None:
    """Return when the clock has reached `at`; at once on a feed clock."""
    if clock.paced and (seconds := clock.seconds_until(at)) > 0:
        await asyncio.sleep(seconds)
