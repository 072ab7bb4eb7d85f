"""Orders, trades and balances as MAX describes them: in words over REST, in letters on sockets."""

from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.emulator.account import Account
from mm.emulator.binance.digits import Digits, text
from mm.emulator.max.calls import market, millis
from mm.emulator.orders import Fill, Record, Status
from mm.events.orders import Liquidity, OrderKind, RejectReason
from mm.events.units import EXACT, Side

STATES: Final = {
    Status.NEW: "wait",
    Status.PARTIALLY_FILLED: "wait",
    Status.FILLED: "done",
    Status.CANCELED: "cancel",
    Status.EXPIRED: "cancel",
}
WALLETS: Final = {"spot": "", "m": "mwallet_"}
"""What stands before the names of a wallet's events."""
Payload = dict[str, Any]
encode: Final = msgspec.json.encode


def state(record: Record) -> str:
    """How an order stands; one that may only make and would take is canceled."""
    if record.status is Status.REJECTED:
        return "cancel" if record.reason is RejectReason.POST_ONLY_CROSSED else "failed"
    return STATES[record.status]


def wallet_of(record: Record) -> str:
    """Which wallet an order is of."""
    return str(record.ticket.extras["wallet"])


def _average(record: Record) -> str:
    if not record.filled:
        return "0.0"
    return text(EXACT.divide(record.value, record.instrument.size(record.filled)))


def order(record: Record) -> Payload:
    """An order over REST."""
    instrument, ticket = record.instrument, record.ticket
    digits = Digits(instrument, None)
    limited = ticket.kind is OrderKind.LIMIT
    return {
        "id": record.number,
        "wallet_type": wallet_of(record),
        "market": market(instrument),
        "client_oid": ticket.client_id or None,
        "group_id": ticket.extras["group"] or None,
        "side": ticket.side.name.lower(),
        "state": state(record),
        "ord_type": ticket.extras["kind"],
        "price": digits.price(record.price) if limited else None,
        "stop_price": None,
        "avg_price": _average(record),
        "volume": digits.size(record.size),
        "remaining_volume": digits.size(record.leaves),
        "executed_volume": digits.size(record.filled),
        "trades_count": 1 if record.filled else 0,
        "created_at": millis(record.placed),
        "updated_at": millis(record.updated),
    }


def order_news(record: Record) -> Payload:
    """An order on the socket."""
    said = order(record)
    return {
        "i": said["id"],
        "sd": side(record.ticket.side),
        "ot": said["ord_type"],
        "p": said["price"],
        "sp": None,
        "ap": said["avg_price"],
        "v": said["volume"],
        "rv": said["remaining_volume"],
        "ev": said["executed_volume"],
        "S": said["state"],
        "M": said["market"],
        "tc": said["trades_count"],
        "T": said["created_at"],
        "TU": said["updated_at"],
        "gi": said["group_id"],
        "ci": said["client_oid"],
    }


def side(of: Side) -> str:
    """A side as trades and news have it."""
    return "bid" if of is Side.BUY else "ask"


def trade_news(fill: Fill) -> Payload:
    """A trade of an account on the socket."""
    digits, instrument = Digits(fill.instrument, None), fill.instrument
    return {
        "i": fill.number,
        "M": market(instrument),
        "sd": side(fill.side),
        "p": digits.price(fill.price),
        "v": digits.size(fill.size),
        "f": text(fill.fee, 12),
        "fc": fill.fee_asset.lower(),
        "fd": False,
        "fn": text(instrument.notional(fill.price, fill.size), 12),
        "T": millis(fill.at),
        "TU": millis(fill.at),
        "m": fill.liquidity is Liquidity.MAKER,
        "oi": fill.order,
    }


def trade(fill: Fill, wallet: str) -> Payload:
    """A trade of an account over REST."""
    said, instrument = trade_news(fill), fill.instrument
    return {
        "id": fill.number,
        "order_id": fill.order,
        "wallet_type": wallet,
        "price": said["p"],
        "volume": said["v"],
        "funds": said["fn"],
        "market": said["M"],
        "market_name": f"{instrument.base}/{instrument.quote}",
        "side": said["sd"],
        "fee": said["f"],
        "fee_currency": said["fc"],
        "fee_discounted": False,
        "self_trade_bid_fee": None,
        "self_trade_bid_fee_currency": None,
        "self_trade_bid_fee_discounted": None,
        "self_trade_bid_order_id": None,
        "liquidity": "maker" if said["m"] else "taker",
        "created_at": said["T"],
    }


def held(account: Account) -> dict[str, tuple[Decimal, Decimal]]:
    """What is free and locked, by currency."""
    return {each.asset.lower(): (each.free, each.locked) for each in account.balances()}


def account_row(currency: str, free: Decimal, locked: Decimal) -> Payload:
    """A balance over REST; `balance` is what is free."""
    return {
        "currency": currency,
        "balance": text(free, 12),
        "locked": text(locked, 12),
        "staked": None,
        "principal": "0.0",
        "interest": "0.0",
    }


def balance_news(currency: str, free: Decimal, locked: Decimal, at: int) -> Payload:
    """A balance on the socket."""
    return {
        "cu": currency,
        "av": text(free, 12),
        "l": text(locked, 12),
        "stk": None,
        "TU": millis(at),
    }
