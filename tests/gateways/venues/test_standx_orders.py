"""Our order port against the emulated StandX: commands, questions, news, and what goes wrong."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from mm.emulator.exchange import Keys
from mm.emulator.faults import Kind
from mm.emulator.standx.keys import credentials
from mm.emulator.standx.limits import Terms
from mm.errors import ConfigError
from mm.events.account import BalanceReported, PositionReported
from mm.events.orders import (
    AmendOrder,
    CancelReason,
    CancelRejected,
    Liquidity,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    OrderRejected,
    RejectReason,
    Resolution,
    TimeInForce,
)
from mm.events.units import SECONDS, Lots, Nanos, OrderId, Seq, Side, Ticks
from mm.gateways.order_port import OrderPort, StreamDown, StreamUp
from mm.gateways.venues.standx.market import StandxMarket
from mm.gateways.venues.standx.orders import StandxOrders
from mm.gateways.verdicts import VenueSaid, Verdict
from tests.emulator.venue import BTCUSDT
from tests.gateways.venues.standx_desk import (
    DUSD,
    FILLING,
    KEYS,
    bid,
    cancel,
    desk,
    known,
    order_id,
)


async def test_order_is_placed_and_canceled() -> None:
    """The answer proves nothing; the stream tells that it rests, and that it ended."""
    async with desk() as there:
        port: OrderPort = there.port
        assert await port.place(bid(1, post_only=True)) == ()
        (acked,) = await there.until(OrderAcked)
        (record,) = there.account.open()
        assert (record.price, record.size, record.ticket.post_only) == (FILLING, 5_000, True)
        assert record.ticket.client_id == port.ids.encode(order_id(1))
        assert (acked.order_id, acked.venue_order_id) == (order_id(1), str(record.number))
        assert await port.cancel(cancel(1), known(1, acked.venue_order_id)) == ()
        (ended,) = await there.until(OrderCanceled)
        assert (ended.order_id, ended.reason, ended.filled) == (
            order_id(1),
            CancelReason.REQUESTED,
            0,
        )
        assert there.account.open() == []


async def test_order_is_canceled_by_our_own_id() -> None:
    """Before anybody heard of the venue's."""
    async with desk(listens=False) as there:
        await there.port.place(bid(1))
        await there.rests()
        await there.port.cancel(cancel(1), known(1))
        assert await there.port.open_orders(BTCUSDT) == []


async def test_order_is_rejected_on_the_response_stream_only() -> None:
    """It was taken, would have taken, and is refused; no question finds it."""
    async with desk() as there:
        assert await there.port.place(bid(1, price=6_020_000, post_only=True)) == ()
        (refused,) = await there.until(OrderRejected)
        assert (refused.order_id, refused.reason) == (
            order_id(1),
            RejectReason.POST_ONLY_CROSSED,
        )
        assert (refused.raw_code, refused.raw_text) == ("400", "alo order rejected")
        assert there.of(OrderAcked) == []
        assert await there.port.order(known(1)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": 900_000}, RejectReason.NO_FUNDS),
        ({"reduce_only": True}, RejectReason.REDUCE_ONLY),
        ({"price": 6_020_000, "size": 40_000, "tif": TimeInForce.FOK}, RejectReason.NO_LIQUIDITY),
    ],
)
async def test_what_matching_refuses_has_its_reason(
    changes: dict[str, Any], reason: RejectReason
) -> None:
    """Told by the order stream."""
    async with desk() as there:
        await there.port.place(bid(1, **changes))
        (refused,) = await there.until(OrderRejected)
        assert refused.reason is reason


async def test_cancel_of_what_is_gone_is_refused_on_the_stream() -> None:
    """The venue takes the cancel and finds no order."""
    async with desk() as there:
        await there.port.cancel(cancel(1), known(1))
        (refused,) = await there.until(CancelRejected)
        assert refused.reason is RejectReason.UNKNOWN_ORDER


async def test_what_cannot_be_an_order_is_refused_at_once() -> None:
    """Nothing is sent to matching."""
    async with desk() as there:
        with pytest.raises(VenueSaid) as raised:
            await there.port.place(bid(1, size=2_000_000))
        assert raised.value.verdict is Verdict.INVALID_ORDER


