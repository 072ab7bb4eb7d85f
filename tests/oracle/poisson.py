"""Matching by chance, as the papers have it: takers arrive, and how far they reach is random.

At every step of log time one draw a side: an order `distance` from the mid (in price, negative
beyond it) fills in full, at its own price and as maker, with probability
min(1, rate exp(-decay distance) dt), taken literally: Avellaneda and Stoikov, Quantitative
Finance 8(3), 2008, section 3. Of several orders on a side the nearer fills whenever the farther
does. Prints and displayed levels fill nobody. Takers and what they meet are as in `shared`.

With rate 140 and dt 0.005 this is no small probability: 1 - exp(-rate dt) is another model.
"""

from typing import TYPE_CHECKING, Final

from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated, TradePrinted
from mm.events.units import SECONDS, Nanos, Side
from mm.sim.latency import NEVER
from mm.sim.order import Order
from mm.sim.takers import chance, reached
from tests.oracle.matching import Sweep
from tests.oracle.shared import Shared

if TYPE_CHECKING:
    from mm.sim.settings import Arrivals
    from tests.oracle.pit import Pit

SIDES: Final = (Side.BUY, Side.SELL)


class Poisson:
    """Fills when time passes; see `Matching`."""

    def __init__(self, pit: "Pit", arrivals: "Arrivals", seed: int) -> None:
        """Work for a pit."""
        self._pit = pit
        self._arrivals = arrivals
        self._seed = seed
        self._shared = Shared(pit)
        self._step = 0

    @property
    def usable(self) -> bool:
        """Whether the book is whole."""
        return self._shared.usable

    def due(self) -> Nanos:
        """When the next step ends; NEVER while nothing rests."""
        return Nanos((self._step + 1) * self._arrivals.step) if self._pit.orders else NEVER

    def skip(self, by: Nanos) -> None:
        """Steps that end by then are over, whatever happened in them."""
        self._step = max(self._step, by // self._arrivals.step)

    def arrive(self, at: Nanos) -> None:
        """A step ends: takers come, and reach as far as chance has it."""
        self._step = at // self._arrivals.step
        for side in SIDES:
            draw = reached(self._seed, self._step, int(side > 0))
            for price in list(self._pit.queues(side).prices):
                if draw >= self._chance(side, price):
                    break
                for order in self._pit.queues(side).at(price):
                    self._pit.make(at, order, order.leaves)

    def _chance(self, side: Side, price: int) -> float:
        pit, arrivals = self._pit, self._arrivals
        if not (pit.book.usable and pit.book.mid2 and pit.instrument):
            return 0.0
        halves = side * (pit.book.mid2 - 2 * price)
        distance = 0.5 * halves * float(pit.instrument.tick_size)
        return chance(arrivals.rate, arrivals.decay, distance, arrivals.step / SECONDS)

    def snapshot(self, at: Nanos, event: BookSnapshot, *, whole: bool) -> None:
        """It moves the mid, no more."""

    def delta(self, at: Nanos, event: BookDelta, *, applied: bool) -> None:
        """It moves the mid, no more."""

    def quote(self, at: Nanos, event: QuoteUpdated, *, applied: bool) -> None:
        """It moves the mid, no more."""

    def lost(self) -> None:
        """The book knows."""

    def trade(self, at: Nanos, event: TradePrinted) -> None:
        """Takers are drawn, not heard."""

    def rest(self, order: Order) -> None:
        """Queue it, for the order of fills."""
        self._shared.rest(order)

    def plan(self, side: Side, limit: int, size: int) -> Sweep:
        """What is displayed."""
        return self._shared.plan(side, limit, size)

    def took(self, side: Side, price: int, size: int) -> None:
        """It is gone until the feed says something new."""
        self._shared.took(side, price, size)

    def crosses(self, order: Order) -> bool:
        """Whether a limit order would meet what is displayed, or an order of our own."""
        return self._shared.crosses(order)
