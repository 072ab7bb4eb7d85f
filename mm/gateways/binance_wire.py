"""Binance's market-data frames as they stand on the wire, spot and USD-M futures.

Only fields that are read are named, under the venue's own names. Numbers that come as texts stay
texts here; every integer is bounded, so that nothing past 64 bits gets further than this file.
"""

from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import msgspec

from mm.errors import MalformedLine
from mm.events.units import INT64_MAX

Millis = Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800_000)]
"""Milliseconds since 1970, up to the year 2100."""
UpdateId = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
COMPARE: Final = "compare the line with the capture that it comes from"
Rows = list[tuple[str, str]]


class Frame(msgspec.Struct, gc=False):
    """A frame of a combined stream; a REST snapshot has no `stream` at all."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()


class Depth(msgspec.Struct, gc=False):
    """`depthUpdate`: absolute sizes of changed levels; `pu` and `T` on futures only."""

    E: Millis
    s: Text
    U: UpdateId
    u: UpdateId
    b: Rows
    a: Rows
    T: Millis = 0
    pu: UpdateId | None = None


class Snapshot(msgspec.Struct, gc=False):
    """The REST depth snapshot; times on futures only."""

    lastUpdateId: UpdateId  # noqa: N815  The venue's own name.
    bids: Rows
    asks: Rows
    E: Millis = 0
    T: Millis = 0


class Ticker(msgspec.Struct, gc=False):
    """`bookTicker`; event name and times on futures only."""

    u: UpdateId
    s: Text
    b: str
    B: str
    a: str
    A: str
    e: str | None = None
    E: Millis = 0
    T: Millis = 0


class Trade(msgspec.Struct, gc=False):
    """`trade`; `m` says that the buyer was the maker, `X` (futures) what kind of trade it was."""

    E: Millis
    T: Millis
    s: Text
    t: UpdateId
    p: str
    q: str
    m: bool
    X: str | None = None


class Mark(msgspec.Struct, gc=False):
    """`markPriceUpdate`: mark `p`, index `i`, funding rate `r` due at `T`."""

    E: Millis
    s: Text
    p: str
    i: str
    r: str
    T: Millis


T = TypeVar("T")


def reader(kind: type[T]) -> Callable[[bytes | msgspec.Raw], T]:
    """A function that decodes one `kind` and raises one of `UNREADABLE` on anything else."""
    return msgspec.json.Decoder(kind).decode


UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def unreadable(error: Exception) -> MalformedLine:
    """The error that a frame which cannot be decoded is reported as."""
    return MalformedLine(f"the frame cannot be read: {error}", remedy=COMPARE)
