"""One event, one line: place, time, kind, then what it says, the most telling first.

Fields that say nothing (defaults, empty texts) are left out, times of arrival are told as the
distance from the turn's own time, and the cause comes last. A terminal gets the brief line, cut at
its width; a file or pipe the whole one; `--json` has every field of an event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mm.apps.cli.output import Piece, out, write
from mm.apps.wording import (
    Field,
    Instruments,
    Meaning,
    duration,
    fields,
    human,
    instrument_of,
    utc,
)
from mm.events.base import MarketEvent
from mm.events.turn import Record
from mm.events.vocabulary import INTENTS, tag_of

SIDES: Final = {"BUY": "green", "SELL": "red"}
ALARMS: Final = frozenset(
    {
        *("order.rejected", "amend.rejected", "cancel.rejected", "order.uncertain"),
        *("order.foreign", "intent.refused", "adjusted", "trading.halted", "engine.faulted"),
        *("feed.down", "feed.gap", "feed.stale", "clock.stepped"),
    }
)
"""What an operator wants to see at a glance."""
LEVELS_SHOWN_MAX: Final = 2
TEXT_SHOWN_MAX: Final = 100
NEAR: Final = 3_600 * 10**9
DISTANCES: Final = frozenset({"received", "venue_time", "sent", "deadline"})
"""Times that are told as the distance from the turn, unless it is larger than `NEAR`."""
MILLISECONDS_END: Final = len("2026-01-01 00:00:00.000")
IDS: Final = ("fill_id", "venue_order_id")
OWNERS: Final = ("strategy", "wallet")
TOLD: Final = frozenset({"instrument", "side", "aggressor", "order_id", "cause"})
"""Fields that have a place of their own in the line."""


class Printer:
    """Prints events, one a line; on a terminal briefly, with a line for each new day."""

    def __init__(self, instruments: Instruments) -> None:
        """Print events of these instruments, of which more may become known."""
        self._instruments = instruments
        self._brief = out.is_terminal
        self._day = ""

    def tell(self, record: Record) -> None:
        """Print one event."""
        day = utc(record.at).partition(" ")[0]
        if self._brief and day != self._day:
            write([(f"{day} (UTC)", "dim")])
            self._day = day
        write(line(record, self._instruments, brief=self._brief))


def line(record: Record, instruments: Instruments, *, brief: bool = False) -> list[Piece]:
    """The line of one event, in pieces that follow each other.

    A brief one has no date, turn or venue, and nothing that the order id says already.
    """
    tag = tag_of(type(record.event))
    place, at = f"#{record.number}", utc(record.at)
    if brief:
        begin = f"{place:>8} {at[11:MILLISECONDS_END]} "
    else:
        turn = f"{record.turn}.{record.index}"
        begin = f"{place:>9}  {turn:<10} {at}  "
    pieces = [(begin, "dim"), (f"{tag:<16}" if brief else f"{tag:<18}", _style(record, tag))]
    for words, style in _body(record, instruments, brief=brief):
        pieces += [(" ", ""), (words, style)]
    return pieces


def _repeated(values: dict[str, Any]) -> set[str]:
    """Fields that the order id tells: who sent it, and ids that are made of it."""
    order_id = str(values.get("order_id") or "")
    made = {name for name in IDS if order_id and order_id in str(values.get(name))}
    return made | {name for name in OWNERS if str(values.get(name)) in order_id.split("_")[:2]}


def _style(record: Record, tag: str) -> str:
    if tag in ALARMS:
        return "bold red"
    if tag == "order.filled":
        return "bold magenta"
    if isinstance(record.event, INTENTS):
        return "cyan"
    return "dim" if isinstance(record.event, MarketEvent) else "yellow"


def _body(record: Record, instruments: Instruments, *, brief: bool) -> Iterator[Piece]:
    event, instrument = record.event, instrument_of(record, instruments)
    values, about = human(event, instrument), fields(type(event))
    if "instrument" in values:
        name = values["instrument"]
        yield (name.rpartition(":")[2] if brief else name), "bold"
    side = values.get("side") or values.get("aggressor")
    if side:
        yield side, SIDES[side]
    told = set(TOLD) | (_repeated(values) if brief else set())
    yield from _amounts(about, values, told)
    if order_id := values.get("order_id"):
        yield order_id, "blue"
    rest = [each for each in about if each.name not in told]
    for field in rest:
        if field.name not in DISTANCES and getattr(event, field.name) != field.default:
            yield from _field(field, values[field.name])
    for field in rest:
        if field.name in DISTANCES and (at := getattr(event, field.name)):
            yield from _distance(field.name, at, record.at)
    if cause := values.get("cause"):
        yield f"because of #{cause}", "dim"


def _amounts(about: tuple[Field, ...], values: dict[str, Any], told: set[str]) -> Iterator[Piece]:
    """Prices beside their sizes: `0.010 @ 26999.9`, `bid 0.010 @ 26999.9`."""
    for field in about:
        amount = "size" if field.name == "price" else f"{field.name}_size"
        if field.meaning is Meaning.PRICE and amount in values:
            label = "" if field.name == "price" else f"{field.name} "
            yield f"{label}{values[amount]} @ {values[field.name]}", "bold"
            told |= {field.name, amount}


def _field(field: Field, value: Any) -> Iterator[Piece]:
    if value is None or value == "":
        return
    if field.meaning is Meaning.LEVELS:
        yield _levels(field.name, value), ""
    elif isinstance(value, bool):
        yield (field.name if value else f"no {field.name}"), ""
    else:
        yield f"{field.name}={_short(str(value))}", ""


def _distance(name: str, at: int, turn_at: int) -> Iterator[Piece]:
    """How long before or after the turn; nothing where it is the same moment."""
    distance, label = at - turn_at, name.removesuffix("_time")
    if abs(distance) >= NEAR:
        yield f"{label} {utc(at)}", "dim"
    elif distance:
        yield f"{label} {'+' if distance > 0 else ''}{duration(distance)}", "dim"


def _levels(name: str, levels: list[list[str]]) -> str:
    shown = ", ".join(f"{size} @ {price}" for price, size in levels[:LEVELS_SHOWN_MAX])
    more = len(levels) - LEVELS_SHOWN_MAX
    rest = f", {more:,} more" if more > 0 else ""
    return f"{name}[{shown}{rest}]" if levels else f"{name}[]"


def _short(text: str) -> str:
    if len(text) > TEXT_SHOWN_MAX:
        text = f"{text[:TEXT_SHOWN_MAX]}… ({len(text):,} characters)"
    return f"'{text}'" if " " in text or "\n" in text else text
