"""A user stream held open: dialled, subscribed, listened to, and dialled again for ever.

It stands when the subscription is confirmed, and is replaced well before the venue would cut it.
A frame that cannot be read ends the connection: what it said is asked for by the reconciliation
that follows.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

import aiohttp
import msgspec

from mm.errors import BadInput
from mm.events.units import Nanos
from mm.events.vocabulary import Fact
from mm.gateways.order_port import PrivateNews, StreamDown, StreamUp
from mm.gateways.verdicts import VenueSaid, Verdict

PING_SECONDS: Final = 15.0
LIFE_SECONDS: Final = 23 * 3_600.0
PAUSE_SECONDS: Final = 0.25
PAUSE_SECONDS_MAX: Final = 30.0
CONFIRM_SECONDS_MAX: Final = 10.0
FRAME_BYTES_MAX: Final = 4 << 20


class Ended(NamedTuple):
    """The venue says that it says no more here."""

    why: str


class Refused(Exception):
    """The venue refused the subscription."""

    def __init__(self, said: VenueSaid) -> None:
        """Keep what it said."""
        super().__init__(str(said))
        self.said = said


class Wire(Protocol):
    """What a stream stands on; `now` is log time."""

    @property
    def session(self) -> aiohttp.ClientSession:
        """Through which it is dialled."""
        ...

    @property
    def now(self) -> Callable[[], Nanos]:
        """With what news are stamped."""
        ...


class Stream(Protocol):
    """One venue's way of subscribing and of saying things."""

    async def url(self) -> str:
        """Where to connect; raises `VenueSaid`."""
        ...

    def hello(self) -> bytes | None:
        """What to say first; None where the address says it all."""
        ...

    def hear(self, body: bytes) -> list[Fact] | Ended | None:
        """The facts of a frame; None for the answer that the subscription stands."""
        ...


async def held_open(stream: Stream, wire: Wire) -> AsyncIterator[PrivateNews]:
    """News for ever; raises `VenueSaid` only when going on is pointless."""
    pause = PAUSE_SECONDS
    while True:
        up, why = False, ""
        try:
            async for news in _connected(stream, wire):
                up, pause = True, PAUSE_SECONDS
                yield news
            why = "the venue closed it"
        except Refused as refused:
            why = str(refused.said)
            if refused.said.verdict is Verdict.NOT_PERMITTED:
                raise refused.said from refused
        except VenueSaid as said:
            why = str(said)
            if said.verdict is Verdict.NOT_PERMITTED:
                raise
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            why = type(error).__name__
        except (BadInput, msgspec.MsgspecError) as error:
            why = f"unreadable: {error}"
        if up:
            yield StreamDown(wire.now(), why)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret.
        pause = min(2 * pause, PAUSE_SECONDS_MAX)


async def _connected(stream: Stream, wire: Wire) -> AsyncIterator[PrivateNews]:
    """One connection, from its confirmation to its end."""
    url, until = await stream.url(), time.monotonic() + LIFE_SECONDS
    async with wire.session.ws_connect(
        url, heartbeat=PING_SECONDS, max_msg_size=FRAME_BYTES_MAX, compress=0
    ) as socket:
        hello = stream.hello()
        if hello is not None:
            await socket.send_str(hello.decode())
            async with asyncio.timeout(CONFIRM_SECONDS_MAX):
                await _confirmed(stream, socket)
        yield StreamUp(wire.now())
        while (left := until - time.monotonic()) > 0:
            message = None
            with suppress(TimeoutError):
                message = await socket.receive(timeout=left)
            if message is None:
                return
            if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                return
            facts = stream.hear(_bytes(message))
            if isinstance(facts, Ended):
                return
            if facts:
                yield tuple(facts)


async def _confirmed(stream: Stream, socket: aiohttp.ClientWebSocketResponse) -> None:
    message = await socket.receive()
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise aiohttp.ClientConnectionError("closed before it was confirmed")
    if stream.hear(_bytes(message)) is not None:
        raise BadInput("something else than an answer came first")


def _bytes(message: aiohttp.WSMessage) -> bytes:
    data = message.data
    return data.encode() if isinstance(data, str) else bytes(data)
