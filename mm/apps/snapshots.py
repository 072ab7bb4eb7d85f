"""Snapshots of the state: a cache beside the log, never a source.

A snapshot holds the dump of every fold, where the log stood, and the fingerprint of the code that
made it. It is used only when that code is this code, its bytes are whole, the log has that very
turn and what was loaded has the digest of what was dumped; else the log is folded from its
beginning. A disk that fails costs the cache, nothing else. `agrees` compares it with a full fold,
and a snapshot that differs is thrown away.
"""

import hashlib
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from mm.engine.core import Engine
from mm.log.chain import Head
from mm.projections.base import pack
from mm.projections.state import combined

FORMAT: Final = 1
DECIDING: Final = ("events", "projections", "strategy", "engine")
"""The packages whose code decides what a log means, and what is decided on it."""


class Label(msgspec.Struct, frozen=True, array_like=True):
    """What every snapshot of every version begins with."""

    format: int
    code: str


class Snapshot(Label, frozen=True, array_like=True):
    """State after the turn at `head`."""

    head: Head
    digest: str
    state: Any


def fingerprint(packages: Sequence[str] = DECIDING) -> str:
    """SHA-256 over the source of packages, the pure floors if none is named: which code this is."""
    seen = hashlib.sha256()
    for package in packages:
        folder = resources.files(f"mm.{package}")
        for file in sorted(folder.iterdir(), key=lambda each: each.name):
            if file.name.endswith(".py"):
                seen.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return seen.hexdigest()


def save(path: Path, engine: Engine, head: Head) -> None:
    """Write a snapshot of the engine's state at the log's head: whole or not at all.

    Raises `OSError` when the disk does not take it.
    """
    assert engine.turns == head.number, "the state is not where the log is"
    state = engine.state
    snapshot = Snapshot(FORMAT, fingerprint(), head, combined(state.digests()), state.dump())
    body = pack(snapshot)
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(hashlib.sha256(body).digest() + body)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load(path: Path) -> Snapshot | None:
    """The snapshot, or None when none can be read, it is torn, or other code made it."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    mark, body = raw[:32], raw[32:]
    if hashlib.sha256(body).digest() != mark:
        return None
    label = msgspec.msgpack.decode(body, type=Label)
    if (label.format, label.code) != (FORMAT, fingerprint()):
        return None
    return msgspec.msgpack.decode(body, type=Snapshot)


def restored(snapshot: Snapshot) -> Engine | None:
    """An engine that stands where the snapshot was taken; None when its state is another."""
    engine = Engine()
    engine.state.load(snapshot.state)
    if not agrees(snapshot, engine):
        return None
    engine.resume(snapshot.head.number, snapshot.head.events, snapshot.head.at)
    return engine


def agrees(snapshot: Snapshot, full: Engine) -> bool:
    """Whether this engine, a full fold up to the same turn, has the same state."""
    return combined(full.state.digests()) == snapshot.digest
