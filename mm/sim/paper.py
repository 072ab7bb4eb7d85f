"""The simulated venue, order by order: commands in, market events in, what reaches us out.

A command that leaves us at `sent` acts at the venue one entry latency later, and what the venue
says reaches us one response latency after it happened; neither overtakes what went before. All of
it is a function of the settings, the seed and the calls, in their order. The public feed is taken
to be the venue's state when we receive it: there is no second, earlier book at the venue.

The caller plays time forward: `hear` every public event at its log time, `submit` intents when
they are sent, and ask `advance` for what has reached us by a time; `due` says when it is worth
asking. Commands that reach the venue at the very time of an event act before it; but after it where
public events are played at the venue's own time, ahead of what we hear (`market` = "venue").
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from mm.errors import BadInput
from mm.events.account import BalanceReported, PositionReported
from mm.events.base import Body, MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FundingPublished,
    MarkPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.orders import AmendOrder, CancelAll, CancelOrder, PlaceOrder, RejectReason
from mm.events.units import INT64_MAX, InstrumentId, Nanos, OrderId
from mm.events.vocabulary import AccountFact, Intent, OrderFact
from mm.sim.account import Account
from mm.sim.desk import Desk, cancel, cancel_all, reject, turned_away
from mm.sim.fees import EXACT
from mm.sim.funds import reservation
from mm.sim.latency import NEVER, Delays, Wire
from mm.sim.matching import Make
from mm.sim.order import Closed, OrderReport, Standing
from mm.sim.pit import Pit, Rules
from mm.sim.poisson import Poisson
from mm.sim.queue_models import number_of
from mm.sim.settings import PaperSettings, validate
from mm.sim.shared import Shared
from mm.sim.whole import Whole

Heard = OrderFact | AccountFact
Effect = Callable[[Pit, Nanos, Any], None]

PRICES: Final[dict[type[Body], Effect]] = {
    BookSnapshot: Pit.snapshot,
    BookDelta: Pit.delta,
    QuoteUpdated: Pit.quote,
    TradePrinted: Pit.trade,
    MarkPublished: Pit.marked,
    FundingPublished: Pit.rated,
}
"""What each event that carries the venue's time does."""
FEED: Final[dict[type[Body], Effect]] = {
    FeedDown: Pit.lost,
    FeedGapped: Pit.lost,
    FeedResynced: Pit.resynced,
}
"""What each event of the feed itself does; all others change nothing at the venue."""


def rules(settings: PaperSettings, seed: int) -> Rules:
    """What a pit needs to know of the settings."""
    matching: dict[str, Make] = {
        "shared": Shared,
        "whole": Whole,
        "poisson": partial(Poisson, arrivals=settings.arrivals, seed=seed),
    }
    return Rules(matching[settings.matching], number_of(settings.queue), settings.queue_power)


