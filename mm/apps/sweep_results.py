"""The results of a sweep: a DuckDB file with a row for each trial, and what walking forward found.

Every parameter has a column under its dotted key, a number, a switch or text. A result is on the
disk once `put` returns, so that whatever ends the sweep loses nothing finished. One process writes.
Trials that failed are not results: the next sweep tries them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import msgspec

from mm.analytics.statements import sections
from mm.apps.sweep_space import Parameters, Value, valued
from mm.apps.sweep_trial import DONE, Figures, Outcome
from mm.apps.sweep_window import Window
from mm.errors import BadInput, ConfigError, LogUnavailable, StoreLocked

NAME: Final = "sweep.duckdb"
TYPES: Final[dict[type, str]] = {bool: "BOOLEAN", float: "DOUBLE", str: "VARCHAR"}
SQL: Final = sections("sweep")
FIGURES: Final = tuple(Figures.__struct_fields__)
OPENING: Final[dict[str, str | bool | int | float | list[str]]] = {"threads": 1}
"""The cores belong to the workers."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a result is the result of: its parameters, and where they were played."""

    number: int
    window: Window
    windows: int
    parameters: Parameters
    config_hash: str
    code: str


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """A window, and how the best parameters of the windows before it fared there.

    Scores are those of the objective; `number` None: none of the trials before had one.
    """

    recording: str
    window: int
    first: int
    last: int
    number: int | None
    parameters: Parameters
    score_before: float | None
    score: float | None
    profit: Decimal | None


def file_of(out: Path) -> Path:
    """The file that `--out` means: itself, or one in that directory, which is made."""
    file = out if out.suffix == ".duckdb" else out / NAME
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"no results can be written there: {error.strerror}",
            where=str(file.parent),
            remedy="name another directory with --out",
        ) from error
    return file


class Results:
    """A file of results, open for writing."""

    def __init__(self, file: Path) -> None:
        """Open or make it; raises `StoreLocked` while another sweep has it, and `BadInput`."""
        self.file = file
        try:
            self._database = duckdb.connect(str(file), config=OPENING)
        except duckdb.IOException as error:
            raise _unopened(file, str(error)) from error
        try:
            self._database.execute(SQL["create"])
            found = self._database.execute(SQL["columns"]).fetchall()
        except duckdb.Error as error:
            raise _foreign(file, str(error)) from error
        self._types: dict[str, str] = dict(found)

    def known(self, code: str) -> dict[str, Outcome]:
        """By key, what was finished by this code."""
        try:
            rows = self._database.execute(SQL["read"], [code]).fetchall()
        except duckdb.Error as error:
            raise _foreign(self.file, str(error)) from error
        outcomes = [_outcome(row) for row in rows]
        return {each.key: each for each in outcomes if each.status == DONE}

    def put(self, place: Place, outcome: Outcome) -> None:
        """Write a result down, in the place of what was there under its key."""
        given = {key: valued(text) for key, text in place.parameters.items()}
        row = {**_row(place, outcome), **{key: self._stored(key, given[key]) for key in given}}
        columns = ", ".join(f'"{_quoted(name)}"' for name in row)
        insert = SQL["insert"].format(columns=columns, places=", ".join("?" * len(row)))
        self._all([(SQL["forget"], [outcome.key]), (insert, list(row.values()))])

    def renumber(self, numbers: Mapping[str, int]) -> None:
        """Give results of before the numbers that they have in this sweep."""
        self._all([(SQL["number"], [number, key, number]) for key, number in numbers.items()])

    def put_walk(self, walk: Sequence[Walk]) -> None:
        """Write down how walking forward went, in the place of what was there."""
        rows = [
            [*values[:5], _json(each.parameters), *values[6:]]
            for each in walk
            if (values := list(msgspec.structs.astuple(each)))
        ]
        self._all([(SQL["forget_walk"], []), *((SQL["insert_walk"], row) for row in rows)])

    def _stored(self, key: str, value: Value) -> Value:
        """The value as its column takes it; the column is made, or widened to text."""
        kind = TYPES[type(value)]
        there = self._types.get(key)
        if there is None:
            self._database.execute(SQL["add"].format(name=_quoted(key), type=kind))
        elif there not in (kind, TYPES[str]):
            self._database.execute(SQL["widen"].format(name=_quoted(key)))
            kind = TYPES[str]
        self._types[key] = there if there == TYPES[str] else kind
        return value if self._types[key] == TYPES[type(value)] else str(value)

    def _all(self, statements: Sequence[tuple[str, list[Any]]]) -> None:
        """All of them or none; raises `LogUnavailable`."""
        try:
            self._database.begin()
            for statement, values in statements:
                self._database.execute(statement, values)
            self._database.commit()
        except duckdb.Error as error:
            raise LogUnavailable(
                f"the result cannot be written: {error}",
                where=str(self.file),
                remedy="make room on the disk; the same command goes on",
            ) from error

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self._database.close()


def _row(place: Place, outcome: Outcome) -> dict[str, Any]:
    window, figures = place.window, outcome.figures
    return {
        "key": outcome.key,
        "number": place.number,
        "recording": window.recording,
        "window": window.number,
        "windows": place.windows,
        "first": window.first,
        "last": window.last,
        "parameters": _json(place.parameters),
        "status": outcome.status,
        "error": outcome.error,
        **{name: None if figures is None else _plain(getattr(figures, name)) for name in FIGURES},
        "digest": outcome.digest,
        "config_hash": place.config_hash,
        "rows_digest": window.digest,
        "code": place.code,
        "seconds": outcome.seconds,
    }


def _outcome(row: Sequence[Any]) -> Outcome:
    key, status, error, digest, *rest = row
    *values, seconds = rest
    figures = None
    if values[0] is not None:
        found = dict(zip(FIGURES, values, strict=True))
        figures = Figures(**found | {"changes": tuple(found["changes"])})
    return Outcome(
        key=key, status=status, error=error, digest=digest, figures=figures, seconds=seconds
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _json(parameters: Parameters) -> str:
    return msgspec.json.encode(parameters).decode()


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def _unopened(file: Path, why: str) -> StoreLocked | BadInput:
    if "lock" in why:
        return StoreLocked(
            "another process has the results open",
            where=str(file),
            remedy="wait for it to end, or name another file with --out",
        )
    return _foreign(file, why)


def _foreign(file: Path, why: str) -> BadInput:
    return BadInput(
        f"this is no file of a sweep's results: {why.splitlines()[0]}",
        where=str(file),
        remedy="name another file with --out",
    )
