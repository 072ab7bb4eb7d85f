"""Our order port against the emulated Kraken: commands, questions, news, and what goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange
from mm.emulator.faults import Kind
from mm.emulator.kraken.spot import KrakenFront
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    AmendOrder,
    CancelOrder,
    CancelReason,
    Liquidity,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    PlaceOrder,
    Resolution,
    TimeInForce,
)
from mm.events.units import SECONDS, InstrumentId, Lots, Nanos, OrderId, Seq, Side, Ticks
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.order_port import Known, OrderPort, StreamDown, StreamUp
from mm.gateways.venues.kraken.market import KrakenMarket
from mm.gateways.venues.kraken.orders import KrakenOrders
from mm.gateways.verdicts import VenueSaid, Verdict
from tests.build import placed
from tests.emulator.venue import BTCUSDT, KEYS, Reached, opened, printed, reached, spot
from tests.gateways.ear import Ear

OWNER = "maker_main"
FILLING = 5_995_000
"""A bid below the book's, in ticks; a sale at this price fills it."""


def order_id(number: int) -> OrderId:
    """An id as the engine makes it."""
    return OrderId(f"{OWNER}_{1_732_224_000_000 + number}_{number:x}00")


class Desk(Ear):
    """The port, what its stream said, and the venue that it speaks to."""

    port: KrakenOrders

    def __init__(self, exchange: Exchange, account: Account, there: Reached, switch: int) -> None:
        """Nothing is connected yet."""
        self.switched: list[int] = []
        self.exchange = exchange
        self.account = account
        super().__init__(there)
        self.clock = VenueClock("kraken", exchange.now)
        self.port = self.made(KEYS.key, OWNER, switch)
        self.listening: asyncio.Task[None] | None = None
        listed = exchange.listings["BTCUSDT"].instrument
        self.definition: InstrumentDefined = msgspec.structs.replace(
            listed, venue="kraken", symbol="BTC/USDT"
        )
        self.port.learn((self.definition,))

    def made(self, key: str, owner: str, switch: int = 0) -> KrakenOrders:
        """A port of the account."""
        return KrakenOrders(
            self.there.session,
            Credentials(key, KEYS.secret),
            self.clock,
            self.exchange.now,
            (owner,),
            switch,
        )

    def watch(self, front: KrakenFront) -> None:
        """Keep what the venue is told of its switch."""
        inside: Any = front._desk
        act = inside.switch

        def switch(account: Account, timeout: int) -> Any:
            self.switched.append(timeout)
            return act(account, timeout)

        inside.switch = switch

    def fill(self, number: int, size: int, price: int = FILLING) -> None:
        """Somebody sells."""
        self.exchange.tell(printed(number, price, size, Side.SELL))


@asynccontextmanager
async def desk(
    *, listens: bool = True, switch: int = 0, notional_min: Decimal = Decimal(5)
) -> AsyncIterator[Desk]:
    """A port on an emulated Kraken; its stream stands where it `listens`."""
    exchange, account = opened(spot(fee_from_received=False, notional_min=notional_min), "kraken")
    front = KrakenFront(exchange)
    async with reached(front) as there:
        made = Desk(exchange, account, there, switch)
        made.watch(front)
        await made.clock.measure(made.port.venue_clock)
        listening = made.listening = asyncio.create_task(made.listen()) if listens else None
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


@pytest.mark.parametrize("listens", [True, False], ids=["socket", "rest"])
async def test_order_is_placed_moved_and_canceled(listens: bool) -> None:
    """By either way in; what was done is heard on the socket where it stands."""
    async with desk(listens=listens) as there:
        port: OrderPort = there.port
        (acked,) = await port.place(bid(1, post_only=True))
        assert isinstance(acked, OrderAcked)
        (record,) = there.account.open()
        assert (record.price, record.size, record.ticket.post_only) == (FILLING, 50_000, True)
        assert record.ticket.client_id == port.ids.encode(order_id(1))
        move = AmendOrder(
            order_id=order_id(1),
            instrument=BTCUSDT,
            price=Ticks(FILLING - 100),
            size=Lots(40_000),
            cause=Seq(1),
            reason="test",
        )
        assert await port.amend(move, known(1, acked.venue_order_id)) == ()
        assert (record.price, record.size) == (FILLING - 100, 40_000)
        assert await port.cancel(cancel(1), known(1)) == ()
        assert there.account.open() == []
        if listens:
            (amended,) = await there.until(OrderAmended)
            assert (amended.price, amended.size) == (FILLING - 100, 40_000)
            (canceled,) = await there.until(OrderCanceled)
            assert (canceled.reason, canceled.filled) == (CancelReason.REQUESTED, 0)
            assert {each.order_id for each in there.of(OrderAcked)} == {order_id(1)}


