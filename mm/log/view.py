"""A desk's log for those who only look: reports, replay, an operator's `tail`.

It stands where the log stood when it was opened or last refreshed, never creates or changes
anything on the server, and needs no more than a reader's rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from mm.errors import SessionError
from mm.events.units import TurnNumber
from mm.log.chain import START, Head, Sealed
from mm.log.pages import PageLimits
from mm.log.reader import DEFAULTS, Reader
from mm.log.recovery import Found, Known, inspect
from mm.log.wire import attach

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from nats.aio.client import Client

    from mm.log.streams import Streams


class LogView:
    """Reads a log that someone else may be writing; `open` is the way to get one."""

    def __init__(self, reader: Reader, head: Head) -> None:
        """Stand at `head`."""
        self._reader = reader
        self._head = head

    @classmethod
    async def open(cls, nc: Client, streams: Streams, pages: PageLimits = DEFAULTS) -> Self:
        """Stand at the end of the log; raises `SessionError` when the desk has none."""
        reader = Reader(await attach(nc), streams, pages)
        if not await reader.exists():
            raise SessionError(
                f"the server has no log of desk {streams.desk}",
                where=reader.stream,
                remedy="check the desk's name and the server",
            )
        view = cls(reader, START)
        await view.refresh()
        return view

    @property
    def head(self) -> Head:
        """Where the log stood at the last look."""
        return self._head

    async def refresh(self) -> Head:
        """Look again where the log stands."""
        self._head = await self._reader.head_at(TurnNumber((await self._reader.state()).last_seq))
        return self._head

    async def check(self, known: Known) -> Found:
        """Check the whole log as its writer does at the start; see `inspect`."""
        return await inspect(self._reader, known)

    async def read(self, after: TurnNumber = TurnNumber(0)) -> AsyncGenerator[Sealed, None]:
        """The turns after `after` up to the head, in order, hashes and links checked."""
        if after < self._head.number:
            start = await self._reader.head_at(after)
            async for sealed in self._reader.turns(start, self._head.number):
                yield sealed

    def read_orders(self) -> AsyncGenerator[Sealed, None]:
        """Only the turns that touch orders or control, in order, hashes and links checked."""
        return self._reader.orders(self._head)

    async def close(self) -> None:
        """Nothing to let go of: the connection stays with its owner."""
