"""Kraken over REST: ccxt builds and signs the request, the answer is read by our own table.

Nonces have to arrive in the order in which they were made, so private calls go one at a time.
ccxt's rate limiter is off, its markets are never loaded, and it retries nothing.
"""

import asyncio
import time
from typing import Any

import aiohttp
import ccxt.async_support as ccxt

from mm.gateways.ccxt_calls import TIMEOUT_MILLIS, called
from mm.gateways.credentials import Credentials
from mm.gateways.venues.kraken.errors import refusal_in
from mm.gateways.verdicts import VenueSaid, Verdict


class Signer(ccxt.kraken):  # type: ignore[misc]
    """ccxt's requests and signatures; our nonces, and our reading of the answers."""

    def __init__(self, session: aiohttp.ClientSession, credentials: Credentials) -> None:
        """Use a session that stays open."""
        super().__init__(
            {
                "session": session,
                "apiKey": credentials.key,
                "secret": credentials.secret,
                "enableRateLimit": False,
                "timeout": TIMEOUT_MILLIS,
            }
        )
        self._nonce = 0

    def __del__(self) -> None:
        """The session is not ours to close, which ccxt would complain of."""

    def nonce(self) -> int:
        """Microseconds since 1970, and never the same twice: ccxt's milliseconds may be."""
        self._nonce = max(self._nonce + 1, time.time_ns() // 1_000)
        return self._nonce

    def handle_errors(  # noqa: PLR0913, PLR0917 - ccxt's own signature.
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: dict[str, str],
        body: str,
        response: Any,
        request_headers: Any,
        request_body: Any,
    ) -> None:
        """Raise `VenueSaid` for whatever is not plain success."""
        del reason, method, body, request_headers, request_body
        after = next((v for k, v in headers.items() if k.lower() == "retry-after"), "")
        said = refusal_in(code, response, after)
        if said is not None:
            said.where = url.partition("?")[0]
            raise said


class Rest:
    """Calls by ccxt's names of them: `privatePostAddOrder`, `publicGetTime`."""

    def __init__(self, session: aiohttp.ClientSession, credentials: Credentials) -> None:
        """Nothing is asked yet."""
        self._signer = Signer(session, credentials)
        self._turn = asyncio.Lock()

    async def ask(self, name: str, **params: Any) -> Any:
        """The result of a call; raises `VenueSaid`."""
        if name.startswith("public"):
            return await self._call(name, params)
        async with self._turn:
            return await self._call(name, params)

    async def _call(self, name: str, params: dict[str, Any]) -> Any:
        answer = await called(self._signer, name, params)
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, dict):
            raise VenueSaid(Verdict.UNKNOWN, raw_code="body", raw_text="an answer of another kind")
        return result
