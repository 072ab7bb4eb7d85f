"""A new recording appears whole or not at all.

It is written beside its place under a hidden name and moved there when it is complete, so that a
crash, an error or Ctrl-C leaves what was there before. An older recording is replaced only when
that is asked for, and nothing but a recording ever is.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mm.errors import ConfigError, StoreLocked
from mm.log import files
from mm.log.archive import Archive, ArchiveWriter, is_archive


@contextmanager
def new_recording(path: Path, *, force: bool = False) -> Iterator[ArchiveWriter]:
    """The writer of a recording that will stand at `path` if the block ends without an error.

    Raises `ConfigError` where `path` may not be written, `StoreLocked` where another import does.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  A link is to be replaced, not followed.
    check_vacant(path, force=force)
    with drafted(path) as draft:
        with ArchiveWriter(draft, name=path.name, kind="recording") as writer:
            yield writer
        check_vacant(path, force=force)


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A hidden directory that takes the place of `path` if the block ends without an error.

    Whoever writes in it holds `files.claim` on it; raises `StoreLocked` where another one does.
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


def check_vacant(path: Path, *, force: bool) -> None:
    """Raise `ConfigError` unless a recording may be put at `path`."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir() or not is_archive(path):
        raise ConfigError(
            "something that is no recording is there",
            where=str(path),
            remedy="name a new directory with --out",
        )
    if not force:
        raise ConfigError(
            "there is a recording already",
            where=str(path),
            remedy="name another directory with --out, or replace it with --force",
        )
    if Archive(path).manifest.kind != "recording":
        raise ConfigError(
            "the archive of a session is never replaced",
            where=str(path),
            remedy="name another directory with --out",
        )


def bytes_in(path: Path) -> int:
    """Size of all files of a recording."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{what}")


def _discard(draft: Path) -> None:
    """Remove what a killed import left; raises `StoreLocked` where it still runs."""
    if draft.exists():
        lock = files.claim(draft)
        shutil.rmtree(draft)
        os.close(lock)


def _replace(path: Path, draft: Path) -> None:
    old = _beside(path, "old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    draft.rename(path)
    files.sync_directory(path.parent)
    shutil.rmtree(old, ignore_errors=True)
