"""What leaves of a turn, and what stays here and is told of."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from mm.apps.backtest import Backtest
from mm.apps.sending import FAULTED, has_faulted, leaving, unsent
from mm.apps.session import opening
from mm.engine.verify import verify
from mm.events.orders import CancelAll, OrderResolved, PlaceOrder, Resolution
from mm.events.session import EngineFaulted
from mm.events.units import Nanos, Seq
from mm.projections.lifecycle import Status
from tests.apps.stage import START, Stage
from tests.build import BUY, amend, cancel, cancel_all, placed
from tests.engine.session import Broken, employ

FAULT = EngineFaulted(error="AssertionError", where="x", cause=Seq(1))


def test_cancels_leave_first() -> None:
    """Whatever the order of the decisions; what is no intent never leaves."""
    order, move = placed("a", BUY, 100, 1), amend("b", 100, 1)
    found = leaving((order, FAULT, cancel("c"), move, cancel_all()))
    assert found == [cancel("c"), cancel_all(), order, move]
    assert has_faulted((order, FAULT))
    assert not has_faulted((order,))


def test_what_stays_here_is_evidence() -> None:
    """An order that never left never arrived; one that was not amended rests as it was."""
    at = Nanos(5)
    never = unsent(placed("a", BUY, 100, 1), at, "why")
    assert (never.resolution, never.evidence) == (Resolution.NEVER_ARRIVED, "why")
    assert unsent(amend("a", 100, 1), at, "why").resolution is Resolution.OPEN
    with pytest.raises(AssertionError, match="always sent"):
        unsent(cancel("a"), at, "why")


def two_makers(stage: Stage) -> None:
    """Beside the maker, a second one, asked after it, that raises from the third turn on."""
    strategies = {**stage.config.strategies, "worse": stage.config.strategies["maker"]}
    stage.config = replace(stage.config, strategies=strategies)


def assert_nothing_was_placed_by_the_fault(decisions: tuple[Any, ...], sent: list[Any]) -> None:
    """Orders stand in the faulted turn, and none of them left."""
    orders = [each for each in decisions if isinstance(each, PlaceOrder)]
    assert orders
    assert any(isinstance(each, CancelAll) for each in decisions)
    assert not [each for each in sent if each in orders]


def test_a_live_fault_sends_none_of_its_turn_s_orders() -> None:
    """They would arrive behind the cancels that were meant for them, and rest for ever."""
    stage = Stage(messages=50)
    two_makers(stage)

    def break_one(sealed: Any, _timing: Any) -> None:
        if sealed.turn.number == 1:
            employ(stage.engine, "worse", Broken(ZeroDivisionError))

    stage.runner.on_turn.append(break_one)
    asyncio.run(stage.play())
    (turn,) = [each.turn for each in stage.turns if has_faulted(each.turn.decisions)]
    assert_nothing_was_placed_by_the_fault(turn.decisions, stage.sent)
    told = [each for each in stage.facts if isinstance(each, OrderResolved)]
    assert {each.evidence for each in told} >= {FAULTED}
    assert not stage.engine.state.orders.live
    assert {each.status for each in stage.engine.state.orders._closed.values()} == {Status.REJECTED}


def test_a_fault_in_a_backtest_sends_none_of_its_turn_s_orders() -> None:
    """As live."""
    stage = Stage(messages=50)
    two_makers(stage)
    run = Backtest(stage.venue)
    facts = opening(stage.config, "s1", "backtest", stage.feed.instruments, START)
    turns = []
    for sealed in run.turns(facts, iter(stage.messages), START):
        if sealed.turn.number == 1:
            employ(run.engine, "worse", Broken(ZeroDivisionError))
        turns.append(sealed)
    (turn,) = [each.turn for each in turns if has_faulted(each.turn.decisions)]
    assert [each for each in turn.decisions if isinstance(each, PlaceOrder)]
    assert not run.engine.state.orders.live
    assert verify(turns).difference is not None, "the code that broke is not in the log"
