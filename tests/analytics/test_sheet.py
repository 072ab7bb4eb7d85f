"""What a person reads of a run: the tear sheet, the report, two runs beside each other."""

import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console, RenderableType

from mm.analytics import comparison, plots, report, sheet
from mm.analytics.equity import Curve
from mm.analytics.performance import performance
from mm.analytics.run import Run
from mm.analytics.sheet import Row, Sign
from mm.analytics.tear_sheet import tear_sheet
from mm.errors import ConfigError
from mm.events.instrument import ContractKind
from mm.events.units import Nanos
from tests.analytics.runs import at, bought, order, point, run, sold
from tests.build import instrument


def some(name: str = "run one", price: int = 990, **info: object) -> Run:
    """A maker that buys and sells a little."""
    fills = [bought(10, price, 200, mid2=2000), sold(50, 1010, 100, mid2=2000, taker=1)]
    samples = [point(second, 1000 + second % 7) for second in range(100)]
    orders = [order(5, 10, 200, 200), order(20, 30, 100, 0)]
    told = {"latency": "1 ms", "queue": "power 3", "settings": {"refresh": "100 ms"}, **info}
    return run(fills, samples, orders, name=name, events=1234, **told)


def printed(drawn: RenderableType, width: int = 80) -> str:
    """What a terminal of this width shows."""
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(drawn)
    return capture.get()


def squeezed(text: str) -> str:
    """With one blank where there are several."""
    return re.sub(r"\s+", " ", text)


