"""A recording as the events that all contestants play, once or lap after lap.

Only level updates and prints are told: quotes laid over the book, marks and channels mean nothing
to the peers. Where a recording starts its book anew, every level known by then is deleted first,
the farthest before the nearest, so that everybody sees the same book. So does each further lap,
whose times are shifted by whole seconds: a step falls on the same moment of every lap.
"""

from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.peers.events import DEPTH, EVENT, TRADE, Events
from mm.errors import BadInput
from mm.events.instrument import InstrumentDefined
from mm.log.row_cache import rows_of
from mm.log.rows import Flag, Kind, Rows

SECOND_NS: Final = 1_000_000_000
LEVELS: Final = (Kind.BID, Kind.ASK)
PRINTS: Final = (Kind.BOUGHT, Kind.SOLD)
BUYERS: Final = (Kind.BID, Kind.BOUGHT)


def events_of(rows: Rows) -> Events:
    """Level updates and prints of rows of one instrument, in their order."""
    assert len(np.unique(rows["instrument"])) <= 1, "these rows are of several instruments"
    message = np.cumsum(rows["flags"] & Flag.EVENT != 0) - (rows["flags"] & Flag.EVENT != 0)
    plain = plainly(rows, message)
    clears = np.flatnonzero(rows["kind"] == Kind.CLEAR)
    told = np.isin(rows["kind"], (*LEVELS, *PRINTS))
    parts, begun = [plain[:0]], 0
    for clear in clears.tolist():
        part = plain[begun:clear][told[begun:clear]]
        parts += [part, swept(part, plain[clear])]
        begun = clear
    parts.append(plain[begun:][told[begun:]])
    return numbered(np.concatenate(parts))


def plainly(rows: Rows, message: np.ndarray) -> Events:
    """Each row as an event, whatever it is; `msg` is the event that it belongs to."""
    levels = np.isin(rows["kind"], LEVELS)
    assert rows["price"].max(initial=0) < 1 << 31, "a price does not fit"
    assert rows["size"].max(initial=0) < 1 << 31, "a size does not fit"
    events = np.zeros(len(rows), EVENT)
    events["exch_ts"], events["local_ts"] = rows["venue"], rows["at"]
    events["px"], events["qty"] = rows["price"], rows["size"]
    events["kind"] = np.where(levels, DEPTH, TRADE)
    events["side"] = np.where(np.isin(rows["kind"], BUYERS), 1, -1)
    events["msg"] = message
    return events


def numbered(events: Events) -> Events:
    """The same events, their messages counted from 0 without a gap and their ends marked."""
    changes = np.diff(events["msg"].astype(np.int64)) != 0
    events["msg"] = np.append(0, np.cumsum(changes))[: len(events)]
    events["last"] = np.append(changes, True)[: len(events)]
    return events


def standing(events: Events) -> Events:
    """The last update of every level that is there at the end, by side, the farthest first."""
    depth = events[events["kind"] == DEPTH][::-1]
    key = depth["px"].astype(np.int64) * depth["side"]
    _, newest = np.unique(key, return_index=True)  # Asks from the top, then bids from the bottom.
    levels: Events = depth[newest]
    return levels[levels["qty"] > 0]


def swept(events: Events, moment: np.void) -> Events:
    """Deletions, at a `moment` and in its message, of all levels standing after `events`."""
    levels = standing(events)
    levels["qty"] = 0
    for name in ("exch_ts", "local_ts", "msg"):
        levels[name] = moment[name]
    return levels


def looped(events: Events, laps: int) -> Events:
    """The events several times over, each lap from an empty book after the end of the last."""
    span = int(events["local_ts"][-1]) - int(events["exch_ts"][0])
    period = (span // SECOND_NS + 1) * SECOND_NS
    sweep = swept(events, events[0])
    sweep["last"] = np.arange(1, len(sweep) + 1) == len(sweep)
    rest = events.copy()
    rest["msg"] += 1
    lap = np.concatenate([sweep, rest])
    whole = np.concatenate([events, *[lap] * (laps - 1)])
    number = np.repeat(np.arange(laps), [len(events), *[len(lap)] * (laps - 1)])
    for name in ("exch_ts", "local_ts"):
        whole[name] += number * period
    whole["msg"] += (number * (int(events["msg"][-1]) + 2)).astype(np.uint32)
    return numbered(whole)


def stored(recording: Path, folder: Path, count: int) -> tuple[Path, InstrumentDefined]:
    """Enough laps of a recording for `count` events, as a file under `folder`; its instrument."""
    rows = rows_of(recording)
    if len(rows.tables.instruments) != 1:
        raise BadInput(
            f"{len(rows.tables.instruments)} instruments",
            where=str(recording),
            remedy="record or import one symbol for this benchmark",
        )
    path = folder / f"recorded-{rows.digest[:12]}-{count}.npy"
    if not path.exists():
        events = events_of(rows.load())
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, looped(events, -(-count // len(events))))
        partial.replace(path)
    return path, rows.tables.instruments[0]
