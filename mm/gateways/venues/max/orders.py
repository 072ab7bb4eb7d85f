"""Orders at MAX: commands and questions over REST, what became of them over the private socket.

An answer to a command says that it was taken, and proves nothing more: an order is acknowledged,
filled and canceled by the socket alone. The spot wallet and the margin wallet are two accounts.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import aiohttp
import msgspec

from mm.errors import BadInput, ConfigError
from mm.events.account import BalanceReported
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
from mm.gateways.client_ids import TextIds
from mm.gateways.clock_check import VenueClock
from mm.gateways.credentials import Credentials
from mm.gateways.order_port import Abilities, ClientIds, Evidence, Known, PrivateNews, Rate
from mm.gateways.user_stream import held_open
from mm.gateways.venues.max.messages import Held, OrderTold, Reader, TradeTold
from mm.gateways.venues.max.rest import BEHIND_MILLIS, WINDOW_MILLIS, Rest, Signer, read, unreadable
from mm.gateways.venues.max.stream import UserStream
from mm.gateways.venues.max.wire import HOSTS, VENUE
from mm.gateways.verdicts import VenueSaid, Verdict

ID_LENGTH: Final = 36
ID_ALPHABET: Final = "A-Za-z0-9_-"
PAGE: Final = 1_000
PAGES_MAX: Final = 200
NONCE_USED: Final = "2006"
ABILITIES: Final = Abilities(
    cancel_all=True,
    acknowledges=False,
    id_unique=Nanos(24 * 3_600 * SECONDS),
    settles=Nanos((WINDOW_MILLIS - BEHIND_MILLIS) * MILLIS + 3 * SECONDS),
    rates=(Rate(name="requests", span=Nanos(60 * SECONDS), most=1_200),),
)
"""No batch, no amend, and no switch; a post-only order is canceled where it would take."""


class Line(msgspec.Struct, frozen=True):
    """What the private socket stands on."""

    session: aiohttp.ClientSession
    now: Callable[[], Nanos]


class MaxOrders:
    """One wallet of an account at MAX."""

    hosts = HOSTS
    abilities = ABILITIES

    def __init__(
        self,
        session: aiohttp.ClientSession,
        credentials: Credentials,
        clock: VenueClock,
        now: Callable[[], Nanos],
        owners: tuple[str, ...],
        wallet: str = "spot",
    ) -> None:
        """`wallet` is `spot` or `m`; `owners` are the strategies with their wallets of ours."""
        self.venue = VENUE if wallet == "spot" else f"{VENUE}_margin"
        self._ids = TextIds(owners, length=ID_LENGTH, alphabet=ID_ALPHABET)
        self._reader = Reader(self._ids, now)
        self._signer = Signer(credentials, clock)
        self._rest = Rest(session, self._signer)
        self._line = Line(session, now)
        self._wallet = wallet
        self._path = f"/api/v3/wallet/{wallet}"

    @property
    def ids(self) -> ClientIds:
        """How it takes our ids."""
        return self._ids

    def learn(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """What is traded; before anything else."""
        self._reader.learn(instruments)

    def weight(self, command: str) -> int:
        """Every request counts once."""
        del command
        return 1

    # -- commands ------------------------------------------------------------------------------

    async def place(self, order: PlaceOrder) -> tuple[Fact, ...]:
        """Send one order; the answer tells its id, and the socket all else."""
        client_id = self._ids.encode(order.order_id)
        terms = terms_of(order, self._reader.definition(order.instrument))
        try:
            answer = await self._rest.ask(
                "POST", f"{self._path}/order", **terms, client_oid=client_id
            )
        except VenueSaid as said:
            if said.raw_code == NONCE_USED:  # By ours perhaps, if the network sent it twice.
                said.verdict = Verdict.UNKNOWN
            raise
        return tuple(self._reader.name(read(answer, OrderTold).id, client_id))

    async def amend(self, order: AmendOrder, known: Known) -> tuple[Fact, ...]:
        """The venue cannot, and says so in its abilities."""
        raise ConfigError(
            f"{self.venue} cannot amend {known.order_id}",
            where=self.venue,
            remedy=f"cancel it and place it anew at {order.price} ticks",
        )

    async def cancel(self, order: CancelOrder, known: Known) -> tuple[Fact, ...]:
        """Ask to cancel one; it may still fill, and the socket says how it ended."""
        client_id = self._ids.encode(order.order_id)
        self._reader.canceling(client_id)
        await self._rest.ask("DELETE", "/api/v3/order", **self._named(known))
        return ()

    async def cancel_all(self, instrument: InstrumentId) -> tuple[Fact, ...]:
        """Ask to cancel all of the wallet's orders on an instrument, whoever placed them."""
        market = self._reader.definition(instrument).symbol
        answer = await self._rest.ask("DELETE", f"{self._path}/orders", market=market)
        for row in _rows(answer):
            order = row.get("order") if isinstance(row, dict) else None
            if order is not None:
                self._reader.canceling(read(order, OrderTold).client_oid or "")
        return ()

    def _named(self, known: Known) -> dict[str, Any]:
        if known.venue_order_id:
            return {"id": int(known.venue_order_id)}
        return {"client_oid": self._ids.encode(known.order_id)}

    # -- questions -----------------------------------------------------------------------------

    async def order(self, known: Known) -> Evidence | None:
        """What became of one order; None when the venue says that it knows of none."""
        try:
            answer = await self._rest.ask("GET", "/api/v3/order", **self._named(known))
        except VenueSaid as said:
            if said.verdict is Verdict.ORDER_NOT_FOUND:
                return None
            raise
        return self._evidence(answer)

    async def open_orders(self, instrument: InstrumentId) -> list[Evidence]:
        """Every open order on an instrument, others' too."""
        market = self._reader.definition(instrument).symbol
        answer = await self._rest.ask(
            "GET", f"{self._path}/orders/open", market=market, limit=PAGE, order_by="asc"
        )
        rows = _rows(answer)
        if len(rows) >= PAGE:
            raise unreadable("more open orders than can be told")
        found = (self._evidence(row) for row in rows)
        return [each for each in found if each is not None]

    def _evidence(self, row: Any) -> Evidence | None:
        told = read(row, OrderTold)
        self._reader.remember(told.id, told.client_oid or "")
        try:
            return self._reader.evidence(told)
        except BadInput as error:
            raise unreadable(str(error)) from error

    async def fills(
        self, instrument: InstrumentId, after: str, since: Nanos
    ) -> tuple[list[OrderFilled], str]:
        """Fills after one whose id is `after` (or since a time), oldest first; all pages."""
        definition, found = self._reader.definition(instrument), []
        for _ in range(PAGES_MAX):
            begin = {"from_id": int(after)} if after else {"timestamp": since // MILLIS}
            answer = await self._rest.ask(
                "GET",
                f"{self._path}/trades",
                market=definition.symbol,
                order="asc",
                limit=PAGE,
                **begin,
            )
            rows = sorted((read(each, TradeTold) for each in _rows(answer)), key=lambda t: t.id)
            new = [row for row in rows if not after or row.id > int(after)]
            for row in new:
                found += await self._fills_of(row, definition)
            after = str(new[-1].id) if new else after
            if len(rows) < PAGE:
                return found, after
        raise unreadable("trades without an end")

    async def _fills_of(self, row: TradeTold, definition: InstrumentDefined) -> list[OrderFilled]:
        """What a trade was to each order of ours; whose an order is may have to be asked."""
        found = []
        for side in row.sides():
            if self._reader.named(side.oi) is None:
                self._evidence(await self._rest.ask("GET", "/api/v3/order", id=side.oi))
            name = self._reader.named(side.oi)
            assert name is not None, "it was just told"
            try:
                found.append(self._reader.fill(side, definition, name))
            except BadInput as error:
                raise unreadable(str(error)) from error
        return found

    async def account(self) -> tuple[BalanceReported, ...]:
        """All balances of the wallet that are not zero."""
        answer = await self._rest.ask("GET", f"{self._path}/accounts")
        held = [read(row, Held) for row in _rows(answer)]
        return tuple(
            self._reader.balance(each.currency, each.balance, each.locked)
            for each in held
            if each.balance or each.locked
        )

    async def venue_clock(self) -> Nanos:
        """The venue's own time, to half a second."""
        answer = await self._rest.timestamp()
        stamp = answer.get("timestamp") if isinstance(answer, dict) else None
        if not isinstance(stamp, int):
            raise unreadable("an answer without a time")
        return Nanos(stamp * SECONDS + SECONDS // 2)

    async def permissions(self) -> tuple[str, ...]:
        """The venue does not tell."""
        return ()

    async def stream(self) -> AsyncIterator[PrivateNews]:
        """Orders, fills and balances as they happen, for ever; it reconnects by itself."""
        stream = UserStream(self._signer, self._reader, self._wallet)
        async for news in held_open(stream, self._line):
            yield news


def terms_of(order: PlaceOrder, instrument: InstrumentDefined) -> dict[str, str]:
    """What makes an order, as the venue takes it; raises `VenueSaid` for what it does not have."""
    terms = {
        "market": instrument.symbol,
        "side": order.side.name.lower(),
        "volume": f"{instrument.size(order.size):f}",
    }
    if order.kind is OrderKind.MARKET:
        return {**terms, "ord_type": "market"}
    if order.tif is TimeInForce.FOK or order.reduce_only:
        raise VenueSaid(
            Verdict.INVALID_ORDER, raw_code="terms", raw_text="neither fill-or-kill nor reduce-only"
        )
    kind = "limit"
    if order.tif is TimeInForce.IOC:
        kind = "ioc_limit"
    elif order.post_only:
        kind = "post_only"
    return {**terms, "ord_type": kind, "price": f"{instrument.price(order.price):f}"}


def _rows(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise unreadable("an answer that is no list")
    return answer
