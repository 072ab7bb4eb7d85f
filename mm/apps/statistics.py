"""A session in numbers: what the status line, the screen and the final report all show."""

from decimal import Decimal

import msgspec

from mm.engine.core import Engine
from mm.events.units import InstrumentId
from mm.projections.ledger import Key
from mm.projections.orders import Order

CENTS = Decimal("0.0001")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy in one instrument; prices and sizes in the instrument's own currencies."""

    strategy: str
    instrument: str
    base: str
    currency: str
    position: Decimal
    entry: Decimal
    bid: Decimal
    ask: Decimal
    fills: int
    maker_fills: int
    bought: Decimal
    sold: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    funding: Decimal
    total: Decimal


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """All strategies, and the desk's counters."""

    turns: int
    events: int
    orders: int
    open: int
    fills: int
    hedges: int
    standings: list[Standing]


def statistics(engine: Engine, hedges: int) -> Statistics:
    """The present numbers of an engine."""
    state = engine.state
    keys = [key for key in state.ledger.accounts if key[1] in state.ledger.instruments]
    return Statistics(
        turns=engine.turns,
        events=engine.events,
        orders=state.orders.placed,
        open=len(state.orders.live),
        fills=state.orders.fills,
        hedges=hedges,
        standings=[standing(engine, key) for key in keys],
    )


def standing(engine: Engine, key: Key) -> Standing:
    """The present numbers of one account."""
    ledger = engine.state.ledger
    account, at = ledger.accounts[key], ledger.instruments[key[1]]
    book = engine.state.books.of(key[1])
    mid = Decimal(book.bid + book.ask) / 2 * at.tick_size if book.two_sided else None
    pnl = ledger.pnl(key, mid)
    return Standing(
        strategy=key[2],
        instrument=at.name,
        base=at.base,
        currency=at.settle,
        position=at.size(account.position.net),
        entry=(account.position.entry(at.kind) * at.tick_size).quantize(at.tick_size / 100),
        bid=at.price(book.bid),
        ask=at.price(book.ask),
        fills=account.fills,
        maker_fills=account.maker_fills,
        bought=at.size(account.bought),
        sold=at.size(account.sold),
        realised=pnl.realised.quantize(CENTS),
        unrealised=pnl.unrealised.quantize(CENTS),
        fees=pnl.fees.quantize(CENTS),
        funding=pnl.funding.quantize(CENTS),
        total=pnl.total.quantize(CENTS),
    )


def own_quotes(engine: Engine, instrument: InstrumentId) -> tuple[list[Order], list[Order]]:
    """Own live bids and asks, best first."""
    live = engine.state.orders.live_of(instrument)
    bids = sorted((order for order in live if order.side > 0), key=lambda each: -each.price)
    asks = sorted((order for order in live if order.side < 0), key=lambda each: each.price)
    return bids, asks


def line(numbers: Statistics) -> str:
    """The status line: orders, fills, hedges, position with average entry, profit."""
    parts = [f"orders {numbers.orders:,} ({numbers.open} open)", f"fills {numbers.fills:,}"]
    parts.append(f"hedges {numbers.hedges}")
    for each in numbers.standings:
        held = f"{each.position:+f} {each.base} @ {each.entry:f}" if each.position else "flat"
        parts.append(f"{each.strategy}: {held}")
        parts.append(f"P&L {each.total:+.2f} {each.currency}")
    return "  ".join(parts)
