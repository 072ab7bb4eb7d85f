"""One instrument's book as a market-data service tells it: whole, in the venue's decimals.

It is folded by the same projection that strategies look at. What is not whole shows no levels.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from mm.apps.feed_words import BookBody
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedStale,
    FeedUp,
)
from mm.events.units import EXACT, MILLIS, Nanos
from mm.events.vocabulary import Fact
from mm.gateways.binance_raw import snapshot_parts
from mm.projections.book import Books
from mm.projections.depth import LEVELS_MAX

REMEMBERED_MAX: Final = 1 << 17


class Digits(dict[int, bytes]):
    """Whole steps as decimal digits, remembered: a book repeats the same ones for hours."""

    __slots__ = ("_step",)

    def __init__(self, step: Decimal) -> None:
        """Write multiples of `step`."""
        super().__init__()
        self._step = step

    def __missing__(self, count: int) -> bytes:
        """Write a number that is met for the first time."""
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        text = self[count] = format(EXACT.multiply(count, self._step), "f").encode()
        return text


class WholeBook:
    """What was heard of one instrument, folded; changes in place."""

    def __init__(self, exchange: str, definition: InstrumentDefined) -> None:
        """Begin without a book."""
        self.definition = definition
        self._exchange = exchange
        self._books = Books()
        self._routes = self._books.routes()
        self._prices = Digits(definition.tick_size)
        self._sizes = Digits(definition.lot_size)
        self._received = self._venue_time = Nanos(0)
        self._status = "opening"
        self._reason = ""
        self._down: dict[str, FeedDown] = {}
        self._written: tuple[bytes, bytes] = (b"", b"")
        self._fresh = False

    def hear(self, received: Nanos, facts: Sequence[Fact]) -> bool:
        """Fold facts; whether they change what is told."""
        told = False
        for fact in facts:
            handler = self._routes.get(type(fact))
            if handler is not None:
                handler(fact, received)
            told = self._note(fact) or told
        self._fresh = self._fresh and not told
        return told

    def _note(self, fact: Fact) -> bool:
        """What a fact says of the book's worth."""
        match fact:
            case BookSnapshot() | BookDelta():
                self._received, self._venue_time = fact.received, fact.venue_time
                self._status, self._reason = "opening", ""
            case FeedGapped():
                self._status, self._reason = "gap", fact.reason
            case FeedDown():
                self._down[fact.channel] = fact
            case FeedUp():
                self._down.pop(fact.channel, None)
                return False
            case FeedStale():
                self._status = "stale"
            case InstrumentDefined():
                self.definition = fact
                return False
            case FeedResynced():
                pass
            case _:
                return False  # Trades and quotes leave the depth as it is.
        return True

    @property
    def whole(self) -> bool:
        """Whether there are levels that can be relied on."""
        book = self._books.of(self.definition.instrument)
        return book.has_depth and not book.gapped

    @property
    def status(self) -> str:
        """As `BookBody` has it."""
        if self._down:
            return "down"
        if not self.whole:
            return self._status if self._status != "stale" else "gap"
        return "stale" if self._status == "stale" else "live"

    def body(self, symbol: str) -> bytes:
        """The whole book as JSON, under the name that somebody asked for."""
        reason = next(iter(self._down.values())).reason if self._down else self._reason
        bids, asks = self._levels()
        return msgspec.json.encode(
            BookBody(
                exchange=self._exchange,
                symbol=symbol,
                status=self.status,
                bids=msgspec.Raw(bids),
                asks=msgspec.Raw(asks),
                timestamp=(self._venue_time or self._received) // MILLIS,
                nonce=self._books.of(self.definition.instrument).sequence,
                reason=reason,
            )
        )

    def _levels(self) -> tuple[bytes, bytes]:
        if not self._fresh:
            shown = self.whole and not self._down
            book = self._books.of(self.definition.instrument)
            bids, asks = book.bids(LEVELS_MAX), book.asks(LEVELS_MAX)
            self._written = (self._side(bids), self._side(asks)) if shown else (b"[]", b"[]")
            self._fresh = True
        return self._written

    def _side(self, levels: list[tuple[int, int]]) -> bytes:
        prices, sizes = self._prices, self._sizes
        return b"[%b]" % b",".join([b"[%b,%b]" % (prices[p], sizes[s]) for p, s in levels])

    def facts(self) -> tuple[Fact, ...]:
        """What was defined and, where the book is whole, what brings another fold to where we are.

        Nothing says that the book is lost: a fold that has heard nothing has none.
        """
        number, received = self.definition.instrument, self._received
        if not self.whole:
            return (self.definition, *self._down.values())
        book = self._books.of(number)
        bids = [each for level in book.bids(LEVELS_MAX) for each in level]
        asks = [each for level in book.asks(LEVELS_MAX) for each in level]
        snapshot = BookSnapshot(
            instrument=number,
            received=received,
            venue_time=self._venue_time,
            sequence=book.sequence,
            bids=tuple(bids),
            asks=tuple(asks),
        )
        resynced = FeedResynced(instrument=number, received=received, sequence=book.sequence)
        return (self.definition, *snapshot_parts(snapshot), resynced, *self._down.values())
