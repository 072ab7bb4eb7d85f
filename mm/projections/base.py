"""What every fold is: handlers by event type, a dump that determines it, and a digest of that.

A fold handles only the types it names; the table of handlers replaces a chain of comparisons on
the hot path. `dump` is canonical: two folds are equal exactly when their dumps are, `load` restores
what `dump` gave. Nothing in a fold reads a clock, a file or a random number.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from mm.events.base import Body
from mm.events.units import Nanos

Handler = Callable[[Any, Nanos], None]
"""Called with the event, already of the type it is registered for, and its turn's time."""
Routes = Mapping[type[Body], Handler]


class Projection(Protocol):
    """A fold over records."""

    @property
    def name(self) -> str:
        """Its key in digests and snapshots."""
        ...

    def routes(self) -> Routes:
        """The handler of each event type that moves it."""
        ...

    def dump(self) -> Any:
        """Its whole state as plain values, in canonical order."""
        ...

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        ...


_encoder = msgspec.msgpack.Encoder(decimal_format="string")


def pack(dumped: Any) -> bytes:
    """Canonical bytes of a dump."""
    return _encoder.encode(dumped)


def digest(dumped: Any) -> str:
    """SHA-256 of a dump's canonical bytes, in hexadecimal."""
    return hashlib.sha256(pack(dumped)).hexdigest()
