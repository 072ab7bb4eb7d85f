"""`mm demo`: a paper session of 30 seconds on a log of its own, and the proof that it replays."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mm.apps import config as configs
from mm.apps.cli.live import Report, duration_of, play, refuse_halted, refuse_open, run, show
from mm.apps.cli.output import emit_json, err
from mm.apps.cli.replay import Verified, show_verified, verified
from mm.apps.config import Config
from mm.apps.sessions import DeskFiles, desk_files
from mm.errors import ReplayDiverged, StoreLocked
from mm.events.units import SECONDS
from mm.log.files import claim
from mm.log.store import Store

app = typer.Typer(add_completion=False)
STOP_SECONDS_MAX: Final = 10.0
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
    with _alone(files):
        asyncio.run(_clear(files))
        report, result = _played(config, data, files, as_json=as_json)
    if result.verification.difference is not None:
        raise ReplayDiverged("the demo did not replay", where=str(files.root))
    refuse_open(report)
    refuse_halted(report.ended.halted, report.ended.faulted, where=report.log)


@contextmanager
def _alone(files: DeskFiles) -> Iterator[None]:
    """Keep every other demo off this desk; raises `StoreLocked` while one is there."""
    try:
        held = claim(files.root)
    except StoreLocked as error:
        raise StoreLocked(
            "another demo is running",
            where=str(files.root),
            remedy="wait for it to end, or name another directory with --data",
        ) from error
    try:
        yield
    finally:
        os.close(held)


async def _clear(files: DeskFiles) -> None:
    """Delete what an earlier demo left: each is a first run.

    Raises `StoreLocked` while a session or a reader has the log, or somebody writes the archive.
    """
    with ExitStack() as held:
        if files.archive.is_dir():
            held.callback(os.close, claim(files.archive))
        if files.store.is_dir():
            store = Store.claim(files.store)
            held.callback(store.release)
            await store.evict(STOP_SECONDS_MAX)  # A server whose demo was killed.
        for each in files.root.iterdir():
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


def _played(
    config: Config, data: Path | None, files: DeskFiles, *, as_json: bool
) -> tuple[Report, Verified]:
    """The session and its proof, shown as they come."""
    seconds = config.duration.nanos / SECONDS
    err.print(
        f"Making a market for {seconds:g} s: a synthetic BTC perpetual, a simulated venue with "
        f"order latency and queues,\n{_log_in_words(config)}.\n"
    )
    report = run(play(config, data))
    if not as_json:
        show(report, as_json=False)
        err.print()
        err.rule("the proof: mm replay verify demo", align="left")
    result = run(verified(files.root))
    if as_json:
        emit_json({"session": report, "verified": result})
    else:
        show_verified(result)
        err.print(f"\nLook further:  [bold]mm log stats {files.root}[/]")
        err.print(f"               [bold]mm query 'FROM fills' --session {files.root}[/]")
    return report, result


def _log_in_words(config: Config) -> str:
    if os.environ.get("NATS_URL", "").strip():
        return "the JetStream log of NATS_URL's server. No keys, no database"
    fsync = (
        "fsync on every turn" if config.log.sync == "always" else f"fsync every {config.log.sync}"
    )
    return f"an embedded JetStream log with {fsync}. No keys, no network, no database"
