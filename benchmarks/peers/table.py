"""The figures of all rounds in one table, with ratios, and as JSON.

A figure is the median of the rounds with its range. A ratio is the median over rounds of the
group's first contestant's rate divided by this one's, both taken in the same round, minutes apart:
what else the machine does falls on both. `run s` and `cpu s` are wall and processor time of the run
alone, `process s` the wall time of the whole process.
"""

import statistics
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from benchmarks.peers.contestants import GROUPS, Contestant

RESULT: Final = ("steps", "orders", "cancels", "fills", "position", "balance", "fee")
"""What must come out the same in every round."""
HEADINGS: Final = (
    *("contestant", "M events/s", "(range)", "first is", "run s", "cpu s", "process s"),
    *("MB", "orders", "fills", "position", "balance", "fee"),
)


@dataclass
class Entry:
    """A contestant, and its line of each round; a reason instead once it failed or was absent."""

    contestant: Contestant
    lines: list[dict[str, Any]] = field(default_factory=list)
    reason: str | None = None

    def median(self, name: str) -> float:
        """The median over rounds."""
        return float(statistics.median(line[name] for line in self.lines))

    def extent(self, name: str) -> tuple[float, float]:
        """The least and the greatest over rounds."""
        values = [float(line[name]) for line in self.lines]
        return min(values), max(values)

    @property
    def steady(self) -> bool:
        """Whether every round came to the same result."""
        first = self.lines[0]
        return all(line[name] == first[name] for line in self.lines for name in RESULT)


def lead(first: Entry, entry: Entry) -> float:
    """How many times as fast the first is, paired by round."""
    pairs = zip(first.lines, entry.lines, strict=False)
    return float(statistics.median(a["events_per_s"] / b["events_per_s"] for a, b in pairs))


def ran(entries: list[Entry], group: str) -> list[Entry]:
    """Those of a group that have figures."""
    return [each for each in entries if each.contestant.group == group and each.lines]


def rendered(entries: list[Entry]) -> str:
    """The table, group by group, and who is not in it."""
    text: list[str] = []
    groups = [group for group in GROUPS if ran(entries, group)]
    tables = [
        [row(each, ran(entries, group)[0]) for each in ran(entries, group)] for group in groups
    ]
    widths = [
        max(map(len, column)) for column in zip(HEADINGS, *chain.from_iterable(tables), strict=True)
    ]
    for group, rows in zip(groups, tables, strict=True):
        text += [f"\n{GROUPS[group]}", aligned(HEADINGS, widths)]
        text += [aligned(cells, widths) for cells in rows]
    return "\n".join(text + left_out(entries))


def left_out(entries: list[Entry]) -> list[str]:
    """Who did not take part to the end, by reason."""
    names: dict[str, list[str]] = {}
    for entry in entries:
        if entry.reason:
            told = f"{entry.contestant.name} ({entry.contestant.group})"
            names.setdefault(entry.reason, []).append(told)
    return [f"\nleft out, {reason}:\n  " + "\n  ".join(who) for reason, who in names.items()]


def row(entry: Entry, first: Entry) -> tuple[str, ...]:
    """The cells of a contestant."""
    low, high = entry.extent("events_per_s")
    line = entry.lines[0]
    return (
        entry.contestant.name + ("" if entry.steady else " (rounds differ!)"),
        f"{entry.median('events_per_s') / 1e6:.3f}",
        f"({low / 1e6:.3f}-{high / 1e6:.3f})",
        f"x{lead(first, entry):.2f}",
        f"{entry.median('run_s'):.2f}",
        f"{entry.median('run_processor_s'):.2f}",
        f"{entry.median('process_s'):.1f}",
        f"{entry.median('peak_rss_mb'):.0f}",
        *(f"{line[name]:,}" for name in ("orders", "fills")),
        f"{line['position']:.6g}",
        *(f"{line[name]:.4f}" for name in ("balance", "fee")),
    )


def aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    """A line of the table: names to the left, figures to the right."""
    name, *figures = (
        cell.ljust(width) if place == 0 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((name, *figures)).rstrip()


def document(entries: list[Entry]) -> list[dict[str, Any]]:
    """All contestants with their medians, ratios and rounds, for a JSON file."""
    found = []
    for entry in entries:
        described: dict[str, Any] = {
            "name": entry.contestant.name,
            "group": entry.contestant.group,
            "reason": entry.reason,
            "rounds": entry.lines,
        }
        if entry.lines:
            names = ("events_per_s", "run_s", "run_processor_s", "process_s", "peak_rss_mb")
            described["median"] = {name: entry.median(name) for name in names}
            described["range"] = {name: entry.extent(name) for name in names}
            described["steady"] = entry.steady
            first = ran(entries, entry.contestant.group)[0]
            described["first_is"] = round(lead(first, entry), 3)
        found.append(described)
    return found
