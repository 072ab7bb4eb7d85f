"""StandX over REST: questions with a token, commands with a signed body besides."""

import time
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import msgspec

from mm.gateways.asking import read_body
from mm.gateways.backoff import retry_after
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.network import UNSENT
from mm.gateways.venues.standx.errors import refusal_in
from mm.gateways.venues.standx.keys import SigningKey
from mm.gateways.verdicts import VenueSaid, Verdict

API: Final = "https://perps.standx.com/api"
REGION: Final = "https://geo.standx.com/v1/region"
LOST: Final = (aiohttp.ClientError, OSError, TimeoutError)


def new_id() -> str:
    """A name that no request had before."""
    return str(uuid.uuid4())


class Rest:
    """One account's calls; nothing is tried twice."""

    def __init__(
        self, session: aiohttp.ClientSession, credentials: Credentials, clock: VenueClock
    ) -> None:
        """`credentials` are a web token and a signing key in base 58; raises `ConfigError`."""
        self._session = session
        self._clock = clock
        self._key = SigningKey.read(credentials.secret, "MM_STANDX_SECRET")
        self._token = credentials.key

    @property
    def token(self) -> str:
        """What a stream logs in with."""
        return self._token

    async def ask(self, name: str, **params: Any) -> Any:
        """The answer to a question; raises `VenueSaid`."""
        query = f"?{urlencode(params)}" if params else ""
        headers = {"Authorization": f"Bearer {self._token}"}
        return await called(self._session, "GET", f"{API}/{name}{query}", headers)

    async def command(
        self, name: str, body: Mapping[str, Any], request_id: str, stream: str = ""
    ) -> Any:
        """The answer to a command; `stream` is the session that hears what comes of it.

        Raises `VenueSaid`.
        """
        text = msgspec.json.encode(dict(body)).decode()
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            **self._key.headers(request_id, self._clock.stamp(), text),
        }
        if stream:
            headers["x-session-id"] = stream
        return await called(self._session, "POST", f"{API}/{name}", headers, text)

    async def millis(self) -> int:
        """The venue's time; raises `VenueSaid`."""
        answer = await called(self._session, "GET", REGION, {})
        found = answer.get("systemTime") if isinstance(answer, dict) else None
        if not isinstance(found, int):
            raise unreadable("no time in the answer")
        return found


async def called(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: str | None = None,
) -> Any:
    """The answer to a request, decoded; raises `VenueSaid` for anything but a good one."""
    where = url.partition("?")[0]
    try:
        async with session.request(method, url, headers=headers, data=body) as answer:
            said, whole = await read_body(answer.content)
            status, wait = answer.status, retry_after(answer.headers, time.time())
    except LOST as error:
        verdict = Verdict.NOT_SENT if isinstance(error, UNSENT) else Verdict.UNKNOWN
        raise VenueSaid(
            verdict, raw_code="network", raw_text=type(error).__name__, where=where
        ) from error
    if not whole:
        raise unreadable("the answer is too long")
    refused = refusal_in(status, said, where, wait)
    if refused is not None:
        raise refused
    try:
        return msgspec.json.decode(said)
    except msgspec.MsgspecError as error:
        raise unreadable(str(error)) from error


def unreadable(what: str) -> VenueSaid:
    """An answer from which nobody knows what was done."""
    return VenueSaid(Verdict.UNKNOWN, raw_code="body", raw_text=what[:200])
