"""What MAX says of orders, trades and balances, over REST and on the private socket.

A trade names its order by the venue's id alone, so whose an order is has to be remembered. A trade
of an order that nobody has named yet waits for its name, which comes on another channel.
"""

from collections import OrderedDict
from collections.abc import Callable
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
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    RejectReason,
    Resolution,
)
from mm.events.units import (
    MILLIS,
    InstrumentId,
    Nanos,
    OrderId,
    Side,
    Ticks,
    to_lots,
    to_ticks,
)
from mm.events.vocabulary import Fact
from mm.gateways.order_port import ClientIds, Evidence

ZERO: Final = Decimal(0)
NAMES_MAX: Final = 20_000
WAITING_MAX: Final = 1_000
SIDES: Final = {"buy": Side.BUY, "bid": Side.BUY, "sell": Side.SELL, "ask": Side.SELL}
SELF_TRADE: Final = "self-trade"
WALLET: Final = ""
"""The gateway knows its name."""
RESOLUTIONS: Final = {
    "wait": Resolution.OPEN,
    "finalizing": Resolution.OPEN,
    "done": Resolution.FILLED,
    "cancel": Resolution.CANCELED,
    "failed": Resolution.CANCELED,
}


class OrderNews(msgspec.Struct):
    """An order on the socket."""

    i: int
    sd: str
    ot: str
    v: Decimal
    ev: Decimal
    S: str
    M: str
    TU: int
    p: Decimal | None = None
    ci: str | None = None


class TradeNews(msgspec.Struct):
    """A trade on the socket; the fee may be in an asset of its own."""

    i: int
    M: str
    sd: str
    p: Decimal
    v: Decimal
    T: int
    m: bool
    oi: int
    f: Decimal | None = None
    fc: str | None = None


class BalanceNews(msgspec.Struct):
    """A balance on the socket."""

    cu: str
    av: Decimal
    l: Decimal  # noqa: E741  The venue's own name.
    TU: int = 0


class OrderTold(msgspec.Struct):
    """An order over REST."""

    id: int
    market: str
    side: str
    state: str
    volume: Decimal
    executed_volume: Decimal
    updated_at: int
    price: Decimal | None = None
    client_oid: str | None = None


class TradeTold(msgspec.Struct):
    """A trade over REST; of one with ourselves the plain fields are the seller's."""

    id: int
    order_id: int
    market: str
    side: str
    price: Decimal
    volume: Decimal
    liquidity: str
    created_at: int
    fee: Decimal | None = None
    fee_currency: str | None = None
    self_trade_bid_order_id: int | None = None
    self_trade_bid_fee: Decimal | None = None
    self_trade_bid_fee_currency: str | None = None

    def sides(self) -> list[TradeNews]:
        """What it was to each order of ours, in the words of the socket."""
        one = TradeNews(
            i=self.id,
            M=self.market,
            sd="ask" if self.side == SELF_TRADE else self.side,
            p=self.price,
            v=self.volume,
            T=self.created_at,
            m=self.liquidity == "maker",
            oi=self.order_id,
            f=self.fee,
            fc=self.fee_currency,
        )
        if self.side != SELF_TRADE or self.self_trade_bid_order_id is None:
            return [one]
        other = msgspec.structs.replace(
            one,
            sd="bid",
            m=not one.m,
            oi=self.self_trade_bid_order_id,
            f=self.self_trade_bid_fee,
            fc=self.self_trade_bid_fee_currency,
        )
        return [one, other]


class Held(msgspec.Struct):
    """A balance over REST; `balance` is what is free."""

    currency: str
    balance: Decimal
    locked: Decimal


class Named(NamedTuple):
    """Whose an order is."""

    client_id: str


