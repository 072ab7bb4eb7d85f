"""Honest matching: what was printed or displayed is shared among our orders, once.

What fills a resting order of ours, and how much:
- a trade printed through our price: up to the printed volume;
- a trade printed at our price: what is left of it once the queue ahead of us is served;
- an opposite level displayed at or through our price: up to its displayed size, once.
A printed volume is shared among our orders by price, then time, so that fills never exceed what was
printed plus what was displayed across our price. While the book is unusable nothing is matched
against it; printed trades still count. A taker walks what is displayed, less what we took before,
and never meets an order of our own.
"""

import math
from collections.abc import Container
from typing import TYPE_CHECKING

from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated, TradePrinted
from mm.events.units import Nanos, Side
from mm.sim.order import Order
from tests.oracle.matching import ANY_PRICE, Sweep
from tests.oracle.queue import UNSEEN, Queues, shares

if TYPE_CHECKING:
    from tests.oracle.pit import Pit

NOTHING: Container[int] = ()


class Shared:
    """Matches against the pit's own book; see `Matching`."""

    def __init__(self, pit: "Pit") -> None:
        """Work for a pit."""
        self._pit = pit
        self._book = pit.book

    @property
    def usable(self) -> bool:
        """Whether the book is whole."""
        return self._book.usable

    def snapshot(self, at: Nanos, _event: BookSnapshot, *, whole: bool) -> None:
        """The whole book, perhaps after a loss."""
        if whole:
            self._news(at, self._covered(Side.BUY), self._covered(Side.SELL))

    def _covered(self, side: Side) -> list[int]:
        """Those of our prices that a snapshot is deep enough to speak of."""
        half = self._book.half(side)
        return [price for price in self._pit.queues(side).prices if half.ahead(price) < UNSEEN]

    def delta(self, at: Nanos, event: BookDelta, *, applied: bool) -> None:
        """Changed levels."""
        if applied and self._pit.orders:
            self._news(at, event.bids[::2], event.asks[::2])

    def quote(self, at: Nanos, _event: QuoteUpdated, *, applied: bool) -> None:
        """A best bid and offer."""
        if applied and self._pit.orders:
            self._news(at, NOTHING, NOTHING)

    def lost(self) -> None:
        """The book knows."""

    def _news(self, at: Nanos, bids: Container[int], asks: Container[int]) -> None:
        """The feed said something of these levels, and of both touches."""
        if not self._book.usable:
            return
        pit = self._pit
        if pit.bids.prices:
            self._move_up(pit.bids, Side.BUY, bids)
            self._cross(at, pit.bids, Side.BUY)
        if pit.asks.prices:
            self._move_up(pit.asks, Side.SELL, asks)
            self._cross(at, pit.asks, Side.SELL)

    def _move_up(self, own: Queues, side: Side, listed: Container[int]) -> None:
        half = self._book.half(side)
        for price in own.prices:
            if price * side >= half.touch or price in listed:
                own.shrink(price, half.displayed(price))

    def _cross(self, at: Nanos, own: Queues, side: Side) -> None:
        """Opposite levels displayed at or through our prices fill us."""
        opposite = self._book.half(side.other)
        for price in list(own.prices):
            if opposite.touch < -side * price:
                return
            for order in own.at(price):
                for level, available in opposite.offers(-side * price):
                    opposite.take(level, self._pit.make(at, order, min(available, order.leaves)))
                    if order.order_id not in self._pit.orders:
                        break

    def trade(self, at: Nanos, event: TradePrinted) -> None:
        """A print reaches our orders on the side its taker hit, best price first."""
        side = event.aggressor.other
        own = self._pit.queues(side)
        volume = int(event.size)
        for price in list(own.prices):
            beyond = side * (price - event.price)
            if beyond < 0:
                return
            if beyond > 0:
                own.pass_by(price)  # Trading went on behind us: nobody is ahead any more.
            else:
                own.printed(price, event.size)
            for order, share in shares(own.at(price), volume):
                volume -= self._pit.make(at, order, share)

    def rest(self, order: Order) -> None:
        """Queue behind what is displayed, and behind our own."""
        half = self._book.half(order.side)
        queues = self._pit.queues(order.side)
        queues.add(order, half.ahead(order.price), half.displayed(order.price))

    def plan(self, side: Side, limit: int, size: int) -> Sweep:
        """Walk what is displayed, as far as the best of our own on the other side."""
        found = Sweep([])
        own = self._pit.queues(side.other)
        wall = -side * own.prices[0] if own.prices else ANY_PRICE - 1
        for price, available in self._book.half(side.other).offers(limit):
            key = -side * price
            if key < wall:
                break
            reachable = math.floor(own.at(price)[0].front) if key == wall else size
            got = min(available, reachable, size)
            size -= got
            if got:
                found.levels.append((price, got))
            if key == wall or not size:
                break
        found.blocked = size > 0 and wall >= limit
        return found

    def took(self, side: Side, price: int, size: int) -> None:
        """It is not there for us again until the feed says something new of the level."""
        self._book.half(side.other).take(price, size)

    def crosses(self, order: Order) -> bool:
        """Whether a limit order would meet what is displayed, or an order of our own."""
        limit = -order.side * order.price
        own = self._pit.queues(order.side.other).prices
        return self._book.half(order.side.other).touch >= limit or (
            bool(own) and -order.side * own[0] >= limit
        )
