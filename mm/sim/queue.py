"""Where our orders stand in the queues of one side of the book.

Risk-averse: what is ahead of us at a price is all that was displayed when we came, and only two
things move us: a trade at our price, and a displayed size smaller than what we thought was ahead.
Cancels are taken to come from behind us until that is impossible. Our own orders queue by price,
then by time; a later one is never nearer the front than an earlier one at the same price.
"""

from bisect import insort
from collections.abc import Iterable
from typing import Final

from mm.events.units import Lots, Side
from mm.sim.order import Order

UNSEEN: Final = 1 << 62
"""The queue at a price deeper than what the feed shows: all that will appear is ahead of us."""


class Queues:
    """Our resting orders of one side: prices best first, at a price oldest first."""

    def __init__(self, side: Side) -> None:
        """Start without orders."""
        self._sign = int(side)
        self._at: dict[int, list[Order]] = {}
        self.prices: list[int] = []

    def add(self, order: Order, displayed: int) -> None:
        """Queue an order behind the displayed size and behind our own at its price."""
        orders = self._at.get(order.price)
        if orders is None:
            orders = self._at[order.price] = []
            insort(self.prices, order.price, key=self._distance)
        order.front = max([displayed, *(earlier.front for earlier in orders[-1:])])
        orders.append(order)

    def discard(self, order: Order) -> None:
        """Take an order out of its queue, if it rests at all."""
        orders = self._at.get(order.price)
        if orders is None:
            return
        orders[:] = [other for other in orders if other is not order]
        if not orders:
            del self._at[order.price]
            self.prices.remove(order.price)

    def at(self, price: int) -> tuple[Order, ...]:
        """Our orders at a price, oldest first."""
        return tuple(self._at[price])

    def shrink(self, price: int, displayed: int) -> None:
        """The feed shows this size at our price: no more than that can be ahead of us."""
        for order in self._at[price]:
            order.front = min(order.front, displayed)

    def _distance(self, price: int) -> int:
        return -self._sign * price


def shares(orders: Iterable[Order], volume: int) -> list[tuple[Order, Lots]]:
    """Run a printed volume through the queue at one price: who gets how much of it.

    Others ahead of our first order come first, then that order, then others between it and our
    second, and so on. Every order moves up by what others got before it.
    """
    eaten, given = 0, []
    for order in orders:
        ahead = min(volume, order.front - eaten)
        volume -= ahead
        eaten += ahead
        order.front -= eaten
        share = min(volume, order.leaves)
        volume -= share
        given.append((order, Lots(share)))
    return given
