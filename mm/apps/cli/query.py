"""`mm query`: put a question in SQL to a session's archive or to a recording.

The answer is a table that fits the screen, or one JSON document, or CSV. Only the table is cut: to
rows as `--limit` says, and on a terminal to columns that fit, of which the raw ones (nanoseconds,
ticks, lots) leave first; what is missing is named on stderr.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mm.apps.cli.output import emit_json, err, out, progress, table
from mm.apps.sessions import DeskFiles, find
from mm.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

EXAMPLE: Final = """
Example:

    mm query "SELECT side, count(*), avg(edge_bps) FROM fills GROUP BY side" --session demo

`mm query --views` lists the views; a price is in quote units, its `_ticks` are exact.
"""
ROWS_SHOWN: Final = 50
CELL_WIDTH_MAX: Final = 40
WHOLE: Final = 10_000
"""Width of an answer that goes to a file or a pipe: no row is folded."""
MORE: Final = "Name the columns you want (SELECT time, side …), or take --csv or --json."
MILLISECONDS_END: Final = len("2026-01-01 00:00:00.000")
RAW: Final = ("_ns", "_ticks", "_lots", "_exact", "_sign", "_units")
BESIDE: Final = frozenset(
    {
        *("archive", "instrument", "turn", "index", "wallet", "fill_id", "venue_order_id"),
        *("received", "venue_time"),
    }
)
"""Columns that leave a table which is too wide after the raw ones."""

app = typer.Typer(add_completion=False, help="Ask a session's log questions in SQL.")


@app.command(epilog=EXAMPLE)
def query(
    sql: Annotated[str, typer.Argument(help="The question; DuckDB's SQL.")] = "",
    *,
    session: Annotated[
        list[str] | None,
        typer.Option("--session", "-s", help="Desk, recording or path; default: the latest."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Directory of all desks.")] = None,
    views: Annotated[bool, typer.Option("--views", help="List views and their columns.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows at most.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print rows as one document.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print rows as CSV.")] = False,
) -> None:
    """Ask a session's archive, or a recording, a question in SQL."""
    if bool(sql) == views or (as_json and as_csv):
        raise ConfigError(
            "ask either a question or for the views, and choose one way to print the answer",
            remedy='for example: mm query "FROM fills LIMIT 5", or mm query --views',
        )
    paths = [find(name, data) for name in session] if session else [find(None, data)]
    if views:
        show_views(paths, as_json=as_json, as_csv=as_csv)
        return
    for path in paths:
        tell_missing(path)
    answer = answered(paths, sql, _rows_max(limit, whole=as_json or as_csv))
    if as_json:
        emit_json([dict(zip(answer.column_names, row, strict=True)) for row in plain(answer)])
    elif as_csv:
        write_csv(answer.column_names, plain(answer))
    else:
        show(answer, limit or ROWS_SHOWN)


def _rows_max(limit: int | None, *, whole: bool) -> int | None:
    """One more than is shown tells whether there are more."""
    return limit if whole else (limit or ROWS_SHOWN) + 1


def tell_missing(path: Path) -> None:
    """Say so where the log has gone on since it was archived: a session runs, or was cut off."""
    from mm.analytics.session import find_archive
    from mm.log.archive import Archive
    from mm.log.mark import remembered

    head = remembered(DeskFiles(path).mark)
    archived = Archive(find_archive(path)).head.number if head is not None else 0
    if head is not None and head.number > archived:
        err.print(
            f"The archive ends with turn {archived:,}, the log with turn {head.number:,}: "
            f"`mm log export {path} --out DIRECTORY` writes all of it."
        )


def answered(paths: Sequence[Path], sql: str, rows_max: int | None) -> pa.Table:
    """The answer, as Arrow's columns."""
    from mm.analytics.session import query as put

    with progress("asking", 100) as advance:
        done = 0.0

        def tick(percent: float) -> None:
            nonlocal done
            advance(max(0.0, percent - done))
            done = max(done, percent)

        return put(paths, sql, rows_max=rows_max, tick=tick)


def show_views(paths: Sequence[Path], *, as_json: bool, as_csv: bool) -> None:
    """Every view with its columns; on a terminal their types are left out."""
    from mm.analytics.session import connect, views

    found = views(connect(paths, asked="SHOW TABLES"))
    if as_json:
        emit_json({name: dict(columns) for name, columns in found.items()})
    elif as_csv:
        rows = [(name, *column) for name, columns in found.items() for column in columns]
        write_csv(("view", "column", "type"), rows)
    else:
        words = [(name, ", ".join(column for column, _ in each)) for name, each in found.items()]
        table("", ("view", "columns"), words)


def plain(answer: pa.Table) -> list[tuple[Any, ...]]:
    """Rows of plain values: moments as text to the nanosecond, exact integers as integers."""
    import pyarrow.types as kinds

    columns = [
        (column.cast("string") if kinds.is_temporal(column.type) else column).to_pylist()
        for column in answer.columns
    ]
    return [tuple(map(_plain, row)) for row in zip(*columns, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value) if value.as_tuple().exponent == 0 else value
    return value.hex() if isinstance(value, bytes) else value


def write_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write rows to stdout; nothing is an empty field."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def show(answer: pa.Table, limit: int) -> None:
    """A table as wide as the screen, or whole where there is none; what was left out is named."""
    rows = [[_cell(value) for value in row] for row in plain(answer)]
    _shorten_times(answer, rows)
    widths = {
        name: min(CELL_WIDTH_MAX, max([len(name), *(len(row[at]) for row in rows)]))
        for at, name in enumerate(answer.column_names)
    }
    shown = fitting(widths, out.width) if out.is_terminal else set(widths)
    places = [at for at, name in enumerate(answer.column_names) if name in shown]
    table(
        "",
        [answer.column_names[at] for at in places],
        [[row[at] for at in places] for row in rows[:limit]],
        room=WHOLE,
    )
    if len(rows) > limit:
        err.print(f"The first {limit:,} rows; there are more: --limit, --csv or --json.")
    missing = [name for name in answer.column_names if name not in shown]
    if missing:
        left_out = f"Not shown for want of room: {', '.join(missing)}. {MORE}"
        err.print(left_out, markup=False, soft_wrap=not err.is_terminal)


def _shorten_times(answer: pa.Table, rows: list[list[str]]) -> None:
    """Milliseconds do for people; the other ways of printing have every digit."""
    import pyarrow.types as kinds

    for at, kind in enumerate(answer.schema.types):
        if kinds.is_timestamp(kind):
            for row in rows:
                row[at] = row[at][:MILLISECONDS_END]


def fitting(widths: dict[str, int], room: int) -> set[str]:
    """The columns to show: the least telling leave first, then from the right; one stays."""
    shown = list(widths)
    leaving = [name for name in reversed(shown) if name.endswith(RAW)]
    leaving += [name for name in reversed(shown) if name in BESIDE]
    leaving += [name for name in reversed(shown) if name not in leaving]
    for name in leaving[:-1]:
        if sum(widths[each] + 3 for each in shown) + 1 <= room:
            break
        shown.remove(name)
    return set(shown)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)
