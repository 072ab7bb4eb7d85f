"""Orders at StandX: commands over REST, what comes of them over two sockets.

A good answer to an order says that it was taken, and names no order: whether it rests, the private
stream tells, and whether matching refused it, the order stream. Nothing acts on all orders at once,
nothing moves one, and there is no dead man's switch.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import msgspec

from mm.errors import BadInput
from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    AmendOrder,
    CancelOrder,
    OrderFilled,
    OrderKind,
    PlaceOrder,
    TimeInForce,
)
from mm.events.units import MILLIS, SECONDS, InstrumentId, Nanos
from mm.events.vocabulary import Fact
from mm.gateways.client_ids import PortableIds
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.order_port import Abilities, ClientIds, Evidence, Known, PrivateNews, Rate
from mm.gateways.venues.standx.listing import VENUE
from mm.gateways.venues.standx.messages import (
    MoneyTold,
    OrderTold,
    PositionTold,
    Reader,
    TradeTold,
)
from mm.gateways.venues.standx.rest import Rest, new_id, unreadable
from mm.gateways.venues.standx.stream import PrivateLine
from mm.gateways.verdicts import VenueSaid, Verdict

HOSTS: Final = ("perps.standx.com", "geo.standx.com")
CREDITS: Final = 45
"""What every request of an account costs."""
RATES: Final = (Rate(name="credits", span=Nanos(2 * SECONDS), most=2_250),)
"""The venue's bucket holds 900 credits and fills by 1,000 a second.

