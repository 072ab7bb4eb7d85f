"""Order books: depth folded by the compiled ladder, and the best quote laid over it.

A book is usable from its snapshot on, and not from a gap until the resync; a snapshot with a part
missing is a gap. Each session starts with empty books: what happened between two sessions nobody
heard. Depth and best quotes are different streams of a venue, the quotes faster: the touch is
whichever carries the greater venue sequence (without one, the later on the log). Depth is never
patched by a quote.
"""

from typing import Any, Final

import numpy as np

from mm.errors import BadInput
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    QuoteUpdated,
)
from mm.events.session import SessionStarted
from mm.events.units import InstrumentId, Lots, Nanos, Ticks
from mm.projections.base import Routes
from mm.projections.depth import LEVELS_MAX, Depth
from mm.projections.ladder import Ints


class Book:
    """One instrument's depth and touch; changes in place."""

    def __init__(self) -> None:
        """Start empty and unusable."""
        self._depth = Depth()
        self._parts: list[BookSnapshot] = []
        self.sequence = 0
        self.has_depth = False
        self.has_quote = False
        self.gapped = False
        self.updated = Nanos(0)
        self.bid = Ticks(0)
        self.bid_size = Lots(0)
        self.ask = Ticks(0)
        self.ask_size = Lots(0)
        self._quote_sequence = 0

    @property
    def usable(self) -> bool:
        """Whether there is a touch that is known to be whole."""
        return (self.has_depth or self.has_quote) and not self.gapped

    @property
    def two_sided(self) -> bool:
        """Whether both a bid and an ask are shown."""
        return self.bid_size > 0 and self.ask_size > 0

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask: a book nobody may quote from."""
        return self.two_sided and self.bid >= self.ask

    @property
    def mid(self) -> float:
        """Middle of the touch, in ticks; only for a two-sided book."""
        return (self.bid + self.ask) / 2

    @property
    def microprice(self) -> float:
        """Touch weighted by the opposite sizes, in ticks (Stoikov 2018's weighted mid)."""
        total = self.bid_size + self.ask_size
        return (self.bid * self.ask_size + self.ask * self.bid_size) / total

    def bids(self, depth: int) -> list[tuple[int, int]]:
        """The best `depth` bids as (price, size), best first."""
        return self._levels(0, depth)

    def asks(self, depth: int) -> list[tuple[int, int]]:
        """The best `depth` asks as (price, size), best first."""
        return self._levels(1, depth)

    def _levels(self, side: int, depth: int) -> list[tuple[int, int]]:
        found = self._depth.best(side, depth)
        return list(zip(*found.T.tolist(), strict=True))

    def snapshot(self, event: BookSnapshot, at: Nanos) -> None:
        """Replace the depth once the last part has come."""
        if event.part == 1:
            self._parts.clear()
        self._parts.append(event)
        if event.part < event.parts:
            return
        parts, self._parts = self._parts, []
        if not _whole(parts, event):
            self.lose()
            return
        self._depth.clear()
        for part in parts:
            self._fold(part)
        self.has_depth = True
        self._settle(event.sequence, at)

    def delta(self, event: BookDelta, at: Nanos) -> None:
        """Set the changed levels; without a snapshot there is nothing to change."""
        self._parts.clear()  # A snapshot that comes in parts would not hold this change.
        if not self.has_depth:
            return
        self._fold(event)
        self._settle(event.last, at)

    def quote(self, event: QuoteUpdated, at: Nanos) -> None:
        """Lay a best quote over the depth, unless the depth is newer."""
        self.updated = at
        self.has_quote = True
        if event.sequence and event.sequence < self.sequence:
            return
        self._quote_sequence = event.sequence
        self.bid, self.bid_size = event.bid, event.bid_size
        self.ask, self.ask_size = event.ask, event.ask_size

    def lose(self) -> None:
        """Something is missing: nothing here may be used until it is whole again.

        Depth that can no more be followed is forgotten at once, and never shown.
        """
        self.gapped = True
        self._depth.clear()
        self.has_depth = False
        self.has_quote = False
        self.sequence = self._quote_sequence = 0  # Whatever comes next is newer.
        self._parts.clear()

    def resynced(self) -> None:
        """Whole again, from the snapshot that came with it."""
        self.gapped = False

    def _settle(self, sequence: int, at: Nanos) -> None:
        self.sequence = sequence
        self.updated = at
        if sequence and self.has_quote and self._quote_sequence > sequence:
            return
        bid, bid_size, ask, ask_size = self._depth.top.tolist()
        self.bid, self.bid_size = Ticks(bid), Lots(bid_size)
        self.ask, self.ask_size = Ticks(ask), Lots(ask_size)

    def _fold(self, event: BookSnapshot | BookDelta) -> None:
        """Set levels; the book is lost with any of them."""
        try:
            self._depth.set(event.bids, event.asks)
        except BadInput as error:
            self.lose()
            error.where = f"the depth of instrument {event.instrument}"
            raise

    def dump(self) -> Any:
        """Depth as bytes, touch and flags."""
        return (
            [column.astype("<i8").tobytes() for column in self._columns()],
            [self.bid, self.bid_size, self.ask, self.ask_size],
            [self.sequence, self._quote_sequence, self.updated],
            [self.has_depth, self.has_quote, self.gapped],
            [list(msg) for msg in _plain_parts(self._parts)],
        )

    def _columns(self) -> list[Ints]:
        """Keys and sizes of bids, then of asks, worst first; the greater a key, the better."""
        bids, asks = (self._depth.best(side, LEVELS_MAX)[::-1] for side in (0, 1))
        return [bids[:, 0], bids[:, 1], -asks[:, 0], asks[:, 1]]

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        arrays, touch, stamps, flags, parts = dumped
        bids, bid_sizes, asks, ask_sizes = (np.frombuffer(raw, "<i8")[::-1] for raw in arrays)
        self._depth.load(np.stack((bids, bid_sizes), 1), np.stack((-asks, ask_sizes), 1))
        self.bid, self.bid_size, self.ask, self.ask_size = touch
        self.sequence, self._quote_sequence, self.updated = stamps
        self.has_depth, self.has_quote, self.gapped = flags
        self._parts = [_part(plain) for plain in parts]


def _whole(parts: list[BookSnapshot], last: BookSnapshot) -> bool:
    """Whether these are all the parts of one snapshot, in order."""
    places = [(part.part, part.parts, part.sequence) for part in parts]
    return len(parts) == last.parts and places == [
        (number, last.parts, last.sequence) for number in range(1, last.parts + 1)
    ]


def _plain_parts(parts: list[BookSnapshot]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(part, field) for field in part.__struct_fields__) for part in parts]


