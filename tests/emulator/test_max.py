"""The emulated MAX as any client meets it: signatures, orders that are only accepted, limits."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange
from mm.emulator.max.front import MaxFront
from mm.events.units import Side
from tests.emulator.max_client import (
    LIMIT,
    PLACE,
    REST,
    STREAM,
    authenticated,
    headers,
    nonce,
    signed,
)
from tests.emulator.raw import Wire, ask, wired
from tests.emulator.venue import BTCUSDT, KEYS, change, opened, printed, reached, spot, until


class Max(NamedTuple):
    """The exchange, what it holds of us, and a session to it."""

    exchange: Exchange
    held: Account
    session: aiohttp.ClientSession
    front: MaxFront


@asynccontextmanager
async def emulated(**changes: Any) -> AsyncIterator[Max]:
    """MAX, with a market of bitcoin."""
    exchange, held = opened(spot(), "max")
    front = MaxFront(exchange, **changes)
    async with reached(front) as there:
        yield Max(exchange, held, there.session, front)


async def settled(there: Max, number: int, state: str) -> Any:
    """Ask for an order until it stands so."""
    return await until(
        lambda: signed(there.session, "GET", "/api/v3/order", id=number),
        lambda answer: answer.body["state"] == state,
    )


async def test_market_is_described() -> None:
    """Precisions are those of the steps that orders keep."""
    async with emulated() as there:
        answer = await ask(there.session, "GET", f"{REST}/api/v3/markets")
        (market,) = answer.body
        assert (market["id"], market["status"]) == ("btcusdt", "active")
        assert (market["base_unit_precision"], market["quote_unit_precision"]) == (5, 2)
        assert (market["min_base_amount"], market["min_quote_amount"]) == (0.00001, 5)


async def test_depth_has_the_worst_ask_first() -> None:
    """As the venue lists it, with the update that it stands at."""
    async with emulated() as there:
        query = "market=btcusdt&limit=2"
        answer = await ask(there.session, "GET", f"{REST}/api/v3/depth?{query}")
        assert [row[0] for row in answer.body["asks"]] == ["60200.00", "60100.00"]
        assert [row[0] for row in answer.body["bids"]] == ["59900.00", "59800.00"]
        assert answer.body["last_update_id"] == 100


async def test_order_is_accepted_then_rests_then_fills() -> None:
    """The answer says `wait` before anything was matched; a query tells what became of it."""
    async with emulated() as there:
        promised: list[Any] = []
        desk: Any = there.front.desk
        desk._later = lambda *what: promised.append(what)
        answer = await signed(there.session, "POST", PLACE, **LIMIT, client_oid="mine")
        assert (answer.status, answer.body["state"]) == (200, "wait")
        assert there.held.open() == []
        asked = await signed(there.session, "GET", "/api/v3/order", client_oid="mine")
        assert asked.body == answer.body
        for do, account, record in promised:
            do(account, record)
        assert len(there.held.open()) == 1
        there.exchange.tell(printed(1, 5_990_000, 100_000, Side.SELL))
        done = await settled(there, answer.body["id"], "done")
        assert (done.body["executed_volume"], done.body["avg_price"]) == (
            "0.50000",
            "59950.00000000",
        )
        trades = await signed(
            there.session, "GET", "/api/v3/wallet/spot/trades", market="btcusdt", order="asc"
        )
        (trade,) = trades.body
        assert (trade["order_id"], trade["side"], trade["liquidity"]) == (
            answer.body["id"],
            "bid",
            "maker",
        )
        assert (trade["fee"], trade["fee_currency"]) == ("0.000500000000", "btc")


async def test_cancel_is_accepted_and_happens_later() -> None:
    """Success says that it was taken; one that is not there is not found."""
    async with emulated() as there:
        placed = await signed(there.session, "POST", PLACE, **LIMIT)
        number = placed.body["id"]
        answer = await signed(there.session, "DELETE", "/api/v3/order", id=number)
        assert answer.body == {"success": True}
        await settled(there, number, "cancel")
        missing = await signed(there.session, "DELETE", "/api/v3/order", id=1)
        assert (missing.status, missing.body["error"]["code"]) == (404, 4000)


async def test_wallets_are_apart() -> None:
    """An order of the margin wallet is none of the spot wallet, nor is it canceled with those."""
    async with emulated() as there:
        margin = await signed(there.session, "POST", "/api/v3/wallet/m/order", **LIMIT)
        assert margin.body["wallet_type"] == "m"
        number = margin.body["id"]
        rows = await until(
            lambda: signed(there.session, "GET", "/api/v3/wallet/m/orders/open"),
            lambda answer: len(answer.body) == 1,
        )
        assert rows.body[0]["id"] == number
        spot_rows = await signed(there.session, "GET", "/api/v3/wallet/spot/orders/open")
        assert spot_rows.body == []
        assert (await signed(there.session, "DELETE", "/api/v3/wallet/spot/orders")).body == []
        canceled = await signed(there.session, "DELETE", "/api/v3/wallet/m/orders", side="buy")
        assert [row["order"]["id"] for row in canceled.body] == [number]
        await settled(there, number, "cancel")


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "market": ({"market": "nothing"}, 1001),
    "side": ({"side": "up"}, 1001),
    "type": ({"ord_type": "stop_limit"}, 1001),
    "no price": ({"price": ""}, 1001),
    "off the tick": ({"price": "59950.001"}, 1001),
    "off the lot": ({"volume": "0.500001"}, 1001),
    "worth too little": ({"volume": "0.00001"}, 2016),
    "no funds": ({"volume": "100"}, 2018),
    "a long client id": ({"client_oid": "x" * 37}, 1001),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_order_that_cannot_be_is_refused(name: str) -> None:
    """With the venue's number, and nothing is placed."""
    changes, code = REFUSED[name]
    async with emulated() as there:
        answer = await signed(there.session, "POST", PLACE, **{**LIMIT, **changes})
        assert answer.body["success"] is False
        assert (answer.status, answer.body["error"]["code"]) == (400, code)
        assert there.held.orders(BTCUSDT) == []


