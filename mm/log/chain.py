"""The hash that ties each turn to the one before, and the position it gives a writer.

A `Head` is where a log stands: the last turn, the next event number, and the two hashes that the
next turn must name. Sealing a turn and checking one are the same arithmetic, so that a reader
accepts exactly what a writer can have written.
"""

from collections.abc import Iterable

import msgspec

from mm.errors import ChainBroken, SequenceHole
from mm.events.codec import VERSION, decode, digest_of, encode
from mm.events.turn import (
    NO_HASH,
    TURN_BYTES_MAX,
    TURN_EVENTS_MAX,
    Turn,
    touches_orders,
)
from mm.events.units import Nanos, Seq, TurnNumber
from mm.events.vocabulary import Decision, Fact


class Head(msgspec.Struct, frozen=True):
    """Where a log stands after its last turn; an empty log stands at turn 0."""

    number: TurnNumber = TurnNumber(0)
    events: Seq = Seq(0)
    at: Nanos = Nanos(0)
    hash: bytes = NO_HASH
    orders_hash: bytes = NO_HASH


START = Head()


class Sealed(msgspec.Struct, frozen=True):
    """A turn, its bytes and their hash: what is appended and what is read back."""

    turn: Turn
    payload: bytes
    hash: bytes

    @property
    def id(self) -> str:
        """The hash in hexadecimal: the message id on the server."""
        return self.hash.hex()


def seal(head: Head, at: Nanos, facts: Iterable[Fact], decisions: Iterable[Decision]) -> Sealed:
    """The turn that follows `head`, ready to append; its size and time are asserted."""
    facts, decisions = tuple(facts), tuple(decisions)
    assert 0 < len(facts) + len(decisions) <= TURN_EVENTS_MAX, "a turn holds 1 to 256 events"
    assert at >= head.at, f"time runs back: {head.at} then {at}"
    orders = touches_orders(facts, decisions)
    turn = Turn(
        version=VERSION,
        number=TurnNumber(head.number + 1),
        first=Seq(head.events + 1),
        previous=head.hash,
        previous_orders=head.orders_hash if orders else b"",
        at=at,
        facts=facts,
        decisions=decisions,
    )
    payload = encode(turn)
    assert len(payload) <= TURN_BYTES_MAX, f"turn {turn.number} has {len(payload)} bytes"
    return Sealed(turn, payload, digest_of(payload))


def advance(head: Head, sealed: Sealed) -> Head:
    """The head after a turn that is known to follow it."""
    turn = sealed.turn
    return Head(
        turn.number,
        Seq(turn.first + len(turn.facts) + len(turn.decisions) - 1),
        turn.at,
        sealed.hash,
        sealed.hash if turn.previous_orders else head.orders_hash,
    )


def unseal(payload: bytes) -> Sealed:
    """Read a payload; its links are not yet checked."""
    return Sealed(decode(payload), payload, digest_of(payload))


def follow(head: Head, sealed: Sealed, *, where: str) -> Head:
    """Check that a turn follows `head`, and step; raises `SequenceHole` or `ChainBroken`.

    This runs for every turn that is ever read, so the good case is a single expression.
    """
    turn = sealed.turn
    if (
        turn.number == head.number + 1
        and turn.previous == head.hash
        and turn.first == head.events + 1
        and turn.at >= head.at
        and turn.previous_orders in (b"", head.orders_hash)
        and touches_orders(turn.facts, turn.decisions) == bool(turn.previous_orders)
    ):
        return advance(head, sealed)
    if turn.number != head.number + 1:
        raise SequenceHole(
            f"turn {head.number + 1} is missing: turn {turn.number} follows turn {head.number}",
            where=where,
            remedy=_REMEDY,
        )
    raise ChainBroken(f"turn {turn.number} {_broken_link(head, turn)}", where=where, remedy=_REMEDY)


def _broken_link(head: Head, turn: Turn) -> str:
    if turn.previous != head.hash:
        return f"names {turn.previous.hex()[:16]} before it, but {head.hash.hex()[:16]} is there"
    if turn.touches_orders != bool(turn.previous_orders):
        return "is filed under the wrong subject"
    if turn.previous_orders and turn.previous_orders != head.orders_hash:
        return "does not name the last turn that touched orders"
    if turn.first != head.events + 1:
        return f"starts at event {turn.first} instead of {head.events + 1}"
    return f"is earlier ({turn.at}) than the turn before it ({head.at})"


def follow_orders(head: Head, sealed: Sealed, *, where: str) -> Head:
    """As `follow`, over the orders-only copy: turns between are skipped, the links must hold."""
    turn = sealed.turn
    if turn.previous_orders != head.orders_hash or turn.number <= head.number:
        raise ChainBroken(
            f"turn {turn.number} of the orders' copy does not follow turn {head.number}",
            where=where,
            remedy=_REMEDY,
        )
    return advance(head, sealed)


_REMEDY = "do not trade on this log; `mm log check` shows what is damaged and what the archive has"
