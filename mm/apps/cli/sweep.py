"""`mm replay sweep`: the options of the command; what it does is imported when it is called."""

from pathlib import Path
from typing import Annotated, Final

import typer

EXAMPLE: Final = """
Example:

    mm replay sweep maker.toml btcusdt.rec --out sweep1 --grid strategies.maker.skew_bps=0,1.5
"""
WORKERS_MAX: Final = 256
WINDOWS_MAX: Final = 1_000
TRIALS_MAX: Final = 100_000
STEP_MAX: Final = 86_400
SEED_MAX: Final = 1 << 31


def sweep(
    config: Annotated[Path, typer.Argument(help="Config with strategies, limits, paper venue.")],
    recordings: Annotated[list[str], typer.Argument(help="Recordings by name or path.")],
    to: Annotated[Path, typer.Option("--out", help="Directory, or FILE.duckdb, of the results.")],
    grid: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE,VALUE…; of several, every combination.")
    ] = None,
    optuna: Annotated[
        int, typer.Option(min=0, max=TRIALS_MAX, help="Search with so many trials.")
    ] = 0,
    space: Annotated[
        list[str] | None, typer.Option(help="KEY=LOW:HIGH[:STEP][:log], for --optuna.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of the search.")] = 1,
    workers: Annotated[
        int, typer.Option(min=0, max=WORKERS_MAX, help="Processes; 0: one a core.")
    ] = 0,
    walk_forward: Annotated[
        int, typer.Option(min=0, max=WINDOWS_MAX, help="Split the time in so many windows.")
    ] = 0,
    objective: Annotated[str, typer.Option(help="What is best: sharpe or profit.")] = "sharpe",
    together: Annotated[
        bool, typer.Option("--together", help="All recordings at once, as one market.")
    ] = False,
    currency: Annotated[str, typer.Option(help="Where a run makes money in several.")] = "",
    step: Annotated[
        int, typer.Option(min=1, max=STEP_MAX, help="Seconds between the ratio's samples.")
    ] = 60,
    data: Annotated[Path | None, typer.Option(help="Directory of all desks.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run a strategy with many parameters over recordings, and tell which did best."""
    from mm.apps.cli.sweeping import Asked, swept_as

    swept_as(
        Asked(
            config=config,
            recordings=tuple(recordings),
            out=to,
            grid=tuple(grid or ()),
            optuna=optuna,
            space=tuple(space or ()),
            seed=seed,
            workers=workers,
            windows=max(walk_forward, 1),
            together=together,
            objective=objective,
            currency=currency,
            step=step,
            data=data,
            as_json=as_json,
        )
    )


def attach(app: typer.Typer) -> None:
    """Put the command into its group."""
    app.command(epilog=EXAMPLE)(sweep)
