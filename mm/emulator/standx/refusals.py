"""What StandX says when it refuses: an HTTP status as its code, and a text.

The venue documents the codes and one text, that of a post-only order that would take; the other
texts are this emulator's own.
"""

from typing import Final

from mm.errors import MmError
from mm.events.orders import RejectReason

BAD: Final = 400
UNAUTHORIZED: Final = 401
NOT_FOUND: Final = 404
TOO_MANY: Final = 429


class Refused(MmError):
    """A request ends with an error of the venue's own."""

    def __init__(self, code: int, text: str) -> None:
        """Keep what the client is told."""
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


UNSIGNED: Final = "invalid body signature"
NO_ORDER: Final = "order not found"
NO_MARGIN: Final = "insufficient margin"
REJECTS: Final[dict[object, str]] = {
    RejectReason.POST_ONLY_CROSSED: "alo order rejected",
    RejectReason.NO_FUNDS: NO_MARGIN,
    RejectReason.REDUCE_ONLY: "reduce only order rejected",
    RejectReason.NO_LIQUIDITY: "no liquidity",
    RejectReason.DUPLICATE_ID: "duplicate cl_ord_id",
    RejectReason.NO_BOOK: "market is closed",
    RejectReason.INSTRUMENT_CLOSED: "market is closed",
    RejectReason.NOT_PERMITTED: "too many open orders",
}


def invalid(name: str) -> Refused:
    """A parameter that is missing or cannot be."""
    return Refused(BAD, f"invalid parameter: {name}")


def rejected(reason: object) -> str:
    """What a client hears of an order that the core refused."""
    return REJECTS.get(reason, "order rejected")
