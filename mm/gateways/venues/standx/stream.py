"""StandX's two private sockets, held open for ever as one: what happens, and what was refused.

The market stream tells of orders, fills, positions and money once it is logged in to; the order
stream tells what came of requests that named its session. Both have to stand. A frame that cannot
be read, or a number that runs back, ends both: what was said is asked for by the reconciliation
that follows. So does a number that is missing, though ever more rarely: the venue's examples count
by socket, but it does not say that it always does.
"""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

import aiohttp
import msgspec

from mm.errors import BadInput, MalformedLine
from mm.events.orders import CancelOrder, CancelRejected, OrderRejected, PlaceOrder
from mm.events.units import Nanos
from mm.events.vocabulary import Fact
from mm.gateways.order_port import PrivateNews, StreamDown, StreamUp
from mm.gateways.venues.standx.errors import GOOD, Told, refusal
from mm.gateways.venues.standx.messages import (
    BalanceTold,
    OrderTold,
    PositionTold,
    Reader,
    TradeTold,
)
from mm.gateways.venues.standx.rest import LOST, new_id
from mm.gateways.venues.standx.wire import Frame
from mm.gateways.verdicts import REASONS, UNCERTAIN, VenueSaid, Verdict

NEWS: Final = "wss://perps.standx.com/ws-stream/v1"
RESPONSES: Final = "wss://perps.standx.com/ws-api/v1"
STREAMS: Final = ("order", "trade", "position", "balance")
PING_SECONDS: Final = 10.0
CONFIRM_SECONDS_MAX: Final = 10.0
LIFE_SECONDS: Final = 23 * 3_600.0
"""The venue ends a socket after a day."""
PAUSE_SECONDS: Final = 0.25
PAUSE_SECONDS_MAX: Final = 30.0
FRAME_BYTES_MAX: Final = 4 << 20
REQUESTS_MAX: Final = 4_000
HOLE_PAUSE_SECONDS: Final = 60.0
HOLE_PAUSE_SECONDS_MAX: Final = 3_600.0
"""After a missing number the next one is passed over for so long; it doubles each time."""

Socket = aiohttp.ClientWebSocketResponse
Command = PlaceOrder | CancelOrder
_frame: Final[msgspec.json.Decoder[Frame]] = msgspec.json.Decoder(Frame)
_told: Final[msgspec.json.Decoder[Told]] = msgspec.json.Decoder(Told)
_order: Final[msgspec.json.Decoder[OrderTold]] = msgspec.json.Decoder(OrderTold)
_trade: Final[msgspec.json.Decoder[TradeTold]] = msgspec.json.Decoder(TradeTold)
_position: Final[msgspec.json.Decoder[PositionTold]] = msgspec.json.Decoder(PositionTold)
_balance: Final[msgspec.json.Decoder[BalanceTold]] = msgspec.json.Decoder(BalanceTold)


class Dead(Exception):
    """A connection that is of no more use."""


class Requests:
    """Commands that were sent, by the name of their request, until they are refused."""

    def __init__(self, now: Callable[[], Nanos]) -> None:
        """`now` is log time, with which facts are stamped."""
        self._now = now
        self._sent: OrderedDict[str, Command] = OrderedDict()

    def sent(self, request_id: str, command: Command) -> None:
        """A command leaves under a name."""
        self._sent[request_id] = command
        if len(self._sent) > REQUESTS_MAX:
            self._sent.popitem(last=False)

    def answered(self, told: Told) -> list[Fact]:
        """The facts of an answer: a refusal. That a command was taken proves nothing."""
        command = self._sent.get(told.request_id)
        if command is None or told.code in GOOD:
            return []
        said = refusal(told.code, told.message)
        if said.verdict in UNCERTAIN or said.verdict is Verdict.RATE_LIMITED:
            return []  # Whoever sent it asks what became of it.
        del self._sent[told.request_id]
        kind = OrderRejected if isinstance(command, PlaceOrder) else CancelRejected
        refused = kind(
            order_id=command.order_id,
            instrument=command.instrument,
            reason=REASONS[said.verdict],
            received=self._now(),
            venue_time=Nanos(0),
            raw_code=said.raw_code,
            raw_text=said.raw_text,
        )
        return [refused]


