"""A new recording appears whole or not at all, and nothing but a recording is ever replaced."""

from pathlib import Path

import pytest

from mm.errors import ConfigError, StoreLocked
from mm.gateways.recorder import Recorder
from mm.gateways.recordings import new_recording
from mm.log.archive import Archive, ArchiveWriter
from tests.gateways.lines import capture, imported, usdm, write


def record(path: Path, *, force: bool = False, turns: int = 3) -> None:
    """Write a recording of a few turns."""
    with new_recording(path, force=force) as writer:
        recorder = Recorder(writer)
        for at in range(turns):
            recorder.turn(at, [usdm()])  # type: ignore[arg-type]


def turns_in(path: Path) -> int:
    """How many turns a recording holds, hashes checked."""
    return sum(1 for _ in Archive(path).turns())


def test_archive_gives_back_the_turns(tmp_path: Path) -> None:
    """What is read from a recording is what was sealed, byte for byte."""
    source = write(tmp_path / "capture", capture(diffs=20)[1])
    _, wanted = imported(source)
    with new_recording(tmp_path / "out") as writer:
        for sealed in wanted.sealed:
            writer.append(sealed)
    archive = Archive(tmp_path / "out")
    assert list(archive.turns()) == wanted.sealed
    assert (archive.manifest.kind, archive.manifest.name) == ("recording", "out")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("before", [0, 2])
def test_no_half_recording(tmp_path: Path, error: type[BaseException], before: int) -> None:
    """An error or Ctrl-C in the middle leaves what was there before, and nothing else."""
    path = tmp_path / "out"
    if before:
        record(path, turns=before)
    with pytest.raises(error), new_recording(path, force=True) as writer:  # noqa: PT012
        Recorder(writer).turn(1, [usdm()])  # type: ignore[arg-type]
        writer.flush()
        raise error
    assert [each.name for each in tmp_path.iterdir()] == (["out"] if before else [])
    assert not before or turns_in(path) == before


def test_force_replaces_a_recording(tmp_path: Path) -> None:
    """An older recording is kept unless it is to be replaced, and then wholly."""
    path = tmp_path / "out"
    record(path, turns=2)
    with pytest.raises(ConfigError, match="--force"):
        record(path)
    assert turns_in(path) == 2
    record(path, force=True, turns=5)
    assert turns_in(path) == 5
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_only_recordings_are_replaced(tmp_path: Path) -> None:
    """Neither a file, nor a directory of something else, nor a session's archive gives way."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "letter").write_text("mine")
    ArchiveWriter(tmp_path / "session", kind="session").close()
    for name in ("file", "directory", "session"):
        with pytest.raises(ConfigError):
            record(tmp_path / name, force=True)
    assert (tmp_path / "file").read_text() == "mine"
    assert (tmp_path / "directory" / "letter").read_text() == "mine"
    assert Archive(tmp_path / "session").manifest.kind == "session"


def test_empty_directory_is_taken(tmp_path: Path) -> None:
    """A directory made beforehand is filled."""
    (tmp_path / "out").mkdir()
    record(tmp_path / "out")
    assert turns_in(tmp_path / "out") == 3


def test_remains_of_a_killed_import(tmp_path: Path) -> None:
    """What a killed import left is swept away by the next one."""
    ArchiveWriter(tmp_path / ".out.draft", kind="recording").abandon()
    (tmp_path / ".out.draft" / "rubbish").write_text("half")
    record(tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_two_imports_at_once(tmp_path: Path) -> None:
    """A second import to the same place is refused while the first still runs."""
    with new_recording(tmp_path / "out") as writer:
        Recorder(writer).turn(1, [usdm()])  # type: ignore[arg-type]
        with pytest.raises(StoreLocked):
            record(tmp_path / "out")
    assert turns_in(tmp_path / "out") == 1
