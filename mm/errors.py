"""Everything outside us that can fail, as one tree; each error says what, where and what to do.

    MmError
    ├── ConfigError         2   a config or command line we refuse to run with
    ├── BadInput            3   data handed to us is not what it claims to be
    │   ├── MalformedLine           a line of a file that cannot be parsed
    │   ├── OffTick                 a price that is no multiple of the tick size
    │   ├── OffLot                  a size that is no multiple of the lot size
    │   ├── UnknownTag              an event whose tag this version has never heard of
    │   ├── NewerVersion            data written by a later version of mm
    │   ├── DecodeError             bytes that are not an event, a turn or a recording
    │   ├── CrossedBook             a bid at or above an ask
    │   └── FeedGap                 updates are missing between two we have
    ├── LogError            4   the log cannot be trusted or cannot be reached
    │   ├── LogDamaged              what is stored is not what was acknowledged
    │   │   ├── ChainBroken             a turn does not name the hash of the one before
    │   │   ├── TailLost                acknowledged turns are missing at the end
    │   │   └── SequenceHole            a turn is missing in the middle
    │   ├── LogUnavailable          no acknowledgement within the time allowed
    │   │   ├── ServerMissing           no nats-server program, or none answers
    │   │   └── LoginRefused            the server or we ourselves refuse to log in
    │   ├── LogFull                 the stream has reached its limit and refuses turns
    │   ├── WriterFenced            someone else wrote: our appends are refused
    │   ├── StreamMismatch          the server's settings are not those of streams.yaml
    │   ├── ServerTooOld            the server lacks what the log relies on
    │   ├── ServerPortTaken         the port asked for is in use
    │   ├── JetStreamDisabled       the server runs without JetStream
    │   ├── DiskTooSmall            too little free space to start
    │   └── StoreLocked             another process uses this store directory
    ├── SessionError        3   a session that cannot be found, resumed or compared
    │   ├── ReplayDiverged  1   recomputed decisions differ from the recorded ones
    │   └── TrialsFailed    1   of a sweep; the others are finished
    ├── QueryError          2   a question in SQL that cannot be answered
    ├── VenueError          5   a venue failed us, as opposed to saying no
    │   ├── VenueUnavailable        it does not answer, or is under maintenance
    │   └── VenueRefused            it will not talk to us: credentials, address, permission
    ├── TradingStopped      6   trading is halted and a person has to re-arm it
    └── Interrupted         130 the operator pressed Ctrl-C

Exit codes are stable: 0 all is well, 1 a check found a difference, 2 usage or config, 3 bad input
data, 4 log damaged or unavailable, 5 venue, 6 halted, 130 interrupted. A message never holds a
secret. Our own bugs are assertions and belong to no branch of this tree.
"""

from __future__ import annotations

from typing import ClassVar


class MmError(Exception):
    """Something outside us failed: what it was, where it was, and what to do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        """Keep the three parts apart, so that a table or JSON can show them so."""
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        """Render the parts as one message: `what. where: … Do: …`."""
        parts = [self.what]
        if self.where:
            parts.append(f"where: {self.where}")
        if self.remedy:
            parts.append(f"Do: {self.remedy}")
        return ". ".join(part.removesuffix(".") for part in parts)

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling, since sweeps run in worker processes."""
        return _rebuild, (type(self), self.what, self.where, self.remedy)


def _rebuild(kind: type[MmError], what: str, where: str, remedy: str) -> MmError:
    return kind(what, where=where, remedy=remedy)


class ConfigError(MmError):
    """The config or the command line asks for something we refuse to run with."""

    exit_code = 2


class BadInput(MmError):
    """Data handed to us is not what it claims to be."""

    exit_code = 3


class MalformedLine(BadInput):
    """A line of a file cannot be parsed."""


class OffTick(BadInput):
    """A price is no multiple of the instrument's tick size."""


class OffLot(BadInput):
    """A size is no multiple of the instrument's lot size."""


class UnknownTag(BadInput):
    """An event carries a tag that this version has never heard of."""


class NewerVersion(BadInput):
    """The data was written by a later version of mm."""


class DecodeError(BadInput):
    """The bytes are not an event, a turn or a recording."""


class CrossedBook(BadInput):
    """A bid stands at or above an ask."""


class FeedGap(BadInput):
    """Updates are missing between two that we have."""


class LogError(MmError):
    """The log cannot be trusted or cannot be reached."""

    exit_code = 4


class LogDamaged(LogError):
    """What is stored is not what was acknowledged."""


class ChainBroken(LogDamaged):
    """A turn does not name the hash of the turn before it."""


class TailLost(LogDamaged):
    """Turns that were acknowledged are missing at the end."""


class SequenceHole(LogDamaged):
    """A turn is missing in the middle."""


class LogUnavailable(LogError):
    """The log gave no acknowledgement within the time allowed."""


class ServerMissing(LogUnavailable):
    """There is no nats-server program, or none answers."""


class LoginRefused(LogUnavailable):
    """The server refuses our credentials, or we refuse to send them to it."""


class LogFull(LogError):
    """The stream has reached its limit and refuses turns."""


class WriterFenced(LogError):
    """Someone else wrote to our log, so that our appends are refused."""


class StreamMismatch(LogError):
    """The server's stream settings are not those of streams.yaml."""


class ServerTooOld(LogError):
    """The server lacks what the log relies on."""


class ServerPortTaken(LogError):
    """The port asked for is in use."""


class JetStreamDisabled(LogError):
    """The server runs without JetStream."""


class DiskTooSmall(LogError):
    """There is too little free space to start."""


class StoreLocked(LogError):
    """Another process uses this store directory."""


class SessionError(MmError):
    """A session cannot be found, resumed or compared."""

    exit_code = 3


class ReplayDiverged(SessionError):
    """Recomputed decisions differ from the recorded ones."""

    exit_code = 1


class TrialsFailed(SessionError):
    """Trials of a sweep failed; the others are finished and written down."""

    exit_code = 1


class QueryError(MmError):
    """A question in SQL cannot be answered: its grammar, a view or a column is wrong."""

    exit_code = 2


class VenueError(MmError):
    """A venue failed us, as opposed to saying no."""

    exit_code = 5


class VenueUnavailable(VenueError):
    """The venue does not answer, or is under maintenance."""


class VenueRefused(VenueError):
    """The venue will not talk to us: credentials, address or permission."""


class TradingStopped(MmError):
    """Trading is halted, and a person has to re-arm it."""

    exit_code = 6


class Interrupted(MmError):
    """The operator pressed Ctrl-C."""

    exit_code = 130
