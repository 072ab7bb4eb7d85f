"""One question to a venue over REST, and what its refusal means.

Nothing here waits or tries again: whoever asks knows how much it matters.
"""

import time
from collections.abc import Callable
from typing import Final

import aiohttp

from mm.events.units import Nanos
from mm.gateways.backoff import retry_after
from mm.gateways.market_port import Frame, Request
from mm.gateways.verdicts import VenueSaid, Verdict

BODY_BYTES_MAX: Final = 1 << 26
GOOD: Final = 200
WORSE: Final = 500
VERDICTS: Final = {
    403: Verdict.NOT_PERMITTED,
    418: Verdict.BANNED,
    429: Verdict.RATE_LIMITED,
    451: Verdict.NOT_PERMITTED,
}
TEXT_MAX: Final = 200


async def ask(session: aiohttp.ClientSession, request: Request, now: Callable[[], Nanos]) -> Frame:
    """The answer, stamped when it was whole; raises `VenueSaid` for anything but a good one."""
    where = request.url.partition("?")[0]
    try:
        async with session.get(request.url) as answer:
            status, headers = answer.status, answer.headers
            body, whole = await read_body(answer.content)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise VenueSaid(
            Verdict.NOT_SENT, raw_text=f"{type(error).__name__} {error}".rstrip(), where=where
        ) from error
    if status == GOOD and whole:
        return Frame(now(), request.channel, body)
    raise VenueSaid(
        VERDICTS.get(status, Verdict.BUSY if status >= WORSE else Verdict.UNKNOWN),
        raw_code=str(status),
        raw_text=body[:TEXT_MAX].decode(errors="replace") if whole else "the answer is too long",
        where=where,
        retry_after=retry_after(headers, time.time()),
    )


async def read_body(content: aiohttp.StreamReader) -> tuple[bytes, bool]:
    """What an answer says, up to a bound, and whether that is all of it."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in content.iter_any():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            return b"".join(chunks), False
        chunks.append(chunk)
    return b"".join(chunks), True
