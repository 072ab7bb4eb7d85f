"""Kraken spot in front of an exchange: its hosts, and what it answers on them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiohttp import web

from mm.emulator.exchange import Exchange
from mm.emulator.kraken import public
from mm.emulator.kraken.calls import Call, Signatures, parameters
from mm.emulator.kraken.desk import Desk
from mm.emulator.kraken.dialogue import Dialogue, PublicChannels
from mm.emulator.kraken.limits import PRO, Limits, Tier
from mm.emulator.kraken.private import Private, Tokens
from mm.emulator.kraken.private_sockets import PrivateSockets
from mm.emulator.kraken.refusals import UNKNOWN_METHOD, Refused
from mm.emulator.kraken.streams import Streams, welcome
from mm.emulator.kraken.wording import encode
from mm.emulator.server import Hub
from mm.emulator.sockets import Socket

HOSTS: Final = ("api.kraken.com", "ws.kraken.com", "ws-auth.kraken.com")
PUBLIC: Final[dict[str, Callable[[Call], Any]]] = {
    "Time": public.time,
    "SystemStatus": public.status,
    "Assets": public.assets,
    "AssetPairs": public.pairs,
    "Ticker": public.ticker,
    "Depth": public.depth,
    "Trades": public.trades,
    "OHLC": public.candles,
}


class KrakenFront:
    """Kraken spot in front of an exchange."""

    venue = "kraken"
    hosts: Sequence[str] = HOSTS

    def __init__(self, exchange: Exchange, tier: Tier = PRO) -> None:
        """Speak for it, and count calls by an account's tier."""
        self.exchange = exchange
        self.limits = Limits(exchange.at, tier)
        self._desk = Desk(exchange, self.limits)
        self._tokens = Tokens()
        self._signatures = Signatures(exchange)
        self._private = Private(self._desk, self._tokens).endpoints()
        self._streams = Streams(exchange)

    def usage(self) -> dict[str, float]:
        """The counters."""
        return self.limits.usage()

    def routes(self, hub: Hub) -> list[web.RouteDef]:
        """REST and both sockets; the host tells which socket is meant."""
        private = PrivateSockets(self.exchange, self._desk, self._tokens, hub)

        async def socket(request: web.Request) -> web.StreamResponse:
            if request.host.startswith("ws-auth."):
                return await private.handle(request)
            return await hub.serve(request, self._begin)

        return [
            web.get("/0/public/{method}", self._public),
            web.post("/0/private/{method}", self._signed),
            web.get("/v2", socket),
        ]

    def _begin(self, socket: Socket) -> Callable[[str], Awaitable[None]]:
        welcome(socket)
        socket.ended.append(self._streams.leave)
        channels = PublicChannels(self.exchange, self._streams, socket)
        return Dialogue(self.exchange, socket, channels.methods()).hear

    async def _public(self, request: web.Request) -> web.Response:
        answer = PUBLIC.get(request.match_info["method"])

        def run() -> Any:
            if answer is None:
                raise Refused(UNKNOWN_METHOD)
            return answer(Call(exchange=self.exchange, params=dict(request.query)))

        return _answered(run)

    async def _signed(self, request: web.Request) -> web.Response:
        body = await request.text()

        def run() -> Any:
            params = parameters(body, request.content_type)
            key, sign = (request.headers.get(name, "") for name in ("API-Key", "API-Sign"))
            account = self._signatures.check(request.path, body, params, key, sign)
            found = self._private.get(request.match_info["method"])
            if found is None:
                raise Refused(UNKNOWN_METHOD)
            answer, cost = found
            self.limits.call(key, cost)
            return answer(Call(exchange=self.exchange, params=params, signed_by=account))

        return _answered(run)


def _answered(run: Callable[[], Any]) -> web.Response:
    """The answer, or the error in its place; both come with status 200."""
    try:
        payload = {"error": [], "result": run()}
    except Refused as refused:
        payload = {"error": [refused.text]}
    return web.Response(body=encode(payload), content_type="application/json", charset="utf-8")
