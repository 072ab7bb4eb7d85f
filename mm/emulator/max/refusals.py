"""What MAX says when it refuses: a number and a text under an HTTP status.

Numbers of orders and signatures are those that its clients have known since the second version of
its interface; no list of the third is published. That of a client id used twice is ours.
"""

from typing import Any, Final

from mm.errors import MmError
from mm.events.orders import RejectReason


class Refused(MmError):
    """A request ends with an error of the venue's own."""

    def __init__(self, code: int, text: str, *, status: int = 400) -> None:
        """Keep what the client is told."""
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.status = status
        self.headers: dict[str, str] = {}

    @property
    def body(self) -> dict[str, Any]:
        """As it stands in an answer."""
        return {"success": False, "error": {"code": self.code, "message": self.text}}


INVALID: Final = 1001
UNAUTHORIZED: Final = 401
REJECTS: Final[dict[object, tuple[int, str]]] = {
    RejectReason.NO_FUNDS: (2018, "cannot lock funds"),
    RejectReason.SIZE_TOO_SMALL: (2002, "Order volume too small"),
    RejectReason.NOTIONAL_TOO_SMALL: (2016, "amount_too_small"),
    RejectReason.PRICE_OUT_OF_RANGE: (INVALID, "price does not have a valid value"),
    RejectReason.OFF_TICK: (INVALID, "price does not have a valid value"),
    RejectReason.OFF_LOT: (INVALID, "volume does not have a valid value"),
    RejectReason.SIZE_TOO_LARGE: (INVALID, "volume does not have a valid value"),
}


def invalid(name: str) -> Refused:
    """An argument that is missing or cannot be."""
    return Refused(INVALID, f"{name} does not have a valid value")


def used_already() -> Refused:
    """A client's own id that it has used within a day."""
    return Refused(INVALID, "client_oid has already been taken")


def not_found() -> Refused:
    """No such order."""
    return Refused(4000, "resource not found", status=404)


def rejected(reason: object) -> Refused:
    """What a client hears of an order that cannot be placed."""
    code, text = REJECTS.get(reason, (2002, "Failed to create order"))
    return Refused(code, text)


def unauthorized(code: int, text: str) -> Refused:
    """Whoever signed this is not let in."""
    return Refused(code, text, status=UNAUTHORIZED)
