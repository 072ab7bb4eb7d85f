"""What a person writes of a CSV file's layout, read once and refused by name."""

import re
from typing import Final

import msgspec

from mm.errors import ConfigError
from mm.events.units import SECONDS, Nanos
from mm.gateways.csv_rows import FIELDS, CsvLayout, Table, TimeUnit

SECONDS_IN: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
INTERVAL: Final = re.compile(r"([1-9]\d{0,4})([smhdw])", re.ASCII)


class CsvOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options as they were given."""

    columns: list[str] = []
    time_unit: str = "auto"
    interval: str = "1m"
    delimiter: str = ","
    header: bool = True
    round_volume: bool = False


def layout(options: CsvOptions, table: Table) -> CsvLayout:
    """The layout of a file of one table; raises `ConfigError`."""
    if options.time_unit not in list(TimeUnit):
        raise ConfigError(
            f"{options.time_unit!r} is no unit of time",
            where="--time-unit",
            remedy=f"use one of {', '.join(TimeUnit)}",
        )
    return CsvLayout(
        columns=_columns(options.columns, table),
        time_unit=TimeUnit(options.time_unit),
        interval=interval(options.interval),
        delimiter=_delimiter(options.delimiter),
        header=options.header,
        round_volume=options.round_volume,
    )


def interval(text: str) -> Nanos:
    """Nanoseconds in `30s`, `1m`, `4h`, `1d`; raises `ConfigError`."""
    found = INTERVAL.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"{text!r} is no interval", where="--interval", remedy="write it as 30s, 1m, 4h or 1d"
        )
    return Nanos(int(found[1]) * SECONDS_IN[found[2]] * SECONDS)


def _columns(texts: list[str], table: Table) -> dict[str, str]:
    """The mappings meant for one table: `field=column` for all, `table.field=column` for one."""
    columns: dict[str, str] = {}
    for text in texts:
        left, _, column = text.partition("=")
        name, dot, field = left.strip().rpartition(".")
        if not column or (dot and name not in list(Table)) or not _known(name, field):
            raise ConfigError(
                f"{text!r} maps nothing",
                where="--column",
                remedy="write field=column or table.field=column; fields are "
                + "; ".join(f"{each}: {', '.join(FIELDS[each])}" for each in Table),
            )
        if name in ("", table) and field in FIELDS[table]:
            columns[field] = column.strip()
    return columns


def _known(name: str, field: str) -> bool:
    tables = [Table(name)] if name else list(Table)
    return any(field in FIELDS[table] for table in tables)


def _delimiter(text: str) -> str:
    delimiter = "\t" if text == "tab" else text
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ConfigError(
            f"{text!r} cannot separate columns", where="--delimiter", remedy="use one character"
        )
    return delimiter
