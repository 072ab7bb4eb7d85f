"""Plots of a run as SVG text, for a page that works offline.

Lines are thinned to the lowest and highest value of each bucket, so that no extreme is lost; fills
are thinned evenly, and the legend says so. Times are UTC. The same run gives the same bytes.
"""

import io
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mm.analytics.equity import Curve, Times, known_mids, net
from mm.analytics.performance import BPS, unit_of
from mm.analytics.run import Columns, Traded
from mm.analytics.sheet import utc
from mm.events.units import SECONDS

DAY_NANOS: Final = 86_400 * SECONDS
HOUR: Final = 3_600 * SECONDS
SHORT_HOURS: Final = 6
"""Up to here the hours of the day would be too few to tell anything."""
BUY: Final = "#1f77b4"
SELL: Final = "#d95f02"
MID: Final = "#8a8f98"
RED: Final = "#b2182b"
INK: Final = "#2b2f36"
LINES: Final = ("#1b7f5c", "#7b3fa0", "#d95f02", "#1f77b4")
BUCKETS: Final = 900
"""Twice as many vertices as this at most in a line."""
MARKS_MAX: Final = 600
"""Fills drawn of each side."""
TAIL: Final = 1.0
"""Percent of the fills on either side that share the last bar of the histogram."""
STYLE: Final[Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#9aa0a8",
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "font.size": 9,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.7,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "mm",
    "text.color": INK,
    "timezone": "UTC",
    "xtick.color": INK,
    "ytick.color": INK,
}
Reals = npt.NDArray[np.floating[Any]]
Named = Sequence[tuple[str, Curve]]


def equity_plot(curves: Named, currency: str) -> str:
    """Equity of one run or several above, how far each is under its peak below."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 4.6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
        for (name, curve), color in zip(curves, LINES, strict=False):
            at, values = thinned(curve.at, curve.equity)
            above.plot(at, values, color=color, linewidth=1.3, label=name)
            peaks = np.maximum.accumulate(np.maximum(curve.equity, 0.0))
            at, under = thinned(curve.at, curve.equity - peaks)
            shade = RED if len(curves) == 1 else color
            below.plot(at, under, color=shade, linewidth=0.9)
            below.fill_between(at, under, 0, color=shade, alpha=0.18, linewidth=0)
        above.axhline(0, color=INK, linewidth=0.8, alpha=0.5)
        above.set(title=f"Equity, {currency} (after fees and funding)", ylabel=currency)
        below.set(title=f"Under the peak, {currency}", ylabel=currency)
        below.yaxis.set_major_locator(MaxNLocator(4))
        if len(curves) > 1:
            _legend(above, len(curves))
        _clock(below, [curve.at for _, curve in curves])
        return _svg(figure)


def market_plot(traded: Traded) -> str:
    """The mid with our fills on it, and the position below."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 5.2), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        tick = float(traded.instrument.tick_size)
        when, mids2 = known_mids(traded)
        at, mids = thinned(when, mids2 * (tick / 2))
        above.plot(at, mids, color=MID, linewidth=0.9, label="mid", zorder=1)
        for side, word, marker, color in ((1, "bought", "^", BUY), (-1, "sold", "v", SELL)):
            _marks(above, traded.fills[traded.fills["side"] == side], (word, marker, color, tick))
        above.set(title="Mid and fills", ylabel=traded.instrument.quote)
        above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        _legend(above, 3)
        times = np.unique(np.concatenate([when, traded.fills["heard"]]))
        lot = float(traded.instrument.lot_size)
        at, held = thinned(times, net(traded, times) * lot)
        below.fill_between(at, held, 0, step="post", color=BUY, alpha=0.16, linewidth=0)
        below.step(at, held, where="post", color=BUY, linewidth=0.9)
        below.axhline(0, color=INK, linewidth=0.8, alpha=0.5)
        unit = unit_of(traded.instrument)
        below.set(title=f"Position, {unit}", ylabel=unit)
        below.yaxis.set_major_locator(MaxNLocator(5))
        _clock(below, [times])
        return _svg(figure)


