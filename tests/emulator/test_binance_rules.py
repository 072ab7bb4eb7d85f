"""What Binance refuses, with its codes and texts; what it checks of a signature; what it allows."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mm.emulator.binance.limits import IGNORED_MAX
from mm.emulator.binance.spot import SpotFront
from mm.emulator.binance.usdm import UsdmFront
from mm.events.units import SECONDS
from tests.emulator.raw import LIMIT, SOCKET_API, SPOT, USDM, ask, now, signature, signed, wired
from tests.emulator.venue import KEYS, opened, perpetual, reached, spot

ORDER = f"{SPOT}/api/v3/order"
CONTRACT = f"{USDM}/fapi/v1/order"


@pytest.fixture
async def there() -> AsyncIterator[Any]:
    """Both markets, with bounds."""
    bounds = {"price_max": 100_000_000, "size_max": 10_000_000, "size_step": 10, "size_min": 10}
    exchange, account = opened(spot(**bounds))
    contracts, _ = opened(perpetual(price_max=1_000_000, size_max=100_000), "binance_usdm")
    front = SpotFront(exchange)
    async with reached(front, UsdmFront(contracts)) as found:
        yield front, account, found.session


def order(**changes: Any) -> dict[str, Any]:
    """A limit order; None leaves a parameter out."""
    return {name: value for name, value in (LIMIT | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"symbol": "NOSUCH"}, -1121, "Invalid symbol."),
        ({"symbol": None}, -1102, "'symbol' was not sent"),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": "STOP_LOSS"}, -1116, "Invalid orderType."),
        ({"timeInForce": None}, -1102, "'timeInForce' was not sent"),
        ({"timeInForce": "DAY"}, -1115, "Invalid timeInForce."),
        ({"type": "MARKET", "price": None}, -1106, "'timeInForce' sent when not required"),
        ({"type": "MARKET", "timeInForce": None}, -1106, "'price' sent when not required"),
        ({"price": None}, -1102, "'price' was not sent"),
        ({"price": "-1"}, -1100, "Illegal characters found in parameter 'price'"),
        ({"price": "1e5"}, -1100, "Illegal characters"),
        ({"price": "59950.000000001"}, -1111, "Parameter 'price' has too much precision."),
        ({"price": "59950.001"}, -1013, "PRICE_FILTER"),
        ({"price": "1000000.01"}, -1013, "PRICE_FILTER"),
        ({"quantity": "0"}, -1013, "LOT_SIZE"),
        ({"quantity": "0.00001"}, -1013, "LOT_SIZE"),
        ({"quantity": "0.00011"}, -1013, "LOT_SIZE"),
        ({"quantity": "100.0001"}, -1013, "LOT_SIZE"),
        ({"quantity": "0.0001", "price": "1000"}, -1013, "NOTIONAL"),
        ({"quantity": "50"}, -2010, "Account has insufficient balance for requested action."),
        (
            {"type": "LIMIT_MAKER", "timeInForce": None, "price": "60100"},
            -2010,
            "Order would immediately match and take.",
        ),
        ({"newClientOrderId": "a" * 37}, -1100, "'newClientOrderId'"),
    ],
)
async def test_spot_refuses_what_the_venue_refuses(
    there: Any, changes: dict[str, Any], code: int, text: str
) -> None:
    """And nothing rests afterwards."""
    _, account, session = there
    refused = await signed(session, "POST", ORDER, **order(**changes))
    assert (refused.status, refused.code) == (400, code)
    assert text in refused.body["msg"]
    assert account.open() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"positionSide": "LONG"}, -4061),
        ({"type": "STOP_MARKET"}, -4120),
        ({"timeInForce": "GTD"}, -1115),
        ({"price": "59950.05"}, -1111),
        ({"price": "0"}, -4001),
        ({"price": "200000"}, -4016),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0005"}, -1111),
        ({"quantity": "200"}, -4005),
        ({"quantity": "0.001", "price": "100"}, -4164),
        ({"quantity": "99", "price": "60000"}, None),
        ({"timeInForce": "GTX", "price": "60100"}, -5022),
        ({"side": "SELL", "price": "60100", "reduceOnly": "true"}, -2022),
        ({"timeInForce": "FOK"}, -5021),
    ],
)
async def test_futures_refuse_what_the_venue_refuses(
    there: Any, changes: dict[str, Any], code: int | None
) -> None:
    """Each with its own code; none, where all is well."""
    _, _, session = there
    answer = await signed(session, "POST", CONTRACT, **order(**changes))
    assert answer.body.get("code") == code
    assert answer.status == (200 if code is None else 400)


async def test_orders_that_cannot_be_filled_at_once_expire_on_spot(there: Any) -> None:
    """They are taken, and over: fill-or-kill and what of immediate-or-cancel is left."""
    _, _, session = there
    killed = await signed(session, "POST", ORDER, **order(timeInForce="FOK"))
    left = await signed(
        session, "POST", ORDER, **order(timeInForce="IOC", price="60100", quantity=2)
    )
    assert (killed.body["status"], killed.body["executedQty"]) == ("EXPIRED", "0.00000000")
    assert (left.body["status"], left.body["executedQty"]) == ("EXPIRED", "1.00000000")


async def test_an_id_is_unique_among_open_orders_only(there: Any) -> None:
    """Once the first is gone it may be used anew."""
    _, _, session = there
    mine = order(newClientOrderId="mine")
    first = await signed(session, "POST", ORDER, **mine)
    again = await signed(session, "POST", ORDER, **mine)
    assert (again.code, again.body["msg"]) == (-2010, "Duplicate order sent.")
    gone: dict[str, Any] = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    assert (await signed(session, "DELETE", ORDER, **gone)).body["orderId"] == first.body["orderId"]
    assert (await signed(session, "POST", ORDER, **mine)).status == 200


@pytest.mark.parametrize(
    ("method", "code"), [("GET", -2013), ("DELETE", -2011)], ids=["query", "cancel"]
)
async def test_an_order_that_never_was(there: Any, method: str, code: int) -> None:
    """A question and a cancel have codes of their own."""
    _, _, session = there
    assert (await signed(session, method, ORDER, symbol="BTCUSDT", orderId=1)).code == code
    assert (await signed(session, method, ORDER, symbol="BTCUSDT")).code == -1102


async def test_parameters_may_stand_in_the_body(there: Any) -> None:
    """Of a DELETE too, as some clients send it."""
    _, account, session = there
    placed = await signed(session, "POST", ORDER, in_body=True, **LIMIT)
    named = {"symbol": "BTCUSDT", "orderId": placed.body["orderId"]}
    gone = await signed(session, "DELETE", ORDER, in_body=True, **named)
    assert gone.body["status"] == "CANCELED"
    assert account.open() == []


async def test_a_request_may_be_signed_in_two_parts(there: Any) -> None:
    """Query and body are signed one after the other, without a mark between them."""
    _, _, session = there
    query, body = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC", f"timestamp={now()}"
    body = f"quantity=0.5&price=59950&{body}"
    for between, status in (("", 200), ("&", 400)):
        sent = f"{body}&signature={signature(query + between + body)}"
        form = {"Content-Type": "application/x-www-form-urlencoded", "X-MBX-APIKEY": KEYS.key}
        answer = await ask(session, "POST", f"{ORDER}?{query}", data=sent, headers=form)
        assert answer.status == status


@pytest.mark.parametrize(
    ("query", "key", "status", "code"),
    [
        ("timestamp={now}&signature={right}", "", 401, -2014),
        ("timestamp={now}&signature={right}", "x" * 64, 401, -2015),
        ("timestamp={now}", KEYS.key, 400, -1102),
        ("signature={right}", KEYS.key, 400, -1102),
        ("timestamp={now}&signature=" + "0" * 64, KEYS.key, 400, -1022),
        ("timestamp={late}&signature={right}", KEYS.key, 400, -1021),
        ("timestamp={early}&signature={right}", KEYS.key, 400, -1021),
        ("recvWindow=60001&timestamp={now}&signature={right}", KEYS.key, 400, -1131),
        ("recvWindow=60000&timestamp={late}&signature={right}", KEYS.key, 200, 0),
    ],
)
async def test_key_signature_and_time_are_checked(
    there: Any, query: str, key: str, status: int, code: int
) -> None:
    """Each with its own code."""
    _, _, session = there
    stamps = {"now": now(), "late": now() - 6_000, "early": now() + 2_000, "right": ""}
    payload = query.partition("&signature=")[0].format(**stamps)
    sent = query.format(**stamps | {"right": signature(payload)})
    headers = {"X-MBX-APIKEY": key} if key else {}
    answer = await ask(session, "GET", f"{SPOT}/api/v3/account?{sent}", headers=headers)
    assert (answer.status, answer.body.get("code", 0)) == (status, code)


async def test_weight_is_counted_told_and_enforced(there: Any) -> None:
    """First 429 with the seconds to wait, then a ban; the WebSocket API counts along."""
    front, _, session = there
    url = f"{SPOT}/api/v3/depth?symbol=BTCUSDT&limit=5000"
    front.exchange._clock = lambda: 1_800_000_010 * SECONDS
    first = await ask(session, "GET", url)
    assert first.headers["X-MBX-USED-WEIGHT-1M"] == "250"
    for _ in range(23):
        last = await ask(session, "GET", url)
    assert (last.status, last.headers["X-MBX-USED-WEIGHT-1M"]) == (200, "6000")
    async with wired(session, SOCKET_API) as wire:
        over = await wire.say("ping")
    assert (over["status"], over["error"]["code"]) == (429, -1003)
    refused = await ask(session, "GET", url)
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, -1003, "50")
    for _ in range(IGNORED_MAX):
        banned = await ask(session, "GET", url)
    assert (banned.status, banned.headers["Retry-After"]) == (418, "120")
    assert "IP banned until" in banned.body["msg"]
    front.exchange._clock = lambda: 1_800_000_131 * SECONDS
    assert (await ask(session, "GET", url)).status == 200


async def test_orders_are_counted_and_enforced(there: Any) -> None:
    """A hundred in ten seconds, and cancels are none."""
    front, _, session = there
    window = front.limits.of("ORDERS")[0]
    placed = await signed(session, "POST", ORDER, **LIMIT)
    assert placed.headers["X-MBX-ORDER-COUNT-10S"] == "1"
    window.limit = 0
    refused = await signed(session, "POST", ORDER, **LIMIT)
    assert (refused.status, refused.code) == (429, -1015)
    gone = {"symbol": "BTCUSDT", "orderId": placed.body["orderId"]}
    assert (await signed(session, "DELETE", ORDER, **gone)).status == 200


async def test_an_order_is_replaced_by_another(there: Any) -> None:
    """In one request; the first is gone before the second stands."""
    _, account, session = there
    first = await signed(session, "POST", ORDER, **LIMIT)
    swap = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": first.body["orderId"]}
    url = f"{ORDER}/cancelReplace"
    done = await signed(session, "POST", url, **order(price="59940", **swap))
    assert (done.body["cancelResult"], done.body["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    (record,) = account.open()
    assert record.number == done.body["newOrderResponse"]["orderId"]
    none = await signed(session, "POST", url, **order(price="59940", **swap))
    assert (none.status, none.code) == (400, -2022)
    assert none.body["data"]["newOrderResult"] == "NOT_ATTEMPTED"
    swap["cancelReplaceMode"] = "ALLOW_FAILURE"
    half = await signed(session, "POST", url, **order(price="59940", **swap))
    assert (half.status, half.code) == (409, -2021)
    assert half.body["data"]["cancelResponse"]["code"] == -2011


async def test_an_order_is_made_smaller_where_it_stands(there: Any) -> None:
    """It gets another client id; larger it cannot be made."""
    _, account, session = there
    placed = await signed(session, "POST", ORDER, **order(newClientOrderId="old"))
    named = {"symbol": "BTCUSDT", "orderId": placed.body["orderId"]}
    url = f"{ORDER}/amend/keepPriority"
    async with wired(session, SOCKET_API) as wire:
        await wire.say("userDataStream.subscribe.signature", apiKey=KEYS.key)
        done = await signed(session, "PUT", url, newQty="0.3", newClientOrderId="new", **named)
        event = (await wire.next())["event"]
    assert (done.body["amendedOrder"]["qty"], account.open()[0].size) == ("0.30000000", 30_000)
    assert (event["x"], event["c"], event["C"], event["q"]) == (
        "REPLACED",
        "new",
        "old",
        "0.30000000",
    )
    larger = await signed(session, "PUT", url, newQty="0.4", **named)
    assert larger.code == -2038


async def test_the_socket_api_answers_as_rest_does(there: Any) -> None:
    """Numbers may be numbers, and refusals come in their envelope."""
    _, account, session = there
    async with wired(session, SOCKET_API) as wire:
        placed = await wire.say("order.place", apiKey=KEYS.key, **LIMIT | {"quantity": 0.5})
        assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
        named = {"symbol": "BTCUSDT", "orderId": placed["result"]["orderId"]}
        gone = await wire.say("order.cancel", apiKey=KEYS.key, **named)
        assert gone["result"]["status"] == "CANCELED"
        again = await wire.say("order.cancel", apiKey=KEYS.key, **named)
        assert (again["status"], again["error"]["code"]) == (400, -2011)
        assert (await wire.say("account.status", apiKey=KEYS.key))["result"]["canTrade"]
        assert (await wire.say("no.such"))["error"]["code"] == -1020
    assert account.open() == []
