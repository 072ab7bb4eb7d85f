"""A strategy that is a Python object sees in the pass what it sees in the engine, look by look."""

import gc
from typing import Any, Final
from unittest.mock import patch
from weakref import ref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import mm.engine.posts
import mm.sim.setup
from mm.engine.fault import described
from mm.engine.settings import strategy_of
from mm.errors import TradingStopped
from mm.events.session import EngineFaulted
from mm.events.units import MILLIS, Lots, Nanos, Side, Ticks
from mm.sim.compiled_run import Answer, CompiledRun, Memory
from mm.strategy.base import Level, MarketView, Take, Wakes, Wanted, require_wanted
from tests.engine.session import REARM, Probe, Session, employ
from tests.sim.passing import (
    Told,
    World,
    asker_of,
    assert_same,
    compiled,
    plainly,
    prepared,
    rows_of,
)
from tests.sim.worlds import synthetic, twice, worlds

DEPTH = 3


class Witness:
    """Another strategy, woken by other things, and everything that it was shown."""

    def __init__(self, inner: Any, wakes: Wakes, seen: list[Any]) -> None:
        """Note in `seen`."""
        self._inner, self._seen = inner, seen
        self.wakes = wakes

    @property
    def rule(self) -> Any:
        """The other's."""
        return self._inner.rule

    def initial(self) -> Any:
        """The other's."""
        return self._inner.initial()

    def decide(self, view: MarketView, memory: Any) -> tuple[Wanted, Any]:
        """What the other wants."""
        book = view.book
        touch = (book.bid, book.bid_size, book.ask, book.ask_size, book.updated)
        state = (book.usable, book.has_depth, book.two_sided, book.crossed)
        depth = (book.bids(DEPTH), book.asks(DEPTH))
        self._seen.append((view.at, view.instrument.name, touch, state, depth, view.position))
        return self._inner.decide(view, memory)


def witnessed(world: World, wakes: Wakes, *, compile_it: bool) -> tuple[Told, list[Any]]:
    """What came of a world whose strategies wake by other things, and what they saw."""
    seen: list[Any] = []

    def watched(*given_: Any) -> Witness:
        return Witness(strategy_of(*given_), wakes, seen)

    with (
        patch.object(mm.engine.posts, "strategy_of", watched),
        patch.object(mm.sim.setup, "strategy_of", watched),
    ):
        told = compiled(world, python=True) if compile_it else plainly(world)
    return told, seen


wakes = st.builds(
    Wakes,
    timer=st.sampled_from([Nanos(0), Nanos(MILLIS), Nanos(3 * MILLIS)]),
    mid_moved_bps=st.sampled_from([0.0, 5.0, 10.0]),
    top_changed=st.booleans(),
    own_orders=st.booleans(),
    when_changed=st.booleans(),
    every_event=st.booleans(),
    own_near_ticks=st.sampled_from([None, 0, 1, 2]),
)
near_wakes = st.builds(
    Wakes,
    timer=st.sampled_from([Nanos(0), Nanos(20 * MILLIS)]),
    own_orders=st.booleans(),
    own_near_ticks=st.integers(0, 3),
)
"""Where nothing else wakes it often, the market has the time to come near what rests."""


@twice
@given(worlds(), wakes)
def test_it_sees_what_it_sees_live(world: World, wakes_: Wakes) -> None:
    """Whatever wakes it: the same looks at the same times, and the same orders for them."""
    assert_same_looks(world, wakes_)


@twice
@given(worlds(), near_wakes)
def test_it_sees_the_market_come_near_its_quotes(world: World, wakes_: Wakes) -> None:
    """However far that is."""
    assert_same_looks(world, wakes_)


def assert_same_looks(world: World, wakes_: Wakes) -> None:
    """The engine and the pass ask alike, and do the same with what they are told."""
    told, seen = witnessed(world, wakes_, compile_it=False)
    told_by_pass, seen_in_pass = witnessed(world, wakes_, compile_it=True)
    assert seen_in_pass == seen
    assert_same(told, told_by_pass)


def test_every_event_is_every_one() -> None:
    """In a market of hundreds of messages there are hundreds of looks, and positions change."""
    world = synthetic(24, 600)
    every = Wakes(every_event=True)
    _, seen = witnessed(world, every, compile_it=False)
    _, seen_in_pass = witnessed(world, every, compile_it=True)
    assert seen_in_pass == seen
    assert len(seen) > len(world.messages) // 2
    assert len({look[-1].net for look in seen}) > 3


def test_a_market_near_its_quotes_wakes_it() -> None:
    """At the same times in the pass as live, and at times at which nothing else would."""
    world, seldom = synthetic(24, 600), Wakes(timer=Nanos(100 * MILLIS), own_orders=False)
    near = replace(seldom, own_near_ticks=0)
    told, seen = witnessed(world, near, compile_it=False)
    told_by_pass, seen_in_pass = witnessed(world, near, compile_it=True)
    assert seen_in_pass == seen
    assert_same(told, told_by_pass)
    _, seen_seldom = witnessed(world, seldom, compile_it=False)
    assert len(seen) > len(seen_seldom) + 20


def test_one_that_raises_is_named_with_what_it_was_shown() -> None:
    """The pass stops there; what it raised is the cause."""
    world, looks = synthetic(24, 600), []

    class Failing(Witness):
        def decide(self, view: MarketView, memory: Any) -> tuple[Wanted, Any]:
            looks.append(view.at)
            if len(looks) == 5:
                raise ZeroDivisionError("one over nothing")
            return super().decide(view, memory)

    def failing(*given_: Any) -> Witness:
        return Failing(strategy_of(*given_), Wakes(every_event=True), [])

    with (
        patch.object(mm.sim.setup, "strategy_of", failing),
        pytest.raises(TradingStopped, match=r"ZeroDivisionError in .*decide") as stopped,
    ):
        compiled(world, python=True)
    assert f"at {looks[-1]} ns" in str(stopped.value)
    assert isinstance(stopped.value.__cause__, ZeroDivisionError)


