"""The plainest reader of rows: dictionaries, a row at a time, so that it cannot be wrong."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from mm.log.rows import Flag, Kind, Rows
from mm.projections.book import Book

ALL: Final = 1 << 30
DEPTH: Final = (Kind.BID, Kind.ASK, Kind.SETTLED)
Side = list[tuple[int, int]]
Top = tuple[tuple[int, ...], bool]


class PlainBook:
    """One instrument as its rows tell it."""

    def __init__(self) -> None:
        """Start empty."""
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.touch = [0, 0, 0, 0]
        self.usable = self.lost = False

    def take(self, row: Any) -> None:
        """Move by one row."""
        price, size = int(row["price"]), int(row["size"])
        match Kind(int(row["kind"])):
            case Kind.CLEAR:
                self.sides = ({}, {})
            case (Kind.BID | Kind.ASK) as kind:
                self.sides[kind - Kind.BID][price] = size
            case Kind.QUOTE_BID:
                self.usable = True
                self.touch[:2] = price, size
            case Kind.QUOTE_ASK:
                self.touch[2:] = price, size
            case Kind.LOST | Kind.DOWN:
                self.lost, self.usable, self.sides = True, False, ({}, {})
            case Kind.RESYNCED:
                self.lost = False

        if row["kind"] in DEPTH and row["flags"] & Flag.EVENT:
            self.usable = True
            if not row["flags"] & Flag.QUOTE_LEADS:
                self.touch = [*self.best(0), *self.best(1)]

    def best(self, side: int) -> tuple[int, int]:
        """The best level, zeros without one."""
        found = [price for price, size in self.sides[side].items() if size]
        price = (min if side else max)(found, default=0)
        return price, self.sides[side].get(price, 0)

    def levels(self) -> tuple[Side, Side]:
        """Price and size of each level of both sides, best first."""
        bids, asks = ([(p, size) for p, size in side.items() if size] for side in self.sides)
        return sorted(bids, reverse=True), sorted(asks)

    def seen_top(self) -> Top:
        """Touch, and whether it may be used."""
        return tuple(self.touch), self.usable and not self.lost


def levels_in(book: Book) -> tuple[Side, Side]:
    """All levels of a folded book."""
    return book.bids(ALL), book.asks(ALL)


def seen_top_in(book: Book) -> Top:
    """Touch of a folded book, and whether it may be used."""
    return (book.bid, book.bid_size, book.ask, book.ask_size), book.usable


def events_in(blocks: Iterable[Rows]) -> Iterator[list[Any]]:
    """The rows of one event after another."""
    event = []
    for block in blocks:
        for row in block:
            event.append(row)
            if row["flags"] & Flag.EVENT:
                yield event
                event = []
    assert not event, "the last event has no end"
