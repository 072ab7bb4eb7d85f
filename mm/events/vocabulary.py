"""The unions of events, and what a tag on the log stands for.

`Fact`, `Decision` and `Event` are the only lists of events. The log stores turns; see
`mm.events.codec` for bytes, versions and upcasting.
"""

from typing import Final, get_args

from mm.events.account import (
    AccountDown,
    AccountReconciled,
    Adjusted,
    BalanceReported,
    FundingPaid,
    PositionReported,
    TransferSeen,
)
from mm.events.base import Body
from mm.events.instrument import InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    CandleClosed,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedStale,
    FeedUp,
    FundingPublished,
    IndexPublished,
    MarkPublished,
    QuoteUpdated,
    ReferenceRatePublished,
    TradePrinted,
)
from mm.events.orders import (
    AmendOrder,
    AmendRejected,
    CancelAll,
    CancelOrder,
    CancelRejected,
    ForeignOrderSeen,
    IntentRefused,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderResolved,
    OrderSubmitted,
    OrderUncertain,
    PlaceOrder,
)
from mm.events.session import (
    ClockStepped,
    EngineFaulted,
    NoteTaken,
    ParameterChanged,
    QuotingReasonChanged,
    SessionEnded,
    SessionStarted,
    StopRequested,
    TimerFired,
    TradingHalted,
    TradingRearmed,
)
from mm.events.venue import CircuitChanged, ClockMeasured, RateLimited

Market = (
    BookSnapshot
    | BookDelta
    | QuoteUpdated
    | TradePrinted
    | MarkPublished
    | IndexPublished
    | FundingPublished
    | CandleClosed
    | ReferenceRatePublished
    | FeedUp
    | FeedDown
    | FeedGapped
    | FeedResynced
    | FeedStale
)
OrderFact = (
    OrderSubmitted
    | OrderAcked
    | OrderRejected
    | OrderAmended
    | AmendRejected
    | OrderCanceled
    | CancelRejected
    | OrderExpired
    | OrderFilled
    | OrderUncertain
    | OrderResolved
    | ForeignOrderSeen
)
AccountFact = (
    BalanceReported
    | PositionReported
    | FundingPaid
    | TransferSeen
    | Adjusted
    | AccountReconciled
    | AccountDown
)
VenueFact = RateLimited | CircuitChanged | ClockMeasured
ControlFact = (
    InstrumentDefined
    | SessionStarted
    | SessionEnded
    | TimerFired
    | ClockStepped
    | ParameterChanged
    | TradingHalted
    | TradingRearmed
    | StopRequested
    | NoteTaken
)
Intent = PlaceOrder | AmendOrder | CancelOrder | CancelAll
Fact = Market | OrderFact | AccountFact | ControlFact | VenueFact
Decision = Intent | IntentRefused | QuotingReasonChanged | TradingHalted | EngineFaulted
Event = Fact | Decision

KINDS: Final[dict[str, type[Body]]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Event)
}
"""Every tag that may stand on a log."""
INTENTS: Final[tuple[type[Body], ...]] = get_args(Intent)


def tag_of(kind: type[Body]) -> str:
    """The name of an event on the log."""
    return str(kind.__struct_config__.tag)


def levels_in(event: Event) -> int:
    """How many events it counts as: one a price level, one for anything else."""
    if isinstance(event, BookDelta | BookSnapshot):
        return (len(event.bids) + len(event.asks)) // 2
    return 1
