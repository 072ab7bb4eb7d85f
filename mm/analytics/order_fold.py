"""What became of each order: the engine's own fold over the turns that touch orders.

SQL would have to fold the lifecycle a second time, and the two would drift apart. Turns are folded
as in recovery, so that a session whose engine faulted can be asked about as well. Market data is
left out: it moves no order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa

from mm.analytics.folded import ORDERS
from mm.engine.core import Engine
from mm.events.base import MarketEvent
from mm.events.orders import CancelAll
from mm.events.turn import Turn, records
from mm.log.archive import Archive
from mm.projections.orders import Order, Orders

Closing = tuple[int | None, int | None]
"""Event number and time of what closed an order."""


def order_fold(archive: Archive) -> pa.Table:
    """Status, present price and size, and what closed it, of every order that was intended."""
    engine = Engine()
    known: dict[str, Order] = {}
    closings: dict[str, Closing] = {}
    for sealed in archive.order_turns():
        engine.fold(_without_market(sealed.turn))
        for order, seq in _touched(sealed.turn, engine.state.orders):
            known[order.order_id] = order
            if order.closed:
                closings.setdefault(order.order_id, (seq, sealed.turn.at))
    rows = [_row(order, closings.get(order.order_id, (None, None))) for order in known.values()]
    return pa.table([[row[at] for row in rows] for at in range(len(ORDERS))], schema=ORDERS)


def _without_market(turn: Turn) -> Turn:
    facts = tuple(fact for fact in turn.facts if not isinstance(fact, MarketEvent))
    return msgspec.structs.replace(turn, facts=facts)


def _touched(turn: Turn, orders: Orders) -> Iterator[tuple[Order, int]]:
    """The orders that events of the turn speak of, each with the last such event."""
    last: dict[Any, int] = {}
    for record in records(turn):
        if isinstance(record.event, CancelAll):
            alive = orders.live_of(record.event.instrument)
            last |= {order.order_id: record.number for order in alive}
        elif hasattr(record.event, "order_id"):
            last[record.event.order_id] = record.number
    for order_id, seq in last.items():
        order = orders.get(order_id)
        if order is not None:
            yield order, seq


def _row(order: Order, closing: Closing) -> tuple[Any, ...]:
    return (order.order_id, order.status, order.price, order.size, order.filled, *closing)
