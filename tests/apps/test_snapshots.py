"""A snapshot is a cache: with the tail it gives what a full fold gives, or it is not used."""

import io
from contextlib import redirect_stderr
from pathlib import Path

import msgspec
import pytest

from mm.apps import snapshots
from mm.apps.cli import live
from mm.apps.session import recover
from mm.apps.snapshot_check import SnapshotCheck
from mm.engine.core import Engine
from mm.log.archive import Archive
from mm.log.chain import START, Head, advance
from mm.log.memory import MemoryLog

GOLDEN = Path(__file__).resolve().parents[2] / "replays" / "synthetic-maker"
TURNS = 1_500
PART = 1_000


async def log_of(count: int) -> MemoryLog:
    """The golden session's first turns."""
    log = MemoryLog()
    for sealed in Archive(GOLDEN).turns():
        if sealed.turn.number > count:
            break
        await log.append(sealed)
    return log


def folded(count: int) -> tuple[Engine, Head]:
    """The same, folded from the beginning."""
    engine, head = Engine(), START
    for sealed in Archive(GOLDEN).turns():
        if sealed.turn.number > count:
            break
        engine.fold(sealed.turn)
        head = advance(head, sealed)
    return engine, head


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A snapshot after two thirds of the turns."""
    path = tmp_path / "snapshot"
    snapshots.save(path, *folded(PART))
    return path


async def test_snapshot_and_tail_equal_a_full_fold(snapshot: Path) -> None:
    """The state is the same, and most of the log was not folded for it."""
    engine, recovery = await recover(await log_of(TURNS), snapshot)
    full, _ = folded(TURNS)
    assert recovery.skipped == PART
    assert engine.state.digests() == full.state.digests()
    assert (engine.turns, engine.events, engine.at) == (full.turns, full.events, full.at)


def test_a_snapshot_agrees_with_the_fold_it_was_taken_of(snapshot: Path) -> None:
    """And with no other."""
    loaded = snapshots.load(snapshot)
    assert loaded is not None
    assert snapshots.agrees(loaded, folded(PART)[0])
    assert not snapshots.agrees(loaded, folded(PART + 50)[0])


def torn(snapshot: Path) -> None:
    """Cut the file shorter and shorter; none of it may be read."""
    whole = snapshot.read_bytes()
    for length in (len(whole) - 1, 40, 10, 0):
        snapshot.write_bytes(whole[:length])
        assert snapshots.load(snapshot) is None


async def test_a_torn_snapshot_is_not_used(snapshot: Path) -> None:
    """Bytes cut off at any place: the log is folded from its beginning."""
    torn(snapshot)
    engine, recovery = await recover(await log_of(TURNS), snapshot)
    assert recovery.skipped == 0
    assert engine.state.digests() == folded(TURNS)[0].state.digests()


async def test_a_snapshot_of_other_code_is_not_used(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folds may have meant something else."""
    monkeypatch.setattr(snapshots, "fingerprint", lambda: "other")
    assert snapshots.load(snapshot) is None


async def test_a_snapshot_of_another_log_is_not_used(snapshot: Path) -> None:
    """The log must hold the very turn that it was taken after."""
    _, recovery = await recover(await log_of(PART - 1), snapshot)
    assert recovery.skipped == 0


async def test_a_snapshot_that_loads_as_something_else_is_not_used(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that forgets something: the digest tells, and the log is folded from its beginning."""
    loaded = snapshots.load(snapshot)
    assert loaded is not None
    assert snapshots.restored(loaded) is not None
    other = msgspec.structs.replace(loaded, digest="another")
    assert snapshots.restored(other) is None
    monkeypatch.setattr(snapshots, "load", lambda _path: other)
    engine, recovery = await recover(await log_of(TURNS), snapshot)
    assert recovery.skipped == 0
    assert engine.state.digests() == folded(TURNS)[0].state.digests()


def test_a_snapshot_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    """Whatever lies in its place, a start goes on without it, and so does a check."""
    (tmp_path / "snapshot").mkdir()
    assert snapshots.load(tmp_path / "snapshot") is None
    assert SnapshotCheck(tmp_path / "snapshot").result().verdict == "torn"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("place", ["full", "missing"])
def test_a_disk_without_room_for_a_snapshot_takes_no_report_away(
    place: str, tmp_path: Path
) -> None:
    """The session has ended in order by then: it says so on stderr and goes on."""
    path = tmp_path / place / "snapshot"
    if place == "full":
        path.parent.mkdir()
        path.with_suffix(".draft").symlink_to("/dev/full")
    with redirect_stderr(io.StringIO()) as told:
        live._cache(path, *folded(10))
    assert "no snapshot is kept" in told.getvalue().replace("\n", " ")
    assert not path.exists()
