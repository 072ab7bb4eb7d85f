"""`mm replay compare`: two finished runs beside each other."""

from pathlib import Path
from typing import Annotated, Final

import typer

from mm.apps.cli.output import emit_json, out

EXAMPLE: Final = """
Example:

    mm replay compare run1 run2 --report both.html
"""


def command(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run, from `--run`.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another run.")],
    report: Annotated[
        Path | None, typer.Option(help="Write both to a page with plots, in this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show every figure of two backtests side by side, with the difference."""
    from mm.analytics.comparison import compared, comparison, write_comparison
    from mm.analytics.run import Run

    # Runs over one recording share its name: what was typed tells them apart.
    a, b = Run.open(first).named(str(first)), Run.open(second).named(str(second))
    if report is not None:
        write_comparison(a, b, report)
    if as_json:
        emit_json(compared(a, b))
        return
    out.print(comparison(a, b))
    if report is not None:
        out.print(f"page in {report}", markup=False)


def attach(app: typer.Typer) -> None:
    """Add the command to a group."""
    app.command("compare", epilog=EXAMPLE)(command)
