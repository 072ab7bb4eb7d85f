"""MAX in front of an exchange: its hosts, and what it answers on them."""

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from aiohttp import web

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange
from mm.emulator.max import public
from mm.emulator.max.calls import Call, Signatures, millis, parameters
from mm.emulator.max.described import Payload, encode
from mm.emulator.max.desk import Desk
from mm.emulator.max.limits import REQUESTS_MAX, Limits, Said
from mm.emulator.max.news import FILTERS, USUAL, Subscription
from mm.emulator.max.private import Answer, Private
from mm.emulator.max.refusals import Refused
from mm.emulator.max.streams import Streams, topic_of
from mm.emulator.server import Hub
from mm.emulator.sockets import Socket

HOSTS: Final = ("max-api.maicoin.com", "max-stream.maicoin.com")
PUBLIC: Final[dict[str, Answer]] = {
    "markets": public.markets,
    "currencies": public.currencies,
    "timestamp": public.timestamp,
    "trades": public.trades,
    "k": public.candles,
    "ticker": public.ticker,
    "tickers": public.tickers,
}
POLICY: Final = 1_008


class MaxFront:
    """MAX in front of an exchange."""

    venue = "max"
    hosts: Sequence[str] = HOSTS

    def __init__(self, exchange: Exchange, requests_max: int = REQUESTS_MAX) -> None:
        """Speak for it, and allow so many requests a minute."""
        self.exchange = exchange
        self.limits = Limits(exchange.at, requests_max)
        self.desk = Desk(exchange)
        self.signatures = Signatures(exchange)
        self.streams = Streams(exchange)
        self._private = Private(self.desk).endpoints()

    def usage(self) -> dict[str, int]:
        """The counts of the last minute."""
        return self.limits.usage()

    def routes(self, hub: Hub) -> list[web.RouteDef]:
        """REST and the socket."""

        async def socket(request: web.Request) -> web.StreamResponse:
            try:
                self.limits.connect()
            except Refused as refused:
                return _refused(refused)
            return await hub.serve(request, self._begin)

        depth: Answer = partial(public.depth, version=self.streams.version)
        answers: dict[str, Answer] = {**PUBLIC, "depth": depth}
        return [
            *(web.get(f"/api/v3/{name}", self._public(each)) for name, each in answers.items()),
            *(
                web.route(method, path, self._signed(answer))
                for (method, path), answer in self._private.items()
            ),
            web.get("/ws", socket),
        ]

    def _begin(self, socket: Socket) -> Callable[[str], Awaitable[None]]:
        socket.ended.append(self.streams.leave)
        return Dialogue(self, socket).hear

    def _public(self, answer: Answer) -> Callable[..., Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            def run() -> Any:
                self.limits.request("address")
                params = parameters(request.query, "")
                return answer(Call(exchange=self.exchange, params=params))

            return _answered(run)

        return handle

    def _signed(self, answer: Answer) -> Callable[..., Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            body = await request.text()

            def run() -> Any:
                sent = parameters(request.query, body)
                account = self.signatures.check(request.path, sent, request.headers)
                self.limits.request(account.keys.key)
                wallet = request.match_info.get("wallet", "spot")
                call = Call(exchange=self.exchange, params=sent, signed_by=account, wallet=wallet)
                return answer(call)

            return _answered(run)

        return handle


def _answered(run: Callable[[], Any]) -> web.Response:
    try:
        return web.Response(body=encode(run()), content_type="application/json", charset="utf-8")
    except Refused as refused:
        return _refused(refused)


def _refused(refused: Refused) -> web.Response:
    return web.Response(
        body=encode(refused.body),
        status=refused.status,
        headers=refused.headers,
        content_type="application/json",
        charset="utf-8",
    )


class Dialogue:
    """What one client says on its socket, and what it is answered."""

    def __init__(self, front: MaxFront, socket: Socket) -> None:
        """Nothing was said yet."""
        self._front = front
        self._socket = socket
        self._said = Said(front.exchange.at)
        self._known = False

    async def hear(self, text: str) -> None:
        """Do what is asked and say so."""
        if not self._said.take():
            self._socket.close(POLICY, b"too many messages")
            return
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self._error("E-1005: invalid json", None)
            return
        match said.get("action"):
            case "sub" | "subscribe":
                self._subscribe(said)
            case "unsub" | "unsubscribe":
                self._unsubscribe(said)
            case "auth" | "authenticate":
                self._authenticate(said)
            case "ping":
                self._say({"e": "pong"}, said.get("id"))
            case _:
                self._error("E-1004: invalid action", said.get("id"))

    def _say(self, payload: Payload, mark: Any) -> None:
        marks = {} if mark is None else {"i": mark}
        frame = {**payload, **marks, "T": millis(self._front.exchange.now())}
        self._socket.send("", encode(frame))

    def _error(self, text: str, mark: Any) -> None:
        self._say({"e": "error", "E": [text]}, mark)

    def _subscribe(self, said: Payload) -> None:
        asked, streams = said.get("subscriptions"), self._front.streams
        topics = [topic_of(each) for each in asked] if isinstance(asked, list) else [None]
        found = [each for each in topics if each is not None and streams.known(each)]
        if len(found) < len(topics):
            self._error("E-1003: invalid subscription", said.get("id"))
            return
        self._say({"e": "subscribed", "s": asked}, said.get("id"))
        for topic in found:
            streams.subscribe(self._socket, topic)

    def _unsubscribe(self, said: Payload) -> None:
        asked = said.get("subscription", said.get("subscriptions"))
        for each in asked if isinstance(asked, list) else []:
            topic = topic_of(each)
            if topic is not None:
                self._front.streams.unsubscribe(self._socket, topic)
        self._say({"e": "unsubscribed", "s": asked}, said.get("id"))

    def _authenticate(self, said: Payload) -> None:
        front, nonce = self._front, said.get("nonce")
        account: Account | None = front.exchange.accounts.get(str(said.get("apiKey")))
        filters = said.get("filters") or list(USUAL)
        if account is None or not front.signatures.signed(
            account, str(nonce), said.get("signature")
        ):
            self._error("E-1007: authentication failed", said.get("id"))
            return
        why = front.signatures.nonce(account, nonce)
        if why:
            late = why == "late"
            text = "E-1006: invalid nonce" if late else "E-1012: nonce has already been used"
            self._error(text, said.get("id"))
            return
        if not isinstance(filters, list) or not FILTERS.issuperset(map(str, filters)):
            self._error("E-1003: invalid filters", said.get("id"))
            return
        self._say({"e": "authenticated"}, said.get("id"))
        if not self._known:
            self._known = True
            Subscription(front.exchange, front.desk, self._socket, account, filters)
