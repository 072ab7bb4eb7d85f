"""Where sessions live on disk, and how a name finds one.

A desk has a directory: `store/` (JetStream's own files), `mark` (the high-water mark outside the
server), `archive/` (closed spans as Parquet). Recordings are archive directories by themselves.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

from mm.errors import SessionError

DATA_DIR: Final = "mm-data"


class DeskFiles(NamedTuple):
    """The places of one desk."""

    root: Path

    @property
    def store(self) -> Path:
        """JetStream's store directory."""
        return self.root / "store"

    @property
    def mark(self) -> Path:
        """The high-water mark."""
        return self.root / "mark"

    @property
    def snapshot(self) -> Path:
        """The cached state."""
        return self.root / "snapshot"

    @property
    def spool(self) -> Path:
        """What left while the log was away; there only while the log is owed it."""
        return self.root / "spool"

    @property
    def archive(self) -> Path:
        """Closed spans."""
        return self.root / "archive"


def data_dir(given: Path | None = None) -> Path:
    """The directory of all desks: given, else MM_DATA, else ./mm-data."""
    return given or Path(os.environ.get("MM_DATA") or DATA_DIR)


def desk_files(desk: str, given: Path | None = None) -> DeskFiles:
    """The places of a desk, which may not exist yet."""
    return DeskFiles(data_dir(given) / desk)


def is_archive(path: Path) -> bool:
    """Whether a directory is an archive: a recording, or a session's closed spans."""
    return (path / "manifest.json").is_file()


def is_session(path: Path) -> bool:
    """Whether a directory holds a desk's log."""
    return (path / "store").is_dir() or is_archive(path / "archive")


def find(name: str | None, given: Path | None = None) -> Path:
    """A session or recording by path or desk name; without a name, the latest session."""
    if name is None:
        return latest(given)
    for path in (Path(name), data_dir(given) / name):
        if is_archive(path) or is_session(path):
            return path
    raise SessionError(
        f"there is no session or recording {name!r}",
        where=str(data_dir(given)),
        remedy="`mm log ls` lists what there is",
    )


def recording(name: str, given: Path | None, config: str) -> Path:
    """What `feed.path` of a config names; raises `SessionError`, which says where it was sought."""
    try:
        return find(name, given)
    except SessionError as error:
        places = dict.fromkeys(str(path) for path in (Path(name), data_dir(given) / name))
        raise SessionError(
            f"feed.path = {name!r} names no recording: there is none at {' or '.join(places)}",
            where=f"{config}, feed.path",
            remedy="make one with `mm import` (captured files) or `mm record`, or name one that "
            "`mm log ls` lists",
        ) from error


def all_sessions(given: Path | None = None) -> list[Path]:
    """Every session and recording below the data directory, by name."""
    root = data_dir(given)
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if is_session(path) or is_archive(path))


def latest(given: Path | None = None) -> Path:
    """The session written last."""
    sessions = [path for path in all_sessions(given) if is_session(path)]
    if not sessions:
        raise SessionError(
            "there is no session yet",
            where=str(data_dir(given)),
            remedy="run `mm demo`, or `mm live CONFIG`",
        )
    return max(sessions, key=lambda path: (_written(path), path.name))


def _written(path: Path) -> int:
    mark = path / "mark"
    return (mark if mark.exists() else path).stat().st_mtime_ns
