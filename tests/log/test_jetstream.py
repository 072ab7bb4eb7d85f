"""The durable log against a real server: acknowledged is stored, and there is one writer."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from mm.errors import LogFull, LogUnavailable, StreamMismatch, WriterFenced
from mm.events.units import TurnNumber
from mm.log.connection import close, connect
from mm.log.jetstream import LogOptions
from mm.log.limits import AppendLimits
from mm.log.mark import remembered
from mm.log.server import EmbeddedServer
from mm.log.wire import ask
from tests.log.turns import DESK, fill, market, opened, orders, pause, resume

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mm.log.chain import Sealed
    from mm.log.jetstream import JetStreamLog
    from mm.log.streams import Streams

QUICK = LogOptions(append=AppendLimits(append_seconds_max=0.8, ack_seconds_max=0.2))
PAUSED = """
import asyncio, sys
from mm.errors import WriterFenced
from mm.log.access import Access
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog
from tests.log.turns import DESK, market

async def main():
    url, user, password = sys.argv[1:]
    nc = await connect(Access(urls=(url,), user=user, password=password))
    log = await JetStreamLog.open(nc, DESK)
    print("writing", flush=True)
    try:
        while True:
            await log.append(market(log.head, "paused"))
    except WriterFenced:
        print(log.head.number, flush=True)

asyncio.run(main())
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server of this test's own."""
    async with EmbeddedServer(tmp_path / "store", sync="2m") as running:
        yield running


def declared(**config: Any) -> Streams:
    """The test desk's streams, with other settings for the session stream."""
    session = msgspec.structs.replace(DESK.session, config={**DESK.session.config, **config})
    return msgspec.structs.replace(DESK, session=session)


async def stored(log: JetStreamLog) -> list[Sealed]:
    """All that the log holds."""
    return [sealed async for sealed in log.read()]


async def reopen_inbox(log: JetStreamLog, after: float) -> None:
    """Hear acknowledgements again from some time on; those before are lost."""
    await log._writer._close_inbox()
    await asyncio.sleep(0)

    async def later() -> None:
        await asyncio.sleep(after)
        await log._writer.start()

    log._writer._reopening = asyncio.create_task(later())  # type: ignore[attr-defined]


async def test_a_turn_stands_where_its_number_says(server: EmbeddedServer) -> None:
    """One turn is one message: sequence, subject and id are the turn's own."""
    async with opened(server) as log:
        done = await fill(log, 4)
        nc = await connect(server.access)
        for sealed in done:
            message = await nc.jetstream().get_msg(DESK.session.name, sealed.turn.number)
            touching = bool(sealed.turn.previous_orders)
            assert message.data == sealed.payload
            assert message.subject == (DESK.orders_subject if touching else DESK.market_subject)
            assert (message.headers or {})["Nats-Msg-Id"] == sealed.id
        await close(nc)


@pytest.mark.parametrize("window", ["2m", "0.1s"])
async def test_a_lost_acknowledgement_is_asked_for_again(
    server: EmbeddedServer, window: str
) -> None:
    """The turn is sent again under its id and stands there once, remembered by server or chain."""
    streams = declared(duplicate_window=10**8) if window == "0.1s" else DESK
    async with opened(server, QUICK, streams) as log:
        for turns in range(1, 4):
            await reopen_inbox(log, after=0.1)
            await log.append(market(log.head) if turns < 3 else orders(log.head))
            assert [each.turn.number for each in await stored(log)] == list(range(1, turns + 1))


async def test_a_garbled_answer_is_no_acknowledgement(server: EmbeddedServer) -> None:
    """What is not an ack, or is one for another append, settles nothing."""
    async with opened(server, QUICK) as log:
        await fill(log, 1)
        pause(server)
        appending = asyncio.create_task(log.append(market(log.head)))
        await asyncio.sleep(0.05)
        mine = log._writer._inbox + log._writer._token
        log._writer._heard([(b"MSG %bx 1" % mine, b"", b'{"stream":"s","seq":2}')])
        log._writer._heard([(b"MSG %b 1" % mine, b"", b"garbage")])
        log._writer._heard([(b"MSG %b 1" % mine, b"", b"garbage again")])
        await asyncio.sleep(0.05)
        assert not appending.done()
        resume(server)
        await appending
        log._writer._heard([(b"MSG %b 1" % mine, b"", b'{"stream":"s","seq":99}')])
        assert len(await stored(log)) == 2


