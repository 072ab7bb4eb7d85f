"""Log time: where the runner's `now` comes from.

A paced clock follows the monotonic clock from a start, at any speed; the wall clock is read once,
for that start. At real speed it is looked at again once a second, only to tell when it was stepped:
log time does not follow. A feed clock stands where the last message of a feed was received: time
moves only as data does, as fast as it can be worked off.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from mm.events.session import ClockStepped
from mm.events.units import MILLIS, SECONDS, Nanos

STEP_MIN: Final = 100 * MILLIS
"""How far the wall clock must move against the monotonic one before that is told."""
LOOK_EVERY: Final = SECONDS


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

    def stepped(self) -> ClockStepped | None:
        """That the wall clock was stepped since this was last asked; cheap, so ask every turn."""
        ...


class WallWatch:
    """Holds the wall clock against the monotonic one."""

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Remember how far apart they are now."""
        self._wall = wall
        self._monotonic = monotonic
        self._apart = wall() - monotonic()
        self._next = monotonic() + LOOK_EVERY

    def stepped(self) -> ClockStepped | None:
        """By how much they moved against each other since that was last told."""
        now = self._monotonic()
        if now < self._next:
            return None
        self._next = now + LOOK_EVERY
        wall = self._wall()
        moved = wall - now - self._apart
        if abs(moved) < STEP_MIN:
            return None
        self._apart += moved
        return ClockStepped(offset=Nanos(moved), wall_time=Nanos(wall))


class PacedClock:
    """Log time runs `speed` times as fast as real time."""

    paced = True

    def __init__(self, start: Nanos, speed: float = 1.0, watch: WallWatch | None = None) -> None:
        """Start now; at real speed the wall clock is watched."""
        assert speed > 0, "a clock runs forward"
        self._start = start
        self._speed = speed
        self._origin = time.monotonic_ns()
        self._watch = (watch or WallWatch()) if speed == 1.0 else None

    def now(self) -> Nanos:
        """Start plus what has passed."""
        elapsed = time.monotonic_ns() - self._origin
        return Nanos(self._start + (elapsed if self._speed == 1.0 else int(elapsed * self._speed)))

    def seconds_until(self, at: Nanos) -> float:
        """Real seconds until `at`."""
        return (at - self.now()) / (SECONDS * self._speed)

    def stepped(self) -> ClockStepped | None:
        """What the watch saw; at another speed there is nothing to compare."""
        return self._watch.stepped() if self._watch is not None else None


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

    def stepped(self) -> ClockStepped | None:
        """The wall clock has no part in this."""
        return None


async def sleep_until(clock: Clock, at: Nanos) -> None:
    """Return when the clock has reached `at`; at once on a feed clock.

    A loop's timers may fire up to a millisecond early, so that one sleep is not enough.
    """
    while clock.paced and (seconds := clock.seconds_until(at)) > 0:  # noqa: ASYNC110
        await asyncio.sleep(seconds)
