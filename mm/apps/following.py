"""Following a running session: its turns as they become durable, until it ends.

The session's server is asked, as a reader, ten times a second whether there is more; only what is
acknowledged is ever shown. When the server is gone the archive tells what came last. A page of
turns is all that is held in memory, however far the follower falls behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from mm.apps.reading import Reading, archive_of, attentive, closing
from mm.apps.sessions import DeskFiles
from mm.errors import LogUnavailable, SessionError
from mm.events.session import SessionEnded
from mm.events.units import TurnNumber
from mm.log.chain import Head, Sealed, advance
from mm.log.server import observe

POLL_SECONDS: Final = 0.1
RESTART_SECONDS: Final = 5.0
"""How long a server may be away before its session counts as ended: a dead one is replaced."""


class Follower:
    """Reads one running session onwards from where it was opened."""

    def __init__(self, reading: Reading) -> None:
        """Follow a reading; raises `SessionError` when no session writes to it."""
        if reading.served is None or not reading.running:
            raise SessionError(
                f"{reading.path.name} is not running",
                where=str(reading.path),
                remedy=f"`mm log show {reading.path.name} --last 20` shows how it ended",
            )
        self._reading = reading
        self._served = reading.served
        self._reader = reading.served.reader
        self._head: Head = reading.head
        self._ended = False

    async def turns(self) -> AsyncIterator[Sealed]:
        """Every further turn; ends with the session.

        Raises `LogUnavailable` when the server went away and the session had not ended.
        """
        last = await self._reader.turn(self._head.number)
        self._ended = last is not None and _ends(last)
        while await self._alive():
            async with closing(self._more()) as more:
                async for sealed in more:
                    self._take(sealed)
                    yield sealed
            await asyncio.sleep(POLL_SECONDS)
        async with closing(self._archived()) as rest:
            async for sealed in rest:
                self._take(sealed)
                yield sealed
        if not self._ended:
            raise LogUnavailable(
                f"the session's server is gone, and turn {self._head.number} was not its last word",
                where=str(self._reading.path),
                remedy="`mm log ls` tells how it stands, `mm log check` whether it is whole",
            )

    async def _more(self) -> AsyncIterator[Sealed]:
        """What there is by now; whether silence is the end, `_alive` tells."""
        if not (self._served.connected or self._served.external):
            return
        try:
            state = await self._reader.state()
            if state.last_seq > self._head.number:
                turns = self._reader.turns(self._head, TurnNumber(state.last_seq))
                async with closing(turns) as found:
                    async for sealed in found:
                        yield sealed
        except LogUnavailable:
            if self._served.external:
                raise

    def _take(self, sealed: Sealed) -> None:
        self._head = advance(self._head, sealed)
        if sealed.turn.previous_orders:
            self._ended = _ends(sealed)

    async def _alive(self) -> bool:
        """Whether the server runs, or is about to run again."""
        store = DeskFiles(self._reading.path).store
        clock = asyncio.get_running_loop().time
        deadline = clock() + (0 if self._ended else RESTART_SECONDS)
        while not self._served.external and observe(store) is None:
            if clock() >= deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    async def _archived(self) -> AsyncIterator[Sealed]:
        """What the session wrote after we last asked, where it had the time to archive it."""
        archive = archive_of(self._reading.path)
        if archive is not None and archive.head.number > self._head.number:
            async for sealed in attentive(archive.turns(self._head.number)):
                yield sealed


def _ends(sealed: Sealed) -> bool:
    return any(isinstance(fact, SessionEnded) for fact in sealed.turn.facts)
