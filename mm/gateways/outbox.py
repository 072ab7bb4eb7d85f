"""Commands that are to leave for a venue: cancels before all else, and everything bounded.

A cancel overtakes whatever waits, and takes a place of its own order that has not left with it. A
cancel is never refused for want of room: there is at most one waiting for each order.
"""

import asyncio
from collections import deque
from typing import Final, NamedTuple

from mm.events.orders import AmendOrder, CancelOrder, PlaceOrder
from mm.events.units import Nanos, OrderId

WAITING_MAX: Final = 500


class Queued(NamedTuple):
    """A command and when it was enqueued."""

    at: Nanos
    command: PlaceOrder | AmendOrder | CancelOrder


class Outbox:
    """Two queues; whoever takes from it gets cancels first."""

    def __init__(self, waiting_max: int = WAITING_MAX) -> None:
        """Start empty; at most `waiting_max` commands that add risk may wait."""
        self._cancels: dict[OrderId, Queued] = {}
        self._others: deque[Queued] = deque()
        self._waiting_max = waiting_max
        self._pending: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        """Commands waiting."""
        return len(self._cancels) + len(self._others)

    @property
    def cancels(self) -> int:
        """Cancels waiting."""
        return len(self._cancels)

    def put(self, queued: Queued) -> bool:
        """Enqueue a command; False when there is no room, which a cancel always finds."""
        if isinstance(queued.command, CancelOrder):
            self._cancels.setdefault(queued.command.order_id, queued)
        elif len(self._others) >= self._waiting_max:
            return False
        else:
            self._others.append(queued)
        self._wake()
        return True

    def withdraw(self, order_id: OrderId) -> list[Queued]:
        """Take back what waits of an order and is no cancel: it never leaves."""
        taken = [each for each in self._others if each.command.order_id == order_id]
        for each in taken:
            self._others.remove(each)
        return taken

    async def take(self, *, cancels_only: bool) -> Queued:
        """The next command, cancels first; waits for one."""
        while True:
            if self._cancels:
                return self._cancels.pop(next(iter(self._cancels)))
            if self._others and not cancels_only:
                return self._others.popleft()
            waiter = asyncio.get_running_loop().create_future()
            self._pending.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._pending:
                    self._pending.remove(waiter)

    def _wake(self) -> None:
        """Whoever waits looks again; those who find nothing wait on."""
        pending, self._pending = self._pending, []
        for waiter in pending:
            if not waiter.done():
                waiter.set_result(None)
