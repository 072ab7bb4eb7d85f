"""A finished backtest: what was run, and every order, fill and sample of it in columns.

On disk a run is a directory: `run.json` says what was run, under which settings, and what came of
it; `orders.parquet`, `fills.parquet` and `points.parquet` hold the columns, readable by DuckDB and
anything else. It appears whole or not at all, and is never written over another. The same run gives
the same bytes: no wall time is in it. Every table's digest stands in `run.json`, so that a table
that was changed or mixed up is refused rather than shown.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mm.errors import ConfigError, DecodeError, NewerVersion, SessionError
from mm.events.instrument import InstrumentDefined
from mm.events.units import Nanos
from mm.log import files
from mm.sim.results import FILL, ORDER, POINT

VERSION: Final = 1
"""Of the directory's form; a later one is refused."""
NOTE: Final = "run.json"
TABLES: Final = {"orders": ORDER, "fills": FILL, "points": POINT}
PAD: Final = "pad"
Columns = npt.NDArray[np.void]


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Funding that a desk's position received (negative: paid), in whole units of `asset`."""

    at: Nanos
    desk: int
    instrument: int
    asset: str
    amount: Decimal


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was run; `desks` and `instruments` are named in the columns by their places here.

    `revisions` are later definitions of them; a fill names the one that stood by its place, from 1.
    `first` and `last` are log time in nanoseconds. `latency`, `queue` and `fees` are words for
    people; `settings` whatever else is worth telling. `capital` is the money behind each currency,
    where there was a limit.
    """

    name: str
    recording: str
    code_version: str
    desks: tuple[str, ...]
    instruments: tuple[InstrumentDefined, ...]
    first: Nanos
    last: Nanos
    events: int = 0
    latency: str = ""
    queue: str = ""
    fees: str = ""
    config: str = ""
    config_hash: str = ""
    halted: str = ""
    settings: dict[str, str] = {}
    capital: dict[str, Decimal] = {}
    payments: tuple[Payment, ...] = ()
    revisions: tuple[InstrumentDefined, ...] = ()


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `run.json`."""

    version: int
    info: RunInfo
    digests: dict[str, str]
    figures: Any = None


class Traded(NamedTuple):
    """What one desk did in one instrument; fills in the order in which they were heard."""

    desk: str
    instrument: InstrumentDefined
    place: int
    orders: Columns
    fills: Columns
    points: Columns
    payments: tuple[Payment, ...]
    revisions: tuple[InstrumentDefined, ...] = ()

    def under(self, revision: int) -> InstrumentDefined:
        """The definition that fills of this revision were made under; 0: the first one."""
        return self.revisions[revision - 1] if revision else self.instrument


