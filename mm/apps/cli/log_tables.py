"""What the `mm log` commands print for people; programs take `--json`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from mm.apps.cli.output import err, out, table
from mm.apps.inventory import coverage
from mm.apps.wording import span, utc

if TYPE_CHECKING:
    from mm.apps.exports import Exported
    from mm.apps.inspection import Compared, Inspected
    from mm.apps.inventory import Entry
    from mm.apps.tally import LogStatistics, Spread, Subject

STYLES: Final = {
    "running": "bold green",
    "ended": "green",
    "recording": "green",
    "halted": "bold red",
    "cut off": "yellow",
    "damaged": "bold red",
}
YEAR_END, DATE_END, MINUTES_END = len("2026-"), len("2026-01-01"), len("2026-01-01 00:00")
WIDE: Final = 96
"""A narrower terminal has no room for what tells least: how many turns."""
UNITS: Final = ("B", "kB", "MB", "GB", "TB")
KILO: Final = 1_000


def show_inventory(entries: list[Entry], data: Path) -> None:
    """One line a session or recording; what is wrong with any comes after."""
    if not entries:
        out.print(f"nothing in {data} yet: run `mm demo`, or `mm import`", markup=False)
        return
    rows = [
        (
            each.name,
            Text(each.state, style=STYLES[each.state]),
            _moment(each.first),
            _moment(each.last, each.first),
            _known(each.turns),
            _known(each.events),
            size(each.bytes),
            coverage(each),
        )
        for each in entries
    ]
    columns = ("name", "state", "first (UTC)", "last", "turns", "events", "size", "archived")
    left = columns.index("turns") if out.is_terminal and out.width < WIDE else len(columns)
    table(
        str(data),
        columns[:left] + columns[left + 1 :],
        [row[:left] + row[left + 1 :] for row in rows],
    )
    for each in entries:
        if each.note:
            err.print(f"{each.name}: {each.note}", markup=False)


def _known(count: int | None) -> object:
    return "?" if count is None else count


def _moment(at: int | None, beside: int | None = None) -> str:
    """To the minute; without the date or year that the time beside it has too."""
    if at is None:
        return "?"
    text, other = utc(at)[:MINUTES_END], utc(beside)[:MINUTES_END] if beside is not None else ""
    if text[:DATE_END] == other[:DATE_END]:
        return text[DATE_END:].strip()
    return text[YEAR_END:] if text[:YEAR_END] == other[:YEAR_END] else text


def size(count: float) -> str:
    """Bytes in a unit that leaves at most four digits."""
    for unit in UNITS:
        if count < KILO or unit == UNITS[-1]:
            return f"{count:.3g} {unit}" if unit != "B" else f"{count:.0f} B"
        count /= KILO
    raise AssertionError("the last unit takes everything")


def show_statistics(found: LogStatistics, seconds: float) -> None:
    """The log as a whole, then every kind, the most frequent first."""
    lasted = span(found.seconds)
    if found.sessions > 1:
        lasted = f"{lasted} in {found.sessions} sessions"
    rate = found.events / max(seconds, 1e-9)
    out.print(
        f"[bold]{found.name}[/]: {found.events:,} events in {found.turns:,} turns, "
        f"{size(found.bytes)}, {found.sessions} session{'' if found.sessions == 1 else 's'}"
    )
    out.print(f"  from         {utc(found.first)} UTC")
    out.print(f"  to           {utc(found.last)} UTC  ({lasted})")
    out.print(
        f"  rates        {found.events_per_second:,.1f} events/s, "
        f"{found.updates_per_second:,.1f} updates/s (a level counting as one), "
        f"{found.turns_per_second:,.1f} turns/s"
    )
    out.print(
        f"  bytes        {found.bytes_per_event:.1f} an event, "
        f"{found.frame_bytes / max(found.bytes, 1):.1%} of them framing the turns"
    )
    out.print(f"  turn events  {_spread(found.turn_events)}")
    out.print(f"  turn bytes   {_spread(found.turn_bytes)}")
    out.print(f"  market       {_subject(found.market)}")
    out.print(f"  orders       {_subject(found.orders)}")
    venues = {each.symbol.partition(":")[0] for each in found.kinds if each.symbol}
    rows = [
        (
            each.kind,
            each.symbol.rpartition(":")[2] if len(venues) == 1 else each.symbol,
            each.events,
            each.updates,
            f"{each.events_per_second:,.2f}",
            size(each.bytes),
            f"{each.bytes_share:.1%}",
        )
        for each in found.kinds
    ]
    columns = ("kind", "instrument", "events", "updates", "events/s", "size", "of bytes")
    table("", columns, rows)
    err.print(f"[dim]counted in {seconds:.2f} s: {rate:,.0f} events/s[/]")


def _spread(spread: Spread) -> str:
    return f"mean {spread.mean:,.2f}, p50 {spread.p50:,}, p99 {spread.p99:,}, max {spread.max:,}"


def _subject(subject: Subject) -> str:
    return (
        f"{subject.turns:,} turns ({subject.turns_share:.1%}), {subject.events:,} events, "
        f"{size(subject.bytes)} ({subject.bytes_share:.1%})"
    )


def show_inspected(found: Inspected) -> None:
    """What was compared, place by place, and how fast."""
    checked = "hash, link, event numbers, order of time, subject"
    rows = [f"  turns    {found.turns:,} with {found.events:,} events: {checked}"]
    if found.stream_turns is not None:
        rows.append(f"  stream   {found.stream_turns:,} turns, each at the sequence of its number")
        rows.append(
            f"  copy     {found.copy_turns:,} turns that touch orders, byte for byte the stream's"
        )
    else:
        rows.append("  stream   no stream is kept for it: the archive alone was checked")
    if found.archive is not None:
        agrees = "; the same turns" if found.stream_turns is not None else ""
        rows.append(
            f"  archive  {found.archive.turns:,} turns in {found.archive.files:,} files, "
            f"{size(found.archive.bytes)}: every file's hash{agrees}"
        )
    if found.mark is not None:
        rows.append(f"  mark     turn {found.mark:,}: not beyond the end, and the same turn")
    elif found.stream_turns is not None:
        rows.append("  mark     none: turns lost at the end would not be noticed")
    if found.snapshot is not None or found.stream_turns is not None:
        rows.append(f"  snapshot {_compared(found.snapshot)}")
    out.print(f"[bold green]whole[/]: {found.name}")
    for row in rows:
        out.print(row, markup=False)
    if found.running:
        out.print("  (it is running: checked as far as it had come)")
    out.print(f"  head     {found.head}")
    err.print(
        f"[dim]checked in {found.seconds:.2f} s: {found.events_per_second:,.0f} events/s, "
        f"{size(found.bytes_per_second)}/s[/]"
    )


def _compared(snapshot: Compared | None) -> str:
    """What a snapshot is worth; the log is whole in each case."""
    if snapshot is None:
        return "none: the next start folds the whole log"
    unused = "the next start folds the whole log"
    said = {
        "agrees": "the state of a full fold",
        "differs": f"NOT the state of a full fold: it was deleted, and {unused}",
        "torn": f"torn, so that {unused}",
        "other code": f"made by other code, so that {unused}",
        "another log": f"of another log, which has not this one's turn, so that {unused}",
    }[snapshot.verdict]
    return said if snapshot.turn is None else f"turn {snapshot.turn:,}: {said}"


def show_exported(done: Exported) -> None:
    """Every table that was written."""
    rows = [(each.kind, each.rows, each.files, size(each.bytes)) for each in done.tables]
    table(done.out, ("kind", "rows", "files", "size"), rows)
    total = size(sum(each.bytes for each in done.tables))
    what = "an archive, ready to check, replay and query" if done.archive else "tables"
    out.print(f"{what}: {done.turns:,} turns read, {total} written to {done.out}", markup=False)
