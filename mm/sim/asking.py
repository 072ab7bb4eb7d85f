"""Strategies that are Python objects, asked by the pass: the same objects as live, unchanged.

A strategy sees its book, instrument and position as through `MarketView` in the engine, and
returns what it wants with its next memory. One that wants what it wanted last is believed at once:
returning the very same `Wanted` costs least. The pass calls `Asked.answer` from within, with all
that nearly every strategy looks at; what else one asks for is read from the pass's own memory.
"""

from collections.abc import Sequence
from typing import Any, Final
from weakref import proxy

import numpy as np

from mm.engine.fault import described, located
from mm.errors import TradingStopped
from mm.events.instrument import InstrumentDefined
from mm.events.session import NoQuoteReason
from mm.events.units import Lots, Nanos
from mm.projections.compiled import word_of
from mm.projections.ladder import levels
from mm.projections.position import Position, moved
from mm.sim.compiled_run import Answer, Memory
from mm.sim.waking import DEPTH, DOWN, FAILED, OTHER, SAME, STOPPING, USABLE
from mm.sim.world import DESK, LEVELS_MAX
from mm.strategy.base import Strategy, Wanted, nothing, require_wanted

LOST: Final = nothing(NoQuoteReason.FEED_DOWN)
STOPPED: Final = nothing(NoQuoteReason.STOPPING)
UNASKED: Final = DOWN | STOPPING
"""States in which nothing is wanted, whatever the strategy would say."""


