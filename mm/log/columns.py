"""Events as typed columns, derived from the structs' own annotations, and back to raw rows.

One table holds the events of one kind. Integers and times are int64, `Side` int8, names and enums
strings, decimals the exact string that stands on the log, and flat levels two aligned list columns,
`…_price` and `…_size`. Every row starts with its place: `seq`, `turn`, `index` and `time`, which is
the turn's `at` (a word that SQL reserves). A file tells its own tag and fields, so that it gives
back the very array that was on the log even after later versions added fields to the struct.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from functools import cache
from itertools import chain, pairwise, repeat
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import inspect

from mm.errors import BadInput, LogDamaged
from mm.events.base import Body
from mm.events.vocabulary import KINDS, tag_of

PLACE: Final = ("seq", "turn", "index", "time")
TURNS: Final = "turns"
_LEVELS: Final = "levels"
_PLAIN: Final[Mapping[type[inspect.Type], pa.DataType]] = {
    inspect.IntType: pa.int64(),
    inspect.FloatType: pa.float64(),
    inspect.BoolType: pa.bool_(),
    inspect.StrType: pa.string(),
    inspect.BytesType: pa.binary(),
    inspect.DecimalType: pa.string(),
}


class Field(msgspec.Struct, frozen=True):
    """One field of an event: its name and the Arrow type of its column, or `levels`."""

    name: str
    type: pa.DataType | str
    decimal: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""
        pair = (f"{self.name}_price", f"{self.name}_size")
        return pair if self.type == _LEVELS else (self.name,)


@cache
def fields(kind: type[Body]) -> tuple[Field, ...]:
    """The fields of a kind in the order of the log."""
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType), f"{kind} is no struct"
    columns = tuple(_field(field) for field in found.fields)
    names = [name for column in columns for name in column.names]
    assert not set(names) & set(PLACE), f"{kind.__name__} has a field named as a place"
    return columns


def _field(field: inspect.Field) -> Field:
    match field.type:
        case inspect.EnumType(cls=cls):
            return Field(field.name, pa.int8() if issubclass(cls, IntEnum) else pa.string())
        case inspect.VarTupleType(item_type=inspect.IntType()):
            return Field(field.name, _LEVELS)
        case plain:
            decimal = isinstance(plain, inspect.DecimalType)
            return Field(field.name, _PLAIN[type(plain)], decimal)


def file_name(tag: str) -> str:
    """A tag as part of a file name or the name of a view."""
    return tag.replace(".", "_")


assert len({file_name(tag) for tag in KINDS}) == len(KINDS), "two tags give one file name"


def table_of(kind: type[Body], place: Mapping[str, Any], events: Sequence[Body]) -> pa.Table:
    """The events of one kind as a table; raises `BadInput` where a value has no column."""
    columns: dict[str, Any] = {name: pa.array(place[name], pa.int64()) for name in PLACE}
    for field in fields(kind):
        values = map(attrgetter(field.name), events)
        try:
            columns |= zip(field.names, _arrays(field, values), strict=True)
        except (OverflowError, pa.ArrowInvalid, ValueError) as error:
            raise BadInput(
                f"{kind.__name__}.{field.name} holds a value that no column can: {error}",
                where=f"turns {place['turn'][0]} to {place['turn'][-1]}",
                remedy="integers have 64 bits, levels come in pairs of price and size",
            ) from error
    about = {"mm.tag": tag_of(kind), "mm.fields": " ".join(field.name for field in fields(kind))}
    return pa.table(columns).replace_schema_metadata(about)


def _arrays(field: Field, values: Iterator[Any]) -> Sequence[pa.Array]:
    if field.type == _LEVELS:
        return _split(list(values))
    if field.decimal:
        values = map(str, values)
    return (pa.array(list(values), field.type),)


def _split(levels: list[tuple[int, ...]]) -> Sequence[pa.Array]:
    """Prices and sizes apart, under the same offsets."""
    lengths = np.fromiter(map(len, levels), np.int64, len(levels))
    if (lengths % 2).any():
        raise ValueError("a price without a size")
    offsets = np.zeros(len(levels) + 1, np.int32)
    np.cumsum(lengths // 2, out=offsets[1:])
    flat = np.fromiter(chain.from_iterable(levels), np.int64, int(lengths.sum()))
    ends = pa.array(offsets)
    return [pa.ListArray.from_arrays(ends, pa.array(flat[side::2])) for side in (0, 1)]


class Rows:
    """The table of one kind, ready to give any of its rows as the arrays that stood on the log."""

    def __init__(self, table: pa.Table, *, where: str) -> None:
        """Read tag and fields from the file itself; raises `LogDamaged`."""
        about = table.schema.metadata or {}
        self._where = where
        try:
            self._tag = about[b"mm.tag"].decode()
            names = about[b"mm.fields"].decode().split()
            self.turn, self.index = (_column(table, name).to_numpy() for name in ("turn", "index"))
            self._columns = [_parts(table, name) for name in names]
        except (KeyError, pa.ArrowException, ValueError) as error:
            raise self._damaged(f"is not a file of events: {error}") from error
        if (np.diff(self.turn) < 0).any():
            raise self._damaged("is not in the order of the log")

    def read(self, start: int, stop: int) -> Iterator[tuple[Any, ...]]:
        """Rows `start` to `stop` as `(tag, field, …)`."""
        try:
            columns = [_values(parts, start, stop) for parts in self._columns]
        except (pa.ArrowException, ValueError, IndexError) as error:
            raise self._damaged(f"has columns that do not fit: {error}") from error
        return zip(repeat(self._tag, stop - start), *columns, strict=True)

    def _damaged(self, what: str) -> LogDamaged:
        return LogDamaged(
            f"{self._where} {what}",
            where=self._where,
            remedy="restore the file from a copy, or fill the archive anew from the log",
        )


Parts = tuple[pa.Array, ...]


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name).combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _parts(table: pa.Table, name: str) -> Parts:
    if name in table.column_names:
        return (_column(table, name),)
    return _column(table, f"{name}_price"), _column(table, f"{name}_size")


def _values(parts: Parts, start: int, stop: int) -> Sequence[Any]:
    if len(parts) == 1:
        values: list[Any] = parts[0][start:stop].to_numpy(zero_copy_only=False).tolist()
        return values
    prices, sizes = (part[start:stop] for part in parts)
    ends = prices.offsets.to_numpy()
    low, high = int(ends[0]), int(ends[-1])
    flat = np.empty(2 * (high - low), np.int64)
    flat[0::2] = prices.values[low:high].to_numpy()
    flat[1::2] = sizes.flatten().to_numpy()
    numbers = flat.tolist()
    cuts = (2 * (ends - low)).tolist()
    return [numbers[a:b] for a, b in pairwise(cuts)]
