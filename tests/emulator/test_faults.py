"""Whatever fails at real venues can be made to fail here."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from mm.emulator.binance.spot import SpotFront
from mm.emulator.exchange import Exchange
from mm.emulator.faults import Faults, Kind, Rule, rules_from
from mm.errors import ConfigError
from mm.events.units import Side
from tests.emulator.raw import LIMIT, SOCKET_API, SPOT, STREAM, ask, signed, wired
from tests.emulator.venue import KEYS, Reached, change, opened, printed, reached, spot

DEPTH = f"{STREAM}/ws/btcusdt@depth@100ms"
CONTROL = "https://emulator.local"


@pytest.fixture
def exchange() -> Exchange:
    """Spot BTC, with an account."""
    exchange, _ = opened(spot())
    return exchange


@pytest.fixture
async def there(exchange: Exchange) -> AsyncIterator[Reached]:
    """It listens."""
    async with reached(SpotFront(exchange)) as found:
        yield found


def fails(there: Reached, kind: Kind, **rule: object) -> None:
    """From now on something goes wrong."""
    there.running.hub.faults.add([Rule(kind=kind, **rule)])  # type: ignore[arg-type]


async def test_an_answer_is_replaced_and_the_next_is_right(there: Reached) -> None:
    """429 with its header; then all is well, for it was to happen once."""
    headers = {"Retry-After": "3"}
    fails(
        there, Kind.REFUSE, path="/api/v3/time", status=429, body='{"code":-1003}', headers=headers
    )
    refused = await ask(there.session, "GET", f"{SPOT}/api/v3/time")
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, -1003, "3")
    assert (await ask(there.session, "GET", f"{SPOT}/api/v3/time")).status == 200


@pytest.mark.parametrize("status", [403, 418, 451, 502, 503])
async def test_pages_of_a_gateway_are_no_json(there: Reached, status: int) -> None:
    """What stands before a venue answers in HTML."""
    fails(there, Kind.REFUSE, status=status)
    answer = await ask(there.session, "GET", f"{SPOT}/api/v3/time")
    assert (answer.status, answer.body[:6]) == (status, b"<html>")


async def test_a_truncated_answer_is_200_and_no_json(there: Reached) -> None:
    """Half of it comes."""
    fails(there, Kind.TRUNCATE)
    async with there.session.get(f"{SPOT}/api/v3/time") as response:
        assert (response.status, await response.text()) == (200, '{"serverTime":')


async def test_an_order_is_accepted_and_the_answer_never_comes(
    there: Reached, exchange: Exchange
) -> None:
    """The client cannot know; the venue has it."""
    fails(there, Kind.ABORT, method="POST", path="/api/v3/order")
    with pytest.raises(aiohttp.ClientError):
        await signed(there.session, "POST", f"{SPOT}/api/v3/order", **LIMIT)
    assert len(exchange.accounts[KEYS.key].open()) == 1


async def test_a_connection_breaks_before_anything_is_done(
    there: Reached, exchange: Exchange
) -> None:
    """The client cannot know either; the venue has nothing."""
    fails(there, Kind.RESET, method="POST", count=0)
    with pytest.raises(aiohttp.ClientError):
        await signed(there.session, "POST", f"{SPOT}/api/v3/order", **LIMIT)
    assert exchange.accounts[KEYS.key].open() == []


async def test_a_request_hangs_longer_than_the_client_waits(there: Reached) -> None:
    """It times out."""
    fails(there, Kind.HANG)
    with pytest.raises(TimeoutError):
        await ask(
            there.session,
            "GET",
            f"{SPOT}/api/v3/time",
            timeout=aiohttp.ClientTimeout(total=0.2),
        )


async def ids(there: Reached, exchange: Exchange, count: int) -> list[int]:
    """The update ids that arrive of five updates."""
    async with wired(there.session, DEPTH) as wire:
        for number in range(101, 106):
            at = number * 1_000_000_000
            exchange.tell(change(number, bids=(5_980_000, number), at=at))
        return [(await wire.next())["u"] for _ in range(count)]


async def test_a_frame_is_missing(there: Reached, exchange: Exchange) -> None:
    """A gap in the ids."""
    fails(there, Kind.DROP, stream="*@depth*", skip=1)
    assert await ids(there, exchange, 4) == [101, 103, 104, 105]


async def test_a_frame_comes_twice(there: Reached, exchange: Exchange) -> None:
    """The same id again."""
    fails(there, Kind.DUPLICATE, stream="*@depth*")
    assert await ids(there, exchange, 6) == [101, 101, 102, 103, 104, 105]


async def test_frames_change_places(there: Reached, exchange: Exchange) -> None:
    """The later one comes first."""
    fails(there, Kind.SWAP, stream="*@depth*")
    assert await ids(there, exchange, 5) == [102, 101, 103, 104, 105]


async def test_a_frame_is_no_json(there: Reached, exchange: Exchange) -> None:
    """Half of it comes."""
    fails(there, Kind.MALFORM)
    async with there.session.ws_connect(DEPTH) as socket:
        exchange.tell(change(101, bids=(5_980_000, 1)))
        assert (await socket.receive_str()).startswith('{"e":"depthUpdate"')
        exchange.tell(change(102, bids=(5_980_000, 2), at=10**18))
        assert (await socket.receive_json())["u"] == 102


async def test_a_socket_falls_silent_and_still_answers_pings(
    there: Reached, exchange: Exchange
) -> None:
    """Only a watchdog over the data notices."""
    fails(there, Kind.SILENCE)
    async with there.session.ws_connect(DEPTH) as socket:
        exchange.tell(change(101, bids=(5_980_000, 1)))
        exchange.tell(change(102, bids=(5_980_000, 2), at=10**18))
        await socket.ping(b"still there?")
        await pong(socket)
        assert socket._waiting is False


async def pong(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Nothing comes but perhaps a pong."""
    with pytest.raises(TimeoutError):
        await socket.receive(timeout=0.3)


