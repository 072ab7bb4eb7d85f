"""Where commands arrive at the venue: checks, taking, resting, amending, canceling.

An order is acked before it fills; one that may not stand is rejected whole. After the account's
checks (duplicate id, wallet, number of open orders), made in `paper`, come in this order:
combination, instrument, filters, book, reduce-only, post-only, liquidity, funds. An amend is
checked for its order, for what it leaves and by the filters; one that loses its place also from
the book on. What a taker gets, the pit's matching plans; what is left of one that would meet an
order of our own is canceled there.
"""

from decimal import Decimal

import msgspec

from mm.events.instrument import ContractKind
from mm.events.orders import (
    AmendOrder,
    CancelOrder,
    CancelReason,
    Liquidity,
    OrderKind,
    PlaceOrder,
    RejectReason,
    TimeInForce,
)
from mm.events.units import Nanos
from mm.sim.fees import EXACT
from mm.sim.funds import reservation
from mm.sim.order import Order
from mm.sim.trading import Free
from tests.oracle.filters import combination, limit_filter, notional_filter, size_filter
from tests.oracle.matching import Sweep, limit_key
from tests.oracle.pit import Pit


class Desk:
    """Receives commands; `free` tells how much of an asset nothing has locked."""

    def __init__(self, free: Free | None) -> None:
        """Without `free`, funds are not checked."""
        self._free = free

    def place(self, at: Nanos, pit: Pit, intent: PlaceOrder) -> None:
        """Accept or reject an order that passed the account's own checks."""
        order = Order(intent=intent, price=intent.price, size=intent.size)
        limit = limit_key(order.side, intent.kind, intent.price)
        plan = pit.matching.plan(order.side, limit, order.size)
        reason = self._refusal(pit, order, plan)
        if reason is not None:
            pit.clerk.reject(at, intent, reason)
            return
        pit.clerk.accept(at, order)
        self._take(at, pit, order, plan)

    def _refusal(self, pit: Pit, order: Order, plan: Sweep) -> RejectReason | None:
        return (
            combination(order.intent)
            or self._filtered(pit, order, plan)
            or (None if pit.matching.usable else RejectReason.NO_BOOK)
            or self._unwelcome(pit, order, plan, {})
        )

    def _unwelcome(
        self, pit: Pit, order: Order, plan: Sweep, unlocked: dict[str, Decimal]
    ) -> RejectReason | None:
        """What position, book and funds say; `unlocked` is what an amend sets free."""
        if order.intent.reduce_only and order.leaves > pit.clerk.reducible(order.side):
            return RejectReason.REDUCE_ONLY
        if order.intent.post_only and pit.matching.crosses(order):
            return RejectReason.POST_ONLY_CROSSED
        return self._illiquid(order, plan) or self._unfunded(pit, order, plan, unlocked)

    @staticmethod
    def _filtered(pit: Pit, order: Order, plan: Sweep) -> RejectReason | None:
        if pit.instrument is None:
            return RejectReason.INSTRUMENT_CLOSED
        if order.intent.kind is OrderKind.LIMIT:
            return limit_filter(pit.instrument, order.price, order.size)
        best = plan.levels[0][0] if plan.levels else 0
        return size_filter(pit.instrument, order.size) or (
            notional_filter(pit.instrument, best, order.size) if best else None
        )

    @staticmethod
    def _illiquid(order: Order, plan: Sweep) -> RejectReason | None:
        whole = order.intent.tif is TimeInForce.FOK
        market = order.intent.kind is OrderKind.MARKET
        if (whole and plan.size < order.size) or (market and not plan.levels):
            return RejectReason.NO_LIQUIDITY
        return None

    def _unfunded(
        self, pit: Pit, order: Order, plan: Sweep, unlocked: dict[str, Decimal]
    ) -> RejectReason | None:
        assert pit.instrument is not None, "filters come first"
        free = self._free
        if free is None or pit.instrument.kind is not ContractKind.SPOT:
            return None
        wanted = [(int(order.price), int(order.leaves))]
        if order.intent.kind is OrderKind.MARKET:
            wanted = plan.levels
        for price, size in wanted:
            asset, amount = reservation(pit.instrument, order.side, price, size)
            unlocked[asset] = EXACT.subtract(unlocked.get(asset, Decimal(0)), amount)
        short = any(EXACT.add(free(asset), left) < 0 for asset, left in unlocked.items())
        return RejectReason.NO_FUNDS if short else None

    def _take(self, at: Nanos, pit: Pit, order: Order, plan: Sweep) -> None:
        """Execute a plan; what is left rests, or ends."""
        for price, size in plan.levels:
            taken = pit.fill(at, order, price, size, Liquidity.TAKER)
            pit.matching.took(order.side, price, taken)
        if order.order_id not in pit.orders:
            return
        if plan.blocked:
            pit.cancel(at, order, CancelReason.SELF_TRADE)
        elif order.intent.kind is OrderKind.MARKET or order.intent.tif is not TimeInForce.GTC:
            pit.cancel(at, order, CancelReason.IOC_REST)
        else:
            pit.rest(order)

    def amend(self, at: Nanos, pit: Pit, intent: AmendOrder) -> None:
        """Move an order; it keeps its place at the same price, unless it grows."""
        order = pit.orders.get(intent.order_id)
        if order is None:
            pit.clerk.refuse_amend(at, intent, RejectReason.UNKNOWN_ORDER)
            return
        keeps = intent.price == order.price and intent.size <= order.size
        moved = msgspec.structs.replace(order, price=intent.price, size=intent.size)
        limit = limit_key(order.side, OrderKind.LIMIT, moved.price)
        plan = pit.matching.plan(order.side, limit, moved.leaves)
        reason = _unamendable(pit, moved)
        if reason is None and not keeps:
            reason = self._unmovable(pit, order, moved, plan)
        if reason is not None:
            pit.clerk.refuse_amend(at, intent, reason)
            return
        if not keeps:
            pit.queues(order.side).discard(order)
        pit.clerk.amend(at, order, intent.price, intent.size)
        if not keeps:
            self._take(at, pit, order, plan)

    def _unmovable(self, pit: Pit, order: Order, moved: Order, plan: Sweep) -> RejectReason | None:
        assert pit.instrument is not None, "it has an order"
        if not pit.matching.usable:
            return RejectReason.NO_BOOK
        asset, locked = reservation(pit.instrument, order.side, order.price, order.leaves)
        return self._unwelcome(pit, moved, plan, {asset: locked})


def _unamendable(pit: Pit, moved: Order) -> RejectReason | None:
    assert pit.instrument is not None, "it has an order"
    if moved.leaves <= 0:
        return RejectReason.SIZE_TOO_SMALL
    return limit_filter(pit.instrument, moved.price, moved.size)


def cancel(at: Nanos, pit: Pit, intent: CancelOrder) -> None:
    """Cancel an order; one that is gone cannot be, and the venue says so."""
    order = pit.orders.get(intent.order_id)
    if order is not None:
        pit.cancel(at, order, CancelReason.REQUESTED)
    else:
        pit.clerk.refuse_cancel(at, intent)


def cancel_all(at: Nanos, pit: Pit) -> None:
    """Cancel every order in the pit, oldest first."""
    for order in list(pit.orders.values()):
        pit.cancel(at, order, CancelReason.CANCEL_ALL)
