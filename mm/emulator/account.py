"""One account at the emulated venue: its orders as the venue keeps them, and what it is told.

An account is a simulated venue of its own on the market that all share, without latency: what a
command does has happened when the call returns. Listeners hear every change of an order, each with
the order as it stood right after, in the order in which things happened. A refusal is a record too,
with its reason; what text or number a venue gives it is the front's business.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.emulator.orders import ZERO, Fill, Happened, Record, Status, Ticket, Update
from mm.events.account import BalanceReported, FundingPaid, PositionReported
from mm.events.base import MarketEvent
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import (
    AmendOrder,
    AmendRejected,
    CancelOrder,
    CancelReason,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    PlaceOrder,
    RejectReason,
)
from mm.events.units import EXACT, InstrumentId, Lots, Nanos, OrderId, Seq, Ticks
from mm.sim.compiled_trading import compiled_venue
from mm.sim.paper import Heard
from mm.sim.settings import NONE, PaperSettings

WALLET: Final = "emulator"
ORDERS_OPEN_MAX: Final = 200
CLOSED_KEPT_MAX: Final = 10_000
FILLS_KEPT_MAX: Final = 10_000


AccountListener = Callable[[Update | FundingPaid], None]


class Account:
    """Changes in place; `clock` is the exchange's."""

    clock: Callable[[], Nanos]

    def __init__(
        self, keys: Any, balances: dict[str, Decimal] | None, number: Callable[[], int]
    ) -> None:
        """Open it; `number` gives ids to orders and fills."""
        self.keys = keys
        self.limited = balances is not None
        self.listeners: list[AccountListener] = []
        self.fills: list[Fill] = []
        self._number = number
        settings = PaperSettings(
            wallet=WALLET,
            entry=NONE,
            response=NONE,
            open_orders_max=ORDERS_OPEN_MAX,
            closed_kept_max=CLOSED_KEPT_MAX,
            balances=balances,
        )
        self._venue = compiled_venue(settings, seed=0)
        self._orders: dict[int, Record] = {}
        self._open: dict[int, Record] = {}
        self._totals: dict[str, Decimal] = dict(balances or {})

    def hear(self, at: Nanos, event: MarketEvent | InstrumentDefined) -> None:
        """The market moves, and perhaps fills."""
        self._venue.hear(at, event)
        self._take(self._venue.advance(at))

    def place(self, ticket: Ticket, number: int = 0) -> Record:
        """Place an order; the record says how it stands: rests, filled, expired or rejected.

        A venue that gives an order its `number` before it is placed names it.
        """
        at = self.clock()
        record = Record(
            number=number or self._number(),
            ticket=ticket,
            price=ticket.price,
            size=ticket.size,
            placed=at,
            updated=at,
        )
        if ticket.client_id and self.named(ticket.client_id, open_only=True) is not None:
            record.status, record.reason = Status.REJECTED, RejectReason.DUPLICATE_ID
            return record
        self._keep(record)
        intent = PlaceOrder(
            order_id=OrderId(str(record.number)),
            instrument=ticket.instrument.instrument,
            side=ticket.side,
            price=ticket.price,
            size=ticket.size,
            strategy="",
            wallet=WALLET,
            cause=Seq(0),
            reason="",
            kind=ticket.kind,
            tif=ticket.tif,
            post_only=ticket.post_only,
            reduce_only=ticket.reduce_only,
        )
        self._venue.submit(at, intent)
        self._take(self._venue.advance(at))
        return record

    def expire(self, record: Record) -> None:
        """A refused order is one that was taken and ended at once: so venues tell some of them."""
        record.status, record.reason = Status.NEW, None
        self._tell(Update(Happened.PLACED, msgspec.structs.replace(record), record.updated))
        record.status = Status.EXPIRED
        self._tell(Update(Happened.EXPIRED, msgspec.structs.replace(record), record.updated))

    def amend(self, record: Record, price: Ticks, size: Lots) -> RejectReason | None:
        """Move an order to a price and a total size; None when that was done."""
        at = self.clock()
        intent = AmendOrder(
            order_id=OrderId(str(record.number)),
            instrument=record.instrument.instrument,
            price=price,
            size=size,
            cause=Seq(0),
            reason="",
        )
        self._venue.submit(at, intent)
        return self._take(self._venue.advance(at))

    def cancel(self, record: Record) -> bool:
        """Cancel an order; False when it was not open any more."""
        if not record.open:
            return False
        at = self.clock()
        intent = CancelOrder(
            order_id=OrderId(str(record.number)),
            instrument=record.instrument.instrument,
            cause=Seq(0),
            reason="",
        )
        self._venue.submit(at, intent)
        self._take(self._venue.advance(at))
        return record.status is Status.CANCELED

    def cancel_all(self, instrument: InstrumentId | None = None) -> list[Record]:
        """Cancel what is open, on one instrument or all; returns what was canceled."""
        return [record for record in self.open(instrument) if self.cancel(record)]

    def order(self, number: int) -> Record | None:
        """The order with this number, open or not, if it is still known."""
        return self._orders.get(number)

    def named(self, client_id: str, *, open_only: bool = False) -> Record | None:
        """The latest order under a client's own id."""
        found = self._open if open_only else self._orders
        return next((r for r in reversed(found.values()) if r.ticket.client_id == client_id), None)

    def open(self, instrument: InstrumentId | None = None) -> list[Record]:
        """What is open, oldest first."""
        return [
            record
            for record in self._open.values()
            if instrument is None or record.instrument.instrument == instrument
        ]

    def orders(self, instrument: InstrumentId | None = None) -> list[Record]:
        """Every order that is still known, on one instrument or all, oldest first."""
        return [
            record
            for record in self._orders.values()
            if instrument is None or record.instrument.instrument == instrument
        ]

    def trades(self, instrument: InstrumentId) -> list[Fill]:
        """The fills on an instrument, oldest first."""
        return [fill for fill in self.fills if fill.instrument.instrument == instrument]

    def balances(self) -> list[BalanceReported]:
        """What is held of each asset, free and locked."""
        return [r for r in self._reports() if isinstance(r, BalanceReported)]

    def positions(self) -> list[PositionReported]:
        """The position in each instrument; flat ones too."""
        return [r for r in self._reports() if isinstance(r, PositionReported)]

    def _reports(self) -> Iterable[object]:
        return self._venue.report(self.clock())

    def _keep(self, record: Record) -> None:
        self._orders[record.number] = record
        if len(self._orders) > CLOSED_KEPT_MAX:
            oldest = next(number for number, r in self._orders.items() if not r.open)
            del self._orders[oldest]

    def _take(self, facts: list[Heard]) -> RejectReason | None:
        """Take over what the simulated venue says; returns why an amend was refused."""
        refused: RejectReason | None = None
        for index, fact in enumerate(facts):
            match fact:
                case OrderFilled():
                    self._filled(fact, facts[index + 1 :])
                case FundingPaid():
                    self._tell(fact)
                case BalanceReported():
                    self._totals[fact.asset] = EXACT.add(fact.free, fact.locked)
                case AmendRejected():
                    refused = fact.reason
                case OrderAcked() | OrderAmended() | OrderCanceled() | OrderRejected():
                    self._changed(fact)
                case _:
                    pass  # A refused cancel: the order had ended, and the caller looks at it.
        return refused

    def _changed(self, fact: OrderAcked | OrderAmended | OrderCanceled | OrderRejected) -> None:
        record = self._orders[int(fact.order_id)]
        record.updated = fact.venue_time
        match fact:
            case OrderAcked():
                self._open[record.number] = record
                happened = Happened.PLACED
            case OrderAmended():
                record.price, record.size = fact.price, fact.size
                happened = Happened.AMENDED
            case OrderCanceled():
                del self._open[record.number]
                asked = fact.reason in {CancelReason.REQUESTED, CancelReason.CANCEL_ALL}
                record.status = Status.CANCELED if asked else Status.EXPIRED
                record.reason = fact.reason
                happened = Happened.CANCELED if asked else Happened.EXPIRED
            case OrderRejected():
                record.status, record.reason = Status.REJECTED, fact.reason
                happened = Happened.REJECTED
        self._tell(Update(happened, msgspec.structs.replace(record), record.updated))

    def _filled(self, fact: OrderFilled, later: list[Heard]) -> None:
        record = self._orders[int(fact.order_id)]
        instrument = record.instrument
        record.filled = Lots(record.filled + fact.size)
        record.value = EXACT.add(record.value, instrument.notional(fact.price, fact.size))
        record.updated = fact.venue_time
        record.status = Status.PARTIALLY_FILLED if record.leaves else Status.FILLED
        if not record.leaves:
            self._open.pop(record.number, None)
        fill = Fill(
            number=self._number(),
            order=record.number,
            client_id=record.ticket.client_id,
            instrument=instrument,
            side=fact.side,
            price=fact.price,
            size=fact.size,
            liquidity=fact.liquidity,
            fee=fact.fee,
            fee_asset=fact.fee_asset,
            at=fact.venue_time,
            profit=self._profit(fact, instrument, later),
        )
        self.fills.append(fill)
        del self.fills[:-FILLS_KEPT_MAX]
        self._tell(Update(Happened.FILLED, msgspec.structs.replace(record), fact.venue_time, fill))

    def _profit(
        self, fact: OrderFilled, instrument: InstrumentDefined, later: list[Heard]
    ) -> Decimal:
        """What a fill of a derivative moved besides its fee; the balance comes right after it."""
        if instrument.kind is ContractKind.SPOT:
            return ZERO
        for report in later:
            if isinstance(report, OrderFilled):
                break
            if isinstance(report, BalanceReported) and report.asset == instrument.settle:
                total = EXACT.add(report.free, report.locked)
                before = self._totals.get(instrument.settle, ZERO)
                return EXACT.add(EXACT.subtract(total, before), fact.fee)
        return ZERO

    def _tell(self, news: Update | FundingPaid) -> None:
        for listener in tuple(self.listeners):
            listener(news)
