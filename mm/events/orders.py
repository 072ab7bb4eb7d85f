"""Orders: what we intend, what the venue answers, and what nobody knows yet.

Intents are imperative and are decisions; everything else is a fact. An order exists once we
intend it: until the venue answers, we already carry its risk. A timeout is `OrderUncertain`,
never a rejection. `OrderFilled` carries all that moves a position, so that a fill which arrives a
day late, for an order nobody remembers, is still booked.
"""

from decimal import Decimal
from enum import StrEnum

from mm.events.base import Body
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Seq, Side, Ticks


class TimeInForce(StrEnum):
    """How long an order may rest."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class OrderKind(StrEnum):
    """Limit, or market (price 0)."""

    LIMIT = "limit"
    MARKET = "market"


class Liquidity(StrEnum):
    """Whether a fill made or took."""

    MAKER = "maker"
    TAKER = "taker"


class RejectReason(StrEnum):
    """The closed table of reasons a venue gives; the raw code stands beside it."""

    POST_ONLY_CROSSED = "post_only_crossed"
    NO_FUNDS = "no_funds"
    SIZE_TOO_SMALL = "size_too_small"
    SIZE_TOO_LARGE = "size_too_large"
    NOTIONAL_TOO_SMALL = "notional_too_small"
    PRICE_OUT_OF_RANGE = "price_out_of_range"
    OFF_TICK = "off_tick"
    OFF_LOT = "off_lot"
    REDUCE_ONLY = "reduce_only"
    NO_LIQUIDITY = "no_liquidity"
    UNKNOWN_ORDER = "unknown_order"
    DUPLICATE_ID = "duplicate_id"
    RATE_LIMITED = "rate_limited"
    INSTRUMENT_CLOSED = "instrument_closed"
    NOT_PERMITTED = "not_permitted"
    NO_BOOK = "no_book"
    OTHER = "other"


class CancelReason(StrEnum):
    """Why an order left the book without being filled."""

    REQUESTED = "requested"
    CANCEL_ALL = "cancel_all"
    IOC_REST = "ioc_rest"
    SELF_TRADE = "self_trade"
    VENUE = "venue"


class Rule(StrEnum):
    """The risk rules; a refusal names the one that spoke."""

    HALTED = "halted"
    BOOK_UNUSABLE = "book_unusable"
    OFF_GRID = "off_grid"
    ORDER_SIZE = "order_size"
    ORDER_NOTIONAL = "order_notional"
    POSITION = "position"
    OPEN_ORDERS = "open_orders"
    PRICE_COLLAR = "price_collar"
    MESSAGE_RATE = "message_rate"
    OWN_CROSS = "own_cross"


class Resolution(StrEnum):
    """What the venue's evidence says of an order that was uncertain."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    NEVER_ARRIVED = "never_arrived"


class PlaceOrder(Body, frozen=True, kw_only=True, gc=False, tag="order.place"):
    """Place this order. `cause` is the event number of the record that triggered it."""

    order_id: OrderId
    instrument: InstrumentId
    side: Side
    price: Ticks
    size: Lots
    strategy: str
    wallet: str
    cause: Seq
    reason: str
    kind: OrderKind = OrderKind.LIMIT
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    level: int = 0


class AmendOrder(Body, frozen=True, kw_only=True, gc=False, tag="order.amend"):
    """Move this order to a new price or total size."""

    order_id: OrderId
    instrument: InstrumentId
    price: Ticks
    size: Lots
    cause: Seq
    reason: str


class CancelOrder(Body, frozen=True, kw_only=True, gc=False, tag="order.cancel"):
    """Cancel this order."""

    order_id: OrderId
    instrument: InstrumentId
    cause: Seq
    reason: str


class CancelAll(Body, frozen=True, kw_only=True, gc=False, tag="order.cancel_all"):
    """Cancel every open order of ours on this instrument."""

    instrument: InstrumentId
    cause: Seq
    reason: str


class IntentRefused(Body, frozen=True, kw_only=True, gc=False, tag="intent.refused"):
    """Risk kept an intent from leaving: the rule, its limit and the value that broke it.

    The numbers are in the rule's own unit: lots, quote currency, basis points, messages, ticks.
    """

    instrument: InstrumentId
    side: Side
    price: Ticks
    size: Lots
    strategy: str
    rule: Rule
    limit: str
    value: str
    cause: Seq


