"""Two runs beside each other: every figure of both, the difference, and both equities in one plot.

Figures are paired by section and label. One that only one run has stands alone, and where the unit
differs (another currency, another coin) nothing is subtracted.
"""

from pathlib import Path

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
        return msgspec.structs.replace(
            self.b, value=_subtracted(self.b.value, self.a.value), sign=sign
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
    """Settings that the two runs do not share: name, and the value in each."""
    first, second = (_told(heading(run), run) for run in (a, b))
    return [
        (name, first.get(name, NOTHING), second.get(name, NOTHING))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]


def write_comparison(a: Run, b: Run, path: Path, step: Nanos = MINUTE) -> None:
    """Write both runs beside each other as one HTML file; raises as `write_report` does."""
    title = " and ".join(names(a, b))
    about = Heading(title, _lines(a, b), {}, "")
    body = [
        titled(about),
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
        return float(b) - float(a)
    return b - a


def _convention(run: Run, step: Nanos) -> str:
    return " ".join(convention(risk) for risk in performance(run, step).risks[:1])


def _told(head: Heading, run: Run) -> dict[str, str]:
    info = run.info
    config = {"recording": info.recording, "mm": info.code_version, "config": info.config_hash}
    return {**head.settings, **{name: text for name, text in config.items() if text}}


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
        f'<table class="compared"><thead><tr><th></th>{heads}</tr></thead>{"".join(rows)}</table>'
    )


def _differing(a: Run, b: Run) -> str:
    rows = "".join(
        f"<tr><th>{escaped(name)}</th><td>{escaped(old)}</td><td>{escaped(new)}</td></tr>"
        for name, old, new in differing(a, b)
    )
    return f'<table class="settings">{rows}</table>' if rows else "<p>None.</p>"


def _settings(run: Run, name: str) -> str:
    return f"<h2>{escaped(name)}</h2>{settings(heading(run), run.info)}"