async def test_client_id_is_used_once_a_day() -> None:
    """Also once its order has ended."""
    async with emulated() as there:
        first = await signed(there.session, "POST", PLACE, **LIMIT, client_oid="once")
        await signed(there.session, "DELETE", "/api/v3/order", client_oid="once")
        await settled(there, first.body["id"], "cancel")
        again = await signed(there.session, "POST", PLACE, **LIMIT, client_oid="once")
        assert "client_oid" in again.body["error"]["message"]


async def test_post_only_that_would_take_is_accepted_and_canceled() -> None:
    """Nothing of it is filled."""
    async with emulated() as there:
        asked = {**LIMIT, "ord_type": "post_only", "price": "60100"}
        answer = await signed(there.session, "POST", PLACE, **asked)
        assert answer.body["state"] == "wait"
        ended = await settled(there, answer.body["id"], "cancel")
        assert float(ended.body["executed_volume"]) == 0


def broken(what: str) -> dict[str, Any]:
    """Headers of a query for balances, wrong in one way."""
    path, number = "/api/v3/wallet/spot/accounts", nonce()
    if what == "late":
        number -= 31_000
    said = {"nonce": number, "path": "/api/v3/info" if what == "path" else path}
    key = "unknown" if what == "key" else KEYS.key
    made = headers(said, key, "wrong" if what == "secret" else KEYS.secret)
    return {"headers": made, "params": {"nonce": str(number + (what == "params"))}}


@pytest.mark.parametrize(
    ("what", "code"),
    [("key", 2008), ("secret", 2005), ("path", 2014), ("params", 2014), ("late", 2007)],
)
async def test_signature_is_checked(what: str, code: int) -> None:
    """Whoever does not sign what is sent, now, with a key that is known, is not let in."""
    async with emulated() as there:
        url = f"{REST}/api/v3/wallet/spot/accounts"
        answer = await ask(there.session, "GET", url, **broken(what))
        assert (answer.status, answer.body["error"]["code"]) == (401, code)


async def test_nonce_is_used_once() -> None:
    """The same request again is refused."""
    async with emulated() as there:
        url, request = f"{REST}/api/v3/wallet/spot/accounts", broken("")
        assert (await ask(there.session, "GET", url, **request)).status == 200
        again = await ask(there.session, "GET", url, **request)
        assert (again.status, again.body["error"]["code"]) == (401, 2006)


