"""One strategy at work in one instrument: its memory, what woke it, what was refused.

Wakes are evaluated while facts are folded and latched until the end of the turn; the record that
set the first latch is the cause of whatever is decided then.
"""

from typing import Any, Final

import msgspec

from mm.engine.quoter import KEEPABLE
from mm.engine.risk import Risk
from mm.events.orders import PlaceOrder, Rule, TimeInForce
from mm.events.session import NoQuoteReason
from mm.events.units import SECONDS, InstrumentId, Nanos, Seq, Side
from mm.projections.book import Book
from mm.projections.orders import Orders
from mm.strategy.base import Strategy

BPS: Final = 10_000.0
REFUSED_AGAIN_AFTER: Final = Nanos(SECONDS)
FAR_AWAY: Final = 1 << 62
"""The best price of a side that shows nothing, as a key: the greater, the better."""


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
        self._news = False
        self._best = (FAR_AWAY, FAR_AWAY)
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

    def approached(self, book: Book, orders: Orders, instrument: InstrumentId, cause: Seq) -> None:
        """The book changed: latch if its best price has come near a quote of this desk's."""
        near, before, best = self.wakes.own_near_ticks, self._best, best_of(book)
        if near is None or best == before:
            return
        self._best = best
        for order in orders.live_of(instrument, self.name):
            side, reach = order.side is Side.SELL, order.side * order.price + near
            quotes = order.status in KEEPABLE and order.tif is TimeInForce.GTC
            if quotes and best[side] <= reach < before[side]:
                self.wake(cause)

    def printed(self, cause: Seq) -> None:
        """A trade was printed: latch if every event is asked for."""
        if self.wakes.every_event:
            self.wake(cause)

    def rung(self, book: Book, cause: Seq) -> None:
        """The timer fired: latch, unless there is nothing new and news alone is asked for."""
        news = self._news or (book.bid, book.ask) != self._asked_top
        if news or not self.wakes.when_changed:
            self.wake(cause)

    def told(self, cause: Seq) -> None:
        """Something happened to an order of this instrument's."""
        if self.wakes.own_orders:
            self.wake(cause)
        if self.wakes.when_changed:
            self._news = True

    def asked(self, book: Book) -> None:
        """The strategy was asked: watch for moves from here."""
        self.cause = Seq(0)
        self._news = False
        self._asked_mid = book.mid
        self._asked_top = (book.bid, book.ask)
        if self.wakes.own_near_ticks is not None:
            self._best = best_of(book)

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
        best = self._best if self.wakes.own_near_ticks is not None else ()
        return (
            self.name,
            msgspec.to_builtins(self.memory),
            [self.cause, self.deadline, *self.reasons],
            [self._asked_mid, *self._asked_top, *best, *(["news"] if self._news else [])],
            [[*key, last] for key, last in self._refused.items()],
        )


def best_of(book: Book) -> tuple[int, int]:
    """The best bid and ask shown, as keys: the greater, the better."""
    bid = book.bid if book.bid_size else FAR_AWAY
    return bid, -book.ask if book.ask_size else FAR_AWAY


class Post:
    """Where one instrument is traded: its desks and its risk gate."""

    def __init__(self, instrument: InstrumentId, risk: Risk) -> None:
        """Start without desks."""
        self.instrument = instrument
        self.risk = risk
        self.desks: list[Desk] = []
