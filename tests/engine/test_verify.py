"""Verify: what was decided comes out again, and whatever was changed is caught and named.

Damage to bytes is the reader's to find, through the chain. Here the forger is better: the log is
sealed anew from the change on, every link holds, and only the decisions give it away.
"""

import asyncio
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mm.engine import verify as module
from mm.engine.verify import CAUSES_MAX, Verification, verify
from mm.errors import BadInput, LogDamaged, MmError, SequenceHole
from mm.events.market import QuoteUpdated
from mm.events.orders import CancelOrder, PlaceOrder
from mm.events.session import NoteTaken, QuotingReasonChanged, SessionStarted, TimerFired
from mm.events.turn import Turn
from mm.events.units import SECONDS, Nanos, Seq, Ticks
from mm.log.chain import START as EMPTY
from mm.log.chain import Head, Sealed, advance, seal
from mm.log.memory import MemoryLog
from tests.build import BTC, delta, filled, printed, quote, settings, snapshot, started
from tests.engine.session import Draw, Session, draws, play

Change = Any
"""What a forger does to a turn: gives another one back, or None to drop it."""


def sealed_again(turns: list[Sealed], change: Change) -> list[Sealed]:
    """The log with every turn as `change` wants it, and every link whole."""
    head: Head = EMPTY
    forged = []
    for sealed in turns:
        turn = change(sealed.turn)
        if turn is not None:
            forged.append(seal(head, turn.at, turn.facts, turn.decisions))
            head = advance(head, forged[-1])
    return forged


def at_turn(number: int, change: Change) -> Change:
    """A change of one turn only."""
    return lambda turn: change(turn) if turn.number == number else turn


def logged(turns: list[Sealed]) -> MemoryLog:
    """The turns in a log."""
    log = MemoryLog()

    async def fill() -> None:
        for sealed in turns:
            await log.append(sealed)

    asyncio.run(fill())
    return log


def read(log: MemoryLog) -> list[Sealed]:
    """Every turn, read back and checked against the chain."""

    async def all_turns() -> list[Sealed]:
        return [sealed async for sealed in log.read()]

    return asyncio.run(all_turns())


def session() -> Session:
    """A market that moves, fills, and a few timers."""
    made = Session(skew_bps=20).quotes().answers()
    for step in range(1, 8):
        made.hears(quote(9_999 + 12 * step, 10_001 + 12 * step), after=400_000_000)
        made.answers()
        order = made.live()[-1]
        made.hears(filled(order.order_id, order.side, order.price, 4, f"f{step}"))
        made.answers()
    return made


WHOLE: Final = session()
TURNS: Final = WHOLE.turns


def first(kind: type[Any], *, after: int = 0) -> tuple[Turn, Any]:
    """The first decision or fact of a kind past a turn, with its turn."""
    for sealed in TURNS:
        for event in (*sealed.turn.facts, *sealed.turn.decisions):
            if sealed.turn.number > after and type(event) is kind:
                return sealed.turn, event
    raise AssertionError(f"no {kind.__name__} after turn {after}")


def put(events: tuple[Any, ...], old: Any, *new: Any) -> tuple[Any, ...]:
    """The events with one of them exchanged, or left out."""
    at = events.index(old)
    return (*events[:at], *new, *events[at + 1 :])


# -- what is whole ---------------------------------------------------------------------------------


def test_a_session_is_reproduced_whole() -> None:
    """Every turn and decision, the state to the byte, and where it all came from."""
    seen = verify(read(logged(TURNS)))
    assert seen.difference is None
    assert seen.turns == len(TURNS)
    assert seen.events == sum(sealed.turn.size for sealed in TURNS) == WHOLE.engine.events
    assert seen.reproduced == seen.decisions == sum(len(each.turn.decisions) for each in TURNS) > 20
    assert seen.rows == seen.events, "no book of several levels was heard"
    assert (seen.sessions, seen.versions) == (["s1"], ["test"])
    assert (seen.digest, seen.digests) == (WHOLE.engine.digest(), WHOLE.engine.digests())
    assert seen.head == TURNS[-1].id


def test_an_empty_log_has_nothing_to_reproduce() -> None:
    """And nothing that differs."""
    seen = verify([])
    assert (seen.turns, seen.decisions, seen.difference) == (0, 0, None)