async def test_an_acknowledgement_elsewhere_is_refused(server: EmbeddedServer) -> None:
    """A turn that was stored at another place than its number is not taken for stored."""
    async with opened(server, QUICK) as log:
        pause(server)
        appending = asyncio.create_task(log.append(market(log.head)))
        await asyncio.sleep(0.05)
        mine = log._writer._inbox + log._writer._token
        log._writer._heard([(b"MSG %b 1" % mine, b"", b'{"stream":"s","seq":99}')])
        resume(server)
        with pytest.raises(WriterFenced, match="sequence 99"):
            await appending


async def test_a_silent_server_is_unavailable_within_the_bound(server: EmbeddedServer) -> None:
    """The append fails in time, and the very same turn may be appended once the server is back."""
    async with opened(server, QUICK) as log:
        await fill(log, 2)
        sealed = market(log.head)
        pause(server)
        began = time.monotonic()
        with pytest.raises(LogUnavailable, match="did not acknowledge in time"):
            await log.append(sealed)
        assert time.monotonic() - began < 1.5
        assert log.head.number == 2
        resume(server)
        await log.append(sealed)
        assert (await stored(log))[2:] == [sealed]


async def test_another_turn_than_the_doubted_one_is_fenced(server: EmbeddedServer) -> None:
    """If the append that was given up is stored after all, nothing else can take its place."""
    async with opened(server, QUICK) as log:
        await fill(log, 2)
        pause(server)
        with pytest.raises(LogUnavailable):
            await log.append(market(log.head, "doubted"))
        resume(server)
        with pytest.raises(WriterFenced, match="never acknowledged"):
            await log.append(market(log.head, "another"))
        async with opened(server) as again:
            assert again.head.number == 3


async def test_a_cancelled_append_leaves_the_log_usable(server: EmbeddedServer) -> None:
    """Whoever gives up waiting may append the same turn again."""
    async with opened(server) as log:
        pause(server)
        sealed = market(log.head)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(log.append(sealed), 0.05)
        resume(server)
        await log.append(sealed)
        assert await stored(log) == [sealed]


async def test_a_server_that_is_gone_is_unavailable(server: EmbeddedServer) -> None:
    """Without a connection nothing is accepted, and the append ends within the bound."""
    async with opened(server, QUICK) as log:
        await fill(log, 1)
        os.kill(server.pid, signal.SIGKILL)
        await server.exited()
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(LogUnavailable, match="connection"):
                await log.append(market(log.head))
            assert time.monotonic() - began < 1.5


async def test_a_lost_connection_is_noticed_at_once(server: EmbeddedServer) -> None:
    """An append under way does not wait out its answer's time when the connection is gone."""
    patient = AppendLimits(append_seconds_max=20.0, ack_seconds_max=20.0)
    async with opened(server, LogOptions(append=patient)) as log:
        pause(server)
        appending = asyncio.create_task(log.append(market(log.head)))
        await asyncio.sleep(0.05)
        os.kill(server.pid, signal.SIGKILL)
        await server.exited()
        await server.restart()
        await asyncio.wait_for(appending, 5)


async def test_a_stuck_server_is_unavailable(server: EmbeddedServer) -> None:
    """When the socket takes no more, the append is not queued but fails in time."""
    async with opened(server, QUICK) as log:
        pause(server)
        while log._writer._wire.send(b"mm.other", b"", bytes(500_000)):
            pass
        with pytest.raises(LogUnavailable, match="takes nothing more"):
            await log.append(market(log.head))
        resume(server)


