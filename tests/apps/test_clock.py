"""Log time never runs back, whatever the wall clock does."""

from __future__ import annotations

import asyncio
import time

import pytest

from mm.apps.clock import LOOK_EVERY, STEP_MIN, FeedClock, PacedClock, WallWatch, sleep_until
from mm.events.units import MILLIS, SECONDS, Nanos
from tests.apps.stage import START


class Hands:
    """A wall clock and a monotonic one, moved by hand."""

    def __init__(self) -> None:
        """Start somewhere."""
        self.wall = START * 1
        self.monotonic = 5

    def watch(self) -> WallWatch:
        """A watch on both."""
        return WallWatch(lambda: self.wall, lambda: self.monotonic)

    def pass_by(self, nanos: int) -> None:
        """Let time pass for both."""
        self.wall += nanos
        self.monotonic += nanos


def test_a_feed_clock_stays_where_it_is() -> None:
    """A message from before moves nothing; one from after moves it there."""
    clock = FeedClock(START)
    clock.move(Nanos(START - SECONDS))
    assert clock.now() == START
    clock.move(Nanos(START + 1))
    assert clock.now() == START + 1
    assert clock.stepped() is None
    assert not clock.paced


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_a_paced_clock_follows_the_monotonic_clock(speed: float) -> None:
    """Start plus elapsed real time, times the speed."""
    clock = PacedClock(START, speed)
    before = time.monotonic_ns()
    first = clock.now()
    time.sleep(0.02)
    second = clock.now()
    most = (time.monotonic_ns() - before) * speed + MILLIS
    assert START <= first < second
    assert 0.02 * SECONDS * speed <= second - first <= most


def test_a_paced_clock_never_reads_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock jumps a day back; log time does not notice."""
    clock = PacedClock(START)
    real = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: real - 86_400 * SECONDS)
    assert 0 <= clock.now() - START < SECONDS


async def test_sleeping_ends_at_the_time() -> None:
    """A paced clock waits as long as its speed says; a feed clock waits for nobody."""
    clock = PacedClock(START, 100.0)
    await sleep_until(clock, Nanos(START + SECONDS))
    assert clock.now() >= START + SECONDS
    async with asyncio.timeout(1):
        await sleep_until(FeedClock(START), Nanos(START + 3600 * SECONDS))
        await sleep_until(clock, START)


@pytest.mark.parametrize("step", [-3600 * SECONDS, STEP_MIN, 3600 * SECONDS])
def test_a_step_is_told_once(step: int) -> None:
    """By how much the clocks moved against each other, and the new wall time; then no more."""
    hands = Hands()
    watch = hands.watch()
    hands.pass_by(LOOK_EVERY)
    hands.wall += step
    told = watch.stepped()
    assert told is not None
    assert told.offset == step
    assert told.wall_time == hands.wall
    for _ in range(3):
        hands.pass_by(LOOK_EVERY)
        assert watch.stepped() is None


def test_it_looks_once_a_second() -> None:
    """A step is seen at the next look, not before."""
    hands = Hands()
    watch = hands.watch()
    hands.wall -= SECONDS
    hands.pass_by(LOOK_EVERY - 1)
    assert watch.stepped() is None
    hands.pass_by(1)
    assert watch.stepped() is not None


def test_a_slow_drift_adds_up() -> None:
    """Drift is told when it has become a step, and what was told is not told again."""
    hands = Hands()
    watch = hands.watch()
    told = []
    for _ in range(250):
        hands.pass_by(LOOK_EVERY)
        hands.wall += MILLIS
        told.append(watch.stepped())
    offsets = [each.offset for each in told if each is not None]
    assert offsets == [STEP_MIN, STEP_MIN]


def test_only_real_speed_is_compared() -> None:
    """At ten times real time the clocks drift by design."""
    hands = Hands()
    watch = hands.watch()
    clock = PacedClock(START, 10.0, watch)
    hands.pass_by(2 * LOOK_EVERY)
    hands.wall += SECONDS
    assert clock.stepped() is None
    assert watch.stepped() is not None
