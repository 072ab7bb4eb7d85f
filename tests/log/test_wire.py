"""The log's lane on a connection: frames arrive whole, however the socket cuts them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nats.aio.client import Client

from mm.errors import LogUnavailable
from mm.log import wire as wire_module
from mm.log.access import Access
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog
from mm.log.server import EmbeddedServer
from mm.log.wire import Frame, Lane, Wire, ask, attach, direct
from tests.log.credentials import OPENSSL, authority
from tests.log.foreign import jetstream, nats_server
from tests.log.turns import DESK, fill, pause, resume

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HEADERS = b"NATS/1.0\r\nA: b\r\n\r\n"
FRAMES = (
    b"HMSG sub.ject 7 re.ply %d %d\r\n%bpay\r\nload\r\n" % (len(HEADERS), len(HEADERS) + 9, HEADERS)
    + b"MSG sub.ject 7 re.ply 0\r\n\r\n"
    + b"+OK\r\n"
    + b"MSG other 7 5\r\nMSG x\r\n"
    + b"MSG nobody 8 3\r\nabc\r\n"
    + b"MSG other 7 70000\r\n" + bytes(70000) + b"\r\n"
)  # fmt: skip
EXPECTED = [
    (b"HMSG sub.ject 7 re.ply", HEADERS, b"pay\r\nload"),
    (b"MSG sub.ject 7 re.ply", b"", b""),
    (b"MSG other 7", b"", b"MSG x"),
    (b"MSG other 7", b"", bytes(70000)),
]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server of this test's own."""
    async with EmbeddedServer(tmp_path / "store", sync="2m") as running:
        yield running


@pytest.fixture
async def wire(server: EmbeddedServer) -> AsyncIterator[Wire]:
    """A lane on a connection of its own."""
    nc = await connect(server.access)
    yield await attach(nc)
    await close(nc)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000, 65536, len(FRAMES)])
async def test_frames_are_whole_however_they_are_cut(size: int) -> None:
    """Every cut gives the same frames in the same order; foreign ones go to nats-py."""
    lane, heard = Lane(Client()), list[Frame]()

    def handler(frames: list[Frame]) -> None:
        assert frames, "a handler is only called when there is something"
        heard.extend(frames)

    lane.handlers[b"7"] = handler
    for start in range(0, len(FRAMES), size):
        await lane.parse(FRAMES[start : start + size])
    assert heard == EXPECTED


@pytest.mark.parametrize("cut", range(0, 60, 3))
async def test_half_a_frame_dies_with_its_connection(cut: int) -> None:
    """What a lost connection left unfinished is not glued to what the next one sends."""
    lane, heard, losses = Lane(Client()), list[Frame](), list[int]()
    lane.handlers[b"7"] = heard.extend
    lane.on_loss.add(lambda: losses.append(1))
    await lane.parse(FRAMES[:cut])
    whole = len(heard)
    lane.reset()
    await lane.parse(FRAMES)
    assert heard[whole:] == EXPECTED
    assert losses == [1]


async def test_a_loss_in_the_middle_of_a_read_ends_it() -> None:
    """Once nats-py has given the connection up, the rest of what was read is not looked at."""
    lane, heard = Lane(Client()), list[Frame]()

    async def lost(*_: object) -> None:
        lane.reset()

    lane.handlers[b"7"] = heard.extend
    lane.nc._process_err = lost
    await lane.parse(b"MSG a 7 1\r\nx\r\n-ERR 'stale connection'\r\nMSG b 7 1\r\ny\r\nMSG half")
    await lane.parse(b"MSG c 7 1\r\nz\r\n")
    assert [payload for _, _, payload in heard] == [b"x", b"z"]


async def test_what_is_sent_arrives(wire: Wire) -> None:
    """Messages with and without headers come back on the lane as they were sent."""
    heard, news = list[Frame](), asyncio.Event()

    def handler(frames: list[Frame]) -> None:
        heard.extend(frames)
        if len(heard) == 2:
            news.set()

    inbox, close = await wire.listen(handler)
    assert wire.send(inbox + b"a", b"", b"plain")
    assert wire.send(inbox + b"b", b"re.ply", b"with", HEADERS)
    await asyncio.wait_for(news.wait(), 5)
    await close()
    assert [each[1:] for each in heard] == [(b"", b"plain"), (HEADERS, b"with")]
    assert heard[1][0].endswith(b" re.ply")


