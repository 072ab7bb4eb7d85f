"""The run of a session: the columns that a compiled run leaves, from the turns of a log.

Live on paper or a plain backtest, every turn that touches orders is folded once; what was heard of
the market comes in columns. Times are those at which we heard, the turns' own; a fill's `at` is the
venue's. Orders stand in the order in which they were decided. What a fill met is the mid of the
book as the venue had heard it by then. Fees are not read from the log: they follow from the
instrument's rates, as for every run.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from mm.analytics.run import Payment, Run, RunInfo, fees_in_words
from mm.engine.parameters import settings_in
from mm.engine.settings import EngineSettings
from mm.events.account import FundingPaid
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    CancelOrder,
    IntentRefused,
    Liquidity,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderResolved,
    PlaceOrder,
    Resolution,
)
from mm.events.session import EngineFaulted, SessionStarted, TradingHalted
from mm.events.turn import Turn
from mm.events.units import INT64_MAX, SECONDS, InstrumentId, Nanos, OrderId
from mm.projections.base import Routes
from mm.sim.mids import Mids
from mm.sim.results import FILL, ORDER, POINT, closed

LIVE, FILLED, ENDED, REFUSED = 0, 2, 3, 4
"""How an order stands, as `mm.sim.trader` numbers it."""
RESOLVED: Final = {
    Resolution.FILLED: FILLED,
    Resolution.CANCELED: ENDED,
    Resolution.NEVER_ARRIVED: REFUSED,
}
HEDGE: Final = "hedge"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A session's market: from when to when it was heard, how much of it there was, and the mids.

    `ended` is the time of the session's last turn, `turns` how many there were.
    """

    first: Nanos
    last: Nanos
    ended: Nanos
    events: int
    turns: int
    mids: Mids


class LoggedOrder(msgspec.Struct):
    """One order, as far as we heard of it; the fields are those of `ORDER`."""

    id: int
    placed: int
    price: int
    size: int
    instrument: int
    desk: int
    side: int
    level: int
    reason: int
    acked: int = 0
    ended: int = 0
    filled: int = 0
    status: int = LIVE