class PrivateLine:
    """One account's sockets; `owner` asks whose an order is of which nothing was said."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        token: str,
        reader: Reader,
        now: Callable[[], Nanos],
        owner: Callable[[int], Awaitable[None]],
    ) -> None:
        """Nothing is connected yet."""
        self._session = session
        self._token = token
        self._reader = reader
        self._now = now
        self._owner = owner
        self._sequence = 0
        self._holes_from = 0.0
        self._hole_pause = HOLE_PAUSE_SECONDS
        self.name = new_id()
        self.requests = Requests(now)

    def __repr__(self) -> str:
        """Without the token."""
        return f"PrivateLine({self.name})"

    async def news(self) -> AsyncIterator[PrivateNews]:
        """News for ever; raises `VenueSaid` only when going on is pointless."""
        pause = PAUSE_SECONDS
        while True:
            up, why = False, "its life is over"
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
            if up:
                yield StreamDown(self._now(), why)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret.
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    async def _connected(self) -> AsyncIterator[PrivateNews]:
        """Both sockets, from their logins to the end of one."""
        until = time.monotonic() + LIFE_SECONDS
        async with AsyncExitStack() as stack:
            news, responses = [
                await stack.enter_async_context(
                    self._session.ws_connect(
                        url, heartbeat=PING_SECONDS, max_msg_size=FRAME_BYTES_MAX, compress=0
                    )
                )
                for url in (NEWS, RESPONSES)
            ]
            async with asyncio.timeout(CONFIRM_SECONDS_MAX):
                await self._log_in(news, responses)
            yield StreamUp(self._now())
            async for facts in self._heard({news: self._told_news, responses: self._response}):
                if facts:
                    yield tuple(facts)
                if time.monotonic() > until:
                    return

    async def _log_in(self, news: Socket, responses: Socket) -> None:
        streams = [{"channel": each} for each in STREAMS]
        await _say(news, {"auth": {"token": self._token, "streams": streams}})
        frame = _frame.decode(await _received(news))
        answer = msgspec.json.decode(frame.data)
        if frame.channel != "auth":
            raise refusal(frame.code, frame.message, NEWS)
        self._sequence = frame.seq
        if answer.get("code") not in GOOD:
            raise refusal(int(answer.get("code", 0)), str(answer.get("msg", "")), NEWS)
        request = {"session_id": self.name, "request_id": new_id(), "method": "auth:login"}
        params = msgspec.json.encode({"token": self._token}).decode()
        await _say(responses, {**request, "header": {}, "params": params})
        told = _told.decode(await _received(responses))
        if told.code not in GOOD:
            raise refusal(told.code, told.message, RESPONSES)

    async def _heard(
        self, hear: dict[Socket, Callable[[bytes], Awaitable[list[Fact]]]]
    ) -> AsyncIterator[list[Fact]]:
        """The facts of whatever is said on any socket, one frame at a time."""
        waiting = {asyncio.create_task(_received(each)): each for each in hear}
        try:
            while True:
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    socket = waiting.pop(task)
                    body = task.result()
                    waiting[asyncio.create_task(_received(socket))] = socket
                    yield await hear[socket](body)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _response(self, body: bytes) -> list[Fact]:
        return self.requests.answered(_told.decode(body))

    def _count(self, frame: Frame) -> None:
        if frame.seq <= self._sequence:
            raise MalformedLine(f"frame {frame.seq} comes after {self._sequence}")
        last, self._sequence = self._sequence, frame.seq
        if frame.seq > last + 1 and time.monotonic() >= self._holes_from:
            self._holes_from = time.monotonic() + self._hole_pause
            self._hole_pause = min(2 * self._hole_pause, HOLE_PAUSE_SECONDS_MAX)
            raise Dead(f"frame {frame.seq} comes after {last}")

    async def _told_news(self, body: bytes) -> list[Fact]:
        frame = _frame.decode(body)
        if not frame.channel:
            raise refusal(frame.code, frame.message, NEWS)
        self._count(frame)
        reader = self._reader
        facts: list[Fact | None] = []
        match frame.channel:
            case "order":
                facts += reader.order(_order.decode(frame.data))
            case "trade":
                told = _trade.decode(frame.data)
                if reader.trades(told.symbol) and not reader.knows(told.order_id):
                    await self._owner(told.order_id)
                facts.append(reader.fill(told))
            case "position":
                facts.append(reader.position(_position.decode(frame.data)))
            case "balance":
                money = _balance.decode(frame.data)
                if money.token in reader.assets:
                    facts.append(reader.balance(money.token, money.total, money.locked))
            case _:
                pass  # A channel that was not asked for.
        return [fact for fact in facts if fact is not None]


async def _say(socket: Socket, request: dict[str, Any]) -> None:
    await socket.send_str(msgspec.json.encode(request).decode())


async def _received(socket: Socket) -> bytes:
    """The next frame; raises `Dead` where there will be none."""
    message = await socket.receive()
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise Dead(f"closed, code {socket.close_code}")
    data: str = message.data
    return data.encode()
