"""Public events as the compiled venue hears them: one at a time, written down as numbers.

An event becomes a fact and its levels, laid out as `counter` reads them. The parts of a snapshot
are kept until the last one has come, for as long as `projections.book` keeps them.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mm.events.base import Body, MarketEvent
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import Levels, Nanos
from mm.log.facts import FACT, NOTHING, RULING, STANDING
from mm.log.rows import ROW, Kind
from mm.projections.depth import packing
from mm.sim.compiled_run import Memory
from mm.sim.counter import hears, lay

FORM: Final = struct.Struct("<11qHBBI")
"""A `FACT`: seq, turn, at, venue, sequence, part, parts, a to d, instrument, kind, pad, channel."""
LEVELS_START: Final = 1 << 9
PARTS_START: Final = 1 << 4
ROWS_MORE: Final = 2
"""Rows of an event beside those of its levels and parts."""
DEPTH, SHOT, TOP = int(Kind.SETTLED), int(Kind.CLEAR), int(Kind.QUOTE_BID)
BOUGHT, SOLD = int(Kind.BOUGHT), int(Kind.SOLD)
LOST, DOWN, RESYNCED = int(Kind.LOST), int(Kind.DOWN), int(Kind.RESYNCED)


class Ear:
    """Hears for one memory of one instrument; changes it in place."""

    def __init__(self, memory: Memory) -> None:
        """Start before the first event."""
        self._memory = memory
        self._address = memory.address
        self._whole = bool(memory.clock["whole"][0])
        self._parts: list[BookSnapshot] = []
        self._arrays: tuple[NDArray[Any], ...] = ()
        self._standing = np.zeros(1, STANDING)
        self._standing["last"] = NOTHING
        self._begin()
        self._make_room(LEVELS_START, PARTS_START)

    def hear(self, at: Nanos, event: MarketEvent) -> int:
        """An event happens; returns how many answers it brings.

        Numbers of more than 64 bits are a loss: whoever folds the same events says what is wrong.
        """
        effect = EFFECTS.get(type(event))
        try:
            return 0 if effect is None else effect(self, at, event)
        except struct.error:
            return self._lost(at, LOST)

    def _begin(self) -> None:
        """Where orders fill in full, levels may come one by one, on an empty book too."""
        if self._whole and not self._standing["has_depth"][0]:
            self._memory.markets["has_depth"] = self._standing["has_depth"] = 1
            self._memory.markets["bid_size"] = self._memory.markets["ask_size"] = 0

    def _make_room(self, levels: int, parts: int) -> None:
        """Arrays for events of so many levels and parts."""
        self._levels_max, self._parts_max = levels, parts
        facts, numbers = np.zeros(parts * FACT.itemsize, np.uint8), np.zeros(2 * levels, np.int64)
        self._facts, self._told = facts.data, numbers.data
        self._memory.rows = np.zeros(levels + parts + ROWS_MORE, ROW)
        self._memory.refresh()
        columns = np.zeros(levels, np.int64), np.zeros(levels, np.int64)
        self._arrays = (facts, np.zeros(parts, RULING), self._standing, numbers, *columns)
        lay(self._memory, self._arrays)

    def _fact(self, kind: int, *numbers: int) -> None:
        """Write an event down that has no levels of its own."""
        FORM.pack_into(self._facts, 0, 0, 0, 0, 0, *numbers, 0, kind, 0, 0)

    def _delta(self, at: Nanos, event: BookDelta) -> int:
        self._parts.clear()
        bids, asks = event.bids, event.asks
        split, count = len(bids) >> 1, (len(bids) + len(asks)) >> 1
        if count > self._levels_max:
            self._make_room(2 * count, self._parts_max)
        self._write(0, bids, asks)
        FORM.pack_into(
            self._facts, 0, 0, 0, 0, 0, event.last, 0, 0, 0, split, split, count, 0, DEPTH, 0, 0
        )
        return hears(self._address, at, 1, count)

    def _write(self, place: int, bids: Levels, asks: Levels) -> None:
        count = len(bids) + len(asks)
        packing(count)(self._told, 8 * place, *bids, *asks)

    def _snapshot(self, at: Nanos, event: BookSnapshot) -> int:
        if event.part == 1:
            self._parts.clear()
        self._parts.append(event)
        if event.part < event.parts:
            return 0
        parts, self._parts = self._parts, []
        return self._joined(at, parts)

    def _joined(self, at: Nanos, parts: Sequence[BookSnapshot]) -> int:
        """All parts that have come, in their order; whether they are all there is judged later."""
        count = sum(len(part.bids) + len(part.asks) for part in parts) >> 1
        if count > self._levels_max or len(parts) > self._parts_max:
            most = (self._levels_max, self._parts_max)
            self._make_room(max(2 * count, most[0]), max(2 * len(parts), most[1]))
        place = 0
        for number, part in enumerate(parts):
            self._write(2 * place, part.bids, part.asks)
            split = place + (len(part.bids) >> 1)
            end = split + (len(part.asks) >> 1)
            numbers = (part.sequence, part.part, part.parts, place, split, split, end)
            offset = number * FACT.itemsize
            FORM.pack_into(self._facts, offset, 0, 0, 0, 0, *numbers, 0, SHOT, 0, 0)
            place = end
        return hears(self._address, at, len(parts), count)

    def _quote(self, at: Nanos, event: QuoteUpdated) -> int:
        if self._whole:
            return 0  # Quotes are no depth.
        numbers = (event.bid, event.bid_size, event.ask, event.ask_size)
        FORM.pack_into(self._facts, 0, 0, 0, 0, 0, event.sequence, 0, 0, *numbers, 0, TOP, 0, 0)
        return hears(self._address, at, 1, 0)

    def _trade(self, at: Nanos, event: TradePrinted) -> int:
        kind = BOUGHT if event.aggressor > 0 else SOLD
        self._fact(kind, 0, 0, 0, event.price, event.size, 0, 0)
        return hears(self._address, at, 1, 0)

    def _gapped(self, at: Nanos, _event: FeedGapped) -> int:
        return self._lost(at, LOST)

    def _down(self, at: Nanos, _event: FeedDown) -> int:
        return self._lost(at, DOWN)

    def _lost(self, at: Nanos, kind: int) -> int:
        self._parts.clear()
        self._fact(kind, 0, 0, 0, 0, 0, 0, 0)
        return hears(self._address, at, 1, 0)

    def _resynced(self, at: Nanos, _event: FeedResynced) -> int:
        self._fact(RESYNCED, 0, 0, 0, 0, 0, 0, 0)
        answers = hears(self._address, at, 1, 0)
        self._begin()
        return answers


EFFECTS: Final[dict[type[Body], Callable[[Ear, Nanos, Any], int]]] = {
    BookSnapshot: Ear._snapshot,  # noqa: SLF001 - a table of its own methods.
    BookDelta: Ear._delta,  # noqa: SLF001
    QuoteUpdated: Ear._quote,  # noqa: SLF001
    TradePrinted: Ear._trade,  # noqa: SLF001
    FeedGapped: Ear._gapped,  # noqa: SLF001
    FeedDown: Ear._down,  # noqa: SLF001
    FeedResynced: Ear._resynced,  # noqa: SLF001
}
"""What each event does; all others change nothing at the venue."""
