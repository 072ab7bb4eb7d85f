"""What Kraken says of orders, trades and balances, over REST and on the private socket."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from mm.errors import MalformedLine
from mm.events.account import BalanceReported
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
from mm.events.units import (
    SECONDS,
    InstrumentId,
    Lots,
    Nanos,
    OrderId,
    Side,
    Ticks,
    to_lots,
    to_ticks,
)
from mm.events.vocabulary import Fact
from mm.gateways.moments import nanos
from mm.gateways.order_port import ClientIds, Evidence

ZERO: Final = Decimal(0)
NAMES_MAX: Final = 20_000
SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
WALLET: Final = ""
"""The gateway knows its name."""
RESOLUTIONS: Final = {
    "pending": Resolution.OPEN,
    "open": Resolution.OPEN,
    "closed": Resolution.FILLED,
    "canceled": Resolution.CANCELED,
    "expired": Resolution.CANCELED,
}
AT_ONCE: Final = ("IOC", "FOK", "immediate")
SELF_TRADE: Final = "self"


class Fee(msgspec.Struct, gc=False):
    """What a fill cost, in one asset."""

    asset: str
    qty: Decimal


class Execution(msgspec.Struct, kw_only=True):
    """A report of the executions channel; after the first, most name only the order."""

    order_id: str
    exec_type: str
    timestamp: str
    order_status: str = ""
    cl_ord_id: str = ""
    symbol: str = ""
    side: str = ""
    order_qty: Decimal | None = None
    limit_price: Decimal | None = None
    cum_qty: Decimal | None = None
    exec_id: str = ""
    last_qty: Decimal = ZERO
    last_price: Decimal = ZERO
    liquidity_ind: str = ""
    fees: list[Fee] = []
    reason: str = ""


class Asset(msgspec.Struct):
    """A row of the balances channel; `balance` is all that is held, in orders or not."""

    asset: str
    balance: Decimal
    wallet_type: str = "spot"


class Description(msgspec.Struct):
    """What an order is, over REST; `pair` is the pair's `altname`."""

    pair: str
    type: str
    price: Decimal = ZERO


class OrderTold(msgspec.Struct, kw_only=True):
    """An order over REST, whose bare numbers ccxt hands on as texts."""

    status: str
    descr: Description
    vol: Decimal
    vol_exec: Decimal
    opentm: Decimal
    closetm: Decimal = ZERO
    cl_ord_id: str | None = None


class TradeTold(msgspec.Struct, kw_only=True):
    """A trade over REST; `pair` is the key of the list of pairs, the fee in quote currency."""

    ordertxid: str
    pair: str
    time: Decimal
    type: str
    price: Decimal
    vol: Decimal
    fee: Decimal
    maker: bool = False


class Named(NamedTuple):
    """Whose an order is, and on what."""

    client_id: str
    symbol: str