async def test_a_socket_is_cut_and_dialled_anew(there: Reached, exchange: Exchange) -> None:
    """No word of goodbye; the next connection is well."""
    fails(there, Kind.CUT)
    async with wired(there.session, DEPTH) as wire:
        exchange.tell(change(101, bids=(5_980_000, 1)))
        ended = await wire.closed()
        assert ended.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    exchange.tell(change(102, bids=(5_980_000, 2), at=10**18))
    async with wired(there.session, DEPTH) as wire:
        exchange.tell(change(103, bids=(5_980_000, 3), at=2 * 10**18))
        assert (await wire.next())["u"] == 103


async def test_a_fill_is_heard_before_the_order_is_acknowledged(
    there: Reached, exchange: Exchange
) -> None:
    """The answer to the place is slow, the private stream is not."""
    fails(there, Kind.DELAY, method="POST", seconds=1.0)
    async with wired(there.session, SOCKET_API) as wire:
        await wire.say("userDataStream.subscribe.signature", apiKey=KEYS.key)
        placing = asyncio.create_task(
            signed(there.session, "POST", f"{SPOT}/api/v3/order", **LIMIT)
        )
        assert (await wire.next())["event"]["x"] == "NEW"
        await wire.next()
        exchange.tell(printed(1, 5_995_000, 50_000, Side.SELL))
        assert (await wire.next())["event"]["X"] == "FILLED"
        assert not placing.done()
        assert (await placing).body["executedQty"] == "0.00000000"


async def test_a_fill_is_told_twice(there: Reached, exchange: Exchange) -> None:
    """Only the fill, by its text."""
    fails(there, Kind.DUPLICATE, stream="userData", text='"x":"TRADE"')
    async with wired(there.session, SOCKET_API) as wire:
        await wire.say("userDataStream.subscribe.signature", apiKey=KEYS.key)
        await signed(there.session, "POST", f"{SPOT}/api/v3/order", **LIMIT)
        exchange.tell(printed(1, 5_995_000, 50_000, Side.SELL))
        events = [(await wire.next())["event"] for _ in range(5)]
    fills = [event["t"] for event in events if event.get("x") == "TRADE"]
    assert len(fills) == 2
    assert len(set(fills)) == 1


async def test_rules_are_set_and_cleared_over_http(there: Reached) -> None:
    """The control host takes JSON and tells how often each applied."""
    rule = b'[{"kind": "refuse", "path": "/api/v3/time", "status": 503, "count": 0}]'
    await ask(there.session, "POST", f"{CONTROL}/faults", data=rule)
    for _ in range(2):
        assert (await ask(there.session, "GET", f"{SPOT}/api/v3/time")).status == 503
    (told,) = (await ask(there.session, "GET", f"{CONTROL}/state")).body["faults"]
    assert (told["seen"], told["hits"]) == (2, 2)
    await ask(there.session, "POST", f"{CONTROL}/faults/clear")
    assert (await ask(there.session, "GET", f"{SPOT}/api/v3/time")).status == 200


async def test_the_venues_clock_is_set_wrong_over_http(there: Reached) -> None:
    """It says so, and refuses who keeps the right time."""
    await ask(there.session, "POST", f"{CONTROL}/market", data=b'{"skew_ms": 20000}')
    refused = await signed(there.session, "GET", f"{SPOT}/api/v3/account")
    assert refused.code == -1021


