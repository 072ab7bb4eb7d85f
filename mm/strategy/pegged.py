"""One bid and one ask at a fixed distance in ticks from the mid, leaning against the position.

The simplest maker there is: looked at on a timer, each side replaced when its price changes. Quotes
stand `half_spread_ticks` from the mid, shifted by `skew_ticks` for every order size held; never in
front of their own touch. A side stops when the position has reached its maximum.
"""

from typing import Final

import msgspec

from mm.events.session import NoQuoteReason
from mm.events.units import Lots, Nanos, Ticks
from mm.strategy.base import Level, MarketView, Wakes, Wanted, nothing, unquotable
from mm.strategy.rules import Seen, Terms, pegged

QUOTING: Final = NoQuoteReason.QUOTING
FULL: Final = NoQuoteReason.POSITION_LIMIT


class Pegged(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters in lots, ticks and nanoseconds."""

    order_size: Lots
    position_max: Lots
    half_spread_ticks: float
    skew_ticks: float = 0.0
    refresh: Nanos = Nanos(250_000_000)
    own_near_ticks: int | None = None

    @property
    def wakes(self) -> Wakes:
        """The timer, and only if there is news: it looks at touch and position alone.

        And, where asked for, the market that comes near its quotes.
        """
        return Wakes(
            timer=self.refresh,
            own_orders=False,
            when_changed=True,
            own_near_ticks=self.own_near_ticks,
        )

    @property
    def rule(self) -> "Pegged":
        """All of it; there is no memory anyway."""
        return self

    @property
    def terms(self) -> Terms:
        """The parameters in the order that the rule has them."""
        whole, real = (
            (self.order_size, self.position_max),
            (self.half_spread_ticks, self.skew_ticks),
        )
        return Terms(whole, real)

    def initial(self) -> None:
        """It remembers nothing."""

    def decide(self, view: MarketView, memory: None) -> tuple[Wanted, None]:
        """Quotes around the mid, or the reason for none."""
        book = view.book
        reason = unquotable(view)
        if reason is not None:
            return nothing(reason), memory
        seen = Seen(view.at, book.bid, book.bid_size, book.ask, book.ask_size, view.position.net)
        bids, asks = [0, 0], [0, 0]
        whole, real = (
            (self.order_size, self.position_max),
            (self.half_spread_ticks, self.skew_ticks),
        )
        sides = pegged(whole, real, seen, bids, asks)
        wanted = Wanted(
            bids=(Level(Ticks(bids[0]), Lots(bids[1])),) if sides.bids else (),
            asks=(Level(Ticks(asks[0]), Lots(asks[1])),) if sides.asks else (),
            bid_reason=QUOTING if sides.bids else FULL,
            ask_reason=QUOTING if sides.asks else FULL,
        )
        return wanted, memory
