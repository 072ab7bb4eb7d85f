"""Two runs beside each other: every figure of both, the difference, and both equities in one plot.

Figures are paired by section and label. One that only one run has stands alone, and where the unit
differs (another currency, another coin) nothing is subtracted.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mm.analytics import plots
from mm.analytics.equity import curve
from mm.analytics.performance import MINUTE, performance
from mm.analytics.report import escaped, page, picture, settings, titled, write_page
from mm.analytics.run import Run
from mm.analytics.sheet import (
    NOTHING,
    Heading,
    Row,
    Section,
    Sign,
    Value,
    convention,
    heading,
    sections,
)
from mm.analytics.tear_sheet import TONES
from mm.events.units import Nanos

POINTS: Final = "points"
"""Shares differ by percentage points."""
SAME: Final = 1e-6


class Compared(msgspec.Struct, frozen=True):
    """One figure of two runs; the difference is b - a, and none where they cannot be subtracted."""

    section: str
    label: str
    a: Row | None
    b: Row | None

    @property
    def difference(self) -> Row | None:
        """How much more the second run has."""
        if self.a is None or self.b is None or self.a.unit != self.b.unit:
            return None
        sign = self.b.sign if self.b.sign is Sign.GAIN else Sign.SHOWN
        unit = POINTS if self.b.unit == "%" else self.b.unit
        return msgspec.structs.replace(
            self.b, value=_subtracted(self.b.value, self.a.value), sign=sign, unit=unit
        )

    def texts(self) -> tuple[str, str, str]:
        """The figure in both runs and the difference, ready to be read."""
        a, b, difference = (each.text if each else NOTHING for each in self._rows())
        return a, b, difference

    @property
    def tone(self) -> str:
        """Whether the second run is the better one, as far as a sign tells."""
        difference = self.difference
        return difference.tone if difference else ""

    def _rows(self) -> tuple[Row | None, ...]:
        return self.a, self.b, self.difference


def compared(a: Run, b: Run, step: Nanos = MINUTE) -> list[Compared]:
    """Every figure of two runs, in the order of the tear sheet; ratios over the same step."""
    first, second = (_rows(sections(performance(run, step))) for run in (a, b))
    return [
        Compared(section, label, first.get((section, label)), second.get((section, label)))
        for section, label in dict.fromkeys([*first, *second])
    ]


def comparison(a: Run, b: Run, step: Nanos = MINUTE) -> RenderableType:
    """Both runs on a terminal, in 80 columns where names are short."""
    found = compared(a, b, step)
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    grid.add_column("figure")
    for title in (*names(a, b), "difference"):
        grid.add_column(Text(title), justify="right", overflow="fold")
    section = ""
    for each in found:
        if each.section != section:
            section = each.section
            grid.add_row(Text(section, style="bold cyan"))
        first, second, difference = each.texts()
        style = TONES.get(each.tone, "")
        grid.add_row(f"  {each.label}", first, second, Text(difference, style=style))
    changed = [f"{name}: {old} -> {new}" for name, old, new in differing(a, b)]
    notes = [Text(line) for line in changed or ["the settings are the same"]]
    return Group(grid, *notes, Text(_convention(a, step), style="dim"))


def names(a: Run, b: Run) -> tuple[str, str]:
    """What to call two runs: their names, told apart where they share one."""
    if a.info.name != b.info.name:
        return a.info.name, b.info.name
    return f"{a.info.name} (A)", f"{b.info.name} (B)"


def differing(a: Run, b: Run) -> list[tuple[str, str, str]]:
    """Settings that the two runs do not share: name, and the value in each; the config key by key.

    What is only counted (turns, cancels) is no setting, and the feed is told by the recording.
    """
    first, second = (_told(run) for run in (a, b))
    return [
        (name, first.get(name, NOTHING), second.get(name, NOTHING))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]


def write_comparison(a: Run, b: Run, path: Path, step: Nanos = MINUTE) -> None:
    """Write both runs beside each other as one HTML file; raises as `write_report` does."""
    write_beside(a, b, path, " and ".join(names(a, b)), step=step)


def write_beside(
    a: Run,
    b: Run,
    path: Path,
    title: str,
    first: Sequence[str] = (),
    *,
    step: Nanos = MINUTE,
) -> None:
    """The same under another title, with parts of a page that come first."""
    about = Heading(title, _lines(a, b), {}, "")
    body = [
        titled(about),
        *first,
        *_overlays(a, b),
        "<h2>Figures</h2>",
        _table(compared(a, b, step), names(a, b)),
        f'<p class="note">{escaped(_convention(a, step))}</p>',
        "<h2>Settings that differ</h2>",
        _differing(a, b),
        *(_settings(each, name) for each, name in zip((a, b), names(a, b), strict=True)),
    ]
    write_page(path, page(title, body, b.info.code_version))


def _rows(found: list[Section]) -> dict[tuple[str, str], Row]:
    return {(section.title, row.label): row for section in found for row in section.rows}


def _subtracted(b: Value, a: Value) -> Value:
    if a is None or b is None:
        return None
    if isinstance(a, float) or isinstance(b, float):
        same = math.isclose(a, b, rel_tol=SAME)  # What no digit of either shows is no difference.
        return 0.0 if same else float(b) - float(a)
    return b - a


def _convention(run: Run, step: Nanos) -> str:
    return " ".join(convention(risk) for risk in performance(run, step).risks[:1])


def _told(run: Run) -> dict[str, str]:
    info = run.info
    told = {"latency": info.latency, "queue": info.queue, "fees": info.fees}
    told |= {"recording": info.recording, "mm": info.code_version}
    config = msgspec.json.decode(info.config) if info.config else {}
    return {name: text for name, text in told.items() if text} | dict(_flat(config))


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a config with its dotted name."""
    if not isinstance(value, dict):
        yield name, msgspec.json.encode(value).decode().strip('"')
        return
    for key, inner in value.items():
        if name or key not in ("feed", "desk"):
            yield from _flat(inner, f"{name}.{key}".lstrip("."))


