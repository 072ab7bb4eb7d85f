"""The live picture of a session: book, own quotes, fills, standing and rates.

It is drawn from a `View`, a few values that were copied out of the engine between two turns, so
that whoever draws it needs neither the engine nor its loop. It fits a terminal of 80 columns.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mm.apps.statistics import Standing, Statistics, own_quotes, statistics
from mm.engine.core import Engine
from mm.events.instrument import InstrumentDefined
from mm.events.orders import OrderFilled
from mm.events.units import InstrumentId
from mm.projections.orders import Order

DEPTH: Final = 5
OWN_SHOWN: Final = 3
FILLS_SHOWN: Final = 6
NANOS_PER_MILLI: Final = 1e6
ENDLESS: Final = 1_000
"""Columns of a terminal on which everything fits."""
FRAME: Final = 4
"""Columns of the frame around the picture."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How much was logged in how long; `ticks` in nanoseconds, none without a pace."""

    seconds: float
    events: int
    bytes: int
    hedges: int
    ticks: tuple[int, ...]


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument: best levels and own quotes on both sides, best first."""

    instrument: InstrumentDefined
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    own_bids: list[Order]
    own_asks: list[Order]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the picture shows; none of it changes any more."""

    numbers: Statistics
    markets: list[Market]
    fills: tuple[OrderFilled, ...]
    rates: Rates


def view(engine: Engine, fills: Sequence[OrderFilled], rates: Rates) -> View:
    """Copy what the picture needs; only between two turns."""
    return View(
        numbers=statistics(engine, rates.hedges),
        markets=[_market(engine, number) for number in engine.posts],
        fills=tuple(fills),
        rates=rates,
    )


def _market(engine: Engine, number: InstrumentId) -> Market:
    book = engine.state.books.of(number)
    own_bids, own_asks = own_quotes(engine, number)
    return Market(
        instrument=engine.state.ledger.instruments[number],
        bids=list(book.bids(DEPTH)),
        asks=list(book.asks(DEPTH)),
        own_bids=own_bids[:OWN_SHOWN],
        own_asks=own_asks[:OWN_SHOWN],
    )


def quantile(samples: Sequence[int], share: float) -> float | None:
    """A quantile of nanoseconds in milliseconds; None of nothing."""
    ordered = sorted(samples)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / NANOS_PER_MILLI


def picture(seen: View, title: str, console: Console) -> RenderableType:
    """Book, own quotes, fills, standing and rates, as wide as the console is."""
    rows: list[RenderableType] = [_beside(each, seen.fills, console) for each in seen.markets]
    rows += [_standing(each) for each in seen.numbers.standings]
    rows.append(_footer(seen, console.width - FRAME))
    return Panel(Group(*rows), title=title, title_align="left", border_style="cyan")


def _beside(market: Market, fills: Sequence[OrderFilled], console: Console) -> Table:
    """The book and the fills beside it; with fewer columns where they do not fit."""
    for wide in (True, False):
        grid = Table.grid(padding=(0, 3), expand=False)
        grid.add_row(_book(market, wide=wide), _fills(market.instrument, fills, wide=wide))
        if (
            console.measure(grid, options=console.options.update(width=ENDLESS)).maximum
            <= console.width - FRAME
        ):
            break
    return grid


def _book(market: Market, *, wide: bool) -> Table:
    """Best levels, own quotes beside them."""
    instrument = market.instrument
    table = Table(title=instrument.name, box=None, title_justify="left", padding=(0, 1, 0, 0))
    for column in ("own", "size", "price", "size ", "own "):
        table.add_column(column, justify="right", min_width=9 if wide else 7)
    rungs = _rungs(market.asks, market.own_asks)
    for price in sorted(rungs, reverse=True):
        shown, own = rungs[price]
        size = f"{instrument.size(shown)}" if shown else ""
        table.add_row("", "", f"[red]{instrument.price(price)}[/]", size, _own(own, instrument))
    rungs = _rungs(market.bids, market.own_bids)
    for price in sorted(rungs, reverse=True):
        shown, own = rungs[price]
        size = f"{instrument.size(shown)}" if shown else ""
        table.add_row(_own(own, instrument), size, f"[green]{instrument.price(price)}[/]", "", "")
    return table


def _fills(instrument: InstrumentDefined, fills: Sequence[OrderFilled], *, wide: bool) -> Table:
    """The latest of this session; side, size and price alone where there is little room."""
    table = Table(title="latest fills", box=None, title_justify="left")
    for column in ("side", "size", "price", "fee", "as")[: 5 if wide else 3]:
        table.add_column(column, justify="right")
    number = instrument.instrument
    for fill in reversed([each for each in fills if each.instrument == number]):
        colour = "green" if fill.side > 0 else "red"
        cells = (
            f"[{colour}]{fill.side.name.lower()}[/]",
            f"{instrument.size(fill.size)}",
            f"{instrument.price(fill.price)}",
            f"{fill.fee.quantize(Decimal('0.0001'))}",
            fill.liquidity.value,
        )
        table.add_row(*cells[: len(table.columns)])
    return table


def _footer(seen: View, width: int) -> Text:
    """Counts and rates; latency from the tick only where there is one."""
    numbers, rates = seen.numbers, seen.rates
    orders = f"orders {numbers.orders:,} ({numbers.open} open)"
    speed, size = rates.events / rates.seconds, rates.bytes / 1e6
    parts = [
        f"{orders}  fills {numbers.fills:,}  hedges {numbers.hedges}",
        f"log {numbers.events:,} events, {speed:,.0f}/s, {size:.1f} MB",
    ]
    middle, slow = quantile(rates.ticks, 0.5), quantile(rates.ticks, 0.99)
    if middle is not None and slow is not None:
        parts.append(f"tick to durable p50 {middle:.2f} ms p99 {slow:.2f} ms")
    return _folding(_lines(parts, width), style="dim")


def _lines(parts: list[str], width: int) -> str:
    """Whole parts on as few lines as they need."""
    lines = [parts[0]]
    for part in parts[1:]:
        joined = f"{lines[-1]}    {part}"
        lines[-1:] = [joined] if len(joined) <= width else [lines[-1], part]
    return "\n".join(lines)


def _folding(text: str, style: str = "") -> Text:
    """What is too long for the terminal goes on below; the console itself would cut it off."""
    folded = Text.from_markup(text, style=style, overflow="fold")
    folded.no_wrap = False
    return folded


def _rungs(levels: list[tuple[int, int]], own: list[Order]) -> dict[int, tuple[int, list[Order]]]:
    """Displayed size and own orders by price."""
    rungs: dict[int, tuple[int, list[Order]]] = {price: (size, []) for price, size in levels}
    for order in own:
        rungs.setdefault(order.price, (0, []))[1].append(order)
    return rungs


def _own(orders: list[Order], instrument: InstrumentDefined) -> str:
    """Own size at a price; dots while an order is on its way in or out."""
    if not orders:
        return ""
    moving = "" if all(order.resting for order in orders) else " …"
    return f"[bold yellow]{instrument.size(sum(order.leaves for order in orders))}{moving}[/]"


def _standing(each: Standing) -> Text:
    held = f"{each.position:+f} {each.base} @ {each.entry:f}" if each.position else "flat"
    return _folding(
        f"[bold]{each.strategy}[/]  position [bold]{held}[/]   "
        f"P&L [bold]{each.total:+.4f} {each.currency}[/]\n"
        f"[dim]  = realised {each.realised:+.4f}, unrealised {each.unrealised:+.4f}, "
        f"fees {-each.fees:+.4f}, funding {each.funding:+.4f}[/]"
    )
