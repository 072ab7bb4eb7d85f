"""`mm demo`: a 30-second paper session on an embedded log, and the proof that it replays."""

import asyncio
import os
import shutil
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mm.apps import config as configs
from mm.apps.cli.live import duration_of, play, refuse_halted, run, show
from mm.apps.cli.output import emit_json, err
from mm.apps.cli.replay import show_verified, verified
from mm.apps.sessions import desk_files
from mm.errors import ReplayDiverged

app = typer.Typer(add_completion=False)
DESK: Final = "demo"
"""The one desk that a demo may delete, whatever the environment says."""
EXAMPLE: Final = """
Example:

    mm demo --seconds 10
"""


@app.command(epilog=EXAMPLE)
def demo(
    seconds: Annotated[float, typer.Option(help="How long to trade.")] = 30,
    data: Annotated[Path | None, typer.Option(help="Directory of all desks.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Trade a synthetic market on paper, then verify the session from its log."""
    text = resources.files("mm.apps").joinpath("demo.toml")
    plain: dict[str, Any] = configs.read(Path(str(text)))
    config = configs.build(
        plain, os.environ, {"duration": duration_of(seconds), "desk": DESK}, where="demo.toml"
    )
    files = desk_files(config.desk, data)
    if files.root.exists():
        shutil.rmtree(files.root)  # The demo's own desk: each run is a first run.
    err.print(
        f"Making a market for {seconds:g} s: a synthetic BTC perpetual, a simulated venue with "
        "order latency and queues,\nan embedded JetStream log with fsync on every turn. No keys, "
        "no network, no database.\n"
    )
    report = run(play(config, data))
    if not as_json:
        show(report, as_json=False)
        err.print()
        err.rule("the proof: mm replay verify demo", align="left")
    result = asyncio.run(verified(files.root))
    if as_json:
        emit_json({"session": report, "verified": result})
    else:
        show_verified(result)
        err.print(f"\nLook further:  [bold]mm log stats {files.root}[/]")
        err.print(f"               [bold]mm query 'FROM fills' --session {files.root}[/]")
    if result.verification.difference is not None:
        raise ReplayDiverged("the demo did not replay", where=str(files.root))
    refuse_halted(report)
