"""Symmetric two-sided quoting around fair value, skewed by inventory.

Both sides stand `half_spread_bps` from the reservation price, further levels `level_spacing_bps`
apart. The reservation price is fair value shifted against the position: long lowers both quotes,
short raises both, by `skew_bps` at the maximum position. Quotes hold still while fair value stays
within `drift_bps` of where they were anchored and are younger than `age_max`; a change of position
anchors them anew. Prices round away from the market, never against us. What a side rests could
not, all of it filled, take the position past its maximum.
"""

from typing import Final

import msgspec

from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.session import NoQuoteReason
from mm.events.units import Lots, Nanos, Side, Ticks
from mm.strategy.base import Level, MarketView, Take, Wakes, Wanted, nothing, unquotable
from mm.strategy.fair_value import FairValue
from mm.strategy.rules import HEDGING, NO_ROOM, QUOTING, Anchored, Seen, Terms, anchored, symmetric

REASONS: Final = {
    QUOTING: NoQuoteReason.QUOTING,
    NO_ROOM: NoQuoteReason.POSITION_LIMIT,
    HEDGING: NoQuoteReason.HEDGING,
}


class Anchor(msgspec.Struct, frozen=True, array_like=True):
    """Where the present quotes were computed: fair value in ticks, when, at which position."""

    fair: float = 0.0
    at: Nanos = Nanos(0)
    net: Lots = Lots(0)


class Grid(msgspec.Struct, frozen=True, array_like=True):
    """What the venue takes: least size and step in lots, least notional as `bound` has it."""

    size_min: Lots = Lots(1)
    size_step: Lots = Lots(1)
    inverse: bool = False
    by: int = 1
    least: int = 0


def grid_of(instrument: InstrumentDefined) -> Grid:
    """The grid of an instrument."""
    by, least = instrument.bound(instrument.notional_min)
    inverse = instrument.kind is ContractKind.INVERSE
    return Grid(instrument.size_min, instrument.size_step, inverse, by, least)


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
    grid: Grid = Grid()

    @property
    def wakes(self) -> Wakes:
        """A refresh timer, a drift of the mid, and whatever happens to own orders."""
        return Wakes(timer=self.refresh, mid_moved_bps=self.drift_bps, own_orders=True)

    @property
    def rule(self) -> "Symmetric":
        """The parameters: another grid moves no anchor."""
        return msgspec.structs.replace(self, grid=Grid())

    @property
    def terms(self) -> Terms:
        """The parameters in the order that the rule has them."""
        grid, micro = self.grid, self.fair is FairValue.MICROPRICE
        sizes = (self.order_size, self.position_max, self.levels, self.age_max, self.hedge_above)
        venue = (grid.size_min, grid.size_step, int(grid.inverse), grid.by, grid.least)
        spreads = (self.half_spread_bps, self.level_spacing_bps, self.skew_bps)
        return Terms(
            (*sizes, int(micro), *venue), (*spreads, self.drift_bps, self.hedge_slippage_bps)
        )

    def initial(self) -> Anchor:
        """No anchor yet."""
        return Anchor()

    def decide(self, view: MarketView, memory: Anchor) -> tuple[Wanted, Anchor]:
        """Quotes around the anchor, or the reason for none."""
        reason = self._unquotable(view)
        if reason is not None:
            return nothing(reason), Anchor()
        book, terms = view.book, self.terms
        seen = Seen(view.at, book.bid, book.bid_size, book.ask, book.ask_size, view.position.net)
        before = Anchored(memory.fair, memory.at, memory.net)
        anchor = anchored(*terms, seen, before)
        bids, asks = [0] * (2 * self.levels), [0] * (2 * self.levels)
        sides = symmetric(*terms, seen, anchor, bids, asks)
        wanted = Wanted(
            bids=_levels(bids, sides.bids),
            asks=_levels(asks, sides.asks),
            bid_reason=REASONS[sides.bid_reason],
            ask_reason=REASONS[sides.ask_reason],
            take=_take(sides.take_sign, sides.take_price, sides.take_size),
        )
        if anchor is before:
            return wanted, memory
        return wanted, Anchor(anchor.fair, Nanos(anchor.at), Lots(anchor.net))

    def _unquotable(self, view: MarketView) -> NoQuoteReason | None:
        reason = unquotable(view)
        if reason is None and view.book_age > self.book_age_max:
            return NoQuoteReason.STALE_BOOK
        return reason


def _levels(flat: list[int], count: int) -> tuple[Level, ...]:
    return tuple(Level(Ticks(flat[2 * i]), Lots(flat[2 * i + 1])) for i in range(count))


def _take(sign: int, price: int, size: int) -> Take | None:
    return Take(Side(sign), Ticks(price), Lots(size)) if sign else None
