"""Binance over REST: ccxt builds and signs the request, the answer is read by our own table.

ccxt's own reading of errors is replaced as a whole: its classes hide whether a command may have
been done. Its rate limiter is off, its markets are never loaded, and it retries nothing.
"""

import hashlib
import time
from typing import Any, Final

import aiohttp
import ccxt.async_support as ccxt

from mm.gateways.ccxt_calls import TIMEOUT_MILLIS, called
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.venues.binance.errors import refusal_in
from mm.gateways.verdicts import VenueSaid, Verdict

RECEIVE_WINDOW_MILLIS: Final = 5_000


class Signer(ccxt.binance):  # type: ignore[misc]
    """ccxt's requests and signatures; our reading of the answers."""

    def __init__(
        self, session: aiohttp.ClientSession, credentials: Credentials, clock: VenueClock
    ) -> None:
        """Use a session that stays open, and stamp with the venue's own time."""
        super().__init__(
            {
                "session": session,
                "apiKey": credentials.key,
                "secret": credentials.secret,
                "enableRateLimit": False,
                "timeout": TIMEOUT_MILLIS,
                "options": {"recvWindow": RECEIVE_WINDOW_MILLIS},
            }
        )
        self._clock = clock

    def __del__(self) -> None:
        """The session is not ours to close, and nothing else is held."""

    def nonce(self) -> int:
        """The stamp of a signature; raises `VenueSaid` when the venue's time is not known."""
        return self._clock.stamp()

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
        del reason, method, request_headers, request_body
        after = next((v for k, v in headers.items() if k.lower() == "retry-after"), "")
        said = refusal_in(code, body, after, time.time_ns() // 1_000_000)
        if said is None and response is None:
            said = VenueSaid(Verdict.UNKNOWN, raw_code=f"http {code}", raw_text="no JSON")
        if said is not None:
            said.where = url.partition("?")[0]
            raise said


class Rest:
    """Calls by ccxt's names of them: `privatePostOrder`, `fapiPrivateGetOpenOrders`."""

    def __init__(
        self, session: aiohttp.ClientSession, credentials: Credentials, clock: VenueClock
    ) -> None:
        """Nothing is asked yet."""
        self._signer = Signer(session, credentials, clock)

    def signed(self, text: str) -> str:
        """The signature of a text by the account's secret, whatever kind of key it is."""
        signer = self._signer
        if "PRIVATE KEY" in signer.secret:
            return str(signer.eddsa(text.encode(), signer.secret, "ed25519"))
        return str(signer.hmac(text.encode(), signer.secret.encode(), hashlib.sha256))

    async def call(self, name: str, **params: Any) -> Any:
        """The decoded answer; raises `VenueSaid`."""
        answer = await called(self._signer, name, params)
        if not isinstance(answer, dict | list):
            raise VenueSaid(Verdict.UNKNOWN, raw_code="body", raw_text="an answer of another kind")
        return answer