IMPOSSIBLE: Final[list[Any]] = [
    None,
    Wanted(bids=None),  # type: ignore[arg-type]
    Wanted(bids=(Level(Ticks(100), 1.5),)),  # type: ignore[arg-type]
    Wanted(asks=(Level(None, Lots(1)),)),  # type: ignore[arg-type]
    Wanted(asks=(Level(np.int64(100), Lots(1)),)),  # type: ignore[arg-type]
    Wanted(asks=(Level(Ticks(100), Lots(True)),)),
    Wanted(bids=(Level(Ticks(1 << 63), Lots(1)),)),
    Wanted(bids=((100, 1),)),  # type: ignore[arg-type]
    Wanted(take=Take(Side.BUY, Ticks(100), 0.5)),  # type: ignore[arg-type]
    Wanted(take=Take(2, Ticks(100), Lots(1))),  # type: ignore[arg-type]
    Wanted(take=Level(Ticks(100), Lots(1))),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("wanted", IMPOSSIBLE, ids=str)
def test_no_order_is_made_of_what_is_no_whole_number(wanted: Any) -> None:
    """The engine and the pass stop with the same words: they name the strategy and what it said."""

    class Odd(Witness):
        def decide(self, _view: MarketView, memory: Any) -> tuple[Wanted, Any]:
            return wanted, memory

    def odd(*given_: Any) -> Witness:
        return Odd(strategy_of(*given_), Wakes(), [])

    with pytest.raises(TradingStopped, match="strategy maker wants ") as meant:
        require_wanted("maker", wanted)
    session = Session().quotes()
    employ(session.engine, "maker", Probe(Wakes(), wanted, []))
    session.hears(REARM)
    assert [fault.error for fault in session.decided(EngineFaulted)] == [described(meant.value)]
    with patch.object(mm.sim.setup, "strategy_of", odd), pytest.raises(TradingStopped) as stopped:
        compiled(synthetic(24, 10), python=True)
    assert stopped.value.what == meant.value.what.replace("maker", "a")
    assert stopped.value.where.startswith("row 0 at ")


def test_too_many_levels_are_played_plainly() -> None:
    """The pass has room for so many, and says what has more."""

    class Deep(Witness):
        def decide(self, view: MarketView, memory: Any) -> tuple[Wanted, Any]:
            levels = (Level(Ticks(view.book.bid - far), Lots(1)) for far in range(33))
            return Wanted(bids=tuple(levels)), memory

    def deep(*given_: Any) -> Witness:
        return Deep(strategy_of(*given_), Wakes(), [])

    with (
        patch.object(mm.sim.setup, "strategy_of", deep),
        pytest.raises(TradingStopped, match=r"wants 33 levels on a side.*--plain"),
    ):
        compiled(synthetic(24, 10), python=True)


def test_an_interrupt_ends_the_run() -> None:
    """It comes out of the pass as it is."""
    world = synthetic(24, 600)

    class Interrupted(Witness):
        def decide(self, _view: MarketView, _memory: Any) -> tuple[Wanted, Any]:
            raise KeyboardInterrupt

    def interrupted(*given_: Any) -> Witness:
        return Interrupted(strategy_of(*given_), Wakes(every_event=True), [])

    with (
        patch.object(mm.sim.setup, "strategy_of", interrupted),
        pytest.raises(KeyboardInterrupt),
    ):
        compiled(world, python=True)


def test_an_order_beyond_all_prices_is_refused() -> None:
    """A price whose products outgrow 64 bits passes no gate, in the engine or in the pass."""
    world = synthetic(24, 60)

    class Far(Witness):
        def decide(self, view: MarketView, memory: Any) -> tuple[Wanted, Any]:
            if not view.book.two_sided:
                return Wanted(), memory
            return Wanted(asks=(Level(Ticks(2**59 + view.book.ask), Lots(1)),)), memory

    def far(*given_: Any) -> Witness:
        return Far(strategy_of(*given_), Wakes(every_event=True), [])

    with (
        patch.object(mm.engine.posts, "strategy_of", far),
        patch.object(mm.sim.setup, "strategy_of", far),
    ):
        plain, fast = plainly(world), compiled(world, python=True)
    assert plain.orders == fast.orders == []
    assert fast.refusals == plain.refusals > 10


def test_a_signal_as_python_is_called_ends_the_run() -> None:
    """One that comes before the first line of the answer is raised as it is, at once."""
    world = synthetic(24, 60)
    memory, _ = prepared(world)
    memory.desks["rule"] = 0

    class Signalled:
        failure: BaseException | None = None

        def answer_of(self, _desk: int) -> Answer:
            return interrupted

    def interrupted(*_: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CompiledRun(memory, Signalled()).feed(rows_of(world))


def test_a_run_leaves_nothing_behind() -> None:
    """Its memory goes with it: a sweep plays thousands of runs in one process."""
    world = synthetic(24, 60)

    def remembered() -> "ref[Memory]":
        memory, _ = prepared(world)
        CompiledRun(memory, asker_of(world, memory))
        return ref(memory)

    gc.disable()
    try:
        assert remembered()() is None
    finally:
        gc.enable()
