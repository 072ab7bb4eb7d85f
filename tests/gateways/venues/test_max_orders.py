"""Our order port against the emulated MAX: commands, questions, news, and what goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
import pytest

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange
from mm.emulator.faults import Kind, Rule
from mm.emulator.max.front import MaxFront
from mm.errors import BadInput
from mm.events.account import BalanceReported
from mm.events.orders import (
    CancelOrder,
    CancelReason,
    OrderAcked,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderKind,
    OrderRejected,
    PlaceOrder,
    Resolution,
    TimeInForce,
)
from mm.events.units import SECONDS, Nanos, OrderId, Seq, Side
from mm.gateways.client_ids import TextIds
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.order_port import Known, OrderPort, StreamDown, StreamUp
from mm.gateways.venues.max.messages import OrderNews, Reader, TradeNews, TradeTold
from mm.gateways.venues.max.orders import MaxOrders
from mm.gateways.venues.max.rest import Signer
from mm.gateways.verdicts import VenueSaid, Verdict
from tests.build import placed
from tests.emulator.venue import BTCUSDT, KEYS, Reached, opened, printed, reached, spot

PATIENCE = 10.0
OWNER = "maker_main"
FILLING = 5_995_000
"""A bid below the book's best offer, in ticks; a sale at this price fills it."""
DEFINED = spot(venue="max", symbol="btcusdt")


def order_id(number: int) -> OrderId:
    """An id as the engine makes it."""
    return OrderId(f"{OWNER}_{1_732_224_000_000 + number}_{number:x}00")


class Desk:
    """The port, what its stream said, and the venue that it speaks to."""

    def __init__(self, exchange: Exchange, account: Account, there: Reached, wallet: str) -> None:
        """Nothing is connected yet."""
        self.exchange = exchange
        self.account = account
        self.there = there
        self.clock = VenueClock("max", exchange.now)
        self.port = self.made(KEYS.secret, wallet)
        self.heard: list[Any] = []

    def made(self, secret: str, wallet: str = "spot") -> MaxOrders:
        """A port of the account."""
        keys = Credentials(KEYS.key, secret)
        session, now = self.there.session, self.exchange.now
        port = MaxOrders(session, keys, self.clock, now, (OWNER,), wallet)
        port.learn((DEFINED,))
        return port

    async def listen(self) -> None:
        """Keep what the stream says."""
        async for news in self.port.stream():
            self.heard += news if type(news) is tuple else [news]

    def of(self, kind: type) -> list[Any]:
        """What was heard of a kind."""
        return [each for each in self.heard if isinstance(each, kind)]

    async def until(self, kind: type, most: int = 1) -> list[Any]:
        """Wait for so many of a kind."""
        async with asyncio.timeout(PATIENCE):
            for _ in count():
                if len(self.of(kind)) >= most:
                    break
                await asyncio.sleep(0.005)
        return self.of(kind)

    def fault(self, **rule: Any) -> None:
        """Let something go wrong."""
        self.there.running.hub.faults.add([Rule(**rule)])

    def fill(self, number: int, size: int, price: int = FILLING) -> None:
        """Somebody sells."""
        self.exchange.tell(printed(number, price, size, Side.SELL))


@asynccontextmanager
async def desk(*, listens: bool = True, wallet: str = "spot", **more: Any) -> AsyncIterator[Desk]:
    """A port on an emulated MAX; its stream stands where it `listens`."""
    exchange, account = opened(spot(), "max")
    async with reached(MaxFront(exchange, **more)) as there:
        made = Desk(exchange, account, there, wallet)
        await made.clock.measure(made.port.venue_clock)
        listening = asyncio.create_task(made.listen()) if listens else None
        try:
            if listens:
                await made.until(StreamUp)
            yield made
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)


def bid(number: int, price: int = FILLING, size: int = 50_000, **changes: Any) -> PlaceOrder:
    """A resting bid for half a bitcoin."""
    return placed(order_id(number), Side.BUY, price, size, instrument=BTCUSDT, **changes)


def cancel(number: int) -> CancelOrder:
    """Its cancel."""
    return CancelOrder(order_id=order_id(number), instrument=BTCUSDT, cause=Seq(1), reason="test")


