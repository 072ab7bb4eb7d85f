"""Short builders of events for given / when / then, and a world that applies them."""

from decimal import Decimal
from typing import Any

import msgspec

from mm.engine.core import Engine, Outcome
from mm.events.account import AccountDown, AccountReconciled
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedUp,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.orders import (
    AmendOrder,
    AmendRejected,
    CancelAll,
    CancelOrder,
    CancelReason,
    CancelRejected,
    Liquidity,
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
    RejectReason,
    Resolution,
)
from mm.events.session import SessionStarted
from mm.events.units import (
    MILLIS,
    SECONDS,
    InstrumentId,
    Lots,
    Nanos,
    OrderId,
    Seq,
    Side,
    Ticks,
)
from mm.events.vocabulary import Event, Fact
from mm.projections.state import State

BTC = InstrumentId(0)
START = Nanos(1_700_000_000 * SECONDS)
BUY, SELL = Side.BUY, Side.SELL


def instrument(**changes: Any) -> InstrumentDefined:
    """A linear BTC perpetual: tick 0.1, lot 0.001."""
    values: dict[str, Any] = {
        "instrument": BTC,
        "venue": "paper",
        "symbol": "BTCUSDT",
        "kind": ContractKind.LINEAR,
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "tick_size": Decimal("0.1"),
        "lot_size": Decimal("0.001"),
        "maker_fee": Decimal("0.0002"),
        "taker_fee": Decimal("0.0005"),
    }
    return InstrumentDefined(**{**values, **changes})


def started(**config: Any) -> SessionStarted:
    """The start of a session with an engine configuration."""
    text = msgspec.json.encode(config).decode()
    return SessionStarted(
        session="s1",
        desk="test",
        mode="test",
        code_version="test",
        config=text,
        config_hash="",
        seed=1,
        wall_time=START,
    )


def settings(**changes: Any) -> dict[str, Any]:
    """A maker of one lot a side on the test instrument, with roomy limits."""
    maker = {
        "kind": "symmetric",
        "instrument": "paper:BTCUSDT",
        "order_size": "0.01",
        "position_max": "0.1",
        "half_spread_bps": 10,
        "skew_bps": 5,
        "refresh": "1s",
        **changes,
    }
    limits = {
        "order_size_max": "1",
        "order_notional_max": "1000000",
        "position_max": "0.2",
        "open_orders_max": 20,
        "price_collar_bps": 500,
        "messages_per_second_max": 100,
    }
    return {"strategies": {"maker": maker}, "limits": {"paper:BTCUSDT": limits}}


def reconciled() -> AccountReconciled:
    """The venue was asked, and agrees."""
    return AccountReconciled(wallet="main", orders=0, differences=0, received=START)


def unheard() -> AccountDown:
    """The venue's private stream stands no more."""
    return AccountDown(wallet="main", reason="closed", received=START)


def quote(bid: int, ask: int, *, bid_size: int = 10, ask_size: int = 10) -> QuoteUpdated:
    """A best bid and ask, without a venue sequence."""
    return QuoteUpdated(
        instrument=BTC,
        received=START,
        venue_time=Nanos(0),
        sequence=0,
        bid=Ticks(bid),
        bid_size=Lots(bid_size),
        ask=Ticks(ask),
        ask_size=Lots(ask_size),
    )


def snapshot(
    bids: tuple[int, ...], asks: tuple[int, ...], sequence: int = 1, part: int = 1, parts: int = 1
) -> BookSnapshot:
    """A book, or a part of one."""
    return BookSnapshot(
        instrument=BTC,
        received=START,
        venue_time=Nanos(0),
        sequence=sequence,
        bids=bids,
        asks=asks,
        part=part,
        parts=parts,
    )


def delta(bids: tuple[int, ...], asks: tuple[int, ...], last: int = 2) -> BookDelta:
    """Changed levels."""
    return BookDelta(
        instrument=BTC,
        received=START,
        venue_time=Nanos(0),
        first=last,
        last=last,
        previous=last - 1,
        bids=bids,
        asks=asks,
    )


def printed(price: int, size: int, aggressor: Side = SELL) -> TradePrinted:
    """A public trade."""
    return TradePrinted(
        instrument=BTC,
        received=START,
        venue_time=Nanos(0),
        trade_id="t",
        price=Ticks(price),
        size=Lots(size),
        aggressor=aggressor,
    )


def gapped() -> FeedGapped:
    """Updates are missing."""
    return FeedGapped(instrument=BTC, received=START, wanted=2, got=5)


def resynced(sequence: int = 0) -> FeedResynced:
    """Snapshot and updates join again."""
    return FeedResynced(instrument=BTC, received=START, sequence=sequence)


def feed_down(channel: str = "depth") -> FeedDown:
    """A feed stopped."""
    return FeedDown(instrument=BTC, received=START, channel=channel, reason="closed")


def feed_up(channel: str = "depth") -> FeedUp:
    """A feed delivers."""
    return FeedUp(instrument=BTC, received=START, channel=channel)


def placed(order_id: str, side: Side, price: int, size: int, **changes: Any) -> PlaceOrder:
    """An intent to rest an order."""
    values: dict[str, Any] = {
        "order_id": OrderId(order_id),
        "instrument": BTC,
        "side": side,
        "price": Ticks(price),
        "size": Lots(size),
        "strategy": "maker",
        "wallet": "main",
        "cause": Seq(1),
        "reason": "quote",
        "post_only": True,
    }
    return PlaceOrder(**{**values, **changes})


