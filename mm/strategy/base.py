"""What a strategy is given, what it returns, and what wakes it.

A strategy is a frozen struct of parameters. Woken, it maps a read-only view and its own explicit
memory to the quotes it wants, or to the reason for none, and to its next memory. It never places
an order, reads no clock and keeps nothing to itself: the memory is digested and part of snapshots.
"""

from typing import Any, Final, Protocol

import msgspec

from mm.errors import ConfigError, TradingStopped
from mm.events.instrument import InstrumentDefined
from mm.events.session import NoQuoteReason
from mm.events.units import INT64_MAX, Lots, Nanos, Side, Ticks
from mm.projections.book import Book
from mm.projections.position import Position

NEAR_MAX: Final = 10**9
"""Ticks from the best price that anybody can mean."""


class Wakes(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy asks to be woken for; wakes are latched and answered at a turn's end.

    `timer` is a period (0: none) on a grid of log time; `mid_moved_bps` is the distance of the
    mid from where it was when the strategy was last asked (0: not watched). With `when_changed` the
    timer asks only if the touch or an own order changed since: for rules that would say the same.
    `every_event` asks at the end of each turn in which a price was heard: depth, quote or print.

    `own_near_ticks` asks when the market comes near a quote of its own (None: not watched): when
    the best price shown on that quote's side, which was further away, comes to within so many ticks
    of it (0: to its very price) or falls behind it. It asks as that happens, not while it lasts,
    and again only once the best price was further away in between. Only the market's moves count: a
    quote placed or amended to near the best asks nothing, nor does one whose cancel is under way or
    which is uncertain. A side that shows nothing is far away from all quotes. Every change of the
    book is looked at; what moves between the wake and the turn's end is known to whoever is asked.
    """

    timer: Nanos = Nanos(0)
    mid_moved_bps: float = 0.0
    top_changed: bool = False
    own_orders: bool = True
    when_changed: bool = False
    every_event: bool = False
    own_near_ticks: int | None = None

    def __post_init__(self) -> None:
        """Refuse a distance that nobody can mean; raises `ConfigError`."""
        near = self.own_near_ticks
        if near is not None and not 0 <= near <= NEAR_MAX:
            raise ConfigError(
                f"own_near_ticks = {near} must be at least 0 and at most {NEAR_MAX}",
                where="the wakes of a strategy",
                remedy="correct it, or write None to watch nothing",
            )


class MarketView(msgspec.Struct, frozen=True, gc=False):
    """What a strategy may look at: settled state at the end of a turn."""

    at: Nanos
    instrument: InstrumentDefined
    book: Book
    position: Position

    @property
    def book_age(self) -> Nanos:
        """Log time since the book last changed."""
        return Nanos(self.at - self.book.updated)


class Level(msgspec.Struct, frozen=True, gc=False):
    """One price and size to rest at."""

    price: Ticks
    size: Lots


class Take(msgspec.Struct, frozen=True, gc=False):
    """An immediate trade, no worse than `price`: a hedge."""

    side: Side
    price: Ticks
    size: Lots


class Wanted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The quotes a strategy wants now; an empty side says why."""

    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    bid_reason: NoQuoteReason = NoQuoteReason.QUOTING
    ask_reason: NoQuoteReason = NoQuoteReason.QUOTING
    take: Take | None = None
    detail: str = ""


def nothing(reason: NoQuoteReason, detail: str = "") -> Wanted:
    """No quote on either side, and why."""
    return Wanted(bid_reason=reason, ask_reason=reason, detail=detail)


def unquotable(view: MarketView) -> NoQuoteReason | None:
    """Why there is no book to quote from, or None where there is."""
    book = view.book
    if not book.usable:
        return NoQuoteReason.NO_BOOK
    if not book.two_sided:
        return NoQuoteReason.ONE_SIDED_BOOK
    return NoQuoteReason.CROSSED_BOOK if book.crossed else None


def require_wanted(name: str, wanted: Any) -> Wanted:
    """What the strategy of a name wants; raises `TradingStopped` where no order can be made of it.

    Prices and sizes are plain integers of 64 bits, as the log and the pass hold them: what else
    looks like one, a float or a number of numpy's, would be found out only there.
    """
    if not isinstance(wanted, Wanted):
        raise _impossible(name, type(wanted).__name__, "not Wanted")
    for levels in (wanted.bids, wanted.asks):
        if not isinstance(levels, tuple | list):
            raise _impossible(name, f"levels {levels!r}", "not a tuple of Level")
        for level in levels:
            if not isinstance(level, Level):
                raise _impossible(name, f"the level {level!r}", "not a Level")
            _require_whole(name, level)
    if wanted.take is not None:
        if not isinstance(wanted.take, Take) or not isinstance(wanted.take.side, Side):
            raise _impossible(name, f"to take {wanted.take!r}", "not a Take of a Side")
        _require_whole(name, wanted.take)
    return wanted


def _require_whole(name: str, what: Level | Take) -> None:
    for word, number in (("price", what.price), ("size", what.size)):
        if type(number) is not int or not -INT64_MAX <= number <= INT64_MAX:
            raise _impossible(name, f"a {word} of {number!r}", "not an int of 64 bits")


def _impossible(name: str, what: str, instead: str) -> TradingStopped:
    return TradingStopped(
        f"strategy {name} wants {what}, {instead}",
        remedy="return from `decide` what mm/strategy/base.py says",
    )


class Strategy(Protocol):
    """A rule for one instrument; two runs of it on equal input give equal output."""

    @property
    def wakes(self) -> Wakes:
        """What it asks to be woken for."""
        ...

    @property
    def rule(self) -> Any:
        """All that its memory depends on; what compares equal to it may go on with that memory."""
        ...

    def initial(self) -> Any:
        """Its memory before it was ever asked: plain, serialisable values."""
        ...

    def decide(self, view: MarketView, memory: Any) -> tuple[Wanted, Any]:
        """What it wants on this view, and its memory afterwards."""
        ...
