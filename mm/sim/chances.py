"""Takers that come by chance to the compiled venue, where whoever trades live lets time pass."""

from collections.abc import Callable

from mm.events.units import SECONDS, Nanos
from mm.sim.clerk import Clerk
from mm.sim.compiled_run import Memory
from mm.sim.counter import comes
from mm.sim.latency import NEVER
from mm.sim.settings import Arrivals


class Takers:
    """Those of one instrument; see `Chances`."""

    def __init__(
        self, memory: Memory, clerk: Clerk, given: tuple[Arrivals, int], told: Callable[[int], None]
    ) -> None:
        """Have them come as the settings say, drawn from a seed; `told` hears of answers."""
        arrivals, seed = given
        clock = memory.clock[0]
        clock["seed"], clock["step"] = seed, arrivals.step
        clock["step_seconds"] = arrivals.step / SECONDS
        clock["arrival_rate"], clock["arrival_decay"] = arrivals.rate, arrivals.decay
        self._address = memory.address
        self._clerk = clerk
        self._every = arrivals.step
        self._told = told
        self._step = 0

    def due(self) -> Nanos:
        """When the next step ends; NEVER while nothing rests."""
        return Nanos((self._step + 1) * self._every) if self._clerk.orders else NEVER

    def arrive(self, at: Nanos) -> None:
        """A step ends: takers come, and reach as far as chance has it."""
        self._step = at // self._every
        self._told(comes(self._address, at))

    def skip(self, by: Nanos) -> None:
        """Steps that end by then are over, whatever happened in them."""
        self._step = max(self._step, by // self._every)
