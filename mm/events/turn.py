"""A turn: what the engine heard since the last one and what it decided on hearing it.

A turn is the unit of the log: one message, one acknowledgement. Its boundaries are data. A record
is one event with its place; facts come first, decisions after, numbered without a gap over the
whole log.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from mm.events.base import MarketEvent
from mm.events.units import Nanos, Seq, TurnNumber
from mm.events.vocabulary import KINDS, Decision, Event, Fact

TURN_EVENTS_MAX: Final = 256
TURN_FACTS_MAX: Final = 192
TURN_BYTES_MAX: Final = 512 * 1024
TURN_LEVELS_MAX: Final = 24_000
"""Price levels in one turn's facts: at most 18 bytes each, so a turn stays below its byte limit."""
NO_HASH: Final = bytes(32)


class Turn(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`number` counts turns from 1, `first` is the number of its first event, also from 1.

    `previous` is the hash of the turn before. A turn that touches orders or control also names,
    in `previous_orders`, the hash of the previous one of its kind; on other turns it is empty.
    """

    version: int
    number: TurnNumber
    first: Seq
    previous: bytes
    previous_orders: bytes
    at: Nanos
    facts: tuple[Fact, ...]
    decisions: tuple[Decision, ...]

    @property
    def size(self) -> int:
        """How many events it holds."""
        return len(self.facts) + len(self.decisions)

    @property
    def touches_orders(self) -> bool:
        """Whether it goes to the subject that is kept for ever."""
        return touches_orders(self.facts, self.decisions)


class Record(msgspec.Struct, frozen=True, gc=False):
    """One event and its place: event number, turn, index in the turn, and the turn's time."""

    number: Seq
    turn: TurnNumber
    index: int
    at: Nanos
    event: Event


_MARKET: Final = frozenset(kind for kind in KINDS.values() if issubclass(kind, MarketEvent))


def touches_orders(facts: tuple[Fact, ...], decisions: tuple[Decision, ...]) -> bool:
    """True unless all there is are public market facts and timers."""
    if decisions:
        return True
    for fact in facts:  # noqa: SIM110 - a loop, since this runs for every turn that is ever read.
        if type(fact) not in _MARKET:
            return True
    return False


def records(turn: Turn) -> Iterator[Record]:
    """The turn's events, each with its place."""
    for index, event in enumerate((*turn.facts, *turn.decisions)):
        yield Record(Seq(turn.first + index), turn.number, index, turn.at, event)
