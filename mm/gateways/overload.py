"""Facts on their way into an inbox that may be full.

What finds no room is dropped and counted, but never what says that something is wrong: that is
owed, one of a kind and instrument, and goes first as soon as there is room again. Whoever is
refused has to give up the books that the dropped facts changed.
"""

from collections.abc import Callable, Iterable, Sequence

from mm.events.instrument import InstrumentDefined
from mm.events.market import FeedDown, FeedGapped, FeedStale, FeedUp
from mm.events.session import NoteTaken
from mm.events.units import Nanos
from mm.events.venue import RateLimited
from mm.events.vocabulary import Fact

Offer = Callable[[Nanos, tuple[Fact, ...]], bool]
Key = tuple[str, object, str]


def key_of(fact: Fact) -> Key | None:
    """What a later fact of the same key makes needless; None for one that is not owed."""
    match fact:
        case (
            FeedUp(instrument=number, channel=channel)
            | FeedDown(instrument=number, channel=channel)
        ):
            return ("connection", number, channel)
        case FeedGapped(instrument=number):
            return ("gap", number, "")
        case FeedStale(instrument=number):
            return ("stale", number, "")
        case InstrumentDefined(instrument=number):
            return ("definition", number, "")
        case RateLimited(endpoint=endpoint):
            return ("limit", "", endpoint)
        case NoteTaken(who=who):
            return ("note", "", who)
        case _:
            return None


class Owed:
    """Between a feed and an inbox."""

    def __init__(self, offer: Offer) -> None:
        """Owe nothing."""
        self._offer = offer
        self._owed: dict[Key, Fact] = {}
        self.dropped = 0

    def tell(self, received: Nanos, facts: Sequence[Fact]) -> bool:
        """Offer facts after what is owed; False when they found no room."""
        if self.settle(received) and self._offer(received, tuple(facts)):
            return True
        self.owe(facts)
        return False

    def owe(self, facts: Iterable[Fact]) -> None:
        """Keep what must not be lost, and count the rest."""
        for fact in facts:
            key = key_of(fact)
            if key is None:
                self.dropped += 1
            else:
                self._owed.pop(key, None)
                self._owed[key] = fact

    def settle(self, received: Nanos) -> bool:
        """Offer what is owed; True when nothing is owed any more."""
        if self._owed and self._offer(received, tuple(self._owed.values())):
            self._owed.clear()
        return not self._owed
