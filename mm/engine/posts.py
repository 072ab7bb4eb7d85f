"""Who is at work, and what a fact means to them: settings, timers, wakes, parameters.

A session's start opens the posts anew, a definition opens one. Every other fact may wake desks;
wakes are latched here and answered by the engine at the turn's end.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from mm.engine.desk import Desk, Post
from mm.engine.parameters import changed, settings_in
from mm.engine.risk import Risk
from mm.engine.settings import EngineSettings, limits_of, strategy_of
from mm.events.base import Body
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedStale,
    QuoteUpdated,
)
from mm.events.orders import (
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
from mm.events.turn import Record
from mm.events.units import InstrumentId, Nanos, Seq
from mm.projections.state import State

Watch = Callable[[Any, Record], None]
_OWN: Final = (
    OrderAcked,
    OrderRejected,
    OrderAmended,
    OrderCanceled,
    CancelRejected,
    OrderExpired,
    OrderFilled,
    OrderUncertain,
    OrderResolved,
)


class Posts:
    """The posts of the present session, in the order in which they were opened."""

    def __init__(self, state: State) -> None:
        """Start without a session."""
        self.by_instrument: dict[InstrumentId, Post] = {}
        self.deadline: Nanos | None = None
        self.pull: tuple[str, Seq] | None = None
        self._state = state
        self._settings: EngineSettings | None = None
        self._changes: list[ParameterChanged] = []

    def desks(self) -> Iterator[tuple[Post, Desk]]:
        """Every desk with its post."""
        for post in self.by_instrument.values():
            for desk in post.desks:
                yield post, desk

    def due(self, at: Nanos) -> list[TimerFired]:
        """The timers due by `at`, in order of (deadline, name)."""
        if self.deadline is None or self.deadline > at:
            return []
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

    def watches(self) -> Mapping[type[Body], Watch]:
        """What facts mean for the desks, after the folds have moved."""
        return {
            SessionStarted: self._started,
            InstrumentDefined: self._defined,
            StopRequested: self._pulled,
            TradingHalted: self._pulled,
            TradingRearmed: self._rearmed,
            ParameterChanged: self._parameter,
            TimerFired: self._fired,
            **dict.fromkeys((BookSnapshot, BookDelta, QuoteUpdated), self._looked),
            **dict.fromkeys((FeedDown, FeedGapped, FeedResynced, FeedStale), self._unsettled),
            **dict.fromkeys(_OWN, self._own),
        }

    def adopt(self, at: Nanos) -> None:
        """Parameters recorded in this turn take effect: it has been decided."""
        for change in self._changes:
            assert self._settings is not None, "a parameter changed outside a session"
            self._settings = changed(self._settings, change.name, change.new)
            for post in self.by_instrument.values():
                self._adjust(post, self._settings, at)
        self._changes = []
        self._reschedule()

    @property
    def changing(self) -> bool:
        """Whether parameters wait for the turn's end."""
        return bool(self._changes)

    def forget(self) -> None:
        """A fault: nothing pending of this turn is carried on."""
        self._changes = []
        self.pull = None

    def _adjust(self, post: Post, settings: EngineSettings, at: Nanos) -> None:
        instrument = self._state.ledger.instruments[post.instrument]
        post.risk.limits = limits_of(settings.limits[instrument.name], instrument)
        for desk in post.desks:
            desk.adopt(strategy_of(desk.name, settings.strategies[desk.name], instrument), at)

    def _started(self, event: SessionStarted, record: Record) -> None:
        self._settings = settings_in(event.config)
        self.by_instrument.clear()
        self.forget()
        for instrument in self._state.ledger.instruments.values():
            self._open(instrument, record.at)
        self._reschedule()

    def _defined(self, event: InstrumentDefined, record: Record) -> None:
        self._open(event, record.at)
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

    def _pulled(self, event: StopRequested | TradingHalted, record: Record) -> None:
        self.pull = (event.reason or "pulled", record.number)

    def _rearmed(self, _event: TradingRearmed, record: Record) -> None:
        self.wake_all(record.number)

    def _parameter(self, event: ParameterChanged, record: Record) -> None:
        self._changes.append(event)
        self.wake_all(record.number)

    def _fired(self, event: TimerFired, record: Record) -> None:
        for _, desk in self.desks():
            if desk.name == event.timer:
                desk.wake(record.number)
                desk.schedule(record.at)
        self._reschedule()

    def _looked(self, event: BookSnapshot | BookDelta | QuoteUpdated, record: Record) -> None:
        post = self.by_instrument.get(event.instrument)
        if post is not None:
            book = self._state.books.of(event.instrument)
            for desk in post.desks:
                desk.looked(book, record.number)

    def _unsettled(
        self, event: FeedDown | FeedGapped | FeedResynced | FeedStale, record: Record
    ) -> None:
        post = self.by_instrument.get(event.instrument)
        for desk in post.desks if post is not None else ():
            desk.wake(record.number)

    def _own(self, event: Any, record: Record) -> None:
        post = self.by_instrument.get(event.instrument)
        for desk in post.desks if post is not None else ():
            if desk.wakes.own_orders:
                desk.wake(record.number)
