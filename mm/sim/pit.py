"""One instrument at the venue: its book, our orders in it, and what becomes of them.

What the market does to our orders is the pit's matching's business; the pit books what is filled,
ends what is over, and tells. A maker fills at its own price. While the book is unusable nothing is
accepted.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from mm.events.account import FundingPaid
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FundingPublished,
    MarkPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.orders import CancelReason, Liquidity, OrderCanceled, OrderFilled
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Side, Ticks
from mm.events.vocabulary import AccountFact, OrderFact
from mm.sim.account import Account
from mm.sim.book import Book
from mm.sim.fees import fee
from mm.sim.funding import Funding, payment
from mm.sim.matching import Make
from mm.sim.order import Order, OrderReport, Standing
from mm.sim.queue import Queues
from mm.sim.queue_models import parameter

Tell = Callable[[Nanos, OrderFact | AccountFact], None]
Remember = Callable[[OrderReport], None]


class Rules(msgspec.Struct, frozen=True):
    """How resting orders fill: matching, and the queue model with its exponent."""

    make: Make
    model: int
    power: float


class Pit:
    """Changes in place; whatever happens to our orders is told through `tell`, at venue time."""

    def __init__(
        self,
        instrument: InstrumentId,
        account: Account,
        rules: Rules,
        tell: Tell,
        remember: Remember,
    ) -> None:
        """Start with an unusable book and no order."""
        self.id = instrument
        self.instrument: InstrumentDefined | None = None
        self.book = Book()
        self.account = account
        self.funding = Funding()
        self.orders: dict[OrderId, Order] = {}
        self._model, self._power = rules.model, rules.power
        self.bids = Queues(Side.BUY, rules.model)
        self.asks = Queues(Side.SELL, rules.model)
        self.tell = tell
        self.remember = remember
        self._mark: Decimal | None = None
        self.matching = rules.make(self)

    def queues(self, side: Side) -> Queues:
        """Our resting orders of a side."""
        return self.bids if side > 0 else self.asks

    def define(self, instrument: InstrumentDefined) -> None:
        """Learn what is traded here."""
        self.instrument = instrument
        n = parameter(self._model, self._power, float(instrument.lot_size))
        self.bids.n = self.asks.n = n

    def snapshot(self, at: Nanos, event: BookSnapshot) -> None:
        """The whole book, perhaps after a loss."""
        self.matching.snapshot(at, event, whole=self.book.snapshot(event))

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

    def marked(self, _at: Nanos, event: MarkPublished) -> None:
        """The price positions are valued at."""
        self._mark = event.price

    def rated(self, _at: Nanos, event: FundingPublished) -> None:
        """The rate of the next funding."""
        self.funding.publish(event, event.venue_time or event.received)

    def make(self, at: Nanos, order: Order, size: int) -> Lots:
        """Fill a resting order at its own price; returns how much of it there was to fill."""
        return self.fill(at, order, order.price, size, Liquidity.MAKER)

    def fill(self, at: Nanos, order: Order, price: int, size: int, liquidity: Liquidity) -> Lots:
        """Fill up to `size` lots, book it, tell it; a reduce-only order never opens anything."""
        reduces = order.intent.reduce_only
        if reduces:
            size = min(size, self.account.reducible(self.id, order.side))
        if size > 0:
            self._filled(at, order, Ticks(price), Lots(size), liquidity)
        if not order.leaves:
            self._close(order, Standing.FILLED)
        elif reduces and not self.account.reducible(self.id, order.side):
            self.cancel(at, order, CancelReason.VENUE)
        return Lots(size)

    def _filled(
        self, at: Nanos, order: Order, price: Ticks, size: Lots, liquidity: Liquidity
    ) -> None:
        assert self.instrument is not None, "an order was accepted for an unknown instrument"
        assert size <= order.leaves, f"overfilled: {order}"
        order.filled = Lots(order.filled + size)
        order.fills += 1
        paid, asset = fee(self.instrument, order.side, price, size, liquidity)
        fact = OrderFilled(
            order_id=order.order_id,
            instrument=self.id,
            fill_id=f"{order.order_id}-{order.fills}",
            side=order.side,
            price=price,
            size=size,
            liquidity=liquidity,
            fee=paid,
            fee_asset=asset,
            received=at,
            venue_time=at,
            strategy=order.intent.strategy,
            wallet=order.intent.wallet,
        )
        self.account.book(fact, self.instrument)
        self.tell(at, fact)

    def rest(self, order: Order) -> None:
        """Queue what is left of an order at its price."""
        self.matching.rest(order)

    def cancel(self, at: Nanos, order: Order, reason: CancelReason) -> None:
        """End an order that is not filled."""
        self._close(order, Standing.CANCELED)
        self.tell(
            at,
            OrderCanceled(
                order_id=order.order_id,
                instrument=self.id,
                reason=reason,
                received=at,
                venue_time=at,
                filled=order.filled,
            ),
        )

    def _close(self, order: Order, standing: Standing) -> None:
        del self.orders[order.order_id]
        self.queues(order.side).discard(order)
        self.remember(order.report(standing))

    def settle(self, at: Nanos, wallet: str) -> None:
        """Exchange the funding that has come due, if we hold a position that has a price."""
        settlement = self.funding.settle()
        net, mark = self.account.net(self.id), self.mark()
        if self.instrument is None or not net or mark is None:
            return
        fact = FundingPaid(
            wallet=wallet,
            instrument=self.id,
            asset=self.instrument.settle,
            amount=payment(self.instrument, net, mark, settlement.rate),
            rate=settlement.rate,
            mark=mark,
            size=net,
            due=settlement.due,
            received=at,
            venue_time=at,
            payment_id=f"{self.id}-{settlement.due}",
        )
        self.account.fund(fact)
        self.tell(at, fact)

    def mark(self) -> Decimal | None:
        """The last mark published, else the mid; None if there is neither."""
        if self._mark is not None or self.instrument is None or not self.book.mid2:
            return self._mark
        return self.book.mid2 * self.instrument.tick_size / 2
