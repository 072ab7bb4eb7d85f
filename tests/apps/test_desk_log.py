"""A desk's log as `mm live` opens it: what it knows from outside, and what it says of damage."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from mm.apps.config import LogConfig
from mm.apps.logs import desk_log
from mm.apps.session import recover
from mm.apps.sessions import DeskFiles
from mm.errors import LogDamaged, StoreLocked
from mm.log import kept
from mm.log.server import EmbeddedServer
from tests.log.test_damage import blocks, flip
from tests.log.turns import fill


async def test_the_writer_looks_at_the_disk_of_its_own_server(tmp_path: Path) -> None:
    """A server whose disk is full falls silent, so the writer knows where to look."""
    files = DeskFiles(tmp_path / "desk")
    async with desk_log("desk", files, LogConfig()) as log:
        assert log._writer._store == files.store


async def test_a_desk_in_use_says_how_to_have_another(tmp_path: Path) -> None:
    """By what there is for it: a key, a variable, an option."""
    files = DeskFiles(tmp_path / "desk")
    async with EmbeddedServer(files.store):
        with pytest.raises(StoreLocked, match=str(os.getpid())) as told:
            async with desk_log("desk", files, LogConfig()):
                pass
    for way in ("`desk = …`", "MM_DESK", "--data"):
        assert way in told.value.remedy
    assert told.value.where == str(files.store)


async def test_damage_is_told_with_the_place_of_the_copy(tmp_path: Path) -> None:
    """Whoever is told that turns are lost is told where the untouched store is."""
    files = DeskFiles(tmp_path / "desk")
    async with desk_log("desk", files, LogConfig()) as log:
        await recover(log)
        await fill(log, 100, "x" * 200)
    async with EmbeddedServer(files.store) as server:
        os.kill(server.pid, signal.SIGKILL)
        await server.exited()
    flip(blocks(files.store, "MM_desk")[0], 0.5)
    for index in files.store.rglob("index.db"):
        index.unlink()
    with pytest.raises(LogDamaged) as told:
        async with desk_log("desk", files, LogConfig()) as log:
            await recover(log)
    assert str(kept.place(files.store)) in told.value.remedy
    assert blocks(kept.place(files.store), "MM_desk")


async def test_a_note_of_the_server_stands_beside_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for a copy is said to whoever starts the desk."""
    files = DeskFiles(tmp_path / "desk")
    async with EmbeddedServer(files.store) as server:
        (files.store / "jetstream").mkdir(exist_ok=True)
        os.kill(server.pid, signal.SIGKILL)
        await server.exited()
    monkeypatch.setattr(kept, "FREE_LEFT_MIN", 1 << 60)
    async with desk_log("desk", files, LogConfig()) as log:
        assert any("no room to copy it" in note for note in log.found.notes)


async def test_a_server_that_dies_as_it_starts_is_started_again(tmp_path: Path) -> None:
    """Killed between two turns and again before it listens: two deaths, and the log goes on."""
    files = DeskFiles(tmp_path / "desk")

    def server() -> str:
        return (files.store / "server.pid").read_text()

    async with desk_log("desk", files, LogConfig()) as log:
        await recover(log)
        await fill(log, 3)
        first = server()
        os.kill(int(first.split()[0]), signal.SIGKILL)
        while (second := server()) in ("", first):  # noqa: ASYNC110  Nobody tells.
            await asyncio.sleep(0)  # It is written down before it is waited for.
        os.kill(int(second.split()[0]), signal.SIGKILL)
        await fill(log, 3)
        assert log.head.number == 6
        assert server() not in (first, second)
