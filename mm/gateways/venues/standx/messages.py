"""What StandX says of orders, fills, positions and money, over REST and on the private stream.

A fill names its order by the venue's number alone, and does not say whether it made or took: whose
it is was said with the order, and which fee was taken tells the rest.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from mm.errors import MalformedLine
from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    CancelReason,
    Liquidity,
    OrderAcked,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    RejectReason,
    Resolution,
)
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Side, Ticks, to_lots, to_ticks
from mm.events.vocabulary import Fact
from mm.gateways.moments import nanos
from mm.gateways.order_port import ClientIds, Evidence

ZERO: Final = Decimal(0)
NAMES_MAX: Final = 20_000
WALLET: Final = ""
"""The gateway knows its name."""
SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
OPEN: Final = frozenset({"new", "open", "partially_filled", "untriggered"})
RESOLUTIONS: Final = {
    **dict.fromkeys(OPEN, Resolution.OPEN),
    "filled": Resolution.FILLED,
    "canceled": Resolution.CANCELED,
    "expired": Resolution.CANCELED,
    "rejected": Resolution.CANCELED,
}
AT_ONCE: Final = frozenset({"ioc", "fok"})


class OrderTold(msgspec.Struct, kw_only=True):
    """An order."""

    id: int
    symbol: str
    side: str
    status: str
    qty: Decimal
    updated_at: str
    fill_qty: Decimal = ZERO
    price: Decimal | None = None
    cl_ord_id: str | None = None
    order_type: str = "limit"
    time_in_force: str = ""
    remark: str | None = None


class TradeTold(msgspec.Struct, kw_only=True):
    """A fill."""

    id: int
    order_id: int
    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    created_at: str
    fee_qty: Decimal = ZERO
    fee_asset: str = ""


class PositionTold(msgspec.Struct, kw_only=True):
    """A position; `qty` is negative for a short one."""

    symbol: str
    qty: Decimal
    entry_price: Decimal
    updated_at: str = ""


class BalanceTold(msgspec.Struct, kw_only=True):
    """Money of one token, on the stream."""

    token: str
    total: Decimal
    locked: Decimal = ZERO
    account_type: str = "perps"


class MoneyTold(msgspec.Struct, kw_only=True):
    """All money over REST, in the margin asset."""

    balance: Decimal
    locked: Decimal = ZERO


class Named(NamedTuple):
    """Whose an order is."""

    client_id: str
    symbol: str


class Reader:
    """Makes facts of what was said; remembers whose an order is, for fills do not say it."""

    def __init__(self, ids: ClientIds, now: Callable[[], Nanos]) -> None:
        """`now` is log time, with which facts are stamped."""
        self._ids = ids
        self._now = now
        self._by_symbol: dict[str, InstrumentDefined] = {}
        self._by_id: dict[InstrumentId, InstrumentDefined] = {}
        self._names: OrderedDict[int, Named] = OrderedDict()

    def learn(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """What is traded; what is said of other symbols is not ours to hear."""
        self._by_symbol = {each.symbol: each for each in instruments}
        self._by_id = {each.instrument: each for each in instruments}

    def definition(self, instrument: InstrumentId) -> InstrumentDefined:
        """What is known of an instrument."""
        return self._by_id[instrument]

    @property
    def assets(self) -> tuple[str, ...]:
        """What the instruments are margined in."""
        return tuple(dict.fromkeys(each.settle for each in self._by_symbol.values()))

    def trades(self, symbol: str) -> bool:
        """Whether a symbol is traded here."""
        return symbol in self._by_symbol

    def knows(self, number: int) -> bool:
        """Whether it was said whose an order is."""
        return number in self._names

    def remember(self, told: OrderTold) -> None:
        """Whose an order is."""
        self._names[told.id] = Named(told.cl_ord_id or "", told.symbol)
        if len(self._names) > NAMES_MAX:
            self._names.popitem(last=False)

    def forget(self, number: int) -> None:
        """That the venue knows no such order: whatever filled it was not ours."""
        self._names[number] = Named("", "")

    def order(self, told: OrderTold) -> list[Fact]:
        """The facts of an order's news; raises `BadInput`."""
        self.remember(told)
        instrument = self._by_symbol.get(told.symbol)
        order_id = self._ids.decode(told.cl_ord_id or "")
        if told.status not in RESOLUTIONS:
            raise MalformedLine(f"an order of an unknown status: {told.status[:40]}")
        if instrument is None or order_id is None:
            return []
        when: dict[str, Any] = {
            "order_id": order_id,
            "instrument": instrument.instrument,
            "received": self._now(),
            "venue_time": nanos(told.updated_at),
        }
        match told.status:
            case "canceled":
                at_once = told.time_in_force in AT_ONCE or told.order_type == "market"
                reason = CancelReason.IOC_REST if at_once else CancelReason.REQUESTED
                filled = to_lots(told.fill_qty, instrument.lot_size)
                return [OrderCanceled(reason=reason, filled=filled, **when)]
            case "expired":
                return [OrderExpired(raw_text=told.remark or "", **when)]
            case "rejected":
                reason_text = told.remark or ""
                return [OrderRejected(reason=RejectReason.OTHER, raw_text=reason_text, **when)]
            case "filled":
                return []  # The fill says it.
            case _:
                return [OrderAcked(venue_order_id=str(told.id), **when)]

    def fill(self, told: TradeTold) -> OrderFilled | None:
        """A fill; None on a symbol that is not traded here. Raises `BadInput`."""
        instrument = self._by_symbol.get(told.symbol)
        if instrument is None:
            return None
        name = self._names.get(told.order_id)
        order_id = self._ids.decode(name.client_id) if name else None
        return OrderFilled(
            order_id=order_id or OrderId(""),
            instrument=instrument.instrument,
            fill_id=str(told.id),
            side=side_of(told.side),
            price=to_ticks(told.price, instrument.tick_size),
            size=to_lots(told.qty, instrument.lot_size),
            liquidity=_liquidity(told, instrument),
            fee=told.fee_qty,
            fee_asset=told.fee_asset or instrument.settle,
            received=self._now(),
            venue_time=nanos(told.created_at),
        )

    def evidence(self, told: OrderTold) -> Evidence | None:
        """An order as a question's answer; None on a symbol that is not traded here."""
        self.remember(told)
        instrument = self._by_symbol.get(told.symbol)
        resolution = RESOLUTIONS.get(told.status)
        if resolution is None:
            raise MalformedLine(f"an order of an unknown status: {told.status[:40]}")
        if instrument is None:
            return None
        limit = told.order_type == "limit" and told.price is not None
        return Evidence(
            client_id=told.cl_ord_id or "",
            venue_order_id=str(told.id),
            instrument=instrument.instrument,
            side=side_of(told.side),
            price=to_ticks(told.price or ZERO, instrument.tick_size) if limit else Ticks(0),
            size=to_lots(told.qty, instrument.lot_size),
            filled=to_lots(told.fill_qty, instrument.lot_size),
            resolution=resolution,
            venue_time=nanos(told.updated_at),
        )

    def position(self, told: PositionTold) -> PositionReported | None:
        """A position; None on a symbol that is not traded here."""
        instrument = self._by_symbol.get(told.symbol)
        if instrument is None:
            return None
        return PositionReported(
            wallet=WALLET,
            instrument=instrument.instrument,
            size=Lots(to_lots(told.qty, instrument.lot_size)),
            entry=told.entry_price,
            received=self._now(),
            venue_time=nanos(told.updated_at) if told.updated_at else Nanos(0),
        )

    def flat(self, held: Iterable[PositionReported]) -> list[PositionReported]:
        """What is traded here and not held."""
        numbers = {each.instrument for each in held}
        return [
            PositionReported(
                wallet=WALLET,
                instrument=number,
                size=Lots(0),
                entry=ZERO,
                received=self._now(),
                venue_time=Nanos(0),
            )
            for number in self._by_id
            if number not in numbers
        ]

    def balance(self, asset: str, total: Decimal, locked: Decimal) -> BalanceReported:
        """Money; what orders lock is part of the total."""
        return BalanceReported(
            wallet=WALLET,
            asset=asset,
            free=total - locked,
            locked=locked,
            received=self._now(),
            venue_time=Nanos(0),
        )


def side_of(text: str) -> Side:
    """A side; raises `MalformedLine`."""
    side = SIDES.get(text)
    if side is None:
        raise MalformedLine(f"{text[:40]!r} is no side")
    return side


def _liquidity(told: TradeTold, instrument: InstrumentDefined) -> Liquidity:
    """Which of the two fees is nearer to what was taken."""
    worth = told.price * told.qty
    rate = told.fee_qty / worth if worth else ZERO
    made, took = (abs(rate - fee) for fee in (instrument.maker_fee, instrument.taker_fee))
    return Liquidity.MAKER if made < took else Liquidity.TAKER
