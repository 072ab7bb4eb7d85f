"""StandX's limits: credits of an account, and requests of an address."""

from collections.abc import Callable
from typing import Final

import msgspec

from mm.emulator.standx.refusals import TOO_MANY, Refused
from mm.events.units import SECONDS, Nanos


class Terms(msgspec.Struct, frozen=True):
    """What an account may: a bucket of credits, and how fast it fills; requests of an address."""

    cost: float = 45.0
    burst: float = 900.0
    refill: float = 1_000.0
    requests: float = 50.0


USUAL: Final = Terms()


class Bucket:
    """Falls by what is taken, fills with time."""

    def __init__(self, most: float, refill: float, at: Nanos) -> None:
        """Begin full."""
        self._most = most
        self._refill = refill
        self._at = at
        self.level = most

    def take(self, at: Nanos, cost: float) -> bool:
        """Whether there was enough in it; what is refused costs nothing."""
        filled = (at - self._at) / SECONDS * self._refill
        self.level = min(self._most, self.level + filled)
        self._at = at
        if self.level < cost:
            return False
        self.level -= cost
        return True


class Limits:
    """The buckets of all accounts and addresses; changes in place."""

    def __init__(self, clock: Callable[[], Nanos], terms: Terms = USUAL) -> None:
        """All full."""
        self._clock = clock
        self._terms = terms
        self._accounts: dict[str, Bucket] = {}
        self._addresses: dict[str, Bucket] = {}

    def account(self, key: str) -> None:
        """Charge a request to an account; raises `Refused`."""
        terms, at = self._terms, self._clock()
        bucket = self._accounts.setdefault(key, Bucket(terms.burst, terms.refill, at))
        if not bucket.take(at, terms.cost):
            raise Refused(TOO_MANY, "rate limit exceeded")

    def address(self, name: str) -> None:
        """Count a request of an address; raises `Refused`."""
        most, at = self._terms.requests, self._clock()
        if not self._addresses.setdefault(name, Bucket(most, most, at)).take(at, 1.0):
            raise Refused(TOO_MANY, "too many requests from this address")

    def usage(self) -> dict[str, float]:
        """How many credits each account had left when it last asked."""
        return {f"credits {at}": each.level for at, each in enumerate(self._accounts.values())}
