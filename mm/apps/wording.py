"""Events in human units: prices, sizes, times and names, by the instrument as it was defined then.

What a field means is read from its type, so that an event added to the vocabulary is shown without
a line of code here. Raw values stay as they are on the log; the human ones are exact decimals, UTC
times and names, never floats. A price of an instrument that nobody defined stays in ticks, and says
so.
"""

from __future__ import annotations

import bisect
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, auto
from functools import cache
from operator import itemgetter
from typing import Any, Final

import msgspec

from mm.events.base import Body
from mm.events.instrument import InstrumentDefined
from mm.events.orders import IntentRefused, Rule
from mm.events.turn import Record
from mm.events.units import InstrumentId, Levels, Lots, Nanos, Seq, Side, Ticks, TurnNumber
from mm.events.vocabulary import Event, tag_of

DURATIONS: Final = frozenset({"age", "interval", "funding_interval", "offset"})
"""Fields in nanoseconds that are no point in time."""
UNITS: Final = (
    (86_400 * 10**9, "d"),
    (3_600 * 10**9, "h"),
    (60 * 10**9, "m"),
    (10**9, "s"),
    (10**6, "ms"),
    (10**3, "µs"),
)
SPOKEN: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
SPOKEN_FROM: Final = 10


class Meaning(Enum):
    """What the integer or value of a field stands for."""

    PRICE = auto()
    SIZE = auto()
    TIME = auto()
    DURATION = auto()
    CAUSE = auto()
    INSTRUMENT = auto()
    SIDE = auto()
    LEVELS = auto()
    PLAIN = auto()


class Field(msgspec.Struct, frozen=True):
    """A field of a kind of event: its meaning, and the value it has when nothing was said."""

    name: str
    meaning: Meaning
    default: Any


_BY_TYPE: Final[dict[Any, Meaning]] = {
    Ticks: Meaning.PRICE,
    Lots: Meaning.SIZE,
    Nanos: Meaning.TIME,
    Seq: Meaning.CAUSE,
    InstrumentId: Meaning.INSTRUMENT,
    Side: Meaning.SIDE,
    Levels: Meaning.LEVELS,
}


@cache
def fields(kind: type[Body]) -> tuple[Field, ...]:
    """The fields of a kind, in the order of the log."""
    return tuple(
        Field(each.name, _meaning(each.name, each.type), each.default)
        for each in msgspec.structs.fields(kind)
    )


def _meaning(name: str, annotation: Any) -> Meaning:
    if name in DURATIONS:
        return Meaning.DURATION
    return _BY_TYPE.get(annotation, Meaning.PLAIN)


class Instruments:
    """Every definition on a log, and which of them held at an event."""

    def __init__(self) -> None:
        """Start without any."""
        self._defined: dict[InstrumentId, list[tuple[Seq, InstrumentDefined]]] = {}

    def define(self, number: Seq, instrument: InstrumentDefined) -> None:
        """Take a definition that stands at event `number`; in order, and again is harmless."""
        revisions = self._defined.setdefault(instrument.instrument, [])
        if not revisions or number > revisions[-1][0]:
            revisions.append((number, instrument))

    def at(self, instrument: InstrumentId, number: Seq) -> InstrumentDefined | None:
        """The definition that held at event `number`; the first one before it was made."""
        revisions = self._defined.get(instrument)
        if not revisions:
            return None
        place = bisect.bisect_right(revisions, number, key=itemgetter(0))
        return revisions[max(0, place - 1)][1]

    def names(self) -> list[str]:
        """The `venue:symbol` of every instrument, each once."""
        found = [each.name for revisions in self._defined.values() for _, each in revisions]
        return list(dict.fromkeys(found))


def instrument_of(record: Record, instruments: Instruments) -> InstrumentDefined | None:
    """The instrument that an event is about, as it was then; None where it is about none."""
    event = record.event
    if isinstance(event, InstrumentDefined):
        return event
    number = getattr(event, "instrument", None)
    return None if number is None else instruments.at(number, record.number)