async def test_fills_are_heard_and_found() -> None:
    """On the stream as they happen, in the history once each, with what they cost."""
    async with desk() as there:
        await there.port.place(bid(1))
        await there.until(OrderAcked)
        there.fill(1, 2_000)
        there.fill(2, 3_000)
        heard = await there.until(OrderFilled, 2)
        assert [(each.order_id, each.size) for each in heard] == [
            (order_id(1), 2_000),
            (order_id(1), 3_000),
        ]
        (first, _) = heard
        assert (first.price, first.liquidity, first.fee_asset) == (
            FILLING,
            Liquidity.MAKER,
            "DUSD",
        )
        assert first.fee == Decimal("0.2") * 59_950 * Decimal("0.0001")
        told, after = await there.port.fills(BTCUSDT, "", Nanos(0))
        assert [each.fill_id for each in told] == [each.fill_id for each in heard]
        assert [each.order_id for each in told] == [order_id(1)] * 2
        assert await there.port.fills(BTCUSDT, after, Nanos(0)) == ([], after)
        await there.port.place(bid(2))
        await there.until(OrderAcked, 2)
        there.fill(3, 1_000)
        again, _ = await there.port.fills(BTCUSDT, after, Nanos(0))
        assert [each.size for each in again] == [1_000]
        (position, *_) = await there.until(PositionReported)
        assert position.size == 2_000
        assert (await there.until(BalanceReported))[0].asset == "DUSD"


async def test_pages_of_fills_are_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few a page holds."""
    monkeypatch.setattr("mm.gateways.venues.standx.orders.PAGE", 2)
    async with desk() as there:
        await there.port.place(bid(1))
        await there.rests()
        for number in range(1, 6):
            there.fill(number, 1_000)
        told, _ = await there.port.fills(BTCUSDT, "", Nanos(0))
        assert [each.size for each in told] == [1_000] * 5
        assert [int(each.fill_id) for each in told] == sorted(int(each.fill_id) for each in told)


async def test_fill_of_a_strangers_order_has_no_owner() -> None:
    """It moves the position all the same."""
    async with desk() as there:
        other = there.made(KEYS, "other_hand")
        theirs = OrderId("other_hand_1732224000001_100")
        await other.place(msgspec.structs.replace(bid(1), order_id=theirs))
        await there.rests()
        there.fill(1, 1_000)
        (fill,) = await there.until(OrderFilled)
        assert (fill.order_id, fill.size) == ("", 1_000)
        told, _ = await there.port.fills(BTCUSDT, "", Nanos(0))
        assert [each.order_id for each in told] == [""]


async def test_order_is_asked_after_by_either_id() -> None:
    """What rests, what was canceled, what was filled, and what never was."""
    async with desk() as there:
        port = there.port
        assert await port.order(known(9)) is None
        await port.place(bid(1))
        (acked,) = await there.until(OrderAcked)
        there.fill(1, 2_000)
        for name in (known(1), known(1, acked.venue_order_id)):
            found = await port.order(name)
            assert found is not None
            assert (found.resolution, found.filled) == (Resolution.OPEN, 2_000)
            assert (found.price, found.size, found.side) == (FILLING, 5_000, Side.BUY)
        await port.cancel(cancel(1), known(1))
        await there.until(OrderCanceled)
        found = await port.order(known(1))
        assert found is not None
        assert (found.resolution, found.filled) == (Resolution.CANCELED, 2_000)
        await port.place(bid(3, price=6_010_000, size=15_000, tif=TimeInForce.IOC))
        (_, rest) = await there.until(OrderCanceled, 2)
        assert (rest.reason, rest.filled) == (CancelReason.IOC_REST, 10_000)


async def test_market_order_takes_what_is_shown() -> None:
    """Without a price, at those of the book, for the taker's fee."""
    async with desk() as there:
        market = bid(1, price=0, size=15_000, kind=OrderKind.MARKET, tif=TimeInForce.IOC)
        await there.port.place(market)
        fills = await there.until(OrderFilled, 2)
        assert [(each.price, each.size) for each in fills] == [
            (6_010_000, 10_000),
            (6_020_000, 5_000),
        ]
        assert fills[0].liquidity is Liquidity.TAKER


