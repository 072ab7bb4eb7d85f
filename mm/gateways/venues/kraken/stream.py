"""Kraken's private socket, held open for ever: news of the account, and commands with answers.

It stands when the subscription to executions is confirmed. A frame that is missing by its number,
or cannot be read, ends the connection: what it said is asked for by the reconciliation that
follows. Commands that wait for an answer when it ends have an unknown outcome.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, NoReturn

import aiohttp
import msgspec

from mm.errors import BadInput, MalformedLine
from mm.events.units import Nanos
from mm.events.vocabulary import Fact
from mm.gateways.moments import nanos
from mm.gateways.order_port import PrivateNews, StreamDown, StreamUp
from mm.gateways.venues.kraken.errors import refusal
from mm.gateways.venues.kraken.messages import Asset, Execution, Reader
from mm.gateways.verdicts import VenueSaid, Verdict

URL: Final = "wss://ws-auth.kraken.com/v2"
SILENCE_SECONDS: Final = 15.0
"""A heartbeat comes every second in which nothing else does."""
CONFIRM_SECONDS_MAX: Final = 10.0
PAUSE_SECONDS: Final = 0.25
PAUSE_SECONDS_MAX: Final = 30.0
FRAME_BYTES_MAX: Final = 4 << 20
ZERO: Final = Decimal(0)


class Frame(msgspec.Struct):
    """Any frame; which fields count depends on whether it is of a channel or an answer."""

    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    sequence: int = 0
    method: str = ""
    success: bool = True
    error: str = ""
    result: msgspec.Raw = msgspec.Raw(b"{}")
    req_id: int = 0
    time_in: str = ""


_frame: Final[msgspec.json.Decoder[Frame]] = msgspec.json.Decoder(Frame)
_executions: Final[msgspec.json.Decoder[list[Execution]]] = msgspec.json.Decoder(list[Execution])
_assets: Final[msgspec.json.Decoder[list[Asset]]] = msgspec.json.Decoder(list[Asset])
LOST: Final = (aiohttp.ClientError, OSError, TimeoutError)


class Dead(Exception):
    """A connection that is of no more use."""


class PrivateLine:
    """One account's socket; changes in place."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        reader: Reader,
        token: Callable[[], Awaitable[str]],
        now: Callable[[], Nanos],
        switch_seconds: int,
    ) -> None:
        """`switch_seconds` arms the dead man's switch while the line stands; 0 leaves it alone."""
        self._session = session
        self._reader = reader
        self._ask_token = token
        self._now = now
        self._switch_seconds = switch_seconds
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._token = ""
        self._numbers = 0
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._sequences: dict[str, int] = {}

    @property
    def stands(self) -> bool:
        """Whether commands can be said."""
        return self._socket is not None and not self._socket.closed

    async def news(self) -> AsyncIterator[PrivateNews]:
        """News for ever; raises `VenueSaid` only when going on is pointless."""
        pause = PAUSE_SECONDS
        while True:
            up, why = False, "the venue closed it"
            try:
                async for news in self._connected():
                    up, pause = True, PAUSE_SECONDS
                    yield news
            except VenueSaid as said:
                why = str(said)
                if said.verdict is Verdict.NOT_PERMITTED:
                    raise
            except Dead as dead:
                why = str(dead)
            except LOST as error:
                why = type(error).__name__
            except (BadInput, msgspec.MsgspecError) as error:
                why = f"unreadable: {error}"
            finally:
                self._drop()
            if up:
                yield StreamDown(self._now(), why)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret.
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    def _drop(self) -> None:
        """Whoever waits for an answer will not get one."""
        self._socket = None
        self._sequences.clear()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                said = VenueSaid(Verdict.UNKNOWN, raw_code="socket", raw_text="it was lost")
                future.set_exception(said)

    async def _connected(self) -> AsyncIterator[PrivateNews]:
        """One connection, from its confirmation to its end."""
        self._token = await self._ask_token()
        async with self._session.ws_connect(
            URL, heartbeat=SILENCE_SECONDS, max_msg_size=FRAME_BYTES_MAX, compress=0
        ) as socket:
            try:
                async for news in self._spoken(socket):
                    yield news
            finally:
                self._drop()

    async def _spoken(self, socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[PrivateNews]:
        for channel in ("executions", "balances"):
            await self._subscribe(socket, channel)
        async with asyncio.timeout(CONFIRM_SECONDS_MAX):
            held = [fact for _ in range(2) for fact in await self._until_confirmed(socket)]
        self._socket = socket
        keeper = asyncio.create_task(self._keep_switch())
        try:
            yield StreamUp(self._now())
            if held:
                yield tuple(held)
            while True:
                facts = self._hear(await _received(socket))
                if facts:
                    yield tuple(facts)
        except asyncio.CancelledError:
            await self._disarm(socket)
            raise
        finally:
            keeper.cancel()

    async def _subscribe(self, socket: aiohttp.ClientWebSocketResponse, channel: str) -> None:
        params: dict[str, Any] = {"channel": channel, "token": self._token}
        if channel == "executions":
            params |= {"snap_orders": True, "snap_trades": False, "order_status": True}
        said = msgspec.json.encode({"method": "subscribe", "params": params})
        await socket.send_str(said.decode())

    async def _until_confirmed(self, socket: aiohttp.ClientWebSocketResponse) -> list[Fact]:
        """Listen until a subscription is confirmed; raises `VenueSaid` where it is refused."""
        held: list[Fact] = []
        while True:
            body = await _received(socket)
            frame = _frame.decode(body)
            if frame.method == "subscribe":
                if not frame.success:
                    raise refusal(frame.error, URL)
                return held
            held += self._hear(body)

    async def _keep_switch(self) -> None:
        """Say again and again that we live; the venue cancels all orders when we do not."""
        while self._switch_seconds:
            try:
                await self.command("cancel_all_orders_after", timeout=self._switch_seconds)
            except VenueSaid:
                if not self.stands:
                    return  # The next connection goes on with it.
            await asyncio.sleep(self._switch_seconds / 3)

    async def _disarm(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """We end of our own accord: orders of others on the account are none of our business."""
        if self._switch_seconds:
            params = {"timeout": 0, "token": self._token}
            said = msgspec.json.encode({"method": "cancel_all_orders_after", "params": params})
            with suppress(*LOST):
                await socket.send_str(said.decode())

    def _hear(self, body: bytes) -> list[Fact]:
        """The facts of a frame; an answer goes to whoever waits for it."""
        frame = _frame.decode(body)
        if frame.method:
            future = self._waiting.pop(frame.req_id, None)
            if future is not None and not future.done():
                future.set_result(frame)
            return []
        if frame.channel not in {"executions", "balances"}:
            return []
        last = self._sequences.get(frame.channel, 0)
        if frame.sequence != last + 1:
            raise MalformedLine(f"{frame.channel}: {frame.sequence} comes after {last}")
        self._sequences[frame.channel] = frame.sequence
        if frame.channel == "balances":
            rows = [row for row in _assets.decode(frame.data) if row.wallet_type == "spot"]
            return [self._reader.balance(row.asset, row.balance, ZERO) for row in rows]
        reports = _executions.decode(frame.data)
        return [fact for each in reports for fact in self._reader.report(each)]

    async def command(self, method: str, **params: Any) -> Any:
        """The result of something said; raises `VenueSaid`."""
        frame = await self._answer(method, {"params": {**params, "token": self._token}})
        if not frame.success:
            raise refusal(frame.error, URL)
        try:
            return msgspec.json.decode(frame.result)
        except msgspec.MsgspecError as error:
            raise VenueSaid(Verdict.UNKNOWN, raw_code="body", raw_text=str(error)) from error

    async def clock(self) -> Nanos:
        """The venue's own time; raises `VenueSaid`."""
        return nanos((await self._answer("ping", {})).time_in)

    async def _answer(self, method: str, request: dict[str, Any]) -> Frame:
        socket = self._socket
        if socket is None:
            _unsent()
        self._numbers += 1
        number = self._numbers
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        body = msgspec.json.encode({"method": method, **request, "req_id": number})
        try:
            await socket.send_str(body.decode())
            return await future
        except LOST as error:
            text = type(error).__name__
            raise VenueSaid(Verdict.UNKNOWN, raw_code="socket", raw_text=text) from error
        finally:
            self._waiting.pop(number, None)


def _unsent() -> NoReturn:
    raise VenueSaid(Verdict.NOT_SENT, raw_code="socket", raw_text="it does not stand")


async def _received(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    """The next frame; raises `Dead` where there will be none."""
    try:
        message = await socket.receive(timeout=SILENCE_SECONDS)
    except TimeoutError as error:
        raise Dead(f"silent for {SILENCE_SECONDS:g} s") from error
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise Dead(f"closed, code {socket.close_code}")
    data: str = message.data
    return data.encode()
