"""What a spot account hears on its stream: orders and balances."""

from decimal import Decimal
from typing import Final

from mm.emulator.account import Account
from mm.emulator.binance.digits import text
from mm.emulator.binance.public import millis
from mm.emulator.binance.spot_orders import STATUSES, made_id
from mm.emulator.binance.streams import Payload
from mm.emulator.orders import Happened, Update
from mm.events.account import FundingPaid
from mm.events.orders import Liquidity

EXECUTIONS: Final = {
    Happened.PLACED: "NEW",
    Happened.FILLED: "TRADE",
    Happened.CANCELED: "CANCELED",
    Happened.EXPIRED: "EXPIRED",
}
"""A refused order is told in the answer only; one that was amended has its own event."""


def spot_news(account: Account, news: Update | FundingPaid) -> list[Payload]:
    """The events of one change."""
    if isinstance(news, FundingPaid):
        return []
    if news.happened is Happened.AMENDED:
        return [execution(news, "REPLACED"), position(account, news)]
    kind = EXECUTIONS.get(news.happened)
    return [] if kind is None else [execution(news, kind), position(account, news)]


def execution(update: Update, kind: str) -> Payload:
    """`executionReport`."""
    record, fill = update.order, update.fill
    instrument, ticket = record.instrument, record.ticket
    at, zero = millis(update.at), text(Decimal(0))
    replaced = ticket.extras.get("renamed", "") if kind == "REPLACED" else ""
    canceled = update.happened is Happened.CANCELED
    last = None if fill is None else instrument.notional(fill.price, fill.size)
    event: Payload = {
        "e": "executionReport",
        "E": at,
        "s": instrument.symbol,
        "c": made_id() if canceled else ticket.client_id,
        "S": ticket.side.name,
        "o": ticket.extras["type"],
        "f": ticket.extras["tif"],
        "q": text(instrument.size(record.size)),
        "p": text(instrument.price(record.price)),
        "P": zero,
        "F": zero,
        "g": -1,
        "C": ticket.client_id if canceled else replaced,
        "x": kind,
        "X": STATUSES[record.status],
        "r": "NONE",
        "i": record.number,
        "l": zero if fill is None else text(instrument.size(fill.size)),
        "z": text(instrument.size(record.filled)),
        "L": zero if fill is None else text(instrument.price(fill.price)),
        "n": "0" if fill is None else text(fill.fee),
        "N": None if fill is None else fill.fee_asset,
        "T": at,
        "t": -1 if fill is None else fill.number,
        "I": record.number,
        "w": record.open,
        "m": fill is not None and fill.liquidity is Liquidity.MAKER,
        "M": fill is not None,
        "O": millis(record.placed),
        "Z": text(record.value),
        "Y": zero if last is None else text(last),
        "Q": zero,
        "V": ticket.extras.get("stp", "NONE"),
    }
    if record.open or record.filled:
        event["W"] = millis(record.placed)
    return event


def position(account: Account, update: Update) -> Payload:
    """`outboundAccountPosition`: the assets that may have changed."""
    instrument = update.order.instrument
    touched = {instrument.base, instrument.quote}
    if update.fill is not None:
        touched.add(update.fill.fee_asset)
    return {
        "e": "outboundAccountPosition",
        "E": millis(update.at),
        "u": millis(update.at),
        "B": [
            {"a": b.asset, "f": text(b.free), "l": text(b.locked)}
            for b in account.balances()
            if b.asset in touched
        ],
    }
