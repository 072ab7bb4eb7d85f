"""`mm log`: what sessions and recordings there are, what is on them, and whether they are whole."""

import asyncio
import time
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mm.apps.cli.output import emit_json, emit_json_line, err, flush, progress
from mm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mm.apps.exports import Exported
    from mm.apps.finding import Place
    from mm.apps.inspection import Inspected
    from mm.apps.reading import Reading
    from mm.apps.selection import Selection
    from mm.apps.tally import LogStatistics

LIMIT: Final = 100
TAIL: Final = 10

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at logs: list, count, show, check, follow, export.",
    epilog="A SESSION is a desk's name, a recording's name, or a path; none means the latest one.",
)

Session = Annotated[
    str, typer.Argument(help="Desk, recording or path; default: the latest session.")
]
Data = Annotated[Path | None, typer.Option(help="Directory of all desks.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="Only these kinds: order.filled, or order.*; several with ','."),
]
Symbol = Annotated[str, typer.Option(help="Only this instrument: BTCUSDT, or venue:BTCUSDT.")]

LS: Final = """
Example:

    mm log ls

`ended` is an end in good order, `cut off` an end without a word, `halted` waits for a person.
"""
STATS: Final = """
Example:

    mm log stats demo
"""
SHOW: Final = """
Examples:

    mm log show demo --last 20

    mm log show demo --kind order.filled,order.rejected --json

    mm log show demo --from 1203 --limit 5      (what `because of #1203` was)
"""
CHECK: Final = """
Example:

    mm log check demo

Damage is reported by turn and sequence, and ends with exit code 4. Nothing is repaired; a snapshot
that is not the state of a full fold is deleted, and the log is whole without it.
"""
TAIL_EXAMPLE: Final = """
Example:

    mm log tail demo --kind order.filled

With --json every event is one line. Ctrl-C ends it.
"""
EXPORT: Final = """
Examples:

    mm log export demo --out demo-copy

    mm log export demo --out fills --kind order.filled
"""


@app.command(epilog=LS)
def ls(data: Data = None, as_json: Json = False) -> None:
    """List every session and recording, without reading their logs."""
    from mm.apps.cli.log_tables import show_inventory
    from mm.apps.inventory import inventory
    from mm.apps.sessions import data_dir

    entries = inventory(data)
    if as_json:
        emit_json(entries)
    else:
        show_inventory(entries, data_dir(data))


@app.command(epilog=STATS)
def stats(session: Session = "", data: Data = None, as_json: Json = False) -> None:
    """Count events, bytes and rates by kind and instrument."""
    from mm.apps.cli.log_tables import show_statistics

    began = time.monotonic()
    found = asyncio.run(_counted(session, data))
    if as_json:
        emit_json(found)
    else:
        show_statistics(found, time.monotonic() - began)


@asynccontextmanager
async def _opened(session: str, data: Path | None) -> "AsyncIterator[Reading]":
    """A session or recording; its server may take a while to start."""
    from mm.apps.reading import locate, opened

    with ExitStack() as bar:
        bar.enter_context(progress("opening", None))
        async with opened(locate(session or None, data)) as reading:
            bar.close()
            yield reading


async def _counted(session: str, data: Path | None) -> "LogStatistics":
    from mm.apps.exports import log_name
    from mm.apps.tally import Tally

    tally = Tally()
    async with _opened(session, data) as reading:
        with progress("counting", reading.head.number) as advance:
            async for sealed in reading.turns():
                tally.take(sealed)
                advance(1)
    return tally.result(log_name(reading.path))


@app.command(epilog=SHOW)
def show(
    session: Session = "",
    from_event: Annotated[int | None, typer.Option("--from", help="From this event on.")] = None,
    turn: Annotated[int | None, typer.Option(help="The events of this turn.")] = None,
    last: Annotated[int | None, typer.Option(help="The last events.")] = None,
    kind: Kinds = None,
    symbol: Symbol = "",
    order: Annotated[str, typer.Option(help="Only what concerns this order id.")] = "",
    limit: Annotated[
        int | None,
        typer.Option(min=1, help=f"So many events at most; without --last {LIMIT}."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show events, one a line, in human units; --json has the raw values too."""
    from mm.apps.finding import place
    from mm.apps.selection import selection

    where, chosen = place(from_event, turn, last), selection(kind or (), symbol, order)
    if where.last is not None:
        limit = min(where.last, limit or where.last)
        where = place(None, None, limit)
    asyncio.run(_show(session, data, where, chosen, limit=limit or LIMIT, as_json=as_json))


async def _show(
    session: str,
    data: Path | None,
    where: "Place",
    chosen: "Selection",
    *,
    limit: int,
    as_json: bool,
) -> None:
    from mm.apps.cli.log_lines import Printer
    from mm.apps.finding import Finder
    from mm.apps.reading import closing
    from mm.apps.selection import require_symbol
    from mm.apps.wording import described

    documents = []
    count, more = 0, None
    async with _opened(session, data) as reading:
        instruments = await reading.instruments()
        printer = Printer(instruments)
        require_symbol(chosen.symbol, instruments, str(reading.path))
        with ExitStack() as bar:
            advance = bar.enter_context(progress("searching", reading.head.number))
            finder = Finder(reading, chosen, instruments, advance)
            async with closing(finder.events(where)) as found:
                async for record in found:
                    if count == limit:
                        more = record.number
                        break
                    count += 1
                    if as_json:
                        documents.append(described(record, instruments))
                    else:
                        bar.close()  # It gives way to the first line.
                        printer.tell(record)
    if as_json:
        emit_json(documents)
    elif more is not None:
        err.print(f"[dim]{count:,} events; there are more: go on with --from {more}[/]")
    elif not count:
        err.print("[dim]no event is like that[/]")


@app.command(epilog=CHECK)
def check(session: Session = "", data: Data = None, as_json: Json = False) -> None:
    """Check every turn: hashes, links, numbers, times, subjects, copy, archive, mark, snapshot."""
    from mm.apps.cli.log_tables import show_inspected

    found = asyncio.run(_checked(session, data))
    if as_json:
        emit_json(found)
    else:
        show_inspected(found)


async def _checked(session: str, data: Path | None) -> "Inspected":
    from mm.apps.inspection import Inspection
    from mm.apps.reading import locate

    inspection = Inspection(locate(session or None, data))
    with progress("checking", inspection.expected or None) as advance:
        inspection.watch(advance)
        return await inspection.run()


@app.command(epilog=TAIL_EXAMPLE)
def tail(
    session: Session = "",
    kind: Kinds = None,
    symbol: Symbol = "",
    lines: Annotated[int, typer.Option("-n", min=0, help="Begin with the last events.")] = TAIL,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Follow a running session: events as they become durable."""
    from mm.apps.selection import selection

    asyncio.run(_tail(session, data, selection(kind or (), symbol), lines, as_json=as_json))


async def _tail(
    session: str, data: Path | None, chosen: "Selection", lines: int, *, as_json: bool
) -> None:
    from mm.apps.cli.log_lines import Printer
    from mm.apps.finding import Finder, Place
    from mm.apps.following import Follower
    from mm.apps.reading import closing, learn
    from mm.apps.wording import described
    from mm.events.turn import Record, records

    async with _opened(session, data) as reading:
        follower, instruments = Follower(reading), await reading.instruments()
        printer = Printer(instruments)

        def told(record: Record) -> None:
            if as_json:
                emit_json_line(described(record, instruments))
            else:
                printer.tell(record)

        with progress("searching", reading.head.number) as advance:
            finder = Finder(reading, chosen, instruments, advance)
            end = [each async for each in finder.events(Place(last=lines))] if lines else []
        for record in end:
            told(record)
        flush()
        async with closing(follower.turns()) as turns:
            async for sealed in turns:
                learn(instruments, sealed)
                for record in records(sealed.turn):
                    if chosen.takes(record, instruments):
                        told(record)
                flush()


@app.command(epilog=EXPORT)
def export(
    session: Session = "",
    out_path: Annotated[Path | None, typer.Option("--out", help="New directory.")] = None,
    kind: Kinds = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an older export.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write a log as Parquet: an archive of its own, or plain tables of some kinds."""
    from mm.apps.cli.log_tables import show_exported
    from mm.apps.selection import selection

    if out_path is None:
        raise ConfigError(
            "no directory to write to", where="mm log export", remedy="name one with --out"
        )
    done = asyncio.run(_exported(session, data, out_path, selection(kind or ()), force=force))
    if as_json:
        emit_json(done)
    else:
        show_exported(done)


async def _exported(
    session: str, data: Path | None, out_path: Path, chosen: "Selection", *, force: bool
) -> "Exported":
    from mm.apps import exports
    from mm.apps.reading import locate

    path = locate(session or None, data)
    exports.require_room(out_path, path, force=force)
    async with _opened(session, data) as reading:
        with progress("exporting", reading.head.number) as advance:
            return await exports.export(reading, out_path, chosen, advance)
