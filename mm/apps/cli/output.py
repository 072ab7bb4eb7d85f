"""What the command line prints: tables for people, JSON for programs, errors for both.

With `--json` stdout carries exactly one JSON document (`mm log tail`: one a line); everything meant
for people (progress, notes, errors in words) goes to stderr. What only some commands need is
imported when they do.
"""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, Never

from rich.console import Console
from rich.text import Text

from mm.errors import MmError


class Terminal(Console):
    """A console that tells its caller when nobody reads any more, and counts JSON documents."""

    documents = 0

    def on_broken_pipe(self) -> Never:
        """Pass the error on, so that `main` ends the process as any filter would."""
        self.quiet = True
        raise BrokenPipeError


out: Final = Terminal(highlight=False, soft_wrap=True)
err: Final = Terminal(stderr=True, highlight=False, soft_wrap=True)
WHOLE_FROM: Final = 1_000
"""From here on, decimals only distract."""
PATIENCE_SECONDS: Final = 0.7
"""What takes less needs no bar: it would only flicker."""
REFRESH_SECONDS: Final = 0.05
"""How often a progress bar moves: one turn is far quicker than its drawing."""
FILE_COLUMNS: Final = 240
"""Width of a table that goes to a file or a pipe."""
Advance = Callable[[float], None]


def emit_json(document: Any) -> None:
    """Write one JSON document to stdout; decimals become strings, bytes hexadecimal."""
    import msgspec

    out.documents += 1
    encoded = msgspec.json.encode(document, enc_hook=_plain)
    sys.stdout.write(msgspec.json.format(encoded, indent=2).decode() + "\n")


def emit_json_line(document: Any) -> None:
    """Write a JSON document of one line: a stream of them has no end to wait for."""
    import msgspec

    out.documents += 1
    encoded = msgspec.json.encode(document, enc_hook=_plain)
    sys.stdout.write(encoded.decode() + "\n")


def flush() -> None:
    """Let a pipe have what was printed so far."""
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    return str(value)


def fail(error: MmError, *, as_json: bool) -> int:
    """Report an error where it is looked for; returns the exit code.

    A command that has given its document already, with what it found, does not give a second one.
    """
    if as_json and not out.documents:
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


Piece = tuple[str, str]
"""Words and their style."""


def write(pieces: Sequence[Piece]) -> None:
    """Print one line of a long listing; a terminal gets colours, and no more than its width."""
    if out.is_terminal:
        out.print(Text.assemble(*pieces), no_wrap=True, overflow="ellipsis", soft_wrap=False)
    else:
        sys.stdout.write("".join([words for words, _ in pieces]) + "\n")


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    room: int = FILE_COLUMNS,
) -> None:
    """Print a table; numbers stand to the right. A terminal's width folds it, or else `room`."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    heading = Text(title, style="bold") if title else None
    grid = Table(title=heading, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    cells = [[_cell(value) for value in row] for row in rows]
    for index, column in enumerate(columns):
        texts = [row[index].plain for row in cells]
        numeric = bool(texts) and all(map(_NUMBER.fullmatch, texts))
        justify: Literal["left", "right"] = "right" if numeric else "left"
        moments = bool(texts) and all(map(_MOMENT.fullmatch, texts))
        whole = numeric or moments  # Half a number, or half a time, is a wrong one.
        least = max(map(len, texts)) if whole else None
        grid.add_column(column, justify=justify, overflow="fold", min_width=least, no_wrap=whole)
    for row in cells:
        grid.add_row(*row)
    wide = Terminal(highlight=False, soft_wrap=True, width=room)
    (out if out.is_terminal else wide).print(grid)


def _cell(value: object) -> Text:
    return value if isinstance(value, Text) else Text(_worded(value))


def _worded(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < WHOLE_FROM else f"{value:,.0f}"
    return str(value)


_NUMBER: Final = re.compile(r"[-+]?[\d,.]+( ?[kMGT]?B|%)?|\?|")
"""With a unit of size or a percent sign; an unknown one counts as well."""

_MOMENT: Final = re.compile(r"(([0-9]{4}-)?[0-9]{2}-[0-9]{2} )?[0-9]{2}:[0-9]{2}(:[0-9.]+)?|\?|")


@contextmanager
def progress(label: str, total: float | None, *, quiet: bool = False) -> Iterator[Advance]:
    """A progress bar on stderr, on a terminal and after a while; yields `advance(amount)`."""
    if quiet or not err.is_terminal:
        yield lambda _amount: None
        return
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%" if total else ""),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # What a command prints meanwhile goes where it always goes, a pipe perhaps.
    bar = Progress(
        *columns, console=err, transient=True, redirect_stdout=False, redirect_stderr=False
    )
    task = bar.add_task(label, total=total)
    begin = threading.Timer(PATIENCE_SECONDS, bar.start)
    begin.start()
    try:
        yield _throttled(lambda amount: bar.advance(task, amount))
    finally:
        begin.cancel()
        begin.join()
        bar.stop()


def _throttled(advance: Advance) -> Advance:
    waiting, moved = 0.0, time.monotonic()

    def add(amount: float) -> None:
        nonlocal waiting, moved
        waiting += amount
        now = time.monotonic()
        if now - moved >= REFRESH_SECONDS:
            advance(waiting)
            waiting, moved = 0.0, now

    return add
