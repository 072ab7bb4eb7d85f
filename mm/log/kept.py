"""The store as it was found: a copy beside it, made before a server opens what nobody closed.

A server that starts on a store whose last server died repairs what it finds, and cuts a damaged
block off where the damage begins, with every turn behind it that was whole. So the blocks are
copied first. The copy goes as soon as the log was found whole; one that is still there is of a log
that was not, and is never overwritten.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

SERVER_DIR: Final = "jetstream"
"""Where the server keeps its streams, below the store directory."""
FREE_LEFT_MIN: Final = 1024 * 1024 * 1024


def place(store: Path) -> Path:
    """Where the copy of a store is."""
    return store.parent / f"{store.name}-as-found"


def keep(store: Path) -> str:
    """Copy the store aside; returns a note where there was no room for it, else nothing.

    Raises `OSError` where the disk fails.
    """
    source, copy = store / SERVER_DIR, place(store)
    if copy.exists() or not source.is_dir():
        return ""
    size = sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
    if size + FREE_LEFT_MIN > shutil.disk_usage(store.parent).free:
        return (
            f"the store ({size >> 20} MiB) was not closed in good order, and there is no room to "
            "copy it before the server repairs it: damage would cost what lies behind it"
        )
    draft = copy.with_name(copy.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    shutil.copytree(source, draft / SERVER_DIR, copy_function=_copied)
    draft.rename(copy)
    return ""


def drop(store: Path) -> None:
    """The log was found whole: the copy is not needed."""
    shutil.rmtree(place(store), ignore_errors=True)


def _copied(source: str, target: str) -> str:
    shutil.copyfile(source, target)
    with Path(target).open("rb") as file:
        os.fsync(file.fileno())
    return target
