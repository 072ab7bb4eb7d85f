"""Our orders, folded from intents, acks and fills.

An order exists once we intend it: until the venue answers, we already carry its risk, and that of
an amend under way as well. Live orders are kept whole; closed ones stay matchable for late fills in
a bounded record, the oldest that owes nothing leaving first. What the venue says was filled, and no
fill has told us yet, is still to come: it counts as risk for ever, though the order is closed. A
fill of an order no longer kept is counted, and still moves the position: it carries all it needs.
"""

from collections import OrderedDict
from typing import Any, Final

import msgspec

from mm.events.base import Body
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
    RejectReason,
    Resolution,
    TimeInForce,
)
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Side, Ticks
from mm.projections.base import Routes
from mm.projections.lifecycle import CLOSED, PROVES, RESOLVED, RESTING, Status, step

CLOSED_KEPT_MAX: Final = 4_000
OWING_KEPT_MAX: Final = 4_000
"""Closed orders whose fills we were not told; of more, only the sum is kept, and stays risk."""

Answer = OrderSubmitted | OrderExpired


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One order of ours; a new value replaces it on every change.

    `told` is the most that the venue ever said was filled, `amend_price` and `amend_size` (total)
    what an unanswered amend asks for (0: none), `doubt` the command that made it uncertain.
    """

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
    told: Lots = Lots(0)
    amend_price: Ticks = Ticks(0)
    amend_size: Lots = Lots(0)
    doubt: str = ""

    @property
    def leaves(self) -> Lots:
        """The most that may still be filled; of a closed order, the fills we were not told."""
        most = self.told if self.closed else max(self.size, self.amend_size)
        return Lots(max(0, most - self.filled))

    @property
    def prices(self) -> tuple[Ticks, ...]:
        """Where it may rest: two prices while an amend is under way."""
        return (self.price, self.amend_price) if self.amend_price else (self.price,)

    @property
    def aim(self) -> tuple[Ticks, Lots]:
        """Price and leaves once all that was asked of it is done."""
        size = self.amend_size or self.size
        return self.amend_price or self.price, Lots(max(0, size - self.filled))

    @property
    def closed(self) -> bool:
        """Whether the venue is done with it."""
        return self.status in CLOSED

    @property
    def resting(self) -> bool:
        """Whether it is known to rest in the book and nothing was asked of it."""
        return self.status in RESTING


_NO_AMEND: Final[dict[str, Any]] = {"amend_price": Ticks(0), "amend_size": Lots(0)}


def _open(order: Order, status: Status) -> Status:
    """An order that rests is open, or partially filled by what was filled before."""
    if status in RESTING:
        return Status.PARTIALLY_FILLED if order.filled else Status.OPEN
    return status


def _is_answered(order: Order, command: str) -> bool:
    """Whether the answer to a command came before the doubt about it."""
    acked, amending = bool(order.venue_order_id), bool(order.amend_size)
    return (command == "place" and acked) or (command == "amend" and not amending)


class Orders:
    """Live orders in the order they were placed, and the latest closed ones."""

    name: Final = "orders"

    def __init__(self) -> None:
        """Start without orders."""
        self._live: dict[OrderId, Order] = {}
        self._closed: OrderedDict[OrderId, Order] = OrderedDict()
        self._owed: dict[OrderId, Order] = {}
        self._lost: dict[tuple[InstrumentId, Side], Lots] = {}
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
        """All that may still be filled on one side: unknown, in flight, or filled and untold."""
        return Lots(
            self._lost.get((instrument, side), 0)
            + sum(
                order.leaves
                for orders in (self._live, self._owed)
                for order in orders.values()
                if order.instrument == instrument and order.side is side
            )
        )

    def routes(self) -> Routes:
        """Intents and answers by type."""
        return {
            PlaceOrder: self._place,
            AmendOrder: self._amend,
            CancelOrder: self._cancel,
            CancelAll: self._cancel_all,
            OrderSubmitted: self._answered,
            OrderAcked: self._acked,
            OrderRejected: self._rejected,
            OrderAmended: self._amended,
            AmendRejected: self._amend_rejected,
            OrderCanceled: self._canceled,
            CancelRejected: self._cancel_rejected,
            OrderExpired: self._answered,
            OrderFilled: self._filled,
            OrderUncertain: self._uncertain,
            OrderResolved: self._resolved,
        }

    def _place(self, event: PlaceOrder, at: Nanos) -> None:
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
            placed=at,
            level=event.level,
            kind=event.kind,
            tif=event.tif,
            post_only=event.post_only,
            reason=event.reason,
            changed=at,
        )

    def _amend(self, event: AmendOrder, at: Nanos) -> None:
        order = self._live.get(event.order_id)
        assert order is not None, f"no live order to amend: {event.order_id}"
        target = {"amend_price": event.price, "amend_size": event.size}
        self._put(order, at, status=step(order.status, AmendOrder), **target)

    def _cancel(self, event: CancelOrder, at: Nanos) -> None:
        order = self._live.get(event.order_id)
        assert order is not None, f"no live order to cancel: {event.order_id}"
        self._doom(order, at)

    def _cancel_all(self, event: CancelAll, at: Nanos) -> None:
        for order in self.live_of(event.instrument):
            self._doom(order, at)

    def _doom(self, order: Order, at: Nanos) -> None:
        self._put(order, at, status=step(order.status, CancelOrder), doubt="cancel")

    def _answered(self, event: Answer, at: Nanos) -> None:
        order = self._known(event.order_id)
        if order is not None:
            self._put(order, at, status=step(order.status, type(event)))

    def _acked(self, event: OrderAcked, at: Nanos) -> None:
        order = self._known(event.order_id)
        if order is not None:
            status = self._rested(order, OrderAcked)
            self._put(order, at, status=status, venue_order_id=event.venue_order_id)

    def _rejected(self, event: OrderRejected, at: Nanos) -> None:
        order = self._known(event.order_id)
        if order is None:
            return
        status, doubt = step(order.status, OrderRejected), order.doubt
        if event.reason is RejectReason.DUPLICATE_ID and not order.closed:
            # The venue has an order of this id: the command was sent twice, and one came through.
            new = order.status is Status.PENDING_NEW
            status, doubt = (Status.UNCERTAIN, "place") if new else (order.status, doubt)
        self._put(order, at, status=status, doubt=doubt)

    def _amended(self, event: OrderAmended, at: Nanos) -> None:
        order = self._known(event.order_id)
        if order is None:
            return
        now = {"price": event.price, "size": event.size, **_NO_AMEND}
        self._put(order, at, status=self._rested(order, OrderAmended), **now)

    def _amend_rejected(self, event: AmendRejected, at: Nanos) -> None:
        order = self._known(event.order_id)
        if order is not None:
            self._put(order, at, status=self._rested(order, AmendRejected), **_NO_AMEND)

    def _canceled(self, event: OrderCanceled, at: Nanos) -> None:
        order = self._known(event.order_id)
        if order is not None:
            told = max(order.told, event.filled)
            self._put(order, at, status=step(order.status, OrderCanceled), told=told)

    def _cancel_rejected(self, event: CancelRejected, at: Nanos) -> None:
        order = self._known(event.order_id)
        if order is not None:
            self._put(order, at, status=self._rested(order, CancelRejected))

    def _uncertain(self, event: OrderUncertain, at: Nanos) -> None:
        order = self._known(event.order_id)
        if order is not None and not _is_answered(order, event.command):
            status, doubt = step(order.status, OrderUncertain), order.doubt or event.command
            self._put(order, at, status=status, doubt=doubt)

    def _filled(self, event: OrderFilled, at: Nanos) -> None:
        self.fills += 1
        order = self._known(event.order_id)
        if order is None:
            return
        filled = Lots(order.filled + event.size)
        self._put(order, at, status=step(order.status, OrderFilled), filled=filled)

    def _resolved(self, event: OrderResolved, at: Nanos) -> None:
        order = self._known(event.order_id)
        if order is None:
            return
        total = order.size if event.resolution is Resolution.FILLED else event.filled
        told = max(order.told, event.filled, total)
        status = order.status if order.closed else RESOLVED[event.resolution]
        self._put(order, at, status=_open(order, status), told=told, **_NO_AMEND)

    def _known(self, order_id: OrderId) -> Order | None:
        order = self.get(order_id)
        if order is None and order_id:  # A cancel-all names no order.
            self.unmatched += 1
        return order

    @staticmethod
    def _rested(order: Order, event: type[Body]) -> Status:
        """The status after an answer that may show the order at rest."""
        if order.status is Status.UNCERTAIN and event in PROVES.get(order.doubt, ()):
            return _open(order, Status.OPEN)
        return _open(order, step(order.status, event))

    def _put(self, order: Order, at: Nanos, **changes: Any) -> None:
        after = msgspec.structs.replace(order, changed=at, **changes)
        if not after.closed:
            if after.leaves:
                if after.doubt and after.status in RESTING:
                    after = msgspec.structs.replace(after, doubt="")
                self._live[after.order_id] = after
                return
            after = msgspec.structs.replace(after, status=Status.FILLED)
        self._live.pop(after.order_id, None)
        self._closed[after.order_id] = after
        self._owe(after)
        while len(self._closed) - len(self._owed) > CLOSED_KEPT_MAX:
            oldest, order = self._closed.popitem(last=False)
            if order.leaves:  # It is risk: its turn comes when it is settled.
                self._closed[oldest] = order

    def _owe(self, order: Order) -> None:
        self._owed.pop(order.order_id, None)
        if not order.leaves:
            return
        self._owed[order.order_id] = order
        if len(self._owed) > OWING_KEPT_MAX:
            oldest = next(each for each in self._closed.values() if each.order_id in self._owed)
            del self._owed[oldest.order_id], self._closed[oldest.order_id]
            owner = (oldest.instrument, oldest.side)
            self._lost[owner] = Lots(self._lost.get(owner, 0) + oldest.leaves)

    def dump(self) -> Any:
        """Live and closed orders in their order, and the counters."""
        return (
            [msgspec.to_builtins(order) for order in self._live.values()],
            [msgspec.to_builtins(order) for order in self._closed.values()],
            [self.placed, self.fills, self.unmatched],
            [[*owner, lots] for owner, lots in self._lost.items()],
        )

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        live, closed, counters, lost = dumped
        self._live = {plain["order_id"]: msgspec.convert(plain, Order) for plain in live}
        orders = [msgspec.convert(plain, Order) for plain in closed]
        self._closed = OrderedDict((order.order_id, order) for order in orders)
        self._owed = {order.order_id: order for order in orders if order.leaves}
        self._lost = {(number, Side(side)): lots for number, side, lots in lost}
        self.placed, self.fills, self.unmatched = counters