def fills_plot(traded: Traded) -> str:
    """How far from the mid the fills were, and when they came."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _edges(left, traded.fills[traded.fills["mid2"] > 0])
        _when(right, traded.fills)
        return _svg(figure)


def thinned(at: Times, values: Reals) -> tuple[npt.NDArray[np.datetime64], Reals]:
    """The lowest and highest value of each of `BUCKETS` equal parts, in order, and the last one."""
    if len(at) > 2 * BUCKETS:
        edges = np.linspace(0, len(at), BUCKETS + 1).astype(np.int64)
        kept = {len(at) - 1}
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            part = values[begin:end]
            kept |= {begin + int(part.argmin()), begin + int(part.argmax())}
        chosen = np.array(sorted(kept))
        at, values = at[chosen], values[chosen]
    return at.astype("datetime64[ns]"), values


def _marks(axis: Axes, fills: Columns, look: tuple[str, str, str, float]) -> None:
    word, marker, color, tick = look
    every = -(-len(fills) // MARKS_MAX) or 1
    note = f", 1 of {every} drawn" if every > 1 else ""
    shown = fills[::every]
    axis.scatter(
        shown["heard"].astype("datetime64[ns]"),
        shown["price"] * tick,
        s=13,
        marker=marker,
        color=color,
        alpha=0.75,
        linewidth=0,
        zorder=3,
        label=f"{word} ({len(fills):,} fills{note})",
    )


def _edges(axis: Axes, fills: Columns) -> None:
    edges = fills["side"] * (fills["mid2"] / 2 - fills["price"]) / fills["price"] * BPS
    if len(edges):
        low, high = np.percentile(edges, [TAIL, 100 - TAIL])
        axis.hist(np.clip(edges, low, high), bins=40, color=LINES[0], alpha=0.8)
        mean = float(np.average(edges, weights=fills["size"]))
        axis.axvline(mean, color=INK, linewidth=1.1, label=f"mean {mean:+.3g} bps")
        _legend(axis, 1)
    axis.set(
        title="Spread captured by a fill",
        xlabel="distance from the mid at the fill, bps (left: worse than the mid)",
        ylabel="fills",
    )
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def _when(axis: Axes, fills: Columns) -> None:
    """By hour of the day; within a few hours, by equal parts of the time instead."""
    heard = fills["heard"]
    begin, end = int(heard.min()), int(heard.max()) + 1
    if end - begin > SHORT_HOURS * HOUR:
        places, edges = heard // HOUR % 24, np.arange(25.0)
        axis.set(title="Fills by hour of the day", xlabel="hour (UTC)", xlim=(0, 24))
        axis.set_xticks(range(0, 25, 3))
    else:
        places = (heard - begin) * 24 // (end - begin)
        edges = np.linspace(begin, end, 25) / DAY_NANOS
        axis.set(title="Fills over time")
        _clock(axis, [np.array([begin, end])])
    for side, word, color in ((1, "bought", BUY), (-1, "sold", SELL)):
        counts = side * np.bincount(places[fills["side"] == side], minlength=24)
        width = 0.8 * np.diff(edges)
        axis.bar((edges[:-1] + edges[1:]) / 2, counts, width, color=color, alpha=0.85, label=word)
    axis.axhline(0, color=INK, linewidth=0.8)
    axis.set(ylabel="fills")
    axis.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):,.0f}"))
    axis.grid(axis="x", visible=False)
    _legend(axis, 2)


def _legend(axis: Axes, columns: int) -> None:
    """Above the plot to the right, where no line runs."""
    axis.legend(loc="lower right", bbox_to_anchor=(1, 0.99), ncols=columns, borderaxespad=0.1)


def _clock(axis: Axes, times: Sequence[Times]) -> None:
    """A time axis over all of these times: their days below it, ticks that can be read."""
    known = [each for each in times if len(each)]
    if not known:
        return
    begin = min(int(each[0]) for each in known)
    end = max(int(each[-1]) for each in known)
    locator = dates.AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    formatter = dates.ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator, show_offset=False
    )
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(formatter)
    axis.set_xlim(begin / DAY_NANOS, max(end, begin + SECONDS) / DAY_NANOS)
    days = dict.fromkeys((utc(begin)[:10], utc(end)[:10]))
    axis.set_xlabel(f"{' to '.join(days)} (UTC)", loc="right")


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