async def test_nats_py_goes_on_beside_it(wire: Wire) -> None:
    """Subscriptions of nats-py's own, and its requests, work on the same connection."""
    seen = await wire.nc.subscribe("mine")
    await wire.nc.publish("mine", b"x" * 100_000, headers={"H": "v"})
    message = await seen.next_msg(5)
    assert (message.data, message.headers) == (b"x" * 100_000, {"H": "v"})
    assert await ask(wire.nc, "INFO", {})


@pytest.mark.skipif(not Path(OPENSSL).exists(), reason="no openssl to make certificates with")
async def test_the_lane_runs_inside_tls(tmp_path: Path) -> None:
    """What is written past nats-py's queue is encrypted like the rest, and large frames whole."""
    files = authority(tmp_path / "pki")
    tls = {"cert_file": str(files / "server.pem"), "key_file": str(files / "server.key")}
    with nats_server(tmp_path, jetstream=jetstream(tmp_path), tls=tls) as port:
        access = Access(urls=(f"tls://127.0.0.1:{port}",), tls_ca=str(files / "ca.pem"))
        nc = await connect(access)
        log = await JetStreamLog.open(nc, DESK)
        done = await fill(log, 20, "x" * 400_000)
        assert [sealed async for sealed in log.read()] == done
        assert [sealed async for sealed in log.read_orders()] == done[::3]
        await log.close()
        await close(nc)


async def test_attaching_twice_shares_the_lane(wire: Wire) -> None:
    """A log and a tap use one lane on one connection."""
    again = await attach(wire.nc)
    assert again._lane is wire._lane


async def test_a_frame_in_flight_is_left_to_nats_py(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attaching waits until the parser before it has finished its message."""
    nc = await connect(server.access)
    await nc.flush()

    async def half_a_frame_comes(_seconds: int) -> None:
        await nc._ps.parse(b"MSG nobody 99 3\r\nab")

    monkeypatch.setattr(nc, "flush", half_a_frame_comes)
    attaching = asyncio.create_task(attach(nc))
    await asyncio.sleep(0.05)
    assert not attaching.done()
    nc._ps.reset()
    await attaching
    await nc.close()


async def test_a_closed_connection_is_unavailable(server: EmbeddedServer) -> None:
    """On a connection that was closed nothing is sent, and everything else says why."""
    nc = await connect(server.access)
    wire = await attach(nc)
    fresh = await connect(server.access)
    _, close = await wire.listen(list[object]().extend)
    await nc.close()
    await fresh.close()
    await close()
    assert not wire.send(b"a", b"", b"")
    assert not await wire.connection_within(0.01)
    for attempt in (wire.listen(print), attach(fresh), ask(nc, "INFO", {})):
        with pytest.raises(LogUnavailable):
            await attempt


async def test_an_inbox_that_cannot_be_opened_leaves_nothing(
    server: EmbeddedServer, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the server does not confirm the subscription, it is taken back."""
    monkeypatch.setattr(wire_module, "API_SECONDS_MAX", 0.2)
    pause(server)
    with pytest.raises(LogUnavailable, match="flush timeout"):
        await wire.listen(print)
    resume(server)
    assert not wire._lane.handlers


async def test_refusals_are_told_apart(wire: Wire) -> None:
    """An error that means absence gives nothing; any other is raised."""
    assert await ask(wire.nc, "STREAM.INFO.NONE", {}, absent=10059) == {}
    with pytest.raises(LogUnavailable, match="stream not found"):
        await ask(wire.nc, "STREAM.INFO.NONE", {})
    with pytest.raises(LogUnavailable, match="no responders"):
        await direct(wire.nc, "NONE", {"seq": 1})


async def test_a_server_that_takes_nothing_fills_nobodys_memory(
    server: EmbeddedServer, wire: Wire
) -> None:
    """When the socket is stuck, `send` refuses instead of queueing without end."""
    pause(server)
    try:
        sent = 0
        while wire.send(b"mm.x", b"", bytes(500_000)):
            sent += 1
            assert sent < 100
    finally:
        resume(server)
    while not wire.send(b"mm.x", b"", b""):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_connection_that_comes_back_brings_its_inboxes(
    server: EmbeddedServer, wire: Wire
) -> None:
    """After a kill of the server the same inbox hears again; the loss is told."""
    heard, losses = list[Frame](), list[int]()
    forget = wire.on_loss(lambda: losses.append(1))
    inbox, _ = await wire.listen(heard.extend)
    os.kill(server.pid, signal.SIGKILL)
    await server.exited()
    while not losses:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert not wire.send(inbox + b"a", b"", b"lost")
    await server.restart()
    assert await wire.connection_within(5)
    assert wire.send(inbox + b"a", b"", b"found")
    while not heard:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert [payload for _, _, payload in heard] == [b"found"]
    forget()
