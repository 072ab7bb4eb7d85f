"""What rows refer to by number: instruments, their revisions, marks, funding rates, channels.

The tables stand in the header of a row file and keep decimals exact. They are small beside the
rows: an entry that comes again is not listed again. While rows are made the tables grow with them;
a row never names an entry that is not there yet.
"""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from mm.errors import DecodeError, LogDamaged, NewerVersion
from mm.events.instrument import InstrumentDefined
from mm.events.units import Nanos

VERSION: Final = 2
"""Raised whenever a row comes to mean another thing, so that older files are made anew.

2: depth events end with their last level; notes tell of older quotes; revisions bear the
venue's time of the row before.
"""
HEADER: Final = b"mm.rows"
CHECKSUM: Final = b"mm.sha256"
REMEDY: Final = "remove the file: rows are made anew from their recording"


class Rate(msgspec.Struct, frozen=True):
    """A funding rate, and when it is exchanged."""

    rate: Decimal
    due: Nanos


class Channel(msgspec.Struct, frozen=True):
    """A channel of a feed: `instrument` is a place in its table, `number` counts within it."""

    instrument: int
    number: int
    name: str


class Tables(msgspec.Struct, kw_only=True):
    """The tables of a file; the places of rows count from 0.

    `instruments` are definitions as first heard, `revisions` the later ones.
    """

    instruments: list[InstrumentDefined] = []
    revisions: list[InstrumentDefined] = []
    marks: list[Decimal] = []
    rates: list[Rate] = []
    channels: list[Channel] = []

    def sizes(self) -> tuple[int, int, int, int, int]:
        """How many entries each has: instruments, revisions, marks, rates, channels."""
        return (
            len(self.instruments),
            len(self.revisions),
            len(self.marks),
            len(self.rates),
            len(self.channels),
        )


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a row file says of itself.

    `turns` and `events` count flags, `kinds` the rows of each kind; `first` and `last` are the
    times of the first and the last row. `source` is the hash of the log's head that the rows were
    made from, empty where there was no log. `sums` has a checksum for each batch of rows.
    """

    version: int
    source: str = ""
    rows: int
    turns: int
    events: int
    first: Nanos
    last: Nanos
    kinds: tuple[int, ...]
    sums: tuple[int, ...]
    tables: Tables


def encode(header: Header) -> dict[bytes, bytes]:
    """A header as the metadata of a schema, with its own checksum."""
    content = msgspec.json.encode(header)
    return {HEADER: content, CHECKSUM: digest_of(content).encode()}


def digest_of(content: bytes) -> str:
    """SHA-256 of an encoded header, which names all that is in the file."""
    return hashlib.sha256(content).hexdigest()


def decode(metadata: Mapping[bytes, bytes], file: Path) -> Header:
    """Read a header back; raises `LogDamaged`, `NewerVersion` or (an older one) `DecodeError`."""
    content = metadata.get(HEADER, b"")
    if digest_of(content).encode() != metadata.get(CHECKSUM):
        raise LogDamaged("the header of the rows was changed", where=str(file), remedy=REMEDY)
    version = msgspec.json.decode(content, type=_Version).version
    if version > VERSION:
        raise NewerVersion(
            f"the rows have format {version}, this mm reads up to {VERSION}",
            where=str(file),
            remedy="upgrade mm",
        )
    if version < VERSION:
        raise DecodeError(f"the rows have the old format {version}", where=str(file), remedy=REMEDY)
    return msgspec.json.decode(content, type=Header)


class _Version(msgspec.Struct):
    version: int
