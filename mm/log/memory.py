"""A log in memory: the reference every other log must match."""

from collections.abc import AsyncGenerator

from mm.errors import WriterFenced
from mm.events.units import TurnNumber
from mm.log.chain import START, Head, Sealed, follow, follow_orders, unseal


class MemoryLog:
    """Payloads in a list; they are decoded anew on every read, as from a disk."""

    def __init__(self) -> None:
        """Start empty."""
        self._payloads: list[bytes] = []
        self._head = START

    @property
    def head(self) -> Head:
        """Where the log stands."""
        return self._head

    async def append(self, sealed: Sealed) -> None:
        """Store a turn that follows the head; a repeated append of the last one changes nothing."""
        if sealed.hash == self._head.hash:
            return
        if sealed.turn.previous != self._head.hash:
            raise WriterFenced(
                f"turn {sealed.turn.number} does not follow turn {self._head.number}",
                where="memory",
                remedy="another writer holds this log: start again and recover from it",
            )
        self._head = follow(self._head, sealed, where="memory")
        self._payloads.append(sealed.payload)

    async def read(self, after: TurnNumber = TurnNumber(0)) -> AsyncGenerator[Sealed, None]:
        """The turns after `after`."""
        head = START
        for payload in list(self._payloads):
            sealed = unseal(payload)
            head = follow(head, sealed, where=f"memory, turn {sealed.turn.number}")
            if sealed.turn.number > after:
                yield sealed

    async def read_orders(self) -> AsyncGenerator[Sealed, None]:
        """Only the turns that touch orders or control."""
        head = START
        for payload in list(self._payloads):
            sealed = unseal(payload)
            if sealed.turn.touches_orders:
                head = follow_orders(head, sealed, where=f"memory, turn {sealed.turn.number}")
                yield sealed

    async def close(self) -> None:
        """Nothing to let go of."""
