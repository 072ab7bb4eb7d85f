"""What a person sees while a session runs: a live picture on a terminal, lines elsewhere.

Both come from a thread of their own: the session only copies, twice a second, what is to be
seen. So a terminal that is stopped, or a pipe that nobody reads, stops the picture, nothing else.
A status line follows every few seconds, so that a log file tells the same story.
"""

import contextlib
import os
import sys
import threading
import time
from collections import deque
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live

from mm.apps.cli.output import Terminal, err
from mm.apps.picture import FILLS_SHOWN, Rates, View, picture, quantile, view
from mm.apps.runner import Timing
from mm.apps.statistics import Statistics, line, statistics
from mm.engine.core import Engine
from mm.events.orders import OrderFilled, PlaceOrder
from mm.log.chain import Sealed

REFRESH_SECONDS: Final = 0.5
GOODBYE_SECONDS: Final = 1.0
"""How long the end of a session waits for a terminal to take its last line."""
SWITCH_SECONDS: Final = 0.0001
"""How long the drawing may keep the interpreter from the session."""
LINES_MAX: Final = 100
"""Status lines that wait for a terminal that is stopped; older ones are dropped."""
SAMPLES_MAX: Final = 4_096


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
        return quantile(self._append, share) or 0.0

    def tick_milliseconds(self, share: float) -> float | None:
        """A quantile of the time from a tick received to its turn durable; None without a pace."""
        return quantile(self._durable, share) if self.paced else None

    @property
    def rates(self) -> Rates:
        """A copy for whoever shows it."""
        return Rates(
            seconds=self.seconds,
            events=self.events,
            bytes=self.bytes,
            hedges=self.hedges,
            ticks=tuple(self._durable) if self.paced else (),
        )


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
        self._copied = self._lined = time.monotonic()
        self._pictured = err.is_terminal
        self._latest: View | None = None
        self._told: deque[str] = deque(maxlen=LINES_MAX)
        self._ending = threading.Event()
        self._drawing = threading.Thread(target=self._draw, name="screen", daemon=True)
        self._switch = sys.getswitchinterval()

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._pictured:
            sys.setswitchinterval(SWITCH_SECONDS)
        self._drawing.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Give the terminal back, unless it is stopped and takes nothing."""
        self._ending.set()
        self._drawing.join(GOODBYE_SECONDS)
        sys.setswitchinterval(self._switch)

    def turn(self, sealed: Sealed, timing: Timing) -> None:
        """Take note of a durable turn and copy what is to be seen when it is time."""
        self.meter.count(sealed, timing)
        self._fills.extend(fact for fact in sealed.turn.facts if isinstance(fact, OrderFilled))
        now = time.monotonic()
        if self._pictured and now - self._copied >= REFRESH_SECONDS:
            self._copied = now
            self._latest = self.view()
        if now - self._lined >= self._status_every:
            self._lined = now
            self._told.append(f"[dim]{self.meter.seconds:5.0f} s[/]  {line(self.numbers)}")

    @property
    def numbers(self) -> Statistics:
        """The session's present numbers."""
        return statistics(self._engine, self.meter.hedges)

    def view(self) -> View:
        """What there is to see at present; only between two turns."""
        return view(self._engine, self._fills, self.meter.rates)

    # -- the other thread ----------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw until the end; whoever went away is not drawn for any more."""
        console = _apart()
        with contextlib.suppress(OSError):
            try:
                self._draw_on(console)
            finally:
                if console is not err:
                    console.file.close()

    def _draw_on(self, console: Console) -> None:
        with contextlib.ExitStack() as held:
            live = None
            if self._pictured:
                live = held.enter_context(_live(console))
            ended = False
            while not ended:
                ended = self._ending.wait(REFRESH_SECONDS)
                while self._told:
                    console.print(self._told.popleft())
                latest, self._latest = self._latest, None
                if live is not None and latest is not None and not ended:
                    live.update(picture(latest, self._title, console), refresh=True)


def _live(console: Console) -> Live:
    """What others print passes by it: they must not wait for a terminal that is stopped."""
    return Live(
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _apart() -> Console:
    """A console on a file of its own, whose lock nobody else needs."""
    try:
        number = os.dup(err.file.fileno())
    except OSError:  # A file in memory has no number.
        return err
    return Terminal(
        file=os.fdopen(number, "w", encoding=err.encoding), highlight=False, soft_wrap=True
    )
