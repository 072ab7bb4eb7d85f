"""Strategies that are Python objects, asked by the pass: the same objects as live, unchanged.

A strategy sees its book, instrument and position through `MarketView`, as in the engine, and
returns what it wants with its next memory. One that wants what it wanted last is believed at once:
returning the very same `Wanted` costs least.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from mm.engine.fault import described, located
from mm.errors import TradingStopped
from mm.events.instrument import InstrumentDefined
from mm.events.session import NoQuoteReason
from mm.events.units import Lots, Nanos
from mm.projections.ladder import levels
from mm.projections.position import Position, moved
from mm.sim.compiled_run import Memory
from mm.sim.world import CLOCK, DESK, LEVELS_MAX, MARKET, WANTED_WIDTH
from mm.strategy.base import Level, MarketView, Strategy, Wanted, nothing

DOWN: Final = nothing(NoQuoteReason.FEED_DOWN)
STOPPING: Final = nothing(NoQuoteReason.STOPPING)


def words_of(kind: np.dtype[Any], field: str) -> int:
    """The place of a field among the 64-bit words of a row."""
    assert kind.fields is not None, "a type without fields"
    assert kind.itemsize % 8 == 0, "rows of whole words"
    return int(kind.fields[field][1]) // 8


class BookSeen:
    """One instrument's book in the pass, to look at: as `projections.book.Book`."""

    def __init__(self, memory: Memory, place: int) -> None:
        """Look at the book of the instrument at a place."""
        self._memory = memory
        self._place = place
        row = memory.markets[place : place + 1]
        self._words = row.view(np.int64).data
        self._flags = row.view(np.uint8).data[_HAS_DEPTH:]

    @property
    def bid(self) -> int:
        """Best bid in ticks; 0 where none is shown."""
        price: int = self._words[0]
        return price

    @property
    def bid_size(self) -> int:
        """Lots at the best bid."""
        size: int = self._words[1]
        return size

    @property
    def ask(self) -> int:
        """Best ask in ticks; 0 where none is shown."""
        price: int = self._words[2]
        return price

    @property
    def ask_size(self) -> int:
        """Lots at the best ask."""
        size: int = self._words[3]
        return size

    @property
    def updated(self) -> Nanos:
        """Log time at which it was last spoken of."""
        return Nanos(self._words[8])

    @property
    def has_depth(self) -> bool:
        """Whether a snapshot was heard."""
        return bool(self._flags[0])

    @property
    def usable(self) -> bool:
        """Whether there is a touch that is known to be whole."""
        flags = self._flags
        depth, quote, lost = flags[0], flags[1], flags[2]
        return bool((depth or quote) and not lost)

    @property
    def two_sided(self) -> bool:
        """Whether both a bid and an ask are shown."""
        words = self._words
        return words[1] > 0 and words[3] > 0

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask: a book nobody may quote from."""
        words = self._words
        bid, bid_size, ask, ask_size = words[0], words[1], words[2], words[3]
        return bid >= ask and bid_size > 0 and ask_size > 0

    @property
    def mid(self) -> float:
        """Middle of the touch, in ticks; only for a two-sided book."""
        middle: float = (self._words[0] + self._words[2]) / 2
        return middle

    @property
    def microprice(self) -> float:
        """Touch weighted by the opposite sizes, in ticks (Stoikov 2018's weighted mid)."""
        bid, bid_size, ask, ask_size = self._words[:4].tolist()
        return (bid * ask_size + ask * bid_size) / (bid_size + ask_size)

    def bids(self, depth: int) -> list[tuple[int, int]]:
        """The best `depth` bids as (price, size), best first."""
        return self._levels(0, depth)

    def asks(self, depth: int) -> list[tuple[int, int]]:
        """The best `depth` asks as (price, size), best first."""
        return self._levels(1, depth)

    def _levels(self, side: int, depth: int) -> list[tuple[int, int]]:
        found = np.zeros(2 * depth, np.int64)
        count = levels(self._memory.address, self._place, side, found)
        flat = found[: 2 * count].tolist()
        return list(zip(flat[::2], flat[1::2], strict=True))


class Asked:
    """One desk: its strategy, that one's memory, and what it wanted last."""

    def __init__(self, memory: Memory, place: int, strategy: Strategy, name: str) -> None:
        """Begin with the strategy's first memory."""
        self.name = name
        self.strategy = strategy
        self.memory: Any = strategy.initial()
        self.last: Wanted | None = None
        self.position = Position(net=Lots(int(memory.desks["net"][place])))
        self.words = memory.desks[place : place + 1].view(np.int64).data


class Asker:
    """Answers for the desks that are Python objects."""

    def __init__(
        self,
        memory: Memory,
        instruments: Sequence[InstrumentDefined],
        desks: Sequence[tuple[str, Strategy]],
    ) -> None:
        """Take over the desks of a run, by name, in their order."""
        self._memory = memory
        self._clock = memory.clock.view(np.int64).data
        places = memory.desks["instrument"].tolist()
        self._instruments = [instruments[place] for place in places]
        self._books: list[Any] = [BookSeen(memory, place) for place in places]
        self._markets = [memory.markets[place : place + 1].view(np.int64).data for place in places]
        self._asked = [
            Asked(memory, place, strategy, name) for place, (name, strategy) in enumerate(desks)
        ]
        self._heard = 0

    def answer(self) -> None:
        """Ask the desk that the pass stopped for; raises `TradingStopped` if it raises."""
        clock, place = self._clock, self._clock[_DESK]
        asked = self._asked[place]
        if asked.words[_NET] != asked.position.net:
            self._hear(clock[_AT])
        if clock[_STOPPING]:
            wanted = STOPPING
        elif self._markets[place][_DOWN_AT]:
            wanted = DOWN
        else:
            view = MarketView(
                Nanos(clock[_AT]), self._instruments[place], self._books[place], asked.position
            )
            try:
                wanted, asked.memory = asked.strategy.decide(view, asked.memory)
            except Exception as error:
                raise self._stopped(asked, error) from error
        same = wanted is asked.last or wanted == asked.last
        clock[_SAME] = same
        clock[_PHASE] = 1
        if not same:
            self._want(asked, place, wanted)

    def adopt(self, place: int, instrument: InstrumentDefined, strategy: Strategy) -> None:
        """A desk goes on in an instrument defined anew, with its memory if its rule is the same."""
        asked = self._asked[place]
        before, asked.strategy = asked.strategy, strategy
        if strategy.rule != before.rule:
            asked.memory = strategy.initial()
        self._instruments[place] = instrument

    def _want(self, asked: Asked, place: int, wanted: Wanted) -> None:
        if not isinstance(wanted, Wanted):
            raise TradingStopped(
                f"strategy {asked.name} wants {type(wanted).__name__}, not Wanted",
                where=self._moment(),
                remedy="return what is wanted and the next memory from `decide`",
            )
        words = asked.words
        words[_BIDS] = self._side(4 * place, wanted.bids, asked)
        words[_ASKS] = self._side(4 * place + 1, wanted.asks, asked)
        take = wanted.take
        words[_TAKE] = take.side if take is not None else 0
        if take is not None:
            words[_TAKE + 1], words[_TAKE + 2] = take.price, take.size
        asked.last = wanted

    def _side(self, row: int, wanted: tuple[Level, ...], asked: Asked) -> int:
        if len(wanted) > LEVELS_MAX:
            raise TradingStopped(
                f"strategy {asked.name} wants {len(wanted)} levels on a side",
                where=self._moment(),
                remedy=f"the pass rests {LEVELS_MAX} at most",
            )
        kept = self._memory.wanted
        assert kept.shape[1] == WANTED_WIDTH, "room for every level"
        for place, level in enumerate(wanted):
            try:
                kept[row, 2 * place], kept[row, 2 * place + 1] = level.price, level.size
            except (OverflowError, TypeError, ValueError) as error:
                raise self._stopped(asked, error) from error
        return len(wanted)

    def _hear(self, at: int) -> None:
        """Move the positions by the fills that have reached us."""
        memory = self._memory
        fills, count = memory.fills, int(memory.clock["fills"][0])
        while self._heard < count and fills["heard"][self._heard] <= at:
            fill = fills[self._heard]
            place = int(fill["desk"])
            asked, kind = self._asked[place], self._instruments[place].kind
            signed = int(fill["side"]) * int(fill["size"])
            asked.position = moved(asked.position, signed, int(fill["price"]), kind)
            self._heard += 1

    def _stopped(self, asked: Asked, error: Exception) -> TradingStopped:
        return TradingStopped(
            f"strategy {asked.name} raised {described(error)} in {located(error)}",
            where=self._moment(),
            remedy="correct the strategy; the row and time say what it was shown",
        )

    def _moment(self) -> str:
        clock = self._memory.clock[0]
        row = int(clock["first_row"]) + int(clock["i"])
        return f"row {row} at {int(clock['at'])} ns"


_HAS_DEPTH: Final = MARKET.fields["has_depth"][1] if MARKET.fields else 0
_DOWN_AT = words_of(MARKET, "down")
_AT, _DESK = words_of(CLOCK, "at"), words_of(CLOCK, "desk")
_STOPPING, _SAME, _PHASE = (words_of(CLOCK, name) for name in ("stopping", "same", "phase"))
_NET, _BIDS, _ASKS = (words_of(DESK, name) for name in ("net", "bids", "asks"))
_TAKE = words_of(DESK, "take_sign")
assert [words_of(MARKET, name) for name in ("bid", "bid_size", "ask", "ask_size", "updated")] == [
    0,
    1,
    2,
    3,
    8,
], "see `BookSeen`"
