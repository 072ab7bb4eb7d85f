"""Rate limits: never above them, cancels first, and always room for cancels."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.events.units import MILLIS, SECONDS, Nanos
from mm.gateways.limiter import SLOTS, Limiter, Meter, OwnPool, Priority
from mm.gateways.order_port import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator

WEIGHT = Rate(name="weight", span=Nanos(60 * SECONDS), most=1_000)
ORDERS = Rate(name="orders", span=Nanos(10 * SECONDS), most=50, counts=("place",))
FAST = Rate(name="fast", span=Nanos(40 * MILLIS), most=50)


class Time:
    """Time that a test moves."""

    def __init__(self) -> None:
        """Start at the beginning of a slot."""
        self.at = Nanos(60_000 * SECONDS)

    def __call__(self) -> Nanos:
        """The present."""
        return self.at


def limiter(time: Time, *rates: Rate, seats: int = 1) -> Limiter:
    """The limits of one process."""
    return Limiter(rates, OwnPool(), time, seats=seats)


async def taken(limits: Limiter, command: str, priority: Priority, weight: int = 1) -> int:
    """How many calls leave at once."""
    count = 0
    while await limits.take(command, weight, priority, 0.01):
        count += 1
    return count


async def test_a_slot_holds_its_part_and_a_reserve_for_cancels() -> None:
    """Places stop before the end; cancels do not."""
    limits = limiter(Time(), WEIGHT)
    slot = WEIGHT.most // (SLOTS + 1)
    places = await taken(limits, "place", Priority.PLACE)
    cancels = await taken(limits, "cancel", Priority.CANCEL)
    assert (places, cancels) == (slot * 4 // 5, slot // 5)
    await limits.close()


async def test_a_limit_on_orders_does_not_count_cancels() -> None:
    """The venue counts places alone, and so do we."""
    limits = limiter(Time(), ORDERS)
    assert await taken(limits, "place", Priority.PLACE) == ORDERS.most // (SLOTS + 1)
    assert await limits.take("cancel", 1, Priority.CANCEL, 0.0)
    await limits.close()


async def test_the_urgent_go_first() -> None:
    """A cancel that came last leaves first when there is room again."""
    time = Time()
    limits = limiter(time, FAST)
    await taken(limits, "cancel", Priority.CANCEL)
    left: list[str] = []

    async def call(name: str, priority: Priority) -> None:
        await limits.take(name, 1, priority, 10.0)
        left.append(name)

    calls = [
        asyncio.create_task(call("place", Priority.PLACE)),
        asyncio.create_task(call("order", Priority.ASK)),
        asyncio.create_task(call("cancel", Priority.CANCEL)),
    ]
    await asyncio.sleep(0)
    time.at = Nanos(time.at + FAST.span)
    await asyncio.gather(*calls)
    assert left == ["cancel", "order", "place"]
    await limits.close()


async def test_nothing_leaves_while_the_venue_wants_no_calls() -> None:
    """Not even a cancel: it would prolong a ban."""
    time = Time()
    limits = limiter(time, WEIGHT)
    assert await limits.take("place", 1, Priority.PLACE, 0.01)
    limits.block(Nanos(time.at + SECONDS))
    assert not await limits.take("cancel", 1, Priority.CANCEL, 0.01)
    time.at = Nanos(time.at + SECONDS)
    assert await limits.take("cancel", 1, Priority.CANCEL, 0.01)
    await limits.close()


async def test_a_wait_that_was_given_up_takes_nothing() -> None:
    """Its part is there for others."""
    time = Time()
    limits = limiter(time, WEIGHT)
    spent = await taken(limits, "place", Priority.PLACE)
    time.at = Nanos(time.at + WEIGHT.span)
    assert await taken(limits, "place", Priority.PLACE) == spent
    await limits.close()


async def test_a_call_that_never_fits_is_a_bug() -> None:
    """It would wait for ever."""
    limits = limiter(Time(), ORDERS)
    meter = Meter(ORDERS, 1)
    assert meter.cost("place", 99) == 1
    heavy = limiter(Time(), WEIGHT)
    assert not await heavy.take("book", 10_000, Priority.ASK, 0.01)
    with pytest.raises(AssertionError, match="never fits"):
        await heavy._task  # type: ignore[misc]
    await limits.close()


def every_window(spent: list[tuple[int, int]], span: int) -> Iterator[int]:
    """What was spent within a span, from each call on."""
    for start, _ in spent:
        yield sum(cost for at, cost in spent if start <= at < start + span)


@given(
    gaps=st.lists(st.integers(0, 4_000), min_size=1, max_size=200),
    costs=st.lists(st.integers(1, 30), min_size=1, max_size=200),
    phase=st.integers(0, 60_000),
    seats=st.integers(1, 4),
)
def test_no_window_holds_more_than_the_limit(
    gaps: list[int], costs: list[int], phase: int, seats: int
) -> None:
    """Sliding or aligned, whenever it begins: processes that share a limit keep it together."""
    time, pool = Time(), OwnPool()
    time.at = Nanos(time.at + phase * MILLIS)
    meters = [Meter(WEIGHT, seats) for _ in range(seats)]
    spent: list[tuple[int, int]] = []
    for index, (gap, cost) in enumerate(zip(gaps, costs, strict=False)):
        time.at = Nanos(time.at + gap * MILLIS)
        meter = meters[index % seats]
        meter.advance(time.at)
        lacking = max(0, cost - meter.leased)
        lease = pool.lease(WEIGHT, meter.slot, lacking, meter.most)
        meter.leased += run(lease)
        if meter.room(Priority.CANCEL) >= cost:
            meter.spend(cost)
            spent.append((time.at, cost))
    assert all(most <= WEIGHT.most for most in every_window(spent, WEIGHT.span))


def run(lease: object) -> int:
    """The result of a coroutine that never waits."""
    try:
        lease.send(None)  # type: ignore[attr-defined]
    except StopIteration as done:
        return int(done.value)
    raise AssertionError("it waits")