def known(number: int, venue_order_id: str = "") -> Known:
    """What names it."""
    return Known(order_id(number), BTCUSDT, venue_order_id)


@pytest.mark.parametrize("wallet", ["spot", "m"])
async def test_order_is_acknowledged_and_canceled_by_the_stream_alone(wallet: str) -> None:
    """The answers prove nothing; either wallet is an account of its own."""
    async with desk(wallet=wallet) as there:
        port: OrderPort = there.port
        assert not port.abilities.acknowledges
        assert await port.place(bid(1)) == ()
        (acked,) = await there.until(OrderAcked)
        assert acked.order_id == order_id(1)
        (evidence,) = await port.open_orders(BTCUSDT)
        assert (evidence.price, evidence.size, evidence.filled) == (FILLING, 50_000, 0)
        assert evidence.client_id == port.ids.encode(order_id(1)) == order_id(1)
        assert len(there.account.open()) == (wallet == "spot")
        assert await port.cancel(cancel(1), known(1, acked.venue_order_id)) == ()
        (canceled,) = await there.until(OrderCanceled)
        assert (canceled.reason, canceled.filled) == (CancelReason.REQUESTED, 0)
        assert await port.open_orders(BTCUSDT) == []


async def test_fills_are_heard_once_and_are_those_of_the_history() -> None:
    """Price, size, fee, side and ids agree between the socket and REST."""
    async with desk() as there:
        await there.port.place(bid(1))
        await there.until(OrderAcked)
        there.fill(1, 20_000)
        there.fill(2, 10_000)
        heard = await there.until(OrderFilled, 2)
        told, last = await there.port.fills(BTCUSDT, "", Nanos(1))
        plain = [
            [msgspec.structs.replace(each, received=Nanos(0)) for each in some]
            for some in (heard, told)
        ]
        assert plain[0] == plain[1]
        assert [(each.price, each.size, each.order_id) for each in heard] == [
            (FILLING, 20_000, order_id(1)),
            (FILLING, 10_000, order_id(1)),
        ]
        assert (heard[0].fee, heard[0].fee_asset) == (Decimal("0.0002"), "BTC")
        later, _ = await there.port.fills(BTCUSDT, heard[0].fill_id, Nanos(1))
        assert [each.fill_id for each in later] == [heard[1].fill_id]
        assert await there.port.fills(BTCUSDT, last, Nanos(1)) == ([], last)


async def test_owner_of_a_fill_is_asked_where_nobody_named_it() -> None:
    """A port that has heard nothing finds the order by its venue's id."""
    async with desk() as there:
        await there.port.place(bid(1))
        await there.until(OrderAcked)
        there.fill(1, 20_000)
        (fill,), _ = await there.made(KEYS.secret).fills(BTCUSDT, "", Nanos(1))
        assert fill.order_id == order_id(1)


ENDS: dict[str, tuple[PlaceOrder, type, CancelReason | None]] = {
    "post-only that would take": (bid(1, 6_020_000, post_only=True), OrderExpired, None),
    "at once or not at all": (bid(1, tif=TimeInForce.IOC), OrderCanceled, CancelReason.IOC_REST),
}


@pytest.mark.parametrize("name", ENDS)
async def test_order_that_may_not_rest_ends(name: str) -> None:
    """Accepted, and then canceled by the venue."""
    order, kind, reason = ENDS[name]
    async with desk() as there:
        assert await there.port.place(order) == ()
        (ended,) = await there.until(kind)
        assert getattr(ended, "reason", None) is reason
        assert there.account.open() == []


async def test_market_order_fills() -> None:
    """At the price that the book has."""
    async with desk() as there:
        await there.port.place(bid(1, 0, 1_000, kind=OrderKind.MARKET, tif=TimeInForce.IOC))
        (fill,) = await there.until(OrderFilled)
        assert (fill.price, fill.size) == (6_010_000, 1_000)


