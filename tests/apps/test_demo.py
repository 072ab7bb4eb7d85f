"""`mm demo` deletes its own desk, and never one that somebody uses."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

from mm.apps.sessions import DeskFiles
from mm.log.files import claim
from mm.log.store import Store
from tests.apps.processes import PATIENCE, here, refused, started

if TYPE_CHECKING:
    from pathlib import Path


def demo(data: Path, seconds: float = 1) -> tuple[Any, ...]:
    """The command line of a demo."""
    return ("demo", "--seconds", seconds, "--data", data)


def contents(root: Path) -> list[Path]:
    """Every file below a directory."""
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_a_running_demo_is_left_alone(tmp_path: Path) -> None:
    """A second one is refused at once, and the first one ends as if nothing had been."""
    with started(*demo(tmp_path, 60)) as process:
        deadline = time.monotonic() + PATIENCE
        while not (tmp_path / "demo" / "mark").exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        refused(here(*demo(tmp_path)), 4, "StoreLocked", "another demo", "--data")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
    assert "Traceback" not in said
    assert here("log", "check", tmp_path / "demo").returncode == 0


def test_a_desk_in_use_is_left_alone(tmp_path: Path) -> None:
    """Whether a session runs on it, or its log is being archived: not a file is gone."""
    files = DeskFiles(tmp_path / "demo")
    files.archive.mkdir(parents=True)
    (files.archive / "span").write_text("kept")
    store = Store.claim(files.store)
    (files.store / "block").write_text("kept")
    before = contents(files.root)
    refused(here(*demo(tmp_path)), 4, "StoreLocked", "uses this store")
    store.release()
    archiving = claim(files.archive)
    refused(here(*demo(tmp_path)), 4, "StoreLocked")
    os.close(archiving)
    assert contents(files.root) == before


def test_a_demo_that_ended_is_deleted(tmp_path: Path) -> None:
    """Each run is a first run."""
    root = tmp_path / "demo"
    root.mkdir()
    (root / "left").write_text("behind")
    (root / "store").mkdir(mode=0o700)
    ran = here(*demo(tmp_path, 0.5))
    assert ran.returncode == 0, ran.stderr
    assert not (root / "left").exists()
    assert "verified" in ran.stdout
