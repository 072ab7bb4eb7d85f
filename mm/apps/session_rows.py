"""The market of one session as rows: what its desk heard, and when the venue did.

A row's `at` is the time of the turn in which the desk heard it, its `venue` the time at which the
simulated venue had. In a backtest the two are the same; a live loop forms turns of several messages
and is a little late. The rows end with one at the time the session was asked to stop, so that the
replay stops then as well.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from mm.analytics.venue_clock import VenueClock, is_market
from mm.events.base import Body
from mm.events.instrument import InstrumentDefined
from mm.events.session import StopRequested
from mm.events.turn import TURN_FACTS_MAX, Turn
from mm.events.units import Nanos
from mm.events.vocabulary import tag_of
from mm.log.columns import PLACE, table_of
from mm.log.row_file import RowFile
from mm.log.row_market import Market
from mm.log.row_writer import write_rows
from mm.log.rows import ROW, Flag, Kind, Rows

PACKED: Final = 16_384
"""Events that wait as objects before they become columns."""
FULL: Final = TURN_FACTS_MAX - 1
"""Facts of a turn that had no room for a fill and the balance after it."""


class SessionRows:
    """Takes the turns of a session in their order; `write` makes a file of rows."""

    def __init__(self) -> None:
        """Start before the session's first turn."""
        self.late = False
        """Whether the venue heard anything before the desk did."""
        self.messages = 0
        self._clock = VenueClock()
        self._spans: list[Mapping[str, pa.Table]] = []
        self._waiting: dict[type[Body], list[tuple[tuple[int, ...], Body]]] = {}
        self._count = 0
        self._stopped: Nanos | None = None
        self._full: list[Nanos] = []

    def take(self, turn: Turn) -> None:
        """Take a turn; what comes after the stop has no part in the replay."""
        stops = any(isinstance(fact, StopRequested) for fact in turn.facts)
        for index, (fact, at) in enumerate(self._clock.heard(turn)):
            if isinstance(fact, InstrumentDefined) or (
                is_market(fact) and not stops and self._stopped is None
            ):
                place = (turn.first + index, turn.number, index, turn.at)
                self._keep(place, self._timed(fact, at, turn.at))
        if len(turn.facts) >= FULL:
            self._full.append(turn.at)
        if stops and self._stopped is None:
            self._stopped = turn.at

    def _timed(self, fact: Any, at: Nanos, heard: Nanos) -> Body:
        """The fact, stamped with when the venue heard it."""
        if isinstance(fact, InstrumentDefined):
            defined: Body = fact
            return defined
        self.messages += 1
        self.late |= at < heard
        stamp = "venue_time" if "venue_time" in fact.__struct_fields__ else "received"
        stamped: Body = msgspec.structs.replace(fact, **{stamp: at})
        return stamped

    def _keep(self, place: tuple[int, ...], event: Body) -> None:
        self._waiting.setdefault(type(event), []).append((place, event))
        self._count += 1
        if self._count >= PACKED:
            self._pack()

    def _pack(self) -> None:
        tables = {}
        for kind, found in self._waiting.items():
            places = np.array([place for place, _ in found], np.int64).T
            named = dict(zip(PLACE, map(np.ascontiguousarray, places), strict=True))
            tables[tag_of(kind)] = table_of(kind, named, [event for _, event in found])
        self._spans.append(tables)
        self._waiting, self._count = {}, 0

    def write(self, file: Path, where: str) -> RowFile:
        """The rows in a file; raises `BadInput` or `LogDamaged`, naming `where`."""
        if self._count:
            self._pack()
        market = Market(self._spans, where=where)
        return write_rows(file, market.tables, self._blocks(market))

    def _blocks(self, market: Market) -> Iterator[Rows]:
        for rows in market.blocks():
            if self._full and self.late:
                ends = (rows["flags"] & Flag.TURN > 0) & np.isin(rows["at"], self._full)
                rows["flags"][ends] |= np.uint8(Flag.FULL)
            yield rows
        if self._stopped is not None:
            last = np.zeros(1, ROW)
            last["at"] = last["venue"] = self._stopped
            last["kind"], last["flags"] = Kind.NOTE, Flag.EVENT | Flag.TURN
            yield last
