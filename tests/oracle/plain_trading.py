"""The plain venue: order by order and level by level, in dicts and lists, to be read and checked.

Nothing here is compiled. What the compiled venue does is held against it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from mm.events.base import Body, MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.orders import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from mm.events.units import InstrumentId, Nanos
from mm.events.vocabulary import Intent
from mm.sim.clerk import Clerk
from mm.sim.paper import PaperVenue
from mm.sim.queue_models import number_of
from mm.sim.settings import PaperSettings
from mm.sim.trading import Free
from tests.oracle.desk import Desk, cancel, cancel_all
from tests.oracle.matching import Make
from tests.oracle.pit import Pit, Rules
from tests.oracle.poisson import Poisson
from tests.oracle.shared import Shared
from tests.oracle.whole import Whole

EFFECTS: Final[dict[type[Body], Callable[[Pit, Nanos, Any], None]]] = {
    BookSnapshot: Pit.snapshot,
    BookDelta: Pit.delta,
    QuoteUpdated: Pit.quote,
    TradePrinted: Pit.trade,
    FeedDown: Pit.lost,
    FeedGapped: Pit.lost,
    FeedResynced: Pit.resynced,
}
"""What each event does; all others change nothing in a pit."""


class PlainTrading:
    """A pit, and the desk in front of it; see `Trading`."""

    def __init__(self, rules: Rules, clerk: Clerk, free: Free | None) -> None:
        """Open."""
        self.clerk = clerk
        self.pit = Pit(clerk, rules)
        self._desk = Desk(free)

    @property
    def chances(self) -> Poisson | None:
        """Who takes by chance."""
        matching = self.pit.matching
        return matching if isinstance(matching, Poisson) else None

    @property
    def mid2(self) -> int:
        """Twice the mid in ticks; 0 unless both sides are shown."""
        matching = self.pit.matching
        return matching.mid2 if isinstance(matching, Whole) else self.pit.book.mid2

    def define(self, instrument: InstrumentDefined) -> None:
        """Learn what is traded here."""
        self.pit.define(instrument)

    def hear(self, at: Nanos, event: MarketEvent) -> None:
        """A public event happens."""
        effect = EFFECTS.get(type(event))
        if effect is not None:
            effect(self.pit, at, event)

    def command(self, at: Nanos, intent: Intent) -> None:
        """A command arrives."""
        match intent:
            case PlaceOrder():
                self._desk.place(at, self.pit, intent)
            case AmendOrder():
                self._desk.amend(at, self.pit, intent)
            case CancelOrder():
                cancel(at, self.pit, intent)
            case CancelAll():
                cancel_all(at, self.pit)


def rules(settings: PaperSettings, seed: int) -> Rules:
    """What a pit needs to know of the settings."""
    matching: dict[str, Make] = {
        "shared": Shared,
        "whole": Whole,
        "poisson": partial(Poisson, arrivals=settings.arrivals, seed=seed),
    }
    return Rules(matching[settings.matching], number_of(settings.queue), settings.queue_power)


def plain_venue(settings: PaperSettings, seed: int) -> PaperVenue:
    """A paper account whose orders are matched in plain Python."""
    return PaperVenue(settings, seed, lambda *given: PlainTrading(rules(settings, seed), *given))


def pit_of(venue: PaperVenue, instrument: InstrumentId) -> Pit:
    """The pit of an instrument at a plain venue."""
    trading = venue.trading(instrument)
    assert isinstance(trading, PlainTrading), "this venue is not a plain one"
    return trading.pit
