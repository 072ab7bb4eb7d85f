"""`mm adapter`: what a venue's adapter makes of what the venue said."""

from pathlib import Path
from typing import Annotated, Final

import typer

from mm.apps.cli.output import emit_json, out, table
from mm.errors import ReplayDiverged

EXAMPLE: Final = """
Example:

    mm adapter regress recordings/btc.raw

Raw frames are what `mm record --raw` keeps beside a recording.
"""
SUFFIX: Final = ".raw"

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def adapter() -> None:
    """What a venue's adapter makes of what the venue said."""


@app.command(epilog=EXAMPLE)
def regress(
    raw: Annotated[Path, typer.Argument(help="Directory of raw frames.")],
    *,
    against: Annotated[
        Path | None, typer.Option(help="The recording made with them; else RAW without `.raw`.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Parse raw frames anew and compare with what was recorded of them."""
    from mm.apps.regression import regress as compared

    recording = against or raw.with_name(raw.name.removesuffix(SUFFIX))
    result = compared(raw, recording)
    if as_json:
        emit_json(result)
    else:
        rows = [(kind, f"{count:,}") for kind, count in result.kinds.items()]
        table(f"{result.raw}, parsed by this version", ["fact", "count"], rows)
        out.print(
            f"{result.entries:,} frames and events, {result.unread:,} unread; {result.same:,} of "
            f"{result.recorded:,} recorded facts are the same",
            markup=False,
        )
        for each in result.differences:
            out.print(f"{each.place}: - {each.recorded}\n   + {each.parsed}", markup=False)
    if result.differences:
        raise ReplayDiverged(
            "the present parser says something else",
            where=result.raw,
            remedy="where that is an improvement, record the facts anew from the raw frames",
        )