async def test_a_stream_that_is_gone_is_unavailable(server: EmbeddedServer) -> None:
    """When no stream listens, that is said."""
    async with opened(server, QUICK) as log:
        await fill(log, 1)
        await ask(log._reader._wire.nc, f"STREAM.DELETE.{DESK.session.name}", {})
        with pytest.raises(LogUnavailable, match="no stream listens"):
            await log.append(market(log.head))


async def test_a_foreign_stream_is_refused(server: EmbeddedServer) -> None:
    """When another stream has taken the subjects, nothing is put into it."""
    async with opened(server, QUICK) as log:
        nc = log._reader._wire.nc
        await ask(nc, f"STREAM.DELETE.{DESK.session.name}", {})
        await ask(nc, "STREAM.CREATE.OTHER", {"name": "OTHER", "subjects": ["mm.>"]})
        with pytest.raises(StreamMismatch, match="10060"):
            await log.append(market(log.head))


async def test_a_first_turn_of_somebody_else_fences(server: EmbeddedServer) -> None:
    """Two writers that both found the log empty: one of them writes."""
    async with opened(server) as log, opened(server) as other:
        await other.append(market(other.head, "theirs"))
        with pytest.raises(WriterFenced, match="not empty"):
            await log.append(market(log.head, "ours"))


async def test_a_full_log_refuses_turns(server: EmbeddedServer) -> None:
    """At the limit a turn is refused by name; the log stays as it was and can be read."""
    async with opened(server, QUICK, declared(max_bytes=20_000)) as log:
        with pytest.raises(LogFull, match="maximum bytes exceeded"):
            await fill(log, 1000)
        assert 10 < log.head.number < 1000
        assert len(await stored(log)) == log.head.number


