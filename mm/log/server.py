"""The embedded nats-server: a child process on loopback, with a private store, that ends with us.

It takes a free port of the system's choosing, asks everyone for a password made up at each start,
and flushes every acknowledged turn to disk unless told otherwise. When we are killed the kernel
tells it to stop; should it survive, the next start finds and stops it. One store has at most one
server: see `store.py`. After `restart` port and passwords are the same, so that a client which
keeps trying gets through again.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from mm.errors import (
    ConfigError,
    DiskTooSmall,
    LogDamaged,
    LogError,
    LogUnavailable,
    ServerPortTaken,
)
from mm.log import kept, program
from mm.log.access import Access
from mm.log.store import Store, in_use, write_private

if TYPE_CHECKING:
    from collections.abc import Callable

SYNC: Final = re.compile(r"always|[1-9]\d*(ms|s|m)")
MIB: Final = 1 << 20
POLL_SECONDS: Final = 0.001
EXIT_POLL_SECONDS: Final = 0.05
PR_SET_PDEATHSIG: Final = 1
LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
# Observers look at the log and never write it: a slip of the hand must not fence the writer.
READER_MAY_PUBLISH: Final = [
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.>",
    "$JS.API.STREAM.NAMES",
    "$JS.API.DIRECT.GET.>",
    "$JS.API.STREAM.MSG.GET.>",
    "$JS.API.CONSUMER.CREATE.>",  # What turns are read through; it holds nothing back from anyone.
    "$JS.API.CONSUMER.MSG.NEXT.>",
]


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be chosen about the embedded server; the defaults suit a single machine."""

    program: Path | None = None
    port: int = 0  # Any free one.
    payload_max: int = MIB
    file_store_max: int = 65536 * MIB
    memory_store_max: int = 64 * MIB
    disk_free_min: int = 1024 * MIB
    log_bytes_max: int = 4 * MIB  # Of each of two log files.
    start_seconds_max: float = 120.0  # A store of many gigabytes is checked before it is served.
    stop_seconds_max: float = 10.0
    dies_with_parent: bool = True


DEFAULTS: Final = ServerOptions()


