"""Spans of a stream, read in bounded pages, whatever interrupts them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from mm.errors import LogUnavailable, SequenceHole
from mm.log import wire as wire_module
from mm.log.connection import LinkOptions, close, connect
from mm.log.pages import PageLimits, span
from mm.log.server import EmbeddedServer
from mm.log.walk import sequence_of
from mm.log.wire import Wire, ask, attach
from tests.log.turns import pause, resume

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mm.log.wire import Frame

SMALL = PageLimits(messages_max=10, bytes_max=4000, silence_seconds_max=0.5, attempts_max=2)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server of this test's own."""
    async with EmbeddedServer(tmp_path / "store", sync="2m") as running:
        yield running


@pytest.fixture
async def wire(server: EmbeddedServer) -> AsyncIterator[Wire]:
    """A stream of 200 messages of very different sizes, on a connection of its own."""
    nc = await connect(server.access, LinkOptions(reconnect_seconds=0.01))
    await ask(nc, "STREAM.CREATE.S", {"name": "S", "subjects": ["s.*"], "allow_direct": True})
    for number in range(1, 201):
        headers = {"Number": str(number)} if number % 7 else None
        await nc.jetstream().publish("s.x", content(number), headers=headers)
    yield await attach(nc)
    await close(nc)


def content(number: int) -> bytes:
    """What the message holds: some are large, one is empty."""
    return b"%d" % number * (1 if number % 5 else 300) if number != 77 else b""


async def read(wire: Wire, first: int, last: int, limits: PageLimits = SMALL) -> list[Frame]:
    """All frames of a span."""
    return [frame async for page in span(wire, "S", first, last, limits) for frame in page]


@pytest.mark.parametrize("limits", [SMALL, PageLimits(), PageLimits(messages_max=1)], ids=repr)
@pytest.mark.parametrize(("first", "last"), [(1, 200), (1, 1), (200, 200), (33, 144), (5, 4)])
async def test_a_span_is_read_whole(wire: Wire, limits: PageLimits, first: int, last: int) -> None:
    """Every message from first to last, once and in order, and no other."""
    frames = await read(wire, first, last, limits)
    assert [sequence_of(frame) for frame in frames] == list(range(first, last + 1))
    assert [payload for _, _, payload in frames] == [content(n) for n in range(first, last + 1)]


async def test_what_is_not_there_is_left_out(wire: Wire) -> None:
    """Deleted messages are missing in the pages; at the end they are missed by name."""
    for number in (50, 51, 199, 200):
        await ask(wire.nc, "STREAM.MSG.DELETE.S", {"seq": number})
    found = [sequence_of(frame) for frame in await read(wire, 40, 198)]
    assert found == [*range(40, 50), *range(52, 199)]
    with pytest.raises(SequenceHole, match="sequence 199 is missing"):
        await read(wire, 40, 200)
    with pytest.raises(SequenceHole, match="sequence 500 is missing"):
        await read(wire, 500, 600)


async def test_no_more_is_under_way_than_allowed(wire: Wire) -> None:
    """While the reader rests, what waits for it stays within the limits."""
    limits = PageLimits(messages_max=20)
    async for page in span(wire, "S", 1, 200, limits):
        await asyncio.sleep(0.02)
        assert len(page) <= 20


async def test_a_request_that_used_up_its_bytes_is_followed_by_another(wire: Wire) -> None:
    """Reaching the limit of bytes again and again interrupts nothing."""
    began = time.monotonic()
    assert len(await read(wire, 1, 200, PageLimits(messages_max=100, bytes_max=4000))) == 200
    assert time.monotonic() - began < 4, "it waited for the silence to be long enough"


async def test_a_reader_may_stop_early(wire: Wire) -> None:
    """A caller who has seen enough leaves nothing behind that could disturb the next one."""
    pages = span(wire, "S", 1, 200, SMALL)
    first = await anext(pages)
    await pages.aclose()  # type: ignore[attr-defined]
    assert sequence_of(first[0]) == 1
    assert len(await read(wire, 1, 200)) == 200


