"""A backtest turn by turn in Python: what `mm replay backtest` does with --plain or --out."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mm.apps.backtest import Backtest
from mm.apps.cli.output import out, progress, table
from mm.apps.config import Config
from mm.apps.session import check, opening
from mm.apps.statistics import Statistics, statistics
from mm.apps.wording import iso
from mm.events.orders import PlaceOrder
from mm.events.session import EngineFaulted
from mm.events.units import Nanos
from mm.events.vocabulary import Decision
from mm.gateways.paper import PaperGateway
from mm.gateways.recorded import RecordedFeed
from mm.log.archive import ArchiveWriter
from mm.log.chain import Sealed


class Backtested(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a backtest; times are log time, the recording's own, in nanoseconds.

    `halted` is why trading was halted at the end, `faulted` what our own code raised and where.
    """

    recording: str
    turns: int
    events: int
    first_time: Nanos
    last_time: Nanos
    seconds: float
    events_per_second: float
    digest: str
    head: str
    statistics: Statistics
    halted: str
    faulted: str
    out: str


class Tally(msgspec.Struct):
    """What is counted while a backtest runs."""

    turns: int = 0
    hedges: int = 0
    head: bytes = b""
    first_time: Nanos = Nanos(0)
    last_time: Nanos = Nanos(0)
    faulted: str = ""

    def take(self, sealed: Sealed) -> None:
        """Count a turn."""
        at = sealed.turn.at
        self.first_time = self.first_time if self.turns else at
        self.last_time = at
        self.turns += 1
        self.head = sealed.hash
        for decision in sealed.turn.decisions:
            self._decided(decision)

    def _decided(self, decision: Decision) -> None:
        match decision:
            case PlaceOrder(reason="hedge"):
                self.hedges += 1
            case EngineFaulted(error=error, where=where):
                self.faulted = f"{error} in {where}"


def backtested(config: Config, path: Path, session: Path | None) -> Backtested:
    """Play the whole recording; the session's log is written when `session` is given."""
    feed = RecordedFeed(path)
    check(config.engine, feed.instruments)
    gateway = PaperGateway(config.paper.settings, config.seed)
    messages = feed.messages(Nanos(0))
    for instrument in feed.instruments:
        gateway.define(Nanos(0), instrument)
    run = Backtest(gateway)
    facts = opening(config, f"{config.desk}-backtest", "backtest", feed.instruments, Nanos(0))
    began, tally = time.monotonic(), Tally()
    with progress("backtest", None) as advance, _written(session, config.desk) as writer:
        for sealed in run.turns(facts, messages, Nanos(0)):
            tally.take(sealed)
            if writer is not None:
                writer.append(sealed)
            advance(sealed.turn.size)
    seconds = time.monotonic() - began
    events = run.engine.events
    return Backtested(
        recording=str(path),
        turns=tally.turns,
        events=events,
        first_time=tally.first_time,
        last_time=tally.last_time,
        seconds=seconds,
        events_per_second=events / max(seconds, 1e-9),
        digest=run.engine.digest(),
        head=tally.head.hex(),
        statistics=statistics(run.engine, tally.hedges),
        halted=run.engine.state.health.halted,
        faulted=tally.faulted,
        out=str(session or ""),
    )


@contextlib.contextmanager
def _written(out: Path | None, name: str) -> Iterator[ArchiveWriter | None]:
    """A writer of the session's log; what it wrote is removed again when the run breaks off."""
    if out is None:
        yield None
        return
    made = [each for each in (out, *out.parents) if not each.exists()]
    with ArchiveWriter(out, name=name, kind="session") as writer:
        whole = False
        try:
            yield writer
            writer.flush()
            whole = True
        finally:  # After Ctrl-C too: half a session must not pass for a whole one.
            if not whole:
                _remove(out, made)


def _remove(out: Path, made: list[Path]) -> None:
    """Empty a directory that was empty before, and remove those that were not there."""
    for entry in out.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for each in made:
        with contextlib.suppress(OSError):  # Somebody else put something there meanwhile.
            each.rmdir()


def show_backtested(result: Backtested) -> None:
    """Print what came of it."""
    numbers = result.statistics
    out.print(
        f"{result.turns:,} turns, {result.events:,} events in {result.seconds:.2f} s: "
        f"{result.events_per_second:,.0f}/s"
    )
    if result.turns:
        out.print(f"from {iso(result.first_time)} to {iso(result.last_time)}")
    if result.halted:
        out.print("[bold red]halted[/]: ", end="")
        out.print(f"{result.halted}. {result.faulted}".rstrip(), markup=False)
    rows = [
        (
            each.strategy,
            each.instrument,
            each.fills,
            f"{each.position:f} @ {each.entry:f}" if each.position else "flat",
            each.realised,
            each.unrealised,
            -each.fees,
            each.funding,
            f"{each.total:+f} {each.currency}",
        )
        for each in numbers.standings
    ]
    columns = ("strategy", "instrument", "fills", "position", "realised", "unrealised")
    table("", (*columns, "fees", "funding", "P&L"), rows)
    out.print(f"orders {numbers.orders:,} placed, {numbers.open} open, hedges {numbers.hedges}")
    out.print(f"state  {result.digest}")
    out.print(f"head   {result.head}")
    if result.out:
        out.print(f"session log in {result.out}")
