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


class Meter:
    """Rates and latencies of the runner over its latest turns."""

    def __init__(self) -> None:
        """Start counting now."""
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

    def milliseconds(self, share: float, *, durable: bool) -> float:
        """A quantile of append time, or of the time from tick received to turn durable."""
        samples = sorted(self._durable if durable else self._append)
        if not samples:
            return 0.0
        return samples[min(len(samples) - 1, int(share * len(samples)))] / NANOS_PER_MILLI


class Screen:
    """Watches one runner; use it as `with Screen(...)` and hand it every turn."""

    def __init__(self, engine: Engine, title: str, status_every: float) -> None:
        """Choose a live picture on a terminal, plain lines elsewhere."""
        self.meter = Meter()
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
            self._live.update(self._picture(), refresh=True)
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

    def _picture(self) -> RenderableType:
        numbers = self.numbers
        rows: list[RenderableType] = []
        for number in self._engine.posts:
            grid = Table.grid(padding=(0, 3), expand=False)
            grid.add_row(self._book(number), self._fills_table(number))
            rows.append(grid)
        rows += [_standing(each) for each in numbers.standings]
        rows.append(self._footer(numbers))
        return Panel(Group(*rows), title=self._title, title_align="left", border_style="cyan")

    def _book(self, number: InstrumentId) -> Table:
        """Best levels, own quotes beside them."""
        instrument = self._engine.state.ledger.instruments[number]
        book = self._engine.state.books.of(number)
        bids, asks = own_quotes(self._engine, number)
        table = Table(title=instrument.name, box=None, title_justify="left")
        for column in ("own", "size", "price", "size ", "own "):
            table.add_column(column, justify="right", min_width=9)
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

    def _fills_table(self, number: InstrumentId) -> Table:
        instrument = self._engine.state.ledger.instruments[number]
        table = Table(title="latest fills", box=None, title_justify="left")
        for column in ("side", "size", "price", "fee", "as"):
            table.add_column(column, justify="right")
        for fill in reversed([each for each in self._fills if each.instrument == number]):
            colour = "green" if fill.side > 0 else "red"
            table.add_row(
                f"[{colour}]{fill.side.name.lower()}[/]",
                f"{instrument.size(fill.size)}",
                f"{instrument.price(fill.price)}",
                f"{fill.fee.quantize(Decimal('0.0001'))}",
                fill.liquidity.value,
            )
        return table

    def _footer(self, numbers: Statistics) -> Text:
        meter = self.meter
        return Text(
            f"orders {numbers.orders:,} ({numbers.open} open)  fills {numbers.fills:,}  "
            f"hedges {numbers.hedges}    log {numbers.events:,} events, "
            f"{meter.events / meter.seconds:,.0f}/s, {meter.bytes / 1e6:.1f} MB    "
            f"tick to durable p50 {meter.milliseconds(0.5, durable=True):.2f} ms "
            f"p99 {meter.milliseconds(0.99, durable=True):.2f} ms",
            style="dim",
        )


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
    return Text.from_markup(
        f"[bold]{each.strategy}[/]  position [bold]{held}[/]   "
        f"P&L [bold]{each.total:+.4f} {each.currency}[/]\n"
        f"[dim]       = realised {each.realised:+.4f}, unrealised {each.unrealised:+.4f}, "
        f"fees {-each.fees:+.4f}, funding {each.funding:+.4f}[/]"
    )
