"""Who is at work, and what a fact means to them: settings, timers, wakes, parameters.

A session's start opens the posts anew, a definition opens one, a revision or a parameter refits
them: all of them or, when one cannot be fitted, none. Every other fact may wake desks; wakes are
latched here and answered by the engine at the turn's end, and so is the question whether all that
rests is somebody's: it is asked once the venue has said what rests.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from mm.engine.desk import Desk, Post
from mm.engine.parameters import changed, settings_in
from mm.engine.quoter import KEEPABLE
from mm.engine.risk import Risk
from mm.engine.settings import EngineSettings, encode_hook, limits_of, strategy_of
from mm.events.account import AccountDown, AccountReconciled
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedStale,
    FeedUp,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.orders import (
    AmendRejected,
    CancelRejected,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderResolved,
    OrderUncertain,
)
from mm.events.session import (
    ParameterChanged,
    SessionStarted,
    StopRequested,
    TimerFired,
    TradingHalted,
    TradingRearmed,
)
from mm.events.units import InstrumentId, Nanos, Seq
from mm.projections.base import Routes
from mm.projections.orders import Order
from mm.projections.state import State

_FEED: Final = (FeedUp, FeedDown, FeedGapped, FeedResynced, FeedStale)
_OWN: Final = (
    AmendRejected,
    OrderAcked,
    OrderRejected,
    OrderAmended,
    OrderCanceled,
    CancelRejected,
    OrderExpired,
    OrderFilled,
    OrderUncertain,
)


class Posts:
    """The posts of the present session, in the order in which they were opened."""

    def __init__(self, state: State) -> None:
        """Start without a session."""
        self.by_instrument: dict[InstrumentId, Post] = {}
        self.deadline: Nanos | None = None
        self.pull: tuple[str, Seq] | None = None
        self.review: Seq | None = None
        self._state = state
        self._settings: EngineSettings | None = None
        self.changes: list[tuple[ParameterChanged, Seq]] = []  # They wait for the turn's end.

    def desks(self) -> Iterator[tuple[Post, Desk]]:
        """Every desk with its post."""
        return ((post, desk) for post in self.by_instrument.values() for desk in post.desks)

    def due(self, at: Nanos) -> list[TimerFired]:
        """The timers due by `at`, in order of (deadline, name)."""
        due = sorted((desk.deadline, desk.name) for _, desk in self.desks())
        return [
            TimerFired(timer=name, deadline=deadline)
            for deadline, name in due
            if 0 < deadline <= at
        ]

    def wake_all(self, cause: Seq) -> None:
        """Ask every strategy at the turn's end."""
        for _, desk in self.desks():
            desk.wake(cause)

    def routes(self) -> Routes:
        """What facts mean for the desks, after the folds have moved."""
        return {
            SessionStarted: self._started,
            InstrumentDefined: self._defined,
            StopRequested: self._pulled,
            TradingHalted: self._pulled,
            TradingRearmed: self._rearmed,
            AccountReconciled: self._reconciled,
            AccountDown: self._unheard,
            ParameterChanged: self._parameter,
            TimerFired: self._fired,
            TradePrinted: self._printed,
            **dict.fromkeys((BookSnapshot, BookDelta, QuoteUpdated), self._looked),
            **dict.fromkeys(_FEED, self._unsettled),
            **dict.fromkeys(_OWN, self._own),
            OrderResolved: self._resolved,
        }

    def adopt(self, at: Nanos) -> None:
        """Parameters recorded in this turn take effect: it has been decided."""
        changes, self.changes = self.changes, []
        for change, cause in changes:
            assert self._settings is not None, "a parameter changed outside a session"
            self._refit(changed(self._settings, change.name, change.new), at)
            self.wake_all(cause)

    def dump(self) -> Any:
        """What the next decision depends on, beside the state: risk, desks and parameters."""
        posts = [
            (key, post.risk.dump(), [desk.dump() for desk in post.desks])
            for key, post in self.by_instrument.items()
        ]
        return posts, self.review, msgspec.to_builtins(self._settings, enc_hook=encode_hook)

    def orphans(self) -> list[Order]:
        """Live orders that no desk looks after: of a strategy or an instrument that is gone."""
        cared_for = {(post.instrument, desk.name) for post, desk in self.desks()}
        return [
            order
            for order in self._state.orders.live
            if (order.instrument, order.strategy) not in cared_for and order.status in KEEPABLE
        ]

    def forget(self) -> None:
        """A fault: nothing pending of this turn is carried on."""
        self.changes = []
        self.pull = self.review = None

    def _refit(self, settings: EngineSettings, at: Nanos) -> None:
        """Give every post the limits and strategies of these settings; raises before any has."""
        limits, strategies = [], []
        for post in self.by_instrument.values():
            instrument = self._state.ledger.instruments[post.instrument]
            limits.append((post, limits_of(settings.limits[instrument.name], instrument)))
            for desk in post.desks:
                chosen = settings.strategies[desk.name]
                strategies.append((desk, strategy_of(desk.name, chosen, instrument), chosen.amend))
        self._settings = settings
        for post, limit in limits:
            post.risk.limits = limit
        for desk, strategy, amend in strategies:
            desk.adopt(strategy, at, amend=amend)
        self._reschedule()

    def _started(self, event: SessionStarted, at: Nanos) -> None:
        self.by_instrument.clear()
        self.forget()
        self._settings = self.deadline = None
        self._settings = settings_in(event.config)
        for instrument in self._state.ledger.instruments.values():
            self._open(instrument, at)
        self._reschedule()

    def _defined(self, event: InstrumentDefined, at: Nanos) -> None:
        if event.instrument in self.by_instrument:
            assert self._settings is not None, "posts stand without a session"
            self._refit(self._settings, at)
        else:
            self._open(event, at)
            self._reschedule()

    def _open(self, instrument: InstrumentDefined, at: Nanos) -> None:
        """Put every strategy that quotes this instrument to work."""
        settings = self._settings
        if settings is None or instrument.name not in settings.limits:
            return
        limits = limits_of(settings.limits[instrument.name], instrument)
        post = Post(instrument.instrument, Risk(limits))
        for name, chosen in settings.strategies.items():
            if chosen.instrument == instrument.name:
                strategy = strategy_of(name, chosen, instrument)
                desk = Desk(name, chosen.wallet, strategy, amend=chosen.amend)
                desk.schedule(at)
                post.desks.append(desk)
        self.by_instrument[instrument.instrument] = post

    def _reschedule(self) -> None:
        due = [desk.deadline for _, desk in self.desks()]
        self.deadline = min((at for at in due if at), default=None)

    def _pulled(self, event: StopRequested | TradingHalted, _at: Nanos) -> None:
        self.pull = (event.reason or "pulled", self._state.events)

    def _rearmed(self, _event: TradingRearmed, _at: Nanos) -> None:
        self.wake_all(self._state.events)

    def _reconciled(self, _event: AccountReconciled, _at: Nanos) -> None:
        self.wake_all(self._state.events)
        self.review = self._state.events

    def _unheard(self, _event: AccountDown, _at: Nanos) -> None:
        self.wake_all(self._state.events)

    def _resolved(self, event: OrderResolved, at: Nanos) -> None:
        self._own(event, at)
        self.review = self._state.events

    def _parameter(self, event: ParameterChanged, _at: Nanos) -> None:
        self.changes.append((event, self._state.events))

    def _fired(self, event: TimerFired, at: Nanos) -> None:
        for post, desk in self.desks():
            if desk.name == event.timer:
                desk.rung(self._state.books.of(post.instrument), self._state.events)
                desk.schedule(at)
        self._reschedule()

    def _looked(self, event: BookSnapshot | BookDelta | QuoteUpdated, _at: Nanos) -> None:
        post = self.by_instrument.get(event.instrument)
        if post is not None:
            state = self._state
            book = state.books.of(event.instrument)
            for desk in post.desks:
                if not desk.cause:
                    desk.looked(book, state.events)
                    if desk.wakes.own_near_ticks is not None:
                        desk.approached(book, state.orders, event.instrument, state.events)

    def _printed(self, event: TradePrinted, _at: Nanos) -> None:
        post = self.by_instrument.get(event.instrument)
        for desk in post.desks if post is not None else ():
            desk.printed(self._state.events)

    def _unsettled(
        self, event: FeedUp | FeedDown | FeedGapped | FeedResynced | FeedStale, _at: Nanos
    ) -> None:
        post = self.by_instrument.get(event.instrument)
        for desk in post.desks if post is not None else ():
            desk.wake(self._state.events)

    def _own(self, event: Any, _at: Nanos) -> None:
        post = self.by_instrument.get(event.instrument)
        for desk in post.desks if post is not None else ():
            desk.told(self._state.events)