class BookSeen:
    """One instrument's book in the pass, to look at: as `projections.book.Book`.

    The touch is what it was when the strategy was asked; 0 stands where nothing is shown.
    """

    __slots__ = (
        "_memory",
        "_place",
        "ask",
        "ask_size",
        "bid",
        "bid_size",
        "has_depth",
        "updated",
        "usable",
    )

    def __init__(self, memory: Memory, place: int) -> None:
        """Look at the book of the instrument at a place."""
        self._memory = memory
        self._place = place
        self.bid = self.bid_size = self.ask = self.ask_size = 0
        self.updated = Nanos(0)
        self.usable = self.has_depth = False

    @property
    def gapped(self) -> bool:
        """Whether something is missing."""
        return bool(self._memory.markets["lost"][self._place])

    @property
    def has_quote(self) -> bool:
        """Whether a best quote was heard since the last loss."""
        return bool(self._memory.markets["has_quote"][self._place])

    @property
    def two_sided(self) -> bool:
        """Whether both a bid and an ask are shown."""
        return self.bid_size > 0 and self.ask_size > 0

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask: a book nobody may quote from."""
        return self.bid >= self.ask and self.bid_size > 0 and self.ask_size > 0

    @property
    def mid(self) -> float:
        """Middle of the touch, in ticks; only for a two-sided book."""
        return (self.bid + self.ask) / 2

    @property
    def microprice(self) -> float:
        """Touch weighted by the opposite sizes, in ticks (Stoikov 2018's weighted mid)."""
        bid_size, ask_size = self.bid_size, self.ask_size
        return (self.bid * ask_size + self.ask * bid_size) / (bid_size + ask_size)

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


class ViewSeen:
    """What a strategy may look at while it decides: as `strategy.base.MarketView`.

    One for each desk, for none is kept: what a strategy remembers are plain values.
    """

    __slots__ = ("at", "book", "instrument", "position")

    def __init__(self, instrument: InstrumentDefined, book: BookSeen, net: Lots) -> None:
        """Stand before the first look."""
        self.at = Nanos(0)
        self.instrument = instrument
        self.book = book
        self.position = Position(net=net)

    @property
    def book_age(self) -> Nanos:
        """Log time since the book last changed."""
        return Nanos(self.at - self.book.updated)


class Asked:
    """One desk: its strategy, that one's memory, and what it wanted last."""

    def __init__(
        self,
        asker: "Asker",
        memory: Memory,
        place: int,
        instrument: InstrumentDefined,
        name: str,
        strategy: Strategy,
    ) -> None:
        """Begin with the strategy's first memory."""
        desk = memory.desks[place]
        self.book = BookSeen(memory, int(desk["instrument"]))
        self.view: Any = ViewSeen(instrument, self.book, Lots(int(desk["net"])))
        self.name = name
        # It holds us: a cycle would keep the memory of a run until Python looks for cycles.
        self._asker: Asker = proxy(asker)
        self._fills = 0
        self._state = -1
        self.rule = strategy.rule
        self.decide = strategy.decide
        self.memory: Any = strategy.initial()
        self.last = Wanted()
        self.words = memory.desks[place : place + 1].view(np.int64).data
        # Rows of what is wanted, as prices and sizes in turn: bids, asks.
        self.sides = [memory.wanted[4 * place + side].data for side in range(2)]

    def answer(  # noqa: PLR0913, PLR0917 - integers, for nothing is made for a call.
        self,
        at: Nanos,
        bid: int,
        bid_size: int,
        ask: int,
        ask_size: int,
        updated: Nanos,
        fills: int,
        state: int,
    ) -> int:
        """Ask the strategy; the asker's `failure` is `TradingStopped` once it has raised."""
        try:
            if fills != self._fills:
                self._asker.hear(fills)
                self._fills = fills
            book, view, decide = self.book, self.view, self.decide
            if state != self._state:
                self._state = state
                book.usable, book.has_depth = state & USABLE > 0, state & DEPTH > 0
            if state & UNASKED:
                wanted = STOPPED if state & STOPPING else LOST
            else:
                book.bid, book.bid_size, book.ask, book.ask_size = bid, bid_size, ask, ask_size
                book.updated = updated
                view.at = at
                wanted, self.memory = decide(view, self.memory)
            if wanted is self.last or wanted == self.last:
                return SAME
            self._asker.want(self, wanted)
        except BaseException as error:  # noqa: BLE001 - nothing may raise in the pass.
            self._asker.fail(self, error)
            return FAILED
        return OTHER


class Asker:
    """Answers for the desks that are Python objects."""

    def __init__(
        self,
        memory: Memory,
        instruments: Sequence[InstrumentDefined],
        desks: Sequence[tuple[str, Strategy]],
    ) -> None:
        """Take over the desks of a run, by name, in their order."""
        self.failure: BaseException | None = None
        self._memory = memory
        places = memory.desks["instrument"].tolist()
        self._asked = [
            Asked(self, memory, desk, instruments[place], name, strategy)
            for desk, (place, (name, strategy)) in enumerate(zip(places, desks, strict=True))
        ]
        self._known = 0

    def answer_of(self, desk: int) -> Answer:
        """What the pass calls for a desk."""
        return self._asked[desk].answer

    def adopt(self, place: int, instrument: InstrumentDefined, strategy: Strategy) -> None:
        """A desk goes on in an instrument defined anew, with its memory if its rule is the same."""
        asked = self._asked[place]
        if strategy.rule != asked.rule:
            asked.rule, asked.memory = strategy.rule, strategy.initial()
        asked.decide = strategy.decide
        asked.view.instrument = instrument

    def want(self, asked: Asked, wanted: Wanted) -> None:
        """Write down what is wanted; what cannot be is told as the engine tells it."""
        try:
            self._write(asked, wanted)
        except (AttributeError, TypeError, ValueError):
            require_wanted(asked.name, wanted)
            raise

    @staticmethod
    def _write(asked: Asked, wanted: Wanted) -> None:
        words, bids, asks, take = asked.words, wanted.bids, wanted.asks, wanted.take
        if len(bids) > LEVELS_MAX or len(asks) > LEVELS_MAX:
            raise TradingStopped(
                f"strategy {asked.name} wants {max(len(bids), len(asks))} levels on a side",
                remedy=f"play it with --plain, or want at most {LEVELS_MAX}",
            )
        for row, levels_wanted in zip(asked.sides, (bids, asks), strict=True):
            place = 0
            for level in levels_wanted:
                price, size = level.price, level.size
                if type(price) is not int or type(size) is not int:
                    raise TypeError("no plain integers")
                row[place], row[place + 1] = price, size
                place += 2
        words[_BIDS], words[_ASKS] = len(bids), len(asks)
        if take is None:
            words[_TAKE] = 0
        else:
            require_wanted(asked.name, wanted)
            words[_TAKE], words[_TAKE + 1], words[_TAKE + 2] = take.side, take.price, take.size
        asked.last = wanted

    def hear(self, count: int) -> None:
        """Move the positions by the fills that we have heard of."""
        fills = self._memory.fills
        while self._known < count:
            fill = fills[self._known]
            place = int(fill["desk"])
            view, signed = self._asked[place].view, int(fill["side"]) * int(fill["size"])
            kind = view.instrument.kind
            view.position = moved(view.position, signed, int(fill["price"]), kind)
            self._known += 1

    def fail(self, asked: Asked, error: BaseException) -> None:
        """Nothing can be played any more."""
        self.failure = self._stopped(asked, error)

    def _stopped(self, asked: Asked, error: BaseException) -> BaseException:
        if isinstance(error, TradingStopped):
            error.where = error.where or self._moment()
            return error
        if not isinstance(error, Exception):
            return error
        stopped = TradingStopped(
            f"strategy {asked.name} raised {described(error)} in {located(error)}",
            where=self._moment(),
            remedy="correct the strategy; the row and time say what it was shown",
        )
        stopped.__cause__ = error
        return stopped

    def _moment(self) -> str:
        clock = self._memory.clock[0]
        row = int(clock["first_row"]) + max(0, int(clock["i"]) - 1)
        return f"row {row} at {int(clock['at'])} ns"


_BIDS, _ASKS, _TAKE = (word_of(DESK, name) for name in ("bids", "asks", "take_sign"))
