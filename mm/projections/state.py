"""All folds together: one record in, every fold that cares moved, one digest out.

The table from event type to handlers is built once. A fill that was told before is counted and
kept from every fold, so that each of them may add without looking.
"""

import hashlib
from typing import Any, Final

from mm.events.base import Body
from mm.events.orders import OrderFilled
from mm.events.turn import Record
from mm.projections.balances import Balances
from mm.projections.base import Handler, Projection, digest
from mm.projections.book import Books
from mm.projections.health import Health
from mm.projections.latency import Latency
from mm.projections.ledger import Ledger
from mm.projections.orders import Orders


class State:
    """What is known after the last record."""

    def __init__(self) -> None:
        """Start before the first record."""
        self.books = Books()
        self.orders = Orders()
        self.ledger = Ledger()
        self.balances = Balances()
        self.health = Health()
        self.latency = Latency()
        self.events = 0
        self._routes = self._table()

    @property
    def folds(self) -> tuple[Projection, ...]:
        """Every fold, in the order in which they see a record."""
        return (
            self.orders,
            self.ledger,
            self.books,
            self.balances,
            self.health,
            self.latency,
        )

    def _table(self) -> dict[type[Body], tuple[Handler, ...]]:
        table: dict[type[Body], tuple[Handler, ...]] = {}
        for projection in self.folds:
            for kind, handler in projection.routes().items():
                table[kind] = (*table.get(kind, ()), handler)
        return table

    def apply(self, record: Record) -> None:
        """Move every fold that the event concerns."""
        event = record.event
        self.events = record.number
        if type(event) is OrderFilled and self.ledger.is_repeated(event):
            self.ledger.duplicates += 1
            return
        for handler in self._routes.get(type(event), _NONE):
            handler(event, record)

    def digests(self) -> dict[str, str]:
        """The digest of each fold."""
        return {projection.name: digest(projection.dump()) for projection in self.folds}

    def dump(self) -> Any:
        """The dump of each fold, by name."""
        return {
            "events": self.events,
            **{projection.name: projection.dump() for projection in self.folds},
        }

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        self.events = dumped["events"]
        for projection in self.folds:
            projection.load(dumped[projection.name])


_NONE: Final[tuple[Handler, ...]] = ()


def combined(digests: dict[str, str]) -> str:
    """One digest over named ones, independent of their order."""
    joined = "\n".join(f"{name} {digests[name]}" for name in sorted(digests))
    return hashlib.sha256(joined.encode()).hexdigest()
