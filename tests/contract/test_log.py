"""What every log promises, put to each of them: memory, archive, JetStream.

A log is opened through its `Place`, as often as a test likes; what survives between two openings
is what the log keeps.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mm.errors import ChainBroken, SequenceHole, WriterFenced
from mm.events.market import BookSnapshot
from mm.events.orders import CancelAll
from mm.events.session import NoteTaken, TimerFired
from mm.events.turn import TURN_EVENTS_MAX, TURN_FACTS_MAX, TURN_LEVELS_MAX
from mm.events.units import INT64_MAX, InstrumentId, Nanos, Seq, TurnNumber
from mm.events.vocabulary import KINDS
from mm.log import streams
from mm.log.archived import ArchivedLog
from mm.log.chain import START, Head, Sealed, advance, seal
from mm.log.connection import connect
from mm.log.jetstream import JetStreamLog
from mm.log.memory import MemoryLog
from mm.log.server import EmbeddedServer
from tests.strategies import FACTS, Step, chained, example, steps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from mm.log.base import Log

    Place = Callable[[], Awaitable[Log]]


@asynccontextmanager
async def memory(_path: Path) -> AsyncIterator[Place]:
    """A log in memory lives as long as its object."""
    log = MemoryLog()

    async def reopen() -> Log:
        return log

    yield reopen


@asynccontextmanager
async def archive(path: Path) -> AsyncIterator[Place]:
    """A directory of Parquet files."""

    async def reopen() -> Log:
        return ArchivedLog.open(path / "archive")

    yield reopen


@asynccontextmanager
async def jetstream(path: Path) -> AsyncIterator[Place]:
    """A server of this test's own, with a new connection."""
    async with EmbeddedServer(path / "store", sync="2m") as server:
        nc = await connect(server.access)

        async def reopen() -> Log:
            return await JetStreamLog.open(nc, streams.load("contract"))

        yield reopen
        await nc.close()


PLACES: Final = {"memory": memory, "archive": archive, "jetstream": jetstream}


@pytest.fixture(params=PLACES)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """Where one kind of log is kept."""
    async with PLACES[request.param](tmp_path) as found:
        yield found


@pytest.fixture
async def log(place: Place) -> AsyncIterator[Log]:
    """An empty log."""
    opened = await place()
    yield opened
    await opened.close()


def market(head: Head, at: int = 1) -> Sealed:
    """A turn of market data, or of timers, which count as such."""
    return seal(head, Nanos(head.at + at), [TimerFired(timer="t", deadline=Nanos(1))], [])


def orders(head: Head) -> Sealed:
    """A turn that touches orders."""
    cancel = CancelAll(instrument=InstrumentId(1), cause=Seq(1), reason="test")
    return seal(head, Nanos(head.at + 1), [NoteTaken(who="test", text="x")], [cancel])


async def fill(log: Log, turns: int) -> list[Sealed]:
    """Append turns of which every third touches orders."""
    done = []
    for number in range(turns):
        done.append(market(log.head) if number % 3 else orders(log.head))
        await log.append(done[-1])
    return done


async def everything(log: Log, after: int = 0) -> list[Sealed]:
    """All that a log reads back."""
    return [sealed async for sealed in log.read(TurnNumber(after))]


async def test_an_empty_log_stands_at_turn_zero(log: Log) -> None:
    """A new log has no turn, and its head is the start of every chain."""
    assert log.head == START
    assert await everything(log) == []
    assert [sealed async for sealed in log.read_orders()] == []


async def test_what_was_appended_is_read_back(log: Log) -> None:
    """Every turn comes back in order: turn, bytes and hash."""
    done = await fill(log, 20)
    assert await everything(log) == done


async def test_the_head_follows_each_append(log: Log) -> None:
    """The head names turn, event, time and both hashes of what was appended last."""
    head = START
    for number in range(8):
        sealed = market(head) if number % 3 else orders(head)
        await log.append(sealed)
        head = advance(head, sealed)
        assert log.head == head


