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
import numpy.typing as npt
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


Ints = npt.NDArray[np.int64]


def from_ints(numbers: Ints) -> pa.Array:
    """Numbers as a column, without a copy."""
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])


def to_ints(column: pa.Array | pa.ChunkedArray) -> Ints:
    """A column of int64 as numbers; pyarrow's own way would import all of pandas."""
    whole = _whole(column)
    assert whole.type == pa.int64(), f"{whole.type} is not int64"
    return np.frombuffer(whole.buffers()[1] or b"", np.int64)[whole.offset :][: len(whole)]


def has_places(table: pa.Table) -> bool:
    """Whether every row of a table says where on the log it belongs."""
    types = {field.name: field.type for field in table.schema}
    return all(types.get(name) == pa.int64() for name in PLACE)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined


def table_of(kind: type[Body], place: Mapping[str, Ints], events: Sequence[Body]) -> pa.Table:
    """The events of one kind as a table; raises `BadInput` where a value has no column."""
    columns = {name: from_ints(place[name]) for name in PLACE}
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
    ends = pa.Array.from_buffers(pa.int32(), len(offsets), [None, pa.py_buffer(offsets)])
    sides = (np.ascontiguousarray(flat[side::2]) for side in (0, 1))
    return [pa.ListArray.from_arrays(ends, from_ints(side)) for side in sides]


def encodings(table: pa.Table) -> dict[str, Any]:
    """How Parquet should write each column: numbers and times step slowly, levels share bytes."""
    types = {field.name: field.type for field in table.schema}
    texts = [name for name, kind in types.items() if pa.types.is_string(kind)]
    ways = {name: "DELTA_BINARY_PACKED" for name, kind in types.items() if kind == pa.int64()}
    lists = [name for name, kind in types.items() if pa.types.is_list(kind)]
    ways |= dict.fromkeys((f"{name}.list.element" for name in lists), "BYTE_STREAM_SPLIT")
    return {"use_dictionary": texts, "column_encoding": ways}


class Rows:
    """The table of one kind, ready to give any of its rows as the arrays that stood on the log."""

    def __init__(self, table: pa.Table, *, where: str) -> None:
        """Read tag and fields from the file itself; raises `LogDamaged`."""
        about = table.schema.metadata or {}
        self._where = where
        try:
            self._tag = about[b"mm.tag"].decode()
            names = about[b"mm.fields"].decode().split()
            self.turn, self.index = (to_ints(table[name]) for name in ("turn", "index"))
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


def _parts(table: pa.Table, name: str) -> Parts:
    if name in table.column_names:
        return (_whole(table[name]),)
    return _whole(table[f"{name}_price"]), _whole(table[f"{name}_size"])


def _values(parts: Parts, start: int, stop: int) -> Sequence[Any]:
    if len(parts) == 1:
        values: list[Any] = parts[0][start:stop].to_pylist()
        return values
    prices, sizes, ends = _levels([part[start:stop] for part in parts])
    flat = np.empty(2 * len(prices), np.int64)
    flat[0::2], flat[1::2] = prices, sizes
    numbers = flat.tolist()
    return [numbers[a:b] for a, b in pairwise((2 * ends).tolist())]


def to_levels(table: pa.Table, name: str) -> tuple[Ints, Ints, Ints]:
    """All prices and sizes of a field, and where each row's levels start and end among them.

    Raises `ValueError` where there are prices without sizes.
    """
    return _levels(_parts(table, name))


def _levels(parts: Sequence[pa.Array]) -> tuple[Ints, Ints, Ints]:
    (prices, ends), (sizes, other_ends) = map(_flat, parts)
    if not np.array_equal(ends, other_ends):
        raise ValueError("prices without sizes")
    return prices, sizes, ends


def _flat(lists: pa.ListArray) -> tuple[Ints, Ints]:
    """All numbers of some lists, and where each list starts and ends among them."""
    stored = np.frombuffer(lists.buffers()[1], np.int32)[lists.offset :][: len(lists) + 1]
    ends = stored.astype(np.int64)
    return to_ints(lists.values)[ends[0] : ends[-1]], ends - ends[0]
