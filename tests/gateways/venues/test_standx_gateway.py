"""The gateway with StandX's port against the emulated venue: what the log has is what happened."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mm.emulator.faults import Kind, Rule
from mm.emulator.standx.perps import StandxFront
from mm.events.account import AccountDown, AccountReconciled, BalanceReported, PositionReported
from mm.events.orders import (
    OrderAcked,
    OrderFilled,
    OrderRejected,
    OrderResolved,
    OrderUncertain,
    RejectReason,
    Resolution,
)
from mm.events.units import Side
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.venues.standx.orders import StandxOrders
from mm.projections.lifecycle import Status
from tests.emulator.venue import printed, reached
from tests.gateways.accounts import Wired
from tests.gateways.fake_venue import now
from tests.gateways.venues.standx_desk import FILLING, KEYS, SIZE, bitcoin, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mm.emulator.account import Account as Held
    from mm.emulator.exchange import Exchange
    from mm.emulator.server import Running

PART = 2_000


class Standx:
    """The exchange, what it holds of us, and a gateway to it."""

    def __init__(self, exchange: Exchange, held: Held, running: Running, account: Wired) -> None:
        """All of it stands."""
        self.exchange = exchange
        self.held = held
        self.running = running
        self.account = account

    def fault(self, **rule: Any) -> None:
        """Let something go wrong."""
        self.running.hub.faults.add([Rule(**rule)])

    def sell(self, number: int, size: int = PART) -> None:
        """Somebody sells at our bid."""
        self.exchange.tell(printed(number, FILLING, size, Side.SELL))


@asynccontextmanager
async def standx(**changes: Any) -> AsyncIterator[Standx]:
    """A gateway to an emulated StandX; nothing is connected before `open`."""
    exchange, held = opened()
    async with reached(StandxFront(exchange)) as there:
        clock = VenueClock("standx", now)
        credentials = Credentials(KEYS.key, KEYS.secret)
        port = StandxOrders(there.session, credentials, clock, now, ("maker_main",))
        settings = {"heard_seconds_max": 2.0, "connect_seconds_max": 15.0}
        async with Wired(port, bitcoin(), clock, **{**settings, **changes}) as account:
            yield Standx(exchange, held, there.running, account)


async def test_order_rests_fills_in_part_and_is_canceled() -> None:
    """The log has what the venue's own account has."""
    async with standx() as venue:
        account = await venue.account.open()
        name = account.place(1, FILLING, SIZE)
        await account.reaches(name, Status.OPEN)
        venue.sell(1)
        await account.reaches(name, Status.PARTIALLY_FILLED)
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert (account.net, venue.held.open()) == (PART, [])
        (fill,) = account.of(OrderFilled)
        assert (fill.strategy, fill.fee_asset) == ("maker", "DUSD")
        assert account.of(BalanceReported)
        assert account.of(PositionReported)[-1].size == PART


async def test_order_that_was_taken_and_then_refused_is_rejected() -> None:
    """The answer was good; only the order stream says that it never was at the venue."""
    async with standx() as venue:
        account = await venue.account.open()
        name = account.place(1, 6_020_000, SIZE, post_only=True)
        await account.reaches(name, Status.REJECTED)
        (rejected,) = account.of(OrderRejected)
        assert rejected.reason is RejectReason.POST_ONLY_CROSSED
        assert rejected.raw_text == "alo order rejected"
        assert account.of(OrderUncertain) == account.of(OrderAcked) == []


async def test_refusal_that_was_not_heard_is_found_out() -> None:
    """No stream tells: the venue is asked, and knows of no such order once it can come no more."""
    async with standx(heard_seconds_max=0.1) as venue:
        account = await venue.account.open()
        venue.fault(kind=Kind.DROP, path="/ws-api/v1", count=0)
        name = account.place(1, 6_020_000, SIZE, post_only=True)
        await account.until(lambda: account.of(OrderUncertain))
        account.windows_pass()
        await account.until(lambda: account.order(name).closed)
        (resolved,) = account.of(OrderResolved)
        assert resolved.resolution is Resolution.NEVER_ARRIVED


async def test_fills_of_a_stream_that_fell_silent_are_recovered() -> None:
    """Nothing is heard while they happen; once it stands again each is booked once."""
    async with standx() as venue:
        account = await venue.account.open()
        name = account.place(1, FILLING, SIZE)
        await account.reaches(name, Status.OPEN)
        for socket in venue.running.hub.sockets:
            socket.silent = True
        venue.sell(1)
        venue.sell(2)
        assert account.net == 0
        for socket in tuple(venue.running.hub.sockets):
            socket.cut()
        await account.until(lambda: len(account.of(AccountReconciled)) > 1)
        assert account.of(AccountDown)
        assert account.net == 2 * PART
        venue.sell(3, SIZE)
        await account.reaches(name, Status.FILLED)
        assert account.net == SIZE == sum(fill.size for fill in account.of(OrderFilled))


async def test_order_whose_answer_came_too_late_is_asked_after_and_found() -> None:
    """The venue took it; the log comes to know, and it is not sent twice."""
    async with standx() as venue:
        account = await venue.account.open()
        venue.fault(kind=Kind.DELAY, path="*/new_order", seconds=2.0)
        venue.fault(kind=Kind.DROP, path="/ws-stream/v1", stream="order", count=0)
        name = account.place(1, FILLING, SIZE)
        await account.until(lambda: account.of(OrderUncertain))
        await account.reaches(name, Status.OPEN)
        assert len(venue.held.open()) == 1


async def test_order_that_never_arrived_is_resolved() -> None:
    """The connection broke before the venue read it."""
    async with standx() as venue:
        account = await venue.account.open()
        venue.fault(kind=Kind.RESET, path="*/new_order")
        name = account.place(1, FILLING, SIZE)
        await account.until(lambda: account.of(OrderUncertain))
        account.windows_pass()
        await account.until(lambda: account.order(name).closed)
        assert venue.held.open() == []


async def test_cancel_that_lost_the_race_is_settled_by_the_fill() -> None:
    """The venue finds nothing to cancel, for the order was filled meanwhile."""
    async with standx() as venue:
        account = await venue.account.open()
        name = account.place(1, FILLING, SIZE)
        await account.reaches(name, Status.OPEN)
        venue.sell(1, SIZE)
        account.cancel(name)
        await account.reaches(name, Status.FILLED)
        assert account.net == SIZE


async def test_everything_is_canceled() -> None:
    """Three orders of ours, all gone."""
    async with standx() as venue:
        account = await venue.account.open()
        names = [account.place(number, FILLING - number, SIZE) for number in (1, 2, 3)]
        for name in names:
            await account.reaches(name, Status.OPEN)
        account.cancel_all()
        for name in names:
            await account.reaches(name, Status.CANCELED)
        assert venue.held.open() == []


async def test_venue_that_is_away_at_the_start_is_asked_again() -> None:
    """Until it answers."""
    async with standx() as venue:
        venue.fault(kind=Kind.REFUSE, status=503, path="/api/query_*", count=3)
        account = await venue.account.open()
        assert account.of(AccountReconciled)
