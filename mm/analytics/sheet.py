"""The figures of a run in words: sections of rows, for the terminal, the report and comparisons.

Every row has its unit. Profit is signed; fees stand there as what they did to it. What could not be
computed is a dash. Six digits are enough for money, four for a share or a ratio; the exact figures
are in the run's `run.json`.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Final

import msgspec

from mm.analytics.performance import AccountFigures, Performance, Profit, Risk
from mm.analytics.run import Run
from mm.events.units import SECONDS

Value = int | float | Decimal | None
DAY: Final = 86_400
NOTHING: Final = "-"
DIGITS: Final = 6
DIGITS_ROUGH: Final = 4
DECIMALS_MIN: Final = 2
WHOLE_FROM: Final = 1_000_000
"""From here on, decimals only distract."""
DECIMALS_MAX: Final = 8
SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
SPOKEN_FROM: Final = {"d": 2, "h": 2, "min": 2, "s": 1}
"""How many of a unit there must be for it to be used."""
SECOND: Final = "s"


class Sign(IntEnum):
    """What a sign means."""

    NONE = 0
    """Only a minus is shown."""
    SHOWN = 1
    GAIN = 2
    """Plus is good for us, minus is bad."""


class Row(msgspec.Struct, frozen=True):
    """One figure: what it is, its value and unit; a ratio with fewer digits than money."""

    label: str
    value: Value
    unit: str = ""
    sign: Sign = Sign.NONE
    rough: bool = False

    @property
    def text(self) -> str:
        """Value and unit, ready to be read."""
        return self.worded(self.value)

    @property
    def tone(self) -> str:
        """Whether it is a `gain` or a `loss`, or nothing of the kind."""
        if self.sign is not Sign.GAIN or not self.value or math.isnan(self.value):
            return ""
        return "gain" if self.value > 0 else "loss"

    def worded(self, value: Value) -> str:
        """Another value of the same kind; spans of time in the unit that fits them."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return NOTHING
        sign = "+" if self.sign and value > 0 else ""
        if self.unit == SECOND:
            return sign + span(float(value))
        digits = DIGITS_ROUGH if self.rough else DIGITS
        return f"{sign}{number(value, digits)} {self.unit}".rstrip()


class Heading(msgspec.Struct, frozen=True):
    """What was run, in words: a title, what it ran on, and its settings by name."""

    title: str
    lines: tuple[str, ...]
    settings: dict[str, str]
    halted: str


class Section(msgspec.Struct, frozen=True):
    """Rows that belong together."""

    title: str
    rows: tuple[Row, ...]


def sections(figures: Performance) -> list[Section]:
    """All figures of a run; the names of accounts and currencies only where there are several."""
    found: list[Section] = []
    alone = len(figures.accounts) == 1
    for each in figures.accounts:
        name = "" if alone else f" · {each.desk} {each.instrument}"
        found.append(Section(f"Profit and loss{name}", tuple(_profit(each.profit))))
        found.append(Section(f"Trading{name}", tuple(_trading(each, figures.days))))
        found.append(Section(f"Inventory{name}", tuple(_inventory(each))))
    for risk in figures.risks:
        name = f" · all in {risk.profit.currency}"
        if not alone:
            found.append(Section(f"Profit and loss{name}", tuple(_profit(risk.profit))))
        found.append(Section(f"Risk{'' if alone else name}", tuple(_risk(risk))))
    return found


def heading(run: Run) -> Heading:
    """Name, desks, instruments, time and settings of a run."""
    info = run.info
    began, ended = utc(info.first), utc(info.last)
    if began[:10] == ended[:10]:
        ended = ended[11:]
    told = {"latency": info.latency, "queue": info.queue, "fees": info.fees, **info.settings}
    names = [each.name for each in info.instruments]
    return Heading(
        title=info.name,
        lines=(
            f"{', '.join(info.desks)} on {', '.join(names)}",
            f"{began} to {ended} UTC · {span(run.days * DAY)} · {info.events:,} events",
            f"recording {info.recording}",
        ),
        settings={name: text for name, text in told.items() if text},
        halted=info.halted,
    )


def utc(at: int) -> str:
    """A log time to the second."""
    return f"{datetime.fromtimestamp(at // SECONDS, UTC):%Y-%m-%d %H:%M:%S}"


def convention(risk: Risk) -> str:
    """How the ratios were made, in one sentence."""
    return (
        f"Sharpe and Sortino: changes of equity over {span(risk.step / SECONDS)}, "
        f"{risk.samples:,} of them, no risk-free rate, scaled to a year of 365 days; "
        "± is one standard error if changes are independent (Lo 2002)."
    )


