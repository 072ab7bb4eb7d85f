"""What the venue keeps and tells of our orders in one instrument, whoever matches them.

A pit decides what becomes of an order; the clerk writes it down, moves the money and says so. A
fact is told at the venue's time; the wire between makes `received` of it.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from mm.events.account import FundingPaid
from mm.events.instrument import InstrumentDefined
from mm.events.market import FundingPublished
from mm.events.orders import (
    AmendOrder,
    AmendRejected,
    CancelOrder,
    CancelReason,
    CancelRejected,
    Liquidity,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    PlaceOrder,
    RejectReason,
)
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Side, Ticks
from mm.events.vocabulary import AccountFact, OrderFact
from mm.sim.account import Account
from mm.sim.fees import fee
from mm.sim.funding import Funding, payment
from mm.sim.order import Order, OrderReport, Standing

Tell = Callable[[Nanos, OrderFact | AccountFact], None]
Remember = Callable[[OrderReport], None]


class Clerk:
    """Changes in place; `orders` are those open, oldest first."""

    def __init__(
        self, instrument: InstrumentId, account: Account, tell: Tell, remember: Remember
    ) -> None:
        """Start without an order."""
        self.id = instrument
        self.instrument: InstrumentDefined | None = None
        self.orders: dict[OrderId, Order] = {}
        self.funding = Funding()
        self.mark: Decimal | None = None
        self._account = account
        self._tell = tell
        self._remember = remember

    def reducible(self, side: Side) -> Lots:
        """How many lots an order of this side can take off the position."""
        return self._account.reducible(self.id, side)

    @property
    def net(self) -> Lots:
        """Signed lots held."""
        return self._account.net(self.id)

    def accept(self, at: Nanos, order: Order) -> None:
        """An order stands."""
        self.orders[order.order_id] = order
        acked = OrderAcked(
            order_id=order.order_id,
            instrument=self.id,
            venue_order_id=order.venue_order_id,
            received=at,
            venue_time=at,
        )
        self._tell(at, acked)

    def reject(self, at: Nanos, intent: PlaceOrder, reason: RejectReason, text: str = "") -> None:
        """An order is refused, and remembered so, unless its id is another order's."""
        if reason is not RejectReason.DUPLICATE_ID:
            order = Order(intent=intent, price=intent.price, size=intent.size)
            self._remember(order.report(Standing.REJECTED))
        rejected = OrderRejected(
            order_id=intent.order_id,
            instrument=intent.instrument,
            reason=reason,
            received=at,
            venue_time=at,
            raw_text=text,
        )
        self._tell(at, rejected)

    def fill(self, at: Nanos, order: Order, price: int, size: int, liquidity: Liquidity) -> None:
        """An order fills, perhaps not whole; the money moves."""
        assert self.instrument is not None, "an order was accepted for an unknown instrument"
        assert size <= order.leaves, f"overfilled: {order}"
        order.filled = Lots(order.filled + size)
        order.fills += 1
        terms = self._account.terms(self.instrument)
        paid, asset = fee(terms, order.side, price, size, liquidity)
        fact = OrderFilled(
            order_id=order.order_id,
            instrument=self.id,
            fill_id=f"{order.order_id}-{order.fills}",
            side=order.side,
            price=Ticks(price),
            size=Lots(size),
            liquidity=liquidity,
            fee=paid,
            fee_asset=asset,
            received=at,
            venue_time=at,
            strategy=order.intent.strategy,
            wallet=order.intent.wallet,
        )
        self._account.book(fact, self.instrument)
        self._tell(at, fact)

    def close(self, order: Order, standing: Standing) -> None:
        """An order is over."""
        del self.orders[order.order_id]
        self._remember(order.report(standing))

    def cancel(self, at: Nanos, order: Order, reason: CancelReason) -> None:
        """An order ends that is not filled."""
        self.close(order, Standing.CANCELED)
        canceled = OrderCanceled(
            order_id=order.order_id,
            instrument=self.id,
            reason=reason,
            received=at,
            venue_time=at,
            filled=order.filled,
        )
        self._tell(at, canceled)

    def refuse_cancel(self, at: Nanos, intent: CancelOrder) -> None:
        """An order that is gone cannot be canceled."""
        refused = CancelRejected(
            order_id=intent.order_id,
            instrument=intent.instrument,
            reason=RejectReason.UNKNOWN_ORDER,
            received=at,
            venue_time=at,
        )
        self._tell(at, refused)

    def amend(self, at: Nanos, order: Order, price: int, size: int) -> None:
        """An order stands at another price, or for another size."""
        order.price, order.size = Ticks(price), Lots(size)
        amended = OrderAmended(
            order_id=order.order_id,
            instrument=self.id,
            price=order.price,
            size=order.size,
            received=at,
            venue_time=at,
        )
        self._tell(at, amended)

    def refuse_amend(self, at: Nanos, intent: AmendOrder, reason: RejectReason) -> None:
        """An order stays as it is, or is gone."""
        refused = AmendRejected(
            order_id=intent.order_id,
            instrument=intent.instrument,
            reason=reason,
            received=at,
            venue_time=at,
        )
        self._tell(at, refused)

    def rate(self, event: FundingPublished) -> None:
        """Hear the rate of the next funding."""
        self.funding.publish(event, event.venue_time or event.received)

    def settle(self, at: Nanos, wallet: str, mid2: int) -> None:
        """Exchange the funding that has come due, if we hold a position that has a price.

        That is the last mark published, else the mid, of which `mid2` is twice; 0: there is none.
        """
        settlement, net = self.funding.settle(), self.net
        if self.instrument is None or not net:
            return
        mark = self.mark
        if mark is None and mid2:
            mark = mid2 * self.instrument.tick_size / 2
        if mark is None:
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
        self._account.fund(fact)
        self._tell(at, fact)


TURNED_AWAY: Final[dict[type, Any]] = {
    PlaceOrder: OrderRejected,
    AmendOrder: AmendRejected,
    CancelOrder: CancelRejected,
}


def turned_away(at: Nanos, intent: PlaceOrder | AmendOrder | CancelOrder) -> OrderFact:
    """What we hear at `at` of a command that the venue never looked at: it has no venue's time."""
    told: OrderFact = TURNED_AWAY[type(intent)](
        order_id=intent.order_id,
        instrument=intent.instrument,
        reason=RejectReason.OTHER,
        received=at,
        venue_time=Nanos(0),
        raw_text="it never reached the venue",
    )
    return told
