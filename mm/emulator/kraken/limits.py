"""Kraken's counters: one of calls for each key, one of orders for each key and pair.

A counter rises with every call and falls with time. Calls about orders are not counted as calls;
the counter of orders rises more for a cancel or an amend the younger the order is.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from mm.emulator.kraken.refusals import ORDER_RATE_LIMIT, RATE_LIMIT, Refused
from mm.events.units import SECONDS, Nanos


class Tier(msgspec.Struct, frozen=True):
    """What an account may: heights of the counters, and by how much they fall in a second."""

    calls_max: float = 20.0
    calls_decay: float = 1.0
    orders_max: float = 180.0
    orders_decay: float = 3.75


PRO: Final = Tier()
CANCEL_COSTS: Final = ((5, 8.0), (10, 6.0), (15, 5.0), (45, 4.0), (90, 2.0), (300, 1.0))
"""(younger than so many seconds, points)."""
AMEND_COSTS: Final = ((5, 3.0), (10, 2.0), (15, 1.0))
PLACE_COST: Final = 1.0


def aged(costs: tuple[tuple[int, float], ...], age: int) -> float:
    """What touching an order of an age in nanoseconds costs."""
    return next((cost for limit, cost in costs if age < limit * SECONDS), 0.0)


class Counter:
    """Rises by what is taken, falls with time."""

    def __init__(self, most: float, decay: float) -> None:
        """Begin at zero."""
        self._most = most
        self._decay = decay
        self._at = Nanos(0)
        self.height = 0.0

    def take(self, at: Nanos, cost: float) -> bool:
        """Whether there was room for it; a call that is refused is not counted."""
        fallen = (at - self._at) / SECONDS * self._decay
        self.height = max(0.0, self.height - fallen)
        self._at = at
        if self.height + cost > self._most:
            return False
        self.height += cost
        return True


class Limits:
    """The counters of all accounts."""

    def __init__(self, clock: Callable[[], Nanos], tier: Tier = PRO) -> None:
        """All at zero."""
        self._clock = clock
        self.tier = tier
        self._calls: dict[str, Counter] = {}
        self._orders: dict[tuple[str, str], Counter] = {}

    def call(self, key: str, cost: float) -> None:
        """Count a call; raises `Refused`."""
        made = Counter(self.tier.calls_max, self.tier.calls_decay)
        if not self._calls.setdefault(key, made).take(self._clock(), cost):
            raise Refused(RATE_LIMIT)

    def order(self, key: str, symbol: str, cost: float) -> None:
        """Count something done to an order; raises `Refused`."""
        made = Counter(self.tier.orders_max, self.tier.orders_decay)
        if not self._orders.setdefault((key, symbol), made).take(self._clock(), cost):
            raise Refused(ORDER_RATE_LIMIT)

    def usage(self) -> dict[str, float]:
        """How high each counter stood when it was last used: of calls, and of orders by pair."""
        calls = {f"calls {key}": counter.height for key, counter in self._calls.items()}
        return calls | {
            f"orders {key} {symbol}": counter.height
            for (key, symbol), counter in self._orders.items()
        }
