"""When the simulated venue of a session heard each fact of its market.

It hears a message when that was received, though the turn that tells the desk of it comes later;
its time never runs back. Commands that left and turns that ended move it on as well, so that
nothing happens at the venue before something that has happened there.
"""

from collections.abc import Iterator

from mm.events.base import MarketEvent
from mm.events.orders import OrderSubmitted
from mm.events.session import TimerFired
from mm.events.turn import Turn
from mm.events.units import Nanos
from mm.events.vocabulary import Fact


def is_market(fact: Fact) -> bool:
    """Whether a fact is the market's: public, and no timer of our own."""
    return isinstance(fact, MarketEvent) and not isinstance(fact, TimerFired)


class VenueClock:
    """Follows a session turn by turn."""

    def __init__(self) -> None:
        """Start before its first turn."""
        self._last = 0

    def heard(self, turn: Turn) -> Iterator[tuple[Fact, Nanos]]:
        """The facts of the next turn, each with the venue's time: at most the turn's."""
        for fact in turn.facts:
            if isinstance(fact, OrderSubmitted):
                self._last = max(self._last, fact.sent)
            elif isinstance(fact, MarketEvent):
                self._last = max(self._last, getattr(fact, "received", 0))
            yield fact, Nanos(min(self._last, turn.at))
        self._last = max(self._last, turn.at)
