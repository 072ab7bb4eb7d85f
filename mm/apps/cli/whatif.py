"""`mm replay whatif`: replay a session as it was, say how far to trust that, then change it."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mm.analytics.comparison import comparison, write_comparison
from mm.analytics.performance import performance
from mm.analytics.trust import WITHIN, Trust
from mm.apps.cli.live import run, warm_kernels
from mm.apps.cli.output import emit_json, out, progress, table
from mm.apps.reading import locate
from mm.apps.sessions import latest
from mm.apps.whatif import CONFIGURED, LATENCIES, Heard, WhatIf, hear, whatif
from mm.apps.wording import iso
from mm.errors import ConfigError
from mm.events.units import MILLIS

EXAMPLE: Final = """
Example:

    mm replay whatif demo --set strategy.half_spread_bps=0.2
"""
GOOD, FAIR = 0.95, 0.7


def command(
    session: Annotated[str, typer.Argument(help="Desk name or path; default: the latest.")] = "",
    *,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE to change; may be repeated.")
    ] = None,
    which: Annotated[
        str, typer.Option("--session", help="Which of the desk's sessions; default: its latest.")
    ] = "",
    latency: Annotated[
        str, typer.Option(help="as-configured, or measured: by the session's own orders.")
    ] = CONFIGURED,
    report: Annotated[
        Path | None, typer.Option(help="Write both replays beside each other as HTML.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Directory of all desks.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Replay a session unchanged, with its trust score, then with other settings."""
    if latency not in LATENCIES:
        raise ConfigError(
            f"there is no latency {latency!r}",
            where="--latency",
            remedy=f"use one of {', '.join(LATENCIES)}",
        )
    path = locate(session, data) if session else latest(data)
    if report is not None and not settings:
        raise ConfigError(
            "a report shows a change, and nothing is changed",
            where="--report",
            remedy="add --set KEY=VALUE",
        )
    warm_kernels()
    with progress("reading the session", None):
        heard = run(hear(path, which))
    with progress("replaying", None):
        result = whatif(heard, path, settings or (), latency)
    if report is not None and result.changed is not None:
        write_comparison(result.unchanged, result.changed, report)
    if as_json:
        emit_json(document(result))
    else:
        show(heard, result)
        if report is not None:
            out.print(f"page in {report}", markup=False)


def document(result: WhatIf) -> dict[str, Any]:
    """The result for programs; figures are those of a run's `run.json`."""
    return {
        "session": result.real.info.name,
        "log": result.real.info.recording,
        "first_time": result.unchanged.info.first,
        "last_time": result.unchanged.info.last,
        "latency": result.unchanged.info.latency,
        "queue": result.unchanged.info.queue,
        "trust": result.trust,
        "notes": result.notes,
        "changes": result.changes,
        "real": performance(result.real),
        "unchanged": performance(result.unchanged),
        "changed": performance(result.changed) if result.changed is not None else None,
    }


def show(heard: Heard, result: WhatIf) -> None:
    """Print the trust score, then what the change came to."""
    info = result.unchanged.info
    out.print(f"session {result.real.info.name} (number {heard.number} of its desk)", markup=False)
    out.print(f"from {iso(info.first)} to {iso(info.last)}")
    queue = info.queue.partition(", market")[0]
    out.print(f"replayed with {info.latency}; {queue}\n", markup=False)
    _show_trust(result.trust)
    for note in result.notes:
        out.print(note, markup=False)
    if result.changed is not None:
        out.print()
        for change in result.changes:
            out.print(change.words, markup=False)
        out.print(comparison(result.unchanged, result.changed))


def _show_trust(found: Trust) -> None:
    score = "none" if found.score is None else f"{found.score:.3f}"
    out.print(f"[bold]trust score {score}[/]", end="")
    if found.score is not None:
        out.print(
            f": {found.reproduced:,} of {found.fills_real:,} real fills reproduced "
            f"(same side and price, within {WITHIN // MILLIS} ms); "
            f"{found.size_score:.3f} by size; {found.surplus:,} simulated fills stand for none"
        )
    else:
        out.print()
    rows: list[tuple[object, ...]] = [
        ("orders", *_beside(found.orders_real, found.orders_simulated)),
        ("fills", *_beside(found.fills_real, found.fills_simulated)),
    ]
    rows += [
        (
            f"P&L, {currency}",
            f"{found.profit_real.get(currency, 0):+f}",
            f"{found.profit_simulated.get(currency, 0):+f}",
            f"{difference:+f}",
        )
        for currency, difference in found.profit_difference.items()
    ]
    table("", ("", "session", "replay", "difference"), rows)
    out.print(meaning(found), markup=False)


def _beside(real: int, simulated: int) -> tuple[str, str, str]:
    return f"{real:,}", f"{simulated:,}", f"{simulated - real:+,}"


def meaning(found: Trust) -> str:
    """The score in plain words."""
    if found.score is None:
        return (
            "The session had no fills, so that nothing tests the replay: what a change makes of "
            "it is the simulated venue's word alone."
        )
    if found.score >= GOOD:
        return "The replay does what the session did: a difference a change makes can be believed."
    if found.score >= FAIR:
        return (
            "The replay misses some of what happened: believe differences that are large beside "
            "the P&L difference above, and no others."
        )
    return (
        "The replay is not what happened: latency, queue or fills differ from the real venue's. "
        "Try --latency measured or another paper.queue before a change is believed."
    )


def attach(app: typer.Typer) -> None:
    """Add the command to a group."""
    app.command("whatif", epilog=EXAMPLE)(command)
