"""What a person sees while a session runs: a live picture on a terminal, lines elsewhere.

The picture is drawn from the engine's state a few times a second, never from anything else. A
status line follows every few seconds, so that a log file tells the same story.
"""

import time
from collections import deque
from decimal import Decimal
from types import TracebackType
from typing import Final, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mm.apps.cli.output import err
from mm.apps.runner import Timing
from mm.apps.statistics import Standing, Statistics, line, own_quotes, statistics
from mm.engine.core import Engine
from mm.events.instrument import InstrumentDefined
from mm.events.orders import OrderFilled, PlaceOrder
from mm.events.units import InstrumentId
from mm.log.chain import Sealed
from mm.projections.orders import Order

DEPTH: Final = 5
OWN_SHOWN: Final = 3
FILLS_SHOWN: Final = 6
REFRESH_SECONDS: Final = 0.25
SAMPLES_MAX: Final = 4_096
NANOS_PER_MILLI: Final = 1e6
ENDLESS: Final = 1_000
"""Columns of a terminal on which everything fits."""
FRAME: Final = 4
"""Columns of the frame around the picture."""


class Meter:
    """Rates and latencies of the runner over its latest turns."""

    def __init__(self, *, paced: bool) -> None:
        """Start counting now; without a pace messages wait for their turn, which is no latency."""
        self.paced = paced
        self.began = time.monotonic()
        self.events = 0
        self.bytes = 0
        self.hedges = 0
        self._append: deque[int] = deque(maxlen=SAMPLES_MAX)
        self._durable: deque[int] = deque(maxlen=SAMPLES_MAX)

    def count(self, sealed: Sealed, timing: Timing) -> None:
        """Take note of a durable turn."""
        self.events += sealed.turn.size
        self.bytes += len(sealed.payload)
        self._append.append(timing.append)
        if timing.heard_to_durable:
            self._durable.append(timing.heard_to_durable)
        for decision in sealed.turn.decisions:
            self.hedges += isinstance(decision, PlaceOrder) and decision.reason == "hedge"

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return max(time.monotonic() - self.began, 1e-9)

    def append_milliseconds(self, share: float) -> float:
        """A quantile of the time from a turn offered to a turn durable."""
        return _quantile(self._append, share) or 0.0

    def tick_milliseconds(self, share: float) -> float | None:
        """A quantile of the time from a tick received to its turn durable; None without a pace."""
        return _quantile(self._durable, share) if self.paced else None


def _quantile(samples: deque[int], share: float) -> float | None:
    ordered = sorted(samples)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / NANOS_PER_MILLI


class Screen:
    """Watches one runner; use it as `with Screen(...)` and hand it every turn."""

    def __init__(
        self, engine: Engine, title: str, status_every: float, *, paced: bool = True
    ) -> None:
        """Choose a live picture on a terminal, plain lines elsewhere."""
        self.meter = Meter(paced=paced)
        self._engine = engine
        self._title = title
        self._status_every = status_every
        self._fills: deque[OrderFilled] = deque(maxlen=FILLS_SHOWN)
        self._drawn = self._lined = time.monotonic()
        self._live = (
            Live(console=err, auto_refresh=False, transient=True) if err.is_terminal else None
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Give the terminal back."""
        if self._live is not None:
            self._live.stop()

    def turn(self, sealed: Sealed, timing: Timing) -> None:
        """Take note of a durable turn and draw when it is time."""
        self.meter.count(sealed, timing)
        self._fills.extend(fact for fact in sealed.turn.facts if isinstance(fact, OrderFilled))
        now = time.monotonic()
        if self._live is not None and now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._live.update(self.picture(), refresh=True)
        if now - self._lined >= self._status_every:
            self._lined = now
            self.say(f"[dim]{self.meter.seconds:5.0f} s[/]  {line(self.numbers)}")

    def say(self, text: str) -> None:
        """Print a line above the picture."""
        (self._live.console if self._live is not None else err).print(text)

    @property
    def numbers(self) -> Statistics:
        """The session's present numbers."""
        return statistics(self._engine, self.meter.hedges)

    def picture(self) -> RenderableType:
        """Book, own quotes, fills, standing and rates; it fits a terminal of 80 columns."""
        numbers = self.numbers
        rows: list[RenderableType] = [self._market(number) for number in self._engine.posts]
        rows += [_standing(each) for each in numbers.standings]
        rows.append(self._footer(numbers))
        return Panel(Group(*rows), title=self._title, title_align="left", border_style="cyan")

    def _market(self, number: InstrumentId) -> Table:
        """The book and the fills beside it; with fewer columns where they do not fit."""
        for wide in (True, False):
            grid = Table.grid(padding=(0, 3), expand=False)
            grid.add_row(self._book(number, wide=wide), self._fills_table(number, wide=wide))
            if (
                err.measure(grid, options=err.options.update(width=ENDLESS)).maximum
                <= err.width - FRAME
            ):
                break
        return grid

    def _book(self, number: InstrumentId, *, wide: bool) -> Table:
        """Best levels, own quotes beside them."""
        instrument = self._engine.state.ledger.instruments[number]
        book = self._engine.state.books.of(number)
        bids, asks = own_quotes(self._engine, number)
        table = Table(title=instrument.name, box=None, title_justify="left", padding=(0, 1, 0, 0))
        for column in ("own", "size", "price", "size ", "own "):
            table.add_column(column, justify="right", min_width=9 if wide else 7)
        rungs = _rungs(book.asks(DEPTH), asks[:OWN_SHOWN])
        for price in sorted(rungs, reverse=True):
            shown, own = rungs[price]
            size = f"{instrument.size(shown)}" if shown else ""
            table.add_row("", "", f"[red]{instrument.price(price)}[/]", size, _own(own, instrument))
        rungs = _rungs(book.bids(DEPTH), bids[:OWN_SHOWN])
        for price in sorted(rungs, reverse=True):
            shown, own = rungs[price]
            size = f"{instrument.size(shown)}" if shown else ""
            table.add_row(
                _own(own, instrument), size, f"[green]{instrument.price(price)}[/]", "", ""
            )
        return table

    def _fills_table(self, number: InstrumentId, *, wide: bool) -> Table:
        """The latest of this session; side, size and price alone where there is little room."""
        instrument = self._engine.state.ledger.instruments[number]
        table = Table(title="latest fills", box=None, title_justify="left")
        for column in ("side", "size", "price", "fee", "as")[: 5 if wide else 3]:
            table.add_column(column, justify="right")
        for fill in reversed([each for each in self._fills if each.instrument == number]):
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

    def _footer(self, numbers: Statistics) -> Text:
        """Counts and rates; latency from the tick only where there is one."""
        meter = self.meter
        rate, size = meter.events / meter.seconds, meter.bytes / 1e6
        orders = f"orders {numbers.orders:,} ({numbers.open} open)"
        parts = [
            f"{orders}  fills {numbers.fills:,}  hedges {numbers.hedges}",
            f"log {numbers.events:,} events, {rate:,.0f}/s, {size:.1f} MB",
        ]
        middle, slow = meter.tick_milliseconds(0.5), meter.tick_milliseconds(0.99)
        if middle is not None and slow is not None:
            parts.append(f"tick to durable p50 {middle:.2f} ms p99 {slow:.2f} ms")
        return _folding(_lines(parts, err.width - FRAME), style="dim")


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
