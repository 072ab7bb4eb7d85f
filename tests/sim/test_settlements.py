"""Funding of a compiled run: when it is settled, and for which instrument."""

from decimal import Decimal
from typing import Any, Final

import numpy as np

from mm.events.units import Nanos
from mm.log.row_tables import Rate, Tables
from mm.log.rows import ROW, Kind, Rows
from mm.sim.settlements import Settlement, Settlements
from tests import build

DUE: Final = Nanos(50)
RATE: Final = Decimal("0.0001")
TABLES: Final = Tables(
    instruments=[build.instrument(), build.instrument(symbol="ETHUSDT")],
    marks=[Decimal(100), Decimal(7)],
    rates=[Rate(RATE, DUE)],
)


def rows(*told: tuple[int, Kind, int, int]) -> Rows:
    """Rows of (time, kind, entry or price, instrument)."""
    return np.array([(at, at, price, 1, ins, kind, 3, 0) for at, kind, price, ins in told], ROW)


MARKED: Final = (
    (10, Kind.MARK, 0, 0),
    (10, Kind.MARK, 1, 1),
    (20, Kind.FUNDING, 0, 0),
    (20, Kind.FUNDING, 0, 1),
)


def found(*blocks: Rows) -> list[Settlement]:
    """What is settled in these blocks."""
    funding = Settlements(TABLES)
    for block in blocks:
        funding.watch(block)
    return funding.found


def test_an_instrument_settles_at_a_row_of_its_own() -> None:
    """Rows of another instrument tell nothing of this one's time, whatever block they are in."""
    later: Any = ((50, Kind.BID, 5, 1), (60, Kind.BID, 5, 1), (70, Kind.BID, 5, 0))
    expected = [
        Settlement(Nanos(50), 1, RATE, Decimal(7)),
        Settlement(Nanos(70), 0, RATE, Decimal(100)),
    ]
    whole = rows(*MARKED, *later)
    assert sorted(found(whole)) == expected
    assert sorted(found(*(whole[at : at + 1] for at in range(len(whole))))) == expected


def test_nothing_is_settled_before_it_is_due() -> None:
    """A rate whose time never comes is not exchanged."""
    assert found(rows(*MARKED, (49, Kind.BID, 5, 0))) == []
