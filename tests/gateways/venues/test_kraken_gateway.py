"""The gateway with Kraken's port against the emulated venue: what the log has is what happened."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from mm.emulator.faults import Kind, Rule
from mm.emulator.kraken.spot import KrakenFront
from mm.events.account import AccountDown, AccountReconciled, BalanceReported
from mm.events.orders import OrderFilled, OrderRejected, OrderUncertain, RejectReason
from mm.events.units import Side
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.venues.kraken.orders import KrakenOrders
from mm.projections.lifecycle import Status
from tests.emulator.venue import KEYS, opened, printed, reached, spot
from tests.gateways.accounts import Wired
from tests.gateways.fake_venue import now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mm.emulator.account import Account as Held
    from mm.emulator.exchange import Exchange
    from mm.emulator.server import Running

BID = 5_995_000
SIZE = 50_000
PART = 20_000


class Kraken:
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
        self.exchange.tell(printed(number, BID, size, Side.SELL))


@asynccontextmanager
async def kraken(**changes: Any) -> AsyncIterator[Kraken]:
    """A gateway to an emulated Kraken; nothing is connected before `open`."""
    exchange, held = opened(spot(fee_from_received=False, notional_min=Decimal(5)), "kraken")
    async with reached(KrakenFront(exchange)) as there:
        clock = VenueClock("kraken", now)
        port = KrakenOrders(
            there.session, Credentials(KEYS.key, KEYS.secret), clock, now, ("maker_main",), 0
        )
        definition = spot(
            venue="kraken", symbol="BTC/USDT", fee_from_received=False, notional_min=Decimal(5)
        )
        settings = {"heard_seconds_max": 2.0, "connect_seconds_max": 15.0}
        async with Wired(port, definition, clock, **{**settings, **changes}) as account:
            yield Kraken(exchange, held, there.running, account)


async def test_order_rests_fills_in_part_and_is_canceled() -> None:
    """The log has what the venue's own account has."""
    async with kraken() as venue:
        account = await venue.account.open()
        name = account.place(1, BID, SIZE)
        await account.reaches(name, Status.OPEN)
        venue.sell(1)
        await account.reaches(name, Status.PARTIALLY_FILLED)
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert (account.net, venue.held.open()) == (PART, [])
        (fill,) = account.of(OrderFilled)
        assert (fill.strategy, fill.fee_asset) == ("maker", "USDT")
        assert account.of(BalanceReported)


async def test_refusal_is_on_the_log_with_its_reason() -> None:
    """A post-only order that would take."""
    async with kraken() as venue:
        account = await venue.account.open()
        name = account.place(1, 6_020_000, SIZE, post_only=True)
        await account.reaches(name, Status.REJECTED)
        (rejected,) = account.of(OrderRejected)
        assert rejected.reason is RejectReason.POST_ONLY_CROSSED
        assert rejected.raw_text == "EOrder:Post only order"


async def test_fills_of_a_stream_that_fell_silent_are_recovered() -> None:
    """Nothing is heard while they happen; once it stands again each is booked once."""
    async with kraken() as venue:
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


async def test_order_whose_answer_was_lost_is_asked_after_and_found() -> None:
    """The venue has it; the log comes to know, and it is not sent twice."""
    async with kraken() as venue:
        account = await venue.account.open()
        venue.fault(kind=Kind.DROP, host="ws-auth*", text='"method":"add_order"')
        venue.fault(kind=Kind.DROP, host="ws-auth*", stream="executions", count=0)
        name = account.place(1, BID, SIZE)
        await account.until(lambda: account.of(OrderUncertain))
        venue.running.hub.faults.clear()
        await account.reaches(name, Status.OPEN)
        assert len(venue.held.open()) == 1


async def test_order_that_never_arrived_is_resolved() -> None:
    """Neither open nor closed at the venue once it can no more take effect."""
    async with kraken() as venue:
        account = await venue.account.open()
        for socket in venue.running.hub.sockets:
            socket.deaf = True
        name = account.place(1, BID, SIZE)
        await account.until(lambda: account.of(OrderUncertain))
        account.windows_pass()
        await account.until(lambda: account.order(name).closed)
        assert venue.held.open() == []


async def test_everything_is_canceled() -> None:
    """Three orders of ours, all gone."""
    async with kraken() as venue:
        account = await venue.account.open()
        names = [account.place(number, BID - number, SIZE) for number in (1, 2, 3)]
        for name in names:
            await account.reaches(name, Status.OPEN)
        account.cancel_all()
        for name in names:
            await account.reaches(name, Status.CANCELED)
        assert venue.held.open() == []


@pytest.mark.parametrize("text", ["EService:Unavailable", "EService:Busy", "EAPI:Invalid nonce"])
async def test_venue_that_is_away_at_the_start_is_asked_again(text: str) -> None:
    """Until it answers."""
    async with kraken() as venue:
        body = f'{{"error":["{text}"]}}'
        venue.fault(kind=Kind.REFUSE, status=200, body=body, path="/0/private/*", count=3)
        account = await venue.account.open()
        assert account.of(AccountReconciled)
