"""`mm replay whatif`: replay a session as it was, say how far to trust that, then change it."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mm.analytics.comparison import comparison, write_beside
from mm.analytics.performance import performance
from mm.analytics.report import escaped
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
COLUMNS: Final = ("session", "replay", "difference")


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
        Path | None, typer.Option(help="Write the score and both replays to a page with plots.")
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
    warm_kernels()
    with progress("reading the session", None):
        heard = run(hear(path, which))
    with progress("replaying", None):
        result = whatif(heard, path, settings or (), latency)
    if report is not None:
        write_page(result, report)
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


def write_page(result: WhatIf, path: Path) -> None:
    """The trust score and the change as a page; without a change, the session and its replay."""
    found = result.trust
    heads = "".join(f'<th class="figure">{name}</th>' for name in COLUMNS)
    rows = "".join(
        f"<tr><th>{escaped(label)}</th>"
        + "".join(f'<td class="figure">{escaped(text)}</td>' for text in texts)
        + "</tr>"
        for label, *texts in _rows(found)
    )
    said = [_reproduced(found), meaning(found), *result.notes]
    said += [each.words for each in result.changes]
    parts = [
        f'<p class="trust">trust score {_score(found)}</p>',
        f'<table class="session"><thead><tr><th></th>{heads}</tr></thead>{rows}</table>',
        *(f'<p class="said">{escaped(line)}</p>' for line in said if line),
    ]
    a, b = result.unchanged, result.changed
    if b is None:
        a, b = result.real.named("session"), a.named("replay")
    write_beside(a, b, path, f"What if: session {result.real.info.name}", parts)


def _show_trust(found: Trust) -> None:
    out.print(f"[bold]trust score {_score(found)}[/]", end="")
    reproduced = _reproduced(found)
    out.print(f": {reproduced}" if reproduced else "", markup=False)
    table("", ("", *COLUMNS), _rows(found))
    out.print(meaning(found), markup=False)


def _score(found: Trust) -> str:
    return "none" if found.score is None else f"{found.score:.3f}"


def _reproduced(found: Trust) -> str:
    if found.score is None:
        return ""
    return (
        f"{found.reproduced:,} of {found.fills_real:,} real fills reproduced "
        f"(same side and price, within {WITHIN // MILLIS} ms); "
        f"{found.size_score:.3f} by size; {found.surplus:,} simulated fills stand for none"
    )


def _rows(found: Trust) -> list[tuple[str, ...]]:
    return [
        ("orders", *_beside(found.orders_real, found.orders_simulated)),
        ("fills", *_beside(found.fills_real, found.fills_simulated)),
        *(
            (
                f"P&L, {currency}",
                *(f"{plain(each.get(currency, Decimal(0))):+f}" for each in _profits(found)),
                f"{plain(difference):+f}",
            )
            for currency, difference in found.profit_difference.items()
        ),
    ]


def _profits(found: Trust) -> tuple[dict[str, Decimal], ...]:
    return found.profit_real, found.profit_simulated


def plain(amount: Decimal) -> Decimal:
    """Money without zeros that say nothing."""
    return Decimal(0) if not amount else amount.normalize()


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
