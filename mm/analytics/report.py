"""The HTML report of a run: one file with plots, figures and settings, and nothing from elsewhere.

It opens from a disk without a network: style and plots are inside. The same run gives the same
bytes. It is written whole or not at all, and replaces an older report of that name.
"""

import html
from collections.abc import Iterable, Iterator
from importlib.resources import files as resources
from pathlib import Path
from typing import Final

import msgspec

from mm.analytics import plots
from mm.analytics.equity import curve
from mm.analytics.performance import MINUTE, Performance, performance
from mm.analytics.run import Run, RunInfo
from mm.analytics.sheet import Heading, Row, Section, convention, heading, sections
from mm.errors import ConfigError
from mm.events.units import Nanos
from mm.log import files

TILES: Final = (
    "P&L",
    "Sharpe",
    "max drawdown",
    "fills",
    "as maker",
    "turnover",
    "edge at the fill",
    "mean inventory",
)
"""Rows that are shown large at the top, of the first section that has them."""


def write_report(run: Run, path: Path, step: Nanos = MINUTE) -> None:
    """Write the report of a run; `step` is the interval of the ratios.

    Raises `ConfigError` where `path` has no directory, `LogFull` and `LogUnavailable`.
    """
    write_page(path, report(run, step))


def write_page(path: Path, text: str) -> None:
    """Write a page that is whole once this returns."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ConfigError(
            "a report cannot be put there",
            where=str(path),
            remedy="name a file in a directory that exists",
        )
    files.write(path.absolute(), text.encode())


def report(run: Run, step: Nanos = MINUTE) -> str:
    """The report's HTML."""
    figures, head = performance(run, step), heading(run)
    found = sections(figures)
    body = [
        titled(head),
        _tiles(found),
        *_pictures(run, figures),
        "<h2>Figures</h2>",
        _sections(found),
        *(f'<p class="note">{escaped(convention(risk))}</p>' for risk in figures.risks[:1]),
        "<h2>Settings and counts</h2>",
        settings(head, run.info),
    ]
    return page(head.title, body, run.info.code_version)


def page(title: str, body: Iterable[str], version: str) -> str:
    """A whole page around its parts."""
    style = resources("mm.analytics").joinpath("page", "report.css").read_text("utf-8")
    parts = "\n".join(part for part in body if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{parts}\n<footer>mm {escaped(version)} · all times UTC</footer>\n</body>\n</html>\n"
    )


def titled(head: Heading) -> str:
    """What was run, at the top of a page."""
    lines = "".join(f"<p>{escaped(line)}</p>" for line in head.lines)
    halted = f'<p class="halted">halted: {escaped(head.halted)}</p>' if head.halted else ""
    return f"<header><h1>{escaped(head.title)}</h1>{lines}{halted}</header>"


def picture(svg: str, words: str, number: int) -> str:
    """A plot in the page, with what it shows for those who cannot see it.

    Its ids are made its own: a page holds several plots, and each counts from one.
    """
    for mark in ('id="', 'href="#', "url(#"):
        svg = svg.replace(mark, f"{mark}f{number}-")
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escaped(words)}" ', 1)
    return f"<figure>{svg.strip()}</figure>"


def escaped(text: str) -> str:
    """Text that no browser takes for markup."""
    return html.escape(text)


def settings(head: Heading, info: RunInfo) -> str:
    """The settings of a run by name, and its config."""
    told = {**head.settings, "config hash": info.config_hash, "mm": info.code_version}
    rows = "".join(
        f"<tr><th>{escaped(name)}</th><td>{escaped(text)}</td></tr>"
        for name, text in told.items()
        if text
    )
    indented = msgspec.json.format(info.config) if info.config else ""
    config = f"<pre>{escaped(indented)}</pre>" if indented else ""
    return f'<table class="settings">{rows}</table>{config}'


def value_cell(row: Row) -> str:
    """A figure, coloured where its sign says gain or loss."""
    return f'<td class="figure {row.tone}">{escaped(row.text)}</td>'


def _tiles(found: list[Section]) -> str:
    rows: dict[str, Row] = {}
    for row in (row for section in found for row in section.rows):
        rows.setdefault(row.label, row)
    tiles = "".join(_tile(rows[label]) for label in TILES if label in rows)
    return f'<div class="tiles">{tiles}</div>' if tiles else ""


def _tile(row: Row) -> str:
    number = row.text.removesuffix(row.unit)
    return (
        f'<div class="tile"><span>{escaped(row.label)}</span>'
        f'<b class="{row.tone}">{escaped(number)}</b> <small>{escaped(row.unit)}</small></div>'
    )


def _pictures(run: Run, figures: Performance) -> Iterator[str]:
    parts, number = list(run.traded()), 0
    for risk in figures.risks:
        money = risk.profit.currency
        together = curve([part for part in parts if part.instrument.settle == money])
        svg = plots.equity_plot([(run.info.name, together)], money)
        yield picture(svg, f"Equity and drawdown in {money} over time", number := number + 1)
    for part in parts:
        name = f"{part.desk} on {part.instrument.name}"
        yield f"<h2>{escaped(name)}</h2>"
        yield picture(
            plots.market_plot(part), f"Mid, fills and position of {name}", number := number + 1
        )
        if len(part.fills):
            words = f"Spread captured and times of the fills of {name}"
            yield picture(plots.fills_plot(part), words, number := number + 1)


def _sections(found: list[Section]) -> str:
    return f'<div class="sections">{"".join(_section(each) for each in found)}</div>'


def _section(section: Section) -> str:
    rows = "".join(
        f"<tr><th>{escaped(row.label)}</th>{value_cell(row)}</tr>" for row in section.rows
    )
    return f"<section><h3>{escaped(section.title)}</h3><table>{rows}</table></section>"
