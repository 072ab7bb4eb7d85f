"""The high-water mark: what was acknowledged is remembered through kills and torn writes."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from mm.errors import LogDamaged, LogUnavailable
from mm.events.units import Nanos, Seq, TurnNumber
from mm.log import mark
from mm.log.chain import Head
from mm.log.mark import MAGIC, RECORD_BYTES, SLOT_BYTES, SLOTS, Mark, remembered

WRITER = """
import os, pathlib, signal, sys
from mm.events.units import Nanos, Seq, TurnNumber
from mm.log.chain import Head
from mm.log.mark import Mark

mark = Mark.open(pathlib.Path(sys.argv[1]))
for number in range(1, 1001):
    mark.write(Head(TurnNumber(number), Seq(number), Nanos(number), bytes(32), bytes(32)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def head(number: int) -> Head:
    """A head that is like no other."""
    each = number.to_bytes(32, "big")
    return Head(TurnNumber(number), Seq(3 * number), Nanos(5 * number), each, each[::-1])


def mode(path: Path) -> int:
    """Who may read and write."""
    return path.stat().st_mode & 0o777


def slots(path: Path) -> list[bytes]:
    """What stands in each slot."""
    data = path.read_bytes()
    return [data[start : start + RECORD_BYTES] for start in range(0, len(data), SLOT_BYTES)]


def put(path: Path, *records: bytes) -> None:
    """Overwrite the slots."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(record.ljust(SLOT_BYTES, b"\0") for record in records))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the mark is kept."""
    return tmp_path / "desk" / "log.mark"


def test_no_file_is_no_mark(path: Path) -> None:
    """A log that never had a mark is told apart from one that lost turns."""
    assert remembered(path) is None


async def test_a_new_mark_remembers_nothing(path: Path) -> None:
    """A file that was made and never written is no mark either."""
    await Mark.open(path).close()
    assert remembered(path) is None
    assert mode(path) == 0o600


async def test_the_last_turn_is_remembered(path: Path) -> None:
    """Whatever was written last is read back, through flushes and reopening."""
    for start in (1, 50):
        opened = Mark.open(path)
        for number in range(start, start + 20):
            opened.write(head(number))
            assert remembered(path) == head(number)
            if number % 4 == 0:
                await opened.sync()
        await opened.close()
        assert remembered(path) == head(start + 19)
    assert len(slots(path)) == SLOTS


async def test_a_torn_write_leaves_the_flushed_slot(path: Path) -> None:
    """Whichever bytes of the slots not yet flushed are lost, an older mark is still whole."""
    opened = Mark.open(path)
    opened.write(head(1))
    await opened.sync()
    flushed = slots(path)
    opened.write(head(2))
    await opened.sync()  # Being flushed when the power goes.
    opened.write(head(3))  # Being written when the power goes.
    await opened.close()
    pairs = zip(slots(path), flushed, strict=True)
    put(path, *(now if now == before else now[:40] for now, before in pairs))
    assert remembered(path) == head(1)


async def test_every_slot_is_used_in_turn(path: Path) -> None:
    """Three flushes move through all slots, and none is overwritten while it is the newest."""
    opened = Mark.open(path)
    for number in range(1, SLOTS + 1):
        opened.write(head(number))
        await opened.sync()
        await opened.sync()  # Nothing new: nothing moves.
    await opened.close()
    assert [slot[:8] for slot in slots(path)] == [MAGIC] * SLOTS
    again = Mark.open(path)
    again.write(head(9))
    await again.close()
    assert sorted(slot[8] for slot in slots(path)) == [2, 3, 9], "the oldest was overwritten"


@pytest.mark.parametrize("at", [0, 7, 8, 40, RECORD_BYTES - 1])
async def test_a_flipped_byte_is_no_mark(path: Path, at: int) -> None:
    """A record that does not hash to its sum is not believed, and named if it is the only one."""
    opened = Mark.open(path)
    opened.write(head(7))
    await opened.close()
    record = bytearray(slots(path)[1])
    record[at] ^= 1
    put(path, bytes(record))
    with pytest.raises(LogDamaged, match="no slot"):
        remembered(path)


def test_a_foreign_file_is_no_mark(path: Path) -> None:
    """A record of another kind is not believed, even when its sum is right."""
    record = b"mm.mark9" + bytes(RECORD_BYTES - 40)
    put(path, record + sha256(record).digest())
    with pytest.raises(LogDamaged):
        remembered(path)


def test_a_kill_loses_nothing(path: Path) -> None:
    """A writer that is killed right after a write has it remembered."""
    done = subprocess.run([sys.executable, "-c", WRITER, str(path)], check=False)
    assert done.returncode == -9
    found = remembered(path)
    assert found is not None
    assert found.number == 1000


async def test_a_mark_that_cannot_be_flushed_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails in the background fails the next write."""

    def broken(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    opened = Mark.open(path)
    opened.write(head(1))
    monkeypatch.setattr(os, "fdatasync", broken)
    await opened.sync()
    with pytest.raises(LogUnavailable, match="Input/output error"):
        opened.write(head(2))
    await opened.close()


def test_a_mark_nobody_may_write_is_named(path: Path) -> None:
    """A path that cannot be used is an error of ours, with the path."""
    path.mkdir(parents=True)
    for use in (Mark.open, remembered):
        with pytest.raises(LogUnavailable, match=r"log\.mark"):
            use(path)


async def test_a_mark_cut_short_is_filled_up(path: Path) -> None:
    """A file that was made but not filled when the power went is used all the same."""
    put(path)
    await Mark.open(path).close()
    assert [len(slot) for slot in slots(path)] == [RECORD_BYTES] * SLOTS


async def test_flushes_go_on_by_themselves(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, the keeper flushes what was written, and only then."""
    flushed: list[int] = []
    monkeypatch.setattr(os, "fdatasync", flushed.append)
    monkeypatch.setattr(mark, "SYNC_SECONDS", 0.01)
    opened = Mark.open(path)
    keeper = asyncio.create_task(opened.keep_synced())
    await asyncio.sleep(0.05)
    assert not flushed
    opened.write(head(1))
    while not flushed:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
    await opened.close()
    assert len(flushed) == 1
