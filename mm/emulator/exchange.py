"""The venue behind an emulator's protocol: what is listed, its market, and who trades there.

Whatever plays the market calls `tell`; a front listens and speaks. What is published never has a
hole: a market that was lost and found again in a recording is told as one more change of the book,
as a real venue would, whose own book is never lost. Every account is matched, by the core of the
simulated venue, against the very market that was published.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from mm.emulator.account import Account
from mm.emulator.candles import Candles
from mm.errors import BadInput
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FundingPublished,
    IndexPublished,
    MarkPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import MILLIS, InstrumentId, Levels, Nanos
from mm.events.vocabulary import Market
from mm.projections.book import Book
from mm.projections.depth import LEVELS_MAX

TRADES_MAX: Final = 1_000
"""Public trades of an instrument that can still be asked for."""

Told = BookSnapshot | BookDelta | QuoteUpdated | TradePrinted
Valued = MarkPublished | IndexPublished | FundingPublished
Listener = Callable[["Listing", Told | Valued], None]


class Keys(msgspec.Struct, frozen=True):
    """What a client signs with; `passphrase` where a venue wants a third part."""

    key: str
    secret: str
    passphrase: str = ""

    def __repr__(self) -> str:
        """The key alone."""
        return f"Keys({self.key!r})"


class Listing:
    """One instrument, and its public market as it stands; changes in place."""

    def __init__(self, instrument: InstrumentDefined) -> None:
        """Start without a market."""
        self.instrument = instrument
        self.book = Book()
        self.trades: deque[TradePrinted] = deque(maxlen=TRADES_MAX)
        self.candles = Candles()
        self.mark: MarkPublished | None = None
        self.index: IndexPublished | None = None
        self.funding: FundingPublished | None = None
        self._next: Book | None = None

    @property
    def price(self) -> Decimal:
        """What one is worth: the mark, else the last trade, else the mid; 0 if nothing is known."""
        if self.mark is not None:
            return self.mark.price
        if self.trades:
            return self.instrument.price(self.trades[-1].price)
        if self.book.two_sided:
            return self.instrument.price(self.book.bid + self.book.ask) / 2
        return Decimal(0)

    def fold(self, fact: Market) -> Told | Valued | None:
        """Move the market by what its feed says; returns what is to be published of it."""
        match fact:
            case BookSnapshot():
                return self._replace(fact)
            case BookDelta():
                if not self.book.has_depth or fact.last <= self.book.sequence:
                    return None
                fact = _chained(fact, self.book.sequence)
                self.book.delta(fact, fact.received)
            case QuoteUpdated():
                self.book.quote(fact, fact.received)
            case TradePrinted():
                self.trades.append(fact)
                self.candles.add(fact)
            case MarkPublished():
                self.mark = fact
            case IndexPublished():
                self.index = fact
            case FundingPublished():
                self.funding = fact
            case _:
                return None  # Feeds come and go; a venue does not.
        return fact

    def _replace(self, part: BookSnapshot) -> Told | None:
        """Take a snapshot over: the first as it is, a later one as the change that leads to it."""
        if not self.book.has_depth:
            self.book.snapshot(part, part.received)
            return part if self.book.has_depth and part.parts == 1 else None
        if part.part == 1 or self._next is None:
            self._next = Book()
        found = self._next
        found.snapshot(part, part.received)
        if not found.has_depth:
            return None
        self._next = None
        sequence = self.book.sequence
        delta = BookDelta(
            instrument=part.instrument,
            received=part.received,
            venue_time=part.venue_time,
            first=sequence + 1,
            last=max(sequence + 1, part.sequence),
            previous=sequence,
            bids=_difference(self.book.bids(LEVELS_MAX), found.bids(LEVELS_MAX)),
            asks=_difference(self.book.asks(LEVELS_MAX), found.asks(LEVELS_MAX)),
        )
        self.book.delta(delta, part.received)
        return delta


def _chained(delta: BookDelta, sequence: int) -> BookDelta:
    """The same as the one that follows update `sequence`."""
    first = max(delta.first, sequence + 1)
    previous = sequence if delta.previous else 0
    if (first, previous) == (delta.first, delta.previous):
        return delta
    return msgspec.structs.replace(delta, first=first, previous=previous)


def _difference(old: list[tuple[int, int]], new: list[tuple[int, int]]) -> Levels:
    """The changes that lead from one side of a book to another."""
    was, will = dict(old), dict(new)
    changed = {price: 0 for price in was if price not in will}
    changed |= {price: size for price, size in will.items() if was.get(price) != size}
    return tuple(number for level in changed.items() for number in level)


class Exchange:
    """One venue; changes in place. Its time is the machine's, off by `skew` where that is set."""

    def __init__(self, venue: str, clock: Callable[[], int] = time.time_ns) -> None:
        """Open without an instrument; numbers of orders and trades go on from the present time."""
        self.venue = venue
        self.skew = Nanos(0)
        self.speed = 1.0
        self.listings: dict[str, Listing] = {}
        self.accounts: dict[str, Account] = {}
        self.listeners: list[Listener] = []
        self._clock = clock
        self._latest = Nanos(0)
        self._by_id: dict[InstrumentId, Listing] = {}
        self._number = clock() // MILLIS

    def now(self) -> Nanos:
        """The time that the venue tells."""
        return Nanos(self._clock() + self.skew)

    def at(self) -> Nanos:
        """The time at which something happens here now; it never runs back."""
        self._latest = Nanos(max(self._latest, self._clock()))
        return self._latest

    def number(self) -> int:
        """A number that no order and no trade of ours has had."""
        self._number += 1
        return self._number

    def list(self, instrument: InstrumentDefined) -> Listing:
        """List an instrument under this venue's name, or revise it."""
        instrument = msgspec.structs.replace(instrument, venue=self.venue)
        known = self._by_id.get(instrument.instrument)
        if known is not None:
            if known.instrument.identity != instrument.identity:
                raise BadInput(
                    f"{instrument.name} takes the number of {known.instrument.name}",
                    where=f"instrument {instrument.instrument}",
                    remedy="number the instruments of an exchange apart",
                )
            known.instrument = instrument
        else:
            known = self.listings[instrument.symbol] = Listing(instrument)
            self._by_id[instrument.instrument] = known
        for account in self.accounts.values():
            account.hear(self.at(), instrument)
        return known

    def listing(self, instrument: InstrumentId) -> Listing:
        """The listing with this number."""
        return self._by_id[instrument]

    def open(self, keys: Keys, balances: Mapping[str, Decimal] | None = None) -> Account:
        """Open an account for a pair of keys; without balances its money is unlimited."""
        account = Account(keys, None if balances is None else dict(balances), self.number)
        account.clock = self.at
        self.accounts[keys.key] = account
        for listing in self.listings.values():
            account.hear(self.at(), listing.instrument)
            standing = standing_of(listing, self.at())
            if standing is not None:
                account.hear(self.at(), standing)
        return account

    def tell(self, fact: Market) -> None:
        """Something happens on the market: fold it, publish it, and match orders against it."""
        listing = self._by_id.get(getattr(fact, "instrument", InstrumentId(-1)))
        if listing is None:
            return  # A rate from outside the venue, or an instrument that is not listed here.
        told = listing.fold(fact)
        if told is None:
            return
        for listener in self.listeners:
            listener(listing, told)
        at = self.at()
        for account in self.accounts.values():
            account.hear(at, told)


def standing_of(listing: Listing, at: Nanos) -> BookSnapshot | None:
    """The whole book as it stands, None before there is one."""
    book = listing.book
    if not book.has_depth:
        return None
    return BookSnapshot(
        instrument=listing.instrument.instrument,
        received=at,
        venue_time=at,
        sequence=book.sequence,
        bids=tuple(number for level in book.bids(LEVELS_MAX) for number in level),
        asks=tuple(number for level in book.asks(LEVELS_MAX) for number in level),
    )
