"""Market data of both markets, frame by frame and row by row."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, NamedTuple

import aiohttp
import msgspec
import pytest

from mm.emulator.binance.spot import SpotFront
from mm.emulator.binance.usdm import UsdmFront
from mm.emulator.exchange import Exchange
from mm.events.market import FundingPublished, MarkPublished
from mm.events.units import SECONDS, Nanos, Side
from tests.emulator.raw import SOCKET_API, SPOT, STREAM, USDM, ask, wired
from tests.emulator.venue import (
    BTCUSDT,
    KEYS,
    change,
    opened,
    perpetual,
    printed,
    quote,
    reached,
    spot,
)

FSTREAM = "wss://fstream.binance.com"
MINUTE = 60 * SECONDS
NOON = 1_800_000_000 * SECONDS


class There(NamedTuple):
    """Both markets."""

    spot: Exchange
    usdm: Exchange
    session: aiohttp.ClientSession


@pytest.fixture
async def there() -> AsyncIterator[There]:
    """They listen."""
    exchange, _ = opened(spot())
    contracts, _ = opened(perpetual(), "binance_usdm")
    async with reached(SpotFront(exchange), UsdmFront(contracts)) as found:
        yield There(exchange, contracts, found.session)


async def test_streams_are_joined_and_left_on_an_open_socket(there: There) -> None:
    """On the combined one events stand beside the name of their stream."""
    async with wired(there.session, f"{STREAM}/stream") as wire:
        for number, method in enumerate(("SUBSCRIBE", "LIST_SUBSCRIPTIONS"), 1):
            asked = {"method": method, "params": ["btcusdt@trade"], "id": number}
            await wire.socket.send_json(asked)
        assert await wire.next() == {"result": None, "id": 1}
        assert await wire.next() == {"result": ["btcusdt@trade"], "id": 2}
        there.spot.tell(printed(7, 6_000_000, 10, Side.SELL, NOON))
        event = await wire.next()
        await wire.socket.send_json(
            {"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": "x"}
        )
        assert await wire.next() == {"result": None, "id": "x"}
        there.spot.tell(printed(8, 6_000_000, 10, Side.SELL, NOON))
        await wire.socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 4})
        assert await wire.next() == {"result": [], "id": 4}
    assert event["stream"] == "btcusdt@trade"
    at = NOON // 1_000_000
    assert event["data"] == {
        "e": "trade",
        "E": at,
        "s": "BTCUSDT",
        "t": 7,
        "p": "60000.00000000",
        "q": "0.00010000",
        "T": at,
        "m": True,
        "M": True,
    }


@pytest.mark.parametrize(
    ("said", "code"), [("nonsense", 3), ('{"method":"SUBSCRIBE"}', 2), ('{"method":"DANCE"}', 2)]
)
async def test_what_a_socket_does_not_understand(there: There, said: str, code: int) -> None:
    """It says so and stays open."""
    async with wired(there.session, f"{STREAM}/ws") as wire:
        await wire.socket.send_str(said)
        assert (await wire.next())["error"]["code"] == code


async def test_who_asks_too_often_is_cut_off(there: There) -> None:
    """More than five requests in a second."""
    async with wired(there.session, f"{STREAM}/ws") as wire:
        for _ in range(6):
            await wire.socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        assert (await wire.closed()).data == 1008


async def test_changes_within_a_streams_time_come_as_one(there: There) -> None:
    """From the first id to the last; each level as it was at the end."""
    async with wired(there.session, f"{STREAM}/ws/btcusdt@depth@100ms") as wire:
        there.spot.tell(change(101, bids=(5_980_000, 1), at=NOON))
        there.spot.tell(change(102, bids=(5_980_000, 2), at=NOON + SECONDS // 100))
        there.spot.tell(change(103, asks=(6_020_000, 3), at=NOON + SECONDS // 50))
        first, second = await wire.next(), await wire.next()
    assert (first["U"], first["u"]) == (101, 101)
    assert (second["U"], second["u"]) == (102, 103)
    assert second["b"] == [["59800.00000000", "0.00002000"]]
    assert second["a"] == [["60200.00000000", "0.00003000"]]


async def test_best_levels_and_best_bid_and_offer(there: There) -> None:
    """Two streams on one address."""
    names = "btcusdt@depth5@100ms/btcusdt@bookTicker"
    async with wired(there.session, f"{STREAM}/stream?streams={names}") as wire:
        there.spot.tell(change(101, bids=(5_990_000, 7)))
        partial = await wire.next()
        there.spot.tell(quote(102, 5_995_000, 5_995_001))
        ticker = await wire.next()
    assert partial["data"]["lastUpdateId"] == 101
    assert partial["data"]["bids"][0] == ["59900.00000000", "0.00007000"]
    assert ticker["data"]["a"] == "59950.01000000"


def trades(exchange: Exchange) -> None:
    """Three in one minute, one in the next."""
    for number, (price, seconds) in enumerate(((100, 0), (300, 10), (200, 59), (250, 60))):
        at = NOON + seconds * SECONDS
        exchange.tell(printed(number, price * 100, 10, Side(-1 if number else 1), at))


async def test_candles_are_folded_from_trades(there: There) -> None:
    """Over REST and, as they close, on the stream."""
    async with wired(there.session, f"{STREAM}/ws/btcusdt@kline_1m") as wire:
        trades(there.spot)
        frames = [(await wire.next())["k"] for _ in range(4)]
    closed = [frame for frame in frames if frame["x"]]
    (only,) = closed
    assert [only[name] for name in "ohlcvn"] == [
        *("100.00000000", "300.00000000", "100.00000000", "200.00000000"),
        *("0.00030000", 3),
    ]
    url = f"{SPOT}/api/v3/klines?symbol=BTCUSDT&interval=1m"
    first, second = (await ask(there.session, "GET", url)).body
    assert first[1:6] == [only[name] for name in "ohlcv"]
    assert (first[0], first[6]) == (only["t"], only["T"])
    assert (first[7], first[9]) == ("0.06000000", "0.00010000")
    assert second[4] == "250.00000000"
    hour = (await ask(there.session, "GET", url.replace("1m", "1h"))).body
    assert [row[8] for row in hour] == [4]
    wrong = await ask(there.session, "GET", url.replace("1m", "7m"))
    assert wrong.code == -1120


async def test_the_last_day_in_one_row(there: There) -> None:
    """Of what was played."""
    there.spot._clock = lambda: NOON + 2 * MINUTE
    trades(there.spot)
    url = f"{SPOT}/api/v3/ticker/24hr"
    found = (await ask(there.session, "GET", f"{url}?symbol=BTCUSDT")).body
    assert (found["lastPrice"], found["priceChangePercent"]) == ("250.00000000", "150.000")
    assert (found["count"], found["weightedAvgPrice"]) == (4, "212.50000000")
    assert (await ask(there.session, "GET", url)).body == [found]
    mean = (await ask(there.session, "GET", f"{SPOT}/api/v3/avgPrice?symbol=BTCUSDT")).body
    assert mean["price"] == "212.50000000"


async def test_futures_updates_are_chained_by_the_one_before(there: There) -> None:
    """Where the ids have holes, as they have there."""
    async with wired(there.session, f"{FSTREAM}/public/ws/btcusdt@depth@0ms") as wire:
        for first, last in ((105, 110), (120, 120)):
            delta = msgspec.structs.replace(change(last), first=first, previous=1)
            there.usdm.tell(delta)
        one, two = await wire.next(), await wire.next()
    assert [one[name] for name in ("U", "u", "pu")] == [105, 110, 100]
    assert [two[name] for name in ("U", "u", "pu")] == [120, 120, 110]


async def test_mark_index_and_funding_are_told_together(there: There) -> None:
    """On the stream and over REST."""
    stamps: dict[str, Any] = {"instrument": BTCUSDT, "received": NOON, "venue_time": NOON}
    due = Nanos(NOON + 3_600 * SECONDS)
    async with wired(there.session, f"{FSTREAM}/market/ws/btcusdt@markPrice@1s") as wire:
        there.usdm.tell(FundingPublished(rate=Decimal("0.0001"), due=due, **stamps))
        there.usdm.tell(MarkPublished(price=Decimal("60000.123"), **stamps))
        event = await wire.next()
    assert (event["p"], event["r"], event["T"]) == (
        *("60000.12300000", "0.00010000"),
        due // 1_000_000,
    )
    answer = await ask(there.session, "GET", f"{USDM}/fapi/v1/premiumIndex?symbol=BTCUSDT")
    assert (answer.body["markPrice"], answer.body["nextFundingTime"]) == (event["p"], event["T"])


async def test_trades_over_rest_are_the_latest(there: There) -> None:
    """Oldest first, as many as asked for."""
    trades(there.spot)
    url = f"{SPOT}/api/v3/trades?symbol=BTCUSDT&limit=2"
    found = (await ask(there.session, "GET", url)).body
    assert [row["id"] for row in found] == [2, 3]
    assert [row["isBuyerMaker"] for row in found] == [True, True]


async def test_a_private_stream_says_when_it_ends(there: There) -> None:
    """After it was left."""
    async with wired(there.session, SOCKET_API) as wire:
        begun = await wire.say("userDataStream.subscribe.signature", apiKey=KEYS.key)
        number = begun["result"]["subscriptionId"]
        request = {"method": "userDataStream.unsubscribe", "id": 9, "params": {}}
        await wire.socket.send_json(request)
        event = await wire.next()
        assert event["event"]["e"] == "eventStreamTerminated"
        assert event["subscriptionId"] == number
        assert (await wire.next())["status"] == 200
