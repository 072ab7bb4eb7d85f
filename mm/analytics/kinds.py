"""The view of each kind of event: what its fields measure decides what columns they become.

A price is shown in quote units and in ticks, a size in base units (or contracts) and in lots, a
moment as a timestamp and in nanoseconds. Types of fields come from the structs, so that a new kind
has its view without a line here. Names that SQL reserves are changed, and the tag `position`, which
is the name of a view that people ask more often.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final, get_type_hints

import numpy as np
import pyarrow as pa

from mm.analytics.statements import sections, statement
from mm.events.base import Body
from mm.events.units import InstrumentId, Levels, Lots, Nanos, Side, Ticks
from mm.events.vocabulary import KINDS
from mm.log.archive import Archive
from mm.log.columns import PLACE, file_name, table_of

MEASURES: Final[Mapping[Any, str]] = {
    Ticks: "ticks",
    Lots: "lots",
    Nanos: "moment",
    InstrumentId: "instrument",
    Side: "side",
    Decimal: "decimal",
    Levels: "levels",
}
COUNTS: Final = pa.schema([("view", pa.string()), ("kind", pa.string()), ("rows", pa.int64())])
DURATIONS: Final = frozenset({"age", "interval", "offset", "funding_interval"})
"""Fields in nanoseconds that are no moment."""
RESERVED: Final = {"limit": "limit_value", "where": "raised_where", "symbol": "venue_symbol"}
VIEWS: Final = {tag: file_name(tag) for tag in KINDS} | {"position": "position_reported"}


@cache
def schema(tag: str) -> pa.Schema:
    """The columns of a kind in today's files."""
    nowhere = dict.fromkeys(PLACE, np.zeros(0, np.int64))
    return table_of(KINDS[tag], nowhere, []).schema


def source(tag: str) -> str:
    """The name of the table that holds a kind's rows as they are in the files."""
    return f"_{file_name(tag)}"


def view(tag: str) -> str:
    """The statement that creates the view of a kind."""
    measures = _measures(KINDS[tag])
    templates = sections("columns")
    columns = [
        templates[measure].format(name=name, out=RESERVED.get(name, name))
        for name, measure in measures.items()
    ]
    return statement("event").format(
        view=VIEWS[tag],
        columns=",\n    ".join(columns),
        source=source(tag),
        step=templates["join"] if "instrument" in measures.values() else "",
    )


def _measures(kind: type[Body]) -> dict[str, str]:
    hints = get_type_hints(kind)
    return {name: _measure(name, hints[name]) for name in kind.__struct_fields__}


def _measure(name: str, hint: Any) -> str:  # A type, or one of our NewTypes.
    return "duration" if name in DURATIONS else MEASURES.get(hint, "plain")


def counts(archive: Archive) -> pa.Table:
    """How many rows of each kind there are, and the view that shows them."""
    rows = archive.manifest.rows
    names = [VIEWS.get(tag, tag) for tag in rows]
    return pa.table({"view": names, "kind": list(rows), "rows": list(rows.values())}, schema=COUNTS)