class LoggedRun:
    """Takes the turns of one session that touch orders, in order; `run` gives what they came to."""

    def __init__(self, market: Heard, point_every: Nanos = Nanos(SECONDS)) -> None:
        """Start before the session's first turn, with all of its market."""
        self.session: SessionStarted | None = None
        self.halted = ""
        self.fills: list[tuple[int, ...]] = []
        self.counts = {"turns": market.turns, "cancels": 0, "refused": 0}
        self._market = market
        self._every = point_every
        self._point_due = (market.first // point_every + 1) * point_every
        self._settings = EngineSettings(strategies={}, limits={})
        self._routes = self._handlers()
        self._instruments: dict[InstrumentId, InstrumentDefined] = {}
        self._known: dict[InstrumentId, InstrumentDefined] = {}
        self._revisions: list[InstrumentDefined] = []
        self._revised: dict[InstrumentId, list[tuple[int, int]]] = {}
        self._places: dict[InstrumentId, int] = {}
        self._desks: dict[str, int] = {}
        self._net: dict[tuple[int, int], int] = {}
        self._orders: dict[OrderId, LoggedOrder] = {}
        self._points: list[tuple[int, ...]] = []
        self._payments: list[Payment] = []

    def take(self, turn: Turn) -> None:
        """Fold the next turn."""
        self._sample(turn.at)
        for event in (*turn.facts, *turn.decisions):
            handler = self._routes.get(type(event))
            if handler is not None:
                handler(event, turn.at)
        if self.session is not None and not self._desks:
            self._employ()

    def _employ(self) -> None:
        """Number the desks as a compiled run does: by instrument, then as they are named."""
        for instrument in self._instruments.values():
            for name, chosen in self._settings.strategies.items():
                if (
                    chosen.instrument == instrument.name
                    and instrument.name in self._settings.limits
                ):
                    self._net[self._desk(name), self._places[instrument.instrument]] = 0

    def _desk(self, strategy: str) -> int:
        return self._desks.setdefault(strategy, len(self._desks))

    def _sample(self, until: Nanos) -> None:
        """Points on the grid of log time, as of before what happens at `until`."""
        while self._point_due <= until:
            for (desk, place), net in self._net.items():
                self._points.append((self._point_due, net, 0, place, desk))
            self._point_due += self._every

    def _handlers(self) -> Routes:
        """Most events say nothing of orders, fills or money."""
        return {
            SessionStarted: self._started,
            InstrumentDefined: self._defined,
            TradingHalted: self._halt,
            EngineFaulted: self._fault,
            PlaceOrder: self._placed,
            CancelOrder: self._canceling,
            IntentRefused: self._refused,
            OrderAcked: self._acked,
            OrderAmended: self._amended,
            OrderCanceled: self._canceled,
            OrderExpired: self._canceled,
            OrderRejected: self._rejected,
            OrderResolved: self._resolved,
            OrderFilled: self._filled,
            FundingPaid: self._funded,
        }

    def _started(self, event: SessionStarted, at: Nanos) -> None:
        del at
        self.session, self._settings = event, settings_in(event.config)

    def _defined(self, event: InstrumentDefined, at: Nanos) -> None:
        known = self._known.get(event.instrument)
        self._known[event.instrument] = event
        if known is None:
            self._instruments[event.instrument] = event
            self._places[event.instrument] = len(self._places)
        elif known != event:
            self._revisions.append(event)
            self._revised.setdefault(event.instrument, []).append((at, len(self._revisions)))

    def _halt(self, event: TradingHalted, at: Nanos) -> None:
        del at
        self.halted = event.reason

    def _fault(self, event: EngineFaulted, at: Nanos) -> None:
        del at
        self.halted = f"{event.error} in {event.where}"

    def _placed(self, event: PlaceOrder, at: Nanos) -> None:
        self._orders[event.order_id] = LoggedOrder(
            id=len(self._orders) + 1,
            placed=at,
            price=event.price,
            size=event.size,
            instrument=self._places[event.instrument],
            desk=self._desk(event.strategy),
            side=event.side,
            level=event.level,
            reason=int(event.reason == HEDGE),
        )

    def _canceling(self, event: CancelOrder, at: Nanos) -> None:
        del event, at
        self.counts["cancels"] += 1

    def _refused(self, event: IntentRefused, at: Nanos) -> None:
        del event, at
        self.counts["refused"] += 1

    def _acked(self, event: OrderAcked, at: Nanos) -> None:
        order = self._orders.get(event.order_id)
        if order is not None and not order.acked:
            order.acked = at

    def _amended(self, event: OrderAmended, at: Nanos) -> None:
        del at
        order = self._orders.get(event.order_id)
        if order is not None:
            order.price, order.size = event.price, event.size

    def _canceled(self, event: OrderCanceled | OrderExpired, at: Nanos) -> None:
        self._end(event.order_id, at, ENDED)

    def _rejected(self, event: OrderRejected, at: Nanos) -> None:
        self._end(event.order_id, at, REFUSED)

    def _resolved(self, event: OrderResolved, at: Nanos) -> None:
        if event.resolution in RESOLVED:
            self._end(event.order_id, at, RESOLVED[event.resolution])

    def _end(self, order_id: OrderId, at: Nanos, status: int) -> None:
        order = self._orders.get(order_id)
        if order is not None and not order.ended:
            order.ended, order.status = at, status

    def _filled(self, event: OrderFilled, at: Nanos) -> None:
        order, place = self._orders.get(event.order_id), self._places[event.instrument]
        desk = self._desk(event.strategy) if order is None else order.desk
        if order is not None:
            order.filled += event.size
            if order.filled >= order.size:
                self._end(event.order_id, at, FILLED)
        self._net[desk, place] = self._net.get((desk, place), 0) + event.side * event.size
        when = event.venue_time or event.received
        taker = int(event.liquidity is Liquidity.TAKER)
        number = 0 if order is None else order.id
        stood = [each for since, each in self._revised.get(event.instrument, ()) if since <= when]
        what = (event.price, event.size, 0, place, desk, int(event.side), taker)
        self.fills.append((number, when, at, *what, stood[-1] if stood else 0))

    def _funded(self, event: FundingPaid, at: Nanos) -> None:
        """To the first desk that holds the instrument, as the ledger books it."""
        place = self._places[event.instrument]
        held = [desk for (desk, where), net in self._net.items() if where == place and net]
        held += [desk for (desk, where) in self._net if where == place]
        self._payments.append(
            Payment(
                at=Nanos(event.venue_time or at),
                desk=held[0] if held else self._desk(""),
                instrument=place,
                asset=event.asset,
                amount=event.amount,
            )
        )

    # -- what it came to ---------------------------------------------------------------------------

    def run(self, recording: Path | str) -> Run:
        """The session as a run, named after it; `recording` tells where its log is."""
        started, market = self.session, self._market
        assert started is not None, "no session has started"
        self._sample(market.ended)
        fills, points = _columns(self.fills, FILL, 11), _columns(self._points, POINT, 5)
        for place in range(len(self._places)):
            met, seen = fills["instrument"] == place, points["instrument"] == place
            fills["mid2"][met] = market.mids.at_venue(place, fills["at"][met])
            points["mid2"][seen] = market.mids.before(place, points["at"][seen])
        ends = [
            (net, int(market.mids.before(place, INT64_MAX)), place, desk)
            for (desk, place), net in self._net.items()
        ]
        instruments = tuple(self._instruments.values())
        return Run(
            info=RunInfo(
                name=started.session,
                recording=str(recording),
                code_version=started.code_version,
                desks=tuple(self._desks),
                instruments=instruments,
                first=market.first,
                last=market.last,
                events=market.events,
                latency="as it was",
                queue="as it was",
                fees=fees_in_words(instruments, self._revisions),
                config=started.config,
                config_hash=started.config_hash,
                halted=self.halted,
                settings={name: f"{count:,}" for name, count in self.counts.items()},
                payments=tuple(self._payments),
                revisions=tuple(self._revisions),
            ),
            orders=_orders(list(self._orders.values())),
            fills=fills,
            points=closed(points, max([market.last, *fills["heard"][-1:].tolist()]), ends),
        )


def _orders(orders: list[LoggedOrder]) -> Any:
    table = np.zeros(len(orders), ORDER)
    for name in LoggedOrder.__struct_fields__:
        table[name] = [getattr(each, name) for each in orders]
    return table


def _columns(rows: list[tuple[int, ...]], kind: np.dtype[Any], width: int) -> Any:
    """Rows as columns of a kind, whose first fields they are."""
    table = np.zeros(len(rows), kind)
    names = (kind.names or ())[:width]
    for name, values in zip(names, zip(*rows, strict=True), strict=bool(rows)):
        table[name] = values
    return table