class OrderSubmitted(Body, frozen=True, kw_only=True, gc=False, tag="order.submitted"):
    """The command left for the venue at `sent`."""

    order_id: OrderId
    instrument: InstrumentId
    command: str
    sent: Nanos


class OrderAcked(Body, frozen=True, kw_only=True, gc=False, tag="order.acked"):
    """The venue accepted the order."""

    order_id: OrderId
    instrument: InstrumentId
    venue_order_id: str
    received: Nanos
    venue_time: Nanos


class OrderRejected(Body, frozen=True, kw_only=True, gc=False, tag="order.rejected"):
    """The venue definitely refused the order."""

    order_id: OrderId
    instrument: InstrumentId
    reason: RejectReason
    received: Nanos
    venue_time: Nanos
    raw_code: str = ""
    raw_text: str = ""


class OrderAmended(Body, frozen=True, kw_only=True, gc=False, tag="order.amended"):
    """The order now rests at this price and total size."""

    order_id: OrderId
    instrument: InstrumentId
    price: Ticks
    size: Lots
    received: Nanos
    venue_time: Nanos


class AmendRejected(Body, frozen=True, kw_only=True, gc=False, tag="amend.rejected"):
    """The amend was refused; the order rests as it was, unless evidence says otherwise."""

    order_id: OrderId
    instrument: InstrumentId
    reason: RejectReason
    received: Nanos
    venue_time: Nanos
    raw_code: str = ""
    raw_text: str = ""


class OrderCanceled(Body, frozen=True, kw_only=True, gc=False, tag="order.canceled"):
    """The order left the book; `filled` is what the venue says was filled in all (-1: unsaid)."""

    order_id: OrderId
    instrument: InstrumentId
    reason: CancelReason
    received: Nanos
    venue_time: Nanos
    filled: Lots = Lots(-1)


class CancelRejected(Body, frozen=True, kw_only=True, gc=False, tag="cancel.rejected"):
    """The cancel was refused; `UNKNOWN_ORDER` often means that a fill won the race."""

    order_id: OrderId
    instrument: InstrumentId
    reason: RejectReason
    received: Nanos
    venue_time: Nanos
    raw_code: str = ""
    raw_text: str = ""


class OrderExpired(Body, frozen=True, kw_only=True, gc=False, tag="order.expired"):
    """The venue ended the order by its own rule (time in force, post-only)."""

    order_id: OrderId
    instrument: InstrumentId
    received: Nanos
    venue_time: Nanos
    raw_text: str = ""


class OrderFilled(Body, frozen=True, kw_only=True, gc=False, tag="order.filled"):
    """The venue matched part or all of our order; a negative fee is a rebate."""

    order_id: OrderId
    instrument: InstrumentId
    fill_id: str
    side: Side
    price: Ticks
    size: Lots
    liquidity: Liquidity
    fee: Decimal
    fee_asset: str
    received: Nanos
    venue_time: Nanos
    strategy: str = ""
    wallet: str = ""


class OrderUncertain(Body, frozen=True, kw_only=True, gc=False, tag="order.uncertain"):
    """Nobody knows what became of a command (`place`, `amend` or `cancel`)."""

    order_id: OrderId
    instrument: InstrumentId
    command: str
    why: str
    received: Nanos


class OrderResolved(Body, frozen=True, kw_only=True, gc=False, tag="order.resolved"):
    """The venue's evidence closed the doubt; `filled` is the total it reports."""

    order_id: OrderId
    instrument: InstrumentId
    resolution: Resolution
    filled: Lots
    evidence: str
    received: Nanos
    venue_time: Nanos
    venue_order_id: str = ""


class ForeignOrderSeen(Body, frozen=True, kw_only=True, gc=False, tag="order.foreign"):
    """An order on our account that no intent of ours made."""

    instrument: InstrumentId
    venue_order_id: str
    client_order_id: str
    side: Side
    price: Ticks
    size: Lots
    filled: Lots
    received: Nanos
