"""Kraken's private socket: what an account hears, and orders placed without REST."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange
from mm.emulator.kraken import names
from mm.emulator.kraken.calls import Call
from mm.emulator.kraken.described import txid
from mm.emulator.kraken.desk import Asked, Desk, told
from mm.emulator.kraken.dialogue import THEN, Answer, Dialogue
from mm.emulator.kraken.news import Subscription
from mm.emulator.kraken.private import Tokens
from mm.emulator.kraken.refusals import Refused
from mm.emulator.kraken.streams import Payload, welcome
from mm.emulator.kraken.wording import moment
from mm.emulator.orders import Record
from mm.emulator.server import Hub
from mm.emulator.sockets import Socket


class PrivateSockets:
    """The endpoint."""

    def __init__(self, exchange: Exchange, desk: Desk, tokens: Tokens, hub: Hub) -> None:
        """Nobody is here yet."""
        self._exchange = exchange
        self._desk = desk
        self._tokens = tokens
        self._hub = hub

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Hold one open."""

        def begin(socket: Socket) -> Callable[[str], Awaitable[None]]:
            welcome(socket)
            session = Session(self._exchange, self._desk, self._tokens, socket)
            return Dialogue(self._exchange, socket, session.methods()).hear

        return await self._hub.serve(request, begin)


class Session:
    """One client's private dialogue; every request names its token."""

    def __init__(self, exchange: Exchange, desk: Desk, tokens: Tokens, socket: Socket) -> None:
        """Nothing is subscribed to yet."""
        self._exchange = exchange
        self._desk = desk
        self._tokens = tokens
        self._socket = socket
        self._heard: dict[str, Subscription] = {}

    def methods(self) -> dict[str, Answer]:
        """What can be asked."""
        return {
            "subscribe": self.subscribe,
            "unsubscribe": self.unsubscribe,
            "add_order": self.add,
            "batch_add": self.add_batch,
            "amend_order": self.amend,
            "cancel_order": self.cancel,
            "cancel_all": self.cancel_all,
            "cancel_all_orders_after": self.cancel_after,
        }

    def _account(self, params: dict[str, Any]) -> Account:
        return self._tokens.owner(str(params.get("token", "")))

    def _call(self, params: dict[str, Any]) -> Call:
        return Call(exchange=self._exchange, params=params, signed_by=self._account(params))

    def subscribe(self, params: dict[str, Any]) -> list[Payload]:
        """Tell of executions or balances."""
        account, channel = self._account(params), params.get("channel")
        key = account.keys.key
        if key not in self._heard:
            made = Subscription(self._socket, account, self._exchange.number)
            self._heard[key] = made
        heard = self._heard[key]
        if channel not in {"executions", "balances"}:
            raise Refused(f"Channel not found: {channel}")
        if heard.has(channel):
            raise Refused("Already subscribed")
        if channel == "balances":
            return [{"result": {"channel": channel, "snapshot": True}, THEN: heard.balances}]
        orders = params.get("snap_orders", True) is True
        trades = params.get("snap_trades", False) is True
        result = {"channel": channel, "snap_orders": orders, "snap_trades": trades}
        follow = partial(heard.executions, orders=orders, trades=trades)
        return [{"result": result | {"maxratecount": 180}, THEN: follow}]

    def unsubscribe(self, params: dict[str, Any]) -> list[Payload]:
        """Tell no more."""
        heard, channel = self._heard.get(self._account(params).keys.key), params.get("channel")
        if heard is None or not heard.drop(str(channel)):
            raise Refused("Subscription Not Found")
        return [{"result": {"channel": channel}}]

    def add(self, params: dict[str, Any]) -> list[Payload]:
        """Place one order."""
        call = self._call(params)
        record = self._desk.place(call.account, _asked(call), validate=call.flag("validate"))
        return [{"result": {} if record is None else _result(record)}]

    def add_batch(self, params: dict[str, Any]) -> list[Payload]:
        """Place several on one pair."""
        call = self._call(params)
        orders = params.get("orders")
        if not isinstance(orders, list) or not all(isinstance(each, dict) for each in orders):
            raise Refused("EGeneral:Invalid arguments:orders")
        results = []
        for each in orders:
            one = {**each, "symbol": params.get("symbol")}
            asked = _asked(msgspec.structs.replace(call, params=one))
            record = self._desk.place(call.account, asked)
            assert record is not None, "it was not only validated"
            results.append(_result(record))
        return [{"result": results}]

    def amend(self, params: dict[str, Any]) -> list[Payload]:
        """Move an order; it keeps its id."""
        call = self._call(params)
        record = self._named(call, call.text("order_id", ""), call.text("cl_ord_id", ""))
        self._desk.amend(call.account, record, call)
        amend_id = names.named("T", self._exchange.number())
        return [{"result": {"amend_id": amend_id, **_result(record)}}]

    def cancel(self, params: dict[str, Any]) -> list[Payload]:
        """Cancel orders; each is answered apart."""
        call = self._call(params)
        wanted = [(each, "") for each in call.texts("order_id")]
        wanted += [("", each) for each in call.texts("cl_ord_id")]
        if not wanted:
            raise Refused("EGeneral:Invalid arguments:order_id")
        answers: list[Payload] = []
        for order_id, client_id in wanted:
            name = {"order_id": order_id} if order_id else {"cl_ord_id": client_id}
            try:
                record = self._named(call, order_id, client_id)
                self._desk.cancel(call.account, record)
                answers.append({"result": {**name, "order_id": txid(record)}})
            except Refused as refused:
                answers.append({"success": False, "error": refused.text, **name})
        return answers

    def _named(self, call: Call, order_id: str, client_id: str) -> Record:
        return self._desk.find(call.account, order_id, client_id)

    def cancel_all(self, params: dict[str, Any]) -> list[Payload]:
        """Cancel whatever is open."""
        return [{"result": {"count": self._desk.cancel_all(self._account(params))}}]

    def cancel_after(self, params: dict[str, Any]) -> list[Payload]:
        """The dead man's switch."""
        call = self._call(params)
        switch = self._desk.switch(call.account, call.whole("timeout", -1))
        return [{"result": told(switch, moment)}]


def _result(record: Record) -> Payload:
    result: Payload = {"order_id": txid(record), "order_userref": record.ticket.extras["userref"]}
    if record.ticket.client_id:
        result["cl_ord_id"] = record.ticket.client_id
    return result


def _asked(call: Call) -> Asked:
    return Asked(
        listing=names.listing(call.exchange, call.text("symbol")),
        side=call.text("side"),
        kind=call.text("order_type"),
        size=call.decimal("order_qty"),
        price=call.decimal("limit_price"),
        tif=call.text("time_in_force", "gtc"),
        post_only=call.flag("post_only"),
        reduce_only=call.flag("reduce_only"),
        client_id=call.text("cl_ord_id", ""),
        userref=call.whole("order_userref", 0),
        deadline=call.text("deadline", ""),
    )
