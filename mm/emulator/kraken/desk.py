"""What clients of Kraken do with orders, whichever way they ask: REST and socket end here.

A request names an order by the venue's id or by the client's own, which is unique among open
orders only; so the latest order under it is meant.
"""

import asyncio
import re
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange, Listing
from mm.emulator.kraken import names
from mm.emulator.kraken.calls import Call
from mm.emulator.kraken.limits import (
    AMEND_COSTS,
    CANCEL_COSTS,
    PLACE_COST,
    Limits,
    aged,
)
from mm.emulator.kraken.refusals import UNKNOWN_ORDER, Refused, invalid, rejected
from mm.emulator.orders import Record, Status, Ticket
from mm.events.orders import OrderKind, RejectReason, TimeInForce
from mm.events.units import SECONDS, InstrumentId, Lots, Nanos, Side, Ticks, steps

SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
TIFS: Final = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
KINDS: Final = {"limit": OrderKind.LIMIT, "market": OrderKind.MARKET}
CLIENT_ID: Final = re.compile(
    r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}|[ -~]{1,18}", re.ASCII | re.IGNORECASE
)
"""A UUID, its 32 digits, or a short text."""
SWITCH_MAX: Final = 86_400
BATCH_MIN: Final = 2
BATCH_MAX: Final = 15


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it was asked for, texts read but nothing judged."""

    listing: Listing
    side: str
    kind: str
    size: Decimal | None
    price: Decimal | None
    tif: str = "GTC"
    post_only: bool = False
    reduce_only: bool = False
    client_id: str = ""
    userref: int = 0
    flags: str = "fciq"
    deadline: str = ""


class Switch(NamedTuple):
    """When all orders of an account are canceled, unless it says otherwise before."""

    now: Nanos
    due: Nanos | None


class Desk:
    """Places, amends and cancels for all accounts; changes in place."""

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        """Nobody has orders yet."""
        self.exchange = exchange
        self.limits = limits
        self._switches: dict[str, asyncio.TimerHandle] = {}

    def place(self, account: Account, asked: Asked, *, validate: bool = False) -> Record | None:
        """Place an order, or only say whether it could be; raises `Refused`."""
        ticket = self._ticket(asked)
        self.limits.order(account.keys.key, names.symbol(ticket.instrument), PLACE_COST)
        if validate:
            return None
        record = account.place(ticket)
        if record.status is Status.REJECTED:
            raise rejected(record.reason)
        return record

    def _ticket(self, asked: Asked) -> Ticket:
        instrument = asked.listing.instrument
        side, kind = SIDES.get(asked.side), KINDS.get(asked.kind)
        tif = TIFS.get(asked.tif.upper())
        if side is None:
            raise invalid("type")
        if kind is None:
            raise invalid("ordertype")
        if tif is None:
            raise invalid("timeinforce")
        if asked.client_id and not CLIENT_ID.fullmatch(asked.client_id):
            raise invalid("cl_ord_id")
        self._in_time(asked.deadline)
        if asked.post_only and (kind is OrderKind.MARKET or tif is not TimeInForce.GTC):
            raise invalid("post_only")
        return Ticket(
            instrument=instrument,
            side=side,
            size=_size(asked),
            price=Ticks(0) if kind is OrderKind.MARKET else _price(asked.listing, asked.price),
            client_id=asked.client_id,
            kind=kind,
            tif=TimeInForce.IOC if kind is OrderKind.MARKET else tif,
            post_only=asked.post_only,
            reduce_only=asked.reduce_only,
            extras={"userref": asked.userref, "flags": asked.flags, "kind": asked.kind},
        )

    def _in_time(self, deadline: str) -> None:
        if not deadline:
            return
        try:
            due = datetime.fromisoformat(deadline).timestamp()
        except ValueError as error:
            raise invalid("deadline") from error
        if due * SECONDS < self.exchange.now():
            raise Refused("EService:Deadline elapsed")

    def find(self, account: Account, order_id: str = "", client_id: str = "") -> Record:
        """The order that is named; raises `Refused`."""
        found = account.order(names.number_of(order_id)) if order_id else account.named(client_id)
        if found is None or not (order_id or client_id):
            raise Refused(UNKNOWN_ORDER)
        return found

    def cancel(self, account: Account, record: Record) -> None:
        """Cancel an order; raises `Refused` where it is not open."""
        if not record.open:
            raise Refused(UNKNOWN_ORDER)
        self._count(account, record, aged(CANCEL_COSTS, self._age(record)))
        if not account.cancel(record):
            raise Refused(UNKNOWN_ORDER)

    def amend(self, account: Account, record: Record, call: Call) -> None:
        """Move an order to a price and a total size; raises `Refused`, and it rests as it was."""
        if not record.open:
            raise Refused(UNKNOWN_ORDER)
        self._count(account, record, 1 + aged(AMEND_COSTS, self._age(record)))
        listing = self.exchange.listing(record.instrument.instrument)
        price, size = call.decimal("limit_price"), call.decimal("order_qty")
        ticks = record.price if price is None else _price(listing, price)
        lots = record.size if size is None else _lots(listing, size)
        if call.flag("post_only") and _crosses(listing, record.ticket.side, ticks):
            raise rejected(RejectReason.POST_ONLY_CROSSED)
        reason = account.amend(record, ticks, lots)
        if reason is not None:
            raise rejected(reason)

    def _age(self, record: Record) -> int:
        return self.exchange.at() - record.placed

    def _count(self, account: Account, record: Record, cost: float) -> None:
        self.limits.order(account.keys.key, names.symbol(record.instrument), cost)

    def cancel_all(self, account: Account, instrument: InstrumentId | None = None) -> int:
        """Cancel what is open; returns how many orders that were."""
        return len(account.cancel_all(instrument))

    def switch(self, account: Account, timeout: int) -> Switch:
        """Cancel all orders after so many seconds unless this is said again; 0 ends it."""
        if timeout > SWITCH_MAX:
            raise invalid("timeout")
        running = self._switches.pop(account.keys.key, None)
        if running is not None:
            running.cancel()
        now = self.exchange.now()
        if not timeout:
            return Switch(now, None)
        loop = asyncio.get_running_loop()
        self._switches[account.keys.key] = loop.call_later(timeout, self.cancel_all, account)
        return Switch(now, Nanos(now + timeout * SECONDS))


def _price(listing: Listing, price: Decimal | None) -> Ticks:
    if price is None or not price:
        raise invalid("price")
    instrument = listing.instrument
    ticks = steps(price, instrument.tick_size)
    if ticks is None:
        raise rejected(RejectReason.OFF_TICK)
    if ticks < instrument.price_min or (instrument.price_max and ticks > instrument.price_max):
        raise rejected(RejectReason.PRICE_OUT_OF_RANGE)
    return Ticks(ticks)


def _size(asked: Asked) -> Lots:
    if asked.size is None:
        raise invalid("volume")
    return _lots(asked.listing, asked.size)


def _lots(listing: Listing, size: Decimal) -> Lots:
    instrument = listing.instrument
    lots = steps(size, instrument.lot_size)
    if lots is None or not lots or lots % instrument.size_step:
        raise invalid("volume")
    if lots < instrument.size_min:
        raise rejected(RejectReason.SIZE_TOO_SMALL)
    return Lots(lots)


def _crosses(listing: Listing, side: Side, price: Ticks) -> bool:
    book = listing.book
    if side is Side.BUY:
        return bool(book.ask and price >= book.ask)
    return bool(book.bid and price <= book.bid)


def told(switch: Switch, write: Any) -> dict[str, str]:
    """The answer about a switch."""
    return {
        "currentTime": write(switch.now),
        "triggerTime": "0" if switch.due is None else write(switch.due),
    }