async def test_all_orders_of_an_instrument_are_canceled() -> None:
    """Whoever placed them, in one request."""
    async with desk() as there:
        for number in (1, 2, 3):
            await there.port.place(bid(number, price=FILLING - number))
        await there.rests(3)
        assert len(await there.port.open_orders(BTCUSDT)) == 3
        await there.port.cancel_all(BTCUSDT)
        assert there.account.open() == []


async def test_account_has_its_money_and_positions() -> None:
    """What orders lock is part of the total; a short position is negative."""
    async with desk() as there:
        (balance, flat) = await there.port.account()
        assert isinstance(balance, BalanceReported)
        assert isinstance(flat, PositionReported)
        assert (balance.asset, balance.free + balance.locked, flat.size) == ("DUSD", DUSD, 0)
        sale = bid(1, price=0, size=4_000, kind=OrderKind.MARKET, tif=TimeInForce.IOC)
        await there.port.place(msgspec.structs.replace(sale, side=Side.SELL))
        await there.until(OrderFilled)
        (_, short) = await there.port.account()
        assert isinstance(short, PositionReported)
        assert (short.size, short.entry) == (-4_000, Decimal(59_900))
        assert there.of(PositionReported)[-1].size == -4_000


async def test_clock_of_the_venue_is_read() -> None:
    """To a millisecond."""
    async with desk(listens=False) as there:
        there.exchange.skew = Nanos(30 * SECONDS)
        assert abs(await there.port.venue_clock() - there.exchange.now()) < SECONDS // 5


async def test_order_cannot_be_moved() -> None:
    """The venue has no such command, and nothing is sent."""
    async with desk(listens=False) as there:
        assert not there.port.abilities.amend
        move = AmendOrder(
            order_id=order_id(1),
            instrument=BTCUSDT,
            price=Ticks(1),
            size=Lots(1),
            cause=Seq(1),
            reason="test",
        )
        with pytest.raises(VenueSaid) as raised:
            await there.port.amend(move, known(1))
        assert raised.value.verdict is Verdict.NOT_SENT


# -- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.ABORT, Kind.TRUNCATE, Kind.ANSWER])
async def test_answer_that_is_lost_leaves_the_outcome_open(kind: Kind) -> None:
    """The order was taken; asked about by our own id, it is found."""
    async with desk(listens=False) as there:
        there.fault(kind=kind, path="*/new_order")
        with pytest.raises(VenueSaid) as raised:
            await there.port.place(bid(1))
        assert raised.value.verdict is Verdict.UNKNOWN
        await there.rests()
        found = await there.port.order(known(1))
        assert found is not None
        assert found.resolution is Resolution.OPEN


async def test_too_many_requests_are_refused() -> None:
    """Twenty at once is what a bucket holds; the limit that we keep stays below."""
    terms = Terms(refill=0.0)
    async with desk(listens=False, terms=terms) as there:
        for _ in range(20):
            await there.port.open_orders(BTCUSDT)
        with pytest.raises(VenueSaid) as raised:
            await there.port.open_orders(BTCUSDT)
        assert (raised.value.verdict, raised.value.raw_code) == (Verdict.RATE_LIMITED, "429")
        assert there.port.weight("place") * 20 == 900


async def test_unknown_token_stops_the_stream() -> None:
    """Dialling again would not help."""
    async with desk(listens=False) as there:
        stranger = there.made(credentials(Keys("nobody", "else")))
        with pytest.raises(VenueSaid) as raised:
            await anext(stranger.stream())
        assert raised.value.verdict is Verdict.NOT_PERMITTED
        with pytest.raises(VenueSaid) as asked:
            await stranger.open_orders(BTCUSDT)
        assert asked.value.verdict is Verdict.NOT_PERMITTED


async def test_wrong_signature_is_refused() -> None:
    """The token is right, the key another's."""
    async with desk(listens=False) as there:
        forged = there.made(Keys(KEYS.key, credentials(Keys("nobody", "else")).secret))
        with pytest.raises(VenueSaid) as raised:
            await forged.place(bid(1))
        assert raised.value.verdict is Verdict.NOT_PERMITTED
        await asyncio.sleep(0)
        assert there.account.open() == []