def number(value: float | Decimal, digits: int) -> str:
    """So many digits, but at least two decimals; a whole number whole, and a large one too."""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if not value:
        return "0"
    size = abs(float(value))
    if size >= WHOLE_FROM:
        return f"{value:,.0f}"
    places = digits - 1 - math.floor(math.log10(size))
    decimals = min(max(places, DECIMALS_MIN), DECIMALS_MAX)
    text = f"{value:,.{decimals}f}"
    return _trimmed(text) if decimals > DECIMALS_MIN else text


def span(seconds: float) -> str:
    """A span of time in one unit: `350 ms`, `12.5 s`, `4.2 h`."""
    if not seconds:
        return "0 s"
    if abs(seconds) < 1:
        return f"{seconds * 1000:.3g} ms"
    size, name = next(each for each in SPANS if abs(seconds) >= each[0] * SPOKEN_FROM[each[1]])
    return f"{seconds / size:.3g} {name}"


def _trimmed(text: str) -> str:
    """Without zeros that say nothing, down to two decimals."""
    whole, _, decimals = text.partition(".")
    kept = decimals.rstrip("0").ljust(DECIMALS_MIN, "0")
    return f"{whole}.{kept}"


def _profit(profit: Profit) -> Iterator[Row]:
    money = profit.currency
    yield Row("realised", profit.realised, money, sign=Sign.GAIN)
    yield Row("unrealised", profit.unrealised, money, sign=Sign.GAIN)
    yield Row("fees", -profit.fees, money, sign=Sign.GAIN)
    yield Row("funding", profit.funding, money, sign=Sign.GAIN)
    yield Row("P&L", profit.total, money, sign=Sign.GAIN)
    yield Row("spread captured", profit.captured, money, sign=Sign.GAIN)
    yield Row("drift of the mid", profit.drifted, money, sign=Sign.GAIN)


def _trading(each: AccountFigures, days: float) -> Iterator[Row]:
    made = each.trading
    yield Row("orders", made.orders)
    yield Row("orders filled", _share(made.orders_filled, made.orders), "%", rough=True)
    yield Row("size filled", _share(made.filled, made.placed), "%", rough=True)
    yield Row("order lifetime", made.lifetime_median, SECOND)
    yield Row("fills", made.fills)
    yield Row("as maker", _share(made.maker_fills, made.fills), "%", rough=True)
    yield Row("messages a fill", made.messages / made.fills if made.fills else None, rough=True)
    yield Row("turnover", made.turnover, made.quote)
    if days:
        yield Row("turnover a day", made.turnover_a_day, made.quote)
    yield Row("edge at the fill", made.edge_bps, "bps", sign=Sign.GAIN, rough=True)
    for seconds, markout in made.markouts_bps.items():
        yield Row(f"markout {seconds} s", markout, "bps", sign=Sign.GAIN, rough=True)


def _inventory(each: AccountFigures) -> Iterator[Row]:
    held = each.inventory
    yield Row("last position", held.last, held.unit, sign=Sign.SHOWN)
    yield Row("average entry", held.entry if held.last else None, held.quote)
    yield Row("mean position", held.mean, held.unit, sign=Sign.SHOWN, rough=True)
    yield Row("mean inventory", held.mean_size, held.unit, rough=True)
    yield Row("largest inventory", held.largest, held.unit)


def _risk(risk: Risk) -> Iterator[Row]:
    yield Row("Sharpe", risk.sharpe, "a year", rough=True)
    yield Row("Sharpe, ±", risk.sharpe_error, "a year", rough=True)
    yield Row("Sortino", risk.sortino, "a year", rough=True)
    yield Row("max drawdown", -risk.drawdown, risk.profit.currency)
    yield Row("longest drawdown", risk.under_longest, SECOND)
    yield Row("under water", risk.under_share * 100, "%", rough=True)
    if risk.capital is not None:
        yield Row("capital", risk.capital, risk.profit.currency)
        yield Row("return", _percent(risk.annual_return), "% a year", sign=Sign.GAIN, rough=True)
        yield Row("deepest drawdown", _percent(risk.drawdown_share), "% of peak", rough=True)
        yield Row("Calmar", risk.calmar, rough=True)


def _share(part: int | Decimal, whole: int | Decimal) -> float | None:
    return float(part / whole) * 100 if whole else None


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100
