"""The WebSocket API: the endpoints of REST by name, and the private stream beside the answers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from mm.emulator.account import Account
from mm.emulator.binance.calls import (
    Call,
    Endpoint,
    Security,
    check_socket_signature,
    check_time,
    key_of,
)
from mm.emulator.binance.limits import Limits
from mm.emulator.binance.listen_keys import USER_STREAM
from mm.emulator.binance.public import millis
from mm.emulator.binance.refusals import Refused
from mm.emulator.binance.sockets import Id
from mm.emulator.binance.streams import encode
from mm.emulator.binance.words import Word
from mm.emulator.exchange import Exchange
from mm.emulator.orders import Update
from mm.emulator.server import Hub
from mm.emulator.sockets import Socket
from mm.events.account import FundingPaid

USER_STREAM_WEIGHT: Final = 2


class Request(msgspec.Struct):
    """What a client says."""

    method: str
    params: dict[str, Any] = {}
    id: Id = None


_request: Final = msgspec.json.Decoder(Request)


class SocketApi:
    """The endpoint of one market's WebSocket API."""

    def __init__(
        self,
        exchange: Exchange,
        hub: Hub,
        methods: Mapping[str, Endpoint],
        word: Word,
        limits: Limits,
    ) -> None:
        """Answer these methods; `word` tells an account's news in the market's own events."""
        self.exchange = exchange
        self.methods = methods
        self.word = word
        self.limits = limits
        self._hub = hub

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Hold a connection."""

        def begin(socket: Socket) -> Callable[[str], Awaitable[None]]:
            session = Session(self, socket)
            socket.ended.append(session.end)
            return session.hear

        return await self._hub.serve(request, begin)


class Session:
    """One connection of the WebSocket API; changes in place."""

    def __init__(self, api: SocketApi, socket: Socket) -> None:
        """Start without a subscription."""
        self._api = api
        self._socket = socket
        self._count = 0
        self._subscribed: dict[int, tuple[Account, Callable[..., None]]] = {}

    async def hear(self, said: str) -> None:
        """Answer one request."""
        try:
            request = _request.decode(said)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self._answer(None, 400, 0, error={"code": -1135, "msg": "Invalid JSON Request"})
            return
        try:
            endpoint = self._api.methods.get(request.method)
            result = self._result(request, endpoint)
            orders = 0 if endpoint is None else endpoint.orders
            self._api.limits.placed(orders)
            self._answer(request.id, 200, orders, result=result)
        except Refused as refused:
            body = refused.body
            if "Retry-After" in refused.headers:
                wait = int(refused.headers["Retry-After"])
                now = millis(self._api.exchange.now())
                body["data"] = {"serverTime": now, "retryAfter": now + 1_000 * wait}
            self._answer(request.id, refused.status, 0, error=body)

    def _answer(self, number: Id, status: int, orders: int, **rest: Any) -> None:
        told = self._api.limits.told(orders)
        self._socket.send("", encode({"id": number, "status": status, **rest, "rateLimits": told}))

    def _result(self, request: Request, endpoint: Endpoint | None) -> Any:
        params = {name: _text(value) for name, value in request.params.items()}
        call = Call(exchange=self._api.exchange, params=params)
        self._api.limits.admit(USER_STREAM_WEIGHT if endpoint is None else endpoint.weigh(call))
        if request.method == "userDataStream.subscribe.signature":
            return {"subscriptionId": self._subscribe(self._signed(params))}
        if request.method == "userDataStream.unsubscribe":
            wanted = params.get("subscriptionId")
            for number in [int(wanted)] if wanted else list(self._subscribed):
                self._unsubscribe(number)
                event = {"e": "eventStreamTerminated", "E": millis(self._api.exchange.now())}
                frame = {"subscriptionId": number, "event": event}
                self._socket.send(USER_STREAM, encode(frame))
            return {}
        if endpoint is None:
            raise Refused(-1020, "This operation is not supported.")
        if endpoint.security is not Security.NONE:
            signed = endpoint.security is Security.SIGNED
            exchange = self._api.exchange
            key = params.get("apiKey")
            call.signed_by = self._signed(params) if signed else key_of(exchange, key)
        self._api.limits.admit_orders(endpoint.orders)
        return endpoint.answer(call)

    def _signed(self, params: dict[str, str]) -> Account:
        account = key_of(self._api.exchange, params.get("apiKey"))
        check_time(self._api.exchange, params)
        check_socket_signature(account, params)
        return account

    def _subscribe(self, account: Account) -> int:
        number, self._count = self._count, self._count + 1

        def hear(news: Update | FundingPaid) -> None:
            for event in self._api.word(account, news):
                frame = {"subscriptionId": number, "event": event}
                self._socket.send(USER_STREAM, encode(frame))

        account.listeners.append(hear)
        self._subscribed[number] = (account, hear)
        return number

    def _unsubscribe(self, number: int) -> None:
        found = self._subscribed.pop(number, None)
        if found is not None:
            account, hear = found
            account.listeners.remove(hear)

    def end(self, socket: Socket) -> None:
        """The connection is gone."""
        del socket
        for number in list(self._subscribed):
            self._unsubscribe(number)


def _text(value: Any) -> str:
    """A parameter as it is signed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
