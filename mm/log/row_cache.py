"""The rows of an archive, made once and kept beside it.

They lie in `rows/` inside the archive, or in a spare directory where the archive cannot be written,
and are used only while the archive's head is the one they were made from. They may be removed at
any time. One process makes them, others that want them meanwhile wait for it. Rows of several
recordings as one are written down only where many processes are to read them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mm.errors import BadInput, LogDamaged
from mm.log.archive import Archive, is_archive
from mm.log.files import failed
from mm.log.row_file import RowFile
from mm.log.row_market import market_of
from mm.log.row_merge import MergedRows
from mm.log.row_writer import write_rows

DIRECTORY: Final = "rows"
NAME: Final = "market.arrow"


def rows_of(path: Path | str, spare: Path | None = None) -> RowFile:
    """The rows of a recording, or of the archive of a desk; made now if they are not there.

    `spare` is a directory for those of archives that cannot be written. Raises `SessionError`
    where there is no archive, `LogDamaged`, `BadInput`, or what kept the rows from being written.
    """
    own = Path(path) / "archive"
    archive = Archive(own if is_archive(own) else path)
    source = archive.head.hash.hex()
    beside = archive.path / DIRECTORY
    apart = spare / source[:32] if spare else None
    for place in (beside, apart):
        if place is not None and (found := _found(place / NAME, source)):
            return found
    if apart is None or _writable(beside):
        return _made(archive, beside, source)
    return _made(archive, apart, source)


def merged_in(spare: Path, rows: MergedRows) -> RowFile:
    """Several files as one file, kept in a directory for rows; made now if it is not there.

    Raises what kept it from being written.
    """
    place, source = spare / rows.digest[:32], rows.digest
    with _claimed(place):
        file = place / NAME
        found = _found(file, source)
        return found or write_rows(file, rows.tables, rows.blocks(), source=source)


def _found(file: Path, source: str) -> RowFile | None:
    """The rows that are there, if they were made from this head in this format."""
    if not file.is_file():
        return None
    try:
        found = RowFile.open(file)
    except (BadInput, LogDamaged):
        return None  # Of another format, or torn: it is made anew.
    return found if found.header.source == source else None


def _writable(place: Path) -> bool:
    try:
        place.mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(place, os.W_OK)


def _made(archive: Archive, place: Path, source: str) -> RowFile:
    with _claimed(place):
        file = place / NAME
        if found := _found(file, source):
            return found  # Another process made them while we waited.
        for plain in place.glob("*.plain"):
            plain.unlink()
        market = market_of(archive)
        return write_rows(file, market.tables, market.blocks(), source=source)


@contextmanager
def _claimed(place: Path) -> Iterator[None]:
    """One process at a time; the claim dies with its process."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise failed(error, place) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
