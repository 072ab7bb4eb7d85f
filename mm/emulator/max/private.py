"""MAX's private REST: orders, trades, balances and fees, of the spot and of the margin wallet."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from mm.emulator.max.calls import Call, market, millis
from mm.emulator.max.described import Payload, account_row, held, order, trade
from mm.emulator.max.desk import SIDES, Asked, Desk
from mm.emulator.max.refusals import invalid
from mm.emulator.orders import Record
from mm.events.instrument import ContractKind

ROWS_MAX: Final = 1_000
KINDS_WITH_PRICE: Final = ("limit", "post_only", "ioc_limit")
ORDERINGS: Final = ("asc", "desc", "asc_updated_at", "desc_updated_at")
Answer = Callable[[Call], Any]


class Private:
    """The endpoints."""

    def __init__(self, desk: Desk) -> None:
        """Answer for a desk."""
        self._desk = desk

    def endpoints(self) -> dict[tuple[str, str], Answer]:
        """What answers each method and path; `{wallet}` is `spot` or `m`."""
        return {
            ("POST", "/api/v3/wallet/{wallet}/order"): self.place,
            ("DELETE", "/api/v3/wallet/{wallet}/orders"): self.cancel_all,
            ("GET", "/api/v3/wallet/{wallet}/orders/open"): self.open,
            ("GET", "/api/v3/wallet/{wallet}/orders/closed"): self.closed,
            ("GET", "/api/v3/wallet/{wallet}/orders/history"): self.history,
            ("GET", "/api/v3/wallet/{wallet}/trades"): self.trades,
            ("GET", "/api/v3/wallet/{wallet}/accounts"): self.accounts,
            ("GET", "/api/v3/order"): self.order,
            ("DELETE", "/api/v3/order"): self.cancel,
            ("GET", "/api/v3/order/trades"): self.trades_of_order,
            ("GET", "/api/v3/info"): self.info,
        }

    def place(self, call: Call) -> Payload:
        """Accept an order: it is described as it stands before it was matched."""
        kind = call.text("ord_type", "limit")
        asked = Asked(
            listing=call.listing(),
            side=call.text("side"),
            kind=kind,
            volume=call.decimal("volume"),
            price=call.decimal("price") if kind in KINDS_WITH_PRICE else None,
            client_id=call.text("client_oid", ""),
            group=call.whole("group_id", 0),
        )
        return order(self._desk.place(call.account, call.wallet, asked))

    def _named(self, call: Call, number: str = "id") -> tuple[Any, Record]:
        client_id = call.text("client_oid", "")
        named = call.whole(number, 0)
        if not client_id and not named:
            raise invalid(number)
        return self._desk.find(call.account, named, client_id)

    def order(self, call: Call) -> Payload:
        """One order, by its id or the client's own."""
        return order(self._named(call)[1])

    def cancel(self, call: Call) -> Payload:
        """Accept that one order be canceled."""
        self._desk.cancel(*self._named(call))
        return {"success": True}

    def cancel_all(self, call: Call) -> list[Payload]:
        """Accept that all of a wallet be canceled, of a market, a side, a group."""
        account = self._desk.wallet(call.account, call.wallet)
        name, group = call.text("market", ""), call.whole("group_id", 0)
        side = call.text("side", "")
        if side and side not in SIDES:
            raise invalid("side")
        answered = []
        for record in account.open():
            other_market = name and market(record.instrument) != name
            other_group = group and record.ticket.extras["group"] != group
            if other_market or other_group or (side and record.ticket.side is not SIDES[side]):
                continue
            self._desk.cancel(account, record)
            answered.append({"error": None, "order": order(record)})
        return answered

    def _records(self, call: Call) -> list[Record]:
        """Every order of a wallet, of one market where that is named."""
        account, name = self._desk.wallet(call.account, call.wallet), call.text("market", "")
        return [
            record
            for each in call.exchange.listings.values()
            if not name or market(each.instrument) == name
            for record in account.orders(each.instrument.instrument)
        ]

    def _listed(self, call: Call, records: list[Record]) -> list[Payload]:
        """So many from a time on, in the order that is asked for."""
        ordering = call.text("order_by", "desc")
        limit, since = call.whole("limit", 50, ROWS_MAX), call.whole("timestamp", 0)
        if ordering not in ORDERINGS:
            raise invalid("order_by")
        stamp = attrgetter("updated" if ordering.endswith("updated_at") else "placed")
        ascending = ordering.startswith("asc")
        found = [
            record
            for record in records
            if not since
            or (millis(stamp(record)) >= since if ascending else millis(stamp(record)) <= since)
        ]
        found.sort(key=stamp, reverse=not ascending)
        return [order(each) for each in found[:limit]]

    def open(self, call: Call) -> list[Payload]:
        """Open orders."""
        return self._listed(call, [each for each in self._records(call) if each.open])

    def closed(self, call: Call) -> list[Payload]:
        """Orders that ended."""
        return self._listed(call, [each for each in self._records(call) if not each.open])

    def history(self, call: Call) -> list[Payload]:
        """All orders of a market from an id on."""
        call.listing()
        after, limit = call.whole("from_id", 0), call.whole("limit", 100, ROWS_MAX)
        found = [each for each in self._records(call) if each.number >= after]
        found.sort(key=attrgetter("number"))
        return [order(each) for each in found[:limit]]

    def trades(self, call: Call) -> list[Payload]:
        """Trades of a wallet from an id or a time on, the latest first unless asked otherwise."""
        name, ordering = call.text("market", ""), call.text("order", "desc")
        since, first = call.whole("timestamp", 0), call.whole("from_id", 0)
        limit = call.whole("limit", 50, ROWS_MAX)
        if ordering not in ORDERINGS[:2]:
            raise invalid("order")
        fills = self._desk.wallet(call.account, call.wallet).fills
        found = [each for each in fills if not name or market(each.instrument) == name]
        ascending = ordering == "asc"
        if since:
            found = [f for f in found if ascending == (millis(f.at) >= since)]
        elif first:
            found = [f for f in found if ascending == (f.number >= first) or f.number == first]
        rows = found if ascending else found[::-1]
        return [trade(each, call.wallet) for each in rows[:limit]]

    def trades_of_order(self, call: Call) -> list[Payload]:
        """Trades of one order."""
        account, record = self._named(call, "order_id")
        wallet = str(record.ticket.extras["wallet"])
        return [trade(each, wallet) for each in account.fills if each.order == record.number]

    def accounts(self, call: Call) -> list[Payload]:
        """Balances of a wallet, of one currency where that is named."""
        wanted = call.text("currency", "")
        balances = held(self._desk.wallet(call.account, call.wallet))
        return [
            account_row(unit, *amounts)
            for unit, amounts in balances.items()
            if not wanted or unit == wanted
        ]

    def info(self, call: Call) -> Payload:
        """Who the account is, and its fees."""
        spot = [
            each.instrument
            for each in call.exchange.listings.values()
            if each.instrument.kind is ContractKind.SPOT
        ]
        fees = {"maker_fee": "0.0", "taker_fee": "0.0"}
        if spot:
            fees = {"maker_fee": f"{spot[0].maker_fee:f}", "taker_fee": f"{spot[0].taker_fee:f}"}
        level = {"level": 0, "minimum_trading_volume": "0.0", "minimum_staking_volume": "0.0"}
        return {
            "email": "trader@example.com",
            "level": 2,
            "m_wallet_enabled": True,
            "current_vip_level": {**level, **fees},
            "next_vip_level": None,
        }