async def test_fills_are_heard_once_and_are_those_of_the_history() -> None:
    """Price, size, fee and ids agree between the socket and REST."""
    async with desk() as there:
        await there.port.place(bid(1))
        there.fill(1, 20_000)
        there.fill(2, 10_000)
        heard = await there.until(OrderFilled, 2)
        told, last = await there.port.fills(BTCUSDT, "", Nanos(0))
        plain = [msgspec.structs.replace(each, received=Nanos(0)) for each in heard]
        assert [msgspec.structs.replace(each, received=Nanos(0)) for each in told] == [
            msgspec.structs.replace(each, venue_time=told[at].venue_time)
            for at, each in enumerate(plain)
        ]
        assert [(each.price, each.size, each.order_id) for each in heard] == [
            (FILLING, 20_000, order_id(1)),
            (FILLING, 10_000, order_id(1)),
        ]
        assert heard[0].liquidity is Liquidity.MAKER
        assert (heard[0].fee, heard[0].fee_asset) == (Decimal("0.2") * 59_950 / 1_000, "USDT")
        assert last == heard[-1].fill_id
        later, _ = await there.port.fills(BTCUSDT, heard[0].fill_id, Nanos(0))
        assert [each.fill_id for each in later] == [heard[1].fill_id]


async def test_fills_of_many_pages_come_all_and_in_order() -> None:
    """A page holds fifty, the latest first."""
    async with desk(notional_min=Decimal(0)) as there:
        await there.port.place(bid(1, size=12_000))
        for number in range(120):
            there.fill(number + 1, 100)
        told, last = await there.port.fills(BTCUSDT, "", Nanos(0))
        await there.until(OrderFilled, 120)
        ids = [each.fill_id for each in there.of(OrderFilled)]
        assert [each.fill_id for each in told] == ids
        assert last == ids[-1]


async def test_fill_of_a_stranger_has_no_order_of_ours() -> None:
    """Somebody else trades on the account: its fills move positions, its orders are not ours."""
    async with desk() as there:
        stranger = there.made(KEYS.key, "other_main")
        stranger.learn((there.definition,))
        other = OrderId(f"other_main_{1_732_224_000_001}_100")
        await stranger.place(msgspec.structs.replace(bid(1), order_id=other))
        there.fill(1, 20_000)
        (fill,) = await there.until(OrderFilled)
        assert fill.order_id == ""
        told, _ = await there.port.fills(BTCUSDT, "", Nanos(0))
        assert [each.order_id for each in told] == [""]
        (seen,) = await there.port.open_orders(BTCUSDT)
        assert there.port.ids.decode(seen.client_id) is None
        assert seen.filled == 20_000
        assert there.of(OrderAcked) == []


@pytest.mark.parametrize("listens", [True, False], ids=["socket", "rest"])
@pytest.mark.parametrize(
    ("order", "verdict"),
    [
        (bid(1, price=6_020_000, post_only=True), Verdict.POST_ONLY_CROSSED),
        (bid(1, size=10_000_000), Verdict.NO_FUNDS),
        (bid(1, size=1), Verdict.NOTIONAL_TOO_SMALL),
    ],
    ids=lambda each: each.value if isinstance(each, Verdict) else "",
)
async def test_refusal_has_its_verdict(order: PlaceOrder, verdict: Verdict, listens: bool) -> None:
    """By either way in."""
    async with desk(listens=listens) as there:
        with pytest.raises(VenueSaid) as raised:
            await there.port.place(order)
        assert raised.value.verdict is verdict
        assert raised.value.raw_code.startswith("EOrder:")
        assert KEYS.secret not in str(raised.value)


async def test_order_that_was_never_sent_is_not_known() -> None:
    """Neither to be asked about nor to be canceled."""
    async with desk() as there:
        assert await there.port.order(known(9)) is None
        assert await there.port.order(known(9, "O00000-00000-000009")) is None
        with pytest.raises(VenueSaid) as raised:
            await there.port.cancel(cancel(9), known(9))
        assert raised.value.verdict is Verdict.ORDER_NOT_FOUND


