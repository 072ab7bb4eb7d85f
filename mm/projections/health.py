"""Whether we may trade: halts, stops, faults, reconciliation, feeds.

Each session starts unreconciled: nothing is quoted until the venue was asked about orders and
positions, nor while nobody hears what becomes of them. A halt survives the session; only a
person's recorded command lifts it.
"""

from typing import Any, Final

from mm.events.account import AccountDown, AccountReconciled
from mm.events.market import FeedDown, FeedGapped, FeedResynced, FeedStale, FeedUp
from mm.events.session import (
    EngineFaulted,
    SessionEnded,
    SessionStarted,
    StopRequested,
    TradingHalted,
    TradingRearmed,
)
from mm.events.units import InstrumentId, Nanos
from mm.projections.base import Routes


class Health:
    """Flags that gate quoting, and counters of what went wrong."""

    name: Final = "health"

    def __init__(self) -> None:
        """Start outside any session."""
        self.session = ""
        self.halted = ""
        self.stopping = False
        self.reconciled = False
        self.down: dict[tuple[InstrumentId, str], str] = {}
        self.gaps = 0
        self.stales = 0
        self.faults = 0

    def routes(self) -> Routes:
        """Session, control and feed events by type."""
        return {
            SessionStarted: self._started,
            SessionEnded: self._ended,
            StopRequested: self._stop,
            TradingHalted: self._halted,
            TradingRearmed: self._rearmed,
            EngineFaulted: self._faulted,
            AccountReconciled: self._reconciled,
            AccountDown: self._unheard,
            FeedUp: self._up,
            FeedDown: self._down,
            FeedGapped: self._gapped,
            FeedResynced: self._resynced,
            FeedStale: self._stale,
        }

    def feed_down(self, instrument: InstrumentId) -> bool:
        """Whether any channel of the instrument is down."""
        return any(key[0] == instrument for key in self.down)

    def _started(self, event: SessionStarted, _at: Nanos) -> None:
        self.session = event.session
        self.stopping = False
        self.reconciled = False
        self.down.clear()

    def _ended(self, _event: SessionEnded, _at: Nanos) -> None:
        self.session = ""

    def _stop(self, _event: StopRequested, _at: Nanos) -> None:
        self.stopping = True

    def _halted(self, event: TradingHalted, _at: Nanos) -> None:
        self.halted = event.reason or "halted"

    def _rearmed(self, _event: TradingRearmed, _at: Nanos) -> None:
        self.halted = ""

    def _faulted(self, _event: EngineFaulted, _at: Nanos) -> None:
        self.faults += 1

    def _reconciled(self, _event: AccountReconciled, _at: Nanos) -> None:
        self.reconciled = True

    def _unheard(self, _event: AccountDown, _at: Nanos) -> None:
        self.reconciled = False

    def _up(self, event: FeedUp, _at: Nanos) -> None:
        self.down.pop((event.instrument, event.channel), None)

    def _down(self, event: FeedDown, _at: Nanos) -> None:
        self.down[event.instrument, event.channel] = event.reason

    def _gapped(self, _event: FeedGapped, _at: Nanos) -> None:
        self.gaps += 1

    def _resynced(self, _event: FeedResynced, _at: Nanos) -> None:
        pass  # The book itself knows that it is whole again.

    def _stale(self, _event: FeedStale, _at: Nanos) -> None:
        self.stales += 1

    def dump(self) -> Any:
        """Flags and counters."""
        return (
            [self.session, self.halted, self.stopping, self.reconciled],
            [(*key, reason) for key, reason in self.down.items()],
            [self.gaps, self.stales, self.faults],
        )

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        flags, down, counters = dumped
        self.session, self.halted, self.stopping, self.reconciled = flags
        self.down = {(instrument, channel): reason for instrument, channel, reason in down}
        self.gaps, self.stales, self.faults = counters
