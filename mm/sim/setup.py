"""From settings and instruments to the memory of a compiled run.

What the pass cannot play yet is named by `unplayable`, so that whoever asks may play it the plain
way instead. Desks stand in the order in which the engine would ask them: by instrument, as these
were defined, then as the settings name them.

Limited money is refused: the plain account reserves and pays exact decimals, shared by instruments
whose ticks, lots and fees have different steps, and no word of 64 bits holds them; nor may the pass
stop to ask Python at every order. Who trades live at the compiled venue has the account in Python:
it says of each command, when that arrives, whether too little is free (`unfunded`), and books what
it is told.
"""

from collections.abc import Sequence
from typing import Any, Final

from mm.engine.core import decisions_max
from mm.engine.limits import Limits
from mm.engine.settings import EngineSettings, SymmetricSettings, limits_of, strategy_of
from mm.errors import ConfigError
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import SECONDS, Nanos
from mm.sim.compiled_run import Memory
from mm.sim.distances import place_away
from mm.sim.gate import PRICE_MAX
from mm.sim.queue_models import number_of, parameter
from mm.sim.settings import Arrivals, PaperSettings
from mm.sim.world import FAR_AWAY, LEVELS_MAX, QUEUE_MAX, SENT_MAX, SLOTS
from mm.strategy.base import Strategy
from mm.strategy.pegged import Pegged
from mm.strategy.rules import PEGGED, PYTHON, SYMMETRIC
from mm.strategy.symmetric import Symmetric

PRODUCT_MAX: Final = 1 << 62
"""No price times size may pass it."""


def unplayable(settings: EngineSettings, paper: PaperSettings) -> str:
    """Why the pass cannot play these settings; empty where it can."""
    if paper.balances is not None:
        return "its money is limited"
    if decisions(settings) > decisions_max(len(settings.limits)):
        return "its strategies together may decide more than one turn takes"
    for name, chosen in settings.strategies.items():
        if isinstance(chosen, SymmetricSettings) and chosen.levels > LEVELS_MAX // 3:
            return f"strategy {name} rests {chosen.levels} levels"
    if any(each.open_orders_max > QUEUE_MAX for each in settings.limits.values()):
        return f"a limit allows more than {QUEUE_MAX} open orders"
    if sum(each.open_orders_max for each in settings.limits.values()) > SLOTS:
        return f"its limits together allow more than {SLOTS} open orders"
    if any(each.messages_per_second_max > SENT_MAX for each in settings.limits.values()):
        return f"a limit allows more than {SENT_MAX} messages a second"
    return ""


def decisions(settings: EngineSettings) -> int:
    """The most that can be decided in one turn, in which every strategy is asked.

    Of each that is, on either side, to cancel or amend what it rests and to place as much anew,
    beside a hedge and the reason for what it does not quote. Of one's own class a level is counted.
    """
    levels = [
        chosen.levels if isinstance(chosen, SymmetricSettings) else 1
        for chosen in settings.strategies.values()
        if chosen.instrument in settings.limits
    ]
    return sum(4 * each + 2 for each in levels)


def employed(
    settings: EngineSettings, instruments: Sequence[InstrumentDefined]
) -> list[tuple[int, str, Strategy]]:
    """Every desk in its order: the place of its instrument, its name, its strategy."""
    return [
        (place, name, strategy_of(name, chosen, instrument))
        for place, instrument in enumerate(instruments)
        if instrument.name in settings.limits
        for name, chosen in settings.strategies.items()
        if chosen.instrument == instrument.name
    ]


def memory_of(
    settings: EngineSettings,
    paper: PaperSettings,
    instruments: Sequence[InstrumentDefined],
    seed: int = 1,
) -> tuple[Memory, tuple[str, ...]]:
    """The memory of a run, and the names of its desks in their order.

    `seed` is the session's, for what the settings leave to chance. Raises `ConfigError` for what
    an instrument cannot express.
    """
    desks = employed(settings, instruments)
    memory = Memory(len(instruments), len(desks), two_clocks=paper.market == "venue")
    memory.names = tuple(instrument.name for instrument in instruments)
    for place, instrument in enumerate(instruments):
        row, limits = memory.instruments[place], settings.limits.get(instrument.name)
        filters(row, instrument)
        row["inverse"] = instrument.kind is ContractKind.INVERSE
        row["lot_size"], row["tick_size"] = float(instrument.lot_size), float(instrument.tick_size)
        if limits is not None:
            limit(row, instrument, limits_of(limits, instrument))
    for desk, (place, name, strategy) in enumerate(desks):
        employ(memory, desk, place, strategy)
        memory.desks["amends"][desk] = settings.strategies[name].amend
    _clock(memory, paper)
    place_away(memory, paper, seed)
    memory.at_venue[:] = memory.instruments
    return memory, tuple(name for _, name, _ in desks)


