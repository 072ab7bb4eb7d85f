"""Where one instrument is traded at the simulated venue: a port.

It hears the market and our commands, each at its time at the venue and in that order, and its clerk
tells what becomes of our orders. Two implementations must tell the same of the same: the compiled
one, which paper trading uses, and the tests' own in plain Python that it is checked against.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.units import Nanos
from mm.events.vocabulary import Intent
from mm.sim.clerk import Clerk

Free = Callable[[str], Decimal]
"""How much of an asset nothing has locked."""


class Chances(Protocol):
    """Takers that come when time passes, at the end of each step."""

    def due(self) -> Nanos:
        """When the next step ends; NEVER while nothing rests."""
        ...

    def arrive(self, at: Nanos) -> None:
        """A step ends: takers come."""
        ...

    def skip(self, by: Nanos) -> None:
        """Steps that end by then are over, whatever happened in them."""
        ...


class Trading(Protocol):
    """One instrument; a place command has passed the account's own checks."""

    @property
    def clerk(self) -> Clerk:
        """Who knows what is open, and tells."""
        ...

    @property
    def chances(self) -> Chances | None:
        """Who takes by chance; None where only the feed fills."""
        ...

    @property
    def mid2(self) -> int:
        """Twice the mid in ticks; 0 unless both sides are shown."""
        ...

    def define(self, instrument: InstrumentDefined) -> None:
        """Learn what is traded here."""
        ...

    def hear(self, at: Nanos, event: MarketEvent) -> None:
        """A public event happens."""
        ...

    def command(self, at: Nanos, intent: Intent) -> None:
        """A command arrives."""
        ...


Make = Callable[[Clerk, Free | None], Trading]
"""Opens trading in an instrument; without `Free`, funds are not checked."""
