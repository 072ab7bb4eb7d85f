"""Writes `docs/events.md`: every kind of event with its fields and their units.

All of it comes from the structs: tags, docstrings, annotations, defaults. The page is never edited
by hand; run `.venv/bin/python docs/make_events.py` after a change of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import Enum, IntEnum
from inspect import getdoc
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import msgspec

from mm.analytics.kinds import DURATIONS
from mm.events import vocabulary
from mm.events.base import Body
from mm.events.units import InstrumentId, Levels, Lots, Nanos, OrderId, Seq, Side, Ticks

PAGE: Final = Path(__file__).with_name("events.md")
UNITS: Final[dict[Any, str]] = {
    Ticks: "ticks",
    Lots: "lots",
    Nanos: "ns",
    Seq: "event number",
    InstrumentId: "instrument id",
    OrderId: "order id",
    Levels: "levels",
    Side: "side",
    Decimal: "decimal",
    int: "integer",
    str: "text",
    bool: "true or false",
}
SECTIONS: Final = (
    ("Market facts", vocabulary.Market),
    ("Order facts", vocabulary.OrderFact),
    ("Account facts", vocabulary.AccountFact),
    ("Session and control facts", vocabulary.ControlFact),
    ("What a venue does to us", vocabulary.VenueFact),
    ("Decisions: intents", vocabulary.Intent),
    ("Decisions: the rest", vocabulary.Decision),
)
HEAD: Final = """\
# Events

Every kind of event that may stand on a log. This page is made by `docs/make_events.py` from the
structs in `mm/events/`; `make test` compares the two.

An event is stored as a MessagePack array: its tag, then its fields in the order shown here. A tag
is never renamed or reused; a field is only added, at the end, with a default and under a new
version. The version stands in every turn. A reader ignores what is surplus in an array, so that
within one version a new field would be lost on an older mm without a word; a turn of a later
version it refuses (`NewerVersion`). `tests/golden/fields.json` pins the fields of each version.

Facts are what was heard, decisions what the engine concluded. A turn that holds nothing but market
facts and timers stands under the market subject, every other turn under the orders subject (see
[the log](log.md)).

| unit | on the log |
|---|---|
| ticks | price as a whole number of `tick_size` of the instrument |
| lots | size as a whole number of `lot_size` of the instrument |
| ns | a moment in UTC nanoseconds since 1970; 0: nobody stamped it |
| ns long | a duration in nanoseconds |
| levels | price, size, price, size … in ticks and lots; size 0 removes the level |
| side | +1 buy, -1 sell |
| decimal | an exact decimal, as text |
| event number | the place of another event on the same log; 0: none |
| instrument id | a small integer, given by `instrument.defined` |
| a name such as `Rule` | one of the [values](#values) at the end, as text |

A field followed by `=` has that default.
"""


def page() -> str:
    """The whole page."""
    shown: set[type[Body]] = set()
    parts = [HEAD]
    for title, union in SECTIONS:
        kinds = get_args(union)
        again = [f"`{tag(kind)}`" for kind in kinds if kind in shown and not _is_intent(kind)]
        rows = [_row(kind) for kind in kinds if kind not in shown]
        shown |= set(kinds)
        note = (
            f"\n{' and '.join(again)}, a fact when commanded, may be a decision, too.\n"
            if again
            else ""
        )
        parts.append(f"## {title}\n{note}\n{_table(('tag', 'meaning', 'fields'), rows)}")
    parts.append(f"## Values\n\n{_table(('name', 'meaning', 'values'), map(_values, enums()))}")
    return "\n".join(parts)


def tag(kind: type[Body]) -> str:
    """The name on the log."""
    return vocabulary.tag_of(kind)


def enums() -> list[type[Enum]]:
    """Every closed list of names that a field may hold, in the order of first use."""
    found: dict[type[Enum], None] = {}
    for kind in vocabulary.KINDS.values():
        for hint in get_type_hints(kind).values():
            if isinstance(hint, type) and issubclass(hint, Enum) and not issubclass(hint, IntEnum):
                found[hint] = None
    return list(found)


def _is_intent(kind: type[Body]) -> bool:
    return kind in vocabulary.INTENTS


def _row(kind: type[Body]) -> tuple[str, str, str]:
    return f"`{tag(kind)}`", _doc(kind), "<br>".join(_fields(kind))


def _fields(kind: type[Body]) -> Iterator[str]:
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        unit = _unit(field.name, hints[field.name])
        default = "" if field.required else f" = {_default(field.default)}"
        yield f"`{field.name}` {unit}{default}"


def _unit(name: str, hint: Any) -> str:
    if name in DURATIONS:
        return "ns long"
    return UNITS.get(hint) or f"`{hint.__name__}`"


def _default(value: Any) -> str:
    plain = value.value if isinstance(value, Enum) else value
    if isinstance(plain, bool):
        return str(plain).lower()
    return str(plain) or "empty"


def _values(kind: type[Enum]) -> tuple[str, str, str]:
    return f"`{kind.__name__}`", _doc(kind), " ".join(f"`{each.value}`" for each in kind)


def _doc(kind: type) -> str:
    """The docstring on one line, with events under the names that they have on the log."""
    words = " ".join((getdoc(kind) or "").split()).replace("|", "\\|")
    for other in vocabulary.KINDS.values():
        words = words.replace(f"`{other.__name__}`", f"`{tag(other)}`")
    return words


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
