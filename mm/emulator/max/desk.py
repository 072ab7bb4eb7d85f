"""What clients of MAX do with orders: what is accepted at once happens a little later.

An answer says that a request was taken, not that it was done: an order is matched, or canceled,
after it. Until then it is `wait`, and it may fill before its cancel. A client's own id is refused
for a day after it was used.
"""

import asyncio
from decimal import Decimal
from typing import Final, NamedTuple

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange, Keys, Listing
from mm.emulator.max.described import WALLETS
from mm.emulator.max.refusals import invalid, not_found, rejected, used_already
from mm.emulator.orders import Record, Ticket
from mm.events.orders import OrderKind, RejectReason, TimeInForce
from mm.events.units import EXACT, SECONDS, Lots, Nanos, Side, Ticks, steps

CLIENT_ID_MAX: Final = 36
CLIENT_ID_LIFE: Final = Nanos(24 * 3_600 * SECONDS)
SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
MARGIN: Final = "/m"
"""What the name of a margin wallet ends with."""


class Terms(NamedTuple):
    """What an order type stands for."""

    kind: OrderKind
    tif: TimeInForce
    post_only: bool


KINDS: Final = {
    "limit": Terms(OrderKind.LIMIT, TimeInForce.GTC, post_only=False),
    "post_only": Terms(OrderKind.LIMIT, TimeInForce.GTC, post_only=True),
    "ioc_limit": Terms(OrderKind.LIMIT, TimeInForce.IOC, post_only=False),
    "market": Terms(OrderKind.MARKET, TimeInForce.IOC, post_only=False),
}
"""Stop orders are not played here."""


class Asked(NamedTuple):
    """An order as it was asked for."""

    listing: Listing
    side: str
    kind: str
    volume: Decimal
    price: Decimal | None
    client_id: str
    group: int


class Desk:
    """Places and cancels for all accounts; changes in place."""

    def __init__(self, exchange: Exchange, lag: float = 0.002) -> None:
        """`lag` is how many seconds lie between an answer and what it promised."""
        self.exchange = exchange
        self.lag = lag
        self._used: dict[tuple[str, str], tuple[Nanos, int]] = {}
        self._accepted: dict[int, Record] = {}

    def wallet(self, owner: Account, name: str) -> Account:
        """A wallet of an account; a margin wallet begins with what the other holds then."""
        if name not in WALLETS:
            raise invalid("wallet_type")
        if name == "spot":
            return owner
        keys = Keys(owner.keys.key + MARGIN, owner.keys.secret)
        known = self.exchange.accounts.get(keys.key)
        if known is not None:
            return known
        if not owner.limited:
            return self.exchange.open(keys)
        totals = {each.asset: EXACT.add(each.free, each.locked) for each in owner.balances()}
        return self.exchange.open(keys, totals)

    def wallets(self, owner: Account) -> list[Account]:
        """The wallets that an account has used."""
        found = self.exchange.accounts.get(owner.keys.key + MARGIN)
        return [owner] if found is None else [owner, found]

    def place(self, owner: Account, wallet: str, asked: Asked) -> Record:
        """Accept an order; raises `Refused`. It is matched later."""
        account = self.wallet(owner, wallet)
        ticket = self._ticket(asked, wallet)
        now = self.exchange.at()
        self._use(owner, ticket.client_id, now)
        self._affordable(account, asked.listing, ticket)
        record = Record(
            number=self.exchange.number(),
            ticket=ticket,
            price=ticket.price,
            size=ticket.size,
            placed=now,
            updated=now,
        )
        self._accepted[record.number] = record
        if ticket.client_id:
            self._used[owner.keys.key, ticket.client_id] = now, record.number
        self._later(self._match, account, record)
        return record

    def _later(self, do: object, account: Account, record: Record) -> None:
        assert callable(do), "something to do"
        asyncio.get_running_loop().call_later(self.lag, do, account, record)

    def _match(self, account: Account, record: Record) -> None:
        account.place(record.ticket, record.number)
        del self._accepted[record.number]

    def _use(self, owner: Account, client_id: str, now: Nanos) -> None:
        """A client's id is free; raises `Refused`."""
        if len(client_id) > CLIENT_ID_MAX:
            raise invalid("client_oid")
        at, _ = self._used.get((owner.keys.key, client_id), (Nanos(-CLIENT_ID_LIFE), 0))
        if client_id and now - at < CLIENT_ID_LIFE:
            raise used_already()

    def _ticket(self, asked: Asked, wallet: str) -> Ticket:
        instrument = asked.listing.instrument
        side, terms = SIDES.get(asked.side), KINDS.get(asked.kind)
        if side is None:
            raise invalid("side")
        if terms is None:
            raise invalid("ord_type")
        price = Ticks(0)
        if terms.kind is OrderKind.LIMIT:
            price = _price(asked)
        return Ticket(
            instrument=instrument,
            side=side,
            size=_size(asked, price),
            price=price,
            client_id=asked.client_id,
            kind=terms.kind,
            tif=terms.tif,
            post_only=terms.post_only,
            extras={"wallet": wallet, "kind": asked.kind, "group": asked.group},
        )

    @staticmethod
    def _affordable(account: Account, listing: Listing, ticket: Ticket) -> None:
        """There is enough for it; raises `Refused`."""
        if not account.limited:
            return
        instrument = ticket.instrument
        asset, needed = instrument.base, instrument.size(ticket.size)
        if ticket.side is Side.BUY:
            price = ticket.price or listing.book.ask
            asset, needed = instrument.quote, instrument.notional(price, ticket.size)
        free = {each.asset: each.free for each in account.balances()}
        if free.get(asset, Decimal(0)) < needed:
            raise rejected(RejectReason.NO_FUNDS)

    def find(self, owner: Account, number: int, client_id: str) -> tuple[Account, Record]:
        """The order that is named, and the wallet it is of; raises `Refused`."""
        if client_id:
            _, number = self._used.get((owner.keys.key, client_id), (Nanos(0), 0))
        for account in self.wallets(owner):
            record = account.order(number)
            if record is not None:
                return account, record
        accepted = self._accepted.get(number)
        if accepted is None:
            raise not_found()
        return self.wallet(owner, str(accepted.ticket.extras["wallet"])), accepted

    def cancel(self, account: Account, record: Record) -> None:
        """Accept that an order be canceled; it may fill before."""
        self._later(self._cancel, account, record)

    @staticmethod
    def _cancel(account: Account, record: Record) -> None:
        standing = account.order(record.number)
        if standing is not None:
            account.cancel(standing)


def _price(asked: Asked) -> Ticks:
    instrument = asked.listing.instrument
    if asked.price is None:
        raise invalid("price")
    ticks = steps(asked.price, instrument.tick_size)
    if ticks is None:
        raise rejected(RejectReason.OFF_TICK)
    if ticks < instrument.price_min or (instrument.price_max and ticks > instrument.price_max):
        raise rejected(RejectReason.PRICE_OUT_OF_RANGE)
    return Ticks(ticks)


def _size(asked: Asked, price: Ticks) -> Lots:
    instrument = asked.listing.instrument
    lots = steps(asked.volume, instrument.lot_size)
    if lots is None or lots % instrument.size_step:
        raise rejected(RejectReason.OFF_LOT)
    if lots < instrument.size_min:
        raise rejected(RejectReason.SIZE_TOO_SMALL)
    if instrument.size_max and lots > instrument.size_max:
        raise rejected(RejectReason.SIZE_TOO_LARGE)
    if price and instrument.notional(price, lots) < instrument.notional_min:
        raise rejected(RejectReason.NOTIONAL_TOO_SMALL)
    return Lots(lots)
