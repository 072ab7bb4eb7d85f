"""The emulated StandX as a plain client meets it: signed as the documents say, nothing of ours."""

import asyncio
import base64
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mm.apps.venue_login import Login
from mm.emulator.account import Account
from mm.emulator.exchange import Exchange, Keys
from mm.emulator.standx.keys import base58, credentials, unbase58
from mm.emulator.standx.perps import StandxFront
from mm.errors import ConfigError
from mm.events.units import Side
from mm.gateways.venues.standx.keys import SigningKey, from_base58, to_base58
from mm.gateways.verdicts import VenueSaid
from tests.emulator.venue import PATIENCE, Reached, printed, reached
from tests.gateways.venues.standx_desk import FILLING, KEYS, opened

API = "https://perps.standx.com/api"
STREAM = "wss://perps.standx.com/ws-stream/v1"
ORDERS = "wss://perps.standx.com/ws-api/v1"
ORDER = {
    "symbol": "BTC-USD",
    "side": "buy",
    "order_type": "limit",
    "qty": "0.5",
    "price": "59950",
    "time_in_force": "gtc",
    "reduce_only": False,
}
Socket = aiohttp.ClientWebSocketResponse


class Client(NamedTuple):
    """Somebody with a token and a key."""

    exchange: Exchange
    account: Account
    there: Reached

    async def ask(self, name: str, token: str = KEYS.key, **params: Any) -> tuple[int, Any]:
        """A question."""
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{API}/{name}"
        async with self.there.session.get(url, params=params, headers=headers) as answer:
            return answer.status, await answer.json()

    async def send(self, name: str, body: Any, **headers: str) -> tuple[int, Any]:
        """A command, signed."""
        text = json.dumps(body)
        named = {"Authorization": f"Bearer {KEYS.key}", **signed(text), **headers}
        async with self.there.session.post(f"{API}/{name}", data=text, headers=named) as answer:
            return answer.status, await answer.json()


