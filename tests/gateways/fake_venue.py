"""A venue in memory behind the order port: a book of our orders, and trouble on demand.

It matches nothing by itself: a test fills. `troubles` holds, by call, what happens to the next
ones: an error raised before or after the venue acted, or silence.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mm.events.account import BalanceReported
from mm.events.orders import (
    CancelReason,
    Liquidity,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderFilled,
    Resolution,
)
from mm.events.units import SECONDS, InstrumentId, Lots, Nanos, OrderId, Side, Ticks
from mm.gateways.client_ids import TextIds
from mm.gateways.order_port import (
    Abilities,
    Evidence,
    Known,
    PrivateNews,
    StreamDown,
    StreamUp,
)
from mm.gateways.verdicts import VenueSaid, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mm.events.instrument import InstrumentDefined
    from mm.events.orders import AmendOrder, CancelOrder, PlaceOrder
    from mm.events.vocabulary import Fact


def now() -> Nanos:
    """The time of day, for lack of a log."""
    return Nanos(time.time_ns())


@dataclass
class Resting:
    """An order as the venue has it."""

    client_id: str
    venue_order_id: str
    instrument: InstrumentId
    side: Side
    price: Ticks
    size: Lots
    filled: int = 0
    resolution: Resolution = Resolution.OPEN


@dataclass
class Trouble:
    """What happens to one call: nothing is done, or it is done and the answer is lost."""

    said: VenueSaid | None = None
    done: bool = False
    silent: bool = False


@dataclass
class FakeVenue:
    """One account."""

    abilities: Abilities = field(
        default_factory=lambda: Abilities(amend=True, settles=Nanos(3_600 * SECONDS))
    )
    orders: dict[str, Resting] = field(default_factory=dict)
    told_fills: list[OrderFilled] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    troubles: dict[str, deque[Trouble]] = field(default_factory=lambda: defaultdict(deque))
    news: asyncio.Queue[PrivateNews] = field(default_factory=asyncio.Queue)
    balances: tuple[BalanceReported, ...] = ()
    venue: str = "fake"
    hosts: tuple[str, ...] = ("fake.local",)
    hidden: int = 0
    listening: bool = False

    def __post_init__(self) -> None:
        """Ids of 36 characters."""
        self.ids = TextIds(["maker_main"], length=36, alphabet="A-Za-z0-9._:/-")

    # -- the port ------------------------------------------------------------------------------

    def learn(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """Nothing to know."""

    def weight(self, command: str) -> int:
        """One each, a list of open orders costs more."""
        return 4 if command == "open_orders" else 1

    async def place(self, order: PlaceOrder) -> tuple[Fact, ...]:
        """It rests."""
        await self._trouble("place", order.order_id, lambda: self.accept(order))
        return (self.acked(self.accept(order)),)

    async def amend(self, order: AmendOrder, known: Known) -> tuple[Fact, ...]:
        """It rests elsewhere."""
        await self._trouble("amend", known.order_id, lambda: self._move(order))
        self._move(order)
        return (
            OrderAmended(
                order_id=order.order_id,
                instrument=order.instrument,
                price=order.price,
                size=order.size,
                received=now(),
                venue_time=now(),
            ),
        )

    async def cancel(self, order: CancelOrder, known: Known) -> tuple[Fact, ...]:
        """It is gone."""
        assert order.order_id == known.order_id, "two names for one order"
        await self._trouble("cancel", known.order_id, lambda: self.end(known.order_id))
        facts = self.end(known.order_id)
        if not facts:
            raise VenueSaid(Verdict.ORDER_NOT_FOUND, raw_code="-2011")
        return facts

    async def cancel_all(self, instrument: InstrumentId) -> tuple[Fact, ...]:
        """Never asked for: the account is shared."""
        raise AssertionError(instrument)

    async def order(self, known: Known) -> Evidence | None:
        """What became of one order; the first `hidden` answers are too early to know it."""
        await self._trouble("order", known.order_id)
        if self.hidden:
            self.hidden -= 1
            return None
        found = self.orders.get(self.ids.encode(known.order_id))
        return None if found is None else evidence(found)

    async def open_orders(self, instrument: InstrumentId) -> list[Evidence]:
        """Every open order on an instrument."""
        await self._trouble("open_orders", str(instrument))
        return [
            evidence(each)
            for each in self.orders.values()
            if each.instrument == instrument and each.resolution is Resolution.OPEN
        ]

    async def fills(
        self, instrument: InstrumentId, after: str, since: Nanos
    ) -> tuple[list[OrderFilled], str]:
        """Fills after one."""
        await self._trouble("fills", after)
        ids = [fill.fill_id for fill in self.told_fills]
        start = ids.index(after) + 1 if after in ids else 0
        left = [fill for fill in self.told_fills[start:] if fill.instrument == instrument]
        found = [fill for fill in left if fill.venue_time >= since]
        return found, found[-1].fill_id if found else after

    async def account(self) -> tuple[BalanceReported, ...]:
        """The balances."""
        await self._trouble("account", "")
        return self.balances

    async def venue_clock(self) -> Nanos:
        """As ours."""
        await self._trouble("venue_clock", "")
        return now()

    async def permissions(self) -> tuple[str, ...]:
        """Trading."""
        return ("trade",)

    async def stream(self) -> AsyncIterator[PrivateNews]:
        """What a test puts in; it stands at once."""
        self.listening = True
        yield StreamUp(now())
        while True:
            yield await self.news.get()

    # -- what a test does ----------------------------------------------------------------------

    def trouble(self, call: str, **what: Any) -> None:
        """The next call of a kind goes wrong."""
        self.troubles[call].append(Trouble(**what))

    def fill(self, order_id: OrderId, size: int, *, tell: bool = True) -> OrderFilled:
        """Match part of an order."""
        order = self.orders[self.ids.encode(order_id)]
        order.filled += size
        if order.filled == order.size:
            order.resolution = Resolution.FILLED
        fill = OrderFilled(
            order_id=order_id,
            instrument=order.instrument,
            fill_id=str(len(self.told_fills) + 1),
            side=order.side,
            price=order.price,
            size=Lots(size),
            liquidity=Liquidity.MAKER,
            fee=Decimal(0),
            fee_asset="USDT",
            received=now(),
            venue_time=now(),
        )
        self.told_fills.append(fill)
        if tell:
            self.news.put_nowait((fill,))
        return fill

    def end(self, order_id: OrderId) -> tuple[Fact, ...]:
        """Take an order out; nothing when it is gone."""
        order = self.orders.get(self.ids.encode(order_id))
        if order is None or order.resolution is not Resolution.OPEN:
            return ()
        order.resolution = Resolution.CANCELED
        gone = OrderCanceled(
            order_id=order_id,
            instrument=order.instrument,
            reason=CancelReason.REQUESTED,
            received=now(),
            venue_time=now(),
            filled=Lots(order.filled),
        )
        return (gone,)

    def drop(self) -> None:
        """The private stream falls."""
        self.news.put_nowait(StreamDown(now(), "closed"))

    def rise(self) -> None:
        """It stands again."""
        self.news.put_nowait(StreamUp(now()))

    def acked(self, order: Resting) -> OrderAcked:
        """The ack of an order of ours."""
        order_id = self.ids.decode(order.client_id)
        assert order_id is not None, "not ours"
        return OrderAcked(
            order_id=order_id,
            instrument=order.instrument,
            venue_order_id=order.venue_order_id,
            received=now(),
            venue_time=now(),
        )

    def count(self, call: str) -> int:
        """How often a call was made."""
        return sum(name == call for name, _ in self.calls)

    # -- inside --------------------------------------------------------------------------------

    async def _trouble(self, call: str, subject: str, act: Any = None) -> None:
        self.calls.append((call, subject))
        await asyncio.sleep(0)
        if not self.troubles[call]:
            return
        trouble = self.troubles[call].popleft()
        if trouble.done:
            act()
        if trouble.silent:
            await asyncio.Event().wait()
        if trouble.said is not None:
            raise trouble.said

    def accept(self, order: PlaceOrder) -> Resting:
        """An order reaches the book."""
        client_id = self.ids.encode(order.order_id)
        assert client_id not in self.orders, f"sent twice: {client_id}"
        self.orders[client_id] = Resting(
            client_id,
            f"v{len(self.orders) + 1}",
            order.instrument,
            order.side,
            order.price,
            order.size,
        )
        return self.orders[client_id]

    def _move(self, order: AmendOrder) -> None:
        found = self.orders[self.ids.encode(order.order_id)]
        found.price, found.size = order.price, order.size


def evidence(order: Resting) -> Evidence:
    """What the venue says of an order."""
    return Evidence(
        client_id=order.client_id,
        venue_order_id=order.venue_order_id,
        instrument=order.instrument,
        side=order.side,
        price=order.price,
        size=order.size,
        filled=Lots(order.filled),
        resolution=order.resolution,
        venue_time=now(),
    )
