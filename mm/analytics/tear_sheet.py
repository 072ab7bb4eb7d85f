"""The tear sheet: a run on one screen of 80 columns.

Sections stand side by side where two fit. Colour only repeats what a sign says already.
"""

from collections.abc import Iterable
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mm.analytics.performance import MINUTE, Performance, performance
from mm.analytics.run import Run
from mm.analytics.sheet import Heading, Section, convention, heading, sections
from mm.events.units import Nanos

WIDTH: Final = 39
"""Columns of a section: two and the gap between them make 80."""
VALUE: Final = 18
LABEL: Final = WIDTH - VALUE - 2
TONES: Final = {"gain": "green", "loss": "red"}


def tear_sheet(run: Run, step: Nanos = MINUTE) -> RenderableType:
    """Everything worth knowing of a run, to be printed; `step` is the interval of the ratios."""
    return sheet(heading(run), performance(run, step))


def sheet(head: Heading, figures: Performance) -> RenderableType:
    """The tear sheet of figures that were computed already."""
    parts: list[RenderableType] = [Text(head.title, style="bold")]
    parts += [Text(line) for line in head.lines]
    if head.halted:
        parts.append(Text(f"halted: {head.halted}", style="bold red"))
    parts += [Text(""), *_beside(sections(figures))]
    if head.settings:
        parts += [_settings(head.settings), Text("")]
    parts += [Text(convention(risk), style="dim") for risk in figures.risks[:1]]
    return Group(*parts)


def _beside(found: list[Section]) -> Iterable[RenderableType]:
    """Two sections a row."""
    for place in range(0, len(found), 2):
        grid = Table.grid(padding=(0, 2, 1, 0))
        for _ in range(2):
            grid.add_column(width=WIDTH)
        pair = [_section(each) for each in found[place : place + 2]]
        grid.add_row(*pair)
        yield grid


def _section(section: Section) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=LABEL)
    grid.add_column(width=VALUE, justify="right", overflow="fold")
    for row in section.rows:
        grid.add_row(row.label, Text(row.text, style=TONES.get(row.tone, "")))
    return Group(Text(section.title, style="bold cyan"), grid)


def _settings(settings: dict[str, str]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, text in settings.items():
        grid.add_row(name, text)
    return grid