class Reader:
    """Makes facts of what was said; remembers whose orders are, and what we asked to cancel."""

    def __init__(self, ids: ClientIds, now: Callable[[], Nanos]) -> None:
        """`now` is log time, with which facts are stamped."""
        self._ids = ids
        self._now = now
        self._by_market: dict[str, InstrumentDefined] = {}
        self._by_id: dict[InstrumentId, InstrumentDefined] = {}
        self._names: OrderedDict[int, Named] = OrderedDict()
        self._canceling: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[int, list[TradeNews]] = {}

    def learn(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """What is traded; what is said of other markets is not ours to hear."""
        self._by_market = {each.symbol: each for each in instruments}
        self._by_id = {each.instrument: each for each in instruments}

    def definition(self, instrument: InstrumentId) -> InstrumentDefined:
        """What is known of an instrument."""
        return self._by_id[instrument]

    def named(self, number: int) -> Named | None:
        """Whose an order is, as far as it was ever said."""
        return self._names.get(number)

    def remember(self, number: int, client_id: str) -> None:
        """Whose an order is."""
        self._names[number] = Named(client_id)
        if len(self._names) > NAMES_MAX:
            self._names.popitem(last=False)

    def name(self, number: int, client_id: str) -> list[Fact]:
        """Learn whose an order is; returns the trades that waited for that."""
        self.remember(number, client_id)
        return [fact for trade in self._waiting.pop(number, ()) for fact in self.trade(trade)]

    def forget_waiting(self) -> None:
        """The socket is another: what waited is asked for by the reconciliation."""
        self._waiting.clear()

    def canceling(self, client_id: str) -> None:
        """We want this order canceled, so that its end is ours and not the venue's."""
        self._canceling[client_id] = None
        if len(self._canceling) > NAMES_MAX:
            self._canceling.popitem(last=False)

    # -- the socket ----------------------------------------------------------------------------

    def order(self, said: OrderNews) -> list[Fact]:
        """What an order's news says, and trades that waited for its name."""
        instrument = self._by_market.get(said.M)
        if instrument is None:
            return []
        client_id = said.ci or ""
        trades = self.name(said.i, client_id)
        order_id = self._ids.decode(client_id)
        if order_id is None:
            return trades
        return [*trades, *self._changed(said, instrument, order_id)]

    def _changed(
        self, said: OrderNews, instrument: InstrumentDefined, order_id: OrderId
    ) -> list[Fact]:
        when: dict[str, Any] = {
            "order_id": order_id,
            "instrument": instrument.instrument,
            "received": self._now(),
            "venue_time": Nanos(said.TU * MILLIS),
        }
        match said.S:
            case "wait" | "finalizing" | "done":
                return [OrderAcked(venue_order_id=str(said.i), **when)]
            case "cancel":
                return self._ended(said, instrument, when)
            case "failed":
                text = "the venue says: failed"
                return [OrderRejected(reason=RejectReason.OTHER, raw_text=text, **when)]
            case _:
                raise MalformedLine(f"an order of an unknown state: {said.S[:40]}")

    def _ended(
        self, said: OrderNews, instrument: InstrumentDefined, when: dict[str, Any]
    ) -> list[Fact]:
        """Why an order left the book: we asked, it was to fill at once or only to make, or not."""
        asked = (said.ci or "") in self._canceling
        if said.ot == "post_only" and not said.ev and not asked:
            return [OrderExpired(raw_text="post_only", **when)]
        reason = CancelReason.REQUESTED if asked else CancelReason.VENUE
        if said.ot in {"ioc_limit", "market"}:
            reason = CancelReason.IOC_REST
        filled = to_lots(said.ev, instrument.lot_size)
        acked = OrderAcked(venue_order_id=str(said.i), **when)
        return [acked, OrderCanceled(reason=reason, filled=filled, **when)]

    def trade(self, said: TradeNews) -> list[Fact]:
        """A fill, once it is known whose; raises `BadInput`."""
        instrument = self._by_market.get(said.M)
        if instrument is None:
            return []
        name = self.named(said.oi)
        if name is None:
            if sum(map(len, self._waiting.values())) >= WAITING_MAX:
                raise MalformedLine("too many trades of orders that nobody names")
            self._waiting.setdefault(said.oi, []).append(said)
            return []
        return [self.fill(said, instrument, name)]

    def fill(self, said: TradeNews, instrument: InstrumentDefined, name: Named) -> OrderFilled:
        """A fill; one of an order that is not ours has no `order_id`."""
        side = SIDES.get(said.sd)
        if side is None:
            raise MalformedLine(f"a trade of an unknown side: {said.sd[:40]}")
        received = instrument.base if side is Side.BUY else instrument.quote
        return OrderFilled(
            order_id=self._ids.decode(name.client_id) or OrderId(""),
            instrument=instrument.instrument,
            fill_id=str(said.i),
            side=side,
            price=to_ticks(said.p, instrument.tick_size),
            size=to_lots(said.v, instrument.lot_size),
            liquidity=Liquidity.MAKER if said.m else Liquidity.TAKER,
            fee=said.f or ZERO,
            fee_asset=(said.fc or received).upper(),
            received=self._now(),
            venue_time=Nanos(said.T * MILLIS),
        )

    def balance(self, asset: str, free: Decimal, locked: Decimal, at: int = 0) -> BalanceReported:
        """One balance."""
        return BalanceReported(
            wallet=WALLET,
            asset=asset.upper(),
            free=free,
            locked=locked,
            received=self._now(),
            venue_time=Nanos(at * MILLIS),
        )

    # -- REST ----------------------------------------------------------------------------------

    def evidence(self, told: OrderTold) -> Evidence | None:
        """An order over REST; None on a market that is not traded here."""
        instrument = self._by_market.get(told.market)
        if instrument is None:
            return None
        resolution, side = RESOLUTIONS.get(told.state), SIDES.get(told.side)
        if resolution is None or side is None:
            raise MalformedLine(f"an order of an unknown state: {told.state[:40]} {told.side[:40]}")
        price = told.price
        return Evidence(
            client_id=told.client_oid or "",
            venue_order_id=str(told.id),
            instrument=instrument.instrument,
            side=side,
            price=to_ticks(price, instrument.tick_size) if price else Ticks(0),
            size=to_lots(told.volume, instrument.lot_size),
            filled=to_lots(told.executed_volume, instrument.lot_size),
            resolution=resolution,
            venue_time=Nanos(told.updated_at * MILLIS),
        )
