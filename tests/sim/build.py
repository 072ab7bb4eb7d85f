"""A paper account to talk to: events in, and what it told us, in order."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from mm.events.account import BalanceReported, PositionReported
from mm.events.base import MarketEvent
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import BookDelta, FundingPublished, MarkPublished, QuoteUpdated
from mm.events.orders import (
    AmendOrder,
    CancelAll,
    OrderFilled,
    OrderKind,
    PlaceOrder,
    TimeInForce,
)
from mm.events.units import MILLIS, Levels, Lots, Nanos, OrderId, Seq, Side, Ticks
from mm.events.vocabulary import Fact, Intent, OrderFact
from mm.sim.paper import Heard
from mm.sim.settings import NONE, PaperSettings
from tests.build import BTC, BUY, SELL, START, instrument, placed, printed, snapshot
from tests.oracle.plain_trading import plain_venue

NEAR: Final = PaperSettings(entry=NONE, response=NONE)
BOOK: Final = snapshot((100, 10, 99, 20, 97, 5), (101, 7, 102, 9, 104, 30))
"""Bids 10 @ 100, 20 @ 99, 5 @ 97; asks 7 @ 101, 9 @ 102, 30 @ 104."""
INVERSE: Final = instrument(
    kind=ContractKind.INVERSE, settle="BTC", tick_size=Decimal("0.5"), lot_size=Decimal(1)
)
SPOT: Final = instrument(
    kind=ContractKind.SPOT, maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001")
)


class Paper:
    """A venue without latency, at which every call happens one millisecond after the last."""

    def __init__(
        self,
        *events: MarketEvent,
        settings: PaperSettings = NEAR,
        defined: InstrumentDefined | None = None,
    ) -> None:
        """Define the instrument and hear these events; by default one book."""
        self.venue = plain_venue(settings, seed=1)
        self.at = START
        self.told: list[Heard] = []
        self.venue.hear(self.at, defined or instrument())
        self.hears(*(events or (BOOK,)))

    def _later(self) -> Nanos:
        self.at = Nanos(self.at + MILLIS)
        return self.at

    def _listen(self) -> list[Heard]:
        news = self.venue.advance(self.at)
        self.told += news
        return news

    def hears(self, *events: MarketEvent) -> list[Heard]:
        """Public events; returns what they made the venue tell us."""
        for event in events:
            self.venue.hear(self._later(), event)
        return self._listen()

    def gets(self, *intents: Intent) -> list[Heard]:
        """Our commands; returns the answers."""
        for intent in intents:
            self.venue.submit(self._later(), intent)
        return self._listen()

    @property
    def fills(self) -> list[tuple[str, int, int]]:
        """Every fill so far: order, price, size."""
        return fills(self.told)

    @property
    def open(self) -> list[tuple[str, int, int]]:
        """What rests: order, price, leaves."""
        resting = self.venue.open_orders()
        return [(each.order_id, each.price, each.size - each.filled) for each in resting]

    def balance(self, asset: str) -> Decimal:
        """The total of an asset, free and locked."""
        for fact in self.venue.report(self.at):
            if isinstance(fact, BalanceReported) and fact.asset == asset:
                return fact.free + fact.locked
        return Decimal(0)

    def position(self) -> PositionReported:
        """The position in the instrument."""
        found = [f for f in self.venue.report(self.at) if isinstance(f, PositionReported)]
        return found[0]


def of_orders(facts: Iterable[Fact]) -> list[OrderFact]:
    """What is said of orders, without the balances that stand beside fills."""
    return [fact for fact in facts if isinstance(fact, OrderFact)]


def of_balances(facts: Iterable[Fact]) -> list[BalanceReported]:
    """What is said of balances."""
    return [fact for fact in facts if isinstance(fact, BalanceReported)]


def fills(facts: Iterable[Fact]) -> list[tuple[str, int, int]]:
    """The fills among facts: order, price, size."""
    return [(f.order_id, f.price, f.size) for f in facts if isinstance(f, OrderFilled)]


def kinds(facts: Iterable[Fact]) -> list[str]:
    """The names of facts, for the order they come in."""
    return [type(fact).__name__ for fact in facts]


def takes(order_id: str, side: Side, price: int, size: int, **changes: Any) -> PlaceOrder:
    """An order that may take: good till canceled unless told otherwise."""
    return placed(order_id, side, price, size, **{"post_only": False, **changes})


def ioc(order_id: str, side: Side, price: int, size: int, **changes: Any) -> PlaceOrder:
    """Take what is there now, no more."""
    return takes(order_id, side, price, size, tif=TimeInForce.IOC, **changes)


def fok(order_id: str, side: Side, price: int, size: int) -> PlaceOrder:
    """All of it now, or nothing."""
    return takes(order_id, side, price, size, tif=TimeInForce.FOK)


def market(order_id: str, side: Side, size: int, **changes: Any) -> PlaceOrder:
    """At any price."""
    return takes(order_id, side, 0, size, kind=OrderKind.MARKET, **changes)


def amend(order_id: str, price: int, size: int) -> AmendOrder:
    """Move an order."""
    return AmendOrder(
        order_id=OrderId(order_id),
        instrument=BTC,
        price=Ticks(price),
        size=Lots(size),
        cause=Seq(1),
        reason="requote",
    )


def cancels_all() -> CancelAll:
    """Cancel everything on the instrument."""
    return CancelAll(instrument=BTC, cause=Seq(1), reason="stop")


def sold(price: int, size: int) -> MarketEvent:
    """A seller hit bids at this price."""
    return printed(price, size, SELL)


def bought(price: int, size: int) -> MarketEvent:
    """A buyer lifted asks at this price."""
    return printed(price, size, BUY)


def depth(bids: Levels = (), asks: Levels = (), *, last: int = 2) -> BookDelta:
    """Changed levels, of venue update `last`."""
    return BookDelta(
        instrument=BTC,
        received=START,
        venue_time=Nanos(0),
        first=last,
        last=last,
        previous=last - 1,
        bids=bids,
        asks=asks,
    )


def best(bid: tuple[int, int], ask: tuple[int, int], *, sequence: int = 0) -> QuoteUpdated:
    """Best bid and ask as (price, size), of venue update `sequence`."""
    return QuoteUpdated(
        instrument=BTC,
        received=START,
        venue_time=Nanos(0),
        sequence=sequence,
        bid=Ticks(bid[0]),
        bid_size=Lots(bid[1]),
        ask=Ticks(ask[0]),
        ask_size=Lots(ask[1]),
    )


def marked(price: str, *, venue_time: int = START) -> MarkPublished:
    """A mark price."""
    return MarkPublished(
        instrument=BTC, received=START, venue_time=Nanos(venue_time), price=Decimal(price)
    )


def rated(rate: str, due: int, *, venue_time: int = START) -> FundingPublished:
    """A funding rate for `due`."""
    return FundingPublished(
        instrument=BTC,
        received=START,
        venue_time=Nanos(venue_time),
        rate=Decimal(rate),
        due=Nanos(due),
    )
