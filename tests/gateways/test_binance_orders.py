"""Orders at an emulated Binance, spot and USD-M, by the real port over TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mm.errors import VenueUnavailable
from mm.events.account import BalanceReported, PositionReported
from mm.events.orders import (
    CancelReason,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    OrderRejected,
    RejectReason,
    TimeInForce,
)
from mm.events.session import TradingHalted
from mm.events.units import Side
from mm.events.venue import ClockMeasured
from mm.projections.lifecycle import Status
from tests.emulator.venue import printed
from tests.gateways.binance_account import MARKETS, BinanceAccount, bid, lots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ccxt")


@pytest.fixture(params=MARKETS)
async def binance(request: pytest.FixtureRequest) -> AsyncIterator[BinanceAccount]:
    """Spot and USD-M in turn."""
    async with BinanceAccount(request.param).listening() as account:
        yield account


async def test_an_order_rests_fills_in_part_and_is_canceled(binance: BinanceAccount) -> None:
    """The log has what the venue's own account has."""
    async with binance.wired() as account:
        await account.open()
        size = lots(binance, "0.5")
        name = account.place(1, bid(binance), size)
        await account.reaches(name, Status.OPEN)
        part = lots(binance, "0.2")
        binance.exchange.tell(printed(1, bid(binance), part, Side.SELL))
        await account.reaches(name, Status.PARTIALLY_FILLED)
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert account.net == part
        (fill,) = account.of(OrderFilled)
        (gone,) = account.of(OrderCanceled)
        assert (fill.strategy, gone.filled) == ("maker", part)
        (measured,) = account.of(ClockMeasured)
        assert measured.safe
        assert account.of(BalanceReported)


async def test_a_crossing_quote_is_refused(binance: BinanceAccount) -> None:
    """Post-only is said in each market's own way."""
    async with binance.wired() as account:
        await account.open()
        name = account.place(1, bid(binance, -500), lots(binance, "0.1"))
        await account.reaches(name, Status.REJECTED)
        (refusal,) = account.of(OrderRejected)
        assert refusal.reason is RejectReason.POST_ONLY_CROSSED


@pytest.mark.parametrize("tif", [TimeInForce.IOC, TimeInForce.FOK])
async def test_an_order_that_takes_at_once(binance: BinanceAccount, tif: TimeInForce) -> None:
    """It fills from the book, and what does not is gone."""
    async with binance.wired() as account:
        await account.open()
        size = lots(binance, "0.3")
        name = account.place(1, bid(binance, -500), size, post_only=False, tif=tif)
        await account.reaches(name, Status.FILLED)
        assert account.net == size
        away = account.place(2, bid(binance), size, post_only=False, tif=tif)
        await account.until(lambda: account.order(away).closed)
        ends = [end for end in account.of(OrderCanceled) if end.order_id == away]
        refused = [end for end in account.of(OrderRejected) if end.order_id == away]
        assert [end.reason for end in ends] == [CancelReason.IOC_REST] or refused


async def test_a_market_order(binance: BinanceAccount) -> None:
    """It has no price, and fills."""
    async with binance.wired() as account:
        await account.open()
        size = lots(binance, "0.3")
        kind = {"kind": OrderKind.MARKET, "post_only": False, "tif": TimeInForce.IOC}
        name = account.place(1, 0, size, side=Side.SELL, **kind)
        await account.reaches(name, Status.FILLED)
        assert account.net == -size


async def test_an_amend_moves_the_order_where_the_venue_can() -> None:
    """USD-M alone; spot says that it was not sent."""
    for name, moves in (("binance_usdm", True), ("binance", False)):
        async with BinanceAccount(name).listening() as binance, binance.wired() as account:
            await account.open()
            size = lots(binance, "0.3")
            order = account.place(1, bid(binance), size)
            await account.reaches(order, Status.OPEN)
            account.amend(order, bid(binance, 60), size + 100)
            assert account.status(order) is Status.PENDING_AMEND
            await account.reaches(order, Status.OPEN)
            wanted = bid(binance, 60) if moves else bid(binance)
            assert account.order(order).price == wanted


async def test_fills_while_the_stream_was_down_are_recovered(binance: BinanceAccount) -> None:
    """A session is over with an order at rest; the next one finds what happened meanwhile."""
    async with binance.wired() as before:
        await before.open()
        size = lots(binance, "0.5")
        name = before.place(1, bid(binance), size)
        await before.reaches(name, Status.OPEN)
        state = before.state
    part = lots(binance, "0.2")
    binance.exchange.tell(printed(1, bid(binance), part, Side.SELL))
    async with binance.wired() as account:
        account.state = state
        account.gateway._tracks._lookup = state.orders.get
        await account.open()
        assert account.status(name) is Status.PARTIALLY_FILLED
        assert account.net == part
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)


async def test_the_account_agrees_with_the_venue(binance: BinanceAccount) -> None:
    """Balances, and positions where there are any."""
    async with binance.wired() as account:
        await account.open()
        size = lots(binance, "0.3")
        name = account.place(1, bid(binance, -500), size, post_only=False, tif=TimeInForce.IOC)
        await account.reaches(name, Status.FILLED)
        account.facts.clear()
        account.told(*await account.gateway.reconcile(account.now(), []))
        totals = {b.asset: b.free + b.locked for b in binance.held.balances()}
        for asset, total in totals.items():
            if total:
                assert account.state.balances.total("main", asset) == total
        positions = account.of(PositionReported)
        if account.port.abilities.positions:
            assert [each.size for each in positions] == [size]


async def test_a_wrong_secret_halts(binance: BinanceAccount) -> None:
    """The signature does not fit: a person has to look, and nothing was traded."""
    async with binance.wired(secret="x" * 64, connect_seconds_max=2.0) as account:
        with pytest.raises(VenueUnavailable):
            await account.open()
        assert any("-1022" in halt.reason for halt in account.of(TradingHalted))


async def test_a_stop_leaves_nothing_behind(binance: BinanceAccount) -> None:
    """Ten orders, one command, none left at the venue."""
    async with binance.wired() as account:
        await account.open()
        size = lots(binance, "0.01")
        names = [account.place(n, bid(binance, 50 + n), size) for n in range(1, 11)]
        for name in names:
            await account.reaches(name, Status.OPEN)
        account.cancel_all()
        for name in names:
            await account.reaches(name, Status.CANCELED)
        assert not binance.held.open(None)
