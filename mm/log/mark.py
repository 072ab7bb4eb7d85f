"""The high-water mark: where the log stood when it last acknowledged a turn, kept outside it.

A server that loses its tail, or a stream that is emptied, looks just like a younger log; only
someone who remembers can tell. The file has three slots. Every acknowledged turn overwrites the
current one; once a second that slot is flushed to disk and the next one becomes current. So one
slot is always whole on disk, whatever a power cut does to the one being written and the one being
flushed; each carries a checksum. A process kill loses nothing, a power cut at most the last second.
"""

from __future__ import annotations

import asyncio
import os
import struct
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Self

from mm.errors import LogDamaged, LogUnavailable
from mm.events.units import Nanos, Seq, TurnNumber
from mm.log.chain import Head

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOTS: Final = 3
SLOT_BYTES: Final = 4096  # A disk may tear what is larger than one of its sectors.
MAGIC: Final = b"mm.mark1"
FIELDS: Final = struct.Struct("<8s3Q32s32s")
SUM_BYTES: Final = 32
RECORD_BYTES: Final = FIELDS.size + SUM_BYTES
SYNC_SECONDS: Final = 1.0


class Mark:
    """The open mark file of one log; its writer is the log's writer."""

    def __init__(self, path: Path, descriptor: int, slot: int) -> None:
        """Write to `slot` first; see `open`."""
        self.path = path
        self._descriptor = descriptor
        self._offset = slot * SLOT_BYTES
        self._dirty = False
        self._fault: OSError | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open for writing, or begin a new file; the slots that are there are flushed first."""
        with _named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            size = os.fstat(descriptor).st_size
            # Filled at once, so that a disk that is full later has room for each slot.
            os.pwrite(descriptor, bytes(SLOTS * SLOT_BYTES - size), size)
            os.fsync(descriptor)
            _sync_directory(path.parent)
            heads = _slots(os.pread(descriptor, SLOTS * SLOT_BYTES, 0))
        numbers = [head.number if head else -1 for head in heads]
        newest = numbers.index(max(numbers))
        return cls(path, descriptor, (newest + 1) % SLOTS)

    def write(self, head: Head) -> None:
        """Remember where the log stands; takes about two microseconds and survives our death.

        Raises `LogUnavailable` when the file cannot be written, or could not be flushed before.
        """
        with _named(self.path):
            if self._fault is not None:
                raise self._fault
            os.pwrite(self._descriptor, _encode(head), self._offset)
        self._dirty = True

    async def sync(self) -> None:
        """Flush the current slot to disk, and leave it alone from here on."""
        if self._dirty:
            self._dirty = False
            self._offset = (self._offset + SLOT_BYTES) % (SLOTS * SLOT_BYTES)
            try:
                await asyncio.to_thread(os.fdatasync, self._descriptor)
            except OSError as error:  # The next write says so.
                self._fault = error

    async def keep_synced(self) -> None:
        """Flush once a second, until cancelled."""
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            await self.sync()

    async def close(self) -> None:
        """Flush and let go."""
        await self.sync()
        os.close(self._descriptor)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what the system refuses into an error of ours."""
    try:
        yield
    except OSError as error:
        raise LogUnavailable(
            f"the mark cannot be kept: {error.strerror}",
            where=str(path),
            remedy="give it a disk that works and has room, and this user the right to write there",
        ) from error


def remembered(path: Path) -> Head | None:
    """Where the log stood when the mark was last written; None when there is no mark yet.

    Raises `LogDamaged` when something is written there but no slot of it is whole.
    """
    if not path.exists():
        return None
    with _named(path):
        data = path.read_bytes()
    whole = [head for head in _slots(data) if head is not None]
    if not whole and data.strip(b"\0"):
        raise LogDamaged(
            "no slot of the mark is whole",
            where=str(path),
            remedy="check the log and the venue's trades; if they agree, move this file away",
        )
    return max(whole, key=lambda head: head.number, default=None)


def _encode(head: Head) -> bytes:
    record = FIELDS.pack(MAGIC, head.number, head.events, head.at, head.hash, head.orders_hash)
    return record + sha256(record).digest()


def _slots(data: bytes) -> list[Head | None]:
    return [_decode(data[start : start + RECORD_BYTES])
            for start in range(0, SLOTS * SLOT_BYTES, SLOT_BYTES)]  # fmt: skip


def _decode(record: bytes) -> Head | None:
    """Read a slot; None unless it is whole."""
    fields = record[: FIELDS.size]
    if len(record) < RECORD_BYTES or sha256(fields).digest() != record[FIELDS.size :]:
        return None
    magic, number, events, at, digest, orders = FIELDS.unpack(fields)
    if magic != MAGIC:
        return None
    return Head(TurnNumber(number), Seq(events), Nanos(at), digest, orders)


def _sync_directory(path: Path) -> None:
    """Make a new file's name durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
