"""What an account may ask StandX over REST about its orders, fills, positions and money."""

from collections.abc import Callable
from typing import Any, Final

from mm.emulator.account import Account
from mm.emulator.binance.usdm_margin import LEVERAGE, Margin
from mm.emulator.exchange import Exchange
from mm.emulator.orders import Fill, Record, Status
from mm.emulator.standx import described
from mm.emulator.standx.calls import Call
from mm.emulator.standx.desk import find
from mm.emulator.standx.refusals import NO_ORDER, NOT_FOUND, Refused, invalid
from mm.events.units import InstrumentId

OPEN_MAX: Final = 1_200
PAGE_MAX: Final = 500
PAGE: Final = 100
Payload = dict[str, Any]


class Private:
    """Answers about accounts."""

    def __init__(self, exchange: Exchange, margin: Margin) -> None:
        """Value by this."""
        self._exchange = exchange
        self._margin = margin

    def questions(self) -> dict[str, Callable[[Call], Any]]:
        """What can be asked with a token."""
        return {
            "query_order": self.order,
            "query_orders": self.orders,
            "query_open_orders": self.open,
            "query_trades": self.trades,
            "query_positions": self.positions,
            "query_position_config": self.config,
            "query_balance": self.balance,
        }

    def order(self, call: Call) -> Payload:
        """One order by either id."""
        found = find(call)
        if found is None:
            raise Refused(NOT_FOUND, NO_ORDER)
        return described.order(found)

    def open(self, call: Call) -> Payload:
        """What is open, on one symbol or all."""
        instrument = call.listing().instrument.instrument if call.text("symbol", "") else None
        rows = call.account.open(instrument)[: _limit(call, 500, OPEN_MAX)]
        return described.listed([described.order(each) for each in rows])

    def orders(self, call: Call) -> Payload:
        """Orders of any state, newest first; `last_id` goes on with older ones."""
        status, last = call.text("status", ""), call.whole("last_id", 0)
        rows = [
            each
            for instrument in self._asked(call)
            for each in call.account.orders(instrument)
            if each.status is not Status.REJECTED
            and (not status or described.STATUSES[each.status] == status)
        ]
        rows.sort(key=lambda each: -each.number)
        older = [each for each in rows if not last or each.number < last]
        page: list[Record] = older[: _limit(call, PAGE, PAGE_MAX)]
        return described.listed([described.order(each) for each in page], len(rows))

    def trades(self, call: Call) -> Payload:
        """Fills since a time, newest first; `last_id` goes on with older ones."""
        since, until = call.time("start"), call.time("end")
        last, side = call.whole("last_id", 0), call.text("side", "")
        rows: list[Fill] = [
            each
            for instrument in self._asked(call)
            for each in call.account.trades(instrument)
            if (since is None or each.at >= since)
            and (until is None or each.at <= until)
            and (not side or each.side.name.lower() == side)
        ]
        rows.sort(key=lambda each: -each.number)
        page = [each for each in rows if not last or each.number < last]
        page = page[: _limit(call, PAGE, PAGE_MAX)]
        return described.listed([described.trade(each) for each in page], len(rows))

    def _asked(self, call: Call) -> list[InstrumentId]:
        if call.text("symbol", ""):
            return [call.listing().instrument.instrument]
        return [each.instrument.instrument for each in self._exchange.listings.values()]

    def positions(self, call: Call) -> list[Payload]:
        """Positions that are held."""
        wanted = call.listing() if call.text("symbol", "") else None
        return [
            described.position(each, self._exchange.now())
            for each in self._margin.holdings(call.account)
            if each.position.size and wanted in (None, each.listing)
        ]

    def standing(self, account: Account) -> list[Payload]:
        """Every position that an account has or had."""
        now = self._exchange.now()
        return [described.position(each, now) for each in self._margin.holdings(account)]

    def config(self, call: Call) -> Payload:
        """How a symbol is margined."""
        symbol = call.listing().instrument.symbol
        return {"symbol": symbol, "leverage": LEVERAGE, "margin_mode": "cross"}

    def balance(self, call: Call) -> Payload:
        """All money at a glance."""
        return self.money(call.account).told()

    def money(self, account: Account) -> described.Money:
        """What an account has."""
        return described.Money(account, self._margin)


def _limit(call: Call, usual: int, most: int) -> int:
    limit = call.whole("limit", usual)
    if not 0 < limit <= most:
        raise invalid("limit")
    return limit
