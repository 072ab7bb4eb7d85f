"""Orders at StandX: taken at once, matched later; whoever asked hears the outcome on a stream.

The answer to an order says that it was taken, and names neither it nor its fate. What matching
refuses is told on the response stream of the session that the request named, and nowhere else: such
an order was never at the venue.
"""

import asyncio
import uuid
from decimal import Decimal
from typing import Any, Final, Protocol

from mm.emulator.account import Account
from mm.emulator.binance.refusals import Refused as NoMargin
from mm.emulator.binance.usdm_margin import Margin
from mm.emulator.exchange import Exchange, Listing
from mm.emulator.orders import Record, Status, Ticket
from mm.emulator.standx.calls import Call
from mm.emulator.standx.refusals import (
    BAD,
    NO_MARGIN,
    NO_ORDER,
    NOT_FOUND,
    invalid,
    rejected,
)
from mm.events.orders import OrderKind, TimeInForce
from mm.events.units import Lots, Side, Ticks, steps

SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
KINDS: Final = {"limit": OrderKind.LIMIT, "market": OrderKind.MARKET}
TIFS: Final = {
    "gtc": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
    "alo": TimeInForce.GTC,
}
LISTED_MAX: Final = 100
DONE: Final = "success"
Payload = dict[str, Any]


class Tell(Protocol):
    """Who says on a session what became of a request."""

    def __call__(self, session: str, request_id: str, code: int, message: str) -> None:
        """Say it, where anybody listens."""
        ...


class Desk:
    """Places and cancels for all accounts."""

    def __init__(self, exchange: Exchange, margin: Margin, tell: Tell) -> None:
        """Nobody has orders yet."""
        self._exchange = exchange
        self._margin = margin
        self._tell = tell

    def place(self, call: Call) -> Payload:
        """Take an order, to be matched right after; raises `Refused` for what cannot be one."""
        ticket = _ticket(call)
        loop = asyncio.get_running_loop()
        loop.call_soon(self._match, call, ticket)
        return _taken(call)

    def _match(self, call: Call, ticket: Ticket) -> None:
        listing = self._exchange.listing(ticket.instrument.instrument)
        try:
            self._margin.check(call.account, listing, ticket)
        except NoMargin:
            self._tell(call.session, call.request_id, BAD, NO_MARGIN)
            return
        record = call.account.place(ticket)
        refused = record.status is Status.REJECTED
        code, text = (BAD, rejected(record.reason)) if refused else (0, DONE)
        self._tell(call.session, call.request_id, code, text)

    def cancel(self, call: Call) -> Payload:
        """Take a cancel; that there is nothing to cancel is told on the stream."""
        named = {
            name: call.params[name] for name in ("order_id", "cl_ord_id") if name in call.params
        }
        if not named:
            raise invalid("order_id")
        record = find(call)
        asyncio.get_running_loop().call_soon(self._end, call, record)
        return _taken(call)

    def _end(self, call: Call, record: Record | None) -> None:
        done = record is not None and call.account.cancel(record)
        code, text = (0, DONE) if done else (NOT_FOUND, NO_ORDER)
        self._tell(call.session, call.request_id, code, text)

    def cancel_many(self, call: Call) -> list[Payload]:
        """Cancel orders by their ids; those that are not open are passed over."""
        ids, names = (call.params.get(name, []) for name in ("order_id_list", "cl_ord_id_list"))
        if not (isinstance(ids, list) and isinstance(names, list)) or not (ids or names):
            raise invalid("order_id_list")
        if len(ids) + len(names) > LISTED_MAX:
            raise invalid("order_id_list")
        account = call.account
        found = [account.order(each) for each in ids if isinstance(each, int)]
        found += [account.named(each) for each in names if isinstance(each, str)]
        for record in found:
            if record is not None:
                account.cancel(record)
        return []


def _taken(call: Call) -> Payload:
    return {"code": 0, "message": DONE, "request_id": call.request_id}


def find(call: Call) -> Record | None:
    """The order that is named, by either id; one that matching refused never was."""
    account: Account = call.account
    number = call.whole("order_id", 0)
    found = account.order(number) if number else account.named(call.text("cl_ord_id"))
    return None if found is None or found.status is Status.REJECTED else found


def _ticket(call: Call) -> Ticket:
    listing = call.listing()
    side, kind = SIDES.get(call.text("side")), KINDS.get(call.text("order_type"))
    tif = call.text("time_in_force")
    if side is None:
        raise invalid("side")
    if kind is None:
        raise invalid("order_type")
    if tif not in TIFS or (kind is OrderKind.MARKET and tif not in {"ioc", "fok"}):
        raise invalid("time_in_force")
    return Ticket(
        instrument=listing.instrument,
        side=side,
        size=_size(listing, call.decimal("qty")),
        price=Ticks(0) if kind is OrderKind.MARKET else _price(listing, call.decimal("price")),
        client_id=call.text("cl_ord_id", "") or uuid.uuid4().hex,
        kind=kind,
        tif=TIFS[tif],
        post_only=tif == "alo",
        reduce_only=call.flag("reduce_only"),
    )


def _price(listing: Listing, price: Decimal | None) -> Ticks:
    ticks = steps(price, listing.instrument.tick_size) if price else None
    most = listing.instrument.price_max
    if not ticks or (most and ticks > most):
        raise invalid("price")
    return Ticks(ticks)


def _size(listing: Listing, size: Decimal | None) -> Lots:
    instrument = listing.instrument
    lots = steps(size, instrument.lot_size) if size else None
    if not lots or lots % instrument.size_step or lots < instrument.size_min:
        raise invalid("qty")
    if instrument.size_max and lots > instrument.size_max:
        raise invalid("qty")
    return Lots(lots)
