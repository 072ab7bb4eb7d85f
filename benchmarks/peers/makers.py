"""Strategies as a user writes them: plain Python objects, asked by the engine or by the pass."""

import math
from typing import Final

import msgspec

from mm.events.session import NoQuoteReason
from mm.events.units import Lots, Nanos, Ticks
from mm.strategy.base import Level, MarketView, Wakes, Wanted, nothing

NO_BOOK: Final = nothing(NoQuoteReason.NO_BOOK)

Kept = tuple[int, int, int, Wanted]
"""Events seen, those with a microprice above the mid, the price of the bid, and what is wanted."""


class Maker(msgspec.Struct, frozen=True, kw_only=True):
    """One bid and one ask around the mid, leaning against the position: the peers' rule.

    Sizes in lots, distances in ticks, `looks` in nanoseconds of log time. With `changed` it is
    asked on its timer only if touch or position are other ones.
    """

    size: Lots
    most: Lots
    half: float
    skew: float
    looks: Nanos
    changed: bool = True

    @property
    def wakes(self) -> Wakes:
        """A timer."""
        return Wakes(timer=self.looks, own_orders=False, when_changed=self.changed)

    @property
    def rule(self) -> "Maker":
        """All of it."""
        return self

    def initial(self) -> None:
        """It remembers nothing."""

    def decide(self, view: MarketView, memory: None) -> tuple[Wanted, None]:
        """Quotes around the mid, or none without a book of two sides."""
        book, net = view.book, view.position.net
        bid, ask = book.bid, book.ask
        if not (book.usable and book.two_sided) or bid >= ask:
            return NO_BOOK, memory
        fair = 0.5 * (bid + ask) - self.skew * net / self.size
        bids: tuple[Level, ...] = ()
        asks: tuple[Level, ...] = ()
        if net < self.most:
            price = math.floor(fair - self.half)
            bids = (Level(Ticks(min(price, bid)), self.size),)
        if -net < self.most:
            price = math.ceil(fair + self.half)
            asks = (Level(Ticks(max(price, ask)), self.size),)
        return Wanted(bids=bids, asks=asks), memory


class EveryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Asked at every event: mid and microprice, and once in a while a new bid below the touch."""

    size: Lots
    requote: int

    @property
    def wakes(self) -> Wakes:
        """Everything."""
        return Wakes(every_event=True, own_orders=False)

    @property
    def rule(self) -> "EveryEvent":
        """All of it."""
        return self

    def initial(self) -> Kept:
        """Nothing seen, nothing wanted."""
        return 0, 0, 0, NO_BOOK

    def decide(self, view: MarketView, memory: Kept) -> tuple[Wanted, Kept]:
        """The bid of before while it stands behind the touch, or a new one."""
        seen, above, price, wanted = memory
        seen += 1
        book = view.book
        bid, bid_size, ask, ask_size = book.bid, book.bid_size, book.ask, book.ask_size
        if bid_size and ask_size:
            total = bid_size + ask_size
            above += (bid * ask_size + ask * bid_size) / total > 0.5 * (bid + ask)
            if seen % self.requote == 0:
                price = bid - 5
                wanted = Wanted(bids=(Level(Ticks(price), self.size),))
            elif price > bid:
                price, wanted = 0, NO_BOOK
        return wanted, (seen, above, price, wanted)
