"""A row of a table of trades, quotes or klines becomes one fact, or an error that says why not.

Times are exact to the nanosecond; one without an offset is UTC. Prices and sizes are exact or
refused, a quote may not be crossed, a candle's open and close lie within its low and high.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from mm.errors import CrossedBook, MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.market import CandleClosed, QuoteUpdated, TradePrinted
from mm.events.units import MICROS, MILLIS, SECONDS, Lots, Nanos, Side, Ticks, steps
from mm.gateways.captures import UNITS
from mm.gateways.exact import LOTS_MAX, StepReader, number

TIME_MAX: Final = Nanos(4_102_444_800 * SECONDS)
"""The year 2100: a later time is damage."""
ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SIDES: Final = {
    **dict.fromkeys(("buy", "b", "bid", "1", "+1"), Side.BUY),
    **dict.fromkeys(("sell", "s", "ask", "-1"), Side.SELL),
}
BUYER_MADE: Final = {
    **dict.fromkeys(("true", "t", "1"), Side.SELL),
    **dict.fromkeys(("false", "f", "0"), Side.BUY),
}


class Table(StrEnum):
    """What the rows of a file are."""

    TRADES = "trades"
    QUOTES = "quotes"
    KLINES = "klines"


class TimeUnit(StrEnum):
    """What a time counts; `auto` tells by the number of digits, or reads ISO 8601."""

    AUTO = "auto"
    S = "s"
    MS = "ms"
    US = "us"
    NS = "ns"
    ISO = "iso"


NANOS_IN: Final = {
    TimeUnit.S: SECONDS,
    TimeUnit.MS: MILLIS,
    TimeUnit.US: MICROS,
    TimeUnit.NS: 1,
}
TRADES_DIGITS_MAX: Final = 12
ID_MAX: Final = 64
OHLC: Final = ("open", "high", "low", "close")
FIELDS: Final[Mapping[Table, tuple[str, ...]]] = {
    Table.TRADES: ("time", "price", "size", "side", "buyer_maker", "id"),
    Table.QUOTES: ("time", "bid", "bid_size", "ask", "ask_size"),
    Table.KLINES: ("time", "open", "high", "low", "close", "volume", "trades"),
}


class CsvLayout(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is written; `columns` maps our names to its own (or to a number from 1).

    `round_volume` takes a candle's volume to the nearest lot: sums made in floating point lie
    between lots, and nothing is traded against a candle.
    """

    columns: dict[str, str] = {}
    time_unit: TimeUnit = TimeUnit.AUTO
    interval: Nanos = Nanos(60 * SECONDS)
    delimiter: str = ","
    header: bool = True
    round_volume: bool = False


def time_from(text: str, unit: TimeUnit) -> Nanos:
    """An exact time; raises `MalformedLine`."""
    at = None
    if unit is TimeUnit.ISO or (unit is TimeUnit.AUTO and not text.isdecimal()):
        at = _iso(text)
    else:
        nanos = UNITS.get(len(text)) if unit is TimeUnit.AUTO else NANOS_IN[unit]
        at = steps(number(text, "time") * nanos, number("1", "one")) if nanos else None
    if at is None or not 0 < at < TIME_MAX:
        raise MalformedLine(
            f"{text[:40]!r} is no time in {unit}",
            remedy="name the unit with --time-unit: s, ms, us, ns or iso",
        )
    return Nanos(at)


def _iso(text: str) -> int | None:
    found = ISO.fullmatch(text)
    if found is None:
        return None
    moment, fraction, offset = found.groups()
    try:
        stamp = datetime.fromisoformat(moment + (offset or "+00:00"))
    except ValueError:
        return None
    seconds = (stamp - EPOCH) // timedelta(seconds=1)
    return seconds * SECONDS + int((fraction or "").ljust(9, "0"))


RowFact = TradePrinted | QuoteUpdated | CandleClosed


class RowReader:
    """Rows of one table into facts of one instrument."""

    def __init__(self, table: Table, layout: CsvLayout, definition: InstrumentDefined) -> None:
        """Read rows laid out as `layout` says."""
        self._id = definition.instrument
        self._layout = layout
        self._lot = definition.lot_size
        self._price = StepReader(definition.tick_size, price=True)
        self._size = StepReader(definition.lot_size, price=False)
        reading: dict[Table, Callable[[Mapping[str, str]], RowFact]] = {
            Table.TRADES: self._trade,
            Table.QUOTES: self._quote,
            Table.KLINES: self._candle,
        }
        self.fact = reading[table]

    def _trade(self, row: Mapping[str, str]) -> TradePrinted:
        at = time_from(row["time"], self._layout.time_unit)
        size = self._size[row["size"]]
        if not size:
            raise MalformedLine("a trade without a size", remedy="drop the row")
        return TradePrinted(
            instrument=self._id,
            received=at,
            venue_time=at,
            trade_id=row.get("id", "")[:ID_MAX],
            price=Ticks(self._price[row["price"]]),
            size=Lots(size),
            aggressor=_side(row),
        )

    def _quote(self, row: Mapping[str, str]) -> QuoteUpdated:
        at = time_from(row["time"], self._layout.time_unit)
        bid, ask = self._price[row["bid"]], self._price[row["ask"]]
        if bid >= ask:
            raise CrossedBook(f"bid {row['bid']} is not below ask {row['ask']}")
        return QuoteUpdated(
            instrument=self._id,
            received=at,
            venue_time=at,
            sequence=0,
            bid=Ticks(bid),
            bid_size=Lots(self._size[row["bid_size"]]),
            ask=Ticks(ask),
            ask_size=Lots(self._size[row["ask_size"]]),
        )

    def _candle(self, row: Mapping[str, str]) -> CandleClosed:
        """A candle is known when it closes, one interval after it opened."""
        opened = time_from(row["time"], self._layout.time_unit)
        closed = Nanos(opened + self._layout.interval)
        first, high, low, last = (self._price[row[name]] for name in OHLC)
        if high < max(first, last) or low > min(first, last):
            raise MalformedLine("open or close lies outside low and high", remedy="drop the row")
        trades = row.get("trades") or "0"
        if not (trades.isascii() and trades.isdecimal() and len(trades) <= TRADES_DIGITS_MAX):
            raise MalformedLine(f"{trades[:40]!r} is no number of trades", remedy="drop the row")
        return CandleClosed(
            instrument=self._id,
            received=closed,
            venue_time=closed,
            opened=opened,
            interval=self._layout.interval,
            open=Ticks(first),
            high=Ticks(high),
            low=Ticks(low),
            close=Ticks(last),
            volume=self._volume(row["volume"]),
            trades=int(trades),
        )

    def _volume(self, text: str) -> Lots:
        if not self._layout.round_volume:
            return Lots(self._size[text])
        lots = (number(text, "volume") / self._lot).to_integral_value()
        if not 0 <= lots <= LOTS_MAX:
            raise MalformedLine(f"volume {text} is out of all bounds", remedy="drop the row")
        return Lots(int(lots))


def _side(row: Mapping[str, str]) -> Side:
    name, meaning = ("side", SIDES) if "side" in row else ("buyer_maker", BUYER_MADE)
    text = row[name]
    side = meaning.get(text.lower())
    if side is None:
        raise MalformedLine(
            f"{name} {text[:40]!r} is none of {', '.join(meaning)}",
            remedy="correct or drop the row",
        )
    return side