@pytest.mark.parametrize(
    ("order", "verdict"),
    [
        (bid(1, size=10_000_000), Verdict.NO_FUNDS),
        (bid(1, size=1), Verdict.NOTIONAL_TOO_SMALL),
        (bid(1, tif=TimeInForce.FOK), Verdict.INVALID_ORDER),
    ],
    ids=lambda each: each.value if isinstance(each, Verdict) else "",
)
async def test_refusal_has_its_verdict(order: PlaceOrder, verdict: Verdict) -> None:
    """And nothing was placed."""
    async with desk(listens=False) as there:
        with pytest.raises(VenueSaid) as said:
            await there.port.place(order)
        assert said.value.verdict is verdict
        assert there.account.orders(BTCUSDT) == []


async def test_client_id_that_was_used_is_uncertain_and_its_order_is_found() -> None:
    """The first may stand: it is asked after, not sent again."""
    async with desk() as there:
        await there.port.place(bid(1))
        with pytest.raises(VenueSaid) as said:
            await there.port.place(bid(1))
        assert said.value.verdict is Verdict.DUPLICATE_ID
        found = await there.port.order(known(1))
        assert found is not None
        assert found.resolution is Resolution.OPEN
        assert await there.port.order(known(2)) is None


@pytest.mark.parametrize("kind", [Kind.ABORT, Kind.TRUNCATE])
async def test_answer_that_is_lost_leaves_an_order_that_is_found(kind: Kind) -> None:
    """The venue accepted it: nobody knows that before it is asked."""
    async with desk(listens=False) as there:
        there.fault(kind=kind, path="/api/v3/wallet/*/order", method="POST")
        with pytest.raises(VenueSaid) as said:
            await there.port.place(bid(1))
        assert said.value.verdict is Verdict.UNKNOWN
        evidence = await there.port.order(known(1))
        assert evidence is not None
        assert evidence.client_id == order_id(1)


async def test_nonce_that_was_used_says_nothing_of_an_order() -> None:
    """The network may have sent it twice; a cancel is just said again."""
    used = {"success": False, "error": {"code": 2006, "message": "used"}}
    async with desk(listens=False) as there:
        there.fault(kind=Kind.REFUSE, status=401, body=json.dumps(used), path="*order", count=2)
        with pytest.raises(VenueSaid) as said:
            await there.port.place(bid(1))
        assert said.value.verdict is Verdict.UNKNOWN
        with pytest.raises(VenueSaid) as said:
            await there.port.cancel(cancel(1), known(1))
        assert said.value.verdict is Verdict.CLOCK_SKEW


async def test_ban_tells_how_long_it_lasts() -> None:
    """The header is a time of day; what is told are seconds from now."""
    async with desk(listens=False, requests_max=4) as there:
        await there.port.venue_clock()
        with pytest.raises(VenueSaid) as said:
            await there.port.venue_clock()
        assert said.value.verdict is Verdict.BANNED
        assert 50 < said.value.retry_after < 62


async def test_all_orders_of_the_wallet_are_canceled() -> None:
    """And their ends are ours."""
    async with desk() as there:
        for number in (1, 2):
            await there.port.place(bid(number, FILLING - number))
        await there.until(OrderAcked, 2)
        await there.port.cancel_all(BTCUSDT)
        ended = await there.until(OrderCanceled, 2)
        assert {each.reason for each in ended} == {CancelReason.REQUESTED}


async def test_balances_are_those_of_the_account() -> None:
    """Over REST and on the socket, with what an order holds."""
    async with desk() as there:
        held = {each.asset: (each.free, each.locked) for each in await there.port.account()}
        assert held["BTC"] == (Decimal(10), Decimal(0))
        assert held["USDT"] == (Decimal(1_000_000), Decimal(0))
        await there.port.place(bid(1))
        await there.until(BalanceReported, 3)
        last = there.of(BalanceReported)[-1]
        assert (last.asset, last.locked) == ("USDT", Decimal(29975))


async def test_stream_that_is_cut_stands_again() -> None:
    """Down, then up; a frame that cannot be read ends it, too."""
    async with desk() as there:
        (socket,) = there.there.running.hub.sockets
        socket.cut()
        await there.until(StreamUp, 2)
        there.fault(kind=Kind.MALFORM, stream="user")
        await there.port.place(bid(1))
        await there.until(StreamUp, 3)
        assert len(there.of(StreamDown)) == 2


