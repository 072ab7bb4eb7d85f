"""`mm log tail`: every acknowledged turn of a running session is shown, and its end is told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from mm.apps import following
from mm.apps.following import Follower
from mm.apps.inspection import Inspection
from mm.apps.reading import closing, locate, opened
from mm.apps.sessions import DeskFiles
from mm.errors import LogUnavailable, SessionError
from mm.events.turn import records
from mm.events.vocabulary import tag_of
from mm.log import streams
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog, LogOptions
from mm.log.server import EmbeddedServer
from tests.apps.desks import ENDED, append, archive, session

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mm.log.chain import Sealed

TURNS: Final = session(30, ENDED)
HALF: Final = len(TURNS) // 2
EVENTS: Final = sum(sealed.turn.size for sealed in TURNS[:HALF])
RUN: Final = "import sys; from mm.apps.cli import main; main(sys.argv[1:])"


@asynccontextmanager
async def running(root: Path) -> AsyncIterator[tuple[EmbeddedServer, JetStreamLog]]:
    """A session under way: half of its turns are on the log."""
    files = DeskFiles(root)
    async with EmbeddedServer(files.store, sync="2m") as server:
        nc = await connect(server.access)
        log = await JetStreamLog.open(nc, streams.load(root.name), LogOptions(mark=files.mark))
        await append(log, TURNS[:HALF])
        try:
            yield server, log
        finally:
            await log.close()
            await close(nc)


async def archived(root: Path) -> None:
    """Archive the session as its runner does before the server stops."""
    await asyncio.sleep(0.3)
    await asyncio.to_thread(archive, DeskFiles(root).archive, TURNS, name="desk")


async def tail(root: Path, *options: str) -> Process:
    """`mm log tail` in a process of its own."""
    command = (sys.executable, "-c", RUN, "log", "tail", str(root), *options)
    environment = {name: value for name, value in os.environ.items() if name != "NATS_URL"}
    return await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )


async def lines(process: Process, count: int) -> list[str]:
    """The next lines of its output."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return [(await process.stdout.readline()).decode() for _ in range(count)]


async def ended(process: Process) -> tuple[int | None, str, str]:
    """Wait for its end: exit code, what else it printed, and its errors."""
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def numbers(text: list[str]) -> list[int]:
    """The event numbers in lines."""
    return [int(line.split()[0].removeprefix("#")) for line in text]


async def test_tail_follows_until_ctrl_c(tmp_path: Path) -> None:
    """The last events first, then each as it is appended; Ctrl-C ends it with 130."""
    root = tmp_path / "desk"
    async with running(root) as (_, log):
        process = await tail(root, "-n", "3")
        assert numbers(await lines(process, 3)) == [EVENTS - 2, EVENTS - 1, EVENTS]
        for sealed in TURNS[HALF : HALF + 4]:
            await log.append(sealed)
            size = sealed.turn.size
            first = sealed.turn.first
            assert numbers(await lines(process, size)) == list(range(first, first + size))
        process.send_signal(signal.SIGINT)
        code, out, err = await ended(process)
    assert (code, out) == (130, "")
    assert "Traceback" not in err


async def test_tail_ends_with_the_session(tmp_path: Path) -> None:
    """It shows what was asked for up to the last event, and ends in good order with it."""
    root = tmp_path / "desk"
    async with running(root) as (_, log):
        process = await tail(root, "-n", "1", "--kind", "order.*,session.*", "--json")
        await lines(process, 1)
        await append(log, TURNS[HALF:])
        await archived(root)
    code, out, err = await ended(process)
    assert code == 0, err
    found = [json.loads(line) for line in out.splitlines()]
    assert found[-1]["kind"] == "session.ended"
    assert {each["kind"].partition(".")[0] for each in found} == {"order", "session"}
    wanted = [
        record.number
        for sealed in TURNS[HALF:]
        for record in records(sealed.turn)
        if tag_of(type(record.event)).startswith(("order.", "session."))
    ]
    assert [each["number"] for each in found] == wanted


async def followed(root: Path) -> list[Sealed]:
    """Everything a follower sees from the beginning of its reading on."""
    async with opened(root) as reading:
        return [sealed async for sealed in Follower(reading).turns()]


async def test_a_follower_misses_nothing(tmp_path: Path) -> None:
    """Turns that come faster than it asks are all there, once and in order."""
    root = tmp_path / "desk"
    async with running(root) as (_, log):
        follower = asyncio.create_task(followed(root))
        await asyncio.sleep(0.5)
        for sealed in TURNS[HALF:]:
            await log.append(sealed)
            await asyncio.sleep(0.003)
        await archived(root)
    async with asyncio.timeout(30):
        assert await follower == TURNS[HALF:]