class Reader:
    """Makes facts of what was said; remembers whose an order is, for reports do not repeat it."""

    def __init__(self, ids: ClientIds, now: Callable[[], Nanos]) -> None:
        """`now` is log time, with which facts are stamped."""
        self._ids = ids
        self._now = now
        self._by_symbol: dict[str, InstrumentDefined] = {}
        self._by_id: dict[InstrumentId, InstrumentDefined] = {}
        self._pairs: dict[str, str] = {}
        self._assets: dict[str, str] = {}
        self._names: OrderedDict[str, Named] = OrderedDict()

    def learn(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """What is traded; what is said of other pairs is not ours to hear."""
        self._by_symbol = {each.symbol: each for each in instruments}
        self._by_id = {each.instrument: each for each in instruments}

    def name_pairs(self, pairs: Iterable[tuple[str, str]], assets: dict[str, str]) -> None:
        """Other names of symbols and of assets."""
        self._pairs = dict(pairs)
        self._assets = assets

    @property
    def knows_names(self) -> bool:
        """Whether other names were told."""
        return bool(self._pairs)

    def definition(self, instrument: InstrumentId) -> InstrumentDefined:
        """What is known of an instrument."""
        return self._by_id[instrument]

    def listed(self, pair: str) -> InstrumentDefined | None:
        """What a pair by any of its names is; None where it is not traded here."""
        return self._by_symbol.get(self._pairs.get(pair, pair))

    def remember(self, venue_order_id: str, client_id: str, symbol: str) -> None:
        """Whose an order is."""
        self._names[venue_order_id] = Named(client_id, symbol)
        if len(self._names) > NAMES_MAX:
            self._names.popitem(last=False)

    def named(self, venue_order_id: str) -> Named | None:
        """Whose an order is, as far as it was ever said."""
        return self._names.get(venue_order_id)

    def report(self, said: Execution) -> list[Fact]:
        """The facts of a report."""
        if said.symbol:
            known = self.named(said.order_id)
            client_id = said.cl_ord_id or (known.client_id if known else "")
            self.remember(said.order_id, client_id, said.symbol)
        name = self.named(said.order_id)
        instrument = self._by_symbol.get(name.symbol) if name else None
        if name is None or instrument is None:
            return []
        order_id = self._ids.decode(name.client_id)
        if said.exec_type == "trade":
            return [self._fill(said, instrument, order_id or OrderId(""))]
        return [] if order_id is None else self._changed(said, instrument, order_id)

    def _changed(
        self, said: Execution, instrument: InstrumentDefined, order_id: OrderId
    ) -> list[Fact]:
        when: dict[str, Any] = {
            "order_id": order_id,
            "instrument": instrument.instrument,
            "received": self._now(),
            "venue_time": nanos(said.timestamp),
        }
        match said.exec_type:
            case "new":
                return [OrderAcked(venue_order_id=said.order_id, **when)]
            case "amended" | "restated":
                if said.limit_price is None or said.order_qty is None:
                    return []
                price = to_ticks(said.limit_price, instrument.tick_size)
                size = to_lots(said.order_qty, instrument.lot_size)
                return [OrderAmended(price=price, size=size, **when)]
            case "canceled":
                return [_ended(said, instrument, when)]
            case "expired":
                return [OrderExpired(raw_text=said.reason, **when)]
            case "rejected":
                return [OrderRejected(reason=RejectReason.OTHER, raw_text=said.reason, **when)]
            case "pending_new" | "filled" | "status" | "iceberg_refill":
                return []
            case _:
                raise MalformedLine(f"an order's news of an unknown kind: {said.exec_type[:40]}")

    def _fill(
        self, said: Execution, instrument: InstrumentDefined, order_id: OrderId
    ) -> OrderFilled:
        if said.side not in SIDES or not said.exec_id or len(said.fees) > 1:
            raise MalformedLine("a trade without its side or id, or with several fees")
        fee = said.fees[0] if said.fees else Fee(instrument.quote, ZERO)
        return OrderFilled(
            order_id=order_id,
            instrument=instrument.instrument,
            fill_id=said.exec_id,
            side=SIDES[said.side],
            price=to_ticks(said.last_price, instrument.tick_size),
            size=to_lots(said.last_qty, instrument.lot_size),
            liquidity=Liquidity.MAKER if said.liquidity_ind == "m" else Liquidity.TAKER,
            fee=fee.qty,
            fee_asset=fee.asset,
            received=self._now(),
            venue_time=nanos(said.timestamp),
        )

    def trade(self, fill_id: str, told: TradeTold, order_id: OrderId) -> OrderFilled | None:
        """A fill as REST tells it; None on a pair that is not traded here."""
        instrument = self.listed(told.pair)
        if instrument is None:
            return None
        return OrderFilled(
            order_id=order_id,
            instrument=instrument.instrument,
            fill_id=fill_id,
            side=SIDES[told.type],
            price=to_ticks(told.price, instrument.tick_size),
            size=to_lots(told.vol, instrument.lot_size),
            liquidity=Liquidity.MAKER if told.maker else Liquidity.TAKER,
            fee=told.fee,
            fee_asset=instrument.quote,
            received=self._now(),
            venue_time=at(told.time),
        )

    def evidence(self, venue_order_id: str, told: OrderTold) -> Evidence | None:
        """An order as REST tells it; None on a pair that is not traded here."""
        instrument = self.listed(told.descr.pair)
        if instrument is None:
            return None
        resolution = RESOLUTIONS.get(told.status)
        if resolution is None:
            raise MalformedLine(f"an order of an unknown status: {told.status[:40]}")
        client_id = told.cl_ord_id or ""
        self.remember(venue_order_id, client_id, instrument.symbol)
        price = told.descr.price
        return Evidence(
            client_id=client_id,
            venue_order_id=venue_order_id,
            instrument=instrument.instrument,
            side=SIDES[told.descr.type],
            price=to_ticks(price, instrument.tick_size) if price else Ticks(0),
            size=to_lots(told.vol, instrument.lot_size),
            filled=to_lots(told.vol_exec, instrument.lot_size),
            resolution=resolution,
            venue_time=at(told.closetm or told.opentm),
        )

    def balance(self, asset: str, total: Decimal, locked: Decimal) -> BalanceReported:
        """One balance, under today's name of the asset."""
        return BalanceReported(
            wallet=WALLET,
            asset=self._assets.get(asset, asset),
            free=total - locked,
            locked=locked,
            received=self._now(),
            venue_time=Nanos(0),
        )


def _ended(said: Execution, instrument: InstrumentDefined, when: dict[str, Any]) -> Fact:
    """Why an order left the book; one that the venue refused to rest has expired."""
    lower = said.reason.lower()
    if "post only" in lower:
        return OrderExpired(raw_text=said.reason, **when)
    reason = CancelReason.VENUE
    if "user" in lower or not lower:
        reason = CancelReason.REQUESTED
    elif any(each.lower() in lower for each in AT_ONCE):
        reason = CancelReason.IOC_REST
    elif SELF_TRADE in lower:
        reason = CancelReason.SELF_TRADE
    filled = Lots(-1) if said.cum_qty is None else to_lots(said.cum_qty, instrument.lot_size)
    return OrderCanceled(reason=reason, filled=filled, **when)


def at(seconds: Decimal) -> Nanos:
    """A time of REST, in seconds with a fraction."""
    return Nanos(int(seconds * SECONDS))
