"""All folds together: events in, every fold that cares moved, one digest out.

The table from event type to handlers is built once; `hear` is the loop that every event of every
log goes through, live and replayed. A fill that was told before is counted and kept from every
fold, so that each of them may add without looking.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mm.events.base import Body
from mm.events.orders import OrderFilled
from mm.events.units import Nanos, Seq
from mm.events.vocabulary import Event
from mm.projections.balances import Balances
from mm.projections.base import Handler, Projection, digest
from mm.projections.book import Books
from mm.projections.health import Health
from mm.projections.latency import Latency
from mm.projections.ledger import Ledger
from mm.projections.orders import Orders

Table = dict[type[Body], tuple[Handler, ...]]
"""By type of event: the handlers that hear of it, in their order."""


class State:
    """What is known after the last event."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.books = Books()
        self.orders = Orders()
        self.ledger = Ledger()
        self.balances = Balances()
        self.health = Health()
        self.latency = Latency()
        self.events = Seq(0)
        self.routes = self._table()

    @property
    def folds(self) -> tuple[Projection, ...]:
        """Every fold, in the order in which they see an event."""
        return (
            self.orders,
            self.ledger,
            self.books,
            self.balances,
            self.health,
            self.latency,
        )

    def _table(self) -> Table:
        table: Table = {}
        for projection in self.folds:
            table = joined(table, projection.routes())
        self._fill_handlers = table[OrderFilled]
        return {**table, OrderFilled: (self._filled,)}

    def hear(
        self, events: Iterable[Event], first: Seq, at: Nanos, routes: Table | None = None
    ) -> None:
        """Move every fold that the events concern; `first` is the number of the first one.

        `routes` may add handlers to those of the folds. While one runs, and after one has raised,
        `events` is the number of the event that it was given.
        """
        number, handlers_of = first, (routes or self.routes).get
        for event in events:
            self.events = number
            for handler in handlers_of(type(event), _NONE):
                handler(event, at)
            number += 1  # type: ignore[assignment]

    def _filled(self, event: OrderFilled, at: Nanos) -> None:
        if self.ledger.is_repeated(event):
            self.ledger.duplicates += 1
            return
        for handler in self._fill_handlers:
            handler(event, at)

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


def joined(table: Table, routes: Mapping[type[Body], Handler]) -> Table:
    """A table with more handlers, which come after those that are there."""
    more = {kind: (*table.get(kind, ()), handler) for kind, handler in routes.items()}
    return {**table, **more}


def combined(digests: dict[str, str]) -> str:
    """One digest over named ones, independent of their order."""
    joined = "\n".join(f"{name} {digests[name]}" for name in sorted(digests))
    return hashlib.sha256(joined.encode()).hexdigest()