async def test_the_archive_has_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came between the last look and the end of the server is read from the archive."""
    monkeypatch.setattr(following, "POLL_SECONDS", 0.5)
    monkeypatch.setattr(following, "RESTART_SECONDS", 0.2)
    root = tmp_path / "desk"
    async with running(root) as (server, log):
        follower = asyncio.create_task(followed(root))
        await asyncio.sleep(0.4)
        await append(log, TURNS[HALF:])
        archive(DeskFiles(root).archive, TURNS, name="desk")
        await server.stop()
    async with asyncio.timeout(30):
        assert await follower == TURNS[HALF:]


async def test_a_server_that_dies_is_waited_for(tmp_path: Path) -> None:
    """A server that is started again goes on being followed: nothing is missed."""
    root = tmp_path / "desk"
    async with running(root) as (server, log):
        follower = asyncio.create_task(followed(root))
        await asyncio.sleep(0.5)
        await log.append(TURNS[HALF])
        os.kill(server.pid, signal.SIGKILL)
        await server.exited()
        await server.restart()
        await append(log, TURNS[HALF + 1 :])
        await archived(root)
    async with asyncio.timeout(30):
        assert await follower == TURNS[HALF:]


async def test_a_session_that_is_cut_off_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that went away for good, without an end of the session, is an error."""
    monkeypatch.setattr(following, "RESTART_SECONDS", 0.2)
    root = tmp_path / "desk"
    async with running(root) as (server, _):
        follower = asyncio.create_task(followed(root))
        await asyncio.sleep(0.5)
        await server.stop()
        with pytest.raises(LogUnavailable, match=f"turn {HALF} was not its last word"):
            await follower


async def test_a_stream_of_json_stays_one_to_the_end(tmp_path: Path) -> None:
    """Whatever ends it, every line of stdout is a document: the error goes to stderr only."""
    root = tmp_path / "desk"
    async with running(root) as (server, _):
        process = await tail(root, "-n", "2", "--json")
        shown = await lines(process, 2)
        await server.stop()
        code, out, err = await ended(process)
    assert [json.loads(line)["number"] for line in shown] == [EVENTS - 1, EVENTS]
    assert (code, out) == (4, "")
    assert err.startswith("LogUnavailable: ")


async def test_what_runs_is_listed_and_shown(tmp_path: Path) -> None:
    """While it runs, `ls`, `stats`, `show` and `check` read it as an observer."""
    root = tmp_path / "desk"

    async def asked(*arguments: str) -> Any:
        command = (sys.executable, "-c", RUN, "log", *arguments, "--json")
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        assert process.returncode == 0
        return json.loads(out)

    async with running(root) as (server, log):
        (entry,) = await asked("ls", "--data", str(tmp_path))
        assert (entry["state"], entry["turns"], entry["events"]) == ("running", HALF, EVENTS)
        assert entry["first"] == TURNS[0].turn.at
        assert entry["last"] == TURNS[HALF - 1].turn.at
        assert (await asked("stats", str(root)))["events"] == EVENTS
        assert [each["number"] for each in await asked("show", str(root), "--last", "1")] == [
            EVENTS
        ]
        assert (await asked("check", str(root)))["running"]
        await append(log, TURNS[HALF:])
        assert server.running


async def test_a_shared_server_is_read_by_the_desk_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With NATS_URL a desk needs no directory here: its log is shown, checked and followed."""
    async with running(tmp_path / "elsewhere" / "desk") as (server, log):
        monkeypatch.setenv("NATS_URL", server.url)
        monkeypatch.setenv("NATS_USER", server.reader.user)
        monkeypatch.setenv("NATS_PASSWORD", server.reader.password)
        monkeypatch.chdir(tmp_path)
        path = locate("desk", tmp_path / "data")
        async with opened(path) as reading:
            assert [sealed async for sealed in reading.turns()] == TURNS[:HALF]
            async with closing(Follower(reading).turns()) as turns:
                await log.append(TURNS[HALF])
                assert await anext(turns) == TURNS[HALF]
        found = await Inspection(path).run()
        assert (found.turns, found.archive, found.mark) == (HALF + 1, None, None)
        with pytest.raises(SessionError, match="no log of desk other"):
            async with opened(locate("other", tmp_path / "data")):
                pass
