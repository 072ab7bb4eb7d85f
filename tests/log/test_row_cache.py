"""Rows of an archive are made once, made anew when it grows, and made elsewhere if need be."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from mm.errors import BadInput, DecodeError, LogUnavailable, SessionError
from mm.log import row_cache, row_tables
from mm.log.archive import Archive, ArchiveWriter
from mm.log.chain import Sealed
from mm.log.row_cache import rows_of
from mm.log.row_file import RowFile
from mm.log.row_writer import write_rows
from tests import build
from tests.build import START
from tests.strategies import chained


def log_of(turns: int) -> list[Sealed]:
    """A definition, then quotes."""
    steps: list[Any] = [(int(START), [build.instrument()], [])]
    steps += [(5, [build.quote(100 + number, 200)], []) for number in range(turns)]
    return chained(steps)


def written(path: Path, turns: int) -> Path:
    """An archive of the first turns, continued if it is there."""
    with ArchiveWriter(path, kind="recording") as writer:
        for sealed in log_of(turns)[writer.head.number :]:
            writer.append(sealed)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A recording of three quotes."""
    return written(tmp_path / "recording", 3)


def test_rows_are_made_once(archive: Path) -> None:
    """The second call opens the very file that the first one made."""
    made = rows_of(archive)
    assert (made.header.rows, made.header.turns) == (6, 3)
    assert made.path == archive / "rows" / "market.arrow"
    assert made.header.source == Archive(archive).head.hash.hex()
    before = made.path.stat()
    again = rows_of(str(archive))
    assert (again.digest, again.path.stat().st_ino) == (made.digest, before.st_ino)
    assert [entry.name for entry in (archive / "rows").iterdir()] == ["market.arrow"]


def test_an_archive_with_rows_beside_it_is_the_same_archive(archive: Path) -> None:
    """Rows are no part of the archive: it checks, and is continued."""
    rows_of(archive)
    Archive(archive).check_files()
    written(archive, 5)
    assert len(list(Archive(archive).turns())) == 6


def test_rows_follow_the_archive(archive: Path) -> None:
    """A longer archive, another format or a torn file: rows are made anew, what was loaded goes."""
    first = rows_of(archive)
    assert len(first.load()) == 6
    written(archive, 4)
    second = rows_of(archive)
    assert second.header.rows == 8
    assert list((archive / "rows").glob("*.plain")) == []
    second.path.write_bytes(second.path.read_bytes()[:-20])
    assert rows_of(archive).digest == second.digest
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_tables, "VERSION", 3)
        with pytest.raises(DecodeError, match="old format 2"):
            RowFile.open(second.path)
        assert rows_of(archive).header.rows == 8


def test_rows_of_an_older_format_are_not_misread(archive: Path) -> None:
    """A file that an older version left is made anew, with what its rows mean today."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_tables, "VERSION", 1)
        old = rows_of(archive)
        assert old.header.version == 1
        inode = old.path.stat().st_ino
    made = rows_of(archive)
    assert (made.header.version, made.path) == (row_tables.VERSION, old.path)
    assert made.path.stat().st_ino != inode


def test_a_desk_has_its_archive_in_a_directory_of_its_own(tmp_path: Path) -> None:
    """The rows of a desk are those of its archive."""
    written(tmp_path / "desk" / "archive", 2)
    assert rows_of(tmp_path / "desk").path == tmp_path / "desk" / "archive" / "rows/market.arrow"
    with pytest.raises(SessionError, match="no archive"):
        rows_of(tmp_path / "none")


def test_an_archive_that_cannot_be_written_has_its_rows_elsewhere(
    tmp_path: Path, archive: Path, monkeypatch: Any
) -> None:
    """The spare directory takes them, by the head of the log; without one the error is named."""
    (archive / "rows").write_text("in the way")
    with pytest.raises(LogUnavailable) as caught:
        rows_of(archive)
    assert str(archive / "rows") in caught.value.where
    spare = tmp_path / "data" / "rows"
    made = rows_of(archive, spare)
    assert made.path.parent == spare / Archive(archive).head.hash.hex()[:32]
    assert rows_of(archive, spare).path.stat().st_ino == made.path.stat().st_ino
    (archive / "rows").unlink()
    other = written(tmp_path / "other", 1)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert rows_of(other, spare).path.parent.parent == spare


def test_nothing_is_left_of_rows_that_cannot_be(tmp_path: Path) -> None:
    """An archive without an instrument, or with bad events, leaves no file."""
    with ArchiveWriter(tmp_path / "bad", kind="recording") as writer:
        for sealed in chained([(int(START), [build.instrument(), build.printed(1, 0)], [])]):
            writer.append(sealed)
    with pytest.raises(BadInput, match="no lots"):
        rows_of(tmp_path / "bad")
    assert list((tmp_path / "bad" / "rows").iterdir()) == []


def test_who_comes_while_rows_are_made_waits(archive: Path, monkeypatch: Any) -> None:
    """Two callers at once make one file."""
    calls: list[Path] = []
    found: list[RowFile] = []
    other = threading.Thread(target=lambda: found.append(rows_of(archive)))

    def slow(path: Path, *given: Any, **named: Any) -> RowFile:
        calls.append(path)
        other.start()
        other.join(0.2)
        assert not found, "it did not wait"
        return write_rows(path, *given, **named)

    monkeypatch.setattr(row_cache, "write_rows", slow)
    made = rows_of(archive)
    other.join()
    assert calls == [made.path]
    assert found[0].digest == made.digest
