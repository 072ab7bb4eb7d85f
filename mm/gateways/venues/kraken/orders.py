"""Orders at Kraken: commands over the private socket while it stands, else over REST.

The socket needs no nonces, so that commands do not wait for each other. An order is named by the
venue's id where that is known: a client id is unique only among open orders. Fees are always taken
in quote currency. Trades over REST name no client id, so whose our orders are is remembered.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import aiohttp
import msgspec

from mm.errors import BadInput
from mm.events.account import BalanceReported
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    AmendOrder,
    CancelOrder,
    OrderAcked,
    OrderFilled,
    PlaceOrder,
)
from mm.events.units import SECONDS, InstrumentId, Nanos, OrderId
from mm.events.vocabulary import Fact
from mm.gateways.client_ids import PortableIds
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.order_port import Abilities, ClientIds, Evidence, Known, PrivateNews, Rate
from mm.gateways.venues.kraken.messages import OrderTold, Reader, TradeTold
from mm.gateways.venues.kraken.pairs import RENAMED, VENUE, symbol
from mm.gateways.venues.kraken.rest import Rest
from mm.gateways.venues.kraken.stream import PrivateLine
from mm.gateways.venues.kraken.terms import (
    Held,
    bare,
    deadline,
    read,
    rest_terms,
    socket_terms,
    text_in,
    unreadable,
)
from mm.gateways.verdicts import VenueSaid, Verdict

HOSTS: Final = ("api.kraken.com", "ws-auth.kraken.com")
PAGES_MAX: Final = 200
ASKED_AT_ONCE_MAX: Final = 50
WEIGHTS: Final = {"open_orders": 1, "order": 2, "fills": 2, "account": 1}
"""What questions add to the counter of calls; commands are counted apart."""
RATES: Final = (
    Rate(name="calls", span=Nanos(80 * SECONDS), most=50),
    Rate(
        name="orders",
        span=Nanos(107 * SECONDS),
        most=310,
        counts=("place", "amend", "cancel", "cancel_all"),
    ),
)
"""The counters of the intermediate tier, 20 high falling by 0.5 a second and 125 by 2.34.

