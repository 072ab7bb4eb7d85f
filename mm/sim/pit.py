"""One instrument at the venue: its book, our orders in it, and what the market does to them.

What fills a resting order of ours, and how much:
- a trade printed through our price: up to the printed volume;
- a trade printed at our price: what is left of it once the queue ahead of us is served;
- an opposite level displayed at or through our price: up to its displayed size, once.
We fill at our own price, as maker. A printed volume is shared among our orders by price, then
time, so that fills never exceed what was printed plus what was displayed across our price. While
the book is unusable nothing is matched against it; printed trades still count. A print and the
smaller size displayed after it both move us up, whichever comes first.
"""

from collections.abc import Callable, Container
from decimal import Decimal

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
from mm.sim.order import Order, OrderReport, Standing
from mm.sim.queue import UNSEEN, Queues, shares

Tell = Callable[[Nanos, OrderFact | AccountFact], None]
Remember = Callable[[OrderReport], None]

NOTHING: Container[int] = ()


class Pit:
    """Changes in place; whatever happens to our orders is told through `tell`, at venue time."""

    def __init__(
        self, instrument: InstrumentId, account: Account, tell: Tell, remember: Remember
    ) -> None:
        """Start with an unusable book and no order."""
        self.id = instrument
        self.instrument: InstrumentDefined | None = None
        self.book = Book()
        self.account = account
        self.funding = Funding()
        self.orders: dict[OrderId, Order] = {}
        self.bids = Queues(Side.BUY)
        self.asks = Queues(Side.SELL)
        self.tell = tell
        self.remember = remember
        self._mark: Decimal | None = None

    def queues(self, side: Side) -> Queues:
        """Our resting orders of a side."""
        return self.bids if side > 0 else self.asks

    def snapshot(self, at: Nanos, event: BookSnapshot) -> None:
        """The whole book, perhaps after a loss."""
        if self.book.snapshot(event):
            self._news(at, self._covered(Side.BUY), self._covered(Side.SELL))

    def _covered(self, side: Side) -> list[int]:
        """Those of our prices that a snapshot is deep enough to speak of."""
        half = self.book.half(side)
        return [price for price in self.queues(side).prices if half.ahead(price) < UNSEEN]

    def delta(self, at: Nanos, event: BookDelta) -> None:
        """Changed levels."""
        if self.book.delta(event) and self.orders:
            self._news(at, event.bids[::2], event.asks[::2])

    def quote(self, at: Nanos, event: QuoteUpdated) -> None:
        """A best bid and offer."""
        if self.book.quote(event) and self.orders:
            self._news(at, NOTHING, NOTHING)

    def lost(self, _at: Nanos, _event: FeedGapped | FeedDown) -> None:
        """Something is missing from the book."""
        self.book.lose()

    def resynced(self, _at: Nanos, _event: FeedResynced) -> None:
        """The book is whole."""
        self.book.resynced()

    def marked(self, _at: Nanos, event: MarkPublished) -> None:
        """The price positions are valued at."""
        self._mark = event.price

    def rated(self, _at: Nanos, event: FundingPublished) -> None:
        """The rate of the next funding."""
        self.funding.publish(event, event.venue_time or event.received)

    def _news(self, at: Nanos, bids: Container[int], asks: Container[int]) -> None:
        """The feed said something of these levels, and of both touches."""
        if not self.book.usable:
            return
        if self.bids.prices:
            self._move_up(self.bids, Side.BUY, bids)
            self._cross(at, self.bids, Side.BUY)
        if self.asks.prices:
            self._move_up(self.asks, Side.SELL, asks)
            self._cross(at, self.asks, Side.SELL)

    def _move_up(self, own: Queues, side: Side, listed: Container[int]) -> None:
        half = self.book.half(side)
        for price in own.prices:
            if price * side >= half.touch or price in listed:
                own.shrink(price, half.displayed(price))

    def _cross(self, at: Nanos, own: Queues, side: Side) -> None:
        """Opposite levels displayed at or through our prices fill us."""
        opposite = self.book.half(side.other)
        for price in list(own.prices):
            if opposite.touch < -side * price:
                return
            for order in own.at(price):
                for level, available in opposite.offers(-side * price):
                    opposite.take(level, self.make(at, order, min(available, order.leaves)))
                    if order.order_id not in self.orders:
                        break

    def trade(self, at: Nanos, event: TradePrinted) -> None:
        """A print reaches our orders on the side its taker hit, best price first."""
        side = event.aggressor.other
        own = self.queues(side)
        volume = int(event.size)
        for price in list(own.prices):
            beyond = side * (price - event.price)
            if beyond < 0:
                return
            if beyond > 0:
                own.shrink(price, 0)  # Trading went on behind us: nobody is ahead any more.
            for order, share in shares(own.at(price), volume):
                volume -= self.make(at, order, share)

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
        self.queues(order.side).add(order, self.book.half(order.side).ahead(order.price))

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