async def test_stamp_of_a_wrong_clock_is_refused() -> None:
    """Nothing is signed before the clock was measured anew."""
    async with desk(listens=False) as there:
        there.exchange.skew = Nanos(120 * SECONDS)
        with pytest.raises(VenueSaid) as raised:
            await there.port.place(bid(1))
        assert raised.value.verdict is Verdict.CLOCK_SKEW
        there.clock.doubt()
        with pytest.raises(VenueSaid) as unsent:
            await there.port.place(bid(1))
        assert unsent.value.verdict is Verdict.NOT_SENT
        await there.clock.measure(there.port.venue_clock)
        await there.port.place(bid(1))


@pytest.mark.parametrize("path", ["/ws-stream/v1", "/ws-api/v1"])
async def test_lost_socket_brings_both_down_and_up_again(path: str) -> None:
    """News without refusals, or refusals without news, are not the account."""
    async with desk() as there:
        for socket in tuple(there.there.running.hub.sockets):
            if socket.path == path:
                socket.cut()
        await there.until(StreamDown)
        await there.until(StreamUp, 2)
        await there.port.place(bid(1))
        await there.until(OrderAcked)


@pytest.mark.parametrize("kind", [Kind.MALFORM, Kind.SWAP, Kind.DUPLICATE])
async def test_frame_that_cannot_be_believed_ends_the_connection(kind: Kind) -> None:
    """Half a frame, one out of its order, one twice: what was said is asked for."""
    async with desk() as there:
        there.fault(kind=kind, path="/ws-stream/v1", stream="*")
        await there.port.place(bid(1))
        await there.rests()
        there.fill(1, 1_000)
        await there.until(StreamDown)
        await there.until(StreamUp, 2)


async def test_missing_number_ends_the_connection_and_the_fill_is_found() -> None:
    """The frame of a fill was lost; the next one tells that something was."""
    async with desk() as there:
        await there.port.place(bid(1))
        await there.until(OrderAcked)
        there.fault(kind=Kind.DROP, path="/ws-stream/v1", stream="trade")
        there.fill(1, 1_000)
        (down,) = await there.until(StreamDown)
        assert "comes after" in down.reason
        await there.until(StreamUp, 2)
        told, _ = await there.port.fills(BTCUSDT, "", Nanos(0))
        assert [each.size for each in told] == [1_000]


async def test_numbers_that_are_missing_again_and_again_mean_nothing() -> None:
    """Then they are not counted by socket: the line stands, and says what it hears."""
    async with desk() as there:
        await there.port.place(bid(1))
        await there.until(OrderAcked)
        for number in (1, 2):
            there.fault(kind=Kind.DROP, path="/ws-stream/v1", stream="order", text="partially")
            there.fill(number, 1_000)
            if number == 1:
                await there.until(StreamUp, 2)
        (fill,) = await there.until(OrderFilled)
        assert (fill.order_id, fill.size) == (order_id(1), 1_000)
        assert len(there.of(StreamDown)) == 1


async def test_fill_of_an_order_that_was_not_heard_of_finds_its_owner() -> None:
    """It was placed before anybody listened; whose it is, is asked."""
    async with desk(listens=False) as there:
        await there.port.place(bid(1))
        await there.rests()
        listening = asyncio.create_task(there.listen())
        await there.until(StreamUp)
        there.fill(1, 1_000)
        (fill,) = await there.until(OrderFilled)
        listening.cancel()
        assert fill.order_id == order_id(1)


async def test_key_that_is_none_is_refused() -> None:
    """At the start, and it is not shown."""
    async with desk(listens=False) as there:
        with pytest.raises(ConfigError) as raised:
            there.made(Keys(KEYS.key, "not-a-key-0OIl"))
        assert "0OIl" not in str(raised.value)


def test_market_and_orders_are_of_one_venue() -> None:
    """Their instruments are the same."""
    assert StandxMarket.venue == StandxOrders.venue
