"""MAX over REST, signed by us: a payload of all that is sent and its path, and a nonce used once.

A nonce has to lie within 30 seconds of the venue's time. Ours lie `BEHIND` it, so that a request
that takes longer than what is left is refused: nothing of ours takes effect late.
"""

import base64
import hashlib
import hmac
import time
from typing import Any, Final

import aiohttp
import msgspec

from mm.gateways.backoff import retry_after
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.network import UNSENT
from mm.gateways.venues.max.errors import refusal_in
from mm.gateways.venues.max.wire import REST
from mm.gateways.verdicts import VenueSaid, Verdict

TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0, connect=5.0)
WINDOW_MILLIS: Final = 30_000
"""How far a nonce may be from the venue's time."""
BEHIND_MILLIS: Final = 20_000
TIMESTAMP: Final = "/api/v3/timestamp"


class Signer:
    """Signs for one account."""

    def __init__(self, credentials: Credentials, clock: VenueClock) -> None:
        """Nothing was signed yet."""
        self._credentials = credentials
        self._clock = clock
        self._last = 0

    @property
    def key(self) -> str:
        """Whose requests these are."""
        return self._credentials.key

    def nonce(self) -> int:
        """Milliseconds behind the venue's time, never the same twice; raises `VenueSaid`."""
        self._last = max(self._clock.stamp() - BEHIND_MILLIS, self._last + 1)
        return self._last

    def signed(self, text: str) -> str:
        """The signature of a text."""
        secret = self._credentials.secret.encode()
        return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()

    def headers(self, path: str, said: dict[str, Any]) -> dict[str, str]:
        """What stands beside a request."""
        payload = base64.b64encode(msgspec.json.encode({**said, "path": path})).decode()
        return {
            "X-MAX-ACCESSKEY": self.key,
            "X-MAX-PAYLOAD": payload,
            "X-MAX-SIGNATURE": self.signed(payload),
            "Content-Type": "application/json",
        }


class Rest:
    """Calls by method and path."""

    def __init__(self, session: aiohttp.ClientSession, signer: Signer) -> None:
        """Nothing is asked yet."""
        self._session = session
        self._signer = signer

    async def ask(self, method: str, path: str, **params: Any) -> Any:
        """The decoded answer to a signed request; raises `VenueSaid`."""
        said = {"nonce": self._signer.nonce(), **params}
        headers = self._signer.headers(path, said)
        if method == "GET":
            query = {name: str(value) for name, value in said.items()}
            return await self._call(method, path, params=query, headers=headers)
        body = msgspec.json.encode(said)
        return await self._call(method, path, data=body, headers=headers)

    async def timestamp(self) -> Any:
        """The venue's time, which anybody may ask."""
        return await self._call("GET", TIMESTAMP)

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        try:
            async with self._session.request(
                method, REST + path, timeout=TIMEOUT, allow_redirects=False, **more
            ) as answer:
                body = await answer.read()
                wait = retry_after(answer.headers, time.time())
                said = refusal_in(answer.status, body, wait)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            verdict = Verdict.NOT_SENT if isinstance(error, UNSENT) else Verdict.UNKNOWN
            raise VenueSaid(
                verdict, raw_code="network", raw_text=type(error).__name__, where=path
            ) from error
        if said is not None:
            said.where = path
            raise said
        try:
            return msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(str(error)) from error


def read(row: Any, kind: Any) -> Any:
    """A part of an answer as its type; raises `VenueSaid`."""
    try:
        return msgspec.convert(row, kind)
    except msgspec.MsgspecError as error:
        raise unreadable(str(error)) from error


def unreadable(what: str) -> VenueSaid:
    """An answer from which nobody knows what was done."""
    return VenueSaid(Verdict.UNKNOWN, raw_code="body", raw_text=what[:200])
