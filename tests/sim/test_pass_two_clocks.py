"""The compiled pass between two clocks does what the plain one does, and what hftbacktest does."""

from typing import Any, Final

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mm.events.units import MILLIS, SECONDS, Nanos
from mm.log.rows import ROW, Flag, Kind, Rows
from mm.sim.compiled_run import CompiledRun, Memory
from mm.sim.distances import place_away
from mm.sim.queue_models import NUMBERS, number_of, parameter
from mm.sim.settings import Arrivals, Latency, Measured, PaperSettings, Sampled
from mm.sim.setup import draw_takers, filters
from mm.sim.world import REVISION
from mm.strategy.rules import P_HALF, P_MOST, P_SIZE, P_SKEW, PEGGED
from tests.build import instrument
from tests.sim.two_clock import REVISED, Maker, Play, event_by_event, row_by_row
from tests.sim.worlds import twice

WIDE: Final = 10**9
"""A limit that does not bind."""
FIRST: Final = 100 * MILLIS
Orders = list[tuple[int, int, int]]
Fills = list[tuple[int, int, int, int, int]]


class Kept(Play):
    """The plain reference, which keeps what it ordered: when, side, price."""

    def __init__(self, *given: Any) -> None:
        """Nothing is ordered yet."""
        super().__init__(*given)
        self.placed: Orders = []

    def _place(self, now: Nanos, side: Any, price: int) -> None:
        self.placed.append((int(now), int(side), price))
        super()._place(now, side, price)


