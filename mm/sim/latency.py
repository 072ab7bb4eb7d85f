"""Wires: what is put in comes out later, in the order it was put in.

A delay is worked out from the time, or drawn by hashing (seed, wire, number of the message), so
that it depends on nothing else: not on who asks, nor how often, nor on any global state. A message
never overtakes the one before it; one that would is held back until the earlier one has come out.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from mm.events.orders import AmendOrder, PlaceOrder
from mm.events.units import INT64_MAX, Nanos
from mm.events.vocabulary import Intent
from mm.sim.delays import on_entry, on_response, sampled, uniform
from mm.sim.draws import ENTRY, RESPONSE, drawn
from mm.sim.settings import Delay, Latency, PaperSettings

NEVER: Final = Nanos(INT64_MAX)
UNDERWAY_MAX: Final = 100_000
"""More messages than this under way means that nobody takes them out."""

Message = TypeVar("Message")


def draw(delay: Delay, seed: int, stream: int, number: int) -> Nanos:
    """The delay of message `number` of a stream, in nanoseconds."""
    if not isinstance(delay, Latency):
        return Nanos(sampled(delay.delays, drawn(seed, stream, number)))
    return Nanos(uniform(delay.least, delay.most, seed, stream, number))


class Delays:
    """How long each message takes, as an account's settings have it."""

    def __init__(self, settings: PaperSettings, seed: int) -> None:
        """The same settings and seed, the same delays."""
        self._settings = settings
        self._seed = seed
        self._trips = settings.measured.columns if settings.measured else None
        self._arrived = settings.measured.arrived if settings.measured else None

    def entry(self, at: Nanos, number: int, intent: Intent) -> int:
        """How long command `number`, sent at `at`, takes; negative if it never arrives."""
        if self._trips is not None:
            return on_entry(*self._trips, at)
        return draw(self._of(intent), self._seed, ENTRY, number)

    def _of(self, intent: Intent) -> Delay:
        settings = self._settings
        if isinstance(intent, PlaceOrder):
            return settings.place or settings.entry
        if isinstance(intent, AmendOrder):
            return settings.amend or settings.entry
        return settings.cancel or settings.entry

    @property
    def least(self) -> int:
        """The least that a message of the venue takes."""
        if self._arrived is not None:
            return min(heard - arrived for arrived, heard in zip(*self._arrived, strict=True))
        return self._settings.response.least

    def response(self, at: Nanos, number: int) -> int:
        """How long message `number` of the venue, sent at `at`, takes."""
        if self._arrived is not None:
            return on_response(*self._arrived, at)
        return draw(self._settings.response, self._seed, RESPONSE, number)


class Wire(Generic[Message]):
    """Messages under way, first in first out."""

    def __init__(self, name: str) -> None:
        """Start with nothing under way."""
        self._name = name
        self._number = 0
        self._last = Nanos(-INT64_MAX)
        self._queue: deque[tuple[Nanos, Message]] = deque()
        self.due = NEVER

    def count(self) -> int:
        """The number of the next message, from 1; each call is another message."""
        self._number += 1
        return self._number

    def book(self, arrival: int) -> Nanos:
        """When a message comes out that would arrive then, alone; it must then be put in."""
        self._last = Nanos(max(self._last, arrival))
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
