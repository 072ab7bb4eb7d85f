"""`mm log export`: the same log elsewhere, whole or not at all, and never over something else."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq
import pytest

from mm.apps.exports import export, require_room
from mm.apps.reading import opened
from mm.apps.selection import selection
from mm.errors import ConfigError
from mm.events.turn import records
from mm.events.vocabulary import tag_of
from mm.log.archive import Archive
from tests.apps.desks import ENDED, Cli, archive, desk, session, stored

if TYPE_CHECKING:
    from pathlib import Path

TURNS: Final = session(30, ENDED)
RECORDS: Final = [record for sealed in TURNS for record in records(sealed.turn)]
RUN: Final = "import sys; from mm.apps.cli import main; main(sys.argv[1:])"


@pytest.fixture
def mm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, without the caller's environment."""
    for name in ("MM_DATA", "NATS_URL"):
        monkeypatch.delenv(name, raising=False)
    return Cli(capsys)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Desks that no test changes: one only in JetStream, one archived up to the middle."""
    root = tmp_path_factory.mktemp("data")
    asyncio.run(stored(root / "bare", TURNS))
    desk(root / "half", TURNS, archived=50)
    archive(root / "rec", TURNS[:1], kind="recording")
    return root


def numbers(kind: str) -> list[int]:
    """Where the events of a kind stand."""
    return [each.number for each in RECORDS if tag_of(type(each.event)) == kind]


@pytest.mark.parametrize("name", ["bare", "half"])
def test_a_whole_export_is_an_archive(mm: Cli, data: Path, tmp_path: Path, name: str) -> None:
    """The very turns are in it, and every command takes it like any other log."""
    out = tmp_path / "copy"
    done = mm.json("log", "export", name, "--data", data, "--out", out)
    assert mm.code == 0
    assert list(Archive(out).turns()) == TURNS
    assert (done["archive"], done["turns"], done["head"]) == (True, len(TURNS), TURNS[-1].id)
    rows = {each["kind"]: each["rows"] for each in done["tables"]}
    assert rows["order.filled"] == len(numbers("order.filled"))
    assert rows["turns"] == len(TURNS)
    manifest = Archive(out).manifest
    assert (manifest.name, manifest.kind) == (name, "session")
    assert mm.json("log", "check", out)["turns"] == len(TURNS)
    assert mm.json("log", "show", out, "--last", 1)[0]["kind"] == "session.ended"


def test_a_recording_stays_a_recording(mm: Cli, data: Path, tmp_path: Path) -> None:
    """Name and kind come with the turns."""
    mm("log", "export", "rec", "--data", data, "--out", tmp_path / "copy")
    manifest = Archive(tmp_path / "copy").manifest
    assert (manifest.name, manifest.kind) == ("rec", "recording")


@pytest.mark.parametrize("name", ["bare", "half"])
@pytest.mark.parametrize("kinds", ["order.filled,order.place", "trade,order.filled", "order.*"])
def test_tables_hold_the_chosen_kinds(
    mm: Cli, data: Path, tmp_path: Path, name: str, kinds: str
) -> None:
    """Typed columns, every row in its place, and the definitions that units need."""
    out = tmp_path / "tables"
    done = mm.json("log", "export", name, "--data", data, "--out", out, "--kind", kinds)
    files = {file.stem: pq.read_table(file) for file in out.glob("*.parquet")}
    assert files["order_filled"]["seq"].to_pylist() == numbers("order.filled")
    assert files["instrument_defined"]["tick_size"].to_pylist() == ["0.1"]
    tags = {tag_of(type(each.event)) for each in RECORDS}
    family = {tag for tag in tags if kinds == "order.*" and tag.startswith("order.")}
    wanted = family | tags.intersection(kinds.split(","))
    assert {each["kind"] for each in done["tables"]} == wanted | {"instrument.defined"}
    assert {each["kind"]: each["rows"] for each in done["tables"]} == {
        tag: len(numbers(tag)) for tag in wanted | {"instrument.defined"}
    }
    assert {each["kind"].replace(".", "_") for each in done["tables"]} == set(files)


def test_an_export_is_replaced_only_when_asked(mm: Cli, data: Path, tmp_path: Path) -> None:
    """An older export of the same log gives way to --force, and to nothing less."""
    out = tmp_path / "copy"
    given = ("log", "export", "bare", "--data", data, "--out", out)
    mm(*given, "--kind", "trade")
    before = sorted(out.iterdir())
    mm(*given)
    assert mm.code == 2
    assert "--force" in mm.err
    assert sorted(out.iterdir()) == before
    mm(*given, "--force")
    assert mm.code == 0
    assert list(Archive(out).turns()) == TURNS
    mm(*given, "--kind", "trade", "--force")
    assert not (out / "manifest.json").exists()


def test_nothing_else_is_ever_replaced(mm: Cli, data: Path, tmp_path: Path) -> None:
    """Not a desk's own archive, nor another log, nor a directory of something else, nor a file."""
    other = archive(tmp_path / "other", TURNS[:3], name="other")
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "will.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    half = data / "half"
    for out in (other, tmp_path / "papers", tmp_path / "file", half, half / "archive"):
        for options in ((), ("--kind", "trade")):
            mm("log", "export", "half", "--data", data, "--out", out, "--force", *options)
            assert mm.code == 2, out
            assert "Traceback" not in mm.err
    assert (tmp_path / "papers" / "will.txt").read_text() == "mine"
    assert list(Archive(other).turns()) == TURNS[:3]
    assert Archive(half / "archive").head.number == 50


def test_an_error_leaves_nothing(data: Path, tmp_path: Path) -> None:
    """An export that fails half-way is gone, and what was there before is still there."""
    out = tmp_path / "copy"
    archive(out, TURNS[:3], name="bare")

    def told(_amount: float) -> None:
        raise ConfigError("enough")

    async def failing(kinds: tuple[str, ...]) -> None:
        require_room(out, data / "bare", force=True)
        async with opened(data / "bare") as reading:
            await export(reading, out, selection(kinds), told)

    for kinds in ((), ("trade",)):
        with pytest.raises(ConfigError, match="enough"):
            asyncio.run(failing(kinds))
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    assert list(Archive(out).turns()) == TURNS[:3]


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """SIGINT in the middle: exit code 130, no directory, no draft, no traceback."""
    log = session(3_000, ENDED)
    root = archive(tmp_path / "long", log, name="long", span=20_000)
    command = [sys.executable, "-c", RUN, "log", "export", str(root), "--out", "copy"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True
    )
    for _ in range(3_000):
        if (tmp_path / ".copy.draft").exists():
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long"]
