"""Futures orders: what a client asks for becomes a ticket, what the account keeps an answer."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.emulator.binance.calls import Call
from mm.emulator.binance.digits import Digits, places_of, text
from mm.emulator.binance.public import listing_of, millis
from mm.emulator.binance.refusals import (
    USDM_REJECTS,
    Refused,
    missing,
    no_such_order,
    rejected,
    unknown_order,
)
from mm.emulator.binance.spot_orders import SIDES, STATUSES, TIFS, found, made_id
from mm.emulator.binance.streams import Payload
from mm.emulator.binance.usdm_margin import Margin
from mm.emulator.exchange import Listing
from mm.emulator.orders import Fill, Record, Status, Ticket
from mm.events.orders import Liquidity, OrderKind, RejectReason, TimeInForce
from mm.events.units import EXACT, Lots, Side, Ticks, steps

BATCH_MAX: Final = 5
POST_ONLY: Final = "GTX"
PRECISION: Final = "Precision is over the maximum defined for this asset."
ALL_CANCELED: Final = "The operation of cancel all open order is done."


def ticket_of(call: Call, listing: Listing) -> Ticket:
    """What the client asks for; raises `Refused`."""
    side = SIDES.get(call.text("side"))
    if side is None:
        raise Refused(-1117, "Invalid side.")
    if call.text("positionSide", "BOTH") != "BOTH":
        raise Refused(-4061, "Order's position side does not match user's setting.")
    kind = call.text("type")
    if kind not in {"LIMIT", "MARKET"}:
        raise Refused(-4120, "Order type not supported for this endpoint.")
    tif = call.text("timeInForce") if kind == "LIMIT" else "GTC"
    if tif not in {*TIFS, POST_ONLY}:
        raise Refused(-1115, "Invalid timeInForce.")
    if kind == "MARKET" and call.given("timeInForce"):
        raise Refused(-1106, "Parameter 'timeInForce' sent when not required.")
    market = kind == "MARKET"
    price = Ticks(0) if market else _price(call, listing)
    reduces = call.flag("reduceOnly")
    size = _size(call, listing)
    _check_notional(listing, size, price, reduces=reduces)
    return Ticket(
        instrument=listing.instrument,
        side=side,
        size=size,
        price=price,
        client_id=call.client_id("newClientOrderId") or made_id(),
        kind=OrderKind.MARKET if market else OrderKind.LIMIT,
        tif=TimeInForce.IOC if market else TIFS.get(tif, TimeInForce.GTC),
        post_only=tif == POST_ONLY,
        reduce_only=reduces,
        extras={"type": kind, "tif": tif, "stp": call.text("selfTradePreventionMode", "NONE")},
    )


def _price(call: Call, listing: Listing) -> Ticks:
    price = call.decimal("price")
    instrument = listing.instrument
    if not price:
        raise Refused(-4001, "Price less than 0.")
    if -int(price.normalize().as_tuple().exponent) > places_of(instrument.tick_size):
        raise Refused(-1111, PRECISION)
    ticks = steps(price, instrument.tick_size)
    if ticks is None:
        raise Refused(-4014, "Price not increased by tick size.")
    if instrument.price_max and ticks > instrument.price_max:
        top = Digits(instrument, None).price(instrument.price_max)
        raise Refused(-4016, f"Limit price can't be higher than {top}.")
    if ticks < instrument.price_min:
        low = Digits(instrument, None).price(instrument.price_min)
        raise Refused(-4024, f"Limit price can't be lower than {low}.")
    return Ticks(ticks)


def _size(call: Call, listing: Listing) -> Lots:
    quantity, instrument = call.decimal("quantity"), listing.instrument
    if not quantity:
        raise Refused(-4003, "Quantity less than or equal to zero.")
    if -int(quantity.normalize().as_tuple().exponent) > places_of(instrument.lot_size):
        raise Refused(-1111, PRECISION)
    lots = steps(quantity, instrument.lot_size)
    if lots is None or lots % instrument.size_step:
        raise Refused(-4023, "Qty not increased by step size.")
    if lots < instrument.size_min:
        raise Refused(-4004, "Quantity less than min quantity.")
    if instrument.size_max and lots > instrument.size_max:
        raise Refused(-4005, "Quantity greater than max quantity.")
    return Lots(lots)


def _check_notional(listing: Listing, size: Lots, price: Ticks, *, reduces: bool) -> None:
    instrument = listing.instrument
    each = instrument.price(price) if price else listing.price
    worth = EXACT.multiply(EXACT.multiply(instrument.size(size), instrument.multiplier), each)
    if worth < instrument.notional_min and not reduces:
        least = f"{instrument.notional_min.normalize():f}"
        text_ = f"Order's notional must be no smaller than {least} (unless you choose reduce only)."
        raise Refused(-4164, text_)


class UsdmOrders:
    """Commands of clients."""

    def __init__(self, margin: Margin) -> None:
        """No order is on its way."""
        self._margin = margin
        self._countdowns: dict[tuple[str, str], asyncio.TimerHandle] = {}

    def place(self, call: Call) -> Payload:
        """Place an order."""
        listing = listing_of(call)
        ticket = ticket_of(call, listing)
        kind = call.text("newOrderRespType", "ACK")
        if kind not in {"ACK", "RESULT"}:
            raise Refused(-1102, "Mandatory parameter 'newOrderRespType' was malformed.")
        self._margin.check(call.account, listing, ticket)
        record = call.account.place(ticket)
        if record.status is Status.REJECTED:
            raise rejected(record.reason, USDM_REJECTS)
        if kind == "ACK":
            record = msgspec.structs.replace(
                record, status=Status.NEW, filled=Lots(0), value=Decimal(0)
            )
        return placed(record)

    def test(self, call: Call) -> Payload:
        """Only look at it."""
        ticket_of(call, listing_of(call))
        return {}

    def amend(self, call: Call) -> Payload:
        """Move an order to another price or size; some changes cancel it, as they do there."""
        listing = listing_of(call)
        record = found(call)
        if record is None or not record.open:
            raise no_such_order()
        if SIDES.get(call.text("side")) is not record.ticket.side:
            raise Refused(-1117, "Invalid side.")
        price, size = _price(call, listing), _size(call, listing)
        _check_notional(listing, size, price, reduces=record.ticket.reduce_only)
        if (price, size) == (record.price, record.size):
            raise Refused(-5027, "No need to modify the order.")
        if size <= record.filled:
            call.account.cancel(record)
            return placed(record)
        refused = call.account.amend(record, price, size)
        if refused is RejectReason.POST_ONLY_CROSSED:
            call.account.cancel(record)
        elif refused is not None:
            raise rejected(refused, USDM_REJECTS)
        return placed(record)

    def cancel(self, call: Call) -> Payload:
        """Cancel an order."""
        record = found(call)
        if record is None or not call.account.cancel(record):
            raise unknown_order()
        return placed(record)

    def cancel_all(self, call: Call) -> Payload:
        """Cancel what is open on a symbol, if anything is."""
        call.account.cancel_all(listing_of(call).instrument.instrument)
        return {"code": 200, "msg": ALL_CANCELED}

    def countdown(self, call: Call) -> Payload:
        """Cancel all on a symbol in so many milliseconds, unless this is called again; 0: never."""
        symbol, account = listing_of(call).instrument, call.account
        time = call.whole("countdownTime")
        key = (account.keys.key, symbol.symbol)
        earlier = self._countdowns.pop(key, None)
        if earlier is not None:
            earlier.cancel()
        if time:
            loop = asyncio.get_running_loop()
            self._countdowns[key] = loop.call_later(
                time / 1_000, account.cancel_all, symbol.instrument
            )
        return {"symbol": symbol.symbol, "countdownTime": str(time)}

    def place_batch(self, call: Call) -> list[Payload]:
        """Up to five orders, each with an answer of its own."""
        return _each(call, _batch(call), self.place)

    def amend_batch(self, call: Call) -> list[Payload]:
        """Up to five changes."""
        return _each(call, _batch(call), self.amend)

    def cancel_batch(self, call: Call) -> list[Payload]:
        """Up to ten cancels, by the venue's ids or the client's."""
        names = ("orderIdList", "orderId"), ("origClientOrderIdList", "origClientOrderId")
        for many, one in names:
            if call.given(many):
                rows = [{one: str(each)} for each in _listed(call, many, 2 * BATCH_MAX)]
                base = {"symbol": call.text("symbol")}
                return _each(call, [base | row for row in rows], self.cancel)
        raise missing("orderIdList")

    def query(self, call: Call) -> Payload:
        """One order."""
        record = found(call)
        if record is None or record.status is Status.REJECTED:
            raise no_such_order()
        return told(record)

    def query_open(self, call: Call) -> Payload:
        """One order, if it is open."""
        record = found(call)
        if record is None or not record.open:
            raise no_such_order()
        return told(record)

    def open(self, call: Call) -> list[Payload]:
        """What is open."""
        instrument = listing_of(call).instrument.instrument if call.given("symbol") else None
        return [told(record) for record in call.account.open(instrument)]

    def all(self, call: Call) -> list[Payload]:
        """Every order on a symbol, from an id on."""
        records = call.account.orders(listing_of(call).instrument.instrument)
        first, limit = call.whole("orderId", 0), min(call.whole("limit", 500), 1_000)
        kept = [r for r in records if r.number >= first and r.status is not Status.REJECTED]
        return [told(r) for r in (kept[:limit] if first else kept[-limit:])]

    def trades(self, call: Call) -> list[Payload]:
        """Fills on a symbol, oldest first."""
        fills = call.account.trades(listing_of(call).instrument.instrument)
        if call.given("orderId"):
            fills = [fill for fill in fills if fill.order == call.whole("orderId")]
        begin, end = call.whole("startTime", 0), call.whole("endTime", 10**15)
        first, limit = call.whole("fromId", 0), min(call.whole("limit", 500), 1_000)
        kept = [f for f in fills if f.number >= first and begin <= millis(f.at) <= end]
        on = call.given("fromId") or call.given("startTime")
        return [_trade(fill) for fill in (kept[:limit] if on else kept[-limit:])]


def _batch(call: Call) -> list[dict[str, str]]:
    rows = _listed(call, "batchOrders", BATCH_MAX)
    if not all(isinstance(row, dict) for row in rows):
        raise Refused(-1130, "Data sent for parameter 'batchOrders' is not valid.")
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(call: Call, name: str, most: int) -> list[Any]:
    try:
        rows = msgspec.json.decode(call.text(name), type=list[Any])
    except msgspec.MsgspecError as error:
        text_ = f"Data sent for parameter '{name}' is not valid."
        raise Refused(-1130, text_) from error
    if not 0 < len(rows) <= most:
        raise Refused(-4082, "Invalid number of batch orders.")
    return rows


def _each(
    call: Call, rows: list[dict[str, str]], answer: Callable[[Call], Payload]
) -> list[Payload]:
    """One answer a row; a refusal stands in its place."""
    answers: list[Payload] = []
    for row in rows:
        one = Call(exchange=call.exchange, params=row, signed_by=call.account)
        try:
            answers.append(answer(one))
        except Refused as refused:
            answers.append(refused.body)
    return answers


def average(record: Record) -> Decimal:
    """The average price of what was filled; 0 where nothing was."""
    if not record.filled:
        return Decimal(0)
    worth = EXACT.multiply(record.instrument.size(record.filled), record.instrument.multiplier)
    return EXACT.divide(record.value, worth)


def placed(record: Record) -> Payload:
    """An order in the answer to a command."""
    digits, ticket = Digits(record.instrument, None), record.ticket
    return {
        "orderId": record.number,
        "symbol": record.instrument.symbol,
        "status": STATUSES[record.status],
        "clientOrderId": ticket.client_id,
        "price": digits.price(record.price),
        "avgPrice": text(average(record), 5),
        "origQty": digits.size(record.size),
        "executedQty": digits.size(record.filled),
        "cumQty": digits.size(record.filled),
        "cumQuote": text(record.value, 5),
        "timeInForce": ticket.extras["tif"],
        "type": ticket.extras["type"],
        "reduceOnly": ticket.reduce_only,
        "closePosition": False,
        "side": ticket.side.name,
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": ticket.extras["type"],
        "priceMatch": "NONE",
        "selfTradePreventionMode": ticket.extras["stp"],
        "goodTillDate": 0,
        "updateTime": millis(record.updated),
    }


def told(record: Record) -> Payload:
    """An order that is asked about."""
    return {key: value for key, value in placed(record).items() if key != "cumQty"} | {
        "time": millis(record.placed)
    }


def _trade(fill: Fill) -> Payload:
    digits, instrument = Digits(fill.instrument, None), fill.instrument
    return {
        "symbol": instrument.symbol,
        "id": fill.number,
        "orderId": fill.order,
        "side": fill.side.name,
        "price": digits.price(fill.price),
        "qty": digits.size(fill.size),
        "realizedPnl": text(fill.profit),
        "quoteQty": text(instrument.notional(fill.price, fill.size)),
        "commission": text(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": millis(fill.at),
        "positionSide": "BOTH",
        "maker": fill.liquidity is Liquidity.MAKER,
        "buyer": fill.side is Side.BUY,
    }