async def test_somebody_trades_over_http(there: Reached, exchange: Exchange) -> None:
    """And fills an order that rests."""
    await signed(there.session, "POST", f"{SPOT}/api/v3/order", **LIMIT)
    trade = b'{"venue":"binance","symbol":"BTCUSDT","side":"sell","price":"59950","size":"0.1"}'
    assert (await ask(there.session, "POST", f"{CONTROL}/print", data=trade)).status == 200
    (record,) = exchange.accounts[KEYS.key].open()
    assert record.filled == 10_000


async def test_sockets_are_closed_over_http(there: Reached) -> None:
    """As after 24 hours."""
    async with wired(there.session, DEPTH) as wire:
        order = b'{"action": "close", "path": "/ws/*"}'
        answer = await ask(there.session, "POST", f"{CONTROL}/sockets", data=order)
        assert answer.body == {"sockets": 1}
        assert (await wire.closed()).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense",
        b'{"kind": "nothing"}',
        b'{"kind": "drop", "streams": "x"}',
        b'{"kind": "drop", "count": -1}',
        b'{"kind": "drop", "probability": 2}',
    ],
)
def test_rules_that_cannot_be_are_refused(text: bytes) -> None:
    """With what is wrong."""
    with pytest.raises(ConfigError, match="fault"):
        rules_from(text)


def test_a_seed_fails_in_the_same_places() -> None:
    """Chance is drawn from the seed alone."""

    def hits(seed: int) -> int:
        faults = Faults()
        faults.add([Rule(kind=Kind.DROP, probability=0.5, seed=seed, count=0)])
        (active,) = faults._active
        return sum(active.applies() << place for place in range(60))

    assert hits(1) == hits(1)
    assert hits(1) != hits(2)


async def test_a_fill_comes_late(there: Reached, exchange: Exchange) -> None:
    """After what happened later."""
    fails(there, Kind.LATE, stream="userData", text='"x":"TRADE"', seconds=0.2)
    async with wired(there.session, SOCKET_API) as wire:
        await wire.say("userDataStream.subscribe.signature", apiKey=KEYS.key)
        placed = await signed(there.session, "POST", f"{SPOT}/api/v3/order", **LIMIT)
        exchange.tell(printed(1, 5_995_000, 20_000, Side.SELL))
        named = {"symbol": "BTCUSDT", "orderId": placed.body["orderId"]}
        await signed(there.session, "DELETE", f"{SPOT}/api/v3/order", **named)
        events = [(await wire.next())["event"] for _ in range(6)]
    assert [event["x"] for event in events if "x" in event] == ["NEW", "CANCELED", "TRADE"]


async def test_a_connection_is_half_open(there: Reached, exchange: Exchange) -> None:
    """Not even a ping is answered, and the other side does not know."""
    fails(there, Kind.DEAFEN)
    async with there.session.ws_connect(DEPTH) as socket:
        exchange.tell(change(101, bids=(5_980_000, 1)))
        (held,) = there.running.hub.sockets
        await asyncio.wait_for(deaf(there), 5)
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.3)
        held.cut()


async def deaf(there: Reached) -> None:
    """Return when a socket is."""
    while not there.running.hub.sockets[0].deaf:  # noqa: ASYNC110  Nobody tells.
        await asyncio.sleep(0)


async def test_an_order_is_done_and_the_answer_is_a_page(
    there: Reached, exchange: Exchange
) -> None:
    """A gateway gave up on a backend that did not."""
    fails(there, Kind.ANSWER, method="POST", status=504)
    answer = await signed(there.session, "POST", f"{SPOT}/api/v3/order", **LIMIT)
    assert (answer.status, answer.body[:6]) == (504, b"<html>")
    assert len(exchange.accounts[KEYS.key].open()) == 1


async def test_an_answer_is_empty(there: Reached) -> None:
    """200, and nothing."""
    fails(there, Kind.ANSWER, status=200, body="")
    assert (await ask(there.session, "GET", f"{SPOT}/api/v3/time"))[:2] == (200, b"")


async def test_a_slow_snapshot_is_older_than_the_updates_after_it(
    there: Reached, exchange: Exchange
) -> None:
    """It was taken when the request came."""
    fails(there, Kind.DELAY, path="*/depth", seconds=0.3)
    url = f"{SPOT}/api/v3/depth?symbol=BTCUSDT"
    async with wired(there.session, DEPTH) as wire:
        asking = asyncio.create_task(ask(there.session, "GET", url))
        await asyncio.sleep(0.1)
        exchange.tell(change(101, bids=(5_980_000, 1)))
        update = await wire.next()
    assert (await asking).body["lastUpdateId"] < update["u"]
