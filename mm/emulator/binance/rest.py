"""REST as Binance does it: endpoints by method and path, security checked, errors worded."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

from mm.emulator.binance.calls import (
    Call,
    Endpoint,
    Security,
    check_rest_signature,
    check_time,
    key_of,
    parameters,
)
from mm.emulator.binance.limits import Limits
from mm.emulator.binance.refusals import Refused
from mm.emulator.binance.streams import encode
from mm.emulator.exchange import Exchange

KEY_HEADER: Final = "X-MBX-APIKEY"
Endpoints = Mapping[tuple[str, str], Endpoint]


class Rest:
    """The endpoints of one market."""

    def __init__(self, exchange: Exchange, endpoints: Endpoints, limits: Limits) -> None:
        """Answer for an exchange."""
        self._exchange = exchange
        self._limits = limits
        self._endpoints = endpoints

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.route(method, path, self._handler(endpoint))
            for (method, path), endpoint in self._endpoints.items()
        ]

    def _handler(self, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            body = await request.text()
            limits, orders = self._limits, 0
            try:
                answer, status = self._answer(endpoint, request, body), 200
                headers, orders = {}, endpoint.orders
                limits.placed(orders)
            except Refused as refused:
                answer, status, headers = refused.body, refused.status, refused.headers
            headers |= limits.headers(orders)
            return web.Response(
                body=encode(answer),
                status=status,
                headers=headers,
                content_type="application/json",
                charset="utf-8",
            )

        return handle

    def _answer(self, endpoint: Endpoint, request: web.Request, body: str) -> Any:
        query = request.rel_url.raw_query_string
        params = parameters(query, body)
        call = Call(exchange=self._exchange, params=params)
        self._limits.admit(endpoint.weigh(call))
        signed_by = None
        if endpoint.security is not Security.NONE:
            signed_by = key_of(self._exchange, request.headers.get(KEY_HEADER))
        if endpoint.security is Security.SIGNED and signed_by is not None:
            check_time(self._exchange, params)
            check_rest_signature(signed_by, query, body)
        self._limits.admit_orders(endpoint.orders)
        call.signed_by = signed_by
        return endpoint.answer(call)
