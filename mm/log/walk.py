"""Turns as a stream gives them out, checked against the chain a page at a time.

Each message must stand at the sequence that is its number, under the subject it belongs to, with
the hash of its bytes as its id, and name the hashes before it. The fast paths only find that a page
is wrong; `_diagnose` then goes through it turn by turn and names what, and at which sequence.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal, NoReturn

import msgspec

from mm.errors import BadInput, ChainBroken, SequenceHole
from mm.events.codec import VERSION, decode
from mm.events.turn import Turn
from mm.events.units import Nanos, Seq, TurnNumber
from mm.log.chain import Head, Sealed, follow, unseal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mm.log.wire import Frame

ID: Final = slice(23, 87)  # After `NATS/1.0\r\nNats-Msg-Id: `, which the writer puts first.
REMEDY: Final = "do not trade on this log; `mm log check` shows what is damaged"


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first fields of a turn: all that the chain needs, without its events."""

    version: Literal[1]
    number: TurnNumber
    first: Seq
    previous: bytes
    previous_orders: bytes
    at: Nanos


assert VERSION == 1, "a new version of turns: say here what its first fields are"
_links: Final = msgspec.msgpack.Decoder(Link)


def sequence_of(frame: Frame) -> int:
    """A message's place in its stream, from the subject that would acknowledge it."""
    words = frame[0].rpartition(b" ")[2].split(b".")
    return int(words[5 if len(words) == 9 else 7])  # noqa: PLR2004  With a domain it has two more.


class Walk:
    """Where a reader stands in a session stream; what comes next must follow."""

    def __init__(self, stream: str, orders_subject: str, head: Head) -> None:
        """Start after `head`."""
        self._stream = stream
        self._orders = f"HMSG {orders_subject} ".encode()
        self._number = head.number
        self._events = head.events
        self._at = head.at
        self._hash = head.hash
        self._orders_hash = head.orders_hash

    @property
    def head(self) -> Head:
        """Where it stands; after `links` its event number is that of the last full turn."""
        return Head(
            TurnNumber(self._number), Seq(self._events), self._at, self._hash, self._orders_hash
        )

    def turns(self, page: Sequence[Frame]) -> list[Sealed]:
        """Read the page's turns and step over them."""
        try:
            sealed = [
                Sealed(decode(payload), payload, hashlib.sha256(payload).digest())
                for _, _, payload in page
            ]
        except BadInput:
            self._diagnose(page)
        events: int = self._events
        for item in sealed:
            turn = item.turn
            if turn.first != events + 1:
                self._diagnose(page)
            events += len(turn.facts) + len(turn.decisions)
        self._step(page, [item.turn for item in sealed], [item.hash for item in sealed])
        self._events = Seq(events)
        return sealed

    def links(self, page: Sequence[Frame]) -> None:
        """Step over the page's turns without reading their events."""
        try:
            links = [_links.decode(payload) for _, _, payload in page[:-1]]
            last = decode(page[-1][2])
        except (msgspec.MsgspecError, BadInput):
            self._diagnose(page)
        hashes = [hashlib.sha256(payload).digest() for _, _, payload in page]
        self._step(page, [*links, last], hashes)
        self._events = Seq(last.first + last.size - 1)

    def _step(
        self, page: Sequence[Frame], turns: Sequence[Turn | Link], hashes: list[bytes]
    ) -> None:
        """Check what turns and links have in common; this loop is the cost of every start."""
        number: int = self._number
        at, last, orders_last = self._at, self._hash, self._orders_hash
        if sequence_of(page[0]) != number + 1 or sequence_of(page[-1]) != number + len(page):
            self._diagnose(page)
        if page[-1][1][ID] != hashes[-1].hex().encode():  # The others are named by the next turn.
            self._diagnose(page)
        orders_prefix = self._orders
        for (words, _, _), turn, digest in zip(page, turns, hashes, strict=True):
            orders = turn.previous_orders
            number += 1
            if (
                turn.number != number
                or turn.previous != last
                or turn.at < at
                or words.startswith(orders_prefix) != bool(orders)
            ):
                self._diagnose(page)
            at, last = turn.at, digest
            if orders:
                if orders != orders_last:
                    self._diagnose(page)
                orders_last = digest
        self._number, self._at = TurnNumber(number), at
        self._hash, self._orders_hash = last, orders_last

    def _diagnose(self, page: Sequence[Frame]) -> NoReturn:
        """Name the first turn that is wrong, and how."""
        head = self.head
        for frame in page:
            sequence = sequence_of(frame)
            if sequence != head.number + 1:
                raise _missing(self._stream, head.number, sequence)
            where = f"{self._stream}, sequence {sequence}"
            sealed = unaltered(frame, where)
            if frame[0].startswith(self._orders) != bool(sealed.turn.previous_orders):
                raise ChainBroken(
                    f"turn {sealed.turn.number} stands under the wrong subject",
                    where=where,
                    remedy=REMEDY,
                )
            head = follow(head, sealed, where=where)
        raise AssertionError("a page was refused without a reason")


def unaltered(frame: Frame, where: str) -> Sealed:
    """Read a turn whose bytes are those that were stored; raises `ChainBroken` or `DecodeError`."""
    _, headers, payload = frame
    digest = hashlib.sha256(payload).hexdigest()
    if headers[ID] != digest.encode():
        raise ChainBroken(
            f"the turn's bytes hash to {digest[:16]}, but it was stored as "
            f"{headers[ID][:16].decode(errors='replace') or 'nothing'}",
            where=where,
            remedy=REMEDY,
        )
    try:
        return unseal(payload)
    except BadInput as error:
        raise type(error)(error.what, where=where, remedy=error.remedy) from error


def _missing(stream: str, last: int, found: int) -> SequenceHole:
    missing = f"turn {last + 1} is" if found == last + 2 else f"turns {last + 1} to {found - 1} are"
    return SequenceHole(
        f"{missing} missing", where=f"{stream}, before sequence {found}", remedy=REMEDY
    )
