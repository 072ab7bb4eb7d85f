"""The two ports to the outside: a feed that brings facts, and a gateway that carries intents.

A feed delivers messages; each is what one frame of the venue said, stamped with when it was
received. A gateway only enqueues: every outcome comes back as a fact. Both tell what they cannot
do by facts, too: a feed that lost something says so with `FeedGapped`.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from mm.events.instrument import InstrumentDefined
from mm.events.units import Nanos
from mm.events.vocabulary import Fact, Intent
from mm.projections.orders import Order


class Message(NamedTuple):
    """What one frame said: heard together, at one time."""

    received: Nanos
    facts: tuple[Fact, ...]


class Feed(Protocol):
    """Recorded or made market data, in the order in which it was received."""

    @property
    def instruments(self) -> tuple[InstrumentDefined, ...]:
        """What it speaks of; known before the first message."""
        ...

    def messages(self, after: Nanos) -> Iterator[Message]:
        """The messages received after a time; times never run back."""
        ...


class Gateway(Protocol):
    """One venue account."""

    def observe(self, at: Nanos, facts: tuple[Fact, ...]) -> None:
        """The market moved: a simulated venue needs to know, a real one does already."""
        ...

    def send(self, at: Nanos, intent: Intent) -> tuple[Fact, ...]:
        """Enqueue a command; returns what is known at once (`OrderSubmitted`)."""
        ...

    def due(self) -> Nanos | None:
        """When something is next to be polled, None when nothing is under way."""
        ...

    def poll(self, at: Nanos) -> tuple[Fact, ...]:
        """The facts that have arrived by `at`."""
        ...

    async def reconcile(self, at: Nanos, live: list[Order]) -> tuple[Fact, ...]:
        """Evidence on each live order, and the account's balances and positions.

        Raises `VenueError` when the venue cannot be asked.
        """
        ...

    async def close(self) -> None:
        """Let go, once the cancels that were enqueued have left or its patience is spent."""
        ...
