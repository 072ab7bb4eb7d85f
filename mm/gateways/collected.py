"""Files of a collector that keeps everything one venue said: sockets, requests and their answers.

A line is `<seconds>: <frame>` for what a socket said, `<URL> -> <seconds>: <body>` for the answer
of a request, and `<URL> <-> <seconds>` or `<URL> <- <seconds>: <text>` for what was opened or said
by us. Files come plain, gzipped, or together in a tar archive, from which those of one venue are
taken by the start of their names.
"""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from mm.errors import BadInput, MalformedLine
from mm.events.units import Nanos
from mm.gateways.compressed import CUT_OFF, Advance, blocks, existing, silent

HEARD: Final = re.compile(rb"(\d{10})\.(\d{1,9}): ?", re.ASCII)
ANSWERED: Final = re.compile(rb"(\S+) -> (\d{10})\.(\d{1,9}): ?", re.ASCII)
OURS: Final = re.compile(rb"(\S+ <-[>]? \d)|(configuration: )", re.ASCII)
FORM: Final = "a line is `<seconds>: <frame>` or `<URL> -> <seconds>: <body>`"


class Heard(NamedTuple):
    """A frame of a socket, or the answer to a request (`url`), and where it stands."""

    received: Nanos
    where: str
    url: str
    body: bytes
    error: BadInput | None = None


def heard(path: Path, venue: str, advance: Advance = silent) -> Iterator[Iterator[Heard]]:
    """The lines of every file in `path` that holds what `venue` said, file by file."""
    for name, body in _files(existing(path), venue, advance):
        yield _lines(name, body)


def _files(path: Path, venue: str, advance: Advance) -> Iterator[tuple[str, bytes]]:
    """Names and contents."""
    if not tarfile.is_tarfile(path):
        try:
            yield path.name, b"".join(blocks(path, advance))
        except CUT_OFF as error:
            raise BadInput(
                f"the compressed data end too early: {error}",
                where=str(path),
                remedy="fetch the file again",
            ) from error
        return
    with tarfile.open(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if name.startswith(f"{venue}.") and (file := archive.extractfile(member)):
                yield name, file.read()
    advance(path.stat().st_size)


def _lines(name: str, body: bytes) -> Iterator[Heard]:
    """What was heard, in the file's order; our own doings are passed over."""
    for number, line in enumerate(body.splitlines(), start=1):
        where = f"{name}:{number}"
        if found := HEARD.match(line):
            yield Heard(_nanos(found[1], found[2]), where, "", line[found.end() :])
        elif found := ANSWERED.match(line):
            received = _nanos(found[2], found[3])
            yield Heard(received, where, found[1].decode(), line[found.end() :])
        elif line and not OURS.match(line):
            error = MalformedLine("the line is of no known kind", where=where, remedy=FORM)
            yield Heard(Nanos(0), where, "", b"", error)


def _nanos(seconds: bytes, fraction: bytes) -> Nanos:
    return Nanos(int(seconds + fraction.ljust(9, b"0")))
