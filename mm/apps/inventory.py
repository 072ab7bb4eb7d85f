"""What lies in the data directory: every session and recording, told without reading its log.

An archive's manifest and the mark say nearly everything; only a running session is asked, through
its own server. Whatever is damaged is listed as such: a list that stops at the first bad entry
would hide the good ones.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Literal

import msgspec

from mm.apps.sessions import DeskFiles, all_sessions, is_archive
from mm.errors import LogDamaged, LogError, NewerVersion, SessionError
from mm.events.units import TurnNumber
from mm.log.archive import Archive
from mm.log.chain import START, Head
from mm.log.columns import PLACE, to_ints
from mm.log.mark import remembered
from mm.log.server import observe

State = Literal["running", "ended", "halted", "cut off", "recording", "damaged"]
STARTED: Final = "session.started"
ENDED: Final = "session.ended"
HALTED: Final = "trading.halted"
REARMED: Final = "trading.rearmed"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One session or recording; times in UTC nanoseconds, None where nothing says it.

    `state` is where it was left: `ended` in good order, `halted` until a person re-arms it,
    `cut off` when it never said that it ended, or went on after what the archive holds.
    """

    name: str
    path: str
    kind: Literal["session", "recording"]
    state: State
    first: int | None = None
    last: int | None = None
    turns: int | None = None
    events: int | None = None
    bytes: int = 0
    archived_turns: int = 0
    note: str = ""


def inventory(data: Path | None = None) -> list[Entry]:
    """Every session and recording below the data directory, by name."""
    return [entry(path) for path in all_sessions(data)]


def entry(path: Path) -> Entry:
    """What can be told of one session or recording."""
    kind: Literal["session", "recording"] = "recording" if is_archive(path) else "session"
    known = Entry(name=path.name, path=str(path), kind=kind, state="damaged", bytes=size_of(path))
    try:
        return _archive_only(known, Archive(path)) if is_archive(path) else _desk(known, path)
    except (LogDamaged, NewerVersion) as error:
        return msgspec.structs.replace(known, note=error.what)


def size_of(path: Path) -> int:
    """Bytes of all files below a directory; one that goes while we look counts nothing."""
    total = 0
    for file in path.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _archive_only(known: Entry, archive: Archive) -> Entry:
    manifest = archive.manifest
    if manifest.kind == "recording":
        return _filled(known, archive, archive.head, "recording")
    session = msgspec.structs.replace(known, kind="session")
    return _filled(session, archive, archive.head, *_left(archive))


def _desk(known: Entry, path: Path) -> Entry:
    files = DeskFiles(path)
    archive = Archive(files.archive) if is_archive(files.archive) else None
    if observe(files.store) is not None:
        return _running(known, path, archive)
    mark = remembered(files.mark)
    archived = archive.head if archive is not None else START
    head = mark if mark is not None and mark.number > archived.number else archived
    if archive is None or head is mark:
        return _filled(known, archive, head, "cut off")
    return _filled(known, archive, head, *_left(archive))


def _filled(
    known: Entry, archive: Archive | None, head: Head, state: State, note: str = ""
) -> Entry:
    spans = archive.manifest.spans if archive is not None else ()
    return msgspec.structs.replace(
        known,
        state=state,
        first=spans[0].first_time if spans else None,
        last=head.at or None,
        turns=head.number or None,
        events=head.events or None,
        archived_turns=archive.head.number if archive is not None else 0,
        note=note,
    )


def _left(archive: Archive) -> tuple[State, str]:
    """How the last archived session was left."""
    halted = _last(archive, HALTED)
    if halted > _last(archive, REARMED):
        return "halted", f"halted at event {halted:,}"
    return ("ended", "") if _last(archive, ENDED) > _last(archive, STARTED) else ("cut off", "")


def _last(archive: Archive, tag: str) -> int:
    """The number of the last event of a kind, 0 where there is none."""
    numbers = [to_ints(table[PLACE[0]]) for table in archive.tables(tag)]
    return max((int(each[-1]) for each in numbers if len(each)), default=0)


def _running(known: Entry, path: Path, archive: Archive | None) -> Entry:
    archived = archive.head if archive is not None else START
    try:
        first, head = asyncio.run(_asked(path))
    except (LogError, SessionError) as error:
        found = _filled(known, archive, archived, "running")
        return msgspec.structs.replace(found, note=error.what)
    found = _filled(known, archive, head, "running")
    return msgspec.structs.replace(found, first=found.first or first or None)


async def _asked(path: Path) -> tuple[int, Head]:
    """The time of the first turn, and where the log stands, from the server that runs."""
    from mm.apps.serving import serving  # noqa: PLC0415  Most entries need no server's client.

    async with serving(path) as served:
        first = await served.reader.turn(served.state.first_seq)
        head = await served.reader.head_at(TurnNumber(served.state.last_seq))
    return first.turn.at if first is not None else 0, head


def coverage(known: Entry) -> str:
    """How much of it the archive holds; a recording is an archive itself."""
    if not known.turns or not known.archived_turns:
        return "none"
    share = known.archived_turns / known.turns
    return "all" if share >= 1 else f"{share:.1%}"
