"""Spot orders: what a client asks for becomes a ticket, what the account keeps an answer."""

import uuid
from decimal import Decimal
from typing import Any, Final

from mm.emulator.account import Account
from mm.emulator.binance.calls import Call
from mm.emulator.binance.digits import text
from mm.emulator.binance.public import listing_of, millis
from mm.emulator.binance.refusals import (
    SPOT_REJECTS,
    Refused,
    filtered,
    missing,
    no_such_order,
    rejected,
    too_precise,
    unknown_order,
)
from mm.emulator.binance.streams import Payload
from mm.emulator.exchange import Listing
from mm.emulator.orders import Fill, Record, Status, Ticket
from mm.events.instrument import InstrumentDefined
from mm.events.orders import Liquidity, OrderKind, RejectReason, TimeInForce
from mm.events.units import EXACT, Lots, Side, Ticks, steps

PLACES_MAX: Final = 8
STATUSES: Final = {
    Status.NEW: "NEW",
    Status.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    Status.FILLED: "FILLED",
    Status.CANCELED: "CANCELED",
    Status.EXPIRED: "EXPIRED",
    Status.REJECTED: "REJECTED",
}
TIFS: Final = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}


def ticket_of(call: Call, listing: Listing) -> Ticket:
    """What the client asks for; raises `Refused`."""
    side = SIDES.get(call.text("side"))
    if side is None:
        raise Refused(-1117, "Invalid side.")
    kind = call.text("type")
    if kind not in {"LIMIT", "LIMIT_MAKER", "MARKET"}:
        raise Refused(-1116, "Invalid orderType.")
    if kind != "LIMIT" and call.given("timeInForce"):
        raise Refused(-1106, "Parameter 'timeInForce' sent when not required.")
    tif = "GTC"
    if kind == "LIMIT":
        tif = call.text("timeInForce")
        if tif not in TIFS:
            raise Refused(-1115, "Invalid timeInForce.")
    if kind == "MARKET" and call.given("price"):
        raise Refused(-1106, "Parameter 'price' sent when not required.")
    price = Ticks(0) if kind == "MARKET" else _price(call, listing)
    return Ticket(
        instrument=listing.instrument,
        side=side,
        size=_size(call, listing, side, price),
        price=price,
        client_id=call.client_id("newClientOrderId") or made_id(),
        kind=OrderKind.MARKET if kind == "MARKET" else OrderKind.LIMIT,
        tif=TimeInForce.IOC if kind == "MARKET" else TIFS[tif],
        post_only=kind == "LIMIT_MAKER",
        extras={"type": kind, "tif": tif, "stp": call.text("selfTradePreventionMode", "NONE")},
    )


def made_id() -> str:
    """The id of an order whose client gave none."""
    return uuid.uuid4().hex[:22]


def _price(call: Call, listing: Listing) -> Ticks:
    price = call.decimal("price")
    precise(price, "price", PLACES_MAX)
    ticks = steps(price, listing.instrument.tick_size)
    low, high = listing.instrument.price_min, listing.instrument.price_max
    if ticks is None or ticks < low or (high and ticks > high):
        raise filtered("PRICE_FILTER")
    return Ticks(ticks)


def precise(value: Decimal, name: str, places: int) -> None:
    """Refuse more decimals than the venue knows."""
    if -int(value.as_tuple().exponent) > places:
        raise too_precise(name)


def _size(call: Call, listing: Listing, side: Side, price: Ticks) -> Lots:
    instrument = listing.instrument
    if not call.given("quantity"):
        if price or not call.given("quoteOrderQty"):
            raise missing("quantity")
        return _worth(call, listing, side)
    return lots_of(call, instrument, "quantity")


def lots_of(call: Call, instrument: InstrumentDefined, name: str) -> Lots:
    """A quantity that keeps the filters; raises `Refused`."""
    quantity = call.decimal(name)
    precise(quantity, name, PLACES_MAX)
    lots = steps(quantity, instrument.lot_size)
    if lots is None or not lots or lots % instrument.size_step or lots < instrument.size_min:
        raise filtered("LOT_SIZE")
    if instrument.size_max and lots > instrument.size_max:
        raise filtered("LOT_SIZE")
    return Lots(lots)