class Page(HTMLParser):
    """What is in a page: its words, its tags, and whatever it would fetch."""

    def __init__(self, text: str) -> None:
        """Read it."""
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids and links."""
        self.tags.append(tag)
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        for name in ("src", "href", "xlink:href", "data", "action"):
            link = found.get(name) or ""
            self.fetched += [link] if link and not link.startswith("#") else []
        if tag not in {"meta", "link", "br", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that has no end is not open."""
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Every end ends what began last."""
        assert self.open.pop() == tag, f"{tag} ends inside of another element"

    def handle_data(self, data: str) -> None:
        """Collect the words."""
        self.words.append(data)


def test_the_tear_sheet_fits_80_columns() -> None:
    """No line is longer than the screen, and every figure has its unit."""
    lines = printed(tear_sheet(some())).splitlines()
    assert max(len(line) for line in lines) <= 80
    for row in (row for each in sheet.sections(performance(some())) for row in each.rows):
        assert any(row.label in line and row.text in line for line in lines), row
    text = squeezed("\n".join(lines))
    for words in (
        "run one",
        "maker on paper:BTCUSDT",
        "2023-11-14 22:13:20 to 22:15:00 UTC · 100 s · 1,234 events",
        "realised +0.20 USDT",
        "fees -0.00901 USDT",
        "as maker 50.00 %",
        "last position +0.10 BTC",
        "latency 1 ms",
        "queue power 3",
        "refresh 100 ms",
        "changes of equity over 60 s, 1 of them",
    ):
        assert words in text


def test_every_account_and_currency_is_told() -> None:
    """Several accounts are named, and what shares a currency is summed."""
    inverse = instrument(kind=ContractKind.INVERSE, settle="BTC", symbol="BTCUSD")
    fills = [bought(1, 100, 1), bought(1, 100, 1, desk=1), bought(2, 100, 9, instrument=1)]
    samples = [point(0, 100), point(0, 100, desk=1), point(0, 100, instrument=1)]
    one = run(fills, samples, desks=("a", "b"), instruments=(instrument(), inverse))
    titles = [each.title for each in sheet.sections(performance(one))]
    assert "Profit and loss · a paper:BTCUSDT" in titles
    assert "Inventory · b paper:BTCUSDT" in titles
    assert "Profit and loss · all in USDT" in titles
    assert "Risk · all in BTC" in titles
    assert "contracts" in printed(tear_sheet(one))


def test_a_halt_is_told() -> None:
    """A run that was halted says so before any figure."""
    one = some(halted="loss limit")
    assert "halted: loss limit" in printed(tear_sheet(one)).split("Profit and loss")[0]
    assert "halted: loss limit" in report.report(one)


def test_a_run_without_anything_has_a_sheet(tmp_path: Path) -> None:
    """An empty run is told as one; nothing fails."""
    empty = run([], name="nothing")
    assert "nothing" in printed(tear_sheet(empty))
    report.write_report(empty, tmp_path / "empty.html")
    comparison.write_comparison(empty, some(), tmp_path / "both.html")
    assert printed(comparison.comparison(empty, empty))


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (Row("fills", 1234), "1,234"),
        (Row("x", None, "USDT"), "-"),
        (Row("x", float("nan"), "%"), "-"),
        (Row("x", float("inf")), "∞"),
        (Row("x", float("-inf")), "-∞"),
        (Row("x", Decimal("12345.678"), "USDT", Sign.GAIN), "+12,345.68 USDT"),
        (Row("x", Decimal("-0.0012345678"), "BTC", Sign.GAIN), "-0.00123457 BTC"),
        (Row("x", Decimal("239389880.43"), "USDT"), "239,389,880 USDT"),
        (Row("x", Decimal("0.10"), "BTC"), "0.10 BTC"),
        (Row("x", Decimal(0), "BTC", Sign.GAIN), "0 BTC"),
        (Row("x", 8.33333, "%", rough=True), "8.333 %"),
        (Row("x", 0.0042, "s"), "4.2 ms"),
        (Row("x", 90.0, "s"), "90 s"),
        (Row("x", 150.0, "s"), "2.5 min"),
        (Row("x", 7200.0, "s"), "2 h"),
        (Row("x", 86400.0 * 3, "s"), "3 d"),
        (Row("x", -150.0, "s", Sign.SHOWN), "-2.5 min"),
        (Row("x", 0.0, "s"), "0 s"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_words_of_a_value(row: Row, text: str) -> None:
    """Digits that say something, a unit, and a sign where it means something."""
    assert row.text == text


def test_tones() -> None:
    """Only a gain or a loss is coloured: a position that is long is neither."""
    assert Row("x", 1, sign=Sign.GAIN).tone == "gain"
    assert Row("x", -1, sign=Sign.GAIN).tone == "loss"
    assert Row("x", 1, sign=Sign.SHOWN).tone == Row("x", 0, sign=Sign.GAIN).tone == ""


def test_the_report_is_one_file(tmp_path: Path) -> None:
    """Nothing is fetched from anywhere, every element ends, and no id stands twice."""
    report.write_report(some(), tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert page.fetched == []
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("svg") == 3
    assert "script" not in page.tags
    words = squeezed(" ".join(page.words))
    for told in ("run one", "realised +0.20 USDT", "latency 1 ms", "Sharpe and Sortino:"):
        assert told in words


def test_the_same_run_gives_the_same_report() -> None:
    """No clock and no chance is in a report."""
    assert report.report(some()) == report.report(some())


def test_names_are_no_markup(tmp_path: Path) -> None:
    """What a user named is shown as it is, and never read as HTML."""
    text = report.report(some("<script>alert(1)</script>", config='{"a":"a < b & c"}'))
    assert "<script" not in text
    assert "a &lt; b &amp; c" in text
    comparison.write_comparison(some("<script>"), some(), tmp_path / "both.html")
    assert "<script" not in (tmp_path / "both.html").read_text("utf-8")


def test_a_report_replaces_the_last_one(tmp_path: Path) -> None:
    """Written whole under its name, whatever was there; a directory is refused."""
    path = tmp_path / "report.html"
    path.write_text("old")
    report.write_report(some(), path)
    assert "old" not in path.read_text("utf-8")[:3]
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    for bad in (tmp_path, tmp_path / "missing" / "report.html"):
        with pytest.raises(ConfigError, match="cannot be put there"):
            report.write_report(some(), bad)


def test_two_runs_compared() -> None:
    """Every figure of both, and what the second has more."""
    found = {each.label: each for each in comparison.compared(some(), some("two", 980))}
    assert found["realised"].texts() == ("+0.20 USDT", "+0.30 USDT", "+0.10 USDT")
    assert found["realised"].tone == "gain"
    assert found["fills"].texts() == ("2", "2", "0")
    assert found["mean inventory"].tone == ""


def test_what_cannot_be_subtracted_is_not() -> None:
    """Figures in other currencies, and those of one run only, have no difference."""
    euros = run([bought(1, 100, 1)], [point(0, 100)], instruments=(instrument(settle="EUR"),))
    found = {each.label: each for each in comparison.compared(some(), euros)}
    assert found["realised"].texts() == ("+0.20 USDT", "0 EUR", "-")
    assert found["markout 1 s"].texts()[1:] == ("-", "-")


def test_a_comparison_on_a_terminal() -> None:
    """80 columns hold it; the settings that differ are named."""
    a = some()
    b = msgspec.structs.replace(a, info=msgspec.structs.replace(a.info, latency="5 ms"))
    text = printed(comparison.comparison(a, b))
    assert max(map(len, text.splitlines())) <= 80
    assert "latency: 1 ms -> 5 ms" in text
    assert "run one (A)" in text
    assert "the settings are the same" in printed(comparison.comparison(a, a))


def test_a_difference_of_shares_is_in_points_and_dust_is_none() -> None:
    """19 % less 17 % is 2 points, not 2 %; what no shown digit tells is no difference."""
    share = sheet.Row("orders filled", 19.0, "%", rough=True)
    less = msgspec.structs.replace(share, value=17.0)
    same = msgspec.structs.replace(share, value=19.0 + 1e-9)
    texts = [comparison.Compared("", "", share, each).texts()[2] for each in (less, same)]
    assert texts == ["-2.00 points", "0 points"]


def test_settings_that_differ_are_named() -> None:
    """The key of the config that was changed, not its hash; counts and the feed are no settings."""
    configs = [
        f'{{"desk":"{desk}","strategies":{{"maker":{{"half_spread_bps":{half}}}}}}}'
        for desk, half in (("a", 0.3), ("b", 0.6))
    ]
    a, b = (
        run([], config=config, config_hash=config[:20], settings={"turns": str(number)})
        for number, config in enumerate(configs)
    )
    assert comparison.differing(a, b) == [("strategies.maker.half_spread_bps", "0.3", "0.6")]


def test_a_comparison_as_a_page(tmp_path: Path) -> None:
    """One file with both equities in one plot, a table of figures, and both settings."""
    comparison.write_comparison(some(), some("two", 980), tmp_path / "both.html")
    page = Page((tmp_path / "both.html").read_text("utf-8"))
    assert (page.fetched, page.open, page.tags.count("svg")) == ([], [], 1)
    words = squeezed(" ".join(page.words))
    assert "run one and two" in words
    assert "realised +0.20 USDT +0.30 USDT +0.10 USDT" in words


def test_thinning_keeps_the_extremes() -> None:
    """A line of many points keeps its highest, its lowest and its last."""
    values = np.zeros(100_000)
    values[77_777], values[33_333], values[-3:] = 5, -5, [2, -2, 1]
    at_, kept = plots.thinned(np.arange(100_000) + at(0), values)
    assert len(kept) <= 2 * plots.BUCKETS + 1
    assert (kept.max(), kept.min(), kept[-1]) == (5, -5, 1)
    assert (np.diff(at_.astype(np.int64)) > 0).all()


def test_one_moment_can_be_drawn() -> None:
    """A curve of one point, or of none, is a plot as well."""
    one = Curve(np.array([at(0)]), np.array([1.0]))
    none = Curve(np.zeros(0, np.int64), np.zeros(0))
    assert plots.equity_plot([("one", one), ("none", none)], "USDT").startswith("<svg")


def test_ratios_of_a_step_are_told_with_it() -> None:
    """The interval that was asked for stands beside the ratios."""
    assert "over 10 s, 10 of them" in squeezed(printed(tear_sheet(some(), Nanos(10 * 10**9))))
