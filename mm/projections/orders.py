"""Our orders, folded from intents, acks and fills.

An order exists once we intend it: until the venue answers, we already carry its risk. Live orders
are kept whole; closed ones stay matchable for late fills in a bounded record, the oldest leaving
first. A fill of an order no longer kept is counted, and still moves the position, for it carries
all that a position needs.
"""

from collections import OrderedDict
from typing import Any, Final

import msgspec

from mm.events.orders import (
    AmendOrder,
    AmendRejected,
    CancelAll,
    CancelOrder,
    CancelRejected,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderKind,
    OrderRejected,
    OrderResolved,
    OrderSubmitted,
    OrderUncertain,
    PlaceOrder,
    Resolution,
    TimeInForce,
)
from mm.events.turn import Record
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Side, Ticks
from mm.projections.base import Routes
from mm.projections.lifecycle import CLOSED, RESOLVED, RESTING, Status, step

CLOSED_KEPT_MAX: Final = 10_000

Answer = (
    OrderSubmitted
    | OrderAcked
    | OrderRejected
    | OrderAmended
    | AmendRejected
    | OrderCanceled
    | CancelRejected
    | OrderExpired
    | OrderUncertain
)


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One order of ours; a new value replaces it on every change."""

    order_id: OrderId
    instrument: InstrumentId
    strategy: str
    wallet: str
    side: Side
    price: Ticks
    size: Lots
    placed: Nanos
    level: int
    kind: OrderKind
    tif: TimeInForce
    post_only: bool
    reason: str
    filled: Lots = Lots(0)
    status: Status = Status.PENDING_NEW
    venue_order_id: str = ""
    changed: Nanos = Nanos(0)

    @property
    def leaves(self) -> Lots:
        """What may still be filled; nothing once the order is closed."""
        return Lots(0) if self.closed else Lots(max(0, self.size - self.filled))

    @property
    def closed(self) -> bool:
        """Whether the venue is done with it."""
        return self.status in CLOSED

    @property
    def resting(self) -> bool:
        """Whether it is known to rest in the book and nothing was asked of it."""
        return self.status in RESTING


class Orders:
    """Live orders in the order they were placed, and the latest closed ones."""

    name: Final = "orders"

    def __init__(self) -> None:
        """Start without orders."""
        self._live: dict[OrderId, Order] = {}
        self._closed: OrderedDict[OrderId, Order] = OrderedDict()
        self.placed = 0
        self.fills = 0
        self.unmatched = 0

    @property
    def live(self) -> list[Order]:
        """Every order that is not closed, oldest first."""
        return list(self._live.values())

    def live_of(self, instrument: InstrumentId, strategy: str | None = None) -> list[Order]:
        """Live orders of an instrument (and strategy), oldest first."""
        return [
            order
            for order in self._live.values()
            if order.instrument == instrument and strategy in (None, order.strategy)
        ]

    def get(self, order_id: OrderId) -> Order | None:
        """The order, live or recently closed."""
        return self._live.get(order_id) or self._closed.get(order_id)

    def leaves(self, instrument: InstrumentId, side: Side) -> Lots:
        """All that may still be filled on one side, unknown and in-flight orders included."""
        return Lots(
            sum(
                order.leaves
                for order in self._live.values()
                if order.instrument == instrument and order.side is side
            )
        )

    def routes(self) -> Routes:
        """Intents and answers by type."""
        answers = (
            OrderSubmitted,
            OrderRejected,
            AmendRejected,
            OrderCanceled,
            CancelRejected,
            OrderExpired,
            OrderUncertain,
        )
        return {
            PlaceOrder: self._place,
            AmendOrder: self._intend,
            CancelOrder: self._intend,
            CancelAll: self._cancel_all,
            OrderAcked: self._acked,
            OrderAmended: self._amended,
            OrderFilled: self._filled,
            OrderResolved: self._resolved,
            **dict.fromkeys(answers, self._answered),
        }

    def _place(self, event: PlaceOrder, record: Record) -> None:
        assert self.get(event.order_id) is None, f"order id used twice: {event.order_id}"
        self.placed += 1
        self._live[event.order_id] = Order(
            order_id=event.order_id,
            instrument=event.instrument,
            strategy=event.strategy,
            wallet=event.wallet,
            side=event.side,
            price=event.price,
            size=event.size,
            placed=record.at,
            level=event.level,
            kind=event.kind,
            tif=event.tif,
            post_only=event.post_only,
            reason=event.reason,
            changed=record.at,
        )

    def _intend(self, event: AmendOrder | CancelOrder, record: Record) -> None:
        order = self._live.get(event.order_id)
        assert order is not None, f"no live order to change: {event.order_id}"
        self._put(order, record, status=step(order.status, type(event)))

    def _cancel_all(self, event: CancelAll, record: Record) -> None:
        for order in self.live_of(event.instrument):
            self._put(order, record, status=step(order.status, CancelOrder))

    def _answered(self, event: Answer, record: Record) -> None:
        order = self._known(event.order_id)
        if order is not None:
            self._put(
                order,
                record,
                status=self._resting(order, step(order.status, type(event))),
            )

    def _acked(self, event: OrderAcked, record: Record) -> None:
        order = self._known(event.order_id)
        if order is not None:
            status = self._resting(order, step(order.status, OrderAcked))
            self._put(order, record, status=status, venue_order_id=event.venue_order_id)

    def _amended(self, event: OrderAmended, record: Record) -> None:
        order = self._known(event.order_id)
        if order is not None:
            status = self._resting(order, step(order.status, OrderAmended))
            self._put(order, record, status=status, price=event.price, size=event.size)

    def _filled(self, event: OrderFilled, record: Record) -> None:
        self.fills += 1
        order = self._known(event.order_id)
        if order is None:
            return
        filled = Lots(order.filled + event.size)
        status = step(order.status, OrderFilled)
        if filled >= order.size and status not in CLOSED:
            status = Status.FILLED
        self._put(order, record, status=status, filled=filled)

    def _resolved(self, event: OrderResolved, record: Record) -> None:
        order = self._known(event.order_id)
        if order is None or order.closed:
            return
        status = self._resting(order, RESOLVED[event.resolution])
        assert event.resolution is not Resolution.OPEN or order.leaves > 0, "open with nothing left"
        self._put(order, record, status=status)

    def _known(self, order_id: OrderId) -> Order | None:
        order = self.get(order_id)
        if order is None and order_id:  # A cancel-all names no order.
            self.unmatched += 1
        return order

    @staticmethod
    def _resting(order: Order, status: Status) -> Status:
        """An order that rests is open or partially filled by what was filled before."""
        if status in RESTING:
            return Status.PARTIALLY_FILLED if order.filled else Status.OPEN
        return status

    def _put(self, order: Order, record: Record, **changes: Any) -> None:
        after = msgspec.structs.replace(order, changed=record.at, **changes)
        if after.closed:
            self._live.pop(after.order_id, None)
            self._closed[after.order_id] = after
            if len(self._closed) > CLOSED_KEPT_MAX:
                self._closed.popitem(last=False)
        else:
            self._live[after.order_id] = after

    def dump(self) -> Any:
        """Live and closed orders in their order, and the counters."""
        return (
            [msgspec.to_builtins(order) for order in self._live.values()],
            [msgspec.to_builtins(order) for order in self._closed.values()],
            [self.placed, self.fills, self.unmatched],
        )

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        live, closed, counters = dumped
        self._live = {plain["order_id"]: msgspec.convert(plain, Order) for plain in live}
        orders = [msgspec.convert(plain, Order) for plain in closed]
        self._closed = OrderedDict((order.order_id, order) for order in orders)
        self.placed, self.fills, self.unmatched = counters
