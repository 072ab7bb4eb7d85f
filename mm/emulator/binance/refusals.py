"""What Binance says when it refuses: codes and texts as its clients read them."""

from typing import Any, Final

from mm.errors import MmError
from mm.events.orders import RejectReason

PRICE_FORM: Final = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"


class Refused(MmError):
    """A request ends with an error of the venue's own."""

    def __init__(self, code: int, text: str, *, status: int = 400, **data: Any) -> None:
        """Keep what the client is told."""
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.status = status
        self.data = data
        self.headers: dict[str, str] = {}

    @property
    def body(self) -> dict[str, Any]:
        """As it stands in an answer."""
        return {"code": self.code, "msg": self.text, **self.data}


def missing(name: str) -> Refused:
    """A parameter is needed."""
    text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return Refused(-1102, text)


def malformed(name: str, form: str = PRICE_FORM) -> Refused:
    """A parameter has characters it may not have."""
    return Refused(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{form}'."
    )


def filtered(name: str) -> Refused:
    """A filter of the symbol is not met."""
    return Refused(-1013, f"Filter failure: {name}")


def too_precise(name: str) -> Refused:
    """More decimals than the venue knows."""
    return Refused(-1111, f"Parameter '{name}' has too much precision.")


def unknown_symbol() -> Refused:
    """No such symbol."""
    return Refused(-1121, "Invalid symbol.")


def no_such_order() -> Refused:
    """An order that is asked about."""
    return Refused(-2013, "Order does not exist.")


def unknown_order() -> Refused:
    """An order that is to be canceled."""
    return Refused(-2011, "Unknown order sent.")


UNRECORDED: Final = "The order will not be recorded in the order history"


def too_small_a_change() -> Refused:
    """An order that keeps its place can only be made smaller."""
    return Refused(-2038, "Order amend (quantity increase) is not supported.")


SPOT_REJECTS: Final[dict[RejectReason, tuple[int, str]]] = {
    RejectReason.POST_ONLY_CROSSED: (-2010, "Order would immediately match and take."),
    RejectReason.NO_FUNDS: (-2010, "Account has insufficient balance for requested action."),
    RejectReason.DUPLICATE_ID: (-2010, "Duplicate order sent."),
    RejectReason.SIZE_TOO_SMALL: (-1013, "Filter failure: LOT_SIZE"),
    RejectReason.SIZE_TOO_LARGE: (-1013, "Filter failure: LOT_SIZE"),
    RejectReason.NOTIONAL_TOO_SMALL: (-1013, "Filter failure: NOTIONAL"),
    RejectReason.PRICE_OUT_OF_RANGE: (-1013, "Filter failure: PRICE_FILTER"),
    RejectReason.NO_LIQUIDITY: (-2010, "Market order rejected: no liquidity."),
    RejectReason.NO_BOOK: (-2010, "Market is closed."),
    RejectReason.INSTRUMENT_CLOSED: (-2010, "Market is closed."),
    RejectReason.NOT_PERMITTED: (-1013, "Filter failure: MAX_NUM_ORDERS"),
}
USDM_REJECTS: Final[dict[RejectReason, tuple[int, str]]] = {
    RejectReason.POST_ONLY_CROSSED: (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        + UNRECORDED,
    ),
    RejectReason.NO_FUNDS: (-2019, "Margin is insufficient."),
    RejectReason.DUPLICATE_ID: (-4116, "ClientOrderId is duplicated."),
    RejectReason.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    RejectReason.SIZE_TOO_SMALL: (-4003, "Quantity less than or equal to zero."),
    RejectReason.SIZE_TOO_LARGE: (-4005, "Quantity greater than max quantity."),
    RejectReason.PRICE_OUT_OF_RANGE: (-4016, "Limit price can't be higher than the limit."),
    RejectReason.NO_LIQUIDITY: (
        -5021,
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        + UNRECORDED,
    ),
    RejectReason.NO_BOOK: (-4141, "Symbol is closed."),
    RejectReason.INSTRUMENT_CLOSED: (-4141, "Symbol is closed."),
    RejectReason.NOT_PERMITTED: (-2025, "Reach max open order limit."),
}


def rejected(reason: object, table: dict[RejectReason, tuple[int, str]]) -> Refused:
    """What a client hears of an order that the core refused."""
    assert isinstance(reason, RejectReason), f"an order was refused for {reason}"
    code, text = table.get(reason, (-2010, "Order was rejected."))
    return Refused(code, text)
