"""Rates in JSON: tables of one currency's rates against all others, and a venue's ticker."""

from decimal import Decimal
from typing import TypeVar

import msgspec

from mm.errors import BadInput, ConfigError
from mm.events.units import MILLIS, SECONDS, Nanos
from mm.gateways.csv_rows import TIME_MAX
from mm.gateways.reference.quote import DOCUMENT, Basis, Pair, Told, price, spread

Document = TypeVar("Document")


class Table(msgspec.Struct):
    """One unit of `base_code` in each other currency."""

    result: str
    base_code: str
    time_last_update_unix: int
    rates: dict[str, Decimal]


class Ticker(msgspec.Struct):
    """What a market trades at; `at` in milliseconds."""

    at: int
    buy: str
    sell: str


class OpenRates:
    """A free table of the day's mid rates."""

    name = "open-er-api"
    hosts = ("open.er-api.com",)

    def url(self, pair: Pair) -> str:
        """The table of the pair's base."""
        return f"https://{self.hosts[0]}/v6/latest/{pair.base}"

    def read(self, pair: Pair, body: bytes) -> Told:
        """The pair's rate."""
        table = decoded(body, Table)
        if table.result != "success" or pair.base != table.base_code:
            raise BadInput(f"it is {table.result} about {table.base_code}", remedy=DOCUMENT)
        if pair.quote not in table.rates:
            raise BadInput(f"there is no rate of {pair.quote}", remedy=DOCUMENT)
        rate = price(str(table.rates[pair.quote]), str(pair))
        return Told(rate, rate, Basis.MID, time_of(table.time_last_update_unix, SECONDS))


class MaxTicker:
    """The best prices of MAX: not a reference, but the leg that is traded there."""

    name = "max"
    hosts = ("max-api.maicoin.com",)

    def url(self, pair: Pair) -> str:
        """The ticker of a market."""
        if pair.quote != "TWD":
            raise ConfigError(
                f"max trades against TWD, not {pair}",
                where="reference.sources",
                remedy="leave it out, or name another source",
            )
        return f"https://{self.hosts[0]}/api/v3/ticker?market={pair.base}{pair.quote}".lower()

    def read(self, pair: Pair, body: bytes) -> Told:
        """The best bid and offer."""
        ticker = decoded(body, Ticker)
        bid, ask = price(ticker.buy, f"{pair} buy"), price(ticker.sell, f"{pair} sell")
        return Told(*spread(bid, ask), Basis.TRADED, time_of(ticker.at, MILLIS))


def decoded(body: bytes, kind: type[Document]) -> Document:
    """A document of a shape; raises `BadInput`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(f"it cannot be read: {error}", remedy=DOCUMENT) from error


def time_of(count: int, unit: int) -> Nanos:
    """A time of a document; raises `BadInput`."""
    if not 0 < count * unit < TIME_MAX:
        raise BadInput(f"{count} is no time", remedy=DOCUMENT)
    return Nanos(count * unit)
