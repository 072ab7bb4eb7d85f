"""A second, plain book beside an import: never crossed, equal to every comparable quote.

It is built from dictionaries and a sorted list, on purpose unlike the compiled book that the engine
folds. A quote can be compared when its update id is that of a diff: then the venue states the top
of exactly the book we rebuilt.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Final

from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    QuoteUpdated,
)
from mm.events.units import Levels, Nanos
from mm.events.vocabulary import Market
from mm.gateways.sequence import BookJoiner

REMEMBERED_MAX: Final = 4_096
Top = tuple[int, int, int, int]
"""Bid, bid size, ask, ask size; zeros where a side is empty."""


class BookSide:
    """Sizes by price, and the prices in order."""

    def __init__(self) -> None:
        """Start empty."""
        self.sizes: dict[int, int] = {}
        self.prices: list[int] = []

    def set(self, levels: Levels) -> None:
        """Set absolute sizes; a size of 0 removes the level if it is there."""
        sizes, prices = self.sizes, self.prices
        for price, size in zip(levels[::2], levels[1::2], strict=True):
            if size:
                if price not in sizes:
                    insort(prices, price)
                sizes[price] = size
            elif sizes.pop(price, 0):
                del prices[bisect_left(prices, price)]


class BookAudit:
    """The rebuilt book of one instrument and what it was found to be."""

    def __init__(self) -> None:
        """Start without a book."""
        self._clear()
        self.valid = False
        self._gapped = False
        self.crossed = 0
        self.compared = 0
        self.mismatches = 0
        self._quotes: dict[int, Top] = {}
        self._tops: dict[int, Top] = {}

    def _clear(self) -> None:
        self._bids, self._asks = BookSide(), BookSide()

    @property
    def top(self) -> Top:
        """Best bid and ask with their sizes."""
        bid = self._bids.prices[-1] if self._bids.prices else 0
        ask = self._asks.prices[0] if self._asks.prices else 0
        return bid, self._bids.sizes.get(bid, 0), ask, self._asks.sizes.get(ask, 0)

    def check(self, event: Market) -> str:
        """Take an event in; returns what is wrong with the book now, or nothing."""
        match event:
            case BookDelta():
                return self._delta(event)
            case QuoteUpdated():
                return self._quote(event)
            case BookSnapshot():
                self._snapshot(event)
            case FeedGapped() | FeedDown():
                self.lose()
            case FeedResynced():
                self.valid, self._gapped = True, False
            case _:
                pass
        return ""

    def lose(self) -> None:
        """Forget a book that is wrong or has a hole."""
        self._clear()
        self.valid = False
        self._gapped = True
        self._quotes.clear()
        self._tops.clear()

    def _snapshot(self, event: BookSnapshot) -> None:
        if event.part == 1:
            self._clear()
        self._bids.set(event.bids)
        self._asks.set(event.asks)
        self.valid = event.part == event.parts and not self._gapped

    def _delta(self, event: BookDelta) -> str:
        self._bids.set(event.bids)
        self._asks.set(event.asks)
        top = bid, _, ask, _ = self.top
        if bid and ask and bid >= ask:
            self.crossed += 1
            return f"the book is crossed after update {event.last}: bid {bid}, ask {ask} ticks"
        _remember(self._tops, event.last, top)
        quote = self._quotes.pop(event.last, None)
        return self._compare(event.last, top, quote) if quote else ""

    def _quote(self, event: QuoteUpdated) -> str:
        quote = (event.bid, event.bid_size, event.ask, event.ask_size)
        top = self._tops.get(event.sequence)
        if top is None:
            _remember(self._quotes, event.sequence, quote)
            return ""
        return self._compare(event.sequence, top, quote)

    def _compare(self, sequence: int, top: Top, quote: Top) -> str:
        self.compared += 1
        if top == quote:
            return ""
        self.mismatches += 1
        return f"the book's top after update {sequence} is {top}, the venue's quote {quote}"


def believed(
    audit: BookAudit, book: BookJoiner, events: Sequence[Market], received: Nanos
) -> tuple[list[Market], str]:
    """The events that the audit lets pass, and what it found wrong: then the book is given up."""
    facts: list[Market] = []
    for event in events:
        wrong = audit.check(event)
        if wrong:
            audit.lose()
            return [*facts, *book.distrust(received, wrong)], wrong
        facts.append(event)
    return facts, ""


def _remember(tops: dict[int, Top], sequence: int, top: Top) -> None:
    tops[sequence] = top
    if len(tops) > REMEMBERED_MAX:
        del tops[next(iter(tops))]
