"""What a session would have come to under other settings, and how far to trust the answer.

The session's own market, as its desk heard it, is replayed against the simulated venue twice: with
its own settings first, which tells how much of what really happened is reproduced, and then with
the change. Only the two replays are compared with each other.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median_low
from typing import Final, NamedTuple

import msgspec

from mm.analytics.logged import LoggedRun
from mm.analytics.run import Run
from mm.analytics.tiers import tiered
from mm.analytics.trust import Trust, trust
from mm.apps.changes import Change, changed, recorded, touches_latency
from mm.apps.config import Config
from mm.apps.played import Terms, played, refusal
from mm.apps.reading import closing, opened
from mm.apps.segments import Segment, chosen, segments
from mm.apps.session_rows import READ, SessionRows
from mm.errors import ConfigError, SessionError
from mm.events.session import ParameterChanged, SessionEnded
from mm.events.turn import Turn
from mm.events.units import MILLIS, Nanos
from mm.log.row_file import RowFile
from mm.sim.measured import round_trips, samples
from mm.sim.settings import Latency, Measured, PaperSettings
from mm.sim.stepped import steps

CONFIGURED: Final = "as-configured"
MEASURED: Final = "measured"
LATENCIES: Final = (CONFIGURED, MEASURED)
UNCHANGED: Final = "unchanged"
OTHER: Final = "what it names cannot be replayed yet; `mm replay backtest --plain` plays it"


class Heard(NamedTuple):
    """One session, read from its log: what it did, the market it heard, what else to know of it."""

    segment: Segment
    number: int
    real: Run
    rows: SessionRows
    orders: list[Turn]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        """Only which it is: asyncio writes out what a task returns whenever it ends."""
        return f"Heard({self.segment.name})"


class WhatIf(msgspec.Struct, frozen=True):
    """The session, its unchanged replay and how well they agree, and the changed replay if any."""

    real: Run
    unchanged: Run
    trust: Trust
    notes: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    changed: Run | None = None


async def hear(path: Path, session: str = "") -> Heard:
    """Read one session of a desk, the latest unless named; raises `SessionError`, `LogDamaged`."""
    async with opened(path) as reading:
        found, orders = await segments(reading, session)
        segment = chosen(found, session, path)
        rows = SessionRows(segment.first, segment.last)
        async with closing(reading.tables(READ, segment.first, segment.last)) as spans:
            async for span in spans:
                rows.take(span)
    if not rows.messages:
        raise SessionError(
            f"session {segment.name} heard no market: there is nothing to replay",
            where=str(path),
            remedy="name another session with --session",
        )
    run = LoggedRun(rows.heard())
    for turn in orders:
        run.take(turn)
    notes = tuple(_notes(segment, run, orders))
    number = found.index(segment) + 1
    return Heard(segment, number, run.run(path), rows, orders, notes)


def whatif(
    heard: Heard, path: Path, settings: Sequence[str] = (), latency: str = CONFIGURED
) -> WhatIf:
    """Replay a session unchanged, then with each `key=value`; raises `ConfigError`."""
    config = recorded(heard.segment.started.config, f"{path}, session {heard.segment.name}")
    other, changes = changed(config, settings)
    if latency == MEASURED and touches_latency(changes):
        raise ConfigError(
            "a latency cannot be both changed and measured",
            where="--set, --latency",
            remedy=f"leave out --latency {MEASURED}",
        )
    with tempfile.TemporaryDirectory(prefix="mm-whatif-") as directory:
        rows = heard.rows.write(Path(directory) / "market.arrow", str(path))
        replay = Replay(heard, path, rows, latency)
        unchanged = replay.run(config, UNCHANGED)
        other_run = replay.run(other, "changed") if changes else None
    real = tiered(heard.real, config.paper.settings.tiers, config.paper.settings.volume)
    agreed = trust(real, unchanged)
    notes = (*heard.notes, *_slower(heard, config, latency))
    return WhatIf(real, unchanged, agreed, notes, changes, other_run)


class Replay:
    """The market of a session, ready to be played under any settings."""

    def __init__(self, heard: Heard, path: Path, rows: RowFile, latency: str) -> None:
        """Take the session, the place of its log, its rows, and which latencies to play."""
        self._heard = heard
        self._path = path
        self._rows = rows
        self._trips = self._measured() if latency == MEASURED else None
        self._steps = steps(heard.orders) if latency == MEASURED else None

    def run(self, config: Config, name: str) -> Run:
        """Play it by the compiled pass; raises `ConfigError` for what that cannot play."""
        paper = self._paper(config)
        reason = refusal(config, paper)
        if reason:
            raise ConfigError(
                f"the compiled pass cannot play the {name} session: {reason}",
                where=str(self._path),
                remedy=OTHER,
            )
        heard = self._heard
        terms = Terms(paper, heard.segment.held, self._steps, gathers=heard.rows.late)
        run = played(config, [self._path], self._rows, terms)
        latency = run.info.latency
        if self._trips is not None:
            latency = f"latency as measured ({latency} in the median)"
        info = msgspec.structs.replace(run.info, name=name, latency=latency)
        return Run(info, run.orders, run.fills, run.points)

    def _paper(self, config: Config) -> PaperSettings:
        """The venue, heard by the desk when its turns say so."""
        paper = config.paper.settings
        if self._heard.rows.late:
            paper = msgspec.structs.replace(paper, market="venue")
        if self._trips is None:
            return paper
        there, back = (Nanos(median_low(each.delays)) for each in samples(self._trips))
        return msgspec.structs.replace(
            paper,
            market="venue",
            entry=Latency(there, there),
            response=Latency(back, back),
            place=None,
            amend=None,
            cancel=None,
            measured=None,
        )

    def _measured(self) -> Measured:
        """The session's own round trips."""
        trips = round_trips(self._heard.orders)
        if not trips.trips:
            raise ConfigError(
                "no order of this session was acknowledged: no latency was measured",
                where=str(self._path),
                remedy=f"play it with --latency {CONFIGURED}",
            )
        return trips


def _slower(heard: Heard, config: Config, latency: str) -> list[str]:
    """That orders took longer, or less long, than the latency that was played."""
    trips, entry = round_trips(heard.orders), config.paper.settings.entry
    if latency == MEASURED or not trips.trips or not isinstance(entry, Latency):
        return []
    took = median_low(samples(trips)[0].delays)
    if abs(took - entry.least) <= entry.least / 10:
        return []
    times = f"{took / MILLIS:.3g} ms to the venue (median), not {entry.least / MILLIS:g} ms"
    return [f"Orders took {times} as configured: try --latency {MEASURED}."]


def _notes(segment: Segment, run: LoggedRun, orders: list[Turn]) -> list[str]:
    """What a reader of the result has to know."""
    facts = [fact for turn in orders for fact in turn.facts]
    notes = []
    if segment.held:
        held = ", ".join(f"{name} {lots:+} lots" for name, lots in segment.held.items())
        notes.append(
            f"The session began with {held}: the replays too; P&L counts what was traded since."
        )
    if run.halted:
        notes.append(f"Trading was halted ({run.halted}): the replays go on trading.")
    if any(isinstance(fact, ParameterChanged) for fact in facts):
        notes.append("Parameters were changed during the session: replays keep those of its start.")
    if not any(isinstance(fact, SessionEnded) for fact in facts):
        notes.append("The session was cut off, or is still running: what there is was replayed.")
    return notes
