"""Windows of a recording: the rows from one time to another, begun with the book as it stood.

A window is played on its own: nothing is owned and nothing rests when it begins. Before its first
row come rows that put the state of the market there, stamped with the window's beginning: what is
lost or down, every level, the quote if one is shown, the last mark, funding rate and revision. What
has no row is not put there: how long ago the book moved (it looks fresh), and prints of before.
Rows are read from the copy that all processes share.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import numpy as np

from mm.errors import ConfigError
from mm.events.units import Nanos
from mm.log.row_file import BATCH, RowFile
from mm.log.rows import ROW, Flag, Kind, Rows

FOLDED: Final = 1 << 20
"""Rows folded at a time: memory is bounded by it."""
RARE: Final = (Kind.CLEAR, Kind.LOST, Kind.DOWN, Kind.UP, Kind.RESYNCED)
DEPTH: Final = (Kind.BID, Kind.ASK, Kind.SETTLED, Kind.CLEAR)
QUOTES: Final = (Kind.QUOTE_BID, Kind.QUOTE_ASK)
KINDS: Final = len(Kind)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Rows `start` to `stop` of a recording: log time from `first` to `last`, in nanoseconds.

    `standing` are the rows (see `ROW`) that put the market there.
    """

    recording: str
    rows: str
    digest: str
    number: int
    first: Nanos
    last: Nanos
    start: int
    stop: int
    standing: bytes = b""


class Clip(RowFile):
    """The rows of a window, as if they were a file."""

    def __init__(self, file: RowFile, window: Window) -> None:
        """Map the rows; nothing is copied."""
        self._loaded = file.load()[window.start : window.stop]
        self._standing: Rows = np.frombuffer(window.standing, ROW)
        kinds = np.bincount(self._loaded["kind"], minlength=KINDS)
        header = msgspec.structs.replace(
            file.header,
            rows=len(self._loaded),
            first=window.first,
            last=window.last,
            kinds=tuple(kinds.tolist()),
        )
        super().__init__(file.path, header, file.digest)

    def blocks(self, rows: int = BATCH) -> Iterator[Rows]:
        """What stood when the window began, then its rows."""
        if len(self._standing):
            yield self._standing.copy()
        for start in range(0, len(self._loaded), rows):
            yield self._loaded[start : start + rows]


def clip_of(window: Window) -> Clip:
    """Open a window; raises `ConfigError` where the rows are not those it was made of."""
    file = RowFile.open(window.rows)
    if file.digest != window.digest:
        raise ConfigError(
            "the rows changed since the sweep began", where=window.rows, remedy="run it again"
        )
    return Clip(file, window)


