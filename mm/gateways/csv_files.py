"""CSV files of trades, quotes and klines, plain or gzip, merged by time into one recording.

Columns are found by our names, by the usual other names, or as the caller maps them. Each row is
one turn. A row that cannot be believed is named by file and line and counted; the rest comes in.
"""

import codecs
import csv
import heapq
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from mm.errors import BadInput, ConfigError, MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.market import FeedUp, QuoteUpdated
from mm.events.units import Nanos
from mm.events.vocabulary import Fact
from mm.gateways.captures import LINE_BYTES_MAX
from mm.gateways.compressed import CUT_OFF, Advance, blocks, existing, silent
from mm.gateways.csv_options import CsvOptions, layout
from mm.gateways.csv_rows import FIELDS, CsvLayout, RowFact, RowReader, Table
from mm.gateways.recorder import Recorder
from mm.gateways.totals import Problems, Totals

COLUMNS_SHOWN: Final = 200
CHANNEL: Final = "market"
OPTIONAL: Final = frozenset({"id", "trades", "side", "buyer_maker"})
OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("timestamp", "ts", "datetime", "date", "open_time", "transact_time"),
    "size": ("qty", "quantity", "amount"),
    "id": ("trade_id",),
    "buyer_maker": ("is_buyer_maker",),
    "bid": ("bid_price", "best_bid_price"),
    "ask": ("ask_price", "best_ask_price"),
    "bid_size": ("bid_qty", "best_bid_qty", "bid_amount"),
    "ask_size": ("ask_qty", "best_ask_qty", "ask_amount"),
    "trades": ("count",),
}


class Row(NamedTuple):
    """A row at its time; without a fact there is an error. Ordered by time, file and line."""

    received: Nanos
    source: int
    number: int
    fact: RowFact | None
    error: BadInput | None = None


class CsvSource(NamedTuple):
    """A file and what its rows are."""

    table: Table
    path: Path
    layout: CsvLayout


def sources(files: Mapping[str, list[Path] | None], options: CsvOptions) -> list[CsvSource]:
    """The files of each table with their layouts; raises `ConfigError` where there are none."""
    found = [
        CsvSource(Table(name), path, layout(options, Table(name)))
        for name, paths in files.items()
        for path in paths or []
    ]
    if not found:
        names = ", ".join(f"--{name}" for name in files)
        raise ConfigError("there is no file to import", remedy=f"name one with {names}")
    return found


class CsvFile:
    """One file, read once from start to end."""

    def __init__(self, source: CsvSource, index: int, definition: InstrumentDefined) -> None:
        """Find the columns; raises `BadInput` or `ConfigError` if they are not there."""
        self._source = source
        self._index = index
        self._reader = RowReader(source.table, source.layout, definition)
        self._columns, self._width = self._resolve()
        self._last = Nanos(0)

    def _resolve(self) -> tuple[dict[str, int], int]:
        """The place of every field, and how many columns a row has."""
        layout, path = self._source.layout, existing(self._source.path)
        try:
            first = next(csv.reader(_texts(path), delimiter=layout.delimiter), [])
        except (*CUT_OFF, csv.Error) as error:
            raise BadInput(
                f"the file cannot be read: {error}", where=str(path), remedy="check the file"
            ) from error
        fields = FIELDS[self._source.table]
        plain = [name for name in fields if name != "buyer_maker"]
        names = [name.strip().lower() for name in first] if layout.header else plain
        places = {field: _place(field, names, layout.columns) for field in fields}
        found = {field: place for field, place in places.items() if 0 <= place < len(first)}
        self._check(found, first)
        return found, len(first)

    def _check(self, found: Mapping[str, int], first: Sequence[str]) -> None:
        needed = [name for name in FIELDS[self._source.table] if name not in OPTIONAL]
        if self._source.table is Table.TRADES and "buyer_maker" not in found:
            needed.append("side")
        missing = [name for name in needed if name not in found]
        if missing:
            raise ConfigError(
                f"a file of {self._source.table} needs a column for {', '.join(missing)}; "
                f"its columns are {', '.join(first)[:COLUMNS_SHOWN]}",
                where=str(self._source.path),
                remedy=f"map it: --column {missing[0]}=NAME",
            )

    def rows(self, advance: Advance = silent) -> Iterator[Row]:
        """Every row in the file's order; the times of those without fault never run back."""
        path, layout = self._source.path, self._source.layout
        reader = csv.reader(_texts(path, advance), delimiter=layout.delimiter)
        if layout.header:
            next(reader, None)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                broken = MalformedLine(f"no row of a table: {error}")
                yield self._wrong(reader.line_num, broken)
            except CUT_OFF as error:
                cut = MalformedLine(f"the compressed data ends here: {error}")
                yield self._wrong(reader.line_num + 1, cut)
                return
            else:
                if cells:
                    yield self._row(reader.line_num, cells)

    def _row(self, number: int, cells: list[str]) -> Row:
        if len(cells) != self._width:
            what = f"{len(cells)} columns instead of {self._width}"
            return self._wrong(number, MalformedLine(what, remedy="correct or drop the row"))
        try:
            fact = self._reader.fact(
                {field: cells[place].strip() for field, place in self._columns.items()}
            )
        except BadInput as error:
            return self._wrong(number, error)
        if fact.received < self._last:
            back = MalformedLine("the time runs back", remedy="sort the file by time")
            return self._wrong(number, back)
        self._last = fact.received
        return Row(fact.received, self._index, number, fact)

    def _wrong(self, number: int, error: BadInput) -> Row:
        error.where = f"{self._source.path.name}:{number}"
        return Row(self._last, self._index, number, None, error)


