"""What is compared before a log is trusted: stream, mark, archive, chain, copy.

A stream knows nothing of what it has lost: a bit flip in a block file silently drops all after it,
a cut file reuses numbers, an emptied stream is merely young. So the stream is held against what is
known from outside it, then every hash and link is checked, and nothing is ever repaired here.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from mm.errors import ChainBroken, SequenceHole, TailLost
from mm.events.turn import NO_HASH
from mm.events.units import TurnNumber
from mm.log.chain import START, Head
from mm.log.walk import REMEDY

if TYPE_CHECKING:
    from mm.log.reader import Reader, State

COPY_WAIT_SECONDS: Final = 0.5
COPY_SECONDS_MAX: Final = 30.0  # For those who wait until the copy is complete.
BEHIND: Final = (
    "the copy of the turns that touch orders {}: the server has not copied the later ones yet, so "
    "they are read from the log itself"
)
NO_MARK: Final = "there was no mark: turns lost at the end before now would not have been noticed"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a log from outside the server.

    `mark` is the high-water mark, `archived` where the archive ends. With `verified`, a position up
    to which the chain was checked before, only what follows is read again.
    """

    mark: Head | None = None
    archived: Head | None = None
    verified: Head | None = None

    @property
    def positions(self) -> list[tuple[str, Head]]:
        """What is known, by name."""
        named = (
            ("mark", self.mark), ("archive", self.archived), ("verified part", self.verified)
        )  # fmt: skip
        return [(name, head) for name, head in named if head is not None and head.number]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A log that was found whole: where it stands, and what was read to know it.

    `base` is where reading may begin: all before it something else vouches for.
    """

    head: Head
    first: TurnNumber
    base: Head
    beyond_mark: int
    notes: tuple[str, ...] = ()


async def inspect(reader: Reader, known: Known, *, chain: bool = True) -> Found:
    """Hold the stream against all that is known and, with `chain`, check it turn by turn.

    Without `chain` the caller reads all turns after `Found.base` itself, which checks them too.
    Raises `TailLost`, `SequenceHole`, `ChainBroken` or `DecodeError`, naming turn and sequence, or
    `LogUnavailable` when the server does not answer.
    """
    state = await reader.state()
    if state.last_seq and not state.messages:  # The server itself cannot go on from there.
        raise SequenceHole(
            f"the stream is empty, and held turns up to {state.last_seq}",
            where=f"{reader.stream}, sequence {state.last_seq}",
            remedy=REMEDY,
        )
    for name, head in known.positions:
        await _require(reader, state, name, head)
    base = _base(reader, state, known)
    last = TurnNumber(state.last_seq)
    if chain or base.number == last:
        head = await reader.verify(base, last)
    else:
        head = await reader.head_at(last)
    notes = [] if known.mark or not head.number else [NO_MARK]
    return Found(
        head=head,
        first=TurnNumber(state.first_seq),
        base=base,
        beyond_mark=head.number - (known.mark or START).number,
        notes=(*notes, *await _copy_notes(reader, state, head)),
    )


async def _copy_notes(reader: Reader, state: State, head: Head) -> list[str]:
    """Hold the end of the copy of the orders' turns against the log; it may lag, and no more."""
    with suppress(TailLost):
        await reader.copied(head, COPY_WAIT_SECONDS)
    sealed = await reader.copy_end()
    if sealed is None:
        return [] if head.orders_hash == NO_HASH else [BEHIND.format("is empty")]
    ended = msgspec.structs.replace(head, number=sealed.turn.number, hash=sealed.hash)
    await _require(reader, state, "copy of the orders' turns", ended)
    if sealed.hash == head.orders_hash:
        return []
    return [BEHIND.format(f"ends with turn {sealed.turn.number}")]


async def _require(reader: Reader, state: State, name: str, head: Head) -> None:
    """Demand that the stream holds the turn that is known, or has been trimmed beyond it."""
    if head.number > state.last_seq:
        lost = head.number - state.last_seq
        raise TailLost(
            f"{lost} acknowledged turn{'s are' if lost > 1 else ' is'} lost: the {name} ends with "
            f"turn {head.number}, the stream with turn {state.last_seq}",
            where=f"{reader.stream}, after sequence {state.last_seq}",
            remedy=f"{REMEDY}; ask the venue for what happened since",
        )
    if head.number < state.first_seq:
        return
    sealed = await reader.turn(head.number)
    if sealed is None:
        raise SequenceHole(
            f"turn {head.number} is missing, with which the {name} ends",
            where=f"{reader.stream}, sequence {head.number}",
            remedy=REMEDY,
        )
    if sealed.hash != head.hash:
        raise ChainBroken(
            f"turn {head.number} is {sealed.id[:16]}, but the {name} knows "
            f"{head.hash.hex()[:16]} there: this is another log",
            where=f"{reader.stream}, sequence {head.number}",
            remedy=REMEDY,
        )


def _base(reader: Reader, state: State, known: Known) -> Head:
    """Where the check begins: at the start, or where something else vouches for what was before."""
    bases = [head for head in (known.verified, known.archived) if head is not None]
    base = bases[0] if known.verified or (bases and state.first_seq > 1) else START
    if base.number + 1 < state.first_seq and state.last_seq:
        raise SequenceHole(
            f"turns {base.number + 1} to {state.first_seq - 1} are missing at the beginning",
            where=f"{reader.stream}, before sequence {state.first_seq}",
            remedy="name the archive that holds them, or do not trust this log",
        )
    return base
