"""Where our orders stand in the queues of one side of the book.

What is ahead of us at a price is all that was displayed when we came. Trades at our price move us
up, and a displayed size smaller than what we thought was ahead. Risk-averse, nothing else does:
cancels are taken to come from behind us until that is impossible. With a probability model a
part of them came from ahead, see `queue_models`; what is ahead is then no whole number of lots.
Our own orders queue by price, then by time; a later one is never nearer the front than an earlier
one at the same price: each moves up as if it were alone, but never past the one before it.
"""

import math
from bisect import insort
from collections.abc import Iterable
from typing import Final

from mm.events.units import Lots, Side
from mm.sim import queue_models
from mm.sim.order import Order

UNSEEN: Final = 1 << 62
"""The queue at a price deeper than what the feed shows: all that will appear is ahead of us."""


class Queues:
    """Our resting orders of one side: prices best first, at a price oldest first.

    `model` and `n` are as in `queue_models`.
    """

    def __init__(self, side: Side, model: int = queue_models.RISK_AVERSE) -> None:
        """Start without orders."""
        self._sign = int(side)
        self._at: dict[int, list[Order]] = {}
        self.prices: list[int] = []
        self.model = model
        self.n = 1.0

    def add(self, order: Order, ahead: int, displayed: int) -> None:
        """Queue an order behind what is ahead and behind our own at its price."""
        orders = self._at.get(order.price)
        if orders is None:
            orders = self._at[order.price] = []
            insort(self.prices, order.price, key=self._distance)
        order.front = max([ahead, *(earlier.front for earlier in orders[-1:])])
        order.shown, order.traded = displayed, 0
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
        return tuple(self._at.get(price, ()))

    def printed(self, price: int, size: int) -> None:
        """So much was traded at our price: when the depth shows it, it was not canceled."""
        for order in self._at[price]:
            order.traded += size

    def pass_by(self, price: int) -> None:
        """Trading went through our price: nobody is ahead any more."""
        for order in self._at[price]:
            order.front = 0

    def shrink(self, price: int, displayed: int) -> None:
        """The feed shows this size at our price: no more than that can be ahead of us."""
        if self.model == queue_models.RISK_AVERSE:
            for order in self._at[price]:
                order.front = min(order.front, displayed)
        else:
            self._move_up(price, displayed)

    def _move_up(self, price: int, displayed: int) -> None:
        least = 0.0
        for order in self._at[price]:
            moved = queue_models.moved_up(
                self.model,
                self.n,
                float(order.front),
                float(order.traded),
                float(order.shown),
                float(displayed),
            )
            order.front = least = max(least, moved)
            order.shown, order.traded = displayed, 0

    def _distance(self, price: int) -> int:
        return -self._sign * price


def shares(orders: Iterable[Order], volume: int) -> list[tuple[Order, Lots]]:
    """Run a printed volume through the queue at one price: who gets how much of it.

    Others ahead of our first order come first, then that order, then others between it and our
    second, and so on. Every order moves up by what others got before it. Of ours none gets a lot
    of which others ahead got a part.
    """
    eaten: float = 0
    left: float = volume
    given = []
    for order in orders:
        ahead = min(left, max(0, order.front - eaten))
        left -= ahead
        eaten += ahead
        order.front = max(0, order.front - eaten)
        share = min(math.floor(left), order.leaves)
        left -= share
        given.append((order, Lots(share)))
    return given
