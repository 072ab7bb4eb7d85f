"""What a sweep prints for people: within 80 columns, the best trials first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.markup import escape

from mm.apps.cli.output import out, table
from mm.apps.sweep_ranking import Luck, Standing, Walked
from mm.apps.wording import iso
from mm.events.units import SECONDS

if TYPE_CHECKING:
    from mm.apps.cli.sweeping import Swept
    from mm.apps.sweep_space import Parameters

SHOWN: Final = 10
ROOM: Final = 80


def show(result: Swept) -> None:
    """Print a sweep."""
    out.print(
        f"{result.trials:,} trials: {result.played:,} played, {result.reused:,} found written "
        f"down, {len(result.failures):,} failed, in {result.seconds:.1f} s"
    )
    for failure in result.failures[:SHOWN]:
        out.print("[bold red]failed[/]: ", end="")
        out.print(f"{worded(failure.parameters)}: {failure.error}", markup=False)
    if len(result.failures) > SHOWN:
        out.print(f"… and {len(result.failures) - SHOWN:,} more")
    if result.best:
        _show_best(result.best, result.objective, result.candidates)
        if result.luck is not None:
            _show_luck(result.luck)
    if result.walk_forward is not None:
        _show_walk(result.walk_forward, result.objective)
    if result.toml:
        out.print("\nThe best parameters, for the config:\n")
        out.print("\n".join(result.toml), markup=False)
        out.print()
    out.print(f"results in {escape(result.file)}")


def worded(parameters: Parameters) -> str:
    """The parameters by the last word of their keys, or whole keys where that says too little."""
    lasts = [key.rpartition(".")[2] for key in parameters]
    return ", ".join(
        f"{last if lasts.count(last) == 1 else key} {text}"
        for last, (key, text) in zip(lasts, parameters.items(), strict=True)
    )


def _show_best(best: list[Standing], objective: str, candidates: int) -> None:
    rows = [
        (
            each.number,
            worded(each.parameters),
            f"{each.profit:,.2f}",
            _figure(each.sharpe),
            _figure(each.drawdown),
            each.fills,
        )
        for each in best[:SHOWN]
    ]
    title = f"best by {objective}, of {candidates:,}; money in {best[0].currency}"
    table(title, ("trial", "parameters", "P&L", "Sharpe", "drawdown", "fills"), rows, room=ROOM)
    if len(best) < candidates:
        out.print(f"{candidates - len(best):,} have no score: they failed, or never traded")


def _show_luck(luck: Luck) -> None:
    seconds = luck.step / SECONDS
    if luck.probability is None or luck.ratio is None:
        out.print(f"deflated Sharpe: unknown; {luck.tried:,} tried, too few changes to tell")
        return
    out.print(
        f"deflated Sharpe {luck.probability:.1%}: the probability that the best is more than the\n"
        f"luck of {luck.tried:,} tries. Ratio {luck.ratio:.4f} of a step of {seconds:g} s, where "
        f"{luck.expected:.4f} is\nexpected of the best of so many useless ones (Bailey and Lopez "
        "de Prado 2014).\nThe table's Sharpe: of these changes, times the root of the steps in 365 "
        "days."
    )


def _show_walk(walk: Walked, objective: str) -> None:
    rows = [
        (
            iso(each.first)[:19].replace("T", " "),
            "none had a score" if each.number is None else worded(each.parameters),
            _figure(each.score_before),
            _figure(each.score),
            "" if each.profit is None else f"{each.profit:,.2f}",
        )
        for each in walk.windows
    ]
    columns = ("window from", "best before", f"{objective} before", "here", "P&L")
    table("walking forward: the best of the windows before, in the next", columns, rows, room=ROOM)
    if walk.profit is not None:
        out.print(f"out of sample: P&L {walk.profit:,.2f}, Sharpe {_figure(walk.sharpe)}")


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:,.2f}"