@given(draws)
def test_any_session_is_reproduced(drawn: list[Draw]) -> None:
    """Whatever market and venue do, two sessions in one log included."""
    made = play(drawn)
    made.starts()
    made.hears(quote(9_999, 10_001), after=SECONDS)
    seen = verify(read(logged(made.turns)))
    assert seen.difference is None
    assert seen.reproduced == seen.decisions
    assert seen.digest == made.engine.digest()
    assert seen.sessions == ["s1", "s1"]


def test_levels_are_counted_as_rows() -> None:
    """A change of three levels is three rows of the recording."""
    made = Session().starts()
    made.hears(snapshot((99, 1), (101, 1)), delta((98, 1, 97, 1), (102, 1)))
    seen = verify(made.turns)
    assert seen.rows == seen.events - 2 + 2 + 3


# -- what was changed ------------------------------------------------------------------------------


def caught(change: Change) -> Verification:
    """What verify says of a log that was changed and sealed again."""
    seen = verify(read(logged(sealed_again(TURNS, change))))
    assert seen.difference is not None
    assert seen.reproduced < seen.decisions
    return seen


def test_a_changed_decision_is_named() -> None:
    """The turn, the event, the field with both values, and the causes behind it."""
    turn, order = first(PlaceOrder, after=5)
    forged = replace(order, price=Ticks(order.price + 1))
    seen = caught(
        at_turn(
            turn.number, lambda each: replace(each, decisions=put(each.decisions, order, forged))
        )
    )
    difference = seen.difference
    assert difference is not None
    assert difference.turn == turn.number
    place = (*turn.facts, *turn.decisions).index(order)
    assert (difference.event, difference.kind) == (turn.first + place, "order.place")
    (field,) = difference.fields
    told = (field.field, field.recorded, field.recomputed)
    assert told == ("price", str(order.price + 1), str(order.price))
    assert difference.causes[0].startswith(f"event {order.cause}, turn {turn.number}: ")


@pytest.mark.parametrize("kind", [PlaceOrder, CancelOrder, QuotingReasonChanged])
def test_a_missing_decision_is_named(kind: type[Any]) -> None:
    """What should have been decided, and what stands in its place."""
    turn, gone = first(kind)
    seen = caught(
        at_turn(turn.number, lambda each: replace(each, decisions=put(each.decisions, gone)))
    )
    difference = seen.difference
    assert difference is not None
    assert difference.turn == turn.number
    names = {field.field for field in difference.fields}
    assert names & {"order_id", "event"}
    if "event" in names:
        assert kind.__name__ in difference.fields[0].recomputed


def test_an_invented_decision_is_named() -> None:
    """It is on the log, and nobody decided it."""
    turn, _ = first(QuoteUpdated, after=5)
    order = WHOLE.live()[0]
    invented = CancelOrder(
        order_id=order.order_id, instrument=BTC, cause=Seq(turn.first), reason="mine"
    )
    quiet = next(each.turn for each in TURNS if each.turn.number > 3 and not each.turn.decisions)
    seen = caught(at_turn(quiet.number, lambda each: replace(each, decisions=(invented,))))
    difference = seen.difference
    assert difference is not None
    assert (difference.turn, difference.kind) == (quiet.number, "order.cancel")
    (field,) = difference.fields
    assert (field.field, field.recomputed) == ("event", "nothing")
    assert "mine" in field.recorded
    assert difference.causes, "what it claims to be caused by"


def test_a_changed_fact_is_caught_at_the_decision_it_leads_to() -> None:
    """Another quote, other prices."""
    turn, old = first(QuoteUpdated, after=5)
    forged = replace(old, bid=Ticks(old.bid + 6), ask=Ticks(old.ask + 6))
    seen = caught(
        at_turn(turn.number, lambda each: replace(each, facts=put(each.facts, old, forged)))
    )
    difference = seen.difference
    assert difference is not None
    assert difference.turn >= turn.number
    assert {field.field for field in difference.fields} <= {"price", "event"}
    assert any(f"bid={old.bid + 6}" in cause for cause in difference.causes)


def test_a_dropped_turn_is_caught() -> None:
    """By the reader as a hole; sealed again, by the names of the orders that follow."""
    number = TURNS[6].turn.number
    payloads = [each.payload for each in TURNS if each.turn.number != number]
    log = MemoryLog()
    log._payloads = payloads
    with pytest.raises(SequenceHole, match=f"turn {number} is missing"):
        read(log)
    seen = caught(at_turn(number, lambda _turn: None))
    assert seen.difference is not None
    assert seen.difference.turn >= number


