"""What Binance says of our orders, typed: the events of both user streams, and REST's orders.

Prices and sizes become ticks and lots exactly. Of orders that are not ours only fills are passed
on, without an order: they move the position all the same.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.errors import MalformedLine
from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    CancelReason,
    Liquidity,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    RejectReason,
    Resolution,
)
from mm.events.units import MILLIS, InstrumentId, Nanos, OrderId, Side, Ticks
from mm.events.units import to_lots as lots_of
from mm.events.units import to_ticks as ticks_of
from mm.events.vocabulary import Fact
from mm.gateways.order_port import ClientIds, Evidence

SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
RESOLUTIONS: Final = {
    "NEW": Resolution.OPEN,
    "PARTIALLY_FILLED": Resolution.OPEN,
    "PENDING_CANCEL": Resolution.OPEN,
    "PENDING_NEW": Resolution.OPEN,
    "FILLED": Resolution.FILLED,
    "CANCELED": Resolution.CANCELED,
    "EXPIRED": Resolution.CANCELED,
    "EXPIRED_IN_MATCH": Resolution.CANCELED,
    "REJECTED": Resolution.NEVER_ARRIVED,
}
AT_ONCE: Final = frozenset({"IOC", "FOK"})


class Report(msgspec.Struct, kw_only=True):
    """One order's news: `executionReport`, or the `o` of `ORDER_TRADE_UPDATE`."""

    symbol: str = msgspec.field(name="s")
    client_id: str = msgspec.field(name="c")
    side: str = msgspec.field(name="S")
    kind: str = msgspec.field(name="o")
    tif: str = msgspec.field(name="f")
    size: str = msgspec.field(name="q")
    price: str = msgspec.field(name="p")
    happened: str = msgspec.field(name="x")
    status: str = msgspec.field(name="X")
    order: int = msgspec.field(name="i")
    fill_size: str = msgspec.field(name="l")
    filled: str = msgspec.field(name="z")
    fill_price: str = msgspec.field(name="L")
    fee: str | None = msgspec.field(name="n", default=None)
    fee_asset: str | None = msgspec.field(name="N", default=None)
    time: int = msgspec.field(name="T")
    trade: int = msgspec.field(name="t", default=-1)
    maker: bool = msgspec.field(name="m", default=False)
    original_id: str = msgspec.field(name="C", default="")
    reason: str = msgspec.field(name="r", default="")

    @property
    def our_id(self) -> str:
        """The order's client id: a cancel has one of its own and names the order's beside it."""
        return self.original_id or self.client_id


class AssetNews(msgspec.Struct):
    """A spot balance: asset, free, locked."""

    asset: str = msgspec.field(name="a")
    free: str = msgspec.field(name="f")
    locked: str = msgspec.field(name="l")


class WalletNews(msgspec.Struct):
    """A futures balance: asset, wallet balance, cross wallet balance."""

    asset: str = msgspec.field(name="a")
    wallet: str = msgspec.field(name="wb")
    cross: str = msgspec.field(name="cw")


class PositionNews(msgspec.Struct):
    """A futures position: symbol, signed amount, average entry."""

    symbol: str = msgspec.field(name="s")
    amount: str = msgspec.field(name="pa")
    entry: str = msgspec.field(name="ep")
    side: str = msgspec.field(name="ps", default="BOTH")


class OrderTold(msgspec.Struct, rename="camel"):
    """An order as REST tells it."""

    symbol: str
    order_id: int
    client_order_id: str
    side: str
    price: str
    orig_qty: str
    executed_qty: str
    status: str
    update_time: int = 0
    time: int = 0


class TradeTold(msgspec.Struct, rename="camel"):
    """A fill as REST tells it; spot says `isBuyer` and `isMaker`, USD-M `buyer` and `maker`."""

    symbol: str
    id: int
    order_id: int
    price: str
    qty: str
    commission: str
    commission_asset: str
    time: int
    is_buyer: bool | None = None
    is_maker: bool | None = None
    buyer: bool | None = None
    maker: bool | None = None


