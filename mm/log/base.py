"""The one log: append-only, gapless, written by one process at a time.

Every implementation passes `tests/contract/test_log.py`. `append` returns when the turn is
durable; until then nothing may act on it. An append that is refused or times out leaves the log
as it was or with exactly that turn: its id is its hash, so that repeating it is harmless.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from mm.events.units import TurnNumber
from mm.log.chain import Head, Sealed


class Log(Protocol):
    """Turn n is followed by turn n + 1, and names its hash."""

    @property
    def head(self) -> Head:
        """Where the log stands."""
        ...

    async def append(self, sealed: Sealed) -> None:
        """Store a turn that follows `head`; returns once it is acknowledged.

        Raises `WriterFenced` when another writer was there first, `LogUnavailable` when no
        acknowledgement came in time (the turn may or may not be stored), `LogFull` at the limit.
        """
        ...

    def read(self, after: TurnNumber = TurnNumber(0)) -> AsyncGenerator[Sealed, None]:
        """The turns after `after` up to the head, in order, links checked.

        Raises `ChainBroken`, `SequenceHole`, `TailLost` or `DecodeError` where the log is damaged.
        """
        ...

    def read_orders(self) -> AsyncGenerator[Sealed, None]:
        """Only the turns that touch orders or control, in order, links checked."""
        ...

    async def close(self) -> None:
        """Let go of the log; what was acknowledged stays."""
        ...
