"""The directory an embedded server keeps its data in: private, and used by one at a time.

Two locks guard it. `mm.lock` is held by the process that embeds the server; a second one is
refused. `server.pid` is locked by the server itself, through an inherited descriptor, for as long
as it lives: two servers can never run on one store, whichever parent died, and a server that
outlived its parent is found, recognised by pid, start time and command line, and only then stopped.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final, Self

from mm.errors import ConfigError, DiskTooSmall, LogUnavailable, StoreLocked

POLL_SECONDS: Final = 0.005
OTHERS: Final = 0o077
PROC: Final = Path("/proc")


class Store:
    """A claimed store directory; `claim` is the way to get one, `release` gives it back."""

    def __init__(self, path: Path, claim: int, server_lock: int) -> None:
        """Hold the two descriptors; see `claim`."""
        self.path = path
        self.config = path / "server.conf"
        self.log = path / "server.log"
        self.errors = path / "server.err"
        self.ports = path / "ports"
        self._claim = claim
        self.server_lock = server_lock

    @classmethod
    def claim(cls, path: Path) -> Self:
        """Make the directory private and take it for this process, or tell who has it."""
        path = path.absolute()
        try:
            _make_private(path)
            claim = _open(path / "mm.lock")
            if not _locked(claim):
                raise _taken(path, claim)
            _write(claim, str(os.getpid()))
            store = cls(path, claim, _open(path / "server.pid"))
            store.ports.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise LogUnavailable(
                f"the store directory cannot be used: {error.strerror}",
                where=str(error.filename or path),
                remedy="name a directory on a local disk that this user may write to",
            ) from error
        return store

    def release(self) -> None:
        """Let the next one in."""
        os.close(self.server_lock)
        os.close(self._claim)

    def require_space(self, free_min: int) -> None:
        """Refuse to start on a disk that is about to fill up."""
        free = shutil.disk_usage(self.path).free
        if free < free_min:
            raise DiskTooSmall(
                f"{free >> 20} MiB are free, {free_min >> 20} MiB are needed to start",
                where=str(self.path),
                remedy="free some space, or name a store directory on another disk",
            )

    @property
    def closed(self) -> bool:
        """Whether the last server here was stopped in good order, or there was none."""
        return not _read(self.server_lock)

    def record(self, pid: int) -> None:
        """Write down which server runs here, so that it can be found if we die."""
        _write(self.server_lock, f"{pid} {_start_time(pid)}")

    def record_closed(self) -> None:
        """Write down that the server stopped in good order."""
        _write(self.server_lock, "")

    async def evict(self, patience: float) -> bool:
        """Stop a server that outlived its parent; true if there was one."""
        if _locked(self.server_lock):
            return False
        for stop in (None, signal.SIGTERM, signal.SIGKILL):
            pid = self._recognised()
            if stop and pid:
                os.kill(pid, stop)
            # A server whose parent has just died is stopping already: ask it nothing at first.
            if await self._freed(patience if stop else min(patience, 0.1)):
                return True
        raise StoreLocked(
            "a server that is not recognised as ours holds the store",
            where=str(self.path / "server.pid"),
            remedy="find it with `fuser` on that file, and stop it",
        )

    async def _freed(self, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while not _locked(self.server_lock):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    def _recognised(self) -> int | None:
        """Read the recorded pid, if that is still the server we started on this store."""
        pid, _, started = _read(self.server_lock).partition(" ")
        if not pid.isdigit() or not started or _start_time(int(pid)) != started:
            return None
        return int(pid) if str(self.config) in _command(int(pid)) else None


def in_use(path: Path) -> bool:
    """Whether a server runs on this store for somebody; one whose parent died is going away."""
    try:
        lock = os.open(path / "server.pid", os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _locked(lock, fcntl.LOCK_SH) and _is_claimed(path)
    finally:
        os.close(lock)


def _is_claimed(path: Path) -> bool:
    """Whether the process that claimed the store lives; its lock is not tried, only read."""
    owner = (path / "mm.lock").read_text(encoding="utf-8", errors="replace").strip()
    return owner.isdigit() and bool(_start_time(int(owner)))


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read at any moment, and replace the old one in one step."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _make_private(path: Path) -> None:
    """Never change the permissions of a directory that is something else, such as a home."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.stat().st_mode & OTHERS:
        return
    if any(path.iterdir()) and not (path / "mm.lock").exists():
        raise ConfigError(
            "the store directory holds other files, and others may read it",
            where=str(path),
            remedy="name a new directory for the store, or make this one private (chmod 700)",
        )
    path.chmod(0o700)


def _taken(path: Path, claim: int) -> StoreLocked:
    owner = _read(claim) or "unknown"
    os.close(claim)
    return StoreLocked(
        f"process {owner} uses this store",
        where=str(path),
        remedy=f"wait for process {owner} to end, or stop it",
    )


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _locked(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> str:
    return os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _start_time(pid: int, proc: Path = PROC) -> str:
    """Tell when the process was started, in the system's own terms; empty if it is gone."""
    if not proc.joinpath("self").exists():  # Not Linux.
        return _ps(pid, "lstart=").replace(" ", "_")
    try:
        stat = proc.joinpath(str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def _command(pid: int, proc: Path = PROC) -> list[str]:
    if not proc.joinpath("self").exists():  # Not Linux.
        return _ps(pid, "command=").split()
    try:
        line = proc.joinpath(str(pid), "cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in line.split(b"\0")]


def _ps(pid: int, column: str) -> str:
    answer = subprocess.run(
        ["/bin/ps", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()
