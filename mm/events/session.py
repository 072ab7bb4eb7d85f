"""The life of a session: start, timers, commands, halts, faults, end."""

from enum import StrEnum

from mm.events.base import Body, MarketEvent
from mm.events.units import InstrumentId, Nanos, Seq


class NoQuoteReason(StrEnum):
    """Why a strategy does not quote a side now."""

    QUOTING = "quoting"
    NO_BOOK = "no_book"
    ONE_SIDED_BOOK = "one_sided_book"
    CROSSED_BOOK = "crossed_book"
    STALE_BOOK = "stale_book"
    FEED_DOWN = "feed_down"
    POSITION_LIMIT = "position_limit"
    HALTED = "halted"
    STOPPING = "stopping"
    WARMING_UP = "warming_up"
    RECONCILING = "reconciling"
    UNCERTAIN_ORDER = "uncertain_order"
    HEDGING = "hedging"
    REFUSED = "refused"


class SessionStarted(Body, frozen=True, kw_only=True, gc=False, tag="session.started"):
    """One run of the engine began; everything needed to replay it is here or follows on the log.

    `config` is the effective configuration as JSON without secrets, `config_hash` its SHA-256.
    `wall_time` is the wall clock; the log's own time starts at the turn's `at`.
    """

    session: str
    desk: str
    mode: str
    code_version: str
    config: str
    config_hash: str
    seed: int
    wall_time: Nanos
    python: str = ""


class SessionEnded(Body, frozen=True, kw_only=True, gc=False, tag="session.ended"):
    """The run ended in an orderly way; a log without it was cut off."""

    session: str
    reason: str
    wall_time: Nanos


class TimerFired(MarketEvent, frozen=True, kw_only=True, gc=False, tag="timer"):
    """A deadline of the engine passed; timers stand first in their turn."""

    timer: str
    deadline: Nanos


class ClockStepped(Body, frozen=True, kw_only=True, gc=False, tag="clock.stepped"):
    """The wall clock moved against the monotonic one by `offset`; log time did not."""

    offset: Nanos
    wall_time: Nanos


class ParameterChanged(Body, frozen=True, kw_only=True, gc=False, tag="parameter.changed"):
    """A person changed a parameter; it takes effect at the end of this turn."""

    who: str
    name: str
    old: str
    new: str


class TradingHalted(Body, frozen=True, kw_only=True, gc=False, tag="trading.halted"):
    """No order may be placed until a person re-arms; a fact when commanded, else a decision."""

    who: str
    reason: str
    cause: Seq = Seq(0)


class TradingRearmed(Body, frozen=True, kw_only=True, gc=False, tag="trading.rearmed"):
    """A person lifted the halt."""

    who: str
    reason: str


class StopRequested(Body, frozen=True, kw_only=True, gc=False, tag="stop.requested"):
    """The session is to end: stop quoting, cancel everything, verify, flush."""

    who: str
    reason: str


class NoteTaken(Body, frozen=True, kw_only=True, gc=False, tag="note"):
    """A person's remark."""

    who: str
    text: str


class QuotingReasonChanged(Body, frozen=True, kw_only=True, gc=False, tag="quoting.reason"):
    """From here on, this is why the strategy does or does not quote; only changes are recorded."""

    instrument: InstrumentId
    strategy: str
    bid: NoQuoteReason
    ask: NoQuoteReason
    cause: Seq
    detail: str = ""


class EngineFaulted(Body, frozen=True, kw_only=True, gc=False, tag="engine.faulted"):
    """Our own code raised while stepping over this turn's facts; trading halts.

    `error` is the exception's type and text, `where` the innermost frame, without values.
    """

    error: str
    where: str
    cause: Seq
