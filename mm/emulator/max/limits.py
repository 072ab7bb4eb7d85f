"""What MAX allows: requests by the minute, messages and connections of sockets; past it, a ban.

Whoever does not wait for the end of a ban begins it anew. `Retry-After` is when it ends, in Unix
seconds.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from mm.emulator.max.refusals import Refused
from mm.events.units import SECONDS, Nanos

MINUTE: Final = Nanos(60 * SECONDS)
HOUR: Final = Nanos(3_600 * SECONDS)
REQUESTS_MAX: Final = 1_200
CONNECTS_MAX: Final = 600
SAID_MAX: Final = ((Nanos(SECONDS), 20), (MINUTE, 200))
"""Messages of one socket: within a span, so many."""
BAN: Final = MINUTE
TOO_MANY: Final = 429


class Count:
    """What happened within the last span; changes in place."""

    def __init__(self, span: Nanos, most: int) -> None:
        """Nothing yet."""
        self._span = span
        self._most = most
        self._times: deque[Nanos] = deque()

    def take(self, at: Nanos) -> bool:
        """Count one more; whether there was room for it."""
        times = self._times
        while times and times[0] <= at - self._span:
            times.popleft()
        if len(times) >= self._most:
            return False
        times.append(at)
        return True

    @property
    def used(self) -> int:
        """How many stood within the span when it was last counted."""
        return len(self._times)


class Limits:
    """All counts of an emulator, whose clients have one address; changes in place."""

    def __init__(self, clock: Callable[[], Nanos], requests_max: int = REQUESTS_MAX) -> None:
        """Nobody has asked for anything."""
        self._clock = clock
        self._requests_max = requests_max
        self._counts: dict[str, Count] = {}
        self._banned_until = Nanos(0)

    def request(self, who: str) -> None:
        """Count a request of an account, or of the address; raises `Refused`."""
        self._admit(who, Count(MINUTE, self._requests_max))

    def connect(self) -> None:
        """Count a socket; raises `Refused`."""
        self._admit("sockets", Count(HOUR, CONNECTS_MAX))

    def _admit(self, who: str, fresh: Count) -> None:
        now = self._clock()
        banned = now < self._banned_until
        if not banned and self._counts.setdefault(who, fresh).take(now):
            return
        self._banned_until = Nanos(now + BAN)
        refused = Refused(TOO_MANY, "too many requests", status=TOO_MANY)
        refused.headers["Retry-After"] = str(-(-self._banned_until // SECONDS))
        raise refused

    def usage(self) -> dict[str, int]:
        """How much of each was used."""
        return {name: count.used for name, count in self._counts.items()}


class Said:
    """How much one client says on its socket."""

    def __init__(self, clock: Callable[[], Nanos]) -> None:
        """Nothing yet."""
        self._clock = clock
        self._counts = [Count(span, most) for span, most in SAID_MAX]

    def take(self) -> bool:
        """Count a message; whether it may be said."""
        now = self._clock()
        taken = [count.take(now) for count in self._counts]
        return all(taken)
