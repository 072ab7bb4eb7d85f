"""An archive, or several, as a DuckDB connection: a view for each kind of event, and the rest.

The views are laid over the archive's files without loading them. After that the database is locked:
it can neither read nor write anything outside itself, so that a question to the log is never more
than a question. Files are compared with the manifest first, so that damage is never answered from.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
from pyarrow import dataset

from mm.analytics import kinds
from mm.analytics.catalog import needed, statements
from mm.analytics.folded import FOLDS, joined
from mm.analytics.statements import sections, statement
from mm.errors import QueryError, SessionError
from mm.events.vocabulary import KINDS
from mm.log.archive import Archive, is_archive
from mm.log.columns import TURNS
from mm.log.spans import TURN_COLUMNS

Connection = duckdb.DuckDBPyConnection
Paths = Path | str | Sequence[Path | str]
Tick = Callable[[float], None]
QUESTIONS: Final = (
    duckdb.StatementType.SELECT,
    duckdb.StatementType.EXPLAIN,
    duckdb.StatementType.MULTI,
)
TICK_SECONDS: Final = 0.1
REMEDY: Final = "`mm query --views` lists every view with its columns"
NEAREST_MAX: Final = 3
NEAR: Final = 0.5
"""How alike a name has to be to be suggested."""
_NO_TABLE: Final = re.compile(r"Table with name (\S+) does not exist")
LOADED_ROWS_MAX: Final = 50_000
"""Kinds of event with more rows than this are read from their files at every question."""


def find_archive(path: Path | str) -> Path:
    """The archive at `path`, or of the session at `path`; raises `SessionError`."""
    for place in (Path(path), Path(path) / "archive"):
        if is_archive(place):
            return place
    raise SessionError(
        "there is no archive",
        where=str(path),
        remedy="name a recording or a session; a session's archive is written when it ends, "
        "`mm log export SESSION --out DIRECTORY` writes one before",
    )


def connect(paths: Paths, *, asked: str | None = None, watched: bool = False) -> Connection:
    """Open archives or sessions for questions; every view has a column `archive`.

    With `asked`, the one question that will be put, only what it needs is laid out. With `watched`
    it can be told how far a question is, which in a notebook would need a widget. Raises
    `SessionError` where there is no archive, `LogDamaged` where a file is not what was written.
    """
    several = [paths] if isinstance(paths, Path | str) else list(paths)
    archives = _named([Archive(find_archive(path)) for path in several])
    for archive in archives.values():
        archive.check_files()
    connection = duckdb.connect(":memory:")
    connection.execute(statement("macros"))
    _know(connection, "kinds", joined(archives, kinds.counts, kinds.COUNTS))
    wanted = needed(asked)
    for tag in (*KINDS, TURNS):
        if kinds.source(tag) in wanted:
            _lay(connection, tag, archives)
    for name, (fold, schema) in FOLDS.items():
        _know(connection, name, joined(archives if name in wanted else {}, fold, schema))
    for name, text in statements().items():
        if text and name in wanted:
            connection.execute(text)
    if watched:
        connection.execute(statement("progress"))
    connection.execute(statement("settings"))
    return connection


def ask(
    connection: Connection,
    sql: str,
    *,
    rows_max: int | None = None,
    tick: Tick | None = None,
) -> pa.Table:
    """Put one question; Ctrl-C ends it, `tick` is told how much of it is done, in per cent.

    Raises `QueryError`, which names the nearest views where the one asked is none.
    """
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(_answer, connection, sql, rows_max)
        try:
            while wait([future], TICK_SECONDS).not_done:
                if tick is not None:
                    tick(connection.query_progress())
        except KeyboardInterrupt:
            while wait([future], TICK_SECONDS).not_done:
                connection.interrupt()  # It notices only while it works, and never Ctrl-C itself.
            raise
        return future.result()


def _answer(connection: Connection, sql: str, rows_max: int | None) -> pa.Table:
    try:
        _check_question(connection, sql)
        answer = connection.sql(sql)
        limited = answer if rows_max is None else answer.limit(rows_max)
        return limited.to_arrow_table()
    except duckdb.Error as error:
        raise QueryError(_explained(error), where=sql.strip(), remedy=REMEDY) from error


def _check_question(connection: Connection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in QUESTIONS:
        raise QueryError(
            "this is not one question",
            where=sql.strip(),
            remedy="ask with one SELECT, FROM, WITH, PIVOT, DESCRIBE, SUMMARIZE or EXPLAIN",
        )


def query(
    paths: Paths,
    sql: str,
    *,
    rows_max: int | None = None,
    tick: Tick | None = None,
) -> pa.Table:
    """Put one question to archives or sessions; see `connect` and `ask`."""
    connection = connect(paths, asked=sql, watched=tick is not None)
    try:
        return ask(connection, sql, rows_max=rows_max, tick=tick)
    finally:
        connection.close()


def views(connection: Connection) -> dict[str, list[tuple[str, str]]]:
    """Every view by name, with the names and types of its columns."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, column, kind in connection.execute(statement("views")).fetchall():
        found.setdefault(name, []).append((column, kind))
    return found


def _explained(error: duckdb.Error) -> str:
    """What DuckDB says; of a view that is none, the nearest of ours, not of its own tables."""
    said = str(error).strip()
    match = _NO_TABLE.search(said) if isinstance(error, duckdb.CatalogException) else None
    if match is None:
        return said
    known = sorted(name for name in {*statements(), "kinds"} if not name.startswith("_"))
    near = difflib.get_close_matches(match[1].lower(), known, n=NEAREST_MAX, cutoff=NEAR)
    guess = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"there is no view {match[1]!r}{guess}"


def _named(archives: Sequence[Archive]) -> dict[str, Archive]:
    """Each archive by its name, or by name and directory where the name is not its own."""
    names = [archive.manifest.name for archive in archives]
    return {
        name if names.count(name) == 1 else f"{name} in {archive.path}": archive
        for name, archive in zip(names, archives, strict=True)
    }


def _lay(connection: Connection, tag: str, archives: Mapping[str, Archive]) -> None:
    """Give the rows of one kind a name in the database."""
    template = sections("source")
    schema = TURN_COLUMNS if tag == TURNS else kinds.schema(tag)
    parts = []
    for number, (name, archive) in enumerate(archives.items()):
        table = f"_{number}{kinds.source(tag)}"
        files = archive.files(tag)
        found = dataset.dataset(files, schema=schema) if files else schema.empty_table()
        connection.register(table, found)
        quoted = name.replace("'", "''")
        parts.append(template["part"].format(archive=quoted, table=table))
    rows = sum(archive.manifest.rows.get(tag, 0) for archive in archives.values())
    way = template["loaded" if rows <= LOADED_ROWS_MAX else "laid"]
    joined = f"\n{template['joint']}\n".join(parts)
    connection.execute(way.format(source=kinds.source(tag), parts=joined))


def _know(connection: Connection, name: str, table: pa.Table) -> None:
    """Copy a small table into the database."""
    connection.register("given", table)
    connection.execute(sections("source")["known"].format(name=name, table="given"))
    connection.unregister("given")
