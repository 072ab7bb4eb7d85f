"""Orders at Binance, spot and USD-M: commands and questions over REST.

The two differ in names, in what they can do and in how an account looks; a `Dialect` holds that.
An order is named by the venue's id where that is known: a client id is unique only among open
orders. Trades over REST name no client id, so the venue's ids of our orders are remembered.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any, Final

import aiohttp
import msgspec

from mm.errors import BadInput
from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    AmendOrder,
    CancelOrder,
    CancelReason,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderFilled,
    PlaceOrder,
)
from mm.events.units import MILLIS, InstrumentId, Nanos, OrderId, to_lots, to_ticks
from mm.events.vocabulary import Fact
from mm.gateways.client_ids import TextIds
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.order_port import Abilities, ClientIds, Evidence, Known, PrivateNews
from mm.gateways.venues.binance.dialect import Dialect, Parameters, Wire
from mm.gateways.venues.binance.messages import OrderTold, Reader, TradeTold
from mm.gateways.venues.binance.rest import Rest
from mm.gateways.verdicts import VenueSaid, Verdict

ID_LENGTH: Final = 36
ID_ALPHABET: Final = "A-Za-z0-9._:/-"
PAGE: Final = 1_000
PAGES_MAX: Final = 100
NAMES_MAX: Final = 20_000


class BinanceOrders:
    """One account at Binance."""

    def __init__(
        self,
        dialect: Dialect,
        session: aiohttp.ClientSession,
        credentials: Credentials,
        clock: VenueClock,
        now: Callable[[], Nanos],
        owners: tuple[str, ...],
    ) -> None:
        """`owners` are the strategies with their wallets, as order ids begin; `now` is log time."""
        self._dialect = dialect
        self._ids = TextIds(owners, length=ID_LENGTH, alphabet=ID_ALPHABET)
        self._reader = Reader(self._ids, now)
        self._rest = Rest(session, credentials, clock)
        self._now = now
        self._names: OrderedDict[str, str] = OrderedDict()
        self._wire = Wire(
            session=session,
            credentials=credentials,
            clock=clock,
            rest=self._rest,
            reader=self._reader,
            now=now,
        )

    @property
    def venue(self) -> str:
        """As instruments name it."""
        return self._dialect.venue

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host it talks to, and no other."""
        return self._dialect.hosts

    @property
    def abilities(self) -> Abilities:
        """What the venue can do."""
        return self._dialect.abilities

    @property
    def ids(self) -> ClientIds:
        """How it takes our ids."""
        return self._ids

    def learn(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """What is traded; before anything else."""
        self._reader.learn(instruments)

    def weight(self, command: str) -> int:
        """What a call costs of the venue's budget."""
        return self._dialect.weights[command]

    # -- commands ------------------------------------------------------------------------------

    async def place(self, order: PlaceOrder) -> tuple[Fact, ...]:
        """Send one order; fills and ends come over the stream."""
        instrument = self._reader.definition(order.instrument)
        client_id = self._ids.encode(order.order_id)
        answer = await self._call(
            "place",
            symbol=instrument.symbol,
            side=order.side.name,
            quantity=format(instrument.size(order.size), "f"),
            newClientOrderId=client_id,
            newOrderRespType="ACK",
            **self._dialect.terms(order, instrument),
        )
        venue_order_id = _text(answer, "orderId")
        self._remember(venue_order_id, client_id)
        time = int(answer.get("transactTime") or answer.get("updateTime") or 0)
        return (
            OrderAcked(
                order_id=order.order_id,
                instrument=order.instrument,
                venue_order_id=venue_order_id,
                received=self._now(),
                venue_time=Nanos(time * MILLIS),
            ),
        )

    async def amend(self, order: AmendOrder, known: Known) -> tuple[Fact, ...]:
        """Move one; only where `abilities.amend`."""
        if not self.abilities.amend or known.side is None:
            raise VenueSaid(
                Verdict.NOT_SENT, raw_code="amend", raw_text="spot orders cannot be amended"
            )
        instrument = self._reader.definition(order.instrument)
        answer = await self._call(
            "amend",
            symbol=instrument.symbol,
            side=known.side.name,
            quantity=format(instrument.size(order.size), "f"),
            price=format(instrument.price(order.price), "f"),
            **self._named(known),
        )
        return (
            OrderAmended(
                order_id=order.order_id,
                instrument=order.instrument,
                price=to_ticks(Decimal(_text(answer, "price")), instrument.tick_size),
                size=to_lots(Decimal(_text(answer, "origQty")), instrument.lot_size),
                received=self._now(),
                venue_time=Nanos(int(answer.get("updateTime", 0)) * MILLIS),
            ),
        )

    async def cancel(self, order: CancelOrder, known: Known) -> tuple[Fact, ...]:
        """Cancel one; the answer says how much was filled."""
        symbol = self._reader.symbol(order.instrument)
        answer = await self._call("cancel", symbol=symbol, **self._named(known))
        return (self._canceled(answer, order.order_id, CancelReason.REQUESTED),)

    async def cancel_all(self, instrument: InstrumentId) -> tuple[Fact, ...]:
        """Cancel all of the account's orders on an instrument; the stream names each."""
        try:
            await self._call("cancel_all", symbol=self._reader.symbol(instrument))
        except VenueSaid as said:
            if said.verdict is not Verdict.ORDER_NOT_FOUND:
                raise
        return ()

    def _canceled(
        self, answer: Parameters, order_id: OrderId, reason: CancelReason
    ) -> OrderCanceled:
        evidence = self._evidence(
            {**answer, "clientOrderId": answer.get("origClientOrderId", order_id)}
        )
        time = int(answer.get("transactTime") or answer.get("updateTime") or 0)
        return OrderCanceled(
            order_id=order_id,
            instrument=evidence.instrument,
            reason=reason,
            received=self._now(),
            venue_time=Nanos(time * MILLIS),
            filled=evidence.filled,
        )

    # -- questions -----------------------------------------------------------------------------

    async def order(self, known: Known) -> Evidence | None:
        """What became of one order; None when the venue says that it knows of none."""
        symbol = self._reader.symbol(known.instrument)
        try:
            answer = await self._call("order", symbol=symbol, **self._named(known))
        except VenueSaid as said:
            if said.verdict is Verdict.ORDER_NOT_FOUND:
                return None
            raise
        return self._evidence(answer)

    async def open_orders(self, instrument: InstrumentId) -> list[Evidence]:
        """Every open order on an instrument, others' too."""
        answer = await self._call("open_orders", symbol=self._reader.symbol(instrument))
        return [self._evidence(each) for each in answer]

    async def fills(
        self, instrument: InstrumentId, after: str, since: Nanos
    ) -> tuple[list[OrderFilled], str]:
        """Fills after one whose id is `after` (or since a time), oldest first; all pages."""
        symbol, found = self._reader.symbol(instrument), []
        for _ in range(PAGES_MAX):
            begin = {"fromId": int(after) + 1} if after else {"startTime": since // MILLIS}
            answer = await self._call("fills", symbol=symbol, limit=PAGE, **begin)
            page = sorted(_read(answer, list[TradeTold]), key=lambda trade: trade.id)
            for trade in page:
                order_id = await self._owner(symbol, str(trade.order_id))
                found.append(self._reader.trade(trade, order_id))
            after = str(page[-1].id) if page else after
            if len(page) < PAGE:
                return found, after
        raise VenueSaid(Verdict.UNKNOWN, raw_code="pages", raw_text="fills without an end")

    async def account(self) -> tuple[BalanceReported | PositionReported, ...]:
        """All balances that are not zero, and all positions."""
        return tuple(await self._dialect.account(self._rest, self._reader))

    async def venue_clock(self) -> Nanos:
        """The venue's own time."""
        answer = await self._call("venue_clock")
        return Nanos(int(_text(answer, "serverTime")) * MILLIS)

    async def permissions(self) -> tuple[str, ...]:
        """What the key may do; nothing where the venue does not tell."""
        return await self._dialect.permissions(self._rest)

    async def stream(self) -> AsyncIterator[PrivateNews]:
        """Orders, fills and balances as they happen, for ever; it reconnects by itself."""
        async for news in self._dialect.stream(self._wire):
            if isinstance(news, tuple):
                for fact in news:
                    if isinstance(fact, OrderAcked):
                        self._remember(fact.venue_order_id, self._ids.encode(fact.order_id))
            yield news

    # -- inside --------------------------------------------------------------------------------

    async def _call(self, command: str, **parameters: Any) -> Any:
        return await self._rest.call(self._dialect.calls[command], **parameters)

    def _named(self, known: Known) -> Parameters:
        if known.venue_order_id:
            return {"orderId": int(known.venue_order_id)}
        return {"origClientOrderId": self._ids.encode(known.order_id)}

    def _evidence(self, answer: Any) -> Evidence:
        told = _read(answer, OrderTold)
        try:
            evidence = self._reader.evidence(told)
        except BadInput as error:
            raise _unreadable(error) from error
        self._remember(evidence.venue_order_id, evidence.client_id)
        return evidence

    async def _owner(self, symbol: str, venue_order_id: str) -> OrderId:
        """Whose order a trade was of: ours by its id, or nobody's."""
        client_id = self._names.get(venue_order_id)
        if client_id is None:
            answer = await self._call("order", symbol=symbol, orderId=int(venue_order_id))
            client_id = self._evidence(answer).client_id
        return self._ids.decode(client_id) or OrderId("")

    def _remember(self, venue_order_id: str, client_id: str) -> None:
        self._names[venue_order_id] = client_id
        if len(self._names) > NAMES_MAX:
            self._names.popitem(last=False)


def _text(answer: Any, name: str) -> str:
    """A field that has to be there; without it nobody knows what was done."""
    value = answer.get(name) if isinstance(answer, dict) else None
    if value is None:
        raise VenueSaid(Verdict.UNKNOWN, raw_code="body", raw_text=f"an answer without {name}")
    return str(value)


def _read(answer: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(answer, kind, strict=False)  # ccxt keeps numbers as texts.
    except msgspec.MsgspecError as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> VenueSaid:
    return VenueSaid(Verdict.UNKNOWN, raw_code="body", raw_text=str(error)[:200])
