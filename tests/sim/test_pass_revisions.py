"""Instruments that are revised while they are played: the pass does what the plain engine does."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mm.engine.parameters import settings_in
from mm.engine.settings import EngineSettings
from mm.errors import BadInput
from mm.sim.asking import Asker
from mm.sim.compiled_run import Memory
from mm.sim.revisions import Revisions
from mm.sim.setup import employed
from mm.strategy.symmetric import Grid
from tests.build import instrument, started
from tests.sim.passing import World, assert_same, compiled, left_by, plainly, prepared
from tests.sim.worlds import revising, synthetic, twice


@twice
@given(revising())
def test_any_revision(world: World) -> None:
    """Orders, fills, fees, queues, refusals and turns are equal, whatever is revised when."""
    watched = world.paper.entry.most > 0
    assert_same(plainly(world, watched=watched), compiled(world, watched=watched))


@twice
@given(revising())
def test_any_revision_asked(world: World) -> None:
    """The same with strategies that the pass asks as Python objects."""
    assert_same(plainly(world), compiled(world, python=True))


@twice
@given(world=revising(), block=st.sampled_from([1, 7]))
def test_blocks_do_not_show(world: World, block: int) -> None:
    """A revision at a block's end holds when it would have held."""
    assert left_by(world, block) == left_by(world)


def test_a_revision_shows() -> None:
    """In a market that trades, higher fees cost more from then on, and a new bound binds."""
    world = synthetic(24, 600)
    (defined,) = world.instruments
    middle = len(world.messages) // 2
    dear = replace(defined, revision=2, maker_fee=Decimal("0.01"), taker_fee=Decimal("0.01"))
    tight = replace(dear, revision=3, size_min=10**6)
    messages = list(world.messages)
    for place, revised in ((middle, dear), (middle + 150, tight)):
        facts = (*messages[place].facts, revised)
        messages[place] = messages[place]._replace(facts=facts)
    revised_world = world._replace(messages=tuple(messages))
    plain, fast = plainly(revised_world), compiled(revised_world)
    assert_same(plain, fast)
    assert len(set(fast.fees)) > 1
    assert sum(amount for amount, _ in fast.fees) > sum(each for each, _ in compiled(world).fees)
    last = messages[middle + 150].received
    assert any(order.at < last for order in fast.orders)
    assert not any(order.at >= last for order in fast.orders)


def test_memory_is_that_of_a_rule() -> None:
    """A strategy made anew keeps what it remembers, unless its rule is another one."""
    world = synthetic(24, 1)
    memory, _ = prepared(world)
    settings = settings_in(started(**world.settings).config)
    first: Any = employed(settings, world.instruments)[0]
    _, name, strategy = first
    asker = Asker(memory, world.instruments, [(name, strategy)] * len(memory.desks))
    asker._asked[0].memory = kept = object()
    asker.adopt(0, world.instruments[0], replace(strategy, grid=Grid()))
    assert asker._asked[0].memory is kept
    asker.adopt(0, world.instruments[0], replace(strategy, levels=7))
    assert asker._asked[0].memory == strategy.initial()


@pytest.mark.parametrize(
    "change",
    [{"tick_size": Decimal("0.2")}, {"lot_size": Decimal(1)}, {"symbol": "X"}, {"settle": "BTC"}],
    ids=lambda change: next(iter(change)),
)
def test_another_instrument_is_refused(change: dict[str, object]) -> None:
    """What ticks, lots or the name mean cannot be revised."""
    first = instrument()
    memory = Memory(1, 0, two_clocks=False)
    settings = EngineSettings(strategies={}, limits={})
    with pytest.raises(BadInput, match="changes its name, its kind or its steps"):
        Revisions(memory, settings, (first,), [instrument(revision=2, **change)])