def signed(text: str) -> dict[str, str]:
    """What the documents put beside a body."""
    key = Ed25519PrivateKey.from_private_bytes(unbase58(KEYS.secret) or b"")
    name, stamp = str(uuid.uuid4()), str(time.time_ns() // 1_000_000)
    signature = key.sign(f"v1,{name},{stamp},{text}".encode())
    return {
        "x-request-sign-version": "v1",
        "x-request-id": name,
        "x-request-timestamp": stamp,
        "x-request-signature": base64.b64encode(signature).decode(),
    }


@asynccontextmanager
async def client() -> AsyncIterator[Client]:
    """A client of an emulated StandX."""
    exchange, account = opened()
    async with reached(StandxFront(exchange)) as there:
        yield Client(exchange, account, there)


async def heard(socket: Socket) -> dict[str, Any]:
    """The next frame."""
    async with asyncio.timeout(PATIENCE):
        found: dict[str, Any] = await socket.receive_json()
        return found


async def test_public_questions_are_answered() -> None:
    """What is listed, prices, the book, funding, time."""
    async with client() as venue:
        status, (info,) = await venue.ask("query_symbol_info", token="")
        assert (status, info["price_tick_decimals"], info["min_order_qty"]) == (200, 2, "0.0001")
        _, price = await venue.ask("query_symbol_price", symbol="BTC-USD")
        assert (price["spread_bid"], price["mid_price"], price["last_price"]) == (
            "59900.00",
            "60000.00",
            None,
        )
        _, book = await venue.ask("query_depth_book", symbol="BTC-USD")
        assert sorted(book["bids"]) == [["59800.00", "2.0000"], ["59900.00", "1.0000"]]
        venue.exchange.tell(printed(1, 6_010_000, 500, Side.BUY, at=venue.exchange.now()))
        _, (trade,) = await venue.ask("query_recent_trades", symbol="BTC-USD")
        assert (trade["is_buyer_taker"], trade["price"]) == (True, "60100.00")
        _, market = await venue.ask("query_symbol_market", symbol="BTC-USD")
        assert market["next_funding_time"].endswith(":00:00.000000Z")
        assert await venue.ask("query_funding_rates", symbol="BTC-USD") == (200, [])
        _, seconds = await venue.ask("kline/time")
        assert abs(seconds - time.time()) < 60
        _, bars = await venue.ask("kline/history", symbol="BTC-USD", resolution="1")
        assert (bars["s"], bars["c"]) == ("ok", [60_100.0])
        status, refused = await venue.ask("query_depth_book", symbol="ETH-USD")
        assert (status, refused["code"]) == (400, 400)


async def test_lists_have_pages_and_times_in_iso() -> None:
    """As every query of orders and fills answers."""
    async with client() as venue:
        status, taken = await venue.send("new_order", ORDER | {"cl_ord_id": "mine"})
        assert (status, taken["code"], taken["message"]) == (200, 0, "success")
        assert set(taken) == {"code", "message", "request_id"}
        venue.exchange.tell(printed(1, FILLING, 2_000, Side.SELL))
        _, orders = await venue.ask("query_open_orders", symbol="BTC-USD")
        assert (orders["page_size"], orders["total"]) == (1, 1)
        (order,) = orders["result"]
        assert (order["cl_ord_id"], order["status"], order["fill_qty"]) == (
            "mine",
            "partially_filled",
            "0.2000",
        )
        assert order["created_at"].endswith("Z")
        _, trades = await venue.ask("query_trades", symbol="BTC-USD")
        (trade,) = trades["result"]
        assert (trade["order_id"], Decimal(trade["fee_qty"])) == (order["id"], Decimal("1.199"))
        _, (position,) = await venue.ask("query_positions")
        assert position["qty"] == "0.2000"
        assert Decimal(position["entry_price"]) == 59_950
        _, money = await venue.ask("query_balance")
        assert Decimal(money["balance"]) == 100_000 - Decimal("1.199")
        _, older = await venue.ask("query_orders", last_id=order["id"])
        assert older["result"] == []
        assert await venue.send("cancel_orders", {"order_id_list": [order["id"]]}) == (200, [])
        _, ended = await venue.ask("query_order", cl_ord_id="mine")
        assert ended["status"] == "canceled"


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": "ETH-USD"},
        {"side": "hold"},
        {"order_type": "stop"},
        {"qty": "0"},
        {"qty": 0.5},
        {"price": "59950.001"},
        {"time_in_force": "day"},
        {"reduce_only": "no"},
        {"order_type": "market", "time_in_force": "alo"},
    ],
)
async def test_order_that_cannot_be_is_refused_at_once(changes: dict[str, Any]) -> None:
    """By its parameters, with the code in status and body."""
    async with client() as venue:
        status, refused = await venue.send("new_order", ORDER | changes)
        assert (status, refused["code"]) == (400, 400)
        assert refused["message"].startswith("invalid parameter")


async def test_token_and_signature_are_checked() -> None:
    """Each alone is not enough."""
    async with client() as venue:
        assert (await venue.ask("query_balance", token="wrong"))[0] == 401
        assert (await venue.send("new_order", ORDER, Authorization="Bearer wrong"))[0] == 401
        status, refused = await venue.send("new_order", ORDER, **signed("{}"))
        assert (status, refused["message"]) == (400, "invalid body signature")
        late = {"x-request-timestamp": "1700000000000"}
        status, refused = await venue.send("new_order", ORDER, **late)
        assert (status, refused["message"]) == (400, "invalid request timestamp")
        assert venue.account.open() == []


async def test_requests_beyond_the_bucket_are_refused() -> None:
    """Twenty at once, then 429."""
    async with client() as venue:
        answers = [(await venue.ask("query_balance"))[0] for _ in range(60)]
        assert answers[:20] == [200] * 20
        assert 429 in answers


async def test_order_stream_answers_twice() -> None:
    """That a request was taken, and what came of it; a refused order was never there."""
    async with client() as venue, venue.there.session.ws_connect(ORDERS) as socket:
        said: dict[str, Any] = {"session_id": "s", "request_id": "1", "method": "order:new"}
        text = json.dumps(ORDER)
        await socket.send_json({**said, "header": signed(text), "params": text})
        assert (await heard(socket))["code"] == 401
        token = json.dumps({"token": KEYS.key})
        await socket.send_json({**said, "method": "auth:login", "header": {}, "params": token})
        assert await heard(socket) == {"code": 0, "message": "success", "request_id": "1"}
        await socket.send_json({**said, "request_id": "2", "header": signed(text), "params": text})
        assert [(await heard(socket))["message"] for _ in range(2)] == ["accepted", "success"]
        (record,) = venue.account.open()
        text = json.dumps(ORDER | {"price": "60200", "time_in_force": "alo"})
        await socket.send_json({**said, "request_id": "3", "header": signed(text), "params": text})
        answers = [await heard(socket) for _ in range(2)]
        assert [each["code"] for each in answers] == [0, 400]
        assert answers[1] == {"code": 400, "message": "alo order rejected", "request_id": "3"}
        text = json.dumps({"order_id": record.number})
        end = {**said, "request_id": "4", "method": "order:cancel"}
        await socket.send_json({**end, "header": signed(text), "params": text})
        assert [(await heard(socket))["code"] for _ in range(2)] == [0, 0]
        assert venue.account.open() == []


