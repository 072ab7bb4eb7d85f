"""However a session breaks off, what rests is canceled first, and the next one knows of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mm.apps.cli.live import Report, refuse_open
from mm.apps.session import Ended
from mm.apps.spool import Spool
from mm.apps.statistics import statistics
from mm.engine.core import Engine
from mm.errors import VenueUnavailable
from mm.events.orders import CancelOrder, OrderSubmitted
from mm.events.session import NoteTaken, SessionEnded
from tests.apps.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

    from mm.apps.runner import Timing
    from mm.log.chain import Sealed


def failing(stage: Stage, error: BaseException) -> list[Sealed]:
    """An observer that raises from the first turn on that finds two orders at rest."""
    seen: list[Sealed] = []

    def look(sealed: Sealed, _timing: Timing) -> None:
        if len([order for order in stage.engine.state.orders.live if order.resting]) >= 2:
            seen.append(sealed)
            raise error

    stage.runner.on_turn.append(look)
    return seen


@pytest.mark.parametrize(
    "error", [AssertionError("a bug of ours"), asyncio.CancelledError(), KeyError("o1")]
)
async def test_what_rests_is_canceled_first(error: BaseException, tmp_path: Path) -> None:
    """A bug of ours or a second Ctrl-C: cancels for every live order leave, then it goes on."""
    stage = Stage(spool=Spool(tmp_path / "spool"))
    seen = failing(stage, error)
    with pytest.raises(type(error)):
        await stage.play()
    last = stage.trace[stage.trace.index(seen[0]) :]
    canceled = {each.order_id for each in last if isinstance(each, CancelOrder)}
    live = {order.order_id for order in stage.engine.state.orders.live}
    assert len(live) >= 2
    assert canceled == live
    note, *owed = Spool(tmp_path / "spool").owed
    assert isinstance(note, NoteTaken)
    assert "as the session breaks off: " in note.text
    assert {fact.order_id for fact in owed if isinstance(fact, OrderSubmitted)} == live
    again = Stage(messages=100, spool=Spool(tmp_path / "spool"))
    await again.play()
    assert again.turns[1].turn.facts == (note, *owed)
    assert isinstance(again.facts[-1], SessionEnded)


async def test_a_full_disk_does_not_hide_why_it_broke_off(tmp_path: Path) -> None:
    """The cancels leave, and the error that goes on is the one that was there, with a note."""
    stage = Stage(spool=Spool(tmp_path / "missing" / "spool"))
    failing(stage, AssertionError("a bug of ours"))
    with pytest.raises(AssertionError, match="a bug of ours") as caught:
        await stage.play()
    (note,) = caught.value.__notes__
    assert "not written down" in note
    live = {order.order_id for order in stage.engine.state.orders.live}
    assert live <= {each.order_id for each in stage.sent if isinstance(each, CancelOrder)}


async def test_who_watches_cannot_end_a_session() -> None:
    """The reader of a pipe has gone: the session trades on without it, and notes that."""
    stage = Stage()
    seen = failing(stage, BrokenPipeError())
    await stage.play()
    assert len(seen) == 1
    assert stage.runner.reason == "the feed has ended"
    assert stage.turns.index(seen[0]) < len(stage.turns) - 20
    (note,) = [each.text for each in stage.facts if isinstance(each, NoteTaken)]
    assert note == "nobody watches now: BrokenPipeError()"


@pytest.mark.parametrize("count", [0, 2])
def test_orders_that_stay_open_have_an_exit_code(count: int) -> None:
    """A session that could not get rid of its orders does not end as if all were well."""
    ended = Ended(
        session="s",
        reason="enough",
        turns=1,
        events=1,
        digest="",
        halted="",
        faulted="",
        open=count,
    )
    report = Report(
        ended=ended,
        statistics=statistics(Engine(), 0),
        seconds=1.0,
        events_per_second=1.0,
        append_ms_p50=1.0,
        append_ms_p99=1.0,
        tick_to_durable_ms_p50=None,
        tick_to_durable_ms_p99=None,
        log="desk",
    )
    if not count:
        return refuse_open(report)
    with pytest.raises(VenueUnavailable, match="2 orders") as caught:
        refuse_open(report)
    assert caught.value.exit_code == 5
    return None
