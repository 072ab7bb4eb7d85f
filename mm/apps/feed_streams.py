"""One instrument that a market-data service hears, and the ways in which it is told.

A way is what a subscription's body asks for: a book under some spelling of the symbol, at full or
at a bounded rate, or the facts. Each lives as long as somebody renews it, whoever that is; a stream
with no way left has nobody who listens. Nothing here waits or reads a clock: times are given, in
nanoseconds that only go forward.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mm.apps.feed_book import WholeBook
from mm.apps.feed_words import Batch, Beginning, BookBody, Subjects, Wanted, pack
from mm.events.instrument import InstrumentDefined
from mm.events.units import SECONDS, Nanos
from mm.events.vocabulary import Fact

IDLE: Final = Nanos(20 * SECONDS)
RUN_BYTES: Final = 8

Send = Callable[[bytes, bytes], bool]
"""Publish a payload on a subject; False where that is not possible now."""


class Way(msgspec.Struct, kw_only=True):
    """One of the ways in which a stream is told; `told` is when a book last went out."""

    subject: bytes
    renewed: Nanos
    interval: Nanos
    told: Nanos
    due: bool


class Stream:
    """A book and those who want it; changes in place."""

    def __init__(
        self, exchange: str, definition: InstrumentDefined, subjects: Subjects, send: Send
    ) -> None:
        """Nobody listens yet."""
        self.exchange = exchange
        self.definition = definition
        self.book = WholeBook(exchange, definition)
        self.ways: dict[Wanted, Way] = {}
        self.unsent = 0
        """Messages that the connection had no room for."""
        self._subjects = subjects
        self._send = send
        self._run = secrets.token_hex(RUN_BYTES)
        self._number = 0

    def renew(self, wanted: Wanted, at: Nanos) -> bool:
        """Somebody wants this, or still does; whether it is new."""
        way = self.ways.get(wanted)
        if way is not None:
            way.renewed = at
            return False
        rate = wanted.per_second_max
        interval = Nanos(-(-SECONDS // rate) if rate else 0)
        self.ways[wanted] = Way(
            subject=self._subjects.stream(self.exchange, wanted).encode(),
            renewed=at,
            interval=interval,
            told=Nanos(at - interval),
            due=False,
        )
        return True

    def expire(self, at: Nanos, idle: Nanos = IDLE) -> bool:
        """Let go of what nobody renewed for so long; whether anything is left."""
        for wanted, way in tuple(self.ways.items()):
            if at - way.renewed >= idle:
                del self.ways[wanted]
        return bool(self.ways)

    def hear(self, received: Nanos, facts: Sequence[Fact], at: Nanos) -> None:
        """Fold facts and tell them: books that changed, and the facts themselves."""
        changed = self.book.hear(received, facts)
        self._number += 1
        for wanted, way in self.ways.items():
            if wanted.events:
                batch = Batch(self._run, self._number, tuple(facts))
                self.unsent += not self._send(way.subject, pack(batch))
            elif changed:
                way.due = True
        if changed:
            self.settle(at)

    def settle(self, at: Nanos) -> None:
        """Tell the books that are due; what does not leave stays due, and is the latest then."""
        for wanted, way in self.ways.items():
            if way.due and at - way.told >= way.interval:
                if self._send(way.subject, self.book.body(wanted.symbol)):
                    way.told, way.due = at, False
                else:
                    self.unsent += 1

    def answer(self, wanted: Wanted) -> bytes:
        """How it stands, for somebody who asked."""
        if wanted.events:
            return pack(Beginning(self._run, self._number, self.book.facts()))
        return self.book.body(wanted.symbol)


def refusal(exchange: str, wanted: Wanted, reason: str, status: str = "refused") -> bytes:
    """The answer where there is no stream."""
    if wanted.events:
        return pack(Beginning("", 0, (), reason))
    body = BookBody(exchange=exchange, symbol=wanted.symbol, status=status, reason=reason)
    return msgspec.json.encode(body)