async def test_http_order_names_the_session_that_hears_its_outcome() -> None:
    """By the same name of the request."""
    async with client() as venue, venue.there.session.ws_connect(ORDERS) as socket:
        token = json.dumps({"token": KEYS.key})
        login = {"session_id": "mine", "request_id": "1", "method": "auth:login", "params": token}
        await socket.send_json(login)
        await heard(socket)
        order = ORDER | {"price": "60200", "time_in_force": "alo"}
        _, taken = await venue.send("new_order", order, **{"x-session-id": "mine"})
        assert taken["code"] == 0
        refused = await heard(socket)
        assert (refused["request_id"], refused["code"]) == (taken["request_id"], 400)


async def test_market_stream_tells_of_an_account_after_a_login() -> None:
    """Numbers go on over all channels; without a login nothing private is told."""
    async with client() as venue, venue.there.session.ws_connect(STREAM) as socket:
        await socket.send_json({"subscribe": {"channel": "order"}})
        assert (await heard(socket))["code"] == 401
        await socket.send_json({"auth": {"token": "wrong"}})
        assert (await heard(socket))["data"]["code"] == 401
        streams = [{"channel": each} for each in ("order", "trade", "position", "balance")]
        await socket.send_json({"auth": {"token": KEYS.key, "streams": streams}})
        answer = await heard(socket)
        assert (answer["channel"], answer["data"]["code"]) == ("auth", 200)
        await socket.send_json({"subscribe": {"channel": "depth_book", "symbol": "BTC-USD"}})
        assert (await heard(socket))["channel"] == "depth_book"
        await venue.send("new_order", ORDER)
        assert (await heard(socket))["data"]["status"] == "open"
        venue.exchange.tell(printed(1, FILLING, 2_000, Side.SELL))
        frames = [await heard(socket) for _ in range(4)]
        assert [each["channel"] for each in frames] == ["order", "trade", "position", "balance"]
        numbers = [each["seq"] for each in frames]
        assert numbers == list(range(numbers[0], numbers[0] + 4))


async def test_login_gives_a_token_for_a_key_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wallet's signature is left to its owner; the key of the login signs from then on."""
    async with client() as venue:
        for name, value in venue.there.running.environment.items():
            monkeypatch.setenv(name, value)
        login = Login("bsc", "0xwallet")
        assert (await login.offer()).endswith("0xwallet")
        given = await login.finish("0xsigned")
        status, _ = await venue.ask("query_balance", token=given["MM_STANDX_KEY"])
        assert status == 200
        key = SigningKey.read(given["MM_STANDX_SECRET"], "test")
        text = json.dumps(ORDER)
        headers = key.headers("x", time.time_ns() // 1_000_000, text)
        headers["Authorization"] = f"Bearer {given['MM_STANDX_KEY']}"
        url = f"{API}/new_order"
        async with venue.there.session.post(url, data=text, headers=headers) as answer:
            assert answer.status == 200
        with pytest.raises(VenueSaid):
            await login.finish("")
        with pytest.raises(ConfigError, match="no chain"):
            await Login("tron", "0xwallet").offer()


def test_both_sides_write_keys_alike() -> None:
    """Two writers of base 58 that know nothing of each other; no key is ever shown."""
    for data in (b"", b"\0\0a", bytes(range(32)), b"\xff" * 32):
        assert to_base58(data) == base58(data)
        assert from_base58(base58(data)) == unbase58(to_base58(data)) == data
    assert unbase58("0OIl") is None
    own = credentials(Keys("a", KEYS.secret))
    assert own.secret == KEYS.secret
    key = SigningKey.read(KEYS.secret, "test")
    assert (key.text, repr(key)) == (KEYS.secret, "SigningKey(***)")
    with pytest.raises(TypeError):
        key.__reduce__()