async def test_what_became_of_an_order_is_told_by_either_name() -> None:
    """Open with a fill, then canceled; filled; canceled at once."""
    async with desk() as there:
        port = there.port
        (acked,) = await port.place(bid(1))
        assert isinstance(acked, OrderAcked)
        there.fill(1, 20_000)
        for name in (known(1), known(1, acked.venue_order_id)):
            found = await port.order(name)
            assert found is not None
            assert (found.resolution, found.filled) == (Resolution.OPEN, 20_000)
            assert (found.price, found.size, found.side) == (FILLING, 50_000, Side.BUY)
        await port.cancel(cancel(1), known(1))
        found = await port.order(known(1))
        assert found is not None
        assert (found.resolution, found.filled) == (Resolution.CANCELED, 20_000)
        await port.place(bid(2))
        there.fill(2, 50_000)
        found = await port.order(known(2))
        assert found is not None
        assert (found.resolution, found.filled) == (Resolution.FILLED, 50_000)
        await port.place(bid(3, price=6_010_000, size=150_000, tif=TimeInForce.IOC))
        (rest,) = [
            each for each in await there.until(OrderCanceled, 2) if each.order_id == order_id(3)
        ]
        assert (rest.reason, rest.filled) == (CancelReason.IOC_REST, 100_000)


async def test_market_order_takes_what_is_shown() -> None:
    """Without a price, at those of the book."""
    async with desk() as there:
        await there.port.place(
            bid(1, price=0, size=150_000, kind=OrderKind.MARKET, tif=TimeInForce.IOC)
        )
        fills = await there.until(OrderFilled, 2)
        assert [(each.price, each.size) for each in fills] == [
            (6_010_000, 100_000),
            (6_020_000, 50_000),
        ]
        assert fills[0].liquidity is Liquidity.TAKER


async def test_all_orders_of_an_instrument_are_canceled() -> None:
    """Whoever placed them."""
    async with desk() as there:
        for number in (1, 2, 3):
            await there.port.place(bid(number, price=FILLING - number))
        assert len(await there.port.open_orders(BTCUSDT)) == 3
        assert await there.port.open_orders(InstrumentId(77)) == []
        await there.port.cancel_all(BTCUSDT)
        assert there.account.open() == []


async def test_account_has_todays_names_and_what_orders_hold() -> None:
    """XXBT is BTC."""
    async with desk() as there:
        await there.port.place(bid(1))
        found = {each.asset: (each.free, each.locked) for each in await there.port.account()}
        assert found["BTC"] == (Decimal(10), Decimal(0))
        assert found["USDT"][1] >= Decimal("0.5") * 59_950
        assert sum(found["USDT"]) == 1_000_000