They are dealt out in quarters of the span, a fifth in each: half a bucket every half second, so
that two quarters in a row empty it and no more.
"""
ABILITIES: Final = Abilities(
    reduce_only=True,
    positions=True,
    acknowledges=False,
    settles=Nanos(10 * SECONDS),
    rates=RATES,
)
OPEN_MAX: Final = 1_200
PAGE: Final = 500
PAGES_MAX: Final = 200
CANCELED_AT_ONCE_MAX: Final = 100


class StandxOrders:
    """One account at StandX."""

    venue = VENUE
    hosts = HOSTS
    abilities = ABILITIES

    def __init__(
        self,
        session: aiohttp.ClientSession,
        credentials: Credentials,
        clock: VenueClock,
        now: Callable[[], Nanos],
        owners: tuple[str, ...],
    ) -> None:
        """`owners` are the strategies with their wallets, as order ids begin; `now` is log time.

        `credentials` are a web token and a signing key in base 58; raises `ConfigError`.
        """
        self._ids = PortableIds(owners)
        self._reader = Reader(self._ids, now)
        self._rest = Rest(session, credentials, clock)
        self._line = PrivateLine(session, self._rest.token, self._reader, now, self._ask_owner)

    @property
    def ids(self) -> ClientIds:
        """How it takes our ids."""
        return self._ids

    def learn(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """What is traded; before anything else."""
        self._reader.learn(instruments)

    def weight(self, command: str) -> int:
        """Every request costs the same; what cancels all makes two."""
        return 2 * CREDITS if command == "cancel_all" else CREDITS

    # -- commands ------------------------------------------------------------------------------

    async def place(self, order: PlaceOrder) -> tuple[Fact, ...]:
        """Send one order; all that comes of it is heard later."""
        terms = terms_of(order, self._reader.definition(order.instrument))
        terms["cl_ord_id"] = self._ids.encode(order.order_id)
        await self._send("new_order", terms, order)
        return ()

    async def _send(
        self, name: str, terms: dict[str, Any], command: PlaceOrder | CancelOrder
    ) -> None:
        request_id = new_id()
        self._line.requests.sent(request_id, command)
        answer = await self._rest.command(name, terms, request_id, self._line.name)
        if not isinstance(answer, dict) or "code" not in answer:
            raise unreadable("an answer without a code")
        given = answer.get("request_id")
        if isinstance(given, str) and given and given != request_id:
            self._line.requests.sent(given, command)

    async def amend(self, order: AmendOrder, known: Known) -> tuple[Fact, ...]:
        """The venue moves no orders."""
        del order, known
        raise VenueSaid(Verdict.NOT_SENT, raw_code="amend", raw_text=f"{self.venue} cannot")

    async def cancel(self, order: CancelOrder, known: Known) -> tuple[Fact, ...]:
        """Cancel one; the stream says that it ended, and how much was filled."""
        await self._send("cancel_order", self._named(known), order)
        return ()

    def _named(self, known: Known) -> dict[str, Any]:
        if known.venue_order_id:
            return {"order_id": int(known.venue_order_id)}
        return {"cl_ord_id": self._ids.encode(known.order_id)}

    async def cancel_all(self, instrument: InstrumentId) -> tuple[Fact, ...]:
        """Cancel all of the account's orders on an instrument, whoever placed them."""
        numbers = [int(each.venue_order_id) for each in await self.open_orders(instrument)]
        for start in range(0, len(numbers), CANCELED_AT_ONCE_MAX):
            some = numbers[start : start + CANCELED_AT_ONCE_MAX]
            await self._rest.command("cancel_orders", {"order_id_list": some}, new_id())
        return ()

    # -- questions -----------------------------------------------------------------------------

    async def order(self, known: Known) -> Evidence | None:
        """What became of one order; None when the venue says that it knows of none."""
        told = await self._order(self._named(known))
        return None if told is None else self._evidence(told)

    async def _order(self, named: dict[str, Any]) -> OrderTold | None:
        try:
            told: OrderTold = read(await self._rest.ask("query_order", **named), OrderTold)
        except VenueSaid as said:
            if said.verdict is Verdict.ORDER_NOT_FOUND:
                return None
            raise
        return told

    def _evidence(self, told: OrderTold) -> Evidence | None:
        try:
            return self._reader.evidence(told)
        except BadInput as error:
            raise unreadable(str(error)) from error

    async def _ask_owner(self, number: int) -> None:
        """Learn whose an order is."""
        told = await self._order({"order_id": number})
        if told is None:
            self._reader.forget(number)
        else:
            self._reader.remember(told)

    async def open_orders(self, instrument: InstrumentId) -> list[Evidence]:
        """Every open order on an instrument, others' too."""
        symbol = self._reader.definition(instrument).symbol
        answer = await self._rest.ask("query_open_orders", symbol=symbol, limit=OPEN_MAX)
        rows = [read(each, OrderTold) for each in rows_of(answer)]
        if len(rows) >= OPEN_MAX:
            raise unreadable(f"{OPEN_MAX} open orders or more: the list may have been cut")
        found = [self._evidence(each) for each in rows]
        return [each for each in found if each is not None]

    async def fills(
        self, instrument: InstrumentId, after: str, since: Nanos
    ) -> tuple[list[OrderFilled], str]:
        """Fills after one (or since a time), oldest first; all pages.

        From where to go on is a time and a number: the venue filters by times, and pages by
        numbers in an order that it does not document.
        """
        moment, _, number = after.partition("/")
        start, last = (int(moment), int(number)) if after else (int(since), 0)
        rows = await self._trades(self._reader.definition(instrument).symbol, start)
        fresh = sorted((each for each in rows if each.id > last), key=lambda each: each.id)
        found = []
        for row in fresh:
            if not self._reader.knows(row.order_id):
                await self._ask_owner(row.order_id)
            fill = self._fill(row)
            if fill is not None:
                found.append(fill)
        if not found:
            return [], after
        return found, f"{found[-1].venue_time}/{found[-1].fill_id}"

    def _fill(self, told: TradeTold) -> OrderFilled | None:
        try:
            return self._reader.fill(told)
        except BadInput as error:
            raise unreadable(str(error)) from error

    async def _trades(self, symbol: str, start: int) -> list[TradeTold]:
        """All fills since a time, page after page, whichever way they go."""
        asked: dict[str, Any] = {"symbol": symbol, "limit": PAGE}
        if start > 0:
            asked["start"] = iso(start)
        rows: dict[int, TradeTold] = {}
        for _ in range(PAGES_MAX):
            page = [
                read(each, TradeTold)
                for each in rows_of(await self._rest.ask("query_trades", **asked))
            ]
            before = len(rows)
            rows |= {each.id: each for each in page}
            if len(page) < PAGE or len(rows) == before:
                return list(rows.values())
            asked["last_id"] = page[-1].id
        raise unreadable("fills without an end")

    async def account(self) -> tuple[BalanceReported | PositionReported, ...]:
        """Money, and all positions; an instrument without one is flat."""
        reader = self._reader
        money = read(await self._rest.ask("query_balance"), MoneyTold)
        answer = await self._rest.ask("query_positions")
        if not isinstance(answer, list):
            raise unreadable("an answer that is no list of positions")
        told = [read(each, PositionTold) for each in answer]
        try:
            positions = [reader.position(each) for each in told]
        except BadInput as error:
            raise unreadable(str(error)) from error
        balances = [reader.balance(each, money.balance, money.locked) for each in reader.assets]
        held = [each for each in positions if each is not None]
        return (*balances, *held, *reader.flat(held))

    async def venue_clock(self) -> Nanos:
        """The venue's own time, to a millisecond."""
        return Nanos(await self._rest.millis() * MILLIS)

    async def permissions(self) -> tuple[str, ...]:
        """The venue does not tell."""
        return ()

    async def stream(self) -> AsyncIterator[PrivateNews]:
        """Orders, fills, positions and money as they happen, for ever; it reconnects by itself."""
        async for news in self._line.news():
            yield news


def terms_of(order: PlaceOrder, instrument: InstrumentDefined) -> dict[str, Any]:
    """What makes an order: decimals are texts."""
    limit = order.kind is OrderKind.LIMIT
    rests = limit and order.tif is TimeInForce.GTC
    tif = order.tif if limit or order.tif is not TimeInForce.GTC else TimeInForce.IOC
    terms: dict[str, Any] = {
        "symbol": instrument.symbol,
        "side": order.side.name.lower(),
        "order_type": order.kind.value,
        "qty": f"{instrument.size(order.size):f}",
        "time_in_force": "alo" if rests and order.post_only else tif.value,
        "reduce_only": order.reduce_only,
    }
    if limit:
        terms["price"] = f"{instrument.price(order.price):f}"
    return terms


def iso(at: int) -> str:
    """A time as the venue takes it, to a microsecond."""
    whole, rest = divmod(at, SECONDS)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000:06d}Z"


def rows_of(answer: Any) -> list[Any]:
    """The rows of a list; raises `VenueSaid`."""
    rows = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise unreadable("an answer without a result")
    return rows


def read(row: Any, kind: Any) -> Any:
    """A row of an answer as its type; raises `VenueSaid`."""
    try:
        return msgspec.convert(row, kind)
    except msgspec.MsgspecError as error:
        raise unreadable(str(error)) from error
