"""Files and directories that are whole or absent, and directories with one writer.

A file is written under a draft name, synced, and renamed, so that a crash leaves the old one or
the new one; a directory is drafted beside its place and moved there in the same way. The claim on a
directory is a lock on the directory itself: it leaves nothing behind and dies with the process that
holds it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mm.errors import LogError, LogFull, LogUnavailable, StoreLocked

DRAFT: Final = ".draft"


def write(file: Path, content: bytes) -> None:
    """Write a file that is on the disk once this returns; raises `LogFull`, `LogUnavailable`."""
    draft = file.with_name(file.name + DRAFT)
    try:
        if not file.parent.exists():
            file.parent.mkdir()
            sync_directory(file.parent.parent)
        with draft.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
        sync_directory(file.parent)
    except OSError as error:
        raise failed(error, file) from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def claim(path: Path) -> int:
    """Create the directory if need be and lock it; closing the descriptor lets go.

    Raises `StoreLocked` where another writer is, `LogFull` or `LogUnavailable`.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise failed(error, path) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreLocked(
            "another writer has this archive open",
            where=str(path),
            remedy="wait for it to end, or write to another directory",
        ) from None
    return descriptor


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A hidden directory that takes the place of `path` if the block ends without an error.

    Whoever writes in it holds `claim` on it; raises `StoreLocked` where another one does.
    """
    draft = _beside(path, "draft")
    _discard(draft)
    ours = True
    try:
        yield draft
        _replace(path, draft)
    except StoreLocked:
        ours = False
        raise
    finally:
        if ours:
            shutil.rmtree(draft, ignore_errors=True)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{what}")


def _discard(draft: Path) -> None:
    """Remove what a killed import left; raises `StoreLocked` where it still runs."""
    if draft.exists():
        lock = claim(draft)
        shutil.rmtree(draft)
        os.close(lock)


def _replace(path: Path, draft: Path) -> None:
    old = _beside(path, "old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    draft.rename(path)
    sync_directory(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def failed(error: OSError, path: Path) -> LogError:
    """Say what the system refused."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    kind = LogFull if full else LogUnavailable
    remedy = "make room on the disk" if full else "check the directory and its permissions"
    return kind(f"the archive cannot be written: {error.strerror}", where=str(path), remedy=remedy)
