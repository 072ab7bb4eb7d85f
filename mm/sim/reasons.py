"""Why the compiled venue refuses or cancels: the events' reasons as numbers, 0 for none."""

from typing import Any, Final

import numpy as np

from mm.events.orders import CancelReason, RejectReason

REJECTS: Final = (None, *RejectReason)
"""By number, why an order or a change of one was refused."""
CANCELS: Final = (None, *CancelReason)
"""By number, why an order left the book without being filled."""


def _rejected(reason: RejectReason) -> Any:
    return np.int64(REJECTS.index(reason))


def _canceled(reason: CancelReason) -> Any:
    return np.int64(CANCELS.index(reason))


POST_ONLY_CROSSED: Final = _rejected(RejectReason.POST_ONLY_CROSSED)
NO_FUNDS: Final = _rejected(RejectReason.NO_FUNDS)
SIZE_TOO_SMALL: Final = _rejected(RejectReason.SIZE_TOO_SMALL)
SIZE_TOO_LARGE: Final = _rejected(RejectReason.SIZE_TOO_LARGE)
NOTIONAL_TOO_SMALL: Final = _rejected(RejectReason.NOTIONAL_TOO_SMALL)
PRICE_OUT_OF_RANGE: Final = _rejected(RejectReason.PRICE_OUT_OF_RANGE)
REDUCE_ONLY: Final = _rejected(RejectReason.REDUCE_ONLY)
NO_LIQUIDITY: Final = _rejected(RejectReason.NO_LIQUIDITY)
UNKNOWN_ORDER: Final = _rejected(RejectReason.UNKNOWN_ORDER)
NOT_PERMITTED: Final = _rejected(RejectReason.NOT_PERMITTED)
NO_BOOK: Final = _rejected(RejectReason.NO_BOOK)
OTHER: Final = _rejected(RejectReason.OTHER)

REQUESTED: Final = _canceled(CancelReason.REQUESTED)
ALL_CANCELED: Final = _canceled(CancelReason.CANCEL_ALL)
IOC_REST: Final = _canceled(CancelReason.IOC_REST)
SELF_TRADE: Final = _canceled(CancelReason.SELF_TRADE)
VENUE: Final = _canceled(CancelReason.VENUE)
