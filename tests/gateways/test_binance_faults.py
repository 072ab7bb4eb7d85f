"""Whatever Binance may do to an order: it is on the log once, with its fills, and never doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mm.emulator.faults import Kind
from mm.events.account import AccountDown
from mm.events.orders import (
    OrderAcked,
    OrderFilled,
    OrderRejected,
    OrderResolved,
    OrderUncertain,
    Resolution,
)
from mm.events.session import TradingHalted
from mm.events.units import SECONDS, Nanos, Side
from mm.events.venue import ClockMeasured, RateLimited
from mm.gateways.calls import CallLimits
from mm.projections.lifecycle import Status
from tests.emulator.venue import printed
from tests.gateways.binance_account import MARKETS, BinanceAccount, bid, lots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mm.events.units import OrderId
    from tests.gateways.accounts import Wired

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ccxt")
HASTE = CallLimits(answer_seconds_max=1.0)
"""How long an answer may take; what hangs in these tests hangs for longer."""
UNKNOWN_DONE: list[tuple[Kind, dict[str, Any]]] = [
    (Kind.ABORT, {}),
    (Kind.TRUNCATE, {}),
    (Kind.ANSWER, {"status": 200, "body": "{}"}),
    (Kind.ANSWER, {"status": 503}),
    (Kind.ANSWER, {"status": 504, "body": '{"code":-1007,"msg":"Timeout waiting for response."}'}),
    (Kind.DELAY, {"seconds": 3}),
]
"""The order was accepted, and the answer says nothing."""
UNKNOWN_UNDONE: list[tuple[Kind, dict[str, Any]]] = [
    (Kind.RESET, {}),
    (Kind.REFUSE, {"status": 502}),
    (Kind.REFUSE, {"status": 400, "body": '{"code":-1006,"msg":"Unexpected response."}'}),
    (Kind.REFUSE, {"status": 400, "body": '{"code":-9999,"msg":"Never heard of."}'}),
    (Kind.HANG, {"seconds": 3}),
]
"""It never arrived, and the answer says nothing of that."""


@pytest.fixture(params=MARKETS)
async def binance(request: pytest.FixtureRequest) -> AsyncIterator[BinanceAccount]:
    """Spot and USD-M in turn."""
    async with BinanceAccount(request.param).listening() as account:
        yield account


def open_ids(binance: BinanceAccount) -> list[str]:
    """The client ids of what rests at the venue."""
    return [record.ticket.client_id for record in binance.held.open(None)]


async def decided(account: Wired, name: OrderId) -> None:
    """Wait until it is known what became of a place."""
    await account.until(lambda: account.status(name) is not Status.PENDING_NEW)


async def rests(account: Wired, binance: BinanceAccount, size: str = "0.5") -> OrderId:
    """An order of ours at rest."""
    name = account.place(1, bid(binance), lots(binance, size))
    await account.reaches(name, Status.OPEN)
    return name


async def plain(account: Wired, binance: BinanceAccount, number: int) -> None:
    """An order that nothing befalls, so that the circuit stays closed."""
    name = account.place(1_000 + number, bid(binance, 100 + number), lots(binance, "0.01"))
    await account.reaches(name, Status.OPEN)


async def test_an_accepted_order_without_an_answer_is_adopted(binance: BinanceAccount) -> None:
    """One after the other, in each way; the venue holds each order once."""
    async with binance.wired(calls=HASTE) as account:
        await account.open()
        binance.goes_wrong(Kind.DROP, text='"NEW"', count=0)
        for number, (kind, what) in enumerate(UNKNOWN_DONE, 1):
            binance.goes_wrong(kind, method="POST", **what)
            name = account.place(number, bid(binance, 50 + number), lots(binance, "0.01"))
            await account.reaches(name, Status.UNCERTAIN)
            await account.reaches(name, Status.OPEN)
            await plain(account, binance, number)
        assert len(account.of(OrderUncertain)) == len(UNKNOWN_DONE)
        assert sorted(open_ids(binance)) == sorted(o.order_id for o in account.state.orders.live)


async def test_an_order_that_never_arrived_is_given_up_late(binance: BinanceAccount) -> None:
    """Not before its receive window has passed, and it is not sent again."""
    async with binance.wired(calls=HASTE) as account:
        await account.open()
        for number, (kind, what) in enumerate(UNKNOWN_UNDONE, 1):
            binance.goes_wrong(kind, method="POST", **what)
            name = account.place(number, bid(binance, 50 + number), lots(binance, "0.01"))
            await account.reaches(name, Status.UNCERTAIN)
            account.windows_pass()
            await account.reaches(name, Status.REJECTED)
            await plain(account, binance, number)
        resolved = account.of(OrderResolved)
        assert [each.resolution for each in resolved] == [Resolution.NEVER_ARRIVED] * len(resolved)
        assert sorted(open_ids(binance)) == sorted(o.order_id for o in account.state.orders.live)


async def test_a_fill_before_the_ack(binance: BinanceAccount) -> None:
    """The stream is faster than the answer."""
    async with binance.wired() as account:
        await account.open()
        binance.goes_wrong(Kind.DELAY, method="POST", seconds=0.5)
        size = lots(binance, "0.5")
        name = account.place(1, bid(binance), size)
        await account.until(lambda: open_ids(binance))
        binance.exchange.tell(printed(1, bid(binance), size, Side.SELL))
        await account.reaches(name, Status.FILLED)
        assert account.net == size


async def test_fills_told_twice_are_booked_once(binance: BinanceAccount) -> None:
    """The same frame again."""
    async with binance.wired() as account:
        await account.open()
        name = await rests(account, binance)
        binance.goes_wrong(Kind.DUPLICATE, text="TRADE", count=0)
        part = lots(binance, "0.2")
        for number in (1, 2):
            binance.exchange.tell(printed(number, bid(binance), part, Side.SELL))
        await account.until(lambda: account.net == 2 * part)
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert len(account.of(OrderFilled)) == 2


async def test_a_fill_that_was_never_told_is_found_by_its_cancel(binance: BinanceAccount) -> None:
    """The venue knows the order no more; the question finds it filled."""
    async with binance.wired() as account:
        await account.open()
        name = await rests(account, binance)
        binance.goes_wrong(Kind.DROP, text='"TRADE"', count=0)
        size = lots(binance, "0.5")
        binance.exchange.tell(printed(1, bid(binance), size, Side.SELL))
        await account.until(lambda: not open_ids(binance))
        account.cancel(name)
        await account.reaches(name, Status.FILLED)
        assert account.net == size


async def test_a_fill_after_the_cancel_is_booked(binance: BinanceAccount) -> None:
    """It was late on the wire."""
    async with binance.wired() as account:
        await account.open()
        name = await rests(account, binance)
        binance.goes_wrong(Kind.LATE, text='"TRADE"', seconds=0.5)
        part = lots(binance, "0.2")
        binance.exchange.tell(printed(1, bid(binance), part, Side.SELL))
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert account.order(name).told == part
        await account.until(lambda: account.net == part)
        assert account.state.orders.leaves(account.instrument, Side.BUY) == 0


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.CLOSE, Kind.MALFORM])
async def test_a_broken_user_stream_is_recovered(binance: BinanceAccount, kind: Kind) -> None:
    """Cut, closed or unreadable: nothing is quoted, then all that happened is known."""
    async with binance.wired() as account:
        await account.open()
        name = await rests(account, binance)
        binance.goes_wrong(kind, text='"TRADE"')
        part = lots(binance, "0.2")
        binance.exchange.tell(printed(1, bid(binance), part, Side.SELL))
        await account.until(lambda: account.of(AccountDown))
        await account.until(lambda: account.state.health.reconciled)
        assert account.net == part
        assert account.status(name) is Status.PARTIALLY_FILLED


async def test_a_cancel_whose_answer_is_lost(binance: BinanceAccount) -> None:
    """It was done; the stream or the question says so."""
    async with binance.wired() as account:
        await account.open()
        name = await rests(account, binance)
        binance.goes_wrong(Kind.ABORT, method="DELETE")
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert open_ids(binance) == []


async def test_too_many_requests_and_a_ban_are_facts(binance: BinanceAccount) -> None:
    """With the time that the venue names."""
    async with binance.wired() as account:
        await account.open()
        body = '{"code":-1003,"msg":"Too many requests."}'
        after = {"Retry-After": "1"}
        binance.goes_wrong(Kind.REFUSE, method="POST", status=429, body=body, headers=after)
        name = account.place(1, bid(binance), lots(binance, "0.01"))
        await account.reaches(name, Status.REJECTED)
        other = account.place(2, bid(binance), lots(binance, "0.01"))
        await account.until(lambda: account.status(other) in (Status.OPEN, Status.REJECTED))
        long = {"Retry-After": "120"}
        binance.goes_wrong(Kind.REFUSE, method="POST", status=418, body=body, headers=long)
        while not any(each.banned for each in account.of(RateLimited)):
            await decided(account, account.place(len(account.facts), bid(binance), 100_000))
        limited, banned = account.of(RateLimited)
        assert (limited.banned, banned.banned) == (False, True)
        assert round((banned.until - banned.received) / SECONDS) == 120
        fourth = account.place(9_999, bid(binance), lots(binance, "0.01"))
        await account.reaches(fourth, Status.REJECTED)
        assert fourth not in open_ids(binance)


async def test_without_permission_a_person_has_to_look(binance: BinanceAccount) -> None:
    """From a place that the venue does not serve, say."""
    async with binance.wired() as account:
        await account.open()
        binance.goes_wrong(Kind.REFUSE, method="POST", status=451)
        name = account.place(1, bid(binance), lots(binance, "0.01"))
        await account.reaches(name, Status.REJECTED)
        assert account.of(TradingHalted)


async def test_a_clock_that_is_off_is_measured_and_made_up_for(binance: BinanceAccount) -> None:
    """From the start, and when it moves later: one order is refused, the next is not."""
    binance.exchange.skew = Nanos(-30 * SECONDS)
    async with binance.wired() as account:
        await account.open()
        (measured,) = account.of(ClockMeasured)
        assert round(measured.offset / SECONDS) == -30
        await rests(account, binance)
        binance.exchange.skew = Nanos(3_600 * SECONDS)
        name = account.place(2, bid(binance), lots(binance, "0.01"))
        await account.reaches(name, Status.REJECTED)
        assert [each.raw_code for each in account.of(OrderRejected)] == ["-1021"]
        await account.until(lambda: len(account.of(ClockMeasured)) > 1)
        third = account.place(3, bid(binance), lots(binance, "0.01"))
        await account.reaches(third, Status.OPEN)
        assert len(account.of(OrderAcked)) == 2