def human(event: Event, instrument: InstrumentDefined | None) -> dict[str, Any]:
    """Every field in human units, ready for JSON."""
    found = {
        field.name: worded(field, getattr(event, field.name), instrument)
        for field in fields(type(event))
    }
    if isinstance(event, IntentRefused) and instrument is not None:
        found["limit"] = bound(event.rule, event.limit, instrument)
        found["value"] = bound(event.rule, event.value, instrument)
    return found


def bound(rule: Rule, text: str, instrument: InstrumentDefined) -> str:
    """What a risk rule compared: it counts in lots and ticks, people in sizes and prices."""
    words, _, last = text.rpartition(" ")
    if not last.lstrip("-").isdigit():
        return text
    if rule in (Rule.ORDER_SIZE, Rule.POSITION):
        return size(int(text), instrument)
    if rule is Rule.OWN_CROSS:
        return f"{words} {price(int(last), instrument)}".strip()
    return text


def raw(event: Event) -> dict[str, Any]:
    """Every field as it stands on the log."""
    return msgspec.structs.asdict(event)


def worded(field: Field, value: Any, instrument: InstrumentDefined | None) -> Any:
    """One value in human units; None where the venue said nothing."""
    match field.meaning:
        case Meaning.PRICE:
            return price(value, instrument)
        case Meaning.SIZE:
            return None if value < 0 and field.default == value else size(value, instrument)
        case Meaning.TIME:
            return iso(value) if value else None
        case Meaning.DURATION:
            return duration(value)
        case Meaning.INSTRUMENT:
            return instrument.name if instrument is not None else f"instrument {value}"
        case Meaning.SIDE:
            return value.name
        case Meaning.LEVELS:
            pairs = zip(value[::2], value[1::2], strict=True)
            return [[price(each, instrument), size(lots, instrument)] for each, lots in pairs]
        case _:
            return plain(value)


def plain(value: Any) -> Any:
    """A value without a unit: decimals as they were written, never with an exponent."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.value if isinstance(value, Enum) else value


def price(ticks: int, instrument: InstrumentDefined | None) -> str:
    """A number of ticks as a price."""
    return f"{instrument.price(ticks):f}" if instrument is not None else f"{ticks} ticks"


def size(lots: int, instrument: InstrumentDefined | None) -> str:
    """A number of lots as a size."""
    return f"{instrument.size(lots):f}" if instrument is not None else f"{lots} lots"


def utc(at: int) -> str:
    """A time in UTC with microseconds; one that no calendar has stays in nanoseconds."""
    try:
        whole = datetime.fromtimestamp(at // 10**9, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{at} ns"
    return f"{whole:%Y-%m-%d %H:%M:%S}.{at % 10**9 // 1000:06}"


def iso(at: int) -> str:
    """A time as programs read it."""
    text = utc(at)
    return text if text.endswith("ns") else f"{text.replace(' ', 'T')}Z"


def duration(nanos: int) -> str:
    """A span of time in its largest fitting unit."""
    for unit, name in UNITS:
        if abs(nanos) >= unit:
            return f"{nanos / unit:.4g}{name}"
    return f"{nanos}ns"


def span(seconds: float) -> str:
    """A span of time as it is spoken of: `1 min 26 s`, in its two largest units."""
    if seconds < SPOKEN_FROM:
        return f"{seconds:.3g} s"
    left, words = round(seconds), []
    for unit, name in SPOKEN:
        if left >= unit:
            words.append(f"{left // unit} {name}")
        left %= unit
    return " ".join(words[:2])


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A record for programs: its place, its kind, and its fields raw and human."""

    number: Seq
    turn: TurnNumber
    index: int
    at: Nanos
    time: str
    kind: str
    raw: dict[str, Any]
    human: dict[str, Any]


def described(record: Record, instruments: Instruments) -> Described:
    """A record as one value for programs."""
    event = record.event
    return Described(
        number=record.number,
        turn=record.turn,
        index=record.index,
        at=record.at,
        time=iso(record.at),
        kind=tag_of(type(event)),
        raw=raw(event),
        human=human(event, instrument_of(record, instruments)),
    )