def cancel(order_id: str) -> CancelOrder:
    """An intent to cancel."""
    return CancelOrder(order_id=OrderId(order_id), instrument=BTC, cause=Seq(1), reason="requote")


def amend(order_id: str, price: int, size: int) -> AmendOrder:
    """An intent to move to another price or total size."""
    return AmendOrder(
        order_id=OrderId(order_id),
        instrument=BTC,
        price=Ticks(price),
        size=Lots(size),
        cause=Seq(1),
        reason="requote",
    )


def cancel_all() -> CancelAll:
    """An intent to cancel whatever is open."""
    return CancelAll(instrument=BTC, cause=Seq(1), reason="halt")


def submitted(order_id: str, command: str = "place") -> OrderSubmitted:
    """The command left for the venue."""
    return OrderSubmitted(order_id=OrderId(order_id), instrument=BTC, command=command, sent=START)


def acked(order_id: str) -> OrderAcked:
    """The venue took the order."""
    return OrderAcked(
        order_id=OrderId(order_id),
        instrument=BTC,
        venue_order_id=f"v-{order_id}",
        received=START,
        venue_time=START,
    )


def rejected(order_id: str, reason: RejectReason = RejectReason.OTHER) -> OrderRejected:
    """The venue refused the order."""
    return OrderRejected(
        order_id=OrderId(order_id), instrument=BTC, reason=reason, received=START, venue_time=START
    )


def canceled(order_id: str, filled: int = -1) -> OrderCanceled:
    """The order left the book, `filled` in all as far as the venue says."""
    return OrderCanceled(
        order_id=OrderId(order_id),
        instrument=BTC,
        reason=CancelReason.REQUESTED,
        received=START,
        venue_time=START,
        filled=Lots(filled),
    )


def expired(order_id: str) -> OrderExpired:
    """The venue ended the order by its own rule."""
    return OrderExpired(
        order_id=OrderId(order_id), instrument=BTC, received=START, venue_time=START
    )


def amended(order_id: str, price: int, size: int) -> OrderAmended:
    """The order rests at another price or total size."""
    return OrderAmended(
        order_id=OrderId(order_id),
        instrument=BTC,
        price=Ticks(price),
        size=Lots(size),
        received=START,
        venue_time=START,
    )


def amend_rejected(order_id: str) -> AmendRejected:
    """The order rests as it was."""
    return AmendRejected(
        order_id=OrderId(order_id),
        instrument=BTC,
        reason=RejectReason.OTHER,
        received=START,
        venue_time=START,
    )


def cancel_rejected(order_id: str) -> CancelRejected:
    """The cancel came too late, or never found the order."""
    return CancelRejected(
        order_id=OrderId(order_id),
        instrument=BTC,
        reason=RejectReason.UNKNOWN_ORDER,
        received=START,
        venue_time=START,
    )


def uncertain(order_id: str, command: str = "place") -> OrderUncertain:
    """Nobody knows."""
    return OrderUncertain(
        order_id=OrderId(order_id), instrument=BTC, command=command, why="timeout", received=START
    )


def resolved(order_id: str, resolution: Resolution, filled: int = 0) -> OrderResolved:
    """The venue's evidence closed the doubt."""
    return OrderResolved(
        order_id=OrderId(order_id),
        instrument=BTC,
        resolution=resolution,
        filled=Lots(filled),
        evidence="asked",
        received=START,
        venue_time=START,
    )


def filled(
    order_id: str, side: Side, price: int, size: int, fill_id: str = "", **changes: Any
) -> OrderFilled:
    """The venue matched us."""
    values: dict[str, Any] = {
        "order_id": OrderId(order_id),
        "instrument": BTC,
        "fill_id": fill_id or f"{order_id}-{price}-{size}",
        "side": side,
        "price": Ticks(price),
        "size": Lots(size),
        "liquidity": Liquidity.MAKER,
        "fee": Decimal(0),
        "fee_asset": "USDT",
        "received": START,
        "venue_time": START,
        "strategy": "maker",
        "wallet": "main",
    }
    return OrderFilled(**{**values, **changes})


def given(*events: Event, state: State | None = None) -> State:
    """The state after these events, on top of an instrument's definition unless they bring one."""
    world = state or State()
    first = Seq(world.events + 1)
    defined = state is not None or any(isinstance(event, InstrumentDefined) for event in events[:1])
    facts = events if defined else (instrument(), *events)
    world.hear(facts, first, START)
    return world


def when(state: State, *events: Event) -> State:
    """The same state after more events."""
    return given(*events, state=state)


class Desk:
    """An engine at work: facts in, the outcome of each turn kept."""

    def __init__(self, **changes: Any) -> None:
        """A reconciled session of one symmetric maker."""
        self.engine = Engine()
        self.at = START
        self.outcome = Outcome((), ())
        self.hears(started(**settings(**changes)), instrument())
        self.hears(reconciled())

    def hears(self, *facts: Fact, after: int = MILLIS) -> Outcome:
        """One turn, a millisecond later."""
        self.at = Nanos(self.at + after)
        self.outcome = self.engine.step(self.at, facts)
        return self.outcome

    def decided(self, kind: type[Any]) -> list[Any]:
        """The decisions of a kind in the last turn."""
        return [each for each in self.outcome.decisions if isinstance(each, kind)]
