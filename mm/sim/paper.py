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

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.errors import BadInput
from mm.events.account import BalanceReported, FundingPaid, PositionReported
from mm.events.base import MarketEvent
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
from mm.events.orders import CancelAll, PlaceOrder, RejectReason
from mm.events.units import INT64_MAX, InstrumentId, Nanos, OrderId
from mm.events.vocabulary import AccountFact, Intent, OrderFact
from mm.sim.account import Account
from mm.sim.clerk import Clerk, turned_away
from mm.sim.fees import EXACT
from mm.sim.funds import reservation
from mm.sim.latency import NEVER, Delays, Wire
from mm.sim.order import Closed, OrderReport, Standing
from mm.sim.settings import PaperSettings, validate
from mm.sim.trading import Chances, Make, Trading

Heard = OrderFact | AccountFact

PRICES: Final = frozenset(
    (BookSnapshot, BookDelta, QuoteUpdated, TradePrinted, MarkPublished, FundingPublished)
)
"""Events that carry the venue's time: what has come due by then is settled first."""
FEED: Final = frozenset((FeedDown, FeedGapped, FeedResynced))
"""Events of the feed itself; all others change nothing at the venue."""


class PaperVenue:
    """One paper account at one simulated venue; changes in place."""

    def __init__(self, settings: PaperSettings, seed: int, make: Make) -> None:
        """Open the account; raises `ConfigError` for settings that make no sense."""
        validate(settings)
        self._settings = settings
        self._make = make
        self._account = Account(settings.balances, settings.tiers, settings.volume)
        self._trading: dict[InstrumentId, Trading] = {}
        self._chances: list[Chances] = []
        self._closed = Closed(settings.closed_kept_max)
        self._delays = Delays(settings, seed)
        self._commands: Wire[Intent] = Wire("entry")
        self._responses: Wire[Heard] = Wire("response")
        self._now = Nanos(-INT64_MAX)
        self._ahead = 1 if settings.market == "venue" else 0

    def hear(self, at: Nanos, event: MarketEvent | InstrumentDefined) -> None:
        """A public event reaches us at log time `at`; what has arrived by then acts first."""
        self._act(Nanos(at - self._ahead))
        fact: Any = event
        kind: Any = type(fact)
        if kind in PRICES:
            trading = self.trading(fact.instrument)
            clerk = trading.clerk
            if clerk.funding.due <= (fact.venue_time or fact.received):
                clerk.settle(at, self._settings.wallet, trading.mid2)
            if kind is MarkPublished:
                clerk.mark = fact.price
            elif kind is FundingPublished:
                clerk.rate(fact)
            else:
                trading.hear(at, fact)
        elif kind is InstrumentDefined:
            self._define(fact)
        elif kind in FEED:
            self.trading(fact.instrument).hear(at, fact)

    def submit(self, at: Nanos, intent: Intent) -> None:
        """A command leaves us at log time `at`; those of one time arrive as time goes on."""
        if self._now < at:
            self._act(at)
        delay = self._delays.entry(at, self._commands.count(), intent)
        if delay >= 0:
            self._commands.put(self._commands.book(at + delay), intent)
        elif not isinstance(intent, CancelAll):
            arrival = self._responses.book(at - delay)
            self._responses.put(arrival, turned_away(arrival, intent))

    def due(self) -> Nanos | None:
        """When something happens at the venue of itself, or a response reaches us; None: never."""
        soonest = min(self.arrivals())
        return None if soonest == NEVER else soonest

    def arrivals(self) -> tuple[Nanos, Nanos]:
        """When the next command or taker reaches the venue, and the next response us, or NEVER."""
        takers = min((each.due() for each in self._chances), default=NEVER)
        return min(self._commands.due, takers), self._responses.due

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
            self._account.position(wallet, trading.clerk.instrument, at)
            for _, trading in sorted(self._trading.items())
            if trading.clerk.instrument is not None
        ]
        return [*self._account.balances(wallet, self._locked(), at), *positions]

    def open_orders(self) -> list[OrderReport]:
        """What is open at the venue now, by instrument, oldest first."""
        return [
            order.report(Standing.OPEN)
            for _, trading in sorted(self._trading.items())
            for order in trading.clerk.orders.values()
        ]

    def query(self, order_id: OrderId) -> OrderReport:
        """What the venue knows of an order now."""
        for trading in self._trading.values():
            order = trading.clerk.orders.get(order_id)
            if order is not None:
                return order.report(Standing.OPEN)
        known = self._closed.get(order_id)
        return known or OrderReport(order_id=order_id, standing=Standing.UNKNOWN)

    def restore(self, reports: Iterable[BalanceReported | PositionReported]) -> None:
        """Take over balances and positions that `report` gave in an earlier run."""
        self._account.restore(reports)
        for trading in self._trading.values():
            if trading.clerk.instrument is not None:
                self._account.define(trading.clerk.instrument)

    def trading(self, instrument: InstrumentId) -> Trading:
        """Where an instrument is traded; nothing is known of it before it was heard of."""
        trading = self._trading.get(instrument)
        if trading is None:
            clerk = Clerk(instrument, self._account, self._tell, self._closed.remember)
            trading = self._make(clerk, self._free if self._account.limited else None)
            self._trading[instrument] = trading
            if trading.chances is not None:
                self._chances.append(trading.chances)
        return trading

    def _define(self, event: InstrumentDefined) -> None:
        trading = self.trading(event.instrument)
        known = trading.clerk.instrument
        if known is not None and _steps(known) != _steps(event):
            raise BadInput(
                f"{event.name} changes its kind or its steps while it is traded",
                where=f"instrument {event.instrument}, revision {event.revision}",
                remedy="define it under a new id: lots and ticks of the old one keep their meaning",
            )
        trading.clerk.instrument = event
        trading.define(event)
        self._account.define(event)

    def _tell(self, at: Nanos, fact: Heard) -> None:
        """Send a fact on its way, with the balances it moved: what one says, both say or none.

        `received` becomes the time at which they reach us. What funding moved takes the least time
        there is: it holds no answer back, and orders fare as they would without it.
        """
        if isinstance(fact, FundingPaid):
            delay = self._delays.least
        else:
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
        trading = self.trading(intent.instrument)
        if isinstance(intent, PlaceOrder):
            reason = self._account_refuses(intent)
            if reason is not None:
                trading.clerk.reject(at, intent, *reason)
                return
        trading.command(at, intent)

    def _account_refuses(self, intent: PlaceOrder) -> tuple[RejectReason, str] | None:
        settings = self._settings
        if self.query(intent.order_id).standing is not Standing.UNKNOWN:
            return RejectReason.DUPLICATE_ID, "this order id was used before"
        if intent.wallet != settings.wallet:
            return RejectReason.NOT_PERMITTED, f"this account is wallet {settings.wallet}"
        if self._open_count() >= settings.open_orders_max:
            return RejectReason.NOT_PERMITTED, f"{settings.open_orders_max} orders are open"
        return None

    def _open_count(self) -> int:
        return sum(len(trading.clerk.orders) for trading in self._trading.values())

    def _locked(self) -> dict[str, Decimal]:
        locked: dict[str, Decimal] = {}
        for trading in self._trading.values():
            instrument = trading.clerk.instrument
            for order in trading.clerk.orders.values():
                assert instrument is not None, "it has an order"
                side, price = order.side, order.price
                asset, amount = reservation(instrument, side, price, order.leaves)
                if asset:
                    locked[asset] = EXACT.add(locked.get(asset, Decimal(0)), amount)
        return locked

    def _free(self, asset: str) -> Decimal:
        return EXACT.subtract(self._account.total(asset), self._locked().get(asset, Decimal(0)))


def _steps(instrument: InstrumentDefined) -> tuple[str, Decimal, Decimal, Decimal]:
    sizes = (instrument.tick_size, instrument.lot_size, instrument.multiplier)
    return (instrument.kind, *sizes)
