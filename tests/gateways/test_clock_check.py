"""A venue's clock: measured against ours, made up for, and no signature without it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.events.units import MILLIS, SECONDS, Nanos
from mm.gateways.clock_check import AGE_MAX, ROUND_TRIP_MAX, VenueClock
from mm.gateways.verdicts import VenueSaid, Verdict

VENUE = 1_700_000_000 * SECONDS


class Clocks:
    """Two clocks of ours and one of the venue's, which a test moves."""

    def __init__(self, ahead: int = 0, trips: tuple[int, ...] = (10 * MILLIS,) * 9) -> None:
        """Our wall clock is `ahead` of the venue's."""
        self.monotonic = 5 * SECONDS
        self.ahead = ahead
        self.trips = list(trips)
        self.clock = VenueClock(
            "fake", lambda: Nanos(0), wall=lambda: self.venue + self.ahead, monotonic=self.passed
        )

    @property
    def venue(self) -> int:
        """The venue's time."""
        return VENUE + self.monotonic

    def passed(self) -> int:
        """Our monotonic time."""
        return self.monotonic

    async def ask(self) -> Nanos:
        """The venue answers in the middle of the round trip."""
        trip = self.trips.pop(0)
        self.monotonic += trip // 2
        told = self.venue
        self.monotonic += trip - trip // 2
        return Nanos(told)


async def test_a_stamp_is_the_venues_time() -> None:
    """However wrong our own clock is, and however it is stepped later."""
    clocks = Clocks(ahead=40 * SECONDS)
    measured = await clocks.clock.measure(clocks.ask)
    assert (measured.offset, measured.safe) == (-40 * SECONDS, True)
    clocks.monotonic += 7 * SECONDS
    clocks.ahead = -3_600 * SECONDS
    assert clocks.clock.stamp() == clocks.venue // MILLIS


async def test_the_shortest_round_trip_counts() -> None:
    """It leaves the least room for error."""
    clocks = Clocks(trips=(900 * MILLIS, 20 * MILLIS, 500 * MILLIS))
    measured = await clocks.clock.measure(clocks.ask)
    assert measured.round_trip == 20 * MILLIS


async def test_a_venue_too_far_away_is_not_signed_for() -> None:
    """A stamp that may be off by more than a second is none."""
    clocks = Clocks(trips=(ROUND_TRIP_MAX + 2,) * 3)
    measured = await clocks.clock.measure(clocks.ask)
    assert not measured.safe
    with pytest.raises(VenueSaid) as refused:
        clocks.clock.stamp()
    assert refused.value.verdict is Verdict.NOT_SENT


async def test_nothing_is_signed_without_a_fresh_measurement() -> None:
    """Before the first one, after a doubt, and when it is too old."""
    clocks = Clocks()
    assert not clocks.clock.safe
    await clocks.clock.measure(clocks.ask)
    assert clocks.clock.safe
    clocks.clock.doubt()
    assert not clocks.clock.safe
    await clocks.clock.measure(clocks.ask)
    clocks.monotonic += AGE_MAX + 1
    with pytest.raises(VenueSaid, match="not known well enough"):
        clocks.clock.stamp()


@given(ahead=st.integers(-(10**15), 10**15), trip=st.integers(0, ROUND_TRIP_MAX))
def test_a_stamp_is_off_by_half_a_round_trip_at_most(ahead: int, trip: int) -> None:
    """Wherever on the way the venue looked at its clock."""
    clocks = Clocks(ahead=ahead, trips=(trip,) * 3)
    measuring = clocks.clock.measure(clocks.ask)
    with pytest.raises(StopIteration):
        measuring.send(None)
    assert abs(clocks.clock.stamp() * MILLIS - clocks.venue) <= trip // 2 + MILLIS
