"""Kraken's private REST: orders, trades, balances, and the token for the private socket."""

import secrets
from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import msgspec

from mm.emulator.account import Account
from mm.emulator.kraken import names
from mm.emulator.kraken.calls import Call
from mm.emulator.kraken.described import Payload, order, trade, txid
from mm.emulator.kraken.desk import BATCH_MAX, BATCH_MIN, Asked, Desk, told
from mm.emulator.kraken.refusals import Refused, invalid
from mm.emulator.kraken.wording import PairWords, moment, money
from mm.emulator.orders import Record, Status
from mm.events.units import EXACT, SECONDS

PAGE: Final = 50
TOKEN_SECONDS: Final = 900
ZERO: Final = Decimal(0)


class Tokens:
    """What opens the private socket; they last as long as the emulator."""

    def __init__(self) -> None:
        """None yet."""
        self._owners: dict[str, Account] = {}

    def make(self, account: Account) -> str:
        """One more."""
        token = secrets.token_urlsafe(32)
        self._owners[token] = account
        return token

    def owner(self, token: str) -> Account:
        """Whose it is; raises `Refused`."""
        owner = self._owners.get(token)
        if owner is None:
            raise Refused("ESession:Invalid session")
        return owner


class Private:
    """The endpoints."""

    def __init__(self, desk: Desk, tokens: Tokens) -> None:
        """Answer for a desk."""
        self._desk = desk
        self._tokens = tokens

    def endpoints(self) -> dict[str, tuple[Callable[[Call], Any], float]]:
        """What answers each method, and what it adds to the counter of calls."""
        return {
            "GetWebSocketsToken": (self.token, 1),
            "AddOrder": (self.add, 0),
            "AddOrderBatch": (self.add_batch, 0),
            "AmendOrder": (self.amend, 0),
            "EditOrder": (self.edit, 0),
            "CancelOrder": (self.cancel, 0),
            "CancelOrderBatch": (self.cancel_batch, 0),
            "CancelAll": (self.cancel_all, 0),
            "CancelAllOrdersAfter": (self.cancel_after, 0),
            "OpenOrders": (self.open, 1),
            "ClosedOrders": (self.closed, 1),
            "QueryOrders": (self.query, 1),
            "TradesHistory": (self.trades, 2),
            "Balance": (self.balance, 1),
            "BalanceEx": (self.balance_ex, 1),
        }

    def token(self, call: Call) -> Payload:
        """For the private socket."""
        return {"token": self._tokens.make(call.account), "expires": TOKEN_SECONDS}

    def add(self, call: Call) -> Payload:
        """Place one order."""
        asked = _asked(call, call.text("pair"))
        record = self._desk.place(call.account, asked, validate=call.flag("validate"))
        descr = {"order": _sentence(asked)}
        return {"descr": descr} if record is None else {"descr": descr, "txid": [txid(record)]}

    def add_batch(self, call: Call) -> Payload:
        """Place two to fifteen on one pair; each has its own outcome."""
        orders = call.params.get("orders")
        if not isinstance(orders, list) or not BATCH_MIN <= len(orders) <= BATCH_MAX:
            raise invalid("orders")
        pair, outcomes = call.text("pair"), []
        for each in orders:
            if not isinstance(each, dict):
                raise invalid("orders")
            one = msgspec.structs.replace(call, params=each)
            try:
                outcomes.append(self.add(_with_pair(one, pair)))
            except Refused as refused:
                outcomes.append({"error": refused.text})
        return {
            "orders": [
                each | {"txid": each["txid"][0]} if "txid" in each else each for each in outcomes
            ]
        }

    def amend(self, call: Call) -> Payload:
        """Move an order; it keeps its id."""
        record = self._named(call)
        self._desk.amend(call.account, record, call)
        return {"amend_id": names.named("T", call.exchange.number())}

    def edit(self, call: Call) -> Payload:
        """Cancel an order and place another in its stead."""
        record = self._named(call)
        ticket, words = record.ticket, PairWords(record.instrument)
        asked = _asked(
            msgspec.structs.replace(
                call,
                params={
                    "type": ticket.side.name.lower(),
                    "ordertype": ticket.extras["kind"],
                    "price": words.price(record.price),
                    "volume": words.size(record.leaves),
                    "oflags": ticket.extras["flags"],
                    **call.params,
                },
            ),
            call.text("pair"),
        )
        self._desk.cancel(call.account, record)
        placed = self._desk.place(call.account, asked)
        assert placed is not None, "it was not only validated"
        return {
            "status": "ok",
            "txid": txid(placed),
            "originaltxid": txid(record),
            "volume": words.size(placed.size),
            "price": words.price(placed.price),
            "orders_cancelled": 1,
            "descr": {"order": _sentence(asked)},
        }

    def _named(self, call: Call) -> Record:
        return self._desk.find(call.account, call.text("txid", ""), call.text("cl_ord_id", ""))

    def cancel(self, call: Call) -> Payload:
        """Cancel one order."""
        self._desk.cancel(call.account, self._named(call))
        return {"count": 1}

    def cancel_batch(self, call: Call) -> Payload:
        """Cancel several; those that are not open are passed over."""
        wanted = [self._find(call, order_id=each) for each in call.texts("orders")]
        wanted += [self._find(call, client_id=each) for each in call.texts("cl_ord_ids")]
        return {"count": sum(self._canceled(call, each) for each in wanted if each is not None)}

    def _find(self, call: Call, order_id: str = "", client_id: str = "") -> Record | None:
        try:
            return self._desk.find(call.account, order_id, client_id)
        except Refused:
            return None

    def _canceled(self, call: Call, record: Record) -> bool:
        if record.open:
            self._desk.cancel(call.account, record)
        return record.status is Status.CANCELED

    def cancel_all(self, call: Call) -> Payload:
        """Cancel whatever is open."""
        return {"count": self._desk.cancel_all(call.account)}

    def cancel_after(self, call: Call) -> Payload:
        """The dead man's switch."""
        return told(self._desk.switch(call.account, call.whole("timeout", -1)), moment)

    def open(self, call: Call) -> Payload:
        """Open orders, by id."""
        wanted = call.text("cl_ord_id", "")
        found = [r for r in call.account.open() if not wanted or r.ticket.client_id == wanted]
        return {"open": {txid(each): order(each) for each in found}}

    def closed(self, call: Call) -> Payload:
        """Orders that ended, the latest first, a page from `ofs` on."""
        listed = [each.instrument.instrument for each in call.exchange.listings.values()]
        ended = [r for each in listed for r in call.account.orders(each) if not r.open]
        ended.sort(key=attrgetter("updated"))
        wanted = call.text("cl_ord_id", "")
        ended = [r for r in ended if not wanted or r.ticket.client_id == wanted][::-1]
        page = ended[call.whole("ofs", 0) :][:PAGE]
        return {"closed": {txid(each): order(each) for each in page}, "count": len(ended)}

    def query(self, call: Call) -> Payload:
        """Orders by id, or the latest under a client's own id."""
        client_id = call.text("cl_ord_id", "")
        ids = call.texts("txid")
        if client_id:
            found = [self._desk.find(call.account, client_id=client_id)]
        elif ids:
            found = [self._desk.find(call.account, each) for each in ids]
        else:
            raise invalid("txid")
        return {txid(each): order(each) for each in found}

    def trades(self, call: Call) -> Payload:
        """Trades, the latest first, a page from `ofs` on; bounds are times or ids, and not in."""
        fills = call.account.fills
        low, high = self._bound(call, "start", 0), self._bound(call, "end", 1 << 63)
        found = [fill for fill in fills if low < (fill.at, fill.number) < high][::-1]
        page = found[call.whole("ofs", 0) :][:PAGE]
        return {
            "trades": {names.named("T", fill.number): trade(fill) for fill in page},
            "count": len(found),
        }

    def _bound(self, call: Call, name: str, default: int) -> tuple[int, int]:
        text = call.text(name, "")
        if not text:
            return default, 0
        if not text.startswith("T"):
            seconds = call.decimal(name) or ZERO
            return int(EXACT.multiply(seconds, SECONDS)), 0
        number = names.number_of(text)
        known = next((fill for fill in call.account.fills if fill.number == number), None)
        if known is None:
            raise invalid(name)
        return known.at, known.number

    def balance(self, call: Call) -> Payload:
        """What is held of each asset."""
        return {
            names.code(each.asset): money(EXACT.add(each.free, each.locked), 10)
            for each in call.account.balances()
        }

    def balance_ex(self, call: Call) -> Payload:
        """What is held, and what of it open orders hold."""
        return {
            names.code(each.asset): {
                "balance": money(EXACT.add(each.free, each.locked), 10),
                "hold_trade": money(each.locked, 10),
            }
            for each in call.account.balances()
        }


def _with_pair(call: Call, pair: str) -> Call:
    return msgspec.structs.replace(call, params={**call.params, "pair": pair})


def _asked(call: Call, pair: str) -> Asked:
    flags = call.text("oflags", "fciq").split(",")
    return Asked(
        listing=names.listing(call.exchange, pair),
        side=call.text("type"),
        kind=call.text("ordertype"),
        size=call.decimal("volume"),
        price=call.decimal("price"),
        tif=call.text("timeinforce", "GTC"),
        post_only="post" in flags,
        reduce_only=call.flag("reduce_only"),
        client_id=call.text("cl_ord_id", ""),
        userref=call.whole("userref", 0),
        flags=",".join(flags),
        deadline=call.text("deadline", ""),
    )


def _sentence(asked: Asked) -> str:
    """An order in words: `buy 1.25000000 XBTUSD @ limit 27500.0`."""
    pair = names.altname(asked.listing.instrument)
    price = "" if asked.kind == "market" else f" {asked.price}"
    return f"{asked.side} {asked.size} {pair} @ {asked.kind}{price}"
