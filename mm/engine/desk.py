"""One strategy at work in one instrument: its memory, what woke it, what was refused.

Wakes are evaluated while facts are folded and latched until the end of the turn; the record that
set the first latch is the cause of whatever is decided then.
"""

from typing import Any, Final

import msgspec

from mm.engine.risk import Risk
from mm.events.orders import Rule
from mm.events.session import NoQuoteReason
from mm.events.units import SECONDS, InstrumentId, Nanos, Seq, Side, Ticks
from mm.projections.book import Book
from mm.strategy.base import Strategy

BPS: Final = 10_000.0
REFUSED_AGAIN_AFTER: Final = Nanos(SECONDS)


class Desk:
    """The engine's bookkeeping for one strategy."""

    def __init__(self, name: str, wallet: str, strategy: Strategy, *, amend: bool) -> None:
        """Start unasked, with the strategy's initial memory."""
        self.name = name
        self.wallet = wallet
        self.strategy = strategy
        self.wakes = strategy.wakes
        self.amend = amend
        self.memory: Any = strategy.initial()
        self.cause = Seq(0)
        self.deadline = Nanos(0)
        self.reasons = ("", "")
        self._asked_mid = 0.0
        self._asked_top = (0, 0)
        self._refused: dict[tuple[Side, int], tuple[Rule, Ticks, Nanos]] = {}

    def wake(self, cause: Seq) -> None:
        """Latch a wake; the first one of a turn is the cause."""
        if not self.cause:
            self.cause = cause

    def looked(self, book: Book, cause: Seq) -> None:
        """The book changed: latch if that is something the strategy asked for."""
        if self.wakes.top_changed and (book.bid, book.ask) != self._asked_top:
            self.wake(cause)
        moved = self.wakes.mid_moved_bps
        if moved and abs(book.mid - self._asked_mid) * BPS >= moved * self._asked_mid:
            self.wake(cause)

    def asked(self, book: Book) -> None:
        """The strategy was asked: watch for moves from here."""
        self.cause = Seq(0)
        self._asked_mid = book.mid
        self._asked_top = (book.bid, book.ask)

    def schedule(self, at: Nanos) -> None:
        """Set the next deadline on the grid of the strategy's period; none without a timer."""
        period = self.wakes.timer
        self.deadline = Nanos((at // period + 1) * period) if period else Nanos(0)

    def adopt(self, strategy: Strategy, at: Nanos) -> None:
        """Go on with other parameters, from the strategy's initial memory."""
        self.strategy = strategy
        self.wakes = strategy.wakes
        self.memory = strategy.initial()
        self.schedule(at)

    def refused(self, side: Side, level: int, rule: Rule, price: Ticks, at: Nanos) -> None:
        """Remember a refusal, so that the same one is not recorded at every wake."""
        self._refused[side, level] = (rule, price, at)

    def is_refused(self, side: Side, level: int, price: Ticks, at: Nanos) -> bool:
        """Whether this very order was refused within the last second."""
        last = self._refused.get((side, level))
        return last is not None and last[1] == price and at - last[2] < REFUSED_AGAIN_AFTER

    def reasons_changed(self, bid: NoQuoteReason, ask: NoQuoteReason) -> bool:
        """Whether the reasons differ from the last ones recorded; remembers them."""
        before, self.reasons = self.reasons, (bid.value, ask.value)
        return before != self.reasons

    def dump(self) -> Any:
        """Everything that the next decision depends on."""
        return (
            self.name,
            msgspec.to_builtins(self.memory),
            [self.cause, self.deadline, *self.reasons],
            [self._asked_mid, *self._asked_top],
            [[*key, *value] for key, value in self._refused.items()],
        )

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        _, memory, flags, asked, refused = dumped
        self.memory = msgspec.convert(memory, type(self.strategy.initial()))
        self.cause, self.deadline = flags[0], flags[1]
        self.reasons = (flags[2], flags[3])
        self._asked_mid, self._asked_top = asked[0], (asked[1], asked[2])
        self._refused = {
            (Side(side), level): (Rule(rule), price, at) for side, level, rule, price, at in refused
        }


class Post:
    """Where one instrument is traded: its desks and its risk gate."""

    def __init__(self, instrument: InstrumentId, risk: Risk) -> None:
        """Start without desks."""
        self.instrument = instrument
        self.risk = risk
        self.desks: list[Desk] = []
