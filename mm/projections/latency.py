"""How long things take on the log: feed to us, received to turn, command to answer.

Histograms by powers of two of nanoseconds: exact counts, fixed memory, no samples kept. A negative
latency (the venue's clock is ahead of ours) is counted as such, never clipped away.
"""

from collections import OrderedDict
from typing import Any, Final

from mm.events.market import BookDelta, QuoteUpdated, TradePrinted
from mm.events.orders import (
    AmendRejected,
    CancelRejected,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderRejected,
    OrderSubmitted,
)
from mm.events.units import Nanos, OrderId
from mm.projections.base import Routes

BUCKETS: Final = 65
"""Differences of two times have up to 64 bits."""
WAITING_MAX: Final = 10_000
Answer = OrderAcked | OrderRejected | OrderAmended | AmendRejected | OrderCanceled | CancelRejected
ANSWERS: Final[dict[type, str]] = {
    OrderAcked: "place",
    OrderRejected: "place",
    OrderAmended: "amend",
    AmendRejected: "amend",
    OrderCanceled: "cancel",
    CancelRejected: "cancel",
}
"""The command that each answers; an order may have several under way at once."""


class Histogram:
    """Counts by bit length; bucket b holds values in [2^(b-1), 2^b)."""

    def __init__(self) -> None:
        """Start empty."""
        self.buckets = [0] * BUCKETS
        self.negative = 0

    def add(self, nanos: int) -> None:
        """Count one value."""
        if nanos >= 0:
            self.buckets[nanos.bit_length()] += 1
        else:
            self.negative += 1

    @property
    def count(self) -> int:
        """All values, negative ones included."""
        return sum(self.buckets) + self.negative

    def quantile(self, share: float) -> int:
        """Upper bound of the bucket in which the quantile lies; 0 when empty or negative."""
        wanted, seen = share * self.count, self.negative
        if seen and seen >= wanted:
            return 0
        for bucket, count in enumerate(self.buckets):
            seen += count
            if count and seen >= wanted:
                return (1 << bucket) - 1
        return 0


class Latency:
    """The hops that the log can see."""

    name: Final = "latency"

    def __init__(self) -> None:
        """Start empty."""
        self.feed = Histogram()
        self.inbox = Histogram()
        self.round_trip = Histogram()
        self._waiting: OrderedDict[tuple[OrderId, str], Nanos] = OrderedDict()

    def routes(self) -> Routes:
        """Market data and answers by type."""
        return {
            QuoteUpdated: self._heard,
            TradePrinted: self._heard,
            BookDelta: self._heard,
            OrderSubmitted: self._submitted,
            **dict.fromkeys(ANSWERS, self._answered),
        }

    def _heard(self, event: QuoteUpdated | TradePrinted | BookDelta, at: Nanos) -> None:
        received, sent = event.received, event.venue_time
        if sent:
            self.feed.add(received - sent)
        self.inbox.add(at - received)

    def _submitted(self, event: OrderSubmitted, _at: Nanos) -> None:
        self._waiting[event.order_id, event.command] = event.sent
        if len(self._waiting) > WAITING_MAX:
            self._waiting.popitem(last=False)

    def _answered(self, event: Answer, _at: Nanos) -> None:
        sent = self._waiting.pop((event.order_id, ANSWERS[type(event)]), None)
        if sent is not None:
            self.round_trip.add(event.received - sent)

    def dump(self) -> Any:
        """Counts of every hop, and the commands still unanswered."""
        hops = (self.feed, self.inbox, self.round_trip)
        waiting = [(*key, sent) for key, sent in self._waiting.items()]
        return [(hop.buckets, hop.negative) for hop in hops], waiting

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        hops, waiting = dumped
        for hop, (buckets, negative) in zip(
            (self.feed, self.inbox, self.round_trip), hops, strict=True
        ):
            hop.buckets, hop.negative = list(buckets), negative
        self._waiting = OrderedDict(((order, command), sent) for order, command, sent in waiting)