async def test_clock_of_the_venue_is_read() -> None:
    """By the socket to the microsecond, without it to half a second."""
    for listens, error in ((True, SECONDS // 5), (False, 2 * SECONDS)):
        async with desk(listens=listens) as there:
            there.exchange.skew = Nanos(30 * SECONDS)
            assert abs(await there.port.venue_clock() - there.exchange.now()) < error


async def test_answer_that_is_cut_off_leaves_the_outcome_open() -> None:
    """The order was placed; asked about by our own id, it is found."""
    async with desk(listens=False) as there:
        there.fault(kind=Kind.ABORT, path="*/AddOrder")
        with pytest.raises(VenueSaid) as raised:
            await there.port.place(bid(1))
        assert raised.value.verdict is Verdict.UNKNOWN
        found = await there.port.order(known(1))
        assert found is not None
        assert found.resolution is Resolution.OPEN


@pytest.mark.parametrize("kind", [Kind.REFUSE, Kind.TRUNCATE])
async def test_answer_that_is_none_of_the_venues_leaves_the_outcome_open(kind: Kind) -> None:
    """A page of HTML, or half an answer."""
    async with desk(listens=False) as there:
        there.fault(kind=kind, path="*/AddOrder")
        with pytest.raises(VenueSaid) as raised:
            await there.port.place(bid(1))
        assert raised.value.verdict is Verdict.UNKNOWN


async def test_lost_socket_leaves_its_commands_open_and_is_dialled_again() -> None:
    """What was said on it is asked for; the next command goes out on the new one."""
    async with desk() as there:
        there.fault(kind=Kind.CUT, host="ws-auth*", text="add_order")
        with pytest.raises(VenueSaid) as raised:
            await there.port.place(bid(1))
        assert raised.value.verdict is Verdict.UNKNOWN
        await there.until(StreamDown)
        await there.until(StreamUp, 2)
        found = await there.port.order(known(1))
        assert found is not None
        await there.port.cancel(cancel(1), known(1))
        assert there.account.open() == []


async def test_fill_while_nobody_listened_is_found_in_the_history() -> None:
    """A hole in the numbers ends the connection, and history has what was not heard."""
    async with desk() as there:
        await there.port.place(bid(1))
        await there.until(OrderAcked)
        there.fault(kind=Kind.DROP, host="ws-auth*", text="exec_id")
        there.fill(1, 20_000)
        there.fill(2, 20_000)
        (down,) = await there.until(StreamDown)
        assert "comes after" in down.reason
        await there.until(StreamUp, 2)
        told, _ = await there.port.fills(BTCUSDT, "", Nanos(0))
        assert [each.size for each in told] == [20_000, 20_000]


async def test_frame_that_cannot_be_read_ends_the_connection() -> None:
    """Nobody knows what it said."""
    async with desk() as there:
        there.fault(kind=Kind.MALFORM, host="ws-auth*", stream="executions")
        with suppress(VenueSaid):  # Its answer came later, or not at all.
            await there.port.place(bid(1))
        (down,) = await there.until(StreamDown)
        assert "unreadable" in down.reason
        await there.until(StreamUp, 2)


async def test_wrong_key_stops_the_stream() -> None:
    """Dialling again would only lock the account."""
    async with desk(listens=False) as there:
        wrong = there.made("nobody", OWNER)
        wrong.learn((there.definition,))
        with pytest.raises(VenueSaid) as raised:
            await anext(wrong.stream())
        assert raised.value.verdict is Verdict.NOT_PERMITTED


async def test_switch_is_said_again_while_we_live_and_let_go_by_an_orderly_end() -> None:
    """What others have on the account stays there when we leave."""
    async with desk(switch=3) as there:
        await there.holds(lambda: there.switched[:3] == [3, 3, 3])
        assert there.listening is not None
        there.listening.cancel()
        await there.holds(lambda: there.switched[-1] == 0)


async def test_switch_cancels_all_when_we_fall_silent() -> None:
    """Nothing that we say arrives any more: the venue acts."""
    async with desk(switch=1) as there:
        await there.port.place(bid(1))
        for socket in there.there.running.hub.sockets:
            socket.deaf = True
        await there.holds(lambda: not there.account.open())


async def test_order_that_comes_too_late_is_refused() -> None:
    """By the venue's clock: what was on its way for too long is not wanted any more."""
    async with desk() as there:
        there.exchange.skew = Nanos(6 * SECONDS)
        with pytest.raises(VenueSaid) as raised:
            await there.port.place(bid(1))
        assert raised.value.verdict is Verdict.CLOCK_SKEW
        await there.clock.measure(there.port.venue_clock)
        await there.port.place(bid(1))


async def test_nothing_is_placed_while_the_venues_time_is_not_known() -> None:
    """What cannot be stamped is not sent."""
    async with desk() as there:
        there.clock.doubt()
        with pytest.raises(VenueSaid) as raised:
            await there.port.place(bid(1))
        assert raised.value.verdict is Verdict.NOT_SENT


async def test_nonces_arrive_in_order_however_many_ask_at_once() -> None:
    """None of thirty questions at once is refused."""
    async with desk(listens=False) as there:
        answers = await asyncio.gather(*[there.port.open_orders(BTCUSDT) for _ in range(15)])
        assert answers == [[]] * 15


async def test_number_in_a_command_is_exact() -> None:
    """Digits that a float would lose."""
    async with desk() as there:
        await there.port.place(bid(1, price=FILLING - 1, size=123_457))
        (record,) = there.account.open()
        assert (record.price, record.size) == (FILLING - 1, 123_457)


def test_market_and_orders_are_of_one_venue() -> None:
    """Their instruments are the same."""
    assert KrakenMarket.venue == KrakenOrders.venue
