"""The market of one session as rows: what its desk heard, and when the venue did.

A row's `at` is the time of the turn in which the desk heard it, its `venue` the time at which the
simulated venue had: when it was received, and never before something that has happened there, be it
a command that left or the end of a turn. In a backtest the two are the same; a live loop forms
turns of several messages and is a little late. The rows end with one at the time the session was
asked to stop, so that the replay stops then as well.

The session is read as columns; no object is made for an event.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from mm.analytics.logged import Heard
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated, TradePrinted
from mm.events.orders import OrderSubmitted
from mm.events.session import StopRequested
from mm.events.turn import TURN_FACTS_MAX
from mm.events.units import Nanos, TurnNumber
from mm.events.vocabulary import tag_of
from mm.log.columns import TURNS, Ints, from_ints, to_ints
from mm.log.row_file import RowFile
from mm.log.row_market import MARKET, Market
from mm.log.row_writer import write_rows
from mm.log.rows import ROW, Flag, Kind, Rows
from mm.sim.mids import Mids

FULL: Final = TURN_FACTS_MAX - 1
"""Facts of a turn that had no room for a fill and the balance after it."""
DEFINED: Final = tag_of(InstrumentDefined)
SUBMITTED, STOP = tag_of(OrderSubmitted), tag_of(StopRequested)
READ: Final = frozenset({*MARKET, DEFINED, SUBMITTED, STOP, TURNS})
"""The kinds of columns that a session's market is made of."""
DEPTH: Final = (tag_of(BookDelta), tag_of(BookSnapshot))
COUNTED: Final = (*DEPTH, tag_of(QuoteUpdated), tag_of(TradePrinted))


class SessionRows:
    """Takes the columns of a session span by span; `write` makes a file of rows."""

    def __init__(self, first: TurnNumber, last: TurnNumber) -> None:
        """Take what belongs to these turns."""
        self.late = False
        """Whether the venue heard anything before the desk did."""
        self.messages = 0
        self._bounds = first, last
        self._clock = self._events = 0
        self._spans: list[Mapping[str, pa.Table]] = []
        self._instruments: set[int] = set()
        self._heard: list[Ints] = []
        self._ended = Nanos(0)
        self._stopped: tuple[int, Nanos] | None = None
        self._full: list[int] = []

    def take(self, span: Mapping[str, pa.Table]) -> None:
        """Take the next span; what comes after the stop has no part in the replay."""
        tables = {tag: _within(table, *self._bounds) for tag, table in span.items()}
        turns = tables[TURNS]
        if not turns.num_rows:
            return
        stops = tables.get(STOP)
        if stops is not None and stops.num_rows and self._stopped is None:
            self._stopped = int(to_ints(stops["turn"])[0]), Nanos(int(to_ints(stops["time"])[0]))
        self._ended = Nanos(int(to_ints(turns["time"])[-1]))
        self._full += to_ints(turns["time"])[to_ints(turns["n_facts"]) >= FULL].tolist()
        market = {tag: table for tag, table in tables.items() if tag in MARKET and table.num_rows}
        self._events += sum(map(_counted, market.keys(), market.values()))
        kept = self._timed(market, tables.get(SUBMITTED), turns)
        if DEFINED in tables:
            kept[DEFINED] = tables[DEFINED]
            self._instruments.update(to_ints(tables[DEFINED]["instrument"]).tolist())
        self._spans.append(kept)

    def _timed(
        self, market: Mapping[str, pa.Table], sent: pa.Table | None, turns: pa.Table
    ) -> dict[str, pa.Table]:
        """The market up to the stop, stamped with when the venue heard it."""
        sizes = to_ints(turns["n_facts"]) + to_ints(turns["n_decisions"])
        # A turn's end stands between its last event and the next turn's first.
        order = [2 * (to_ints(turns["first"]) + sizes) - 1]
        times = [to_ints(turns["time"])]
        for table, stamp in [(each, "received") for each in market.values()] + (
            [(sent, "sent")] if sent is not None else []
        ):
            order.append(2 * to_ints(table["seq"]))
            times.append(to_ints(table[stamp]))
        numbers, stamps = np.concatenate(order), np.concatenate(times)
        sorting = np.argsort(numbers, kind="stable")
        reached = np.maximum.accumulate(np.maximum(stamps[sorting], self._clock))
        self._clock = int(reached[-1])
        heard = np.empty_like(reached)
        heard[sorting] = reached
        parts = np.split(heard, np.cumsum([len(each) for each in order])[:-1])[1:]
        return {
            tag: self._stamped(table, np.minimum(part, to_ints(table["time"])))
            for (tag, table), part in zip(market.items(), parts, strict=False)
        }

    def _stamped(self, table: pa.Table, venue: Ints) -> pa.Table:
        name = "venue_time" if "venue_time" in table.column_names else "received"
        column = table.column_names.index(name)
        stamped = table.set_column(column, name, from_ints(np.ascontiguousarray(venue)))
        heard = to_ints(table["time"])
        if self._stopped is not None:
            turn = self._stopped[0]
            # Heard with the request to stop, a message still counts as heard.
            self._heard.append(heard[to_ints(table["turn"]) <= turn])
            before = int(np.searchsorted(to_ints(table["turn"]), turn))
            stamped, heard, venue = stamped.slice(0, before), heard[:before], venue[:before]
        else:
            self._heard.append(heard)
        self.messages += len(heard)
        self.late |= bool((venue < heard).any())
        return stamped

    def heard(self) -> Heard:
        """When the market was heard, how much of it, and its mids; raises as `write` does."""
        mids = Mids(len(self._instruments))
        for rows in Market(self._spans, where="").blocks():
            mids.feed(rows)
        mids.end()
        times = np.concatenate([*self._heard, np.zeros(0, np.int64)])
        bounds = [int(each) for each in (times.min(), times.max())] if len(times) else []
        if self._stopped is not None:
            bounds.append(self._stopped[1])
        first, last = self._bounds
        return Heard(
            first=Nanos(min(bounds)),
            last=Nanos(max(bounds)),
            ended=self._ended,
            events=self._events,
            turns=last - first + 1,
            mids=mids,
        )

    def write(self, file: Path, where: str) -> RowFile:
        """The rows in a file; raises `BadInput` or `LogDamaged`, naming `where`."""
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
            last["at"] = last["venue"] = self._stopped[1]
            last["kind"], last["flags"] = Kind.NOTE, Flag.EVENT | Flag.TURN
            yield last


def _within(table: pa.Table, first: TurnNumber, last: TurnNumber) -> pa.Table:
    """The rows of some turns; a table is in the order of the log."""
    numbers = to_ints(table["turn" if "turn" in table.column_names else "number"])
    start, stop = np.searchsorted(numbers, [first, last + 1]).tolist()
    return table.slice(start, stop - start)


def _counted(tag: str, table: pa.Table) -> int:
    """How many events a kind counts as: each level one, each print and quote one."""
    if tag not in COUNTED:
        return 0
    if tag not in DEPTH:
        return int(table.num_rows)
    return sum(len(table[side].combine_chunks().flatten()) for side in ("bids_price", "asks_price"))
