"""Verify: the facts of every turn go to the same engine, and its decisions must come out.

Timers have to be the recorded ones and decisions equal to the byte; that the bytes are those that
were written, the reader of the log has checked. The first difference is reported as a field diff
with the chain of causes behind it; what follows is not compared, since the states have parted.
"""

from collections import deque
from collections.abc import Iterable
from itertools import dropwhile
from typing import Any, Final

import msgspec

from mm.engine.core import Engine, Outcome
from mm.events.codec import decode, encode_event
from mm.events.market import BookDelta, BookSnapshot
from mm.events.session import SessionStarted, TimerFired
from mm.events.turn import NO_HASH, Turn, records
from mm.events.units import Seq, TurnNumber
from mm.events.vocabulary import Event, Fact, levels_in, tag_of
from mm.log.chain import Sealed

_NOTED: Final = frozenset((BookDelta, BookSnapshot, SessionStarted))
CAUSES_MAX: Final = 10
RECENT_TURNS_MAX: Final = 20_000
"""Turns remembered behind the present one, to name the causes of a difference."""


class FieldDiff(msgspec.Struct, frozen=True):
    """One field that differs: as recorded, and as recomputed."""

    field: str
    recorded: str
    recomputed: str


class Difference(msgspec.Struct, frozen=True):
    """The first place where the engine decides otherwise than the log says."""

    turn: TurnNumber
    event: Seq
    kind: str
    fields: list[FieldDiff]
    causes: list[str]


class Verification(msgspec.Struct, kw_only=True):
    """What was compared and what came of it."""

    turns: int = 0
    events: int = 0
    rows: int = 0
    decisions: int = 0
    reproduced: int = 0
    sessions: list[str] = []
    versions: list[str] = []
    digests: dict[str, str] = {}
    digest: str = ""
    head: str = ""
    difference: Difference | None = None


class Verifier:
    """Takes turns one by one, as a log's reader, which checks their links, gives them."""

    def __init__(self) -> None:
        """Start before the first turn."""
        self._engine = Engine()
        self._hash = NO_HASH
        self._seen = Verification()
        self._recent: deque[bytes] = deque(maxlen=RECENT_TURNS_MAX)
        self._last: Turn | None = None
        self._deeper = 0  # Price levels beyond one an event.

    def take(self, sealed: Sealed) -> bool:
        """Recompute a turn and compare; False at the first difference, after which it stops."""
        turn, seen = sealed.turn, self._seen
        self._last = turn
        seen.decisions += len(turn.decisions)
        for fact in turn.facts:
            if type(fact) in _NOTED:
                self._note(fact)
        heard = _heard(turn.facts)
        outcome = self._engine.step(turn.at, heard)
        quiet = outcome.facts is turn.facts and not (outcome.decisions or turn.decisions)
        if not quiet and not _reproduced(turn, outcome):
            seen.difference = _difference(turn, outcome, self._recent)
            return False
        self._hash = sealed.hash
        seen.reproduced += len(turn.decisions)
        self._recent.append(sealed.payload)  # Bytes: a tree of events would be ten times that.
        return True

    def result(self) -> Verification:
        """What was compared so far."""
        seen, turn = self._seen, self._last
        if turn is not None:
            seen.turns, seen.events = turn.number, turn.first + turn.size - 1
            seen.rows = seen.events + self._deeper
        seen.digests, seen.digest = self._engine.digests(), self._engine.digest()
        seen.head = self._hash.hex()
        return seen

    def _note(self, fact: Any) -> None:
        """Count levels that share an event, and see who wrote what follows."""
        if isinstance(fact, SessionStarted):
            self._seen.sessions = [*self._seen.sessions, fact.session]
            self._seen.versions = [*self._seen.versions, fact.code_version]
        else:
            self._deeper += levels_in(fact) - 1


def verify(turns: Iterable[Sealed]) -> Verification:
    """Recompute every turn and compare; stops at the first difference."""
    verifier = Verifier()
    for sealed in turns:
        if not verifier.take(sealed):
            break
    return verifier.result()


def _heard(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """What was heard: the engine supplies its own timers, which come first."""
    if not facts or type(facts[0]) is not TimerFired:
        return facts
    return tuple(dropwhile(lambda fact: type(fact) is TimerFired, facts))


def _reproduced(turn: Turn, outcome: Outcome) -> bool:
    """Whether the turn came out again, to the byte.

    The facts heard are the recorded ones, so that only the engine's timers can differ among them;
    decisions are compared as bytes.
    """
    if outcome.facts != turn.facts or len(outcome.decisions) != len(turn.decisions):
        return False
    return all(map(_same_bytes, outcome.decisions, turn.decisions))


def _same_bytes(left: Event, right: Event) -> bool:
    return encode_event(left) == encode_event(right)


def _difference(turn: Turn, outcome: Outcome, recent: deque[bytes]) -> Difference:
    recorded = (*turn.facts, *turn.decisions)
    recomputed = (*outcome.facts, *outcome.decisions)
    for index in range(max(len(recorded), len(recomputed))):
        left = recorded[index] if index < len(recorded) else None
        right = recomputed[index] if index < len(recomputed) else None
        if left != right or type(left) is not type(right):
            return Difference(
                turn=turn.number,
                event=Seq(turn.first + index),
                kind=_kind(left) if left is not None else _kind(right),
                fields=_fields(left, right),
                causes=_causes(left if left is not None else right, turn, recent),
            )
    fields = [FieldDiff("bytes", f"{len(recorded)} events", "equal events, other bytes")]
    return Difference(turn.number, turn.first, "turn", fields, [])


def _kind(event: Event | None) -> str:
    return tag_of(type(event)) if event is not None else "nothing"


def _fields(left: Event | None, right: Event | None) -> list[FieldDiff]:
    if left is None or right is None or type(left) is not type(right):
        return [FieldDiff("event", _brief(left), _brief(right))]
    return [
        FieldDiff(name, repr(getattr(left, name)), repr(getattr(right, name)))
        for name in left.__struct_fields__
        if getattr(left, name) != getattr(right, name)
    ]


def _brief(event: Event | None) -> str:
    return f"{event!r}"[:300] if event is not None else "nothing"


def _causes(event: Event | None, turn: Turn, recent: deque[bytes]) -> list[str]:
    """The records that led here, nearest first, as far back as they are remembered."""
    known = {
        record.number: record for each in (*map(decode, recent), turn) for record in records(each)
    }
    chain: list[str] = []
    while (cause := Seq(getattr(event, "cause", 0))) and len(chain) < CAUSES_MAX:
        record = known.get(cause)
        if record is None:
            chain.append(f"event {cause} (further back)")
            break
        chain.append(f"event {cause}, turn {record.turn}: {_brief(record.event)}")
        event = record.event
    return chain
