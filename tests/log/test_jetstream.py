"""The durable log against a real server: what is acknowledged is there, and there is one writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mm.errors import WriterFenced
from mm.events.orders import CancelAll
from mm.events.session import NoteTaken, TimerFired
from mm.events.units import InstrumentId, Nanos, Seq, TurnNumber
from mm.log import streams
from mm.log.chain import Head, Sealed, seal
from mm.log.connection import connect
from mm.log.jetstream import JetStreamLog
from mm.log.server import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DESK = streams.load("test")


def market(head: Head, text: str = "t") -> Sealed:
    """A turn that touches no order."""
    return seal(head, Nanos(head.at + 1), [TimerFired(timer=text, deadline=Nanos(1))], [])


def orders(head: Head) -> Sealed:
    """A turn that touches orders."""
    cancel = CancelAll(instrument=InstrumentId(1), cause=Seq(1), reason="test")
    note = NoteTaken(who="test", text="x")
    return seal(head, Nanos(head.at + 1), [note], [cancel])


async def fill(log: JetStreamLog, turns: int) -> list[Sealed]:
    """Append `turns` turns, every third of which touches orders."""
    done = []
    for number in range(turns):
        done.append(market(log.head) if number % 3 else orders(log.head))
        await log.append(done[-1])
    return done


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server of this test's own."""
    async with EmbeddedServer(tmp_path / "store", sync="2m") as running:
        yield running


@pytest.fixture
async def log(server: EmbeddedServer) -> AsyncIterator[JetStreamLog]:
    """A log on that server, and a connection of its own."""
    nc = await connect(server.access)
    opened = await JetStreamLog.open(nc, DESK)
    yield opened
    await opened.close()
    await nc.close()


async def test_turns_come_back_as_they_were(log: JetStreamLog) -> None:
    """Every acknowledged turn is read back, byte for byte and in order."""
    done = await fill(log, 30)
    assert [sealed async for sealed in log.read()] == done
    assert [sealed async for sealed in log.read(TurnNumber(20))] == done[20:]
    assert [sealed async for sealed in log.read_orders()] == done[::3]


async def test_a_log_goes_on_where_it_ended(server: EmbeddedServer, log: JetStreamLog) -> None:
    """Opened again, it stands at the same head."""
    await fill(log, 10)
    nc = await connect(server.access)
    again = await JetStreamLog.open(nc, DESK)
    assert again.head == log.head
    await again.close()
    await nc.close()


async def test_the_second_writer_fences_the_first(
    server: EmbeddedServer, log: JetStreamLog
) -> None:
    """A writer that was overtaken appends nothing, and is told so."""
    await fill(log, 5)
    nc = await connect(server.access)
    other = await JetStreamLog.open(nc, DESK)
    taken = market(other.head, "theirs")
    await other.append(taken)
    with pytest.raises(WriterFenced):
        await log.append(market(log.head, "ours"))
    assert [sealed async for sealed in other.read()][5:] == [taken]
    await other.close()
    await nc.close()
