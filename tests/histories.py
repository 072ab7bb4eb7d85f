"""Random lives of orders and markets that could have happened, as lists of events.

Numbers are drawn, and each becomes an event that is possible where it stands: a cancel only of what
is live, an amend only of what rests. What venues say is not restrained: late, early, twice, never.
"""

from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from mm.events.account import (
    AccountReconciled,
    Adjusted,
    BalanceReported,
    FundingPaid,
    PositionReported,
    TransferSeen,
)
from mm.events.market import FundingPublished, MarkPublished
from mm.events.orders import Liquidity, RejectReason, Resolution
from mm.events.session import EngineFaulted, SessionEnded, StopRequested, TradingHalted
from mm.events.session import TradingRearmed as Rearmed
from mm.events.turn import Record
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Seq, TurnNumber
from mm.events.vocabulary import Event
from mm.projections.state import State
from tests import build
from tests.build import BTC, BUY, SELL, START

NAMES: Final = ("a", "b", "c")
ETH: Final = InstrumentId(1)
Draw = tuple[int, int, int, int]

draws: Final[st.SearchStrategy[list[Draw]]] = st.lists(
    st.tuples(st.integers(0, 39), st.integers(0, 2), st.integers(1, 6), st.integers(95, 105)),
    max_size=40,
)


def history(drawn: list[Draw]) -> list[Event]:
    """A possible log: two instruments defined, then one event or none for each draw."""
    state, events = State(), list[Event]()

    def happens(event: Event) -> None:
        events.append(event)
        apply(state, record(event, len(events)))

    happens(build.instrument())
    happens(build.instrument(instrument=ETH, symbol="ETHUSDT"))
    for number, draw in enumerate(drawn):
        event = _made(state, number, draw)
        if event is not None:
            happens(event)
    return events


def apply(state: State, record: Record) -> None:
    """Move a state by one record."""
    state.hear((record.event,), record.number, record.at)


def record(event: Event, number: int) -> Record:
    """An event with its place, a millisecond after the one before."""
    return Record(Seq(number), TurnNumber(number), 0, Nanos(START + number * 1_000_000), event)


def _made(state: State, number: int, draw: Draw) -> Event | None:
    kind, which, size, price = draw
    order_id = f"{NAMES[which]}{kind % 2}"
    known = state.orders.get(OrderId(order_id))
    if known is None and kind < 30:
        side = BUY if price % 2 else SELL
        return build.placed(order_id, side, price, size, instrument=BTC if which else ETH)
    if kind < 8:
        live = known is not None and not known.closed
        resting = known is not None and known.resting
        if kind < 3:
            return build.cancel(order_id) if live else None
        if kind < 4:
            return build.cancel_all()
        return build.amend(order_id, price, size) if resting else None
    if kind < 30:
        return _answer(state, number, draw, order_id)
    return _other(number, draw)


def _answer(state: State, number: int, draw: Draw, order_id: str) -> Event:
    kind, which, size, price = draw
    known = state.orders.get(OrderId(order_id))
    side = known.side if known is not None else BUY
    fills: dict[str, Any] = {
        "instrument": BTC if which else ETH,
        "fee": Decimal(size) / 7,
        "fee_asset": ("USDT", "BTC", "BNB")[size % 3],
        "liquidity": Liquidity.MAKER if price % 2 else Liquidity.TAKER,
    }
    answers: list[Any] = [
        lambda: build.submitted(order_id, ("place", "amend", "cancel")[size % 3]),
        lambda: build.acked(order_id),
        lambda: build.rejected(order_id, list(RejectReason)[price % len(RejectReason)]),
        lambda: build.amended(order_id, price, size),
        lambda: build.amend_rejected(order_id),
        lambda: build.canceled(order_id, size - 2),
        lambda: build.cancel_rejected(order_id),
        lambda: build.expired(order_id),
        lambda: build.uncertain(order_id, ("place", "amend", "cancel")[size % 3]),
        lambda: build.resolved(order_id, list(Resolution)[price % 4], size),
        lambda: build.filled(order_id, side, price, size, f"f{number}", **fills),
        lambda: build.filled(order_id, side, 100, 1, f"told {size}", **fills),
    ]
    chosen: Event = answers[kind % len(answers)]()
    return chosen


def _other(number: int, draw: Draw) -> Event:
    kind, which, size, price = draw
    money = Decimal(price) / 8
    wallet, received = ("main", "other")[size % 2], START
    others: list[Any] = [
        lambda: build.quote(price, price + size),
        lambda: build.snapshot((price, size), (price + 1, size), sequence=number),
        lambda: build.delta((price, size), (price + 1, 0), last=number),
        lambda: MarkPublished(instrument=BTC, received=START, venue_time=START, price=money),
        lambda: FundingPublished(
            instrument=BTC, received=START, venue_time=START, rate=money, due=START
        ),
        lambda: FundingPaid(
            wallet=wallet,
            instrument=BTC,
            asset="USDT",
            amount=money,
            rate=money,
            mark=money,
            size=Lots(size),
            due=START,
            received=received,
            venue_time=received,
            payment_id=f"p{price % 3}",
        ),
        lambda: BalanceReported(
            wallet=wallet, asset="USDT", free=money, locked=money, received=START, venue_time=START
        ),
        lambda: PositionReported(
            wallet=wallet,
            instrument=BTC,
            size=Lots(size),
            entry=money,
            received=received,
            venue_time=received,
        ),
        lambda: TransferSeen(
            wallet=wallet,
            asset="USDT",
            amount=money,
            received=received,
            venue_time=received,
            transfer_id=f"t{price % 3}",
        ),
        lambda: Adjusted(
            wallet=wallet,
            instrument=BTC,
            subject="balance",
            asset="USDT",
            before=money,
            after=money,
            evidence="asked",
            who="ann",
            received=received,
        ),
        lambda: AccountReconciled(wallet=wallet, orders=1, differences=0, received=START),
        build.started,
        lambda: SessionEnded(session="s1", reason="done", wall_time=START),
        lambda: StopRequested(who="ann", reason="done"),
        lambda: TradingHalted(who="ann", reason=""),
        lambda: Rearmed(who="ann", reason="looked"),
        lambda: EngineFaulted(error="AssertionError", where="x", cause=Seq(1)),
        build.gapped,
        build.feed_down,
        build.feed_up,
        build.resynced,
        lambda: build.printed(price, size),
    ]
    chosen: Event = others[(price + 10 * which + kind) % len(others)]()
    return chosen
