"""The pass in markets that nobody can quote, and where its own room ends."""

from typing import Any, Final

import numpy as np
import pytest

from mm.engine.parameters import convert
from mm.errors import BadInput
from mm.events.units import MILLIS, Nanos
from mm.log.rows import ROW, Flag, Kind
from mm.projections.ladder import FAR_MAX, WINDOW
from mm.sim.compiled_run import CompiledRun
from mm.sim.settings import PaperSettings
from mm.sim.setup import unplayable
from mm.sim.world import FAR_AWAY, QUEUE_MAX, SLOTS, WIRE
from tests import build
from tests.build import SELL, START, delta, printed, quote, snapshot
from tests.sim.passing import (
    Told,
    World,
    assert_same,
    compiled,
    plainly,
    prepared,
    received,
    rows_of,
)
from tests.sim.worlds import constant

OPENING: Final = snapshot((999, 5, 998, 8), (1001, 4, 1002, 9))
BTC: Final = "paper:BTCUSDT"
STEP: Final = 100 * MILLIS
PAPER: Final = PaperSettings(entry=constant(MILLIS), response=constant(MILLIS))


def world(*messages: Any) -> World:
    """A maker at 999 and 1001, asked every ten milliseconds; a message each hundred."""
    plain = build.settings(order_size="0.003", half_spread_bps=8, refresh="10ms", skew_bps=0)
    told = [
        received(Nanos(START + number * STEP), facts if isinstance(facts, tuple) else [facts])
        for number, facts in enumerate([OPENING, *messages])
    ]
    return World((build.instrument(),), tuple(told), plain, PAPER)


def both(what: World) -> Told:
    """Play it twice; equal."""
    told = plainly(what)
    assert_same(told, compiled(what))
    return told


def placed(told: Told) -> list[int]:
    """During which message's time orders were decided."""
    return sorted({(order.at - START) // STEP for order in told.orders})


def test_a_crossed_book_is_not_quoted() -> None:
    """Quotes go while the best bid is at the best ask, and come again after."""
    quiet = printed(1_000, 1)
    told = both(world(quiet, delta((1001, 3), ()), quiet, delta((1001, 0), (), last=3), quiet))
    assert placed(told) == [0, 4]
    crossed = START + 2 * STEP
    assert [order.ended - crossed <= 2 * MILLIS for order in told.orders[:2]] == [True, True]


def test_a_lost_book_fills_nobody() -> None:
    """What is shown after a gap is no market for us, but what is printed is."""
    told = both(world((build.gapped(), quote(990, 995)), printed(990, 1)))
    assert told.fills == []
    assert placed(told) == [0]
    told = both(world((build.gapped(), printed(990, 1, SELL))))
    assert [(fill.price, fill.size) for fill in told.fills] == [(999, 1)]


def test_a_snapshot_alone_does_not_end_a_gap() -> None:
    """We quote again once the feed says that the book is whole."""
    late = snapshot((999, 5), (1001, 4), 9)
    told = both(world(build.gapped(), late, build.resynced(), printed(1_000, 1)))
    assert placed(told) == [0, 3]


def test_a_book_without_room_is_bad_input() -> None:
    """More far levels than there is room for: the run ends, and names the instrument."""
    memory, _ = prepared(world())
    rows = np.zeros(FAR_MAX + 4, ROW)
    rows["at"] = rows["venue"] = START
    rows["kind"], rows["size"] = Kind.BID, 1
    rows["price"] = np.arange(len(rows))
    rows["price"][1] = FAR_MAX + 4 * WINDOW
    rows["kind"][0], rows["kind"][-1] = Kind.CLEAR, Kind.SETTLED
    rows["flags"][-1] = Flag.EVENT | Flag.TURN
    CompiledRun(memory).feed(rows[1:])
    with pytest.raises(BadInput, match=f"more than {FAR_MAX} levels a side.*{BTC}"):
        CompiledRun(memory).feed(rows)


def test_a_wire_without_room_says_so() -> None:
    """More commands under way than anybody can have meant stop the run, with words."""
    memory, _ = prepared(world())
    memory.commands["arrival"] = FAR_AWAY
    memory.clock["command_to"] = WIRE
    with pytest.raises(AssertionError, match="too many commands are under way"):
        CompiledRun(memory).feed(rows_of(world()))


@pytest.mark.parametrize(
    ("most", "why"), [([QUEUE_MAX + 1], "a limit allows"), ([QUEUE_MAX] * 3, "limits together")]
)
def test_more_orders_than_there_is_room_for(most: list[int], why: str) -> None:
    """Such settings are played the plain way."""
    limits = build.settings()["limits"][BTC]
    named = {
        f"paper:X{number}": limits | {"open_orders_max": each} for number, each in enumerate(most)
    }
    assert why in unplayable(convert({"strategies": {}, "limits": named}), PAPER)
    assert sum(most) > min(QUEUE_MAX, SLOTS)


@pytest.mark.parametrize(("makers", "levels", "fits"), [(4, 3, True), (9, 1, True), (10, 1, False)])
def test_more_decisions_than_a_turn_takes(makers: int, levels: int, fits: bool) -> None:
    """The plain engine decides the rest in the next turn; such settings are played by it."""
    plain = build.settings(levels=levels)
    maker = next(iter(plain["strategies"].values()))
    named = {f"m{number}": maker for number in range(makers)}
    why = unplayable(convert({"strategies": named, "limits": plain["limits"]}), PAPER)
    assert why == ("" if fits else "its strategies together may decide more than one turn takes")
