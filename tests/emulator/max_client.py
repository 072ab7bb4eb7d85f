"""A plain client of MAX for the tests: signs as its documentation says, and no more."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import aiohttp

from tests.emulator.raw import Answer, Wire, ask
from tests.emulator.venue import KEYS

REST = "https://max-api.maicoin.com"
STREAM = "wss://max-stream.maicoin.com/ws"
LIMIT: dict[str, Any] = {
    "market": "btcusdt",
    "side": "buy",
    "ord_type": "limit",
    "volume": "0.5",
    "price": "59950",
}
PLACE = "/api/v3/wallet/spot/order"
_nonces = {"last": 0}


def nonce() -> int:
    """Milliseconds, never the same twice."""
    _nonces["last"] = max(_nonces["last"] + 1, time.time_ns() // 1_000_000)
    return _nonces["last"]


def signature(text: str, secret: str = KEYS.secret) -> str:
    """With the test's secret."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def headers(said: dict[str, Any], key: str = KEYS.key, secret: str = KEYS.secret) -> dict[str, str]:
    """What stands beside a request."""
    payload = base64.b64encode(json.dumps(said).encode()).decode()
    return {
        "X-MAX-ACCESSKEY": key,
        "X-MAX-PAYLOAD": payload,
        "X-MAX-SIGNATURE": signature(payload, secret),
        "Content-Type": "application/json",
    }


async def signed(session: aiohttp.ClientSession, method: str, path: str, **params: Any) -> Answer:
    """One signed request."""
    sent = {"nonce": nonce(), **params}
    beside = headers({**sent, "path": path})
    if method == "GET":
        query = {name: str(value) for name, value in sent.items()}
        return await ask(session, method, REST + path, params=query, headers=beside)
    return await ask(session, method, REST + path, data=json.dumps(sent), headers=beside)


async def authenticated(wire: Wire, *filters: str) -> Any:
    """Let an account's news come over a socket; returns the answer."""
    number = nonce()
    said = {
        "action": "auth",
        "apiKey": KEYS.key,
        "nonce": number,
        "signature": signature(str(number)),
        "filters": list(filters),
        "id": "me",
    }
    await wire.socket.send_json(said)
    return await wire.next()
