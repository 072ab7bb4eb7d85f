"""Funding of a compiled run: settled after it, for no decision depends on it.

Rates and marks are few among the rows. A settlement takes place at the first row of its instrument
whose venue time has reached the time it was due; what it costs follows from the fills made before.
"""

from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from mm.events.instrument import InstrumentDefined
from mm.events.units import INT64_MAX, Nanos
from mm.log.row_tables import Tables
from mm.log.rows import Kind, Rows
from mm.sim.funding import payment

NEVER: Final = INT64_MAX


class Settlement(NamedTuple):
    """One exchange of funding in an instrument, by its place: when, at which rate and mark."""

    at: Nanos
    instrument: int
    rate: Decimal
    mark: Decimal


class Settlements:
    """Watches blocks of rows go by."""

    def __init__(self, tables: Tables) -> None:
        """Start before the first row."""
        self._tables = tables
        self._marks: dict[int, Decimal] = {}
        self._due: dict[int, tuple[int, Decimal]] = {}
        self._settled: dict[int, int] = {}
        self.found: list[Settlement] = []

    def watch(self, rows: Rows) -> None:
        """Take a block; a mark that was never published stands for no settlement."""
        kinds = rows["kind"]
        told = np.flatnonzero((kinds == Kind.MARK) | (kinds == Kind.FUNDING))
        start = 0
        for place in [*told.tolist(), len(rows)]:
            self._settle(rows, start, place + 1)
            start = place
            if place < len(rows):
                self._hear(rows[place])

    def _hear(self, row: np.void) -> None:
        instrument, entry = int(row["instrument"]), int(row["price"])
        if row["kind"] == Kind.MARK:
            self._marks[instrument] = self._tables.marks[entry]
            return
        rate = self._tables.rates[entry]
        if rate.due > row["venue"] and rate.due > self._settled.get(instrument, -NEVER):
            self._due[instrument] = (rate.due, rate.rate)

    def _settle(self, rows: Rows, start: int, stop: int) -> None:
        """Settle what comes due from row `start` on, before row `stop`."""
        times = rows["venue"][start:stop]
        for instrument, (due, rate) in list(self._due.items()):
            first = int(np.searchsorted(times, due))
            own = np.flatnonzero(rows["instrument"][start + first : stop] == instrument)
            if not len(own):
                continue
            first += int(own[0])
            del self._due[instrument]
            self._settled[instrument] = due
            if instrument in self._marks:
                at = Nanos(int(rows["at"][start + first]))
                self.found.append(Settlement(at, instrument, rate, self._marks[instrument]))


def paid(
    settlement: Settlement,
    fills: np.ndarray,
    desk: int,
    instrument: InstrumentDefined,
    held: int = 0,
) -> Decimal:
    """What one desk's position received, in settlement currency; it began with `held` lots."""
    mine = (fills["desk"] == desk) & (fills["at"] < settlement.at)
    net = held + int((fills["size"] * fills["side"])[mine].sum())
    return payment(instrument, net, settlement.mark, settlement.rate) if net else Decimal(0)
