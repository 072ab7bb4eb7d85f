"""One strategy at work in one instrument: its memory, what woke it, what was refused.

Wakes are evaluated while facts are folded and latched until the end of the turn; the record that
set the first latch is the cause of whatever is decided then.
"""

from typing import Any, Final

import msgspec

from mm.engine.risk import Risk
from mm.events.orders import PlaceOrder, Rule
from mm.events.session import NoQuoteReason
from mm.events.units import SECONDS, InstrumentId, Nanos, Seq, Side
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
        self._refused: dict[tuple[str, Side, int, Rule], Nanos] = {}

    def wake(self, cause: Seq) -> None:
        """Latch a wake; the first one of a turn is the cause."""
        if not self.cause:
            self.cause = cause

    def looked(self, book: Book, cause: Seq) -> None:
        """The book changed: latch if that is something the strategy asked for."""
        wakes, asked = self.wakes, self._asked_mid
        moved = abs((book.bid + book.ask) / 2 - asked)
        far = wakes.mid_moved_bps and moved and moved * BPS >= wakes.mid_moved_bps * asked
        top = wakes.top_changed and (book.bid, book.ask) != self._asked_top
        if wakes.every_event or top or far:
            self.wake(cause)

    def printed(self, cause: Seq) -> None:
        """A trade was printed: latch if every event is asked for."""
        if self.wakes.every_event:
            self.wake(cause)

    def rung(self, book: Book, cause: Seq) -> None:
        """The timer fired: latch, unless there is nothing new and news alone is asked for."""
        if not self.wakes.when_changed or (book.bid, book.ask) != self._asked_top:
            self.wake(cause)

    def told(self, cause: Seq) -> None:
        """Something happened to an order of this instrument's."""
        if self.wakes.own_orders:
            self.wake(cause)
        if self.wakes.when_changed:
            self._asked_top = (0, 0)

    def asked(self, book: Book) -> None:
        """The strategy was asked: watch for moves from here."""
        self.cause = Seq(0)
        self._asked_mid = book.mid
        self._asked_top = (book.bid, book.ask)

    def schedule(self, at: Nanos) -> None:
        """Set the next deadline on the grid of the strategy's period; none without a timer."""
        period = self.wakes.timer
        self.deadline = Nanos((at // period + 1) * period) if period else Nanos(0)

    def adopt(self, strategy: Strategy, at: Nanos, *, amend: bool) -> None:
        """Go on with these parameters; if they are other ones, from the strategy's first memory."""
        self.amend = amend
        before, self.strategy = self.strategy, strategy
        if strategy.rule == before.rule:
            return
        self.wakes = strategy.wakes
        self.memory = strategy.initial()
        self.schedule(at)

    def is_news(self, intent: PlaceOrder, rule: Rule, at: Nanos) -> bool:
        """Whether a refusal is to be recorded: once a second for each level and rule."""
        key = (intent.reason, intent.side, intent.level, rule)
        last = self._refused.get(key)
        if last is not None and at - last < REFUSED_AGAIN_AFTER:
            return False
        self._refused[key] = at
        return True

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
            [[*key, last] for key, last in self._refused.items()],
        )


class Post:
    """Where one instrument is traded: its desks and its risk gate."""

    def __init__(self, instrument: InstrumentId, risk: Risk) -> None:
        """Start without desks."""
        self.instrument = instrument
        self.risk = risk
        self.desks: list[Desk] = []
