"""What a venue said, kept as it came: so that history can be parsed anew by a later parser.

A folder holds files of bounded size, gzip, numbered in order. In them stands one entry after the
other: its length in four bytes, then time, kind, channel and body in MessagePack. An entry is a
`frame` or an answer, an answer about the instruments (`definitions`), or what became of a
connection (`joined`, `parted`, `lost`), with the reason as its body.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from mm.errors import BadInput, ConfigError
from mm.events.units import Nanos
from mm.gateways.market_port import Frame

FILE_BYTES_MAX: Final = 1 << 26
"""Of what is compressed in one file."""
ENTRY_BYTES_MAX: Final = 1 << 27
LENGTH_BYTES: Final = 4
LEVEL: Final = 3
HEAD: Final = "raw.json"
DEFINITIONS: Final = "definitions"
FRAME: Final = "frame"


class RawHead(msgspec.Struct, frozen=True, kw_only=True):
    """What was listened to, which a parser has to know."""

    venue: str
    symbols: tuple[str, ...]
    channels: tuple[str, ...] = ()
    interval: str = "1m"
    audit: bool = True


class Entry(NamedTuple):
    """One thing that was heard or happened."""

    received: Nanos
    kind: str
    channel: str
    body: bytes


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[int, str, str, bytes]).decode


class RawWriter:
    """Keeps entries as they come; a new file whenever one is full."""

    def __init__(self, folder: Path, head: RawHead, file_bytes_max: int = FILE_BYTES_MAX) -> None:
        """Make the folder; raises `ConfigError` where something is there already."""
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError(
                "something is there already", where=str(folder), remedy="name another directory"
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / HEAD).write_bytes(msgspec.json.encode(head))
        self.entries = 0
        self._folder = folder
        self._max = file_bytes_max
        self._number = 0
        self._room = 0
        self._file: gzip.GzipFile | None = None

    def frame(self, frame: Frame) -> None:
        """A frame or an answer."""
        self._keep(Entry(frame.received, FRAME, frame.channel, frame.body))

    def definitions(self, answers: Iterable[Frame]) -> None:
        """Answers about the instruments."""
        for each in answers:
            self._keep(Entry(each.received, DEFINITIONS, each.channel, each.body))

    def event(self, received: Nanos, channel: str, kind: str, reason: str) -> None:
        """What became of a connection."""
        self._keep(Entry(received, kind, channel, reason.encode()))

    def _keep(self, entry: Entry) -> None:
        packed = _encode(tuple(entry))
        if self._file is None or self._room < len(packed):
            self.close()
            self._number += 1
            path = self._folder / f"frames-{self._number:06}.gz"
            self._file = gzip.open(path, "wb", compresslevel=LEVEL)  # noqa: SIM115  Held open.
            self._room = self._max
        self._file.write(len(packed).to_bytes(LENGTH_BYTES, "big"))
        self._file.write(packed)
        self._room -= len(packed)
        self.entries += 1

    def close(self) -> None:
        """Finish the file under way."""
        if self._file is not None:
            self._file.close()
            self._file = None


def head_of(folder: Path) -> RawHead:
    """What was listened to; raises `BadInput` where the folder holds no raw frames."""
    try:
        return msgspec.json.decode((folder / HEAD).read_bytes(), type=RawHead)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadInput(
            f"no raw frames are there: {error}",
            where=str(folder),
            remedy="name a directory that `mm record --raw` made",
        ) from error


def entries(folder: Path) -> Iterator[Entry]:
    """Every entry in order; raises `BadInput` at a file that is damaged or cut off."""
    for path in sorted(folder.glob("frames-*.gz")):
        try:
            with gzip.open(path, "rb") as file:
                while length := file.read(LENGTH_BYTES):
                    size = int.from_bytes(length, "big")
                    body = file.read(min(size, ENTRY_BYTES_MAX))
                    received, kind, channel, said = _decode(body)
                    yield Entry(Nanos(received), kind, channel, said)
        except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
            raise BadInput(
                f"the raw frames are damaged: {error}",
                where=str(path),
                remedy="what stands before can be used: move the file away",
            ) from error
