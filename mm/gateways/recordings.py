"""A new recording appears whole or not at all.

It is written beside its place under a hidden name and moved there when it is complete, so that a
crash, an error or Ctrl-C leaves what was there before. An older recording is replaced only when
that is asked for, and nothing but a recording ever is.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mm.errors import ConfigError
from mm.log import files
from mm.log.archive import Archive, ArchiveWriter, is_archive


@contextmanager
def new_recording(path: Path, *, force: bool = False) -> Iterator[ArchiveWriter]:
    """The writer of a recording that will stand at `path` if the block ends without an error.

    Raises `ConfigError` where `path` may not be written, `StoreLocked` where another import does.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  A link is to be replaced, not followed.
    check_vacant(path, force=force)
    with files.drafted(path) as draft:
        with ArchiveWriter(draft, name=path.name, kind="recording") as writer:
            yield writer
        check_vacant(path, force=force)


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
