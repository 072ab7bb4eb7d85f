"""Rows drawn at random, as any file may hold them."""

from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from mm.events.units import InstrumentId
from mm.log.row_file import words_of
from mm.log.row_tables import Tables
from mm.log.rows import ROW, Flag, Kind, Rows
from tests import build

ETH: Final = InstrumentId(7)
PLAIN: Final = (Kind.NOTE, Kind.BID, Kind.ASK, Kind.QUOTE_BID, Kind.CLEAR, Kind.SETTLED, Kind.LOST)


def tables() -> Tables:
    """Two instruments and nothing else."""
    return Tables(instruments=[build.instrument(), build.instrument(instrument=ETH, symbol="ETH")])


def row(at: int = 10, venue: int = 9, kind: int = Kind.BID, **values: int) -> tuple[Any, ...]:
    """One row, which ends its event and its turn."""
    plain = {"price": 100, "size": 5, "instrument": 0, "flags": Flag.EVENT | Flag.TURN} | values
    names = ("price", "size", "instrument")
    return (at, venue, *(plain[name] for name in names), kind, plain["flags"], 0)


def rows(*given: tuple[Any, ...]) -> Rows:
    """Rows as an array."""
    return np.array(list(given), ROW)


def same(left: Rows, right: Rows) -> bool:
    """Whether two arrays hold the same rows."""
    return np.array_equal(words_of(left), words_of(right))


def joined(blocks: Any) -> Rows:
    """Blocks one after another."""
    parts = list(blocks)
    whole = np.concatenate([words_of(part) for part in parts]) if parts else np.empty(0, np.int64)
    return whole.reshape(-1).view(ROW)


numbers: Final = st.integers(0, 100) | st.integers(0, 2**33) | st.sampled_from([2**31 - 1, 2**62])


@st.composite
def many(draw: Any, most: int = 60) -> Rows:
    """Turns of some rows, times that stand still or step, values narrow or wide."""
    value = draw(st.sampled_from([st.integers(0, 9), numbers]))
    turns = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=most // 4))
    made, at, venue = [], 2**40, 0
    for step, count in turns:
        at += step
        for place in range(count):
            venue = max(venue, at - draw(value) % 2**40)
            last = place == count - 1
            kind = draw(st.sampled_from(PLAIN))
            flags = Flag.EVENT | (Flag.TURN if last else 0)
            wide = {
                "price": draw(value),
                "size": draw(value),
                "instrument": draw(st.integers(0, 1)),
            }
            made.append(row(at, venue, kind, flags=flags, **wide))
    return rows(*made)
