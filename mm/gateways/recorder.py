"""Facts become sealed turns, as a live runner would have formed them, and turns a recording.

One message is one turn at its receive time, which never runs back. What one message brings beyond
the bounds of a turn goes to further turns of the same time.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from mm.events.turn import TURN_FACTS_MAX, TURN_LEVELS_MAX
from mm.events.units import Nanos
from mm.events.vocabulary import Fact, levels_in
from mm.log.chain import START, Head, Sealed, advance, seal


class TurnSink(Protocol):
    """Where sealed turns go, in order."""

    def append(self, sealed: Sealed) -> None:
        """Store one turn."""
        ...


class Recorder:
    """Seals turns of facts and hands them to a sink.

    `updates` counts what was recorded, a level of a book as one.
    """

    def __init__(self, sink: TurnSink) -> None:
        """Start an empty log."""
        self._sink = sink
        self.head: Head = START
        self.updates = 0

    def turn(self, at: Nanos, facts: Sequence[Fact]) -> None:
        """Append the facts of one message, as one turn unless they exceed its bounds."""
        if not facts:
            return
        at = max(at, self.head.at)
        self.updates += sum(map(levels_in, facts))
        for part in [facts] if _fits(facts) else _split(facts):
            sealed = seal(self.head, at, part, ())
            self._sink.append(sealed)
            self.head = advance(self.head, sealed)


def _fits(facts: Sequence[Fact]) -> bool:
    return len(facts) == 1 or (
        len(facts) <= TURN_FACTS_MAX and sum(map(levels_in, facts)) <= TURN_LEVELS_MAX
    )


def _split(facts: Sequence[Fact]) -> Iterator[list[Fact]]:
    part: list[Fact] = []
    levels = 0
    for fact in facts:
        more = levels_in(fact)
        if part and (len(part) == TURN_FACTS_MAX or levels + more > TURN_LEVELS_MAX):
            yield part
            part, levels = [], 0
        part.append(fact)
        levels += more
    yield part