class Market:
    """A book that never crosses and never runs empty, told row by row."""

    def __init__(self) -> None:
        """Ten levels on each side."""
        self.sides = (
            {1_000 - step: 9 for step in range(1, 11)},
            {1_000 + step: 9 for step in range(1, 11)},
        )
        self.rows: list[tuple[int, int, int, int, int, int]] = []
        self.venue, self.at = MILLIS, 2 * MILLIS + 1
        self.tell(Kind.CLEAR, 0, 0, ends=False)
        for side in (0, 1):
            for price, size in self.sides[side].items():
                self.tell(Kind.BID + side, price, size, ends=False)
        self.tell(Kind.SETTLED, 0, 0)

    def best(self, side: int) -> int:
        """The touch."""
        return min(self.sides[1]) if side else max(self.sides[0])

    def tell(self, kind: int, price: int, size: int, *, ends: bool = True) -> None:
        """Add a row."""
        flags = Flag.EVENT | Flag.TURN if ends else 0
        self.rows.append((self.at, self.venue, price, size, kind, flags))

    def wait(self, gap: int, delay: int) -> None:
        """Time passes: so many milliseconds at the venue, so many until we hear of it."""
        self.venue += gap * MILLIS
        self.at = max(self.at, self.venue + delay * MILLIS + delay % 2)

    def happen(self, what: int, side: int, where: int, size: int) -> None:
        """One event: levels or a print."""
        sign, touch = 1 - 2 * side, self.best(side)
        if what == 0:
            self.level(side, touch - sign * where, size)
        elif what == 1 and abs(self.best(1 - side) - touch) > 1:
            self.level(side, touch + sign, size)
        elif what == 2 and len(self.sides[side]) > 3:
            self.level(side, touch, 0)
        elif what == 3:
            self.tell(Kind.SOLD if side == 0 else Kind.BOUGHT, touch - sign * (where // 3), size)
        elif what == 4 and not where:
            self.tell(Kind.DEFINED, size % len(REVISED), 0)

    def level(self, side: int, price: int, size: int) -> None:
        """Set a level."""
        self.sides[side].pop(price, None)
        if size:
            self.sides[side][price] = size
        self.tell(Kind.BID + side, price, size)

    def ended(self) -> Rows:
        """All rows, and one long after."""
        self.wait(3_000, 0)
        self.level(0, 900, 1)
        names = ("at", "venue", "price", "size", "kind", "flags")
        made = np.zeros(len(self.rows), ROW)
        for name, column in zip(names, zip(*self.rows, strict=True), strict=True):
            made[name] = column
        return made


happenings = st.tuples(
    st.sampled_from([30, 7, 1, 0, 120]),
    st.sampled_from([3, 0, 20, 60]),
    st.integers(0, 4),
    st.integers(0, 1),
    st.integers(0, 6),
    st.integers(1, 30),
)


@st.composite
def markets(draw: Any) -> Rows:
    """What happens at the venue, and when we hear of it."""
    market = Market()
    for gap, delay, *event in draw(st.lists(happenings, min_size=20, max_size=120)):
        market.wait(gap, delay)
        market.happen(*event)
    return market.ended()


makers = st.builds(
    Maker,
    half=st.sampled_from([2.0, 1.0, 3.5]),
    skew=st.sampled_from([0.0, 0.5, 1.0]),
    size=st.integers(1, 12),
    position_max=st.integers(1, 40),
    step=st.just(100 * MILLIS),
    first=st.just(FIRST),
)


short = st.sampled_from([1, 0, 10, 40]).map(lambda delay: Nanos(delay * MILLIS))
near = st.one_of(
    short.map(lambda delay: Latency(delay, delay)),
    st.tuples(short, short).map(lambda ends: Latency(min(ends), max(ends))),
    st.lists(short, min_size=1, max_size=4).map(lambda some: Sampled(tuple(sorted(some)))),
)


@st.composite
def trips(draw: Any) -> Measured:
    """Round trips all of which arrived, no order of ours being in doubt."""
    sent, arrived, found = 0, 0, []
    for gap, there, back in draw(st.lists(st.tuples(short, short, short), min_size=1)):
        sent += 3 * gap
        arrived = max(arrived, sent + there, 1)
        found.append((Nanos(sent), Nanos(arrived), Nanos(arrived + back)))
    return Measured(tuple(found))


@st.composite
def accounts(draw: Any) -> PaperSettings:
    """An account so near that each answer is there before the next look."""
    own = draw(st.sampled_from([(), ("place",), ("cancel",), ("place", "cancel")]))
    return PaperSettings(
        **{name: draw(near) for name in ("entry", "response", *own)},
        queue=draw(st.sampled_from(sorted(NUMBERS))),
        queue_power=draw(st.sampled_from([3.0, 1.0, 2.0])),
        matching=draw(st.sampled_from(["whole", "shared", "poisson"])),
        arrivals=Arrivals(rate=draw(st.sampled_from([5.0, 140.0])), step=Nanos(7 * MILLIS)),
        measured=draw(st.one_of(st.none(), trips())),
        market="venue",
    )


def memory_for(settings: PaperSettings, maker: Maker, *, changed: bool = False) -> Memory:
    """A pegged maker with limits that do not bind, asked at every look or only after `changed`."""
    memory = Memory(1, 1, two_clocks=True)
    rules, clock, desk = memory.instruments[0], memory.clock[0], memory.desks[0]
    for name in ("price_min", "size_min", "size_step", "most_by", "least_by"):
        rules[name] = 1
    for name in ("order_size_max", "position_max", "collar_bps"):
        rules[name] = WIDE
    rules["open_orders_max"], rules["rate_max"], rules["most"] = 100, 1_000, 1 << 62
    model = number_of(settings.queue)
    clock["two_clocks"], clock["whole"] = 1, settings.matching == "whole"
    clock["queue"], clock["open_max"] = model, 200
    lot = float(instrument().lot_size)
    rules["queue_n"] = parameter(model, settings.queue_power, lot)
    rules["tick_size"] = float(instrument().tick_size)
    place_away(memory, settings, seed=1)
    if settings.matching == "poisson":
        draw_takers(memory, settings.arrivals)
    desk["rule"], desk["timer"], desk["deadline"] = PEGGED, maker.step, maker.first
    desk["when_changed"] = changed
    memory.at_venue[0] = rules
    memory.revisions = np.zeros(len(REVISED), REVISION)
    for row, revision in zip(memory.revisions, REVISED, strict=True):
        filters(row, revision)
    memory.refresh()
    memory.real[0, [P_HALF, P_SKEW]] = maker.half, maker.skew
    memory.integers[0, [P_SIZE, P_MOST]] = maker.size, maker.position_max
    return memory


def gate_kept() -> None:
    """The plain maker has no gate that a revision could change."""


def compiled(
    rows: Rows, settings: PaperSettings, maker: Maker, block: int = 0, *, changed: bool = False
) -> tuple[Orders, Fills, Memory]:
    """What the pass orders, and what is filled; fed in blocks of so many rows, 0: whole."""
    memory = memory_for(settings, maker, changed=changed)
    run = CompiledRun(memory, revise=gate_kept)
    for start in range(0, len(rows), block or len(rows)):
        run.feed(rows[start : start + (block or len(rows))])
    clock = memory.clock[0]
    orders, fills = memory.orders[: clock["orders"]], memory.fills[: clock["fills"]]
    placed = list(
        zip(*(orders[name].tolist() for name in ("placed", "side", "price")), strict=True)
    )
    names = ("order", "at", "side", "price", "size")
    return placed, list(zip(*(fills[name].tolist() for name in names), strict=True)), memory


@twice
@given(rows=markets(), settings=accounts(), maker=makers, changed=st.booleans())
def test_any_market(rows: Rows, settings: PaperSettings, maker: Maker, changed: bool) -> None:
    """Orders and fills are equal, and a look left out would have changed nothing."""
    told = row_by_row(rows) if settings.matching == "whole" else event_by_event(rows)
    placed, fills, memory = compiled(rows, settings, maker, changed=changed)
    # The plain maker has no risk gate, which never meets an order of ours that is being canceled.
    assume(not memory.clock["refused"][0])
    plain = Kept(told, settings, maker, instrument())
    outcome = plain.played()
    until = int(rows["at"][-1]) - SECONDS
    assert [each for each in placed if each[0] < until] == [
        each for each in plain.placed if each[0] < until
    ]
    there = [(order, at, int(side), *what) for order, at, side, *what in outcome.fills]
    if settings.matching == "poisson":  # Takers come for ever; the rows end.
        assert [each for each in fills if each[1] < until] == [
            each for each in there if each[1] < until
        ]
        return
    assert fills == there
    assert memory.instruments["held"][0] == outcome.position


@twice
@given(rows=markets(), settings=accounts(), maker=makers, block=st.sampled_from([1, 7, 64]))
def test_blocks_do_not_show(rows: Rows, settings: PaperSettings, maker: Maker, block: int) -> None:
    """Rows that have not reached us yet are kept over the blocks' ends."""
    whole, cut = compiled(rows, settings, maker), compiled(rows, settings, maker, block)
    assert cut[:2] == whole[:2]
    for name in ("orders", "fills"):
        assert getattr(cut[2], name).tobytes() == getattr(whole[2], name).tobytes()


def test_a_level_that_crosses_us_counts_wherever_it_stands_in_its_event() -> None:
    """The bids of 999 go and asks come there, in the midst of an event or at its end."""
    near = Latency(Nanos(MILLIS), Nanos(MILLIS))
    settings = PaperSettings(entry=near, response=near, matching="whole", market="venue")
    maker = Maker(half=1.0, skew=0.0, size=5, position_max=5, step=FIRST, first=FIRST)
    crossing, far = (Kind.ASK, 999, 7), (Kind.BID, 950, 7)
    for levels in ((crossing, far), (far, crossing)):
        market = Market()
        market.wait(200, 0)
        market.tell(Kind.BID, 999, 0, ends=False)
        market.tell(*levels[0], ends=False)
        market.tell(*levels[1])
        _, fills, _ = compiled(market.ended(), settings, maker)
        assert fills == [(1, market.rows[-2][1], 1, 999, 5)]


@pytest.mark.parametrize("response", [20, 0])
@pytest.mark.parametrize("changed", [True, False])
def test_a_fill_is_heard_at_a_look(response: int, changed: bool) -> None:
    """A look sees what happened by then, be it at that very nanosecond."""
    market = Market()
    market.wait(299 - response, 0)
    market.tell(Kind.SOLD, 990, 1)
    delays = Latency(Nanos(MILLIS), Nanos(MILLIS)), Latency(*[Nanos(response * MILLIS)] * 2)
    settings = PaperSettings(entry=delays[0], response=delays[1], matching="whole", market="venue")
    maker = Maker(half=2.0, skew=1.0, size=1, position_max=9, step=FIRST, first=FIRST)
    placed, fills, _ = compiled(market.ended(), settings, maker, changed=changed)
    assert [fill[:2] for fill in fills] == [(1, (300 - response) * MILLIS)]
    assert placed[2:4] == [(300 * MILLIS, 1, 997), (300 * MILLIS, -1, 1_001)]
