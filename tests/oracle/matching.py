"""What a venue does to resting orders when the market moves, and what a taker meets: a port.

One class an answer: `shared` is the honest one, `whole` fills orders in full as hftbacktest does,
`poisson` fills them by chance as the papers do. A pit has one, and passes on what it hears after
its book has heard it; whatever is filled goes through the pit.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated, TradePrinted
from mm.events.orders import OrderKind
from mm.events.units import Nanos, Side
from mm.sim.order import Order

if TYPE_CHECKING:
    from tests.oracle.pit import Pit

ANY_PRICE = -(1 << 61)
"""The limit of a market order, as a key of the opposite half: every level is good enough."""


class Sweep(msgspec.Struct):
    """What a taker would get, best first; `blocked` where it meets an order of our own."""

    levels: list[tuple[int, int]]
    blocked: bool = False

    @property
    def size(self) -> int:
        """Lots in all."""
        return sum(size for _, size in self.levels)


def limit_key(side: Side, kind: OrderKind, price: int) -> int:
    """A limit price as a key of the opposite half."""
    return ANY_PRICE if kind is OrderKind.MARKET else -side * price


class Matching(Protocol):
    """Fills through the pit it was made for; nothing is matched while it is not `usable`."""

    @property
    def usable(self) -> bool:
        """Whether orders may be accepted."""
        ...

    def snapshot(self, at: Nanos, event: BookSnapshot, *, whole: bool) -> None:
        """A snapshot, or a part of one; `whole` once all parts are there."""
        ...

    def delta(self, at: Nanos, event: BookDelta, *, applied: bool) -> None:
        """Changed levels; `applied` unless the book had none to change."""
        ...

    def quote(self, at: Nanos, event: QuoteUpdated, *, applied: bool) -> None:
        """A best bid and offer; `applied` unless depth is newer."""
        ...

    def lost(self) -> None:
        """Something is missing from the book."""
        ...

    def trade(self, at: Nanos, event: TradePrinted) -> None:
        """A print."""
        ...

    def rest(self, order: Order) -> None:
        """Queue what is left of an order at its price."""
        ...

    def plan(self, side: Side, limit: int, size: int) -> Sweep:
        """What an order of `side` takes down to the key `limit`, at most `size` lots."""
        ...

    def took(self, side: Side, price: int, size: int) -> None:
        """A taker of `side` took what was planned at a price."""
        ...

    def crosses(self, order: Order) -> bool:
        """Whether a limit order would take, or meet an order of our own."""
        ...


Make = Callable[["Pit"], Matching]
"""Makes the matching of a pit."""