def _part(plain: list[Any]) -> BookSnapshot:
    values = dict(zip(BookSnapshot.__struct_fields__, plain, strict=True))
    values["bids"], values["asks"] = tuple(values["bids"]), tuple(values["asks"])
    return BookSnapshot(**values)


class Books:
    """The book of every instrument that was heard of."""

    name: Final = "books"

    def __init__(self) -> None:
        """Start without books."""
        self._books: dict[InstrumentId, Book] = {}
        self._nothing = Book()

    def of(self, instrument: InstrumentId) -> Book:
        """The book of an instrument, to look at; an empty one before anything was heard."""
        return self._books.get(instrument, self._nothing)

    def _made(self, instrument: InstrumentId) -> Book:
        book = self._books.get(instrument)
        if book is None:
            book = self._books[instrument] = Book()
        return book

    def routes(self) -> Routes:
        """Market events by type, and the session's start."""
        return {
            SessionStarted: self._started,
            BookSnapshot: self._snapshot,
            BookDelta: self._delta,
            QuoteUpdated: self._quote,
            FeedGapped: self._lost,
            FeedDown: self._lost,
            FeedResynced: self._resynced,
        }

    def _started(self, _event: SessionStarted, _at: Nanos) -> None:
        self._books.clear()

    def _snapshot(self, event: BookSnapshot, at: Nanos) -> None:
        self._made(event.instrument).snapshot(event, at)

    def _delta(self, event: BookDelta, at: Nanos) -> None:
        self._made(event.instrument).delta(event, at)

    def _quote(self, event: QuoteUpdated, at: Nanos) -> None:
        book = self._books.get(event.instrument) or self._made(event.instrument)
        book.quote(event, at)

    def _lost(self, event: FeedGapped | FeedDown, _at: Nanos) -> None:
        self._made(event.instrument).lose()

    def _resynced(self, event: FeedResynced, _at: Nanos) -> None:
        self._made(event.instrument).resynced()

    def dump(self) -> Any:
        """Every book, by instrument number."""
        return [(key, self._books[key].dump()) for key in sorted(self._books)]

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        self._books.clear()
        for key, plain in dumped:
            self._made(key).load(plain)
