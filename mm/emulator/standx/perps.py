"""StandX perpetuals in front of an exchange: its hosts, and what it answers on them."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import web

from mm.emulator.binance.usdm_margin import Margin
from mm.emulator.exchange import Exchange
from mm.emulator.kraken.wording import encode
from mm.emulator.server import Hub
from mm.emulator.standx import public
from mm.emulator.standx.calls import Call, parsed
from mm.emulator.standx.desk import Desk
from mm.emulator.standx.keys import Doorman
from mm.emulator.standx.limits import USUAL, Limits, Terms
from mm.emulator.standx.private import Private
from mm.emulator.standx.refusals import NOT_FOUND, Refused
from mm.emulator.standx.responses import Responses
from mm.emulator.standx.streams import Streams

HOSTS: Final = ("perps.standx.com", "api.standx.com", "geo.standx.com")
PUBLIC: Final[dict[str, Callable[[Call], Any]]] = {
    "query_symbol_info": public.infos,
    "query_symbol_market": public.market,
    "query_symbol_price": public.price,
    "query_depth_book": public.depth,
    "query_recent_trades": public.trades,
    "query_funding_rates": public.fundings,
    "kline/time": public.seconds,
    "kline/history": public.candles,
}


class StandxFront:
    """StandX in front of an exchange."""

    venue = "standx"
    hosts: Sequence[str] = HOSTS

    def __init__(self, exchange: Exchange, terms: Terms = USUAL) -> None:
        """Speak for it, and count by `terms`."""
        self.exchange = exchange
        self.limits = Limits(exchange.at, terms)
        margin = Margin(exchange)
        private = Private(exchange, margin)
        self._doorman = Doorman(exchange)
        self._streams = Streams(exchange, self._doorman, private)
        self._responses = Responses(exchange, self._doorman, self.limits)
        desk = Desk(exchange, margin, self._responses.tell)
        self._responses.acts = {"order:new": desk.place, "order:cancel": desk.cancel}
        self._questions = private.questions()
        self._commands: dict[str, Callable[[Call], Any]] = {
            "new_order": desk.place,
            "cancel_order": desk.cancel,
            "cancel_orders": desk.cancel_many,
        }

    def usage(self) -> dict[str, float]:
        """Credits that are left."""
        return self.limits.usage()

    def routes(self, hub: Hub) -> list[web.RouteDef]:
        """REST, logins, and both sockets."""

        async def market(request: web.Request) -> web.StreamResponse:
            return await hub.serve(request, self._streams.begin)

        async def orders(request: web.Request) -> web.StreamResponse:
            return await hub.serve(request, self._responses.begin)

        return [
            web.get("/api/health", self._health),
            web.get("/api/{name:.+}", self._asked),
            web.post("/api/{name}", self._commanded),
            web.post("/v1/offchain/prepare-signin", self._offered),
            web.post("/v1/offchain/login", self._logged_in),
            web.get("/v1/region", self._region),
            web.get("/ws-stream/v1", market),
            web.get("/ws-api/v1", orders),
        ]

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _region(self, _request: web.Request) -> web.Response:
        return _answered(lambda: public.region(Call(exchange=self.exchange, params={})))

    async def _offered(self, request: web.Request) -> web.Response:
        body = await request.text()
        return _answered(lambda: self._doorman.offer(parsed(body)))

    async def _logged_in(self, request: web.Request) -> web.Response:
        body = await request.text()
        return _answered(lambda: self._doorman.login(parsed(body)))

    async def _asked(self, request: web.Request) -> web.Response:
        def run() -> Any:
            name = request.match_info["name"]
            self.limits.address(request.remote or "")
            call = Call(exchange=self.exchange, params=dict(request.query))
            if name in PUBLIC:
                return PUBLIC[name](call)
            answer = self._questions.get(name)
            if answer is None:
                raise Refused(NOT_FOUND, "not found")
            call.signed_by = self._doorman.bearer(request.headers).account
            self.limits.account(call.account.keys.key)
            return answer(call)

        return _answered(run)

    async def _commanded(self, request: web.Request) -> web.Response:
        body = await request.text()

        def run() -> Any:
            self.limits.address(request.remote or "")
            answer = self._commands.get(request.match_info["name"])
            if answer is None:
                raise Refused(NOT_FOUND, "not found")
            signer = self._doorman.bearer(request.headers)
            self.limits.account(signer.account.keys.key)
            self._doorman.check(signer, request.headers, body)
            call = Call(
                exchange=self.exchange,
                params=parsed(body),
                signed_by=signer.account,
                request_id=request.headers.get("x-request-id") or uuid.uuid4().hex,
                session=request.headers.get("x-session-id", ""),
            )
            return answer(call)

        return _answered(run)


def _answered(run: Callable[[], Any]) -> web.Response:
    """The answer, or the error in its place with its code as the status."""
    status = 200
    try:
        payload = run()
    except Refused as refused:
        status, payload = refused.code, {"code": refused.code, "message": refused.text}
    return web.Response(body=encode(payload), status=status, content_type="application/json")