async def test_reading_starts_after_any_turn(log: Log) -> None:
    """`after` leaves out that many turns; after the head nothing is left."""
    done = await fill(log, 7)
    for after in range(9):
        assert await everything(log, after) == done[after:]


async def test_orders_are_read_apart(log: Log) -> None:
    """The turns that touch orders come alone, in order."""
    done = await fill(log, 10)
    assert [sealed async for sealed in log.read_orders()] == done[::3]


async def test_reading_and_writing_alternate(log: Log) -> None:
    """A read between two appends disturbs neither."""
    first = await fill(log, 4)
    assert await everything(log) == first
    second = await fill(log, 4)
    assert await everything(log) == first + second


async def test_a_repeated_append_changes_nothing(log: Log) -> None:
    """The last turn may be appended again, as after a lost acknowledgement."""
    done = await fill(log, 3)
    await log.append(done[-1])
    assert log.head.number == 3
    assert await everything(log) == done


async def test_a_second_writer_is_refused(log: Log) -> None:
    """Of two turns that follow the same head only the first is stored."""
    head = log.head
    first, second = market(head), market(head, at=2)
    await log.append(first)
    with pytest.raises(WriterFenced):
        await log.append(second)
    assert await everything(log) == [first]


async def test_a_turn_of_another_log_is_refused(log: Log) -> None:
    """A turn whose predecessor is unknown here is not stored."""
    await fill(log, 2)
    foreign = market(advance(log.head, market(log.head)))
    with pytest.raises((WriterFenced, SequenceHole, ChainBroken)):
        await log.append(foreign)
    assert log.head.number == 2


async def test_a_log_goes_on_where_it_ended(place: Place) -> None:
    """Opened again, it stands at the same head and has the same turns."""
    log = await place()
    done = await fill(log, 5)
    head = log.head
    await log.close()
    again = await place()
    assert again.head == head
    done += await fill(again, 5)
    assert await everything(again) == done
    await again.close()


async def test_the_biggest_turn_fits(log: Log) -> None:
    """As many events and as many levels of as many digits as a turn may have."""
    half = (INT64_MAX, INT64_MAX - 1) * (TURN_LEVELS_MAX // 2)
    book = BookSnapshot(
        instrument=InstrumentId(1),
        received=Nanos(1),
        venue_time=Nanos(1),
        sequence=1,
        bids=half,
        asks=half,
    )
    rest = [example(FACTS[number % len(FACTS)], number) for number in range(TURN_FACTS_MAX - 1)]
    cancel = CancelAll(instrument=InstrumentId(1), cause=Seq(1), reason="test")
    decisions = [cancel] * (TURN_EVENTS_MAX - TURN_FACTS_MAX)
    biggest = seal(log.head, Nanos(1), [book, *rest], decisions)
    await log.append(biggest)
    assert await everything(log) == [biggest]
    assert [sealed async for sealed in log.read_orders()] == [biggest]


async def test_every_kind_of_event_is_kept(log: Log) -> None:
    """One event of each kind, a turn each, comes back to the byte."""
    done = []
    for kind in KINDS.values():
        facts, decisions = ([example(kind)], []) if kind in FACTS else ([], [example(kind)])
        done.append(seal(log.head, Nanos(log.head.at + 1), facts, decisions))
        await log.append(done[-1])
    assert await everything(log) == done


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(turns=st.lists(steps(), min_size=1, max_size=6))
async def test_any_turns_are_kept(log: Log, turns: list[Step]) -> None:
    """Whatever the events hold, turns, bytes and hashes come back as they were."""
    before = log.head
    done = chained(turns, before)
    for sealed in done:
        await log.append(sealed)
    assert await everything(log, before.number) == done
    touching = [sealed async for sealed in log.read_orders() if sealed.turn.number > before.number]
    assert touching == [sealed for sealed in done if sealed.turn.previous_orders]
