"""Orders and trades as Kraken's REST describes them."""

from decimal import Decimal
from typing import Any, Final

from mm.emulator.kraken import names
from mm.emulator.kraken.refusals import ENDED
from mm.emulator.kraken.wording import PairWords, money, stamp
from mm.emulator.orders import Fill, Record, Status
from mm.events.instrument import InstrumentDefined
from mm.events.orders import Liquidity
from mm.events.units import EXACT, Nanos

STATUSES: Final = {
    Status.NEW: "open",
    Status.PARTIALLY_FILLED: "open",
    Status.FILLED: "closed",
    Status.CANCELED: "canceled",
    Status.EXPIRED: "canceled",
    Status.REJECTED: "canceled",
}
ZERO: Final = Decimal(0)

Payload = dict[str, Any]


def txid(record: Record) -> str:
    """The id of an order."""
    return names.named("O", record.number)


def order(record: Record) -> Payload:
    """An order as REST describes it."""
    instrument, ticket = record.instrument, record.ticket
    words = PairWords(instrument)
    price, kind = words.price(record.price), ticket.extras["kind"]
    said = f"{ticket.side.name.lower()} {words.size(record.size)} {names.altname(instrument)}"
    payload: Payload = {
        "refid": None,
        "userref": ticket.extras["userref"],
        "cl_ord_id": ticket.client_id or None,
        "status": STATUSES[record.status],
        "opentm": stamp(record.placed),
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": names.altname(instrument),
            "type": ticket.side.name.lower(),
            "ordertype": kind,
            "price": price,
            "price2": "0",
            "leverage": "none",
            "order": f"{said} @ {kind} {price}",
            "close": "",
        },
        "vol": words.size(record.size),
        "vol_exec": words.size(record.filled),
        "cost": money(record.value, 5),
        "fee": "0.00000",
        "price": money(average(record, instrument), words.price_places),
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "",
        "oflags": ticket.extras["flags"],
        "reason": ENDED.get(record.reason),
    }
    return payload if record.open else payload | {"closetm": stamp(record.updated)}


def average(record: Record, instrument: InstrumentDefined) -> Decimal:
    """The price at which it was filled in the mean, 0 where it was not."""
    if not record.filled:
        return ZERO
    return EXACT.divide(record.value, instrument.size(record.filled))


def trade(fill: Fill) -> Payload:
    """A trade as REST describes it."""
    instrument = fill.instrument
    words = PairWords(instrument)
    return {
        "ordertxid": names.named("O", fill.order),
        "postxid": names.named("T", fill.number),
        "pair": names.key(instrument),
        "time": stamp(Nanos(fill.at)),
        "type": fill.side.name.lower(),
        "ordertype": "limit",
        "price": words.price(fill.price),
        "cost": money(instrument.notional(fill.price, fill.size)),
        "fee": money(fill.fee),
        "vol": words.size(fill.size),
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": fill.number,
        "maker": fill.liquidity is Liquidity.MAKER,
    }