@pytest.mark.parametrize("after", [1, 3, 10])
async def test_a_restart_of_the_server_is_survived(
    server: EmbeddedServer, wire: Wire, after: int
) -> None:
    """The consumer dies with its server; another goes on where it ended."""
    found, pages = list[int](), 0
    async for page in span(wire, "S", 1, 200, SMALL):
        found += [sequence_of(frame) for frame in page]
        pages += 1
        if pages == after:
            os.kill(server.pid, signal.SIGKILL)
            await server.exited()
            await server.restart()
    assert found == list(range(1, 201))


async def test_a_server_that_stays_away_is_unavailable(server: EmbeddedServer, wire: Wire) -> None:
    """A read ends within its bound when the connection does not come back."""
    os.kill(server.pid, signal.SIGKILL)
    await server.exited()
    while wire.connected:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    began = time.monotonic()
    with pytest.raises(LogUnavailable, match="connection is down"):
        await read(wire, 1, 200)
    assert time.monotonic() - began < 5


async def test_a_connection_lost_while_reading_is_unavailable(
    server: EmbeddedServer, wire: Wire
) -> None:
    """A read that had begun says that the connection is down."""
    pages = span(wire, "S", 1, 200, SMALL)
    await anext(pages)
    os.kill(server.pid, signal.SIGKILL)
    await server.exited()
    with pytest.raises(LogUnavailable, match="connection is down"):
        async for _ in pages:
            pass


async def test_a_server_that_falls_silent_is_unavailable(
    server: EmbeddedServer, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nothing comes although there is more, the read gives up."""
    monkeypatch.setattr(wire_module, "API_SECONDS_MAX", 0.2)
    pages = span(wire, "S", 1, 200, SMALL)
    await anext(pages)
    pause(server)
    with pytest.raises(LogUnavailable):
        async for _ in pages:
            pass
    resume(server)


async def test_a_server_that_is_silent_from_the_start_is_unavailable(
    server: EmbeddedServer, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that cannot even begin says so."""
    monkeypatch.setattr(wire_module, "API_SECONDS_MAX", 0.2)
    pause(server)
    with pytest.raises(LogUnavailable):
        await read(wire, 1, 200)
    resume(server)


async def test_what_comes_later_is_read_too(wire: Wire) -> None:
    """A span may end beyond what is there when it begins, if that comes in time."""
    nc = wire.nc

    async def later() -> None:
        await asyncio.sleep(0.02)
        for number in range(201, 211):
            await nc.jetstream().publish("s.x", content(number), headers={"Number": "x"})

    coming = asyncio.create_task(later())
    pages = span(wire, "S", 190, 200, PageLimits(attempts_max=100))
    assert [sequence_of(frame) async for page in pages for frame in page] == list(range(190, 201))
    await coming
    assert len(await read(wire, 190, 210)) == 21


async def test_a_consumer_that_is_taken_away_is_replaced(wire: Wire) -> None:
    """Whoever removes the consumer interrupts nothing but the moment."""
    found = list[int]()
    async for page in span(wire, "S", 1, 200, SMALL):
        found += [sequence_of(frame) for frame in page]
        names = (await ask(wire.nc, "CONSUMER.NAMES.S", {}))["consumers"] or []
        for name in names if len(found) < 60 else []:
            await ask(wire.nc, f"CONSUMER.DELETE.S.{name}", {}, absent=10014)
    assert found == list(range(1, 201))


async def test_a_read_gives_up_after_so_many_interruptions(wire: Wire) -> None:
    """Interrupted again and again without getting any further, a read ends."""
    limits = PageLimits(messages_max=10, attempts_max=1)

    async def disturbed() -> None:
        async for _ in span(wire, "S", 1, 200, limits):
            for name in (await ask(wire.nc, "CONSUMER.NAMES.S", {}))["consumers"]:
                await ask(wire.nc, f"CONSUMER.DELETE.S.{name}", {})

    with pytest.raises(LogUnavailable, match="stopped sending"):
        await disturbed()


async def test_a_stream_that_is_absent_is_unavailable(wire: Wire) -> None:
    """A span of no stream is an error, not an empty read."""
    with pytest.raises(LogUnavailable, match="stream not found"):
        async for _ in span(wire, "NONE", 1, 2, SMALL):
            pass
