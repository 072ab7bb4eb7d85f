"""The venue's clock as we know it: what a signature is stamped with, or the refusal to sign.

An offset is venue minus ours, measured against the monotonic clock, so that a step of the wall
clock changes nothing. It is known to half a round trip. Without a fresh and close measurement
nothing is signed: a venue would refuse it, or take it much later than it was meant.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from mm.events.units import MILLIS, SECONDS, Nanos
from mm.events.venue import ClockMeasured
from mm.gateways.verdicts import VenueSaid, Verdict

ROUND_TRIP_MAX: Final = Nanos(2 * SECONDS)
AGE_MAX: Final = Nanos(600 * SECONDS)
SAMPLES: Final = 3
"""The best of so many counts: the one with the shortest round trip."""


class VenueClock:
    """One venue's time, as far as it is known."""

    def __init__(
        self,
        venue: str,
        now: Callable[[], Nanos],
        *,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Know nothing yet; `now` is log time, for the facts."""
        self._venue = venue
        self._now = now
        self._wall = wall
        self._monotonic = monotonic
        self._base: int | None = None
        self._measured = 0
        self.offset = Nanos(0)
        self.round_trip = Nanos(0)

    @property
    def safe(self) -> bool:
        """Whether a signature may be stamped."""
        return self._base is not None and self._monotonic() - self._measured <= AGE_MAX

    def stamp(self) -> int:
        """The venue's present time in milliseconds; raises `VenueSaid` when that is not known."""
        if self._base is None or not self.safe:
            raise VenueSaid(
                Verdict.NOT_SENT,
                raw_code="clock",
                raw_text="the venue's clock is not known well enough to sign anything",
            )
        return (self._base + self._monotonic()) // MILLIS

    async def measure(self, ask: Callable[[], Awaitable[Nanos]]) -> ClockMeasured:
        """Ask the venue for its time; what comes of it is a fact. Raises what `ask` does."""
        best: tuple[int, int] | None = None
        for _ in range(SAMPLES):
            sent = self._monotonic()
            told = await ask()
            heard = self._monotonic()
            trip = heard - sent
            if best is None or trip < best[0]:
                best = (trip, told - (sent + heard) // 2)
        assert best is not None, "at least one sample"
        trip, base = best
        close = trip <= ROUND_TRIP_MAX
        self._base, self._measured = (base if close else None), self._monotonic()
        self.round_trip = Nanos(trip)
        self.offset = Nanos(base + self._monotonic() - self._wall())
        return ClockMeasured(
            venue=self._venue,
            offset=self.offset,
            round_trip=self.round_trip,
            safe=close,
            received=self._now(),
        )

    def doubt(self) -> None:
        """The venue refused a stamp: nothing is signed before the next measurement."""
        self._base = None
