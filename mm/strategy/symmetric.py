"""Symmetric two-sided quoting around fair value, skewed by inventory.

Both sides stand `half_spread_bps` from the reservation price, further levels `level_spacing_bps`
apart. The reservation price is fair value shifted against the position: long lowers both quotes,
short raises both, by `skew_bps` at the maximum position. Quotes hold still while fair value stays
within `drift_bps` of where they were anchored and are younger than `age_max`; a change of position
anchors them anew. Prices round away from the market, never against us. What a side rests could
not, all of it filled, take the position past its maximum.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from mm.events.instrument import InstrumentDefined
from mm.events.session import NoQuoteReason
from mm.events.units import Lots, Nanos, Side, Ticks, round_price
from mm.projections.book import Book
from mm.strategy.base import Level, MarketView, Take, Wakes, Wanted, nothing
from mm.strategy.fair_value import FairValue, fair_value

BPS: Final = 10_000.0
APART_MIN: Final = 1e-3
"""Ticks from the reservation price to a quote: below a float's resolution both sides would meet."""


class Anchor(msgspec.Struct, frozen=True, array_like=True):
    """Where the present quotes were computed: fair value in ticks, when, at which position."""

    fair: float = 0.0
    at: Nanos = Nanos(0)
    net: Lots = Lots(0)


class Symmetric(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters in lots, basis points of fair value, and nanoseconds."""

    order_size: Lots
    position_max: Lots
    half_spread_bps: float
    levels: int = 1
    level_spacing_bps: float = 1.0
    skew_bps: float = 0.0
    drift_bps: float = 1.0
    age_max: Nanos = Nanos(30_000_000_000)
    book_age_max: Nanos = Nanos(5_000_000_000)
    refresh: Nanos = Nanos(250_000_000)
    hedge_above: Lots = Lots(0)
    hedge_slippage_bps: float = 5.0
    fair: FairValue = FairValue.MID

    @property
    def wakes(self) -> Wakes:
        """A refresh timer, a drift of the mid, and whatever happens to own orders."""
        return Wakes(timer=self.refresh, mid_moved_bps=self.drift_bps, own_orders=True)

    def initial(self) -> Anchor:
        """No anchor yet."""
        return Anchor()

    def decide(self, view: MarketView, memory: Anchor) -> tuple[Wanted, Anchor]:
        """Quotes around the anchor, or the reason for none."""
        reason = self._unquotable(view)
        if reason is not None:
            return nothing(reason), Anchor()
        anchor = self._anchor(view, memory)
        take = self._hedge(view)
        bids, bid_reason = self._quoted(Side.BUY, anchor, view, take)
        asks, ask_reason = self._quoted(Side.SELL, anchor, view, take)
        wanted = Wanted(
            bids=bids, asks=asks, bid_reason=bid_reason, ask_reason=ask_reason, take=take
        )
        return wanted, anchor

    def _quoted(
        self, side: Side, anchor: Anchor, view: MarketView, take: Take | None
    ) -> tuple[tuple[Level, ...], NoQuoteReason]:
        """A side rests unless there is no room for it, or it would add to what a hedge takes."""
        room = self.position_max - side * view.position.net
        meant = self._side(side, anchor, view)
        fitting = tuple(self._fitting(meant, room, view.instrument))
        if room <= 0 or len(fitting) < min(1, len(meant)):
            return (), NoQuoteReason.POSITION_LIMIT
        if take is not None and take.side is side.other:
            return (), NoQuoteReason.HEDGING
        return fitting, NoQuoteReason.QUOTING

    def _fitting(
        self, levels: tuple[Level, ...], room: int, instrument: InstrumentDefined
    ) -> Iterator[Level]:
        """As much as the room takes, nearest level first, the last one smaller if need be."""
        for level in levels:
            size = Lots(min(level.size, room // instrument.size_step * instrument.size_step))
            if size < level.size and not _is_placeable(instrument, level.price, size):
                return
            yield Level(level.price, size)
            room -= size

    def _unquotable(self, view: MarketView) -> NoQuoteReason | None:
        book = view.book
        if not book.usable:
            return NoQuoteReason.NO_BOOK
        if not book.two_sided:
            return NoQuoteReason.ONE_SIDED_BOOK
        if book.crossed:
            return NoQuoteReason.CROSSED_BOOK
        if view.book_age > self.book_age_max:
            return NoQuoteReason.STALE_BOOK
        return None

    def _anchor(self, view: MarketView, memory: Anchor) -> Anchor:
        fair = fair_value(self.fair, view.book)
        held = (
            memory.fair > 0.0
            and memory.net == view.position.net
            and view.at - memory.at < self.age_max
            and abs(fair - memory.fair) < self.drift_bps * memory.fair / BPS
        )
        return memory if held else Anchor(fair, view.at, view.position.net)

    def reservation(self, anchor: Anchor) -> float:
        """Fair value shifted against the position, in fractional ticks."""
        share = anchor.net / self.position_max
        return anchor.fair * (1.0 - self.skew_bps * share / BPS)

    def _side(self, side: Side, anchor: Anchor, view: MarketView) -> tuple[Level, ...]:
        levels: list[Level] = []
        for level in range(self.levels):
            distance = self.half_spread_bps + level * self.level_spacing_bps
            apart = max(distance * anchor.fair / BPS, APART_MIN)
            exact = self.reservation(anchor) - side * apart
            price = passive(side, round_price(side, exact), view.book)
            if levels and (levels[-1].price - price) * side <= 0:
                price = Ticks(levels[-1].price - side)  # Levels never share a price.
            levels.append(Level(price, self.order_size))
        return tuple(level for level in levels if level.price > 0)

    def _hedge(self, view: MarketView) -> Take | None:
        """Beyond the threshold, an immediate trade back to half of it, no worse than slippage."""
        if not self.hedge_above or abs(view.position.net) <= self.hedge_above:
            return None
        side = Side.SELL if view.position.net > 0 else Side.BUY
        touch = view.book.bid if side is Side.SELL else view.book.ask
        worst = touch * (1.0 + side * self.hedge_slippage_bps / BPS)
        excess = Lots(abs(view.position.net) - self.hedge_above // 2)
        return Take(side, round_price(side, worst), excess)


def _is_placeable(instrument: InstrumentDefined, price: Ticks, size: Lots) -> bool:
    """Whether the venue takes an order as small as this."""
    if size < max(1, instrument.size_min):
        return False
    return instrument.notional(price, size) >= instrument.notional_min


def passive(side: Side, price: Ticks, book: Book) -> Ticks:
    """The price, moved back until it no longer crosses the touch."""
    if side is Side.BUY:
        return Ticks(min(price, book.ask - 1))
    return Ticks(max(price, book.bid + 1))
