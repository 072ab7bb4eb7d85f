"""Cancels that leave while the log is away: kept beside it until the log has them.

What leaves is written here first, and flushed, so that whatever happens to this process the next
session of the desk knows of it and appends what the log lacks. The file is replaced as a whole and
is there only while something is owed; without a path, what is owed dies with the process. A disk
that fails costs a note, never a cancel or a session.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from mm.errors import LogDamaged, SessionError
from mm.events.units import TurnNumber
from mm.events.vocabulary import Fact
from mm.log.base import Log

SUM_BYTES: Final = 32


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """Facts that no turn up to `after` can hold."""

    after: TurnNumber
    facts: tuple[Fact, ...]


_encoder: Final = msgspec.msgpack.Encoder(decimal_format="string")
_decoder: Final = msgspec.msgpack.Decoder(_Kept)


class Spool:
    """What the log is owed; `keep` before it happens, `settle` once a turn holds it."""

    def __init__(self, path: Path | None) -> None:
        """Take over what an earlier process left.

        Raises `LogDamaged` when that is no spool, `SessionError` when it cannot be read at all.
        """
        self.path = path
        self._kept = _read(path) if path is not None else _NOTHING

    @property
    def owed(self) -> tuple[Fact, ...]:
        """Facts that no acknowledged turn holds, oldest first."""
        return self._kept.facts

    def keep(self, facts: Iterable[Fact], after: TurnNumber) -> None:
        """Write down facts of which turns up to `after` know nothing; durable on return.

        Raises `OSError` when the disk does not take them; this process owes them all the same.
        """
        first = min(self._kept.after, after) if self.owed else after
        self._put(_Kept(first, (*self.owed, *facts)))

    def settle(self, facts: Iterable[Fact]) -> None:
        """These facts are on the log now: nothing more is owed of them."""
        held = list(facts)
        left = tuple(fact for fact in self.owed if fact not in held)
        if left != self.owed:
            # A file that names too much does no harm: `reconsider` holds it against the log.
            with contextlib.suppress(OSError):
                self._put(_Kept(self._kept.after, left))

    async def reconsider(self, log: Log) -> None:
        """Drop what the log holds already: the process died after it was stored."""
        if self.owed:
            held = [fact async for turn in log.read(self._kept.after) for fact in turn.turn.facts]
            self.settle(held)

    def _put(self, kept: _Kept) -> None:
        self._kept = kept
        if self.path is None:
            return
        if kept.facts:
            body = _encoder.encode(kept)
            _replace(self.path, hashlib.sha256(body).digest() + body)
        else:
            self.path.unlink(missing_ok=True)


_NOTHING: Final = _Kept(TurnNumber(0), ())


def _read(path: Path) -> _Kept:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return _NOTHING
    except OSError as error:
        raise SessionError(
            f"the spool of cancels cannot be read: {error.strerror}",
            where=str(path),
            remedy="give this user access to the file, or move it away",
        ) from error
    body = raw[SUM_BYTES:]
    try:
        if hashlib.sha256(body).digest() == raw[:SUM_BYTES]:
            return _decoder.decode(body)
        why = "its checksum does not hold"
    except msgspec.MsgspecError as error:
        why = str(error)
    raise LogDamaged(
        f"the spool of cancels that left while the log was away cannot be read: {why}",
        where=str(path),
        remedy="move it away: every order is asked about at the start, only the notes are lost",
    )


def _replace(path: Path, content: bytes) -> None:
    """Write the file whole or not at all, and have it on disk before returning."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