async def test_a_silent_server_on_a_full_disk_is_full(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    """A server whose disk is full does not answer; that is told apart from one that is stuck."""
    for disk_free_min, kind in ((1 << 62, LogFull), (1, LogUnavailable)):
        append = AppendLimits(
            append_seconds_max=0.3, ack_seconds_max=0.2, disk_free_min=disk_free_min
        )
        async with opened(server, LogOptions(append=append, store=tmp_path)) as log:
            pause(server)
            with pytest.raises(kind, match=r"the disk is full|did not acknowledge"):
                await log.append(market(log.head))
            resume(server)
    append = AppendLimits(append_seconds_max=0.3, disk_free_min=1 << 62)
    async with opened(server, LogOptions(append=append, store=tmp_path)) as log:
        os.kill(server.pid, signal.SIGKILL)
        await server.exited()
        with pytest.raises(LogUnavailable, match="connection"):
            await log.append(market(log.head))


async def test_a_mark_that_cannot_be_written_stops_the_log(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turn is stored but not remembered: its append fails, and may be repeated."""

    def broken(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with opened(server, LogOptions(mark=tmp_path / "mark")) as log:
        sealed = market(log.head)
        monkeypatch.setattr(os, "pwrite", broken)
        for _ in range(2):
            with pytest.raises(LogUnavailable, match="the mark cannot be kept: No space left"):
                await log.append(sealed)
        monkeypatch.undo()
        await log.append(sealed)
        assert remembered(tmp_path / "mark") == log.head
        assert await stored(log) == [sealed]


async def test_any_other_refusal_is_told(server: EmbeddedServer) -> None:
    """A refusal of which no more is known is passed on with its code."""
    async with opened(server, QUICK, declared(max_msg_size=1000)) as log:
        with pytest.raises(LogUnavailable, match="10054"):
            await log.append(market(log.head, "x" * 2000))


async def test_the_second_writer_fences_the_first(server: EmbeddedServer) -> None:
    """A writer that was overtaken appends nothing, and is told so each time it tries."""
    async with opened(server) as log:
        await fill(log, 5)
        async with opened(server) as other:
            done = await fill(other, 3, "theirs")
            for _ in range(2):
                with pytest.raises(WriterFenced):
                    await log.append(market(log.head, "ours"))
            assert (await stored(other))[5:] == done


async def test_a_writer_that_was_paused_appends_nothing(server: EmbeddedServer) -> None:
    """A process that was stopped in the middle of writing is fenced when it wakes up."""
    root = Path(__file__).parents[2]
    way = server.access
    paused = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", PAUSED, way.urls[0], way.user, way.password],
        stdout=subprocess.PIPE, cwd=root, text=True,
    )  # fmt: skip
    assert paused.stdout is not None
    try:
        assert paused.stdout.readline() == "writing\n"
        await asyncio.sleep(0.3)
        paused.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.2)
        async with opened(server) as log:
            before = log.head.number
            done = await fill(log, 5, "ours")
            paused.send_signal(signal.SIGCONT)
            assert int(await asyncio.to_thread(paused.stdout.readline)) <= before
            await asyncio.to_thread(paused.wait, 10)
            assert before > 10
            assert (await stored(log))[before:] == done
    finally:
        paused.kill()
        paused.wait()
        paused.stdout.close()


@pytest.mark.parametrize(
    "kills", [3, pytest.param(50, marks=pytest.mark.storm)], ids="{} kills".format
)
async def test_no_acknowledged_turn_is_lost_by_kills(server: EmbeddedServer, kills: int) -> None:
    """The server is killed again and again under load: appends go on, and all are there."""
    async with opened(server, LogOptions(append=AppendLimits(append_seconds_max=10))) as log:

        async def load() -> list[Sealed]:
            done = []
            while True:
                done += await fill(log, 1)
                if stop.is_set():
                    return done

        stop = asyncio.Event()
        loading = asyncio.create_task(load())
        for kill in range(kills):
            await asyncio.sleep(0.05 + 0.03 * (kill % 5))
            os.kill(server.pid, signal.SIGKILL)
            await server.exited()
            await server.restart()
        stop.set()
        done = await asyncio.wait_for(loading, 15)
        assert await stored(log) == done
        async with opened(server) as again:
            assert again.head == log.head


async def test_the_mark_follows_each_acknowledgement(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    """After every append the mark stands where the log does; a reopened log finds it there."""
    options = LogOptions(mark=tmp_path / "log.mark")
    async with opened(server, options) as log:
        assert remembered(tmp_path / "log.mark") is None
        for _ in range(5):
            await fill(log, 1)
            assert remembered(tmp_path / "log.mark") == log.head
    async with opened(server, options) as again:
        assert again.found.beyond_mark == 0
        assert not any("no mark" in note for note in again.found.notes)


async def test_a_missing_mark_is_noted_and_made(server: EmbeddedServer, tmp_path: Path) -> None:
    """A log that has turns but no mark is opened with a note, and has one from then on."""
    async with opened(server) as log:
        await fill(log, 5)
    async with opened(server, LogOptions(mark=tmp_path / "log.mark")) as again:
        assert "no mark" in again.found.notes[0]
        assert remembered(tmp_path / "log.mark") == again.head


async def test_a_log_may_be_checked_by_whoever_reads_it(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    """Without the check at the start nothing is written before everything was read."""
    options = LogOptions(mark=tmp_path / "log.mark", checked_by_read=True)
    async with opened(server) as log:
        done = await fill(log, 7)
    async with opened(server, options) as again:
        assert again.head.number == 7
        async with aclosing(again.read(TurnNumber(4))) as turns:
            assert await anext(turns) == done[4]
        with pytest.raises(AssertionError, match="read it to its end"):
            await again.append(market(again.head))
        assert remembered(tmp_path / "log.mark") is None
        tail = [sealed async for sealed in again.read(TurnNumber(4))]
        assert tail == done[4:]
        assert remembered(tmp_path / "log.mark") == again.head
        await fill(again, 1)
    async with opened(server, msgspec.structs.replace(options, verified=again.head)) as third:
        await fill(third, 1)  # Nothing is left to be read.


async def test_an_empty_log_needs_no_reading(server: EmbeddedServer, tmp_path: Path) -> None:
    """A new log is whole as it is."""
    async with opened(server, LogOptions(mark=tmp_path / "m", checked_by_read=True)) as log:
        assert (await stored(log), log.found.notes) == ([], ())
        await fill(log, 1)