class Run(msgspec.Struct, frozen=True):
    """A run in memory; see `mm.sim.results` for the columns."""

    info: RunInfo
    orders: Columns
    fills: Columns
    points: Columns

    @property
    def days(self) -> float:
        """How long it lasted, in days of log time."""
        return (self.info.last - self.info.first) / 86_400e9

    def named(self, name: str) -> Self:
        """The same run by another name."""
        return msgspec.structs.replace(self, info=msgspec.structs.replace(self.info, name=name))

    def traded(self) -> Iterator[Traded]:
        """Every pair of desk and instrument that the columns speak of, in the order of places."""
        pairs = np.concatenate([_pairs(table) for table in (self.orders, self.fills, self.points)])
        for pair in np.unique(pairs).tolist():
            yield self._traded(pair >> 16, pair & 0xFFFF)

    def _traded(self, desk: int, instrument: int) -> Traded:
        fills = _of(self.fills, desk, instrument)
        return Traded(
            desk=self.info.desks[desk],
            instrument=self.info.instruments[instrument],
            place=instrument,
            orders=_of(self.orders, desk, instrument),
            fills=fills[np.argsort(fills["heard"], kind="stable")],
            points=_of(self.points, desk, instrument),
            payments=tuple(
                each
                for each in self.info.payments
                if (each.desk, each.instrument) == (desk, instrument)
            ),
            revisions=self.info.revisions,
        )

    def digests(self) -> dict[str, str]:
        """A digest of each table's rows, by name."""
        return {
            name: hashlib.sha256(np.ascontiguousarray(getattr(self, name)).tobytes()).hexdigest()
            for name in TABLES
        }

    def save(self, path: Path, figures: object = None) -> None:
        """Write the run to a new directory, with the figures that were made of it.

        Raises `ConfigError` where something is already, `LogFull` and `LogUnavailable`.
        """
        require_new(path)
        note = Note(version=VERSION, info=self.info, digests=self.digests(), figures=figures)
        with files.drafted(path) as draft:
            lock = files.claim(draft)
            try:
                for name in TABLES:
                    files.write(draft / f"{name}.parquet", _parquet(getattr(self, name)))
                files.write(draft / NOTE, _json(note))
            finally:
                os.close(lock)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a run; raises `SessionError` where there is none, `DecodeError` on damage."""
        note = _note(path)
        run = cls(note.info, *(_columns(path, name) for name in TABLES))
        for name, digest in run.digests().items():
            if note.digests.get(name) != digest:
                raise _damaged(path / f"{name}.parquet", "its rows are not those of the run")
        return run


def fees_in_words(
    instruments: Sequence[InstrumentDefined], revisions: Sequence[InstrumentDefined] = ()
) -> str:
    """Maker and taker fees of each instrument, and whatever they changed to."""
    told = []
    for first in instruments:
        later = [each for each in revisions if each.instrument == first.instrument]
        rates = [f"{each.maker_fee} / {each.taker_fee}" for each in (first, *later)]
        told.append(", then ".join(dict.fromkeys(rates)))
    return "; ".join(told)


def require_new(path: Path) -> None:
    """Refuse to write where something is; raises `ConfigError`."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ConfigError(
            "something is there already: a run is not written over it",
            where=str(path),
            remedy="name a new directory",
        )


def _pairs(table: Columns) -> npt.NDArray[np.int64]:
    pairs: npt.NDArray[np.int64] = table["desk"] * np.int64(1 << 16) + table["instrument"]
    return pairs


def _of(table: Columns, desk: int, instrument: int) -> Columns:
    chosen: Columns = table[(table["desk"] == desk) & (table["instrument"] == instrument)]
    return chosen


def _json(note: Note) -> bytes:
    return msgspec.json.format(msgspec.json.encode(note), indent=2) + b"\n"


def _note(path: Path) -> Note:
    try:
        text = (path / NOTE).read_bytes()
    except OSError as error:
        raise SessionError(
            f"there is no backtest's result: {error.strerror}",
            where=str(path / NOTE),
            remedy="name the directory that a backtest wrote",
        ) from error
    try:
        version = msgspec.json.decode(text, type=dict[str, Any]).get("version")
        if isinstance(version, int) and version > VERSION:
            raise NewerVersion(
                f"the run has form {version}, this version of mm reads {VERSION}",
                where=str(path / NOTE),
                remedy="open it with the version of mm that wrote it, or a later one",
            )
        return msgspec.json.decode(text, type=Note)
    except msgspec.MsgspecError as error:
        raise _damaged(path / NOTE, str(error)) from error


def _parquet(table: Columns) -> bytes:
    names = [name for name in table.dtype.names or () if name != PAD]
    arrow = pa.table({name: pa.array(np.ascontiguousarray(table[name])) for name in names})
    sink = pa.BufferOutputStream()
    pq.write_table(arrow, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _columns(path: Path, name: str) -> Columns:
    file, dtype = path / f"{name}.parquet", TABLES[name]
    try:
        arrow = pq.read_table(file)
        table = np.zeros(arrow.num_rows, dtype)
        for column in dtype.names or ():
            if column != PAD:
                table[column] = arrow.column(column).to_numpy()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise _damaged(file, str(error)) from error
    return table


def _damaged(file: Path, why: str) -> DecodeError:
    return DecodeError(
        f"the run cannot be read: {why}", where=str(file), remedy="run the backtest again"
    )
