"""Moments in UTC as venues write them, `2023-10-06T17:35:55.440295Z`, to the nanosecond."""

from datetime import UTC, datetime, timedelta
from typing import Final

from mm.errors import MalformedLine
from mm.events.units import MICROS, SECONDS, Nanos

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_CHARS: Final = 16
_minutes: Final[dict[str, int]] = {}


def nanos(text: str) -> Nanos:
    """A moment with none to nine digits of a second; raises `MalformedLine`."""
    fraction = text[20:-1]
    plain = text[17:19] + fraction
    if text[-1:] != "Z" or text[16:17] != ":" or not (plain.isascii() and plain.isdigit()):
        raise _no_moment(text)
    minute = _minutes.get(text[:MINUTE_CHARS])
    if minute is None:
        minute = _minute(text)
    return Nanos(minute + int(text[17:19]) * SECONDS + int(fraction.ljust(9, "0")))


def _minute(text: str) -> int:
    """The minute that a moment lies in; the last one is remembered."""
    try:
        minute = datetime.fromisoformat(text[:MINUTE_CHARS]).replace(tzinfo=UTC)
    except ValueError as error:
        raise _no_moment(text) from error
    _minutes.clear()
    _minutes[text[:MINUTE_CHARS]] = (minute - EPOCH) // timedelta(microseconds=1) * MICROS
    return _minutes[text[:MINUTE_CHARS]]


def _no_moment(text: str) -> MalformedLine:
    return MalformedLine(
        f"{text[:40]!r} is no moment in UTC", remedy="compare the frame with what is documented"
    )
