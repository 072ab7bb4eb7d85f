"""One instrument at the venue: its book, our orders in it, and what becomes of them.

What the market does to our orders is the pit's matching's business; the pit fills and ends them,
the clerk writes it down and tells. A maker fills at its own price. While the book is unusable
nothing is accepted.
"""

import msgspec

from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.orders import CancelReason, Liquidity
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Side
from mm.sim.clerk import Clerk
from mm.sim.order import Order, Standing
from mm.sim.queue_models import parameter
from tests.oracle.book import Book
from tests.oracle.matching import Make
from tests.oracle.queue import Queues


class Rules(msgspec.Struct, frozen=True):
    """How resting orders fill: matching, and the queue model with its exponent."""

    make: Make
    model: int
    power: float


class Pit:
    """Changes in place; whatever happens to our orders the clerk tells, at venue time."""

    def __init__(self, clerk: Clerk, rules: Rules) -> None:
        """Start with an unusable book and no order."""
        self.clerk = clerk
        self.book = Book()
        self._model, self._power = rules.model, rules.power
        self.bids = Queues(Side.BUY, rules.model)
        self.asks = Queues(Side.SELL, rules.model)
        self.matching = rules.make(self)

    @property
    def id(self) -> InstrumentId:
        """The instrument's number."""
        return self.clerk.id

    @property
    def instrument(self) -> InstrumentDefined | None:
        """What is traded here, once that is known."""
        return self.clerk.instrument

    @property
    def orders(self) -> dict[OrderId, Order]:
        """What is open, oldest first."""
        return self.clerk.orders

    def queues(self, side: Side) -> Queues:
        """Our resting orders of a side."""
        return self.bids if side > 0 else self.asks

    def define(self, instrument: InstrumentDefined) -> None:
        """Learn what is traded here."""
        n = parameter(self._model, self._power, float(instrument.lot_size))
        self.bids.n = self.asks.n = n

    def snapshot(self, at: Nanos, event: BookSnapshot) -> None:
        """The whole book, perhaps after a loss; with a part missing it is a loss."""
        self.matching.snapshot(at, event, whole=self.book.snapshot(event))
        if self.book.missing:
            self.matching.lost()

    def delta(self, at: Nanos, event: BookDelta) -> None:
        """Changed levels."""
        self.matching.delta(at, event, applied=self.book.delta(event))

    def quote(self, at: Nanos, event: QuoteUpdated) -> None:
        """A best bid and offer."""
        self.matching.quote(at, event, applied=self.book.quote(event))

    def trade(self, at: Nanos, event: TradePrinted) -> None:
        """A print."""
        self.matching.trade(at, event)

    def lost(self, _at: Nanos, _event: FeedGapped | FeedDown) -> None:
        """Something is missing from the book."""
        self.book.lose()
        self.matching.lost()

    def resynced(self, _at: Nanos, _event: FeedResynced) -> None:
        """The book is whole."""
        self.book.resynced()

    def make(self, at: Nanos, order: Order, size: int) -> Lots:
        """Fill a resting order at its own price; returns how much of it there was to fill."""
        return self.fill(at, order, order.price, size, Liquidity.MAKER)

    def fill(self, at: Nanos, order: Order, price: int, size: int, liquidity: Liquidity) -> Lots:
        """Fill up to `size` lots, book it, tell it; a reduce-only order never opens anything."""
        reduces = order.intent.reduce_only
        if reduces:
            size = min(size, self.clerk.reducible(order.side))
        if size > 0:
            self.clerk.fill(at, order, price, size, liquidity)
        if not order.leaves:
            self.queues(order.side).discard(order)
            self.clerk.close(order, Standing.FILLED)
        elif reduces and not self.clerk.reducible(order.side):
            self.cancel(at, order, CancelReason.VENUE)
        return Lots(size)

    def rest(self, order: Order) -> None:
        """Queue what is left of an order at its price."""
        self.matching.rest(order)

    def cancel(self, at: Nanos, order: Order, reason: CancelReason) -> None:
        """End an order that is not filled."""
        self.queues(order.side).discard(order)
        self.clerk.cancel(at, order, reason)