def _lines(a: Run, b: Run) -> tuple[str, ...]:
    first, second = heading(a).lines, heading(b).lines
    return tuple(dict.fromkeys([*first, *second]))


def _overlays(a: Run, b: Run) -> list[str]:
    """Both equities, a plot for each currency that either run made money in."""
    parts = [(name, list(run.traded())) for name, run in zip(names(a, b), (a, b), strict=True)]
    settled = [part.instrument.settle for _, traded in parts for part in traded]
    pictures = []
    for number, currency in enumerate(dict.fromkeys(settled), start=1):
        curves = []
        for name, traded in parts:
            mine = [part for part in traded if part.instrument.settle == currency]
            if mine:
                curves.append((name, curve(mine)))
        words = f"Equity of both runs in {currency} over time"
        pictures.append(picture(plots.equity_plot(curves, currency), words, number))
    return pictures


def _table(found: list[Compared], called: tuple[str, str]) -> str:
    titles = (*called, "difference")
    heads = "".join(f'<th class="figure">{escaped(each)}</th>' for each in titles)
    rows, section = [], ""
    for each in found:
        if each.section != section:
            section = each.section
            rows.append(f'<tr><th colspan="4"><h3>{escaped(section)}</h3></th></tr>')
        first, second, difference = (escaped(text) for text in each.texts())
        rows.append(
            f'<tr><th>{escaped(each.label)}</th><td class="figure">{first}</td>'
            f'<td class="figure">{second}</td>'
            f'<td class="figure {each.tone}">{difference}</td></tr>'
        )
    return (
        f'<div class="wide"><table class="compared"><thead><tr><th></th>{heads}</tr></thead>'
        f"{''.join(rows)}</table></div>"
    )


def _differing(a: Run, b: Run) -> str:
    heads = "".join(f"<th>{escaped(name)}</th>" for name in names(a, b))
    rows = "".join(
        f"<tr><th>{escaped(name)}</th><td>{escaped(old)}</td><td>{escaped(new)}</td></tr>"
        for name, old, new in differing(a, b)
    )
    if not rows:
        return "<p>None.</p>"
    return f'<table class="differing"><thead><tr><th></th>{heads}</tr></thead>{rows}</table>'


def _settings(run: Run, name: str) -> str:
    return f"<h2>{escaped(name)}</h2>{settings(heading(run), run.info)}"