def _place(field: str, names: Sequence[str], columns: Mapping[str, str]) -> int:
    """Index of a field's column, -1 if there is none."""
    wanted = columns.get(field, "")
    if wanted.isdecimal():
        return int(wanted) - 1
    candidates = [wanted.strip().lower()] if wanted else [field, *OTHER_NAMES.get(field, ())]
    return next((names.index(name) for name in candidates if name in names), -1)


def _texts(path: Path, advance: Advance = silent) -> Iterator[str]:
    """Lines with their ends, as the csv module wants them; bytes that are no text are marked."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    rest = ""
    for block in blocks(path, advance):
        *lines, rest = (rest + decoder.decode(block)).split("\n")
        for line in lines:
            yield line + "\n"
        if len(rest) > LINE_BYTES_MAX:
            raise csv.Error(f"a line of more than {LINE_BYTES_MAX} bytes")
    yield rest


class CsvImport:
    """Files of one instrument in, turns out, totals beside."""

    def __init__(
        self, sources: Sequence[CsvSource], definition: InstrumentDefined, problems: Problems
    ) -> None:
        """Open the files; raises `BadInput` or `ConfigError`."""
        self.problems = problems
        self.notes: list[str] = []
        self._files = [CsvFile(each, index, definition) for index, each in enumerate(sources)]
        self._totals = Totals(definition)
        self._top = (0, 0, 0, 0)

    def run(self, recorder: Recorder, advance: Advance = silent) -> None:
        """Record every row that can be believed, merged by time."""
        for row in heapq.merge(*(file.rows(advance) for file in self._files)):
            if row.error is not None:
                self.problems.add(row.error, "")
            elif row.fact is not None:
                self._record(recorder, row.received, row.fact)

    def _record(self, recorder: Recorder, received: Nanos, fact: RowFact) -> None:
        facts: list[Fact] = [fact]
        if not self._totals.messages:
            definition = self._totals.definition
            recorder.turn(received, [definition])
            up = FeedUp(instrument=definition.instrument, received=received, channel=CHANNEL)
            facts.insert(0, up)
        self._totals.message(received)
        self._totals.add(fact)
        if isinstance(fact, QuoteUpdated):
            self._top = fact.bid, fact.bid_size, fact.ask, fact.ask_size
        recorder.turn(received, facts)

    def report(self) -> list[dict[str, Any]]:
        """The figures of the one instrument."""
        definition = self._totals.definition
        bid, bid_size, ask, ask_size = self._top
        top = {
            "best_bid": definition.price(bid),
            "best_bid_size": definition.size(bid_size),
            "best_ask": definition.price(ask),
            "best_ask_size": definition.size(ask_size),
        }
        return [self._totals.report() | top]
