"""The manifest: what an archive holds, and how to tell that it is whole.

It names every span of turns, every file of a span with its SHA-256, and the head after each span.
It is written last and replaced in one step, so that a crash leaves the one before, and it carries
its own checksum, so that a changed byte of it is seen too. A file it does not name is not part of
the archive.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from mm.errors import LogDamaged, NewerVersion, SessionError
from mm.log import files
from mm.log.chain import START, Head

FORMAT: Final = 1
NAME: Final = "manifest.json"

Kind = Literal["session", "recording"]
Hex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Inside = Annotated[str, msgspec.Meta(pattern=r"^day=[0-9-]{10}/[0-9]+-[a-z_]+\.parquet$")]


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """A head with its hashes in hexadecimal."""

    number: int
    events: int
    at: int
    hash: Hex
    orders_hash: Hex

    @classmethod
    def of(cls, head: Head) -> Stand:
        """Write a head down."""
        return cls(
            number=head.number,
            events=head.events,
            at=head.at,
            hash=head.hash.hex(),
            orders_hash=head.orders_hash.hex(),
        )

    @property
    def head(self) -> Head:
        """The head that was written down."""
        plain = msgspec.structs.asdict(self)
        hashes = {name: bytes.fromhex(plain[name]) for name in ("hash", "orders_hash")}
        return Head(**(plain | hashes))


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a span: the tag of its events (or `turns`) and the path inside the archive."""

    kind: str
    path: Inside
    rows: int
    bytes: int
    sha256: Hex


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Turns that were written together, all of one UTC day; `head` is where the log then stood."""

    number: int
    day: str
    first_turn: int
    last_turn: int
    first_event: int
    last_event: int
    first_time: int
    last_time: int
    head: Stand
    files: tuple[File, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole archive; `rows` counts the events of each kind over all spans."""

    name: str
    kind: Kind
    format: int = FORMAT
    head: Stand = Stand.of(START)
    rows: dict[str, int] = {}
    spans: tuple[Span, ...] = ()
    checksum: str = ""

    def extended(self, span: Span) -> Manifest:
        """The manifest with one more span."""
        rows = dict(self.rows)
        for file in span.files:
            rows[file.kind] = rows.get(file.kind, 0) + file.rows
        return msgspec.structs.replace(
            self, head=span.head, rows=dict(sorted(rows.items())), spans=(*self.spans, span)
        )


def load(path: Path) -> Manifest:
    """The manifest of the archive at `path`.

    Raises `SessionError` where there is none, `LogDamaged`, or `NewerVersion`.
    """
    file = path / NAME
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SessionError(
            f"there is no archive: {error.strerror}",
            where=str(file),
            remedy="name the directory of a session's archive or of a recording",
        ) from error
    return _read(content, file)


def _read(content: bytes, file: Path) -> Manifest:
    remedy = "restore the manifest from a copy, or fill the archive anew from the log"
    try:
        plain = msgspec.json.decode(content)
        version = plain["format"]
        if isinstance(version, int) and version > FORMAT:
            raise NewerVersion(
                f"the archive has format {version}, this mm reads up to {FORMAT}",
                where=str(file),
                remedy="upgrade mm",
            )
        manifest = msgspec.convert(plain, Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise LogDamaged(
            f"the manifest cannot be read: {error}", where=str(file), remedy=remedy
        ) from error
    if checksum(plain) != manifest.checksum:
        raise LogDamaged("the manifest was changed", where=str(file), remedy=remedy)
    return manifest


def save(path: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step, once every file it names is on the disk.

    Raises `LogFull` or `LogUnavailable`.
    """
    plain = msgspec.to_builtins(manifest)
    plain["checksum"] = checksum(plain)
    text = msgspec.json.format(msgspec.json.encode(plain), indent=1)
    files.write(path / NAME, text + b"\n")


def checksum(plain: dict[str, Any]) -> str:
    """SHA-256 of a manifest as it stands in the file, whatever fields it has, but for this one."""
    bare = {key: value for key, value in plain.items() if key != "checksum"}
    return hashlib.sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()