def windows_of(recording: str, file: RowFile, count: int = 1) -> list[Window]:
    """The whole recording, or that many windows of equal log time."""
    rows, header = file.load(), file.header
    span = header.last - header.first
    edges = [header.first + span * number // count for number in range(count)]
    # Rows stand in order of time: a turn is never cut, for all of it has one time.
    starts = [0, *(bisect.bisect_left(rows["at"], edge) for edge in edges[1:])]
    stops, lasts = [*starts[1:], len(rows)], [*(edge - 1 for edge in edges[1:]), header.last]
    stood = standing(rows, starts, edges, len(file.tables.instruments))
    return [
        Window(
            recording=recording,
            rows=str(file.path),
            digest=file.digest,
            number=number,
            first=Nanos(edges[number]),
            last=Nanos(lasts[number]),
            start=starts[number],
            stop=stops[number],
            standing=next(stood).tobytes(),
        )
        for number in range(count)
    ]


def standing(rows: Rows, starts: list[int], times: list[int], instruments: int) -> Iterator[Rows]:
    """The rows that put the market where it stood before each of these rows, in order."""
    markets = [Standing(place) for place in range(instruments)]
    done = 0
    for start, at in zip(starts, times, strict=True):
        for begin in range(done, start, FOLDED):
            block = rows[begin : min(begin + FOLDED, start)]
            for market in markets:
                market.take(block)
        done = start
        found = [row for market in markets for row in market.rows()]
        stood = np.array(found, ROW) if found else np.zeros(0, ROW)
        if found:
            stood["at"], stood["venue"] = at, rows["venue"][start - 1]
            stood["flags"][-1] |= Flag.TURN
        yield stood


class Standing:
    """The market of one instrument, folded from rows."""

    def __init__(self, instrument: int) -> None:
        """Nothing was heard yet."""
        self._instrument = instrument
        self._levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._has_depth = self._lost = False
        self._down: dict[int, bool] = {}
        self._quote: dict[Kind, tuple[int, int]] = {}
        self._leads = False
        self._told: dict[int, int] = {}

    def take(self, block: Rows) -> None:
        """Fold rows in order; those of other instruments are passed over."""
        mine = block[block["instrument"] == self._instrument]
        kinds, start = mine["kind"], 0
        for place in [*np.flatnonzero(np.isin(kinds, RARE)).tolist(), len(mine)]:
            self._usual(mine[start:place])
            if place < len(mine):
                self._rare(mine[place])
            start = place + 1
        self._touch(mine)

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows that put another book where this one is."""
        down = [channel for channel, is_down in self._down.items() if is_down]
        found = [self._row(Kind.DOWN, channel=channel) for channel in down]
        if self._lost and not down:
            found.append(self._row(Kind.LOST))
        depth = [*self._book()] if self._has_depth else []
        quote = [self._row(kind, *self._quote[kind]) for kind in QUOTES if kind in self._quote]
        found += (depth + quote) if self._leads else (quote + depth)
        if down and not self._lost:
            found.append(self._row(Kind.RESYNCED))
        found += [self._row(Kind(kind), price) for kind, price in sorted(self._told.items())]
        return found

    def _usual(self, rows: Rows) -> None:
        """Rows between two rare ones."""
        kinds = rows["kind"]
        if self._has_depth:
            for levels, side in zip(self._levels, (Kind.BID, Kind.ASK), strict=True):
                of_side = rows[kinds == side]
                levels.update(zip(of_side["price"].tolist(), of_side["size"].tolist(), strict=True))
        for kind in (Kind.MARK, Kind.FUNDING, Kind.DEFINED):
            found = np.flatnonzero(kinds == kind)
            if len(found):
                self._told[kind] = int(rows["price"][found[-1]])
        for kind in QUOTES:
            found = np.flatnonzero(kinds == kind)
            if len(found):
                last = rows[found[-1]]
                self._quote[kind] = (int(last["price"]), int(last["size"]))

    def _rare(self, row: Any) -> None:
        """Losses, channels and snapshots: the same cases as the compiled feed has."""
        match Kind(int(row["kind"])):
            case Kind.CLEAR:
                self._forget(has_depth=True)
            case Kind.LOST | Kind.DOWN as kind:
                self._forget(has_depth=False)
                self._quote, self._lost = {}, True
                if kind is Kind.DOWN:
                    self._down[int(row["channel"]) & 63] = True
            case Kind.UP:
                self._down[int(row["channel"]) & 63] = False
            case _:
                self._lost = False

    def _forget(self, *, has_depth: bool) -> None:
        for levels in self._levels:
            levels.clear()
        self._has_depth = has_depth

    def _touch(self, rows: Rows) -> None:
        """Whether the quote is the touch: the last event of either kind says so."""
        spoke = (rows["flags"] & Flag.EVENT) > 0
        told = np.flatnonzero(spoke & np.isin(rows["kind"], (*DEPTH, Kind.QUOTE_ASK)))
        if len(told):
            last = rows[told[-1]]
            self._leads = bool(last["kind"] == Kind.QUOTE_ASK or last["flags"] & Flag.QUOTE_LEADS)

    def _book(self) -> Iterator[tuple[Any, ...]]:
        yield self._row(Kind.CLEAR, ends=False)
        for levels, side in zip(self._levels, (Kind.BID, Kind.ASK), strict=True):
            for price in sorted(price for price, size in levels.items() if size):
                yield self._row(side, price, levels[price], ends=False)
        yield self._row(Kind.SETTLED)

    def _row(
        self, kind: Kind, price: int = 0, size: int = 0, *, channel: int = 0, ends: bool = True
    ) -> tuple[Any, ...]:
        flags = Flag.EVENT if ends and kind != Kind.QUOTE_BID else Flag(0)
        return (0, 0, price, size, self._instrument, int(kind), int(flags), channel)
