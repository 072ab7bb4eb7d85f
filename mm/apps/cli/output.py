"""What the command line prints: tables for people, JSON for programs, errors for both.

With `--json` stdout carries exactly one JSON document; everything meant for people (progress,
notes, errors in words) goes to stderr.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from mm.errors import MmError

out: Final = Console(highlight=False, soft_wrap=True)
WHOLE_FROM: Final = 1_000
"""From here on, decimals only distract."""
err: Final = Console(stderr=True, highlight=False, soft_wrap=True)


def emit_json(document: Any) -> None:
    """Write one JSON document to stdout; decimals become strings, bytes hexadecimal."""
    encoded = msgspec.json.encode(document, enc_hook=_plain, order="deterministic")
    sys.stdout.write(msgspec.json.format(encoded, indent=2).decode() + "\n")


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    return str(value)


def fail(error: MmError, *, as_json: bool) -> int:
    """Report an error where it is looked for; returns the exit code."""
    if as_json:
        emit_json(
            {
                "error": type(error).__name__,
                "what": error.what,
                "where": error.where,
                "remedy": error.remedy,
                "exit_code": error.exit_code,
            }
        )
    err.print(f"[bold red]{type(error).__name__}[/]: ", end="")
    err.print(error.what, markup=False)
    for label, text in (("where", error.where), ("do", error.remedy)):
        if text:
            err.print(f"  {label}: {text}", markup=False)
    return error.exit_code


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right."""
    grid = Table(title=title, title_justify="left", header_style="bold")
    cells = [[_cell(value) for value in row] for row in rows]
    for index, column in enumerate(columns):
        numeric = bool(cells) and all(_is_number(row[index]) for row in cells)
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        grid.add_row(*row)
    out.print(grid)


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < WHOLE_FROM else f"{value:,.0f}"
    return str(value)


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("-", "").replace("%", "").isdigit()


@contextmanager
def progress(label: str, total: float | None, *, quiet: bool = False) -> Iterator[Any]:
    """A progress bar on stderr that appears only on a terminal; yields `advance(amount)`."""
    if quiet or not err.is_terminal:
        yield lambda _amount: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda amount: bar.advance(task, amount)