They are dealt out in quarters of the span, a fifth in each: half of a counter's height, in as long
as it takes to fall by that much. So two quarters in a row fill it and no more. What the venue adds
for touching young orders is not in it.
"""
ABILITIES: Final = Abilities(
    amend=True, cancel_all=False, switch=True, acknowledges=True, id_unique=Nanos(0), rates=RATES
)


class Listed(msgspec.Struct):
    """A pair of the list, as far as names go."""

    altname: str
    base: str
    quote: str
    wsname: str = ""


class KrakenOrders:
    """One account at Kraken."""

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
        switch_seconds: int = 60,
    ) -> None:
        """`owners` are the strategies with their wallets, as order ids begin; `now` is log time.

        When we fall silent for `switch_seconds` the venue cancels all orders of the account; 0
        leaves that off.
        """
        self._ids = PortableIds(owners)
        self._reader = Reader(self._ids, now)
        self._rest = Rest(session, credentials)
        self._clock = clock
        self._now = now
        self._line = PrivateLine(session, self._reader, self._token, now, switch_seconds)

    @property
    def ids(self) -> ClientIds:
        """How it takes our ids."""
        return self._ids

    def learn(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """What is traded; before anything else."""
        self._reader.learn(instruments)

    def weight(self, command: str) -> int:
        """What a call adds to the counter of calls."""
        return WEIGHTS.get(command, 0)

    async def _token(self) -> str:
        await self._learn_names()
        return text_in(await self._rest.ask("privatePostGetWebSocketsToken"), "token")

    async def _learn_names(self) -> None:
        """REST has older names for pairs and assets: they are asked for once."""
        if self._reader.knows_names:
            return
        pairs: list[tuple[str, str]] = []
        assets: dict[str, str] = {}
        for key, each in (await self._rest.ask("publicGetAssetPairs")).items():
            listed = read(each, Listed)
            if listed.wsname:
                name = symbol(listed.wsname)
                pairs += [(key, name), (listed.altname, name), (listed.wsname, name)]
                base, _, quote = name.partition("/")
                assets |= {listed.base: base, listed.quote: quote}
        self._reader.name_pairs(pairs, assets | RENAMED)

    # -- commands ------------------------------------------------------------------------------

    async def place(self, order: PlaceOrder) -> tuple[Fact, ...]:
        """Send one order; fills and ends come over the stream."""
        instrument = self._reader.definition(order.instrument)
        client_id = self._ids.encode(order.order_id)
        named = {"cl_ord_id": client_id, "deadline": deadline(self._clock.stamp())}
        if self._line.stands:
            terms = socket_terms(order, instrument)
            answer = await self._line.command("add_order", **terms, **named)
            venue_order_id = text_in(answer, "order_id")
        else:
            texts = rest_terms(order, instrument)
            answer = await self._rest.ask("privatePostAddOrder", **texts, **named)
            txids = answer.get("txid")
            venue_order_id = txids[0] if isinstance(txids, list) and txids else ""
        if not venue_order_id:
            raise unreadable("an answer without an order id")
        self._reader.remember(venue_order_id, client_id, instrument.symbol)
        return (
            OrderAcked(
                order_id=order.order_id,
                instrument=order.instrument,
                venue_order_id=venue_order_id,
                received=self._now(),
                venue_time=Nanos(0),
            ),
        )

    async def amend(self, order: AmendOrder, known: Known) -> tuple[Fact, ...]:
        """Move one; the stream says that it was moved."""
        instrument = self._reader.definition(order.instrument)
        price, size = instrument.price(order.price), instrument.size(order.size)
        if self._line.stands:
            terms = {"limit_price": bare(price), "order_qty": bare(size)}
            await self._line.command("amend_order", **terms, **self._named(known, "order_id"))
        else:
            texts = {"limit_price": f"{price:f}", "order_qty": f"{size:f}"}
            named = self._named(known, "txid")
            await self._rest.ask("privatePostAmendOrder", **texts, **named)
        return ()

    async def cancel(self, order: CancelOrder, known: Known) -> tuple[Fact, ...]:
        """Cancel one; the stream says that it ended, and how much was filled."""
        del order
        if self._line.stands:
            named = {name: [value] for name, value in self._named(known, "order_id").items()}
            await self._line.command("cancel_order", **named)
        else:
            await self._rest.ask("privatePostCancelOrder", **self._named(known, "txid"))
        return ()

    async def cancel_all(self, instrument: InstrumentId) -> tuple[Fact, ...]:
        """Cancel all of the account's orders on an instrument, whoever placed them.

        The venue's own command would cancel those on other pairs, too.
        """
        for evidence in await self.open_orders(instrument):
            try:
                await self._rest.ask("privatePostCancelOrder", txid=evidence.venue_order_id)
            except VenueSaid as said:
                if said.verdict is not Verdict.ORDER_NOT_FOUND:
                    raise
        return ()

    def _named(self, known: Known, name: str) -> dict[str, str]:
        if known.venue_order_id:
            return {name: known.venue_order_id}
        return {"cl_ord_id": self._ids.encode(known.order_id)}

    # -- questions -----------------------------------------------------------------------------

    async def order(self, known: Known) -> Evidence | None:
        """What became of one order; None when the venue says that it knows of none.

        By our own id it is looked for among open orders first: it may close meanwhile, not open.
        """
        await self._learn_names()
        if known.venue_order_id:
            try:
                found = await self._rest.ask("privatePostQueryOrders", txid=known.venue_order_id)
            except VenueSaid as said:
                if said.verdict is Verdict.ORDER_NOT_FOUND:
                    return None
                raise
            return self._evidence(known.venue_order_id, found.get(known.venue_order_id))
        client_id = self._ids.encode(known.order_id)
        for call, name in (("OpenOrders", "open"), ("ClosedOrders", "closed")):
            answer = await self._rest.ask(f"privatePost{call}", cl_ord_id=client_id)
            for evidence in self._orders(answer, name):
                if evidence.client_id == client_id:
                    return evidence
        return None

    async def open_orders(self, instrument: InstrumentId) -> list[Evidence]:
        """Every open order on an instrument, others' too."""
        await self._learn_names()
        found = self._orders(await self._rest.ask("privatePostOpenOrders"), "open")
        return [each for each in found if each.instrument == instrument]

    def _orders(self, answer: Any, name: str) -> list[Evidence]:
        rows = answer.get(name)
        if not isinstance(rows, dict):
            raise unreadable(f"an answer without {name}")
        found = (self._evidence(key, row) for key, row in rows.items())
        return [each for each in found if each is not None]

    def _evidence(self, venue_order_id: str, row: Any) -> Evidence | None:
        if row is None:
            return None
        try:
            return self._reader.evidence(venue_order_id, read(row, OrderTold))
        except BadInput as error:
            raise unreadable(str(error)) from error

    async def fills(
        self, instrument: InstrumentId, after: str, since: Nanos
    ) -> tuple[list[OrderFilled], str]:
        """Fills after one whose id is `after` (or since a time), oldest first; all pages."""
        await self._learn_names()
        rows = await self._trades(after or f"{since // SECONDS}")
        told = sorted(rows.items(), key=lambda row: row[1].time)
        await self._ask_owners([row.ordertxid for _, row in told])
        found = []
        for fill_id, row in told:
            name = self._reader.named(row.ordertxid)
            order_id = self._ids.decode(name.client_id) if name else None
            fill = self._reader.trade(fill_id, row, order_id or OrderId(""))
            if fill is not None and fill.instrument == instrument:
                found.append(fill)
        return found, told[-1][0] if told else after

    async def _trades(self, start: str) -> dict[str, TradeTold]:
        """All trades after one or a time; pages are counted from the latest back."""
        rows: dict[str, TradeTold] = {}
        for _ in range(PAGES_MAX):
            answer = await self._rest.ask(
                "privatePostTradesHistory", start=start, ofs=str(len(rows))
            )
            page = answer.get("trades")
            if not isinstance(page, dict):
                raise unreadable("an answer without trades")
            before = len(rows)
            rows |= {key: read(row, TradeTold) for key, row in page.items()}
            if len(rows) >= int(answer.get("count", 0)) or len(rows) == before:
                return rows
        raise unreadable("trades without an end")

    async def _ask_owners(self, venue_order_ids: list[str]) -> None:
        """Learn whose orders these are, as far as that is not known."""
        unknown = [each for each in dict.fromkeys(venue_order_ids) if not self._reader.named(each)]
        for start in range(0, len(unknown), ASKED_AT_ONCE_MAX):
            some = unknown[start : start + ASKED_AT_ONCE_MAX]
            answer = await self._rest.ask("privatePostQueryOrders", txid=",".join(some))
            for key, row in answer.items():
                self._evidence(key, row)

    async def account(self) -> tuple[BalanceReported, ...]:
        """All balances that are not zero."""
        await self._learn_names()
        answer = await self._rest.ask("privatePostBalanceEx")
        found = []
        for asset, row in answer.items():
            held = read(row, Held)
            if held.balance:
                found.append(self._reader.balance(asset, held.balance, held.hold_trade))
        return tuple(found)

    async def venue_clock(self) -> Nanos:
        """The venue's own time: to a microsecond by the socket, else to half a second."""
        if self._line.stands:
            return await self._line.clock()
        answer = await self._rest.ask("publicGetTime")
        return Nanos(int(text_in(answer, "unixtime")) * SECONDS + SECONDS // 2)

    async def permissions(self) -> tuple[str, ...]:
        """The venue does not tell."""
        return ()

    async def stream(self) -> AsyncIterator[PrivateNews]:
        """Orders, fills and balances as they happen, for ever; it reconnects by itself."""
        async for news in self._line.news():
            yield news