class Reader:
    """Turns what was said into facts, under our ids and in our units."""

    def __init__(self, ids: ClientIds, now: Callable[[], Nanos]) -> None:
        """Know no instruments yet."""
        self._ids = ids
        self._now = now
        self._by_symbol: Mapping[str, InstrumentDefined] = {}

    def learn(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """What is traded; what is said of other symbols is not ours to hear."""
        self._by_symbol = {each.symbol: each for each in instruments}

    def order_id(self, client_id: str) -> OrderId | None:
        """Ours, or None for a stranger's."""
        return self._ids.decode(client_id)

    def report(self, said: Report) -> list[Fact]:
        """The facts of one order's news."""
        instrument = self._by_symbol.get(said.symbol)
        if instrument is None:
            return []
        order_id = self.order_id(said.our_id)
        if said.happened in ("TRADE", "CALCULATED") and said.trade > 0:
            return [self._fill(said, instrument, order_id or OrderId(""))]
        if order_id is None:
            return []
        when: dict[str, Any] = {
            "order_id": order_id,
            "instrument": instrument.instrument,
            "received": self._now(),
            "venue_time": Nanos(said.time * MILLIS),
        }
        match said.happened:
            case "NEW":
                return [OrderAcked(venue_order_id=str(said.order), **when)]
            case "CANCELED":
                filled = lots_of(Decimal(said.filled), instrument.lot_size)
                return [OrderCanceled(reason=CancelReason.REQUESTED, filled=filled, **when)]
            case "EXPIRED" | "TRADE_PREVENTION":
                return [self._expired(said, instrument, when)]
            case "REJECTED":
                return [OrderRejected(reason=RejectReason.OTHER, raw_text=said.reason, **when)]
            case "REPLACED" | "AMENDMENT":
                price = ticks_of(Decimal(said.price), instrument.tick_size)
                size = lots_of(Decimal(said.size), instrument.lot_size)
                return [OrderAmended(price=price, size=size, **when)]
            case _:
                raise MalformedLine(f"an order's news of an unknown kind: {said.happened}")

    @staticmethod
    def _expired(said: Report, instrument: InstrumentDefined, when: dict[str, Any]) -> Fact:
        filled = lots_of(Decimal(said.filled), instrument.lot_size)
        if said.happened == "TRADE_PREVENTION":
            return OrderCanceled(reason=CancelReason.SELF_TRADE, filled=filled, **when)
        if said.tif in AT_ONCE or said.kind == "MARKET":
            return OrderCanceled(reason=CancelReason.IOC_REST, filled=filled, **when)
        return OrderExpired(raw_text=said.reason, **when)

    def _fill(self, said: Report, instrument: InstrumentDefined, order_id: OrderId) -> OrderFilled:
        return OrderFilled(
            order_id=order_id,
            instrument=instrument.instrument,
            fill_id=str(said.trade),
            side=SIDES[said.side],
            price=ticks_of(Decimal(said.fill_price), instrument.tick_size),
            size=lots_of(Decimal(said.fill_size), instrument.lot_size),
            liquidity=Liquidity.MAKER if said.maker else Liquidity.TAKER,
            fee=Decimal(said.fee or "0"),
            fee_asset=said.fee_asset or instrument.settle,
            received=self._now(),
            venue_time=Nanos(said.time * MILLIS),
        )

    def trade(self, told: TradeTold, order_id: OrderId) -> OrderFilled:
        """A fill as REST tells it, of this order (empty: a stranger's)."""
        instrument = self._by_symbol[told.symbol]
        buys = told.is_buyer if told.is_buyer is not None else told.buyer
        makes = told.is_maker if told.is_maker is not None else told.maker
        return OrderFilled(
            order_id=order_id,
            instrument=instrument.instrument,
            fill_id=str(told.id),
            side=Side.BUY if buys else Side.SELL,
            price=ticks_of(Decimal(told.price), instrument.tick_size),
            size=lots_of(Decimal(told.qty), instrument.lot_size),
            liquidity=Liquidity.MAKER if makes else Liquidity.TAKER,
            fee=Decimal(told.commission),
            fee_asset=told.commission_asset,
            received=self._now(),
            venue_time=Nanos(told.time * MILLIS),
        )

    def evidence(self, told: OrderTold) -> Evidence:
        """An order as REST tells it; raises `MalformedLine` for a status nobody knows."""
        instrument = self._by_symbol[told.symbol]
        resolution = RESOLUTIONS.get(told.status)
        if resolution is None:
            raise MalformedLine(f"an order of an unknown status: {told.status}")
        return Evidence(
            client_id=told.client_order_id,
            venue_order_id=str(told.order_id),
            instrument=instrument.instrument,
            side=SIDES[told.side],
            price=_rounded(Decimal(told.price), instrument),
            size=lots_of(Decimal(told.orig_qty), instrument.lot_size),
            filled=lots_of(Decimal(told.executed_qty), instrument.lot_size),
            resolution=resolution,
            venue_time=Nanos((told.update_time or told.time) * MILLIS),
        )

    def balances(self, news: list[AssetNews], time: int) -> list[Fact]:
        """Spot balances."""
        return [self.balance(each.asset, each.free, each.locked, time) for each in news]

    def balance(self, asset: str, free: str, locked: str, time: int) -> BalanceReported:
        """One balance."""
        return BalanceReported(
            wallet="",
            asset=asset,
            free=Decimal(free),
            locked=Decimal(locked),
            received=self._now(),
            venue_time=Nanos(time * MILLIS),
        )

    def wallet(self, asset: str, wallet: str, cross: str, time: int) -> BalanceReported:
        """A futures balance: what is set aside for isolated positions counts as locked."""
        isolated = Decimal(wallet) - Decimal(cross)
        return self.balance(asset, cross, str(isolated), time)

    def position(self, symbol: str, amount: str, entry: str, time: int) -> PositionReported | None:
        """A position; None on a symbol that is not traded here."""
        instrument = self._by_symbol.get(symbol)
        if instrument is None:
            return None
        return PositionReported(
            wallet="",
            instrument=instrument.instrument,
            size=lots_of(Decimal(amount), instrument.lot_size),
            entry=Decimal(entry),
            received=self._now(),
            venue_time=Nanos(time * MILLIS),
        )

    def symbol(self, instrument: InstrumentId) -> str:
        """The venue's name of an instrument."""
        return self.definition(instrument).symbol

    def definition(self, instrument: InstrumentId) -> InstrumentDefined:
        """What is known of an instrument."""
        return next(each for each in self._by_symbol.values() if each.instrument == instrument)


def _rounded(price: Decimal, instrument: InstrumentDefined) -> Ticks:
    """A market order has no price."""
    return ticks_of(price, instrument.tick_size) if price else Ticks(0)
