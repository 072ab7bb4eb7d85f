"""Publishers of reference rates: a bank's board, the day's rates of an exchange, a table in JSON.

All of them publish what `prices` says, in TWD. Documents are as old as the exchange's clock is
behind (`skew`); faults by rule befall them as any other route.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from mm.emulator.exchange import Exchange
from mm.events.units import SECONDS

if TYPE_CHECKING:
    from mm.emulator.server import Hub

HOSTS: Final = ("rate.bot.com.tw", "www.taifex.com.tw", "open.er-api.com")
TERMS: Final = (10, 30, 60, 90, 120, 150, 180)
"""Days of the forwards between spot and the next label."""
TAIPEI: Final = timedelta(hours=8)
TWD: Final = "TWD"


class ReferenceFront:
    """Speaks for every publisher at once; `prices` are what the bank pays and what it asks for."""

    venue = "reference"
    hosts = HOSTS

    def __init__(self, prices: Mapping[str, tuple[Decimal, Decimal]]) -> None:
        """Publish these, by currency; they may be changed at any time."""
        self.exchange = Exchange(self.venue)
        self.prices = dict(prices)
        self.asked = 0

    def routes(self, hub: "Hub") -> list[web.RouteDef]:
        """One document a publisher."""
        del hub
        return [
            web.get("/xrt/flcsv/0/day", self._board),
            web.get("/data_gov/taifex_open_data.asp", self._daily),
            web.get("/v6/latest/{base}", self._table),
        ]

    def usage(self) -> dict[str, Any]:
        """How often documents were asked for."""
        return {"asked": self.asked}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.exchange.now() // SECONDS, UTC)

    async def _board(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(body=self.board(), content_type="text/csv")

    async def _daily(self, _request: web.Request) -> web.Response:
        self.asked += 1
        days = [self._now() + TAIPEI - timedelta(days=days) for days in (1, 0)]
        header = ["日期", *(f"{currency}／NTD" for currency in self.prices)]  # noqa: RUF001
        mids = [format((bid + ask) / 2, "f") for bid, ask in self.prices.values()]
        rows = [header, *([f"{day:%Y%m%d}", *mids] for day in days)]
        return web.Response(body=_csv(rows).encode("cp950"), content_type="text/csv")

    async def _table(self, request: web.Request) -> web.Response:
        self.asked += 1
        base = request.match_info["base"]
        if base not in self.prices:
            return web.json_response({"result": "error", "error-type": "unsupported-code"})
        bid, ask = self.prices[base]
        at = int(self._now().timestamp())
        rates = {base: 1, TWD: float((bid + ask) / 2)}
        answer = {
            "result": "success",
            "base_code": base,
            "time_last_update_unix": at,
            "rates": rates,
        }
        return web.json_response(answer)

    def board(self) -> bytes:
        """The bank's board: cash, spot and forwards behind a label for each side."""
        terms = [f"遠期{days}天" for days in TERMS]
        rows = [["幣別", *(["匯率", "現金", "即期", *terms] * 2)]]
        for currency, (bid, ask) in self.prices.items():
            cash = (f"{bid - Decimal('0.3'):.5f}", f"{ask + Decimal('0.3'):.5f}")
            forwards = [f"{bid / 2:.5f}"] * len(TERMS)
            buys = ("本行買入", cash[0], f"{bid:.5f}", *forwards)
            rows.append([currency, *buys, "本行賣出", cash[1], f"{ask:.5f}", *forwards])
        return _csv(rows).encode("utf-8-sig")


def _csv(rows: list[list[str]]) -> str:
    return "".join(f"{','.join(row)}\r\n" for row in rows)