async def test_wrong_secret_is_not_permitted() -> None:
    """Over REST and on the socket."""
    async with desk(listens=False) as there:
        port = there.made("wrong")
        with pytest.raises(VenueSaid) as said:
            await port.account()
        assert said.value.verdict is Verdict.NOT_PERMITTED
        with pytest.raises(VenueSaid) as said:
            async for _ in port.stream():
                pass
        assert said.value.verdict is Verdict.NOT_PERMITTED


async def test_nonces_lie_behind_the_venues_clock_and_are_never_the_same() -> None:
    """So a request that is ten seconds late is refused, and so is one said twice."""
    async with desk(listens=False) as there:
        signer = Signer(Credentials(KEYS.key, KEYS.secret), there.clock)
        nonces = [signer.nonce() for _ in range(50)]
        assert len(set(nonces)) == 50
        assert 19_000 < there.clock.stamp() - nonces[0] < 21_000
        assert there.port.abilities.settles == 13 * SECONDS


def reader() -> Reader:
    """A reader of the market."""
    made = Reader(TextIds((OWNER,), length=36, alphabet="A-Za-z0-9_-"), lambda: Nanos(1))
    made.learn((DEFINED,))
    return made


def news(state: str, **changes: Any) -> OrderNews:
    """An order's news."""
    values: dict[str, Any] = {
        "i": 7,
        "sd": "bid",
        "ot": "limit",
        "v": Decimal(1),
        "ev": Decimal(0),
        "S": state,
        "M": "btcusdt",
        "TU": 1,
        "ci": order_id(1),
    }
    return OrderNews(**{**values, **changes})


def trade(number: int = 1, order: int = 7, **changes: Any) -> TradeNews:
    """A trade's news."""
    values: dict[str, Any] = {
        "i": number,
        "M": "btcusdt",
        "sd": "bid",
        "p": Decimal(60_000),
        "v": Decimal("0.5"),
        "T": 1,
        "m": True,
        "oi": order,
    }
    return TradeNews(**{**values, **changes})


def test_trade_waits_until_its_order_is_named() -> None:
    """It comes on another channel, perhaps before its order."""
    made = reader()
    assert made.trade(trade()) == []
    fill, acked = made.order(news("done", ev=Decimal(1)))
    assert isinstance(fill, OrderFilled)
    assert isinstance(acked, OrderAcked)
    assert fill.order_id == order_id(1)
    assert made.trade(trade(2, 8)) == []
    (other,) = made.name(8, "")
    assert isinstance(other, OrderFilled)
    assert other.order_id == ""


def test_trades_that_nobody_names_end_the_connection() -> None:
    """They are asked for then; they are not dropped in silence."""
    made = reader()
    for number in range(1_000):
        made.trade(trade(number, number))
    with pytest.raises(BadInput):
        made.trade(trade(1_001, 1_001))


def test_order_that_failed_is_rejected_and_one_unasked_is_the_venues() -> None:
    """As the states of the socket say."""
    made = reader()
    (rejected,) = made.order(news("failed"))
    assert isinstance(rejected, OrderRejected)
    _, canceled = made.order(news("cancel", ev=Decimal("0.5")))
    assert isinstance(canceled, OrderCanceled)
    assert (canceled.reason, canceled.filled) == (CancelReason.VENUE, 50_000)
    with pytest.raises(BadInput):
        made.order(news("convert"))


def test_trade_with_ourselves_is_two_fills() -> None:
    """The plain fields are the seller's; the buyer's stand beside them."""
    told = TradeTold(
        id=1,
        order_id=7,
        market="btcusdt",
        side="self-trade",
        price=Decimal(60_000),
        volume=Decimal(1),
        liquidity="taker",
        created_at=1,
        fee=Decimal(9),
        fee_currency="usdt",
        self_trade_bid_order_id=8,
        self_trade_bid_fee=Decimal("0.1"),
        self_trade_bid_fee_currency="btc",
    )
    ask, other = told.sides()
    assert (ask.sd, ask.oi, ask.m, ask.fc) == ("ask", 7, False, "usdt")
    assert (other.sd, other.oi, other.m, other.f) == ("bid", 8, True, Decimal("0.1"))
