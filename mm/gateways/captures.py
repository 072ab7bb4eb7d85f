"""Lines of a capture file: plain or gzip of any number of members, each with its receive time.

A line is `<receive time> <payload>`; the number of digits tells the time's unit. A line without a
time, with one that runs back or one far ahead of its successor's is handed out as an error among
the good ones, and so is a file that ends in the middle: nothing is dropped silently.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from mm.errors import BadInput, MalformedLine
from mm.events.units import Nanos
from mm.gateways.compressed import CUT_OFF, Advance, blocks, existing, silent

LINE_BYTES_MAX: Final = 1 << 24
AHEAD_MAX: Final = 60_000_000_000
"""A line this many nanoseconds later than the next one has itself a damaged time."""
UNITS: Final = {10: 1_000_000_000, 13: 1_000_000, 16: 1_000, 19: 1}
"""Nanoseconds in the unit of a time, by its number of digits."""


class Line(NamedTuple):
    """A line with its receive time; `error` says why it cannot be used. Ordered by time."""

    received: Nanos
    source: int
    number: int
    payload: bytes
    error: BadInput | None = None


class CaptureFile:
    """One capture file, read once from start to end."""

    def __init__(self, path: Path, source: int, advance: Advance = silent) -> None:
        """Read `path`; `source` breaks ties of time between files, `advance` hears of bytes."""
        self.path = existing(path)
        self._source = source
        self._advance = advance
        self._last = Nanos(0)

    def lines(self) -> Iterator[Line]:
        """Every line in the file's order; the times of those without fault never run back."""
        held: Line | None = None
        for number, text in enumerate(self._texts(), start=1):
            line = text if isinstance(text, Line) else self._timed(number, text)
            if line.error is not None:
                yield line
            elif held is None:
                held = line
            elif line.received >= held.received:
                self._last = held.received
                yield held
                held = line
            else:
                wrong, held = self._judge(held, line)
                yield wrong
        if held is not None:
            yield held

    def _judge(self, held: Line, line: Line) -> tuple[Line, Line]:
        """Which of two lines in the wrong order has the damaged time; it comes first."""
        if held.received - line.received > AHEAD_MAX and line.received >= self._last:
            return self._wrong(
                held.number, "the receive time is far ahead of the next line's"
            ), line
        return self._wrong(line.number, "the receive time runs back"), held

    def _timed(self, number: int, text: bytes) -> Line:
        time, _, payload = text.partition(b" ")
        unit = UNITS.get(len(time)) if time.isdigit() else None
        if unit is None:
            return self._wrong(number, "the line does not begin with a receive time")
        return Line(Nanos(int(time) * unit), self._source, number, payload)

    def _wrong(self, number: int, what: str) -> Line:
        error = MalformedLine(
            what,
            where=f"{self.path.name}:{number}",
            remedy="a line is `<receive time in s, ms, us or ns> <JSON>`, in order of time",
        )
        return Line(self._last, self._source, number, b"", error)

    def _texts(self) -> Iterator[bytes | Line]:
        """Lines without their ends; a `Line` where there is an error in place of one."""
        rest, number, skipping = b"", 0, False
        try:
            for block in blocks(self.path, self._advance):
                *texts, rest = (rest + block).split(b"\n")
                if skipping and texts:
                    texts, skipping = texts[1:], False
                yield from texts
                number += len(texts)
                if len(rest) > LINE_BYTES_MAX:
                    if not skipping:
                        number += 1
                        yield self._wrong(number, f"a line of more than {LINE_BYTES_MAX} bytes")
                    rest, skipping = b"", True
        except CUT_OFF as error:
            yield self._wrong(number + 1, f"the compressed data ends here: {error}")
            return
        if rest and not skipping:
            yield rest
