"""An archive, or several, as a DuckDB connection: a view for each kind of event, and the rest.

The views are laid over the archive's files without loading them. After that the database is locked:
it can neither read nor write anything outside itself, so that a question to the log is never more
than a question. Files are compared with the manifest first, so that damage is never answered from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
from pyarrow import dataset

from mm.analytics import kinds
from mm.analytics.book_top import SCHEMA, book_top
from mm.analytics.statements import sections, statement
from mm.errors import Interrupted, QueryError, SessionError
from mm.events.vocabulary import KINDS
from mm.log.archive import Archive, is_archive
from mm.log.columns import TURNS
from mm.log.spans import TURN_COLUMNS
from mm.projections.lifecycle import CLOSED, NEXT, RESOLVED, Status

DERIVED: Final = (
    "turns",
    "top",
    "fill_once",
    "fills",
    "order_answer",
    "orders",
    "position",
    "account_money",
    "equity",
    "quotes_own",
    "latency",
)
"""Views over views, each after those that it asks."""
BOOKISH: Final = re.compile(r"\b(top|fills|equity|position|orders|quotes_own)\b", re.IGNORECASE)
"""Questions that may need the folded book; to fold it for others would only cost time."""
LOADED_ROWS_MAX: Final = 50_000
"""Kinds of event with more rows than this are read from their files at every question."""
Connection = duckdb.DuckDBPyConnection


def find_archive(path: Path | str) -> Path:
    """The archive at `path`, or of the session at `path`; raises `SessionError`."""
    for place in (Path(path), Path(path) / "archive"):
        if is_archive(place):
            return place
    raise SessionError(
        "there is no archive",
        where=str(path),
        remedy="name a recording or a session; a session's archive is written when it ends",
    )


def connect(paths: Path | str | Sequence[Path | str], *, book: bool = True) -> Connection:
    """Open archives or sessions for questions; every view has a column `archive`.

    Without `book` the view `top` lacks instruments that have depth but no quotes. Raises
    `SessionError` where there is no archive, `LogDamaged` where a file is not what was written.
    """
    several = [paths] if isinstance(paths, Path | str) else list(paths)
    archives = [Archive(find_archive(path)) for path in several]
    connection = duckdb.connect(":memory:")
    connection.execute(statement("macros"))
    for archive in archives:
        archive.check_files()
    for tag in (*KINDS, TURNS):
        _lay(connection, tag, archives)
    _know(connection, "_lifecycle", _lifecycle())
    _know(connection, "_ending", _endings())
    _know(connection, "kinds", _counts(archives))
    _know(connection, "_book_top", _book_tops(archives, book=book))
    connection.execute(statement("instrument_step"))
    for tag in KINDS:
        connection.execute(kinds.view(tag))
    for name in DERIVED:
        connection.execute(statement(name))
    connection.execute(statement("settings"))
    return connection


def ask(connection: Connection, sql: str, *, rows_max: int | None = None) -> pa.Table:
    """Put one question; raises `QueryError` with the views there are where SQL is wrong."""
    try:
        answer = connection.sql(sql)
        if answer is None:
            raise QueryError("this is no question", where=sql.strip(), remedy=_remedy(connection))
        limited = answer if rows_max is None else answer.limit(rows_max)
        return limited.to_arrow_table()
    except duckdb.InterruptException:
        raise Interrupted("interrupted") from None
    except duckdb.Error as error:
        raise QueryError(
            str(error).strip(), where=sql.strip(), remedy=_remedy(connection)
        ) from error


def query(
    paths: Path | str | Sequence[Path | str], sql: str, *, rows_max: int | None = None
) -> pa.Table:
    """Put one question to archives or sessions; see `connect` and `ask`."""
    connection = connect(paths, book=bool(BOOKISH.search(sql)))
    try:
        return ask(connection, sql, rows_max=rows_max)
    finally:
        connection.close()


def views(connection: Connection) -> dict[str, list[tuple[str, str]]]:
    """Every view by name, with the names and types of its columns."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, column, kind in connection.execute(statement("views")).fetchall():
        found.setdefault(name, []).append((column, kind))
    return found


def _remedy(connection: Connection) -> str:
    return f"`mm query --views` shows all columns; the views are {', '.join(views(connection))}"


def _lay(connection: Connection, tag: str, archives: Sequence[Archive]) -> None:
    """Give the rows of one kind a name in the database."""
    template = sections("source")
    schema = TURN_COLUMNS if tag == TURNS else kinds.schema(tag)
    parts = []
    for number, archive in enumerate(archives):
        table = f"_{number}{kinds.source(tag)}"
        files = archive.files(tag)
        found = dataset.dataset(files, schema=schema) if files else schema.empty_table()
        connection.register(table, found)
        name = archive.manifest.name.replace("'", "''")
        parts.append(template["part"].format(archive=name, table=table))
    rows = sum(archive.manifest.rows.get(tag, 0) for archive in archives)
    way = template["loaded" if rows <= LOADED_ROWS_MAX else "laid"]
    joined = f"\n{template['joint']}\n".join(parts)
    connection.execute(way.format(source=kinds.source(tag), parts=joined))


def _know(connection: Connection, name: str, table: pa.Table) -> None:
    """Copy a small table into the database."""
    connection.register("given", table)
    connection.execute(sections("source")["known"].format(name=name, table="given"))
    connection.unregister("given")


def _lifecycle() -> pa.Table:
    """The engine's own table of what an answer makes of a status, as one map."""
    live = [status for status in Status if status not in CLOSED]
    following = {(status, str(_tag(kind))): after for (status, kind), after in NEXT.items()}
    following |= {
        (status, f"order.resolved {resolution}"): after
        for status in live
        for resolution, after in RESOLVED.items()
    }
    following |= {(status, "order.filled whole"): Status.FILLED for status in live}
    pairs = [(f"{status} {answer}", str(after)) for (status, answer), after in following.items()]
    kind = pa.map_(pa.string(), pa.string())
    return pa.table({"next": pa.array([pairs], kind)})


def _tag(kind: type) -> str:
    return next(tag for tag, known in KINDS.items() if known is kind)


def _endings() -> pa.Table:
    """The answers that close any order that is still live, and how."""
    (following,) = _lifecycle()["next"].to_pylist()
    ends: dict[str, set[str]] = {}
    for pair, after in following:
        status, _, answer = pair.partition(" ")
        if status not in CLOSED:
            ends.setdefault(answer, set()).add(after)
    closing = {answer: after.pop() for answer, after in ends.items() if after <= {*CLOSED}}
    return pa.table({"answer": list(closing), "status": list(closing.values())})


def _counts(archives: Sequence[Archive]) -> pa.Table:
    rows = [
        (kinds.VIEWS.get(tag, tag), tag, count, archive.manifest.name)
        for archive in archives
        for tag, count in archive.manifest.rows.items()
    ]
    names = ("view", "kind", "rows", "archive")
    types = (pa.string(), pa.string(), pa.int64(), pa.string())
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)],
        names=list(names),
    )


def _book_tops(archives: Sequence[Archive], *, book: bool) -> pa.Table:
    tables = []
    for archive in archives:
        table = book_top(archive) if book else SCHEMA.empty_table()
        name = pa.array([archive.manifest.name] * len(table), pa.string())
        tables.append(table.append_column("archive", name))
    return pa.concat_tables(tables)
