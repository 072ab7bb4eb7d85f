"""When the simulated venue of a session heard each fact of its market, and the mid it then had.

It hears a message when that was received, though the turn that tells the desk of it comes later;
its time never runs back. Commands that left and turns that ended move it on as well, so that
nothing happens at the venue before something that has happened there.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from mm.events.base import MarketEvent
from mm.events.orders import OrderSubmitted
from mm.events.session import TimerFired
from mm.events.turn import Turn
from mm.events.units import Nanos
from mm.events.vocabulary import KINDS, Fact

MARKET: Final = frozenset(
    kind for kind in KINDS.values() if issubclass(kind, MarketEvent) and kind is not TimerFired
)
MIDS_KEPT: Final = 1 << 16


def is_market(fact: Fact) -> bool:
    """Whether a fact is the market's: public, and no timer of our own."""
    return type(fact) in MARKET


class VenueClock:
    """Follows a session turn by turn."""

    def __init__(self) -> None:
        """Start before its first turn."""
        self._last = 0

    def heard(self, turn: Turn) -> Iterator[tuple[Fact, Nanos]]:
        """The facts of the next turn, each with the venue's time: at most the turn's."""
        for fact in turn.facts:
            if type(fact) in MARKET:
                self._last = max(self._last, fact.received)  # type: ignore[union-attr]
            elif isinstance(fact, OrderSubmitted):
                self._last = max(self._last, fact.sent)
            yield fact, Nanos(min(self._last, turn.at))
        self._last = max(self._last, turn.at)


class Mids:
    """Twice the mid of one instrument over the venue's time; of late only, in bounded memory."""

    def __init__(self) -> None:
        """Nothing is known."""
        self.last = 0
        self._times: list[int] = []
        self._mids: list[int] = []

    def tell(self, at: int, mid2: int) -> None:
        """From `at` on it is this; 0: no two-sided book."""
        if mid2 != self.last:
            self.last = mid2
            self._times.append(at)
            self._mids.append(mid2)
            if len(self._times) > 2 * MIDS_KEPT:
                del self._times[:MIDS_KEPT], self._mids[:MIDS_KEPT]

    def at(self, when: int) -> int:
        """What it was; before all that is remembered, 0."""
        place = bisect_right(self._times, when)
        return self._mids[place - 1] if place else 0
