"""Our orders as the venue holds them, and what it answers when asked about one."""

from enum import StrEnum

import msgspec

from mm.events.orders import PlaceOrder
from mm.events.units import InstrumentId, Lots, OrderId, Side, Ticks


class Standing(StrEnum):
    """What the venue knows of an order; UNKNOWN: it never arrived, or was forgotten since."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's answer to a question about one order; sizes in lots, price in ticks."""

    order_id: OrderId
    standing: Standing
    filled: Lots = Lots(0)
    instrument: InstrumentId = InstrumentId(0)
    venue_order_id: str = ""
    side: Side = Side.BUY
    price: Ticks = Ticks(0)
    size: Lots = Lots(0)


class Order(msgspec.Struct, kw_only=True):
    """An order inside the venue; changes in place.

    `front` is how many displayed lots of others must trade at our price before we do: whole ones,
    unless a probability model says otherwise. `shown` is what was displayed at the price when
    that was last worked out, `traded` what was printed at it since.
    """

    intent: PlaceOrder
    price: Ticks
    size: Lots
    filled: Lots = Lots(0)
    fills: int = 0
    front: float = 0
    shown: int = 0
    traded: float = 0

    @property
    def order_id(self) -> OrderId:
        """The id we gave it."""
        return self.intent.order_id

    @property
    def venue_order_id(self) -> str:
        """The id the venue gave it: as unique as ours, over restarts too."""
        return f"paper-{self.intent.order_id}"

    @property
    def side(self) -> Side:
        """Whether it buys or sells."""
        return self.intent.side

    @property
    def leaves(self) -> Lots:
        """What is still to be filled."""
        return Lots(self.size - self.filled)

    def report(self, standing: Standing) -> OrderReport:
        """How the order stands now."""
        return OrderReport(
            order_id=self.order_id,
            standing=standing,
            filled=self.filled,
            instrument=self.intent.instrument,
            venue_order_id=self.venue_order_id,
            side=self.side,
            price=self.price,
            size=self.size,
        )


class Closed:
    """The latest closed orders, the oldest leaving first."""

    def __init__(self, kept_max: int) -> None:
        """Start without any."""
        self._kept_max = kept_max
        self._reports: dict[OrderId, OrderReport] = {}

    def remember(self, report: OrderReport) -> None:
        """Keep how an order ended."""
        self._reports[report.order_id] = report
        if len(self._reports) > self._kept_max:
            del self._reports[next(iter(self._reports))]

    def get(self, order_id: OrderId) -> OrderReport | None:
        """How it ended, if that is still known."""
        return self._reports.get(order_id)