def test_a_changed_parameter_is_caught_at_the_first_quote() -> None:
    """The configuration on the log is what the engine runs with."""
    turn, old = first(SessionStarted)
    forged = replace(old, config=started(**settings(skew_bps=20, half_spread_bps=11)).config)
    seen = caught(
        at_turn(turn.number, lambda each: replace(each, facts=put(each.facts, old, forged)))
    )
    difference = seen.difference
    assert difference is not None
    (field,) = difference.fields
    assert (difference.kind, field.field) == ("order.place", "price")
    assert (field.recorded, field.recomputed) == ("9990", "9989")


@pytest.mark.parametrize("change", ["gone", "early", "late", "twice", "renamed"])
def test_timers_are_the_engine_s_own(change: str) -> None:
    """One that is missing, was moved, repeated or renamed is a difference."""
    turn, old = first(TimerFired)
    others = {
        "gone": (),
        "early": (replace(old, deadline=Nanos(old.deadline - 1)),),
        "late": (replace(old, deadline=Nanos(old.deadline + 1)),),
        "twice": (old, old),
        "renamed": (replace(old, timer="other"),),
    }[change]
    seen = caught(
        at_turn(turn.number, lambda each: replace(each, facts=put(each.facts, old, *others)))
    )
    difference = seen.difference
    assert difference is not None
    assert difference.turn == turn.number
    assert difference.event >= turn.first
    told = "".join(field.recorded + field.recomputed for field in difference.fields)
    assert "TimerFired" in told or {each.field for each in difference.fields} <= {
        "timer",
        "deadline",
    }


def test_an_equal_decision_with_other_bytes_is_a_difference() -> None:
    """The bytes are what is promised, down to how a zero is written."""
    turn, order = first(PlaceOrder)
    forged = replace(order, level=False)
    assert forged == order
    changed = replace(turn, decisions=put(turn.decisions, order, forged))
    turns = [
        each if each.turn.number != turn.number else replace(each, turn=changed) for each in TURNS
    ]
    difference = verify(turns).difference
    assert difference is not None
    assert (difference.kind, difference.fields[0].field) == ("turn", "bytes")


@given(st.data())
def test_a_flipped_bit_never_passes(data: st.DataObject) -> None:
    """Wherever it is: the reader refuses the log, and names our own kinds of error."""
    number = data.draw(st.integers(0, len(TURNS) - 2))
    payload = bytearray(TURNS[number].payload)
    bit = data.draw(st.integers(0, 8 * len(payload) - 1))
    payload[bit // 8] ^= 1 << bit % 8
    log = MemoryLog()
    log._payloads = [each.payload for each in TURNS]
    log._payloads[number] = bytes(payload)
    with pytest.raises((LogDamaged, BadInput)) as told:
        read(log)
    assert isinstance(told.value, MmError)


# -- causes ----------------------------------------------------------------------------------------


def test_causes_are_followed_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain ends where memory does, or at its bound."""
    turn, order = first(PlaceOrder, after=8)
    lost = replace(order, cause=Seq(1), price=Ticks(1))
    forged = at_turn(
        turn.number, lambda each: replace(each, decisions=put(each.decisions, order, lost))
    )
    seen = caught(forged)
    assert seen.difference is not None
    assert seen.difference.causes[0].startswith("event 1, turn 1: SessionStarted")
    monkeypatch.setattr(module, "RECENT_TURNS_MAX", 2)
    seen = caught(forged)
    assert seen.difference is not None
    assert seen.difference.causes == ["event 1 (further back)"]
    itself = replace(order, cause=Seq(turn.first + len(turn.facts)), price=Ticks(1))
    seen = caught(
        at_turn(
            turn.number, lambda each: replace(each, decisions=put(each.decisions, order, itself))
        )
    )
    assert seen.difference is not None
    assert len(seen.difference.causes) <= CAUSES_MAX


def test_nothing_is_compared_after_the_first_difference() -> None:
    """The states have parted."""
    turn, order = first(PlaceOrder)
    seen = caught(
        at_turn(turn.number, lambda each: replace(each, decisions=put(each.decisions, order)))
    )
    assert seen.turns == turn.number


def test_remarks_change_no_decision() -> None:
    """A note in the log is a fact that leads to nothing."""
    made = Session().quotes()
    made.hears(NoteTaken(who="ann", text="hello"), printed(1, 1))
    forged = sealed_again(
        made.turns,
        lambda turn: replace(
            turn,
            facts=tuple(
                replace(fact, text="bye") if isinstance(fact, NoteTaken) else fact
                for fact in turn.facts
            ),
        ),
    )
    assert forged[-1].hash != made.turns[-1].hash
    assert verify(forged).difference is None