def _worth(call: Call, listing: Listing, side: Side) -> Lots:
    """How many lots so much of the quote currency buys at the prices shown."""
    instrument = listing.instrument
    left = call.decimal("quoteOrderQty")
    book = listing.book
    lots = 0
    for price, size in (book.asks if side is Side.BUY else book.bids)(PLACES_MAX * 100):
        one = instrument.notional(price, 1)
        takes = min(size, int(EXACT.divide_int(left, one)))
        lots += takes
        left = EXACT.subtract(left, EXACT.multiply(one, takes))
        if takes < size:
            break
    lots -= lots % instrument.size_step
    if not lots:
        raise filtered("LOT_SIZE")
    return Lots(lots)


class SpotOrders:
    """Commands of clients."""

    def place(self, call: Call) -> Payload:
        """Place an order."""
        listing = listing_of(call)
        ticket = ticket_of(call, listing)
        record = call.account.place(ticket)
        if record.reason is RejectReason.NO_LIQUIDITY:
            call.account.expire(record)
        if record.status is Status.REJECTED:
            raise rejected(record.reason, SPOT_REJECTS)
        default = "ACK" if ticket.post_only else "FULL"
        return self.placed(call.account, record, call.text("newOrderRespType", default))

    def test(self, call: Call) -> Payload:
        """Only look at it."""
        ticket_of(call, listing_of(call))
        return {}

    def placed(self, account: Account, record: Record, kind: str) -> Payload:
        """The answer to a place, in the length that was asked for."""
        ticket = record.ticket
        answer: Payload = {
            "symbol": ticket.instrument.symbol,
            "orderId": record.number,
            "orderListId": -1,
            "clientOrderId": ticket.client_id,
            "transactTime": millis(record.updated),
        }
        if kind == "ACK":
            return answer
        answer |= self._sums(record) | {"workingTime": millis(record.placed)}
        if kind == "FULL":
            fills = [fill for fill in account.fills if fill.order == record.number]
            answer["fills"] = [self._fill(fill) for fill in fills]
        return answer | {"selfTradePreventionMode": ticket.extras.get("stp", "NONE")}

    def _fill(self, fill: Fill) -> Payload:
        instrument = fill.instrument
        return {
            "price": text(instrument.price(fill.price)),
            "qty": text(instrument.size(fill.size)),
            "commission": text(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.number,
        }

    def _sums(self, record: Record) -> Payload:
        instrument, ticket = record.instrument, record.ticket
        return {
            "price": text(instrument.price(record.price)),
            "origQty": text(instrument.size(record.size)),
            "executedQty": text(instrument.size(record.filled)),
            "origQuoteOrderQty": text(Decimal(0)),
            "cummulativeQuoteQty": text(record.value),
            "status": STATUSES[record.status],
            "timeInForce": ticket.extras["tif"],
            "type": ticket.extras["type"],
            "side": ticket.side.name,
        }

    def told(self, record: Record) -> Payload:
        """An order that is asked about."""
        return {
            "symbol": record.instrument.symbol,
            "orderId": record.number,
            "orderListId": -1,
            "clientOrderId": record.ticket.client_id,
            **self._sums(record),
            "stopPrice": text(Decimal(0)),
            "icebergQty": text(Decimal(0)),
            "time": millis(record.placed),
            "updateTime": millis(record.updated),
            "isWorking": True,
            "workingTime": millis(record.placed),
            "selfTradePreventionMode": record.ticket.extras.get("stp", "NONE"),
        }

    def cancel(self, call: Call) -> Payload:
        """Cancel an order."""
        record = found(call)
        if record is None or not call.account.cancel(record):
            raise unknown_order()
        return self.canceled(record, call.client_id("newClientOrderId") or made_id())

    def canceled(self, record: Record, client_id: str) -> Payload:
        """The answer to a cancel, which has an id of its own."""
        return {
            "symbol": record.instrument.symbol,
            "origClientOrderId": record.ticket.client_id,
            "orderId": record.number,
            "orderListId": -1,
            "clientOrderId": client_id,
            "transactTime": millis(record.updated),
            **self._sums(record),
            "selfTradePreventionMode": record.ticket.extras.get("stp", "NONE"),
        }

    def cancel_all(self, call: Call) -> list[Payload]:
        """Cancel what is open on a symbol."""
        listing = listing_of(call)
        records = call.account.cancel_all(listing.instrument.instrument)
        if not records:
            raise unknown_order()
        return [self.canceled(record, made_id()) for record in records]

    def query(self, call: Call) -> Payload:
        """One order."""
        record = found(call)
        if record is None or record.status is Status.REJECTED:
            raise no_such_order()
        return self.told(record)

    def open(self, call: Call) -> list[Payload]:
        """What is open."""
        instrument = listing_of(call).instrument.instrument if call.given("symbol") else None
        return [self.told(record) for record in call.account.open(instrument)]

    def all(self, call: Call) -> list[Payload]:
        """Every order on a symbol, from an id on."""
        records = call.account.orders(listing_of(call).instrument.instrument)
        first, limit = call.whole("orderId", 0), min(call.whole("limit", 500), 1_000)
        kept = [r for r in records if r.number >= first and r.status is not Status.REJECTED]
        return [self.told(r) for r in (kept[:limit] if first else kept[-limit:])]

    def trades(self, call: Call) -> list[Payload]:
        """Fills on a symbol, oldest first."""
        listing = listing_of(call)
        fills = call.account.trades(listing.instrument.instrument)
        if call.given("orderId"):
            fills = [fill for fill in fills if fill.order == call.whole("orderId")]
        begin, end = call.whole("startTime", 0), call.whole("endTime", 10**15)
        first, limit = call.whole("fromId", 0), min(call.whole("limit", 500), 1_000)
        kept = [f for f in fills if f.number >= first and begin <= millis(f.at) <= end]
        on = call.given("fromId") or call.given("startTime")
        return [self._trade(fill) for fill in (kept[:limit] if on else kept[-limit:])]

    def _trade(self, fill: Fill) -> Payload:
        instrument = fill.instrument
        return {
            "symbol": instrument.symbol,
            "id": fill.number,
            "orderId": fill.order,
            "orderListId": -1,
            "price": text(instrument.price(fill.price)),
            "qty": text(instrument.size(fill.size)),
            "quoteQty": text(instrument.notional(fill.price, fill.size)),
            "commission": text(fill.fee),
            "commissionAsset": fill.fee_asset,
            "time": millis(fill.at),
            "isBuyer": fill.side is Side.BUY,
            "isMaker": fill.liquidity is Liquidity.MAKER,
            "isBestMatch": True,
        }

    def account(self, call: Call) -> Payload:
        """Balances and what the key may do."""
        zeros = call.text("omitZeroBalances", "false") == "true"
        balances = [
            {"asset": b.asset, "free": text(b.free), "locked": text(b.locked)}
            for b in call.account.balances()
            if not zeros or b.free or b.locked
        ]
        return {
            "makerCommission": 10,
            "takerCommission": 10,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": commission_rates(call),
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": millis(call.exchange.now()),
            "accountType": "SPOT",
            "balances": balances,
            "permissions": ["SPOT"],
            "uid": 1,
        }


def commission_rates(call: Call) -> Payload:
    """Fees of the first instrument: an account's own are the instruments' here."""
    instrument = next(iter(call.exchange.listings.values())).instrument
    return {
        "maker": text(instrument.maker_fee),
        "taker": text(instrument.taker_fee),
        "buyer": text(Decimal(0)),
        "seller": text(Decimal(0)),
    }


def found(call: Call) -> Record | None:
    """The order that is named, by its own id or the client's."""
    listing = listing_of(call)
    account: Any = call.account
    if call.given("orderId"):
        record = account.order(call.whole("orderId"))
    elif call.given("origClientOrderId"):
        record = account.named(call.text("origClientOrderId"))
    else:
        text_ = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise Refused(-1102, text_)
    if record is None or record.instrument.symbol != listing.instrument.symbol:
        return None
    return record  # type: ignore[no-any-return]
