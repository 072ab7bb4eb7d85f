"""Files as blocks of plain bytes, whether they are compressed or not.

A gzip file may consist of several members, one after the other; a reader that stops at the first
would lose the rest without a word. Data that end in the middle of a member raise one of `CUT_OFF`
after everything before it was handed out.
"""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from mm.errors import BadInput

BLOCK_BYTES: Final = 1 << 17
MAGIC: Final = b"\x1f\x8b"
WINDOW: Final = 31
"""What zlib calls its largest window inside a gzip frame."""
CUT_OFF: Final = (zlib.error, EOFError)

Advance = Callable[[int], None]


def silent(_bytes: int) -> None:
    """Tell nobody of progress."""


def existing(path: Path) -> Path:
    """The path itself; raises `BadInput` where there is no file."""
    if not path.is_file():
        raise BadInput("there is no such file", where=str(path), remedy="check the path")
    return path


def blocks(path: Path, advance: Advance = silent) -> Iterator[bytes]:
    """The contents of a file; `advance` hears of the bytes read from the disk."""
    with path.open("rb") as file:
        zipped = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        yield from _inflated(file, advance) if zipped else _raw(file, advance)


def _raw(file: IO[bytes], advance: Advance) -> Iterator[bytes]:
    while block := file.read(BLOCK_BYTES):
        advance(len(block))
        yield block


def _inflated(file: IO[bytes], advance: Advance) -> Iterator[bytes]:
    member = zlib.decompressobj(WINDOW)
    fresh = True
    for block in _raw(file, advance):
        rest = block.lstrip(b"\0") if fresh else block
        while rest:
            yield member.decompress(rest)
            fresh = member.eof
            rest = member.unused_data.lstrip(b"\0")
            if fresh:
                member = zlib.decompressobj(WINDOW)
    if not fresh:
        raise EOFError("the last gzip member is cut off")