async def test_too_many_requests_are_banned_until_a_time() -> None:
    """The header is that time in Unix seconds, and whoever asks before it begins it anew."""
    async with emulated(requests_max=2) as there:
        url = f"{REST}/api/v3/timestamp"
        answers = [await ask(there.session, "GET", url) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        until_then = int(answers[2].headers["Retry-After"])
        assert 50 < until_then - time.time() < 62
        other = await signed(there.session, "GET", "/api/v3/info")
        assert other.status == 429


async def said(wire: Wire, **message: Any) -> Any:
    """Say something on a socket; returns the next frame."""
    await wire.socket.send_json(message)
    return await wire.next()


async def test_book_is_told_with_ids_that_follow_each_other() -> None:
    """A snapshot, then changes; what goes out of view is removed."""
    async with emulated() as there, wired(there.session, STREAM) as wire:
        book = {"channel": "book", "market": "btcusdt", "depth": 1}
        answer = await said(wire, action="sub", subscriptions=[book], id="x")
        assert (answer["e"], answer["i"]) == ("subscribed", "x")
        whole = await wire.next()
        assert (whole["e"], whole["b"], whole["li"]) == ("snapshot", [["59900.00", "1.00000"]], 100)
        there.exchange.tell(change(101, bids=(5_980_000, 7)))  # Below what is seen.
        there.exchange.tell(change(102, bids=(5_991_000, 100)))
        moved = await wire.next()
        assert (moved["e"], moved["fi"], moved["li"]) == ("update", 101, 102)
        assert moved["b"] == [["59900.00", "0.00000"], ["59910.00", "0.00100"]]
        assert moved["v"] == whole["v"]


async def test_trades_and_candles_are_told() -> None:
    """The trend is the taker's; a candle closes when the next begins."""
    async with emulated() as there, wired(there.session, STREAM) as wire:
        topics = [{"channel": each, "market": "btcusdt"} for each in ("trade", "kline")]
        await said(wire, action="sub", subscriptions=topics)
        assert (await wire.next())["t"] == []
        minute = 60_000_000_000
        there.exchange.tell(printed(1, 6_000_000, 5, Side.SELL, at=minute))
        frames = [await wire.next() for _ in range(2)]
        assert (frames[0]["t"][0]["tr"], frames[1]["k"]["x"]) == ("down", False)
        there.exchange.tell(printed(2, 6_000_000, 5, Side.BUY, at=2 * minute))
        frames = [await wire.next() for _ in range(3)]
        assert [frame.get("k", {}).get("x") for frame in frames] == [None, True, False]


async def test_private_news_tell_order_trade_and_balances() -> None:
    """In this order; snapshots of what stands come first."""
    async with emulated() as there, wired(there.session, STREAM) as wire:
        answer = await authenticated(wire, "order", "trade_update", "account")
        assert (answer["e"], answer["i"]) == ("authenticated", "me")
        assert [(await wire.next())["e"] for _ in range(2)] == [
            "order_snapshot",
            "account_snapshot",
        ]
        placed = await signed(there.session, "POST", PLACE, **LIMIT, client_oid="mine")
        rested, locked = await wire.next(), await wire.next()
        assert (rested["e"], rested["o"][0]["ci"]) == ("order_update", "mine")
        assert locked["B"][0]["cu"] == "usdt"
        there.exchange.tell(printed(1, 5_990_000, 20_000, Side.SELL))
        frames = [await wire.next() for _ in range(3)]
        events = [frame["e"] for frame in frames]
        assert events == ["order_update", "trade_update", "account_update"]
        assert frames[0]["o"][0]["ev"] == "0.20000"
        assert frames[1]["t"][0]["oi"] == placed.body["id"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"action": "dance"}, "E-1004"),
        ({"action": "auth", "apiKey": "x", "nonce": 1, "signature": "y"}, "E-1007"),
        ({"action": "sub", "subscriptions": [{"channel": "book", "market": "x"}]}, "E-1003"),
    ],
)
async def test_what_cannot_be_is_an_error_on_the_socket(
    message: dict[str, Any], error: str
) -> None:
    """In a list, each beginning with its number."""
    async with emulated() as there, wired(there.session, STREAM) as wire:
        answer = await said(wire, **message)
        assert answer["e"] == "error"
        assert answer["E"][0].startswith(error)