def filters(row: Any, instrument: InstrumentDefined) -> None:
    """Write down what the instrument itself asks of an order."""
    for field in ("price_min", "price_max", "size_min", "size_max", "size_step"):
        row[field] = getattr(instrument, field)
    row["least_by"], row["least"] = _bound(instrument, instrument.bound(instrument.notional_min))


def limit(row: Any, instrument: InstrumentDefined, limits: Limits) -> None:
    """Write down what our own limits ask of an order; raises `ConfigError`."""
    by, most = instrument.bound(limits.order_notional_max)
    row["most_by"], row["most"] = _bound(instrument, (by, most), limits.order_size_max)
    for field in ("order_size_max", "position_max", "open_orders_max"):
        row[field] = getattr(limits, field)
    row["collar_bps"] = limits.price_collar_bps
    row["rate_max"] = limits.messages_per_second_max


def _bound(instrument: InstrumentDefined, bound: tuple[int, int], size: int = 1) -> tuple[int, int]:
    """A bound on notional that no product of 64 bits outgrows; raises `ConfigError`."""
    by, amount = bound
    if size * by >= PRODUCT_MAX // PRICE_MAX:
        raise ConfigError(
            f"{instrument.name}'s ticks and lots are too fine for the limits given",
            where=f'limits."{instrument.name}".order_size_max',
            remedy="limit orders to a size that can be meant",
        )
    return by, min(amount, PRODUCT_MAX)


def employ(memory: Memory, place: int, instrument: int, strategy: Strategy) -> None:
    """Have a strategy at a desk, by its compiled rule if it has one."""
    row, wakes = memory.desks[place], strategy.wakes
    row["instrument"], row["timer"] = instrument, wakes.timer
    row["moved_bps"], row["top_changed"] = wakes.mid_moved_bps, wakes.top_changed
    row["own_orders"], row["when_changed"] = wakes.own_orders, wakes.when_changed
    row["every_event"] = wakes.every_event
    near = wakes.own_near_ticks
    row["near"] = 0 if near is None else near + 1
    watches = wakes.top_changed or wakes.mid_moved_bps > 0 or wakes.every_event or near is not None
    memory.instruments["watched_by"][instrument] += watches
    memory.clock["every_event"] |= wakes.every_event
    if isinstance(strategy, Symmetric):
        row["rule"], row["book_age_max"] = SYMMETRIC, strategy.book_age_max
    elif isinstance(strategy, Pegged):
        row["rule"] = PEGGED
    else:
        row["rule"] = PYTHON
    terms(memory, place, strategy)


def terms(memory: Memory, place: int, strategy: Strategy) -> None:
    """Write down the parameters of a desk's compiled rule, if it has one."""
    if isinstance(strategy, Symmetric | Pegged):
        given = strategy.terms
        memory.integers[place, : len(given.whole)] = given.whole
        memory.real[place, : len(given.real)] = given.real


def _clock(memory: Memory, paper: PaperSettings) -> None:
    clock, model = memory.clock[0], number_of(paper.queue)
    clock["two_clocks"] = paper.market == "venue"
    clock["whole"] = paper.matching == "whole"
    if paper.matching == "poisson":
        draw_takers(memory, paper.arrivals)
    clock["queue"], clock["open_max"] = model, paper.open_orders_max
    for instrument in memory.instruments:
        lot = float(instrument["lot_size"])
        instrument["queue_n"] = parameter(model, paper.queue_power, lot)


def draw_takers(memory: Memory, takers: Arrivals) -> None:
    """Have takers come by chance, and nobody else."""
    clock = memory.clock[0]
    clock["arrival_rate"], clock["arrival_decay"] = takers.rate, takers.decay
    clock["step"], clock["step_seconds"] = takers.step, takers.step / SECONDS


def hold(memory: Memory, lots: Sequence[int]) -> None:
    """Give each desk what it holds before the first row: signed lots, in the order of desks."""
    memory.held = list(lots)
    for desk, net in zip(memory.desks, lots, strict=True):
        instrument = memory.instruments[desk["instrument"]]
        desk["net"] = net
        instrument["net"] += net
        instrument["held"] += net


def begin(memory: Memory, at: Nanos, point_every: Nanos) -> None:
    """Stand at the first turn: timers are set on their grid, and samples on theirs.

    Every desk is asked once before anything is heard, as when a session opens its account.
    """
    clock = memory.clock[0]
    clock["at"] = at
    memory.desks["awake"] = 1
    clock["awake"] = len(memory.desks) > 0
    timers = memory.desks["timer"]
    clock["point_every"] = point_every
    clock["point_due"] = (at // point_every + 1) * point_every if point_every else FAR_AWAY
    for place, timer in enumerate(timers.tolist()):
        memory.desks["deadline"][place] = (at // timer + 1) * timer if timer else 0
