"""The peers' workload as rows: five million seeded level changes and trades of one instrument.

Their generator writes `events.npy`: kind 1 depth, 2 trade; side +1 bid or buyer, -1 ask or seller;
prices in ticks of 0.1, sizes in lots of 0.001; `last` ends a message, which is a turn here. Level
changes that stand together are one depth event; the first message is the snapshot.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np

from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import InstrumentId
from mm.log.row_file import RowFile, words_of
from mm.log.row_tables import Tables
from mm.log.row_writer import write_rows
from mm.log.rows import ROW, Flag, Kind, Rows

DEPTH: Final = 1
CHUNK: Final = 1 << 18

INSTRUMENT: Final = InstrumentDefined(
    instrument=InstrumentId(0),
    venue="peers",
    symbol="BTCUSDT",
    kind=ContractKind.LINEAR,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
)


def write_workload(events: Path, rows: Path, repeats: int = 1) -> RowFile:
    """Convert `events.npy`; repeated, each time after the last one's end, it makes a longer day."""
    return write_rows(rows, Tables(instruments=[INSTRUMENT]), blocks_of(events, repeats))


def blocks_of(events: Path, repeats: int = 1) -> Iterator[Rows]:
    """The rows of a workload, a chunk of its messages at a time."""
    whole = np.load(events, mmap_mode="r")
    day = int(whole["local_ts"][-1]) - int(whole["exch_ts"][0]) + 1
    for number in range(repeats):
        start = 0
        while start < len(whole):
            stop = min(start + CHUNK, len(whole))
            stop += int(np.argmax(whole["last"][stop - 1 :]))
            yield _rows(whole[start:stop], first=start == 0, shift=number * day)
            start = stop


def _rows(events: Any, *, first: bool, shift: int) -> Rows:
    """A row for each event, one more after each run of level changes, and one before them all."""
    depth = events["kind"] == DEPTH
    ends = events["last"] == 1
    settled = depth & (ends | ~np.append(depth[1:], False))
    places = np.arange(len(events)) + np.cumsum(settled) - settled + first
    rows = np.zeros(len(events) + int(settled.sum()) + first, ROW)
    bought = events["side"] > 0
    rows["kind"][places] = np.where(
        depth, np.where(bought, Kind.BID, Kind.ASK), np.where(bought, Kind.BOUGHT, Kind.SOLD)
    )
    rows["price"][places], rows["size"][places] = events["px"], events["qty"]
    rows["flags"][places] = np.where(depth, 0, Flag.EVENT | np.where(ends, Flag.TURN, 0))
    _stamp(rows, places, events)
    tail = places[settled] + 1
    rows["kind"][tail] = Kind.SETTLED
    rows["flags"][tail] = Flag.EVENT | np.where(ends[settled], Flag.TURN, 0)
    _stamp(rows, tail, events[settled])
    if first:
        words_of(rows)[0] = words_of(rows)[1]
        rows[0]["kind"], rows[0]["price"], rows[0]["size"] = Kind.CLEAR, 0, 0
    rows["at"] += shift
    rows["venue"] = np.maximum.accumulate(rows["venue"] + shift)
    return rows


def _stamp(rows: Rows, places: Any, events: Any) -> None:
    rows["at"][places] = events["local_ts"]
    rows["venue"][places] = np.minimum(events["exch_ts"], events["local_ts"])
