"""A venue's rate limits, kept by us: never above them, cancels first, and always room for cancels.

A limit of `most` within any time `span` is dealt out in slots: a quarter of the span each, a fifth
of the limit in each. Whatever window the venue counts, sliding or aligned, overlaps five slots at
most, so it can hold no more than the limit. Who shares a limit with other processes leases its part
of a slot from a pool; the reserve for cancels is divided beforehand and takes no lease, so that a
pool that is lost holds up no cancel.
"""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final, Protocol

import msgspec

from mm.events.units import SECONDS, Nanos
from mm.gateways.order_port import Rate
from mm.gateways.tasks import end

SLOTS: Final = 4
"""Slots of a span."""
RESERVE: Final = 0.2
"""Part of each slot that only cancels may use."""
SLICES: Final = 8
"""A lease is an eighth of a slot, or what is needed now."""


class Priority(IntEnum):
    """Who goes first; within one, who came first."""

    CANCEL = 0
    ASK = 1
    PLACE = 2


class Pool(Protocol):
    """What is left of each slot, for all who share a limit."""

    async def lease(self, rate: Rate, slot: int, want: int, most: int) -> int:
        """Up to `want` of a slot of which `most` may be dealt out; 0 when nothing is left."""
        ...


class OwnPool:
    """A limit that nobody shares."""

    def __init__(self) -> None:
        """Start with nothing dealt out."""
        self._dealt: dict[str, tuple[int, int]] = {}

    async def lease(self, rate: Rate, slot: int, want: int, most: int) -> int:
        """Up to `want` of a slot of which `most` may be dealt out; 0 when nothing is left."""
        at, dealt = self._dealt.get(rate.name, (slot, 0))
        if at != slot:
            dealt = 0
        granted = min(want, most - dealt)
        self._dealt[rate.name] = (slot, dealt + granted)
        return granted


class Meter:
    """One limit: what of the present slot is leased, and what of the reserve is unused."""

    def __init__(self, rate: Rate, seats: int) -> None:
        """Divide each slot between the pool and the reserves of so many processes."""
        self.rate = rate
        self.slot_span = rate.span // SLOTS
        most = rate.most // (SLOTS + 1)
        counted = not rate.counts or "cancel" in rate.counts
        self.reserve_most = int(most * RESERVE) // seats if counted else 0
        self.most = most - self.reserve_most * seats
        assert self.most > 0, f"a limit too small to be dealt out: {rate.name}"
        self.slot = 0
        self.leased = 0
        self.reserve = self.reserve_most

    def cost(self, command: str, weight: int) -> int:
        """What a command takes of this limit; a limit that counts commands takes one."""
        if self.rate.counts:
            return int(command in self.rate.counts)
        return weight

    def advance(self, at: Nanos) -> None:
        """What was left of a slot that has passed is gone."""
        slot = at // self.slot_span
        if slot > self.slot:
            self.slot, self.leased, self.reserve = slot, 0, self.reserve_most

    def next_slot(self) -> Nanos:
        """When the present slot ends."""
        return Nanos((self.slot + 1) * self.slot_span)

    def room(self, priority: Priority) -> int:
        """What may be spent at once."""
        return self.leased + (self.reserve if priority is Priority.CANCEL else 0)

    def spend(self, cost: int) -> None:
        """Take it from the lease first, then from the reserve."""
        leased = min(cost, self.leased)
        self.leased -= leased
        self.reserve -= cost - leased
        assert self.reserve >= 0, "spent more than there was"


class Waiter(msgspec.Struct, order=True):
    """Somebody who wants to call; ordered by priority, then by arrival."""

    priority: int
    number: int
    command: str = ""
    weight: int = 0
    future: asyncio.Future[None] | None = None


class Limiter:
    """The limits of one account, for all calls of this process."""

    def __init__(
        self, rates: Sequence[Rate], pool: Pool, now: Callable[[], Nanos], *, seats: int = 1
    ) -> None:
        """`now` is UTC; `seats` is how many processes may share the limits."""
        self._meters = [Meter(rate, seats) for rate in rates]
        self._pool = pool
        self._now = now
        self._waiting: list[Waiter] = []
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self.blocked_until = Nanos(0)

    async def take(
        self, command: str, weight: int, priority: Priority, seconds_max: float | None = None
    ) -> bool:
        """Wait until a call may leave; False when that takes longer than `seconds_max`."""
        if not self._waiting and self._spent(command, weight, priority):
            return True
        self._count += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = Waiter(priority, self._count, command, weight, future)
        heapq.heappush(self._waiting, waiter)
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve())
        try:
            async with asyncio.timeout(seconds_max):
                await future
                return True
        except TimeoutError:
            return False
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                heapq.heapify(self._waiting)

    def block(self, until: Nanos) -> None:
        """The venue wants no call before then, not even a cancel."""
        self.blocked_until = max(self.blocked_until, until)

    def used(self) -> dict[str, tuple[int, int]]:
        """By limit: what may still be spent in the present slot, and what a slot holds."""
        at = self._now()
        found = {}
        for meter in self._meters:
            meter.advance(at)
            found[meter.rate.name] = (meter.leased + meter.reserve, meter.most + meter.reserve_most)
        return found

    async def close(self) -> None:
        """Nobody is served any more."""
        if self._task is not None:
            await end(self._task)

    def _spent(self, command: str, weight: int, priority: Priority) -> bool:
        """Spend at once, of all limits or of none."""
        at = self._now()
        if at < self.blocked_until:
            return False
        costs = [(meter, meter.cost(command, weight)) for meter in self._meters]
        for meter, cost in costs:
            meter.advance(at)
            if cost > meter.room(priority):
                return False
        for meter, cost in costs:
            meter.spend(cost)
        return True

    async def _serve(self) -> None:
        """Serve who waits, the most urgent first, until nobody does."""
        while self._waiting:
            first = self._waiting[0]
            assert first.future is not None, "a waiter without a future"
            priority = Priority(first.priority)
            if first.future.done() or self._spent(first.command, first.weight, priority):
                heapq.heappop(self._waiting)
                if not first.future.done():
                    first.future.set_result(None)
            elif not await self._leased(first, priority):
                await self._wait()

    async def _leased(self, waiter: Waiter, priority: Priority) -> bool:
        """Lease what the first in line lacks; False when that was not to be had."""
        if self._now() < self.blocked_until:
            return False
        grown = False
        for meter in self._meters:
            cost = meter.cost(waiter.command, waiter.weight)
            assert cost <= meter.most, f"{waiter.command} never fits {meter.rate.name}"
            lacking = cost - meter.room(priority)
            if lacking <= 0:
                continue
            slot, want = meter.slot, max(lacking, meter.most // SLICES)
            granted = await self._pool.lease(meter.rate, slot, want, meter.most)
            meter.advance(self._now())
            if meter.slot == slot:
                meter.leased += granted
                grown = grown or granted > 0
        return grown

    async def _wait(self) -> None:
        """Until the next slot begins, the block ends, or somebody else asks."""
        at = self._now()
        until = min((meter.next_slot() for meter in self._meters), default=at)
        seconds = (max(until, self.blocked_until) - at) / SECONDS
        self._woken.clear()
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._woken.wait()
        except TimeoutError:
            return
