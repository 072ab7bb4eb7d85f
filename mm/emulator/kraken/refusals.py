"""What Kraken says when it refuses: a severity, a category and a text, as its clients read them.

REST wraps them in a list beside status 200, WebSocket v2 in one text.
"""

from typing import Final

from mm.errors import MmError
from mm.events.orders import CancelReason, RejectReason


class Refused(MmError):
    """A request ends with an error of the venue's own."""

    def __init__(self, text: str) -> None:
        """Keep what the client is told."""
        super().__init__(text)
        self.text = text


INVALID_KEY: Final = "EAPI:Invalid key"
INVALID_SIGNATURE: Final = "EAPI:Invalid signature"
INVALID_NONCE: Final = "EAPI:Invalid nonce"
RATE_LIMIT: Final = "EAPI:Rate limit exceeded"
ORDER_RATE_LIMIT: Final = "EOrder:Rate limit exceeded"
INVALID_SESSION: Final = "ESession:Invalid session"
UNKNOWN_PAIR: Final = "EQuery:Unknown asset pair"
UNKNOWN_ORDER: Final = "EOrder:Unknown order"
UNKNOWN_METHOD: Final = "EGeneral:Unknown method"
REJECTS: Final[dict[object, str]] = {
    RejectReason.POST_ONLY_CROSSED: "EOrder:Post only order",
    RejectReason.NO_FUNDS: "EOrder:Insufficient funds",
    RejectReason.DUPLICATE_ID: "EOrder:Duplicate cl_ord_id",
    RejectReason.SIZE_TOO_SMALL: "EOrder:Order minimum not met",
    RejectReason.SIZE_TOO_LARGE: "EGeneral:Invalid arguments:volume",
    RejectReason.NOTIONAL_TOO_SMALL: "EOrder:Cost minimum not met",
    RejectReason.PRICE_OUT_OF_RANGE: "EOrder:Invalid price",
    RejectReason.OFF_TICK: "EOrder:Tick size check failed",
    RejectReason.NO_LIQUIDITY: "EOrder:Insufficient liquidity",
    RejectReason.NO_BOOK: "EService:Market in cancel_only mode",
    RejectReason.INSTRUMENT_CLOSED: "EService:Market in cancel_only mode",
    RejectReason.NOT_PERMITTED: "EOrder:Orders limit exceeded",
    RejectReason.REDUCE_ONLY: "EOrder:Reduce only:No position exists",
    RejectReason.UNKNOWN_ORDER: UNKNOWN_ORDER,
}
ENDED: Final[dict[object, str]] = {
    CancelReason.REQUESTED: "User requested",
    CancelReason.CANCEL_ALL: "User requested",
    CancelReason.IOC_REST: "Order was IOC",
    CancelReason.SELF_TRADE: "Self trade prevention",
    CancelReason.VENUE: "Canceled by the venue",
}
"""Why an order left the book."""


def invalid(name: str) -> Refused:
    """An argument that is missing or cannot be read."""
    return Refused(f"EGeneral:Invalid arguments:{name}")


def rejected(reason: object) -> Refused:
    """What a client hears of an order that the core refused."""
    return Refused(REJECTS.get(reason, "EOrder:Invalid order"))
