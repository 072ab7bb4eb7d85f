"""Rates in tables of text: a bank's board, and an exchange's list of the day's rates.

Columns are found by their labels, never counted from the left: both tables have changed theirs.
"""

import csv
import io
import re
from datetime import datetime
from typing import Final

from mm.errors import BadInput, ConfigError
from mm.events.units import SECONDS, Nanos
from mm.gateways.reference.quote import DOCUMENT, Basis, Pair, Told, price, spread, text_of, turned

TWD: Final = "TWD"
BUYS: Final = "本行買入"
SELLS: Final = "本行賣出"
SPOT: Final = 2
"""Behind a label stand the prices for cash, then those for spot."""
DATES: Final = ("日期", "DATE")
TAIPEI_CLOSE: Final = 8 * 3_600 * SECONDS
"""The day's rates are those of 16:00 in Taipei, which is 08:00 UTC."""


def rows_of(text: str) -> list[list[str]]:
    """The rows of a table, without what surrounds cells; raises `BadInput`."""
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise BadInput(f"it is no table: {error}", remedy=DOCUMENT) from error
    return [[cell.strip() for cell in row] for row in rows if row]


def in_twd(name: str, pair: Pair) -> None:
    """Refuse a pair that is not quoted in TWD; raises `ConfigError`."""
    if TWD not in pair:
        raise ConfigError(
            f"{name} publishes what things cost in {TWD}, not {pair}",
            where="reference.sources",
            remedy="leave it out, or name another source",
        )


class BankOfTaiwan:
    """The board of the Bank of Taiwan, spot: what the bank pays, and what it asks for.

    The document does not say when it was made; outside banking hours it is the last one.
    """

    name = "bank-of-taiwan"
    hosts = ("rate.bot.com.tw",)

    def url(self, pair: Pair) -> str:
        """The board as it is now."""
        in_twd(self.name, pair)
        return f"https://{self.hosts[0]}/xrt/flcsv/0/day"

    def read(self, pair: Pair, body: bytes) -> Told:
        """The spot prices of a currency."""
        if pair.base == TWD:
            return turned(self.read(Pair(pair.quote, TWD), body))
        for row in rows_of(text_of(body, "utf-8-sig")):
            if row[0] == pair.base:
                bid = price(_behind(row, BUYS), f"{pair} {BUYS}")
                ask = price(_behind(row, SELLS), f"{pair} {SELLS}")
                return Told(*spread(bid, ask), Basis.BOARD)
        raise BadInput(f"there is no row of {pair.base}", remedy=DOCUMENT)


def _behind(row: list[str], label: str) -> str:
    places = [at for at, cell in enumerate(row) if cell == label]
    if len(places) != 1 or places[0] + SPOT >= len(row):
        raise BadInput(f"the row of {row[0]} has no spot price behind {label}", remedy=DOCUMENT)
    return row[places[0] + SPOT]


class Taifex:
    """The daily rates of the Taiwan Futures Exchange: one figure a day, the last one counts."""

    name = "taifex"
    hosts = ("www.taifex.com.tw",)

    def url(self, pair: Pair) -> str:
        """The list of the last days."""
        in_twd(self.name, pair)
        place = "data_gov/taifex_open_data.asp?data_name=DailyForeignExchangeRates"
        return f"https://{self.hosts[0]}/{place}"

    def read(self, pair: Pair, body: bytes) -> Told:
        """The rate of the latest day."""
        if pair.base == TWD:
            return turned(self.read(Pair(pair.quote, TWD), body))
        header, *days = rows_of(text_of(body, "utf-8-sig", "cp950")) or [[]]
        date, rate = _column(header, set(DATES)), _column(header, _labels(pair))
        found = [row for row in days if len(row) > max(date, rate)]
        if not found:
            raise BadInput("there is no day in it", remedy=DOCUMENT)
        at, row = max((_day(row[date]), row) for row in found)
        figure = price(row[rate], f"{pair} of {row[date]}")
        return Told(figure, figure, Basis.MID, Nanos(at + TAIPEI_CLOSE))


def _labels(pair: Pair) -> set[str]:
    names = {"USD": "美元", "CNY": "人民幣", "RMB": "人民幣"}
    return {
        f"{pair.base}/{TWD}",
        f"{pair.base}/NTD",
        f"{names.get(pair.base, pair.base)}/新台幣",
    }


def _column(header: list[str], labels: set[str]) -> int:
    places = [at for at, cell in enumerate(header) if _plain(cell) in labels]
    if len(places) != 1:
        raise BadInput(f"no one column is {' or '.join(sorted(labels))}", remedy=DOCUMENT)
    return places[0]


def _plain(label: str) -> str:
    """A label without spaces and wide strokes."""
    return "".join(label.split()).replace("／", "/").upper()  # noqa: RUF001  They write it so.


def _day(text: str) -> int:
    """Midnight UTC of a day; raises `BadInput`."""
    try:
        day = datetime.strptime(f"{re.sub('[-/]', '', text)} +0000", "%Y%m%d %z")
    except ValueError as error:
        raise BadInput(f"{text!r} is no day", remedy=DOCUMENT) from error
    return int(day.timestamp()) * SECONDS
