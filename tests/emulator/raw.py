"""A plain client of Binance for the tests: signs as its documentation says, and no more."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
import msgspec

from tests.emulator.venue import KEYS, PATIENCE

SPOT = "https://api.binance.com"
STREAM = "wss://stream.binance.com"
SOCKET_API = "wss://ws-api.binance.com/ws-api/v3"
USDM = "https://fapi.binance.com"
LIMIT: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.5",
    "price": "59950",
}


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: Any
    headers: Any

    @property
    def code(self) -> int:
        """The venue's error."""
        return int(self.body["code"])


def signature(payload: str) -> str:
    """With the test's secret."""
    return hmac.new(KEYS.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def now() -> int:
    """Milliseconds."""
    return time.time_ns() // 1_000_000


async def ask(session: aiohttp.ClientSession, method: str, url: str, **more: Any) -> Answer:
    """One request."""
    async with session.request(method, url, **more) as response:
        text = await response.read()
        body = msgspec.json.decode(text) if text.startswith((b"{", b"[")) else text
        return Answer(response.status, body, response.headers)


async def signed(
    session: aiohttp.ClientSession, method: str, url: str, *, in_body: bool = False, **params: Any
) -> Answer:
    """One signed request, its parameters in the query or in the body."""
    payload = urlencode({"timestamp": now(), **params})
    sent = f"{payload}&signature={signature(payload)}"
    headers = {"X-MBX-APIKEY": KEYS.key}
    if in_body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return await ask(session, method, url, data=sent, headers=headers)
    return await ask(session, method, f"{url}?{sent}", headers=headers)


class Wire:
    """A socket, frame by frame."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Open already."""
        self.socket = socket

    async def next(self) -> Any:
        """The next frame, decoded; raises where there is none in time."""
        message = await asyncio.wait_for(self.socket.receive(), PATIENCE)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return msgspec.json.decode(message.data)

    async def closed(self) -> Any:
        """How it ends."""
        while True:
            message = await asyncio.wait_for(self.socket.receive(), PATIENCE)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return message

    async def say(self, method: str, **params: Any) -> Any:
        """Ask the WebSocket API, signed where a key is named; returns its answer."""
        if "apiKey" in params:
            params["timestamp"] = params.get("timestamp", now())
            payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
            params["signature"] = signature(payload)
        await self.socket.send_json({"id": 1, "method": method, "params": params})
        while (answer := await self.next()).get("id") != 1:
            pass
        return answer


@asynccontextmanager
async def wired(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Wire]:
    """Open a socket."""
    async with session.ws_connect(url, autoping=False) as socket:
        yield Wire(socket)
