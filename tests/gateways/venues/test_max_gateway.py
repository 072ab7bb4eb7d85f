"""The gateway with MAX's port against the emulated venue: what the log has is what happened."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mm.emulator.faults import Kind, Rule
from mm.emulator.max.front import MaxFront
from mm.errors import VenueUnavailable
from mm.events.account import AccountDown, AccountReconciled
from mm.events.orders import (
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderResolved,
    OrderUncertain,
    RejectReason,
    Resolution,
)
from mm.events.session import TradingHalted
from mm.events.units import Side
from mm.events.venue import RateLimited
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.venues.max.orders import MaxOrders
from mm.projections.lifecycle import Status
from tests.emulator.venue import KEYS, opened, printed, reached, spot
from tests.gateways.accounts import Wired
from tests.gateways.fake_venue import now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mm.emulator.account import Account as Held
    from mm.emulator.server import Running

BID = 5_995_000
SIZE = 50_000
PART = 20_000
PLACE = "/api/v3/wallet/spot/order"


class Max:
    """The exchange, what it holds of us, and a gateway to it."""

    def __init__(self, front: MaxFront, held: Held, running: Running, account: Wired) -> None:
        """All of it stands."""
        self.exchange = front.exchange
        self.desk = front.desk
        self.held = held
        self.running = running
        self.account = account

    def fault(self, **rule: Any) -> None:
        """Let something go wrong."""
        self.running.hub.faults.add([Rule(**rule)])

    def sell(self, number: int, size: int = PART) -> None:
        """Somebody sells at our bid."""
        self.exchange.tell(printed(number, BID, size, Side.SELL))


@asynccontextmanager
async def emulated(secret: str = KEYS.secret, **changes: Any) -> AsyncIterator[Max]:
    """A gateway to an emulated MAX; nothing is connected before `open`."""
    exchange, held = opened(spot(), "max")
    front = MaxFront(exchange)
    async with reached(front) as there:
        clock = VenueClock("max", now)
        port = MaxOrders(there.session, Credentials(KEYS.key, secret), clock, now, ("maker_main",))
        settings = {"heard_seconds_max": 2.0, "connect_seconds_max": 15.0}
        definition = spot(venue="max", symbol="btcusdt")
        async with Wired(port, definition, clock, **{**settings, **changes}) as account:
            yield Max(front, held, there.running, account)


async def test_order_rests_fills_in_part_and_is_canceled() -> None:
    """The log has what the venue's own account has."""
    async with emulated() as venue:
        account = await venue.account.open()
        name = account.place(1, BID, SIZE)
        await account.reaches(name, Status.OPEN)
        venue.sell(1)
        await account.reaches(name, Status.PARTIALLY_FILLED)
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert (account.net, venue.held.open()) == (PART, [])
        (fill,) = account.of(OrderFilled)
        assert (fill.strategy, fill.fee_asset) == ("maker", "BTC")
        assert not account.of(OrderUncertain)


async def test_refusal_is_on_the_log_with_its_reason() -> None:
    """More than there is; and what the venue only cancels later has expired."""
    async with emulated() as venue:
        account = await venue.account.open()
        name = account.place(1, BID, 10_000_000)
        await account.reaches(name, Status.REJECTED)
        (rejected,) = account.of(OrderRejected)
        assert (rejected.reason, rejected.raw_code) == (RejectReason.NO_FUNDS, "2018")
        account.place(2, 6_020_000, SIZE, post_only=True)
        await account.until(lambda: account.of(OrderExpired))
        assert venue.held.open() == []


async def test_fills_of_a_stream_that_fell_silent_are_recovered() -> None:
    """Nothing is heard while they happen; once it stands again each is booked once."""
    async with emulated() as venue:
        account = await venue.account.open()
        name = account.place(1, BID, SIZE)
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


@pytest.mark.parametrize("kind", [Kind.ABORT, Kind.HANG])
async def test_order_whose_answer_was_lost_is_asked_after(kind: Kind) -> None:
    """Accepted and unheard it is found; hung before it was accepted it never arrived."""
    async with emulated(heard_seconds_max=0.1) as venue:
        account = await venue.account.open()
        venue.fault(kind=Kind.DROP, stream="user", count=0)
        venue.fault(kind=kind, path=PLACE, method="POST")
        name = account.place(1, BID, SIZE)
        await account.until(lambda: account.of(OrderUncertain))
        if kind is Kind.HANG:
            account.windows_pass()
            await account.until(lambda: account.order(name).closed)
            (resolved,) = account.of(OrderResolved)
            assert resolved.resolution is Resolution.NEVER_ARRIVED
            assert venue.held.open() == []
        else:
            await account.reaches(name, Status.OPEN)
            assert len(venue.held.open()) == 1


async def test_order_whose_stream_is_silent_is_asked_after() -> None:
    """The answer alone proves nothing."""
    async with emulated(heard_seconds_max=0.1) as venue:
        account = await venue.account.open()
        venue.fault(kind=Kind.DROP, stream="user", count=0)
        name = account.place(1, BID, SIZE)
        await account.until(lambda: account.of(OrderUncertain))
        await account.reaches(name, Status.OPEN)


async def test_fill_that_wins_against_a_cancel_is_booked() -> None:
    """The cancel was accepted, and is carried out after the fill."""
    async with emulated() as venue:
        account = await venue.account.open()
        name = account.place(1, BID, SIZE)
        await account.reaches(name, Status.OPEN)
        act, desk = venue.desk.cancel, venue.desk

        def late(held: Held, record: Any) -> None:
            venue.sell(1, SIZE)
            act(held, record)

        patched: Any = desk
        patched.cancel = late
        account.cancel(name)
        await account.reaches(name, Status.FILLED)
        assert account.net == SIZE


async def test_everything_is_canceled() -> None:
    """Three orders of ours, all gone."""
    async with emulated() as venue:
        account = await venue.account.open()
        names = [account.place(number, BID - number, SIZE) for number in (1, 2, 3)]
        for name in names:
            await account.reaches(name, Status.OPEN)
        account.cancel_all()
        for name in names:
            await account.reaches(name, Status.CANCELED)
        assert venue.held.open() == []


async def test_order_goes_on_after_the_stream_stood_anew() -> None:
    """The log has it for live and the venue for open: nothing is to be done."""
    async with emulated() as venue:
        account = await venue.account.open()
        name = account.place(1, BID, SIZE)
        await account.reaches(name, Status.OPEN)
        for socket in tuple(venue.running.hub.sockets):
            socket.cut()
        await account.until(lambda: len(account.of(AccountReconciled)) > 1)
        assert account.status(name) is Status.OPEN


async def test_ban_is_told_and_waited_for() -> None:
    """With the time that the venue names, in Unix seconds."""
    async with emulated() as venue:
        account = await venue.account.open()
        until = str(now() // 1_000_000_000 + 60)
        venue.fault(
            kind=Kind.REFUSE, status=429, path=PLACE, headers={"Retry-After": until}, count=0
        )
        account.place(1, BID, SIZE)
        await account.until(lambda: account.of(RateLimited))
        (limited,) = account.of(RateLimited)
        assert limited.banned
        assert 50 < (limited.until - now()) / 1_000_000_000 < 62


async def test_wrong_key_halts_trading() -> None:
    """Going on is for a person to decide."""
    async with emulated("wrong", connect_seconds_max=1.0) as venue:
        account = venue.account
        with pytest.raises(VenueUnavailable, match="max did not say"):
            await account.open()
        assert account.of(TradingHalted)
