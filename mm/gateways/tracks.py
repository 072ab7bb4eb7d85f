"""What a gateway has to know of its orders: who they are to the venue, and what is under way.

The log has the truth about orders; this only serves to name an order to the venue, to complete a
fill with whose it is, and to tell an answer that was expected from one that never came.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from mm.events.orders import (
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderResolved,
    PlaceOrder,
    Resolution,
)
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Side, Ticks
from mm.events.vocabulary import Fact
from mm.gateways.order_port import Known
from mm.gateways.outbox import Queued
from mm.projections.orders import Order

CLOSED_KEPT_MAX: Final = 4_000
FILLS_KEPT_MAX: Final = 50_000


class Track(msgspec.Struct, kw_only=True):
    """One order of ours.

    `sent` is when its last command left (0: none has), `busy` that one is under way, `waiting` what
    came meanwhile. `proven` says that the venue itself has spoken of it, `asked` that it is asked.
    """

    order_id: OrderId
    instrument: InstrumentId
    strategy: str
    wallet: str
    side: Side
    price: Ticks
    size: Lots
    venue_order_id: str = ""
    filled: Lots = Lots(0)
    sent: Nanos = Nanos(0)
    busy: bool = False
    waiting: list[Queued] = []
    proven: bool = False
    closed: bool = False
    asked: bool = False

    @property
    def known(self) -> Known:
        """What names it to the venue."""
        return Known(self.order_id, self.instrument, self.venue_order_id, self.side)

    def heard(self, command: str) -> bool:
        """Whether the venue has said what became of a command."""
        return self.closed or (command != "cancel" and self.proven)


Lookup = Callable[[OrderId], Order | None]


class Tracks:
    """Orders that may rest, and the latest that do not; fills that were told."""

    def __init__(
        self, wallet: str, lookup: Lookup, is_booked: Callable[[OrderFilled], bool]
    ) -> None:
        """`lookup` finds an order on the log that is tracked no more, `is_booked` fills there."""
        self._wallet = wallet
        self._is_booked = is_booked
        self._lookup = lookup
        self._live: dict[OrderId, Track] = {}
        self._closed: OrderedDict[OrderId, Track] = OrderedDict()
        self._fills: OrderedDict[tuple[InstrumentId, int, str], None] = OrderedDict()

    @property
    def live(self) -> list[Track]:
        """All that may rest, oldest first."""
        return list(self._live.values())

    def get(self, order_id: OrderId) -> Track | None:
        """An order that is tracked, or that the log has."""
        found = self._live.get(order_id) or self._closed.get(order_id)
        if found is None and (order := self._lookup(order_id)) is not None:
            found = self.learn(order)
        return found

    def place(self, order: PlaceOrder) -> Track:
        """An order that is about to be sent."""
        track = Track(
            order_id=order.order_id,
            instrument=order.instrument,
            strategy=order.strategy,
            wallet=order.wallet,
            side=order.side,
            price=order.price,
            size=order.size,
        )
        self._live[order.order_id] = track
        return track

    def learn(self, order: Order) -> Track:
        """An order as the log has it."""
        track = self._live.get(order.order_id) or self._closed.get(order.order_id)
        if track is None:
            track = Track(
                order_id=order.order_id,
                instrument=order.instrument,
                strategy=order.strategy,
                wallet=order.wallet,
                side=order.side,
                price=order.price,
                size=order.size,
                venue_order_id=order.venue_order_id,
                filled=order.filled,
                sent=order.changed,
                proven=bool(order.venue_order_id),
                closed=order.closed,
            )
            self._keep(track)
        return track

    def hear(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        """Take note of what the venue said; returns it complete, and without what was told."""
        return tuple(told for fact in facts if (told := self._heard(fact)) is not None)

    def _heard(self, fact: Fact) -> Fact | None:
        if isinstance(fact, OrderFilled):
            return self._filled(fact)
        if not isinstance(
            fact,
            OrderAcked
            | OrderAmended
            | OrderCanceled
            | OrderExpired
            | OrderRejected
            | OrderResolved,
        ):
            return fact
        track = self.get(fact.order_id)
        if track is None:
            return fact
        if _is_told(track, fact):
            return None
        match fact:
            case OrderAcked():
                track.proven, track.venue_order_id = True, fact.venue_order_id
            case OrderAmended():
                track.proven = True
                track.price, track.size = fact.price, fact.size
            case OrderResolved(resolution=Resolution.OPEN):
                track.venue_order_id = fact.venue_order_id or track.venue_order_id
            case _:
                track.closed = True
        self._keep(track)
        return fact

    def _filled(self, fill: OrderFilled) -> OrderFilled | None:
        key = (fill.instrument, int(fill.side), fill.fill_id)
        if key in self._fills:
            return None
        self._fills[key] = None
        if len(self._fills) > FILLS_KEPT_MAX:
            self._fills.popitem(last=False)
        track = self.get(fill.order_id) if fill.order_id else None
        if track is None:
            told = msgspec.structs.replace(fill, wallet=self._wallet)
            return None if self._is_booked(told) else told
        told = msgspec.structs.replace(fill, strategy=track.strategy, wallet=track.wallet)
        if self._is_booked(told):
            return None  # By a session before this one.
        track.filled = Lots(track.filled + fill.size)
        if track.filled >= track.size:
            track.closed = True
        self._keep(track)
        return told

    def close(self, track: Track) -> None:
        """It rests no more."""
        track.closed = True
        self._keep(track)

    def reopen(self, track: Track) -> None:
        """It rests after all."""
        track.closed = False
        self._closed.pop(track.order_id, None)
        self._keep(track)

    def _keep(self, track: Track) -> None:
        if not track.closed:
            self._live[track.order_id] = track
            return
        self._live.pop(track.order_id, None)
        self._closed[track.order_id] = track
        while len(self._closed) > CLOSED_KEPT_MAX:
            self._closed.popitem(last=False)


def _is_told(track: Track, fact: Fact) -> bool:
    """Whether an answer and the stream say the same: an ack again, an end that adds nothing."""
    match fact:
        case OrderAcked():
            return track.proven and track.venue_order_id == fact.venue_order_id
        case OrderAmended():
            return track.proven and (fact.price, fact.size) == (track.price, track.size)
        case OrderCanceled():
            return track.closed and fact.filled <= track.filled
        case OrderExpired():
            return track.closed
        case _:
            return False
