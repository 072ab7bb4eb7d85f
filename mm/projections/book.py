"""Order books: depth folded by the compiled kernel, and the best quote laid over it.

A book is usable from its snapshot on, and not from a gap until the resync; a snapshot with a part
missing is a gap. Each session starts with empty books: what happened between two sessions nobody
heard. Depth and best quotes are different streams of a venue, the quotes faster: the touch is
whichever carries the greater venue sequence (without one, the later on the log). Depth is never
patched by a quote.
"""

from typing import Any, Final

import numpy as np

from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    QuoteUpdated,
)
from mm.events.session import SessionStarted
from mm.events.units import InstrumentId, Levels, Lots, Nanos, Ticks
from mm.projections.base import Routes
from mm.projections.kernels import EMPTY, Ints, compact, fold

LEVELS_START: Final = 2_048
LEVELS_MAX: Final = 1 << 20


class Book:
    """One instrument's depth and touch; changes in place."""

    def __init__(self) -> None:
        """Start empty and unusable."""
        self._keys: Ints = np.zeros((2, LEVELS_START), np.int64)
        self._sizes: Ints = np.zeros((2, LEVELS_START), np.int64)
        self._top: Ints = np.zeros(6, np.int64)
        self._depth = self._top.data
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
        return self._levels(0, 1, depth)

    def asks(self, depth: int) -> list[tuple[int, int]]:
        """The best `depth` asks as (price, size), best first."""
        return self._levels(1, -1, depth)

    def _levels(self, row: int, sign: int, depth: int) -> list[tuple[int, int]]:
        keys, sizes = self._kept(row)
        start = max(0, len(keys) - depth)
        found = zip((sign * keys[start:]).tolist(), sizes[start:].tolist(), strict=True)
        return list(found)[::-1]

    def _kept(self, row: int) -> tuple[Ints, Ints]:
        """One side without the places of levels that were removed."""
        count = self._depth[4 + row]
        keys, sizes = self._keys[row, :count], self._sizes[row, :count]
        kept = sizes != 0
        return keys[kept], sizes[kept]

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
        self._top[:] = 0
        for part in parts:
            self._fold(part.bids, part.asks)
        self.has_depth = True
        self._settle(event.sequence, at)

    def delta(self, event: BookDelta, at: Nanos) -> None:
        """Set the changed levels; without a snapshot there is nothing to change."""
        self._parts.clear()  # A snapshot that comes in parts would not hold this change.
        if not self.has_depth:
            return
        self._fold(event.bids, event.asks)
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
        """Something is missing: nothing here may be used until it is whole again."""
        self.gapped = True
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
        bid, bid_size, ask, ask_size, _, _ = self._depth.tolist()
        self.bid, self.bid_size = Ticks(bid), Lots(bid_size)
        self.ask, self.ask_size = Ticks(ask), Lots(ask_size)

    def _fold(self, bids: Levels, asks: Levels) -> None:
        split, size = len(bids), len(bids) + len(asks)
        assert not split % 2 | size % 2, "a price without a size"
        needed = max(self._depth[4] + split // 2, self._depth[5] + (size - split) // 2)
        if needed > self._keys.shape[1]:
            self._make_room(max(split, size - split) // 2)
        levels = np.fromiter(bids + asks, np.int64, size)
        fold(self._keys, self._sizes, self._top, levels, split)

    def _make_room(self, more: int) -> None:
        """Take out what was removed; a book that is three quarters full even so gets wider."""
        for row in (0, 1):
            self._top[4 + row] = compact(self._keys[row], self._sizes[row], self._depth[4 + row])
        self._grow(max(self._depth[4], self._depth[5]) + more)

    def _grow(self, needed: int) -> None:
        assert needed <= LEVELS_MAX, f"a book of {needed} levels is past all bounds"
        wider = 1 << (needed * 4 // 3).bit_length()
        if wider <= self._keys.shape[1]:
            return
        for name in ("_keys", "_sizes"):
            grown = np.zeros((2, wider), np.int64)
            old = getattr(self, name)
            grown[:, : old.shape[1]] = old
            setattr(self, name, grown)

    def dump(self) -> Any:
        """Depth as bytes, touch and flags."""
        arrays = (*self._kept(0), *self._kept(1))
        return (
            [array.astype("<i8").tobytes() for array in arrays],
            [self.bid, self.bid_size, self.ask, self.ask_size],
            [self.sequence, self._quote_sequence, self.updated],
            [self.has_depth, self.has_quote, self.gapped],
            [list(msg) for msg in _plain_parts(self._parts)],
        )

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        arrays, touch, stamps, flags, parts = dumped
        columns = [np.frombuffer(raw, "<i8").astype(np.int64) for raw in arrays]
        counts = (len(columns[0]), len(columns[2]))
        self._grow(max(counts))
        for row, count in enumerate(counts):
            self._keys[row, :count] = columns[2 * row]
            self._sizes[row, :count] = columns[2 * row + 1]
        self._top[4:] = counts
        fold(self._keys, self._sizes, self._top, EMPTY, 0)
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
