"""A snapshot held against a full fold, turn by turn, while a log is read anyway.

It is a cache beside the log: one that differs is thrown away, and the log is none the worse for it.
What no start would use (it is torn, other code made it, or the log has not that very turn) is left
where it is, and named.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from mm.apps import snapshots
from mm.apps.inspection import Compared, Verdict
from mm.engine.core import Engine
from mm.log.chain import Sealed

CHECKSUM_BYTES: Final = 32


class SnapshotCheck:
    """`take` every turn from the first on, then ask for the `result`."""

    def __init__(self, path: Path) -> None:
        """Read the snapshot, which is there."""
        self._path = path
        self._snapshot = snapshots.load(path)
        self._engine = Engine()
        self._verdict: Verdict = "another log" if self._snapshot else _unusable(path)

    def take(self, sealed: Sealed) -> None:
        """Fold a turn, as far as the snapshot goes; compare where it was taken."""
        known, number = self._snapshot, sealed.turn.number
        if known is None or number > known.head.number:
            return
        self._engine.fold(sealed.turn)
        if number == known.head.number and sealed.hash == known.head.hash:
            same = snapshots.agrees(known, self._engine)
            self._verdict = "agrees" if same else "differs"

    def result(self) -> Compared:
        """What came of it; a snapshot that differs is gone after this."""
        if self._verdict == "differs":
            self._path.unlink(missing_ok=True)
        turn = self._snapshot.head.number if self._snapshot is not None else None
        return Compared(turn=turn, verdict=self._verdict)


def _unusable(path: Path) -> Verdict:
    try:
        raw = path.read_bytes()
    except OSError:
        return "torn"
    whole = hashlib.sha256(raw[CHECKSUM_BYTES:]).digest() == raw[:CHECKSUM_BYTES]
    return "other code" if whole else "torn"