class PaperVenue:
    """One paper account at one simulated venue; changes in place."""

    def __init__(self, settings: PaperSettings, seed: int) -> None:
        """Open the account; raises `ConfigError` for settings that make no sense."""
        validate(settings)
        self._settings = settings
        self._rules = rules(settings, seed)
        self._account = Account(settings.balances)
        self._pits: dict[InstrumentId, Pit] = {}
        self._chances: list[Poisson] = []
        self._closed = Closed(settings.closed_kept_max)
        self._delays = Delays(settings, seed)
        self._commands: Wire[Intent] = Wire("entry")
        self._responses: Wire[Heard] = Wire("response")
        self._now = Nanos(-INT64_MAX)
        self._ahead = 1 if settings.market == "venue" else 0
        self._desk = Desk(self._free if self._account.limited else None)

    def hear(self, at: Nanos, event: MarketEvent | InstrumentDefined) -> None:
        """A public event reaches us at log time `at`; what has arrived by then acts first."""
        self._act(Nanos(at - self._ahead))
        fact: Any = event
        effect = PRICES.get(type(fact))
        if effect is not None:
            pit = self._pit(fact.instrument)
            if pit.funding.due <= (fact.venue_time or fact.received):
                pit.settle(at, self._settings.wallet)
            effect(pit, at, fact)
        elif isinstance(event, InstrumentDefined):
            self._define(event)
        elif type(fact) in FEED:
            FEED[type(fact)](self._pit(fact.instrument), at, fact)

    def submit(self, at: Nanos, intent: Intent) -> None:
        """A command leaves us at log time `at`."""
        self._act(at)
        delay = self._delays.entry(at, self._commands.count(), intent)
        if delay >= 0:
            self._commands.put(self._commands.book(at + delay), intent)
        elif not isinstance(intent, CancelAll):
            arrival = self._responses.book(at - delay)
            self._responses.put(arrival, turned_away(arrival, intent))

    def due(self) -> Nanos | None:
        """When the next command reaches the venue, or the next response us; None: nothing will."""
        soonest = min(self._commands.due, self._responses.due)
        return None if soonest == NEVER else soonest

    def arrivals(self) -> tuple[Nanos, Nanos]:
        """When the next command reaches the venue, and the next response us; NEVER if none does."""
        return self._commands.due, self._responses.due

    def heard(self, by: Nanos) -> list[Heard]:
        """What is under way to us and arrives by `by`; time does not pass at the venue."""
        return [fact for _, fact in self._responses.take(by)]

    def advance(self, to: Nanos) -> list[Heard]:
        """Everything that reaches us by `to`, in the order it does."""
        self._act(to)
        return self.heard(to)

    def report(self, at: Nanos) -> list[AccountFact]:
        """Balances by asset, then positions by instrument, as the venue has them now."""
        self._act(at)
        wallet = self._settings.wallet
        positions = [
            self._account.position(wallet, pit.instrument, at)
            for _, pit in sorted(self._pits.items())
            if pit.instrument is not None
        ]
        return [*self._account.balances(wallet, self._locked(), at), *positions]

    def open_orders(self) -> list[OrderReport]:
        """What is open at the venue now, by instrument, oldest first."""
        return [
            order.report(Standing.OPEN)
            for _, pit in sorted(self._pits.items())
            for order in pit.orders.values()
        ]

    def query(self, order_id: OrderId) -> OrderReport:
        """What the venue knows of an order now."""
        for pit in self._pits.values():
            if order_id in pit.orders:
                return pit.orders[order_id].report(Standing.OPEN)
        known = self._closed.get(order_id)
        return known or OrderReport(order_id=order_id, standing=Standing.UNKNOWN)

    def restore(self, reports: Iterable[BalanceReported | PositionReported]) -> None:
        """Take over balances and positions that `report` gave in an earlier run."""
        self._account.restore(reports)
        for pit in self._pits.values():
            if pit.instrument is not None:
                self._account.define(pit.instrument)

    def _pit(self, instrument: InstrumentId) -> Pit:
        pit = self._pits.get(instrument)
        if pit is None:
            pit = Pit(instrument, self._account, self._rules, self._tell, self._closed.remember)
            self._pits[instrument] = pit
            if isinstance(pit.matching, Poisson):
                self._chances.append(pit.matching)
        return pit

    def _define(self, event: InstrumentDefined) -> None:
        pit = self._pit(event.instrument)
        known = pit.instrument
        if known is not None and _steps(known) != _steps(event):
            raise BadInput(
                f"{event.name} changes its kind or its steps while it is traded",
                where=f"instrument {event.instrument}, revision {event.revision}",
                remedy="define it under a new id: lots and ticks of the old one keep their meaning",
            )
        pit.define(event)
        self._account.define(event)

    def _tell(self, at: Nanos, fact: Heard) -> None:
        """Send a fact on its way, with the balances it moved: what one says, both say or none.

        `received` becomes the time at which they reach us.
        """
        delay = self._delays.response(at, self._responses.count())
        arrival = self._responses.book(at + delay)
        self._responses.put(arrival, msgspec.structs.replace(fact, received=arrival))
        moved = self._account.moved()
        if moved:
            wallet, locked = self._settings.wallet, self._locked()
            for told in self._account.balances(wallet, locked, at, moved):
                self._responses.put(arrival, msgspec.structs.replace(told, received=arrival))

    def _act(self, by: Nanos) -> None:
        """Let time pass: commands that reach the venue by then take effect."""
        assert by >= self._now, f"time runs back for the venue: {self._now} then {by}"
        self._now = by
        if self._chances:
            self._take_steps(by)
        if self._commands.due > by:
            return
        for arrival, intent in self._commands.take(by):
            self._command(arrival, intent)

    def _take_steps(self, by: Nanos) -> None:
        """Takers that are drawn come at the end of each step, after the commands of that time."""
        while True:
            until = Nanos(min(by, self._commands.due - 1))
            while (end := min(each.due() for each in self._chances)) <= until:
                for each in self._chances:
                    each.arrive(end)
            for each in self._chances:
                each.skip(until)
            if self._commands.due > by:
                return
            for arrival, intent in self._commands.take(self._commands.due):
                self._command(arrival, intent)

    def _command(self, at: Nanos, intent: Intent) -> None:
        pit = self._pit(intent.instrument)
        match intent:
            case PlaceOrder():
                self._place(at, pit, intent)
            case AmendOrder():
                self._desk.amend(at, pit, intent)
            case CancelOrder():
                cancel(at, pit, intent)
            case CancelAll():
                cancel_all(at, pit)

    def _place(self, at: Nanos, pit: Pit, intent: PlaceOrder) -> None:
        reason = self._account_refuses(intent)
        if reason is not None:
            reject(at, pit, intent, *reason)
        else:
            self._desk.place(at, pit, intent)

    def _account_refuses(self, intent: PlaceOrder) -> tuple[RejectReason, str] | None:
        settings = self._settings
        if self.query(intent.order_id).standing is not Standing.UNKNOWN:
            return RejectReason.DUPLICATE_ID, "this order id was used before"
        if intent.wallet != settings.wallet:
            return RejectReason.NOT_PERMITTED, f"this account is wallet {settings.wallet}"
        if sum(len(pit.orders) for pit in self._pits.values()) >= settings.open_orders_max:
            return RejectReason.NOT_PERMITTED, f"{settings.open_orders_max} orders are open"
        return None

    def _locked(self) -> dict[str, Decimal]:
        locked: dict[str, Decimal] = {}
        for pit in self._pits.values():
            for order in pit.orders.values():
                assert pit.instrument is not None, "it has an order"
                side, price = order.side, order.price
                asset, amount = reservation(pit.instrument, side, price, order.leaves)
                if asset:
                    locked[asset] = EXACT.add(locked.get(asset, Decimal(0)), amount)
        return locked

    def _free(self, asset: str) -> Decimal:
        return EXACT.subtract(self._account.total(asset), self._locked().get(asset, Decimal(0)))


def _steps(instrument: InstrumentDefined) -> tuple[str, Decimal, Decimal, Decimal]:
    sizes = (instrument.tick_size, instrument.lot_size, instrument.multiplier)
    return (instrument.kind, *sizes)