class EmbeddedServer:
    """`async with EmbeddedServer(directory) as server:` runs one, and stops it at the end."""

    def __init__(
        self, store_dir: Path, sync: str = "always", options: ServerOptions = DEFAULTS
    ) -> None:
        """Choose where and how; nothing is touched before `start`."""
        if not SYNC.fullmatch(sync):
            raise ConfigError(
                f"{sync!r} is no sync interval",
                where="log.sync",
                remedy="use always, or a duration such as 50ms, 2s or 2m",
            )
        self.sync = sync
        self.options = options
        self.version = ""
        self.note = ""
        self._directory = store_dir
        self._port = options.port
        self._passwords = (secrets.token_urlsafe(24), secrets.token_urlsafe(24))
        self._store: Store | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = False  # Whether it ended because it was asked to.

    async def __aenter__(self) -> Self:
        """Start, and return once JetStream answers."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, whatever happened in between."""
        await self.stop()

    @property
    def url(self) -> str:
        """The address, without credentials."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def access(self) -> Access:
        """The writer's way in: it may do everything."""
        return Access(urls=(self.url,), user="mm", password=self._passwords[0])

    @property
    def reader(self) -> Access:
        """An observer's way in: it may read the streams, and not publish to them."""
        return Access(urls=(self.url,), user="reader", password=self._passwords[1])

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None, "the server was never started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Claim the store, stop an orphan if there is one, start, and wait until it is ready."""
        assert not self.running, "the server runs already"
        nats_server = program.find(self.options.program)
        self.version = program.version(nats_server)
        store = self._store = self._store or Store.claim(self._directory)
        ready = False
        try:
            store.require_space(self.options.disk_free_min)
            if self._process is None:
                await store.evict(self.options.stop_seconds_max)
                if not store.closed:
                    self.note = await asyncio.to_thread(kept.keep, store.path)
            self._spawn(store, nats_server)
            await self._ready(store)
            ready = True
        finally:
            if not ready:
                await self.stop()

    async def restart(self) -> None:
        """Start again on the same port with the same passwords, after a crash or a stop."""
        await self._terminate()
        await self.start()

    async def stop(self) -> None:
        """Stop cleanly, by force if that takes too long, and give the store back."""
        store, self._store = self._store, None
        try:
            await self._terminate()
        finally:
            self._kill()  # Also when we were cancelled while waiting.
            if store is not None:
                if self._asked:
                    store.record_closed()
                for secret in (store.config, store.path / "reader.json"):
                    secret.unlink(missing_ok=True)
                store.release()

    async def exited(self) -> int:
        """Wait until the process has ended, for whatever reason; its exit status."""
        assert self._process is not None, "the server was never started"
        while (status := self._process.poll()) is None:  # noqa: ASYNC110  Nobody tells.
            await asyncio.sleep(EXIT_POLL_SECONDS)
        return status

    def _spawn(self, store: Store, nats_server: Path) -> None:
        self._asked = False
        for stale in store.ports.iterdir():
            stale.unlink()
        write_private(store.config, msgspec.json.encode(self._config(store)).decode())
        with store.errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [nats_server, "-c", str(store.config)],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, cwd=store.path,
                env={},  # Our environment may hold venue keys; the server needs none of it.
                pass_fds=(store.server_lock,),
                start_new_session=True,  # Ctrl-C is for us: we flush before we stop it.
                # One system call between fork and exec: no lock is taken there.
                preexec_fn=self._child_setup(),  # noqa: PLW1509
            )  # fmt: skip
        store.record(self._process.pid)

    def _child_setup(self) -> Callable[[], None] | None:
        """Have the kernel stop the child when we die; where it cannot, the next start does."""
        return partial(die_with, os.getpid()) if self.options.dies_with_parent else None

    def _config(self, store: Store) -> dict[str, Any]:
        """Write the server's configuration, whose format takes JSON as it is."""
        options, (writer, reader) = self.options, self._passwords
        may = {"publish": {"allow": READER_MAY_PUBLISH}, "subscribe": {"allow": [">"]}}
        return {
            "server_name": "mm",
            "host": "127.0.0.1",
            "port": self._port or -1,
            "ports_file_dir": str(store.ports),
            "max_payload": options.payload_max,
            "logfile": str(store.log),
            "logfile_size_limit": options.log_bytes_max,
            "logfile_max_num": 2,
            "jetstream": {
                "store_dir": str(store.path),
                "max_mem_store": options.memory_store_max,
                "max_file_store": options.file_store_max,
                "sync_interval": self.sync,
            },
            "authorization": {
                "users": [
                    {"user": "mm", "password": writer},
                    {"user": "reader", "password": reader, "permissions": may},
                ]
            },
        }

    async def _ready(self, store: Store) -> None:
        """Wait for the file in which the server names its port: it listens once that is there."""
        assert self._process is not None
        deadline = time.monotonic() + self.options.start_seconds_max
        while (port := _port(store.ports)) is None:
            if self._process.poll() is not None:
                raise self._failure(store)
            if time.monotonic() > deadline:
                raise self._overdue(store)
            await asyncio.sleep(POLL_SECONDS)
        self._port = port
        write_private(store.path / "reader.json", _as_json(self.reader))

    def _overdue(self, store: Store) -> LogError:
        """Tell a server that is stuck in a stream's damaged blocks from one that does nothing."""
        late = f"within {self.options.start_seconds_max:g} s"
        stuck = _unrestored(store, self.pid)
        if stuck:
            return LogDamaged(
                f"nats-server did not get through the blocks of stream {stuck} {late}",
                where=str(store.path),
                remedy="they are damaged, or so many that start_seconds_max must be longer",
            )
        return LogUnavailable(
            f"nats-server was not ready {late}",
            where=str(store.log),
            remedy="read that file",
        )

    def _failure(self, store: Store) -> LogError:
        """Turn what the server said before it gave up into an error of ours."""
        said = _last_words(store)
        if "address already in use" in said:
            return ServerPortTaken(
                f"port {self._port} is in use",
                where=self.url,
                remedy="choose another port, or port 0 for any free one",
            )
        if "no space left" in said or "insufficient storage" in said:
            return DiskTooSmall(
                f"nats-server has too little room: {said}",
                where=str(store.path),
                remedy="free some space, or name a store directory on another disk",
            )
        return LogUnavailable(
            f"nats-server gave up at start: {said or 'without a word'}",
            where=str(store.log),
            remedy="read that file; the store itself was not touched by mm",
        )

    async def _terminate(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        self._asked = True
        deadline = time.monotonic() + self.options.stop_seconds_max
        # Nobody tells us when it ends, so we look.
        while process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
        self._kill()

    def _kill(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
            self._asked = False


def die_with(parent: int) -> None:  # pragma: no cover  Runs in the child.
    """Have the kernel end this process when its parent dies; where it cannot, nothing happens."""
    if LIBC is None:
        return
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # It died before the kernel knew.
        os._exit(1)


def observe(store_dir: Path) -> Access | None:
    """Find the reader's way into the server that runs on this store; None if none does."""
    try:
        known = (store_dir / "reader.json").read_bytes()
    except OSError:
        return None
    return msgspec.json.decode(known, type=Access) if in_use(store_dir) else None


def _as_json(access: Access) -> str:
    return msgspec.json.encode(access).decode()


def _port(ports: Path) -> int | None:
    for file in ports.glob("*.ports"):
        with suppress(OSError, msgspec.DecodeError):  # Half written: look again in a moment.
            return int(msgspec.json.decode(file.read_bytes())["nats"][0].rpartition(":")[2])
    return None


def _unrestored(store: Store, pid: int) -> str:
    """Find the stream whose restore this process began and did not end."""
    text = store.log.read_text(errors="replace") if store.log.exists() else ""
    own = "\n".join(line for line in text.splitlines() if line.startswith(f"[{pid}]"))
    ended = set(re.findall(r"Restored .* for stream '\S+ > (\S+)'", own))
    begun = re.findall(r"Starting restore for stream '\S+ > (\S+)'", own)
    return ", ".join(stream for stream in begun if stream not in ended)


def _last_words(store: Store) -> str:
    """Find why it gave up: the fatal lines of the log, or what went to standard error."""
    texts = [file.read_text(errors="replace")[-4000:] for file in (store.log, store.errors)
             if file.exists()]  # fmt: skip
    lines = "\n".join(texts).splitlines()
    fatal = [line for line in lines if "[FTL]" in line or "nats-server: " in line]
    return "; ".join(line.partition("[FTL]")[2].strip() or line for line in fatal[-2:])
