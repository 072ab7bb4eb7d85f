"""What SQL leaves to the engine's own folds: tables made only for questions that need them.

The code that folds is imported with the first such question, for it brings the compiled kernels
along, which take longer to load than most questions to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa

from mm.log.archive import Archive

TOP: Final = pa.schema(
    [
        (name, pa.int64())
        for name in ("seq", "turn", "time", "instrument", "bid", "bid_size", "ask", "ask_size")
    ]
)
"""Best bid and offer where no quotes say it: a row for each change, size 0 where there is none."""
ORDERS: Final = pa.schema(
    [
        ("order_id", pa.string()),
        ("status", pa.string()),
        ("price", pa.int64()),
        ("size", pa.int64()),
        ("filled", pa.int64()),
        ("closed_seq", pa.int64()),
        ("closed_time", pa.int64()),
    ]
)
"""What became of each order, and the event that closed it."""
Fold = Callable[[Archive], pa.Table]


def _book_top(archive: Archive) -> pa.Table:
    from mm.analytics.book_top import book_top  # noqa: PLC0415  See above.

    return book_top(archive)


def _order_fold(archive: Archive) -> pa.Table:
    from mm.analytics.order_fold import order_fold  # noqa: PLC0415  See above.

    return order_fold(archive)


FOLDS: Final[Mapping[str, tuple[Fold, pa.Schema]]] = {
    "_book_top": (_book_top, TOP),
    "_order_fold": (_order_fold, ORDERS),
}
"""Table, how it is made, and its columns."""


def joined(archives: Mapping[str, Archive], fold: Fold, schema: pa.Schema) -> pa.Table:
    """One table of all archives, each row with the name of its own."""
    tables = [schema.append(pa.field("archive", pa.string())).empty_table()]
    for name, archive in archives.items():
        table = fold(archive)
        tables.append(table.append_column("archive", pa.array([name] * len(table), pa.string())))
    return pa.concat_tables(tables)
