"""What a venue's refusal means: the closed table that every adapter translates into.

The raw code decides first, the class of an error second. Whatever is in no table has an unknown
outcome: it may have been done, and is asked after, never sent again.
"""

from enum import StrEnum
from typing import Final

from mm.errors import VenueError
from mm.events.orders import RejectReason


class Verdict(StrEnum):
    """What became of a command that the venue did not simply accept."""

    POST_ONLY_CROSSED = "post_only_crossed"
    NO_FUNDS = "no_funds"
    INVALID_ORDER = "invalid_order"
    SIZE_TOO_SMALL = "size_too_small"
    SIZE_TOO_LARGE = "size_too_large"
    NOTIONAL_TOO_SMALL = "notional_too_small"
    PRICE_OUT_OF_RANGE = "price_out_of_range"
    OFF_TICK = "off_tick"
    OFF_LOT = "off_lot"
    REDUCE_ONLY = "reduce_only"
    NO_LIQUIDITY = "no_liquidity"
    ORDER_NOT_FOUND = "order_not_found"
    DUPLICATE_ID = "duplicate_id"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    NOT_PERMITTED = "not_permitted"
    CLOCK_SKEW = "clock_skew"
    INSTRUMENT_CLOSED = "instrument_closed"
    NOT_SENT = "not_sent"
    BUSY = "busy"
    UNKNOWN = "unknown"


REASONS: Final = {
    Verdict.POST_ONLY_CROSSED: RejectReason.POST_ONLY_CROSSED,
    Verdict.NO_FUNDS: RejectReason.NO_FUNDS,
    Verdict.INVALID_ORDER: RejectReason.OTHER,
    Verdict.SIZE_TOO_SMALL: RejectReason.SIZE_TOO_SMALL,
    Verdict.SIZE_TOO_LARGE: RejectReason.SIZE_TOO_LARGE,
    Verdict.NOTIONAL_TOO_SMALL: RejectReason.NOTIONAL_TOO_SMALL,
    Verdict.PRICE_OUT_OF_RANGE: RejectReason.PRICE_OUT_OF_RANGE,
    Verdict.OFF_TICK: RejectReason.OFF_TICK,
    Verdict.OFF_LOT: RejectReason.OFF_LOT,
    Verdict.REDUCE_ONLY: RejectReason.REDUCE_ONLY,
    Verdict.NO_LIQUIDITY: RejectReason.NO_LIQUIDITY,
    Verdict.ORDER_NOT_FOUND: RejectReason.UNKNOWN_ORDER,
    Verdict.DUPLICATE_ID: RejectReason.DUPLICATE_ID,
    Verdict.RATE_LIMITED: RejectReason.RATE_LIMITED,
    Verdict.BANNED: RejectReason.RATE_LIMITED,
    Verdict.NOT_PERMITTED: RejectReason.NOT_PERMITTED,
    Verdict.CLOCK_SKEW: RejectReason.OTHER,
    Verdict.INSTRUMENT_CLOSED: RejectReason.INSTRUMENT_CLOSED,
    Verdict.NOT_SENT: RejectReason.OTHER,
    Verdict.BUSY: RejectReason.RATE_LIMITED,
    Verdict.UNKNOWN: RejectReason.OTHER,
}
"""The reason that a rejection is logged with."""
UNCERTAIN: Final = frozenset({Verdict.DUPLICATE_ID, Verdict.UNKNOWN})
"""They say nothing of what became of the order: it has to be asked after."""
STOPPING: Final = frozenset({Verdict.BANNED, Verdict.NOT_PERMITTED})
"""Going on is pointless before a person, or time, has changed something."""


class VenueSaid(VenueError):
    """A venue's answer to a command that is not plain acceptance, or the lack of one.

    `raw_code` and `raw_text` stand as they came, without secrets; `retry_after` is in seconds.
    """

    def __init__(
        self,
        verdict: Verdict,
        *,
        raw_code: str = "",
        raw_text: str = "",
        where: str = "",
        retry_after: float = 0.0,
    ) -> None:
        """Keep the verdict beside what it was made from."""
        super().__init__(f"{verdict}: {raw_code} {raw_text}".rstrip(), where=where)
        self.verdict = verdict
        self.raw_code = raw_code
        self.raw_text = raw_text
        self.retry_after = retry_after
