"""Changes of spot orders: an order replaced by a new one, or made smaller where it stands."""

from typing import Any, Final

import msgspec

from mm.emulator.binance.calls import Call
from mm.emulator.binance.digits import text
from mm.emulator.binance.public import listing_of, millis
from mm.emulator.binance.refusals import (
    SPOT_REJECTS,
    Refused,
    rejected,
    too_small_a_change,
    unknown_order,
)
from mm.emulator.binance.spot_orders import STATUSES, SpotOrders, found, lots_of, made_id, ticket_of
from mm.emulator.binance.streams import Payload

STOP: Final = "STOP_ON_FAILURE"
ALLOW: Final = "ALLOW_FAILURE"
PARTLY: Final = 409


class SpotChanges:
    """Commands that are two in one."""

    def __init__(self, orders: SpotOrders) -> None:
        """Place and cancel by these."""
        self._orders = orders

    def replace(self, call: Call) -> Payload:
        """Cancel one and place another, in one request; raises `Refused` unless both were done."""
        ticket_of(call, listing_of(call))  # Filters come before anything is done.
        mode = call.text("cancelReplaceMode")
        if mode not in {STOP, ALLOW}:
            raise Refused(-1102, "Mandatory parameter 'cancelReplaceMode' was malformed.")
        canceled, cancel = _tried(self._orders.cancel, _canceling(call))
        placed: Payload | None = None
        place = "NOT_ATTEMPTED"
        if cancel == "SUCCESS" or mode == ALLOW:
            placed, place = _tried(self._orders.place, call)
        answer = {
            "cancelResult": cancel,
            "newOrderResult": place,
            "cancelResponse": canceled,
            "newOrderResponse": placed,
        }
        if (cancel, place) == ("SUCCESS", "SUCCESS"):
            return answer
        if "SUCCESS" in {cancel, place}:
            partly = "Order cancel-replace partially failed."
            raise Refused(-2021, partly, status=PARTLY, data=answer)
        raise Refused(-2022, "Order cancel-replace failed.", data=answer)

    def amend(self, call: Call) -> Payload:
        """Make an order smaller; it keeps its place in the queue, and gets another client id."""
        listing = listing_of(call)
        record = found(call)
        if record is None or not record.open:
            raise unknown_order()
        lots = lots_of(call, listing.instrument, "newQty")
        if lots >= record.size or lots <= record.filled:
            raise too_small_a_change()
        before = record.ticket
        name = call.client_id("newClientOrderId") or made_id()
        extras = before.extras | {"renamed": before.client_id}
        record.ticket = msgspec.structs.replace(before, client_id=name, extras=extras)
        refused = call.account.amend(record, record.price, lots)
        if refused is not None:
            record.ticket = before
            raise rejected(refused, SPOT_REJECTS)
        instrument = record.instrument
        return {
            "transactTime": millis(record.updated),
            "executionId": call.exchange.number(),
            "amendedOrder": {
                "symbol": instrument.symbol,
                "orderId": record.number,
                "orderListId": -1,
                "origClientOrderId": before.client_id,
                "clientOrderId": name,
                "price": text(instrument.price(record.price)),
                "qty": text(instrument.size(record.size)),
                "executedQty": text(instrument.size(record.filled)),
                "preventedQty": "0.00000000",
                "quoteOrderQty": "0.00000000",
                "cumulativeQuoteQty": text(record.value),
                "status": STATUSES[record.status],
                "timeInForce": before.extras["tif"],
                "type": before.extras["type"],
                "side": before.side.name,
                "workingTime": millis(record.placed),
                "selfTradePreventionMode": before.extras["stp"],
            },
        }


def _canceling(call: Call) -> Call:
    names = {
        "symbol": "symbol",
        "cancelOrderId": "orderId",
        "cancelOrigClientOrderId": "origClientOrderId",
        "cancelNewClientOrderId": "newClientOrderId",
    }
    params = {new: call.params[old] for old, new in names.items() if call.given(old)}
    return Call(exchange=call.exchange, params=params, signed_by=call.account)


def _tried(answer: Any, call: Call) -> tuple[Payload, str]:
    try:
        return answer(call), "SUCCESS"
    except Refused as refused:
        return refused.body, "FAILURE"


def restrictions(call: Call) -> Payload:
    """What the key may do: trade, and never withdraw."""
    return {
        "ipRestrict": False,
        "createTime": millis(call.exchange.now()),
        "enableReading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": True,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": True,
        "enablePortfolioMarginTrading": False,
    }
