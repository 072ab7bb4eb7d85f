"""Finding events on a log: from an event on, one turn, or the last ones, of the wanted kinds.

A part of a log is read, never more than needed: an event's turn is looked up, the end is searched
in growing steps backwards, and what can only stand in turns that touch orders is looked for there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec

from mm.apps.reading import Reading, closing
from mm.apps.selection import Selection
from mm.apps.wording import Instruments
from mm.errors import ConfigError, SessionError
from mm.events.turn import Record, records
from mm.events.units import Seq, TurnNumber

STEP: Final = 500
"""Turns in the first step from the end; each further one is twice as long."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look: from an event on, in one turn, or at the end; the start by default."""

    event: int | None = None
    turn: int | None = None
    last: int | None = None


def place(event: int | None, turn: int | None, last: int | None) -> Place:
    """One place; raises `ConfigError` when several are named, or one that cannot be."""
    named = {"--from": event, "--turn": turn, "--last": last}
    given = {option: value for option, value in named.items() if value is not None}
    if len(given) > 1:
        raise ConfigError(
            f"{' and '.join(given)} name two places", where="mm log show", remedy="name one"
        )
    for option, value in given.items():
        if value < 1:
            raise ConfigError(
                f"{option} {value} is no place on a log",
                where="mm log show",
                remedy="events and turns are counted from 1",
            )
    return Place(event=event, turn=turn, last=last)


class Finder:
    """Looks for events on one log."""

    def __init__(
        self,
        reading: Reading,
        selection: Selection,
        instruments: Instruments,
        told: Callable[[float], None],
    ) -> None:
        """Look for what the selection takes; `told` hears of every turn that was read."""
        self._reading = reading
        self._selection = selection
        self._instruments = instruments
        self._told = told

    async def events(self, where: Place) -> AsyncIterator[Record]:
        """The wanted events at a place, in order; raises `SessionError` beyond the end."""
        self._require(where)
        if where.last is not None:
            for record in await self._last(where.last):
                yield record
            return
        first, last = await self._bounds(where)
        async with closing(self._between(first, last)) as found:
            async for record in found:
                if record.number >= (where.event or 0):
                    yield record

    def _require(self, where: Place) -> None:
        head = self._reading.head
        for name, wanted, end in (
            ("event", where.event, head.events),
            ("turn", where.turn, head.number),
        ):
            if wanted is not None and wanted > end:
                raise SessionError(
                    f"{name} {wanted} is not on this log, which ends with {name} {end}",
                    where=str(self._reading.path),
                    remedy="`--last 20` shows the end",
                )

    async def _bounds(self, where: Place) -> tuple[TurnNumber, TurnNumber]:
        if where.turn is not None:
            return TurnNumber(where.turn), TurnNumber(where.turn)
        first = TurnNumber(1)
        if where.event is not None:
            first = await self._reading.turn_near(Seq(where.event))
        return first, self._reading.head.number

    async def _between(self, first: TurnNumber, last: TurnNumber) -> AsyncIterator[Record]:
        everywhere = not self._selection.orders_only or first == last
        turns = self._reading.turns(first, last) if everywhere else self._reading.order_turns()
        async with closing(turns) as found:
            async for sealed in found:
                self._told(1)
                if not first <= sealed.turn.number <= last:
                    continue
                for record in records(sealed.turn):
                    if self._selection.takes(record, self._instruments):
                        yield record

    async def _last(self, wanted: int) -> list[Record]:
        """Step backwards from the end until enough is found; what is kept is bounded."""
        found: deque[Record] = deque(maxlen=wanted)
        stop, step = self._reading.head.number, STEP
        if self._selection.orders_only:
            step = stop
        while stop > 0 and len(found) < wanted:
            first = TurnNumber(max(1, stop - step + 1))
            part: deque[Record] = deque(maxlen=wanted - len(found))
            async for record in self._between(first, stop):
                part.append(record)
            found.extendleft(reversed(part))
            stop, step = TurnNumber(first - 1), 2 * step
        return list(found)
