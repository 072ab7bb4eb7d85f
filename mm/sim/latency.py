"""A wire: what is put in comes out later, in the order it was put in.

A delay is drawn by hashing (seed, name of the wire, number of the message), so that it depends on
nothing else: not on who asks, nor how often, nor on any global state. A message never overtakes
the one before it; one that would is held back until the earlier one has come out.
"""

from collections import deque
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final, Generic, TypeVar

from mm.events.units import INT64_MAX, Nanos
from mm.sim.settings import Latency

NEVER: Final = Nanos(INT64_MAX)
UNDERWAY_MAX: Final = 100_000
"""More messages than this under way means that nobody takes them out."""

Message = TypeVar("Message")


def draw(latency: Latency, seed: int, wire: str, number: int) -> Nanos:
    """The delay of message `number` on a wire, in nanoseconds."""
    spread = latency.most - latency.least
    if not spread:
        return latency.least
    digest = blake2b(f"{seed}/{wire}/{number}".encode(), digest_size=8).digest()
    return Nanos(latency.least + int.from_bytes(digest, "big") % (spread + 1))


class Wire(Generic[Message]):
    """Messages under way, first in first out."""

    def __init__(self, name: str, latency: Latency, seed: int) -> None:
        """Start with nothing under way."""
        self._name = name
        self._latency = latency
        self._seed = seed
        self._number = 0
        self._last = Nanos(-INT64_MAX)
        self._queue: deque[tuple[Nanos, Message]] = deque()
        self.due = NEVER

    def book(self, at: Nanos) -> Nanos:
        """When the next message comes out, if it is put in at `at`; it must then be put in."""
        self._number += 1
        delay = draw(self._latency, self._seed, self._name, self._number)
        self._last = Nanos(max(self._last, at + delay))
        return self._last

    def put(self, arrival: Nanos, message: Message) -> None:
        """Put in a message that comes out at `arrival`, as booked."""
        assert len(self._queue) < UNDERWAY_MAX, f"nobody empties the wire of {self._name}"
        self._queue.append((arrival, message))
        self.due = self._queue[0][0]

    def take(self, by: Nanos) -> Iterator[tuple[Nanos, Message]]:
        """What comes out by `by`, with the time it does; also what is put in meanwhile."""
        while self.due <= by:
            arrived = self._queue.popleft()
            self.due = self._queue[0][0] if self._queue else NEVER
            yield arrived
