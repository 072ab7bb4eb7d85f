"""Whether we may trade: what gates quoting, what survives a session, what only counts."""

from typing import Any, Final

import msgspec
import pytest

from mm.events.market import FeedStale
from mm.events.session import (
    EngineFaulted,
    SessionEnded,
    StopRequested,
    TradingHalted,
    TradingRearmed,
)
from mm.events.units import InstrumentId, Nanos, Seq
from mm.projections.base import digest, pack
from tests.build import (
    BTC,
    START,
    feed_down,
    feed_up,
    gapped,
    given,
    reconciled,
    resynced,
    started,
    unheard,
    when,
)

HALT: Final = TradingHalted(who="ann", reason="loss")
STOP: Final = StopRequested(who="ann", reason="done")


def test_a_session_starts_unreconciled() -> None:
    """Nothing may be quoted before the venue was asked; each session has to ask anew."""
    state = given(started())
    assert (state.health.session, state.health.reconciled) == ("s1", False)
    when(state, reconciled())
    assert state.health.reconciled
    when(state, SessionEnded(session="s1", reason="done", wall_time=START))
    assert state.health.session == ""
    when(state, started())
    assert not state.health.reconciled


def test_an_account_that_is_not_heard_is_unreconciled() -> None:
    """Until the venue was asked again, nobody knows what became of the orders."""
    state = given(started(), reconciled(), unheard())
    assert not state.health.reconciled
    when(state, reconciled())
    assert state.health.reconciled


def test_a_halt_outlives_its_session() -> None:
    """Only a person's command lifts it, however often the desk is started."""
    state = given(started(), HALT, started(), reconciled())
    assert state.health.halted == "loss"
    when(state, TradingRearmed(who="ann", reason="looked into it"))
    assert state.health.halted == ""
    when(state, TradingHalted(who="ann", reason=""))
    assert state.health.halted == "halted", "a halt without a reason is a halt"


def test_a_stop_ends_with_its_session() -> None:
    """The next session quotes again."""
    state = given(started(), STOP)
    assert state.health.stopping
    when(state, started())
    assert not state.health.stopping


def test_feeds_are_down_until_they_are_up() -> None:
    """Any channel that is down counts, for its instrument only; a new session hears anew."""
    state = given(feed_down("depth"), feed_down("trades"), feed_up("depth"))
    assert state.health.feed_down(BTC)
    assert not state.health.feed_down(InstrumentId(7))
    when(state, feed_up("trades"), feed_up("never heard of"))
    assert not state.health.feed_down(BTC)
    when(state, feed_down(), started())
    assert not state.health.feed_down(BTC)


@pytest.mark.parametrize(
    ("event", "counter"),
    [
        (gapped(), "gaps"),
        (FeedStale(instrument=BTC, received=START, age=Nanos(1)), "stales"),
        (EngineFaulted(error="AssertionError", where="x", cause=Seq(1)), "faults"),
    ],
)
def test_what_went_wrong_is_counted(event: Any, counter: str) -> None:
    """Gaps, silence and faults, each by its own counter."""
    state = given(event, event, resynced())
    assert getattr(state.health, counter) == 2


def test_health_comes_back_from_its_dump() -> None:
    """Flags, feeds and counters."""
    state, other = given(started(), HALT, STOP, reconciled(), feed_down(), gapped()), given()
    other.health.load(msgspec.msgpack.decode(pack(state.health.dump())))
    assert digest(other.health.dump()) == digest(state.health.dump())
    assert other.health.feed_down(BTC)
    assert (other.health.halted, other.health.stopping) == ("loss", True)
