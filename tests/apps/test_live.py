"""`mm live` as a process: how it ends, what its exit code says, what the next one makes of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from mm.apps.logs import turns
from mm.apps.spool import Spool
from mm.events.orders import CancelAll, OrderSubmitted, PlaceOrder
from mm.events.session import (
    EngineFaulted,
    NoteTaken,
    SessionEnded,
    SessionStarted,
    StopRequested,
    TradingHalted,
    TradingRearmed,
)
from mm.log.archive import Archive
from tests.apps import witness
from tests.apps.fire import PATIENCE, Fire, kill
from tests.apps.processes import RUN, here, mm, refused

if TYPE_CHECKING:
    from pathlib import Path

    from mm.log.chain import Sealed

FAULTY: Final = """
import mm.strategy.symmetric as s
decide, asked = s.Symmetric.decide, []
def faulty(self, view, memory):
    asked.append(1)
    if len(asked) == 25:
        raise ZeroDivisionError("the twenty-fifth question")
    return decide(self, view, memory)
s.Symmetric.decide = faulty
"""
STORM: Final = pytest.mark.storm
DEAF: Final = """
import signal
for number in signal.SIGINT, signal.SIGHUP:
    signal.signal(number, signal.SIG_IGN)
"""
SHORT_PATIENCE: Final = "import mm.apps.outage as o; o.PATIENCE_SECONDS = 0.2\n"


def log_of(fire: Fire) -> list[Sealed]:
    """Every turn on the desk's log."""

    async def read() -> list[Sealed]:
        return [sealed async for sealed in turns(fire.desk)]

    return asyncio.run(read())


def facts(read: list[Sealed], *kinds: type[Any]) -> list[Any]:
    """The facts of some kinds, in order."""
    return [fact for sealed in read for fact in sealed.turn.facts if isinstance(fact, kinds)]


def decided(read: list[Sealed], *kinds: type[Any]) -> list[Any]:
    """The decisions of some kinds, in order."""
    return [each for sealed in read for each in sealed.turn.decisions if isinstance(each, kinds)]


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end: exit code, output, errors."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=STORM), signal.SIGHUP]
)
def test_a_signal_ends_the_session_in_order(number: signal.Signals, tmp_path: Path) -> None:
    """Quotes pulled, orders canceled, end recorded, everything archived, exit code 0."""
    fire = Fire(tmp_path)
    with fire.trading("--seconds", 0, "--json") as process:
        fire.wait(process, lambda seen: ("sent", "PlaceOrder") in [each[:2] for each in seen.lines])
        process.send_signal(number)
        code, out, err = ended(process)
    assert (code, err.count("Traceback")) == (0, 0), err
    report = msgspec.json.decode(out)
    assert report["ended"]["reason"] == number.name
    assert report["statistics"]["open"] == 0
    fire.checked()
    read = log_of(fire)
    assert [each.reason for each in facts(read, StopRequested)] == [number.name]
    assert [each.reason for each in facts(read, SessionEnded)] == [number.name]
    stop = next(each for each in read if facts([each], StopRequested))
    assert decided([stop], CancelAll)
    assert not decided(read[stop.turn.number :], PlaceOrder)
    assert fire.verified()[0] > 0


@STORM
def test_in_the_background_sigterm_ends_it(tmp_path: Path) -> None:
    """What a shell, or `nohup`, has it ignore is not meant for it: it trades on."""
    fire = Fire(tmp_path)
    with fire.trading("--seconds", 0, code=DEAF + witness.CODE) as process:
        last = fire.wait(process, lambda seen: bool(seen.acked)).last
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGHUP)
        fire.wait(process, lambda seen: seen.last > last + 50)
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 0
    fire.checked()
    assert [each.reason for each in facts(log_of(fire), SessionEnded)] == ["SIGTERM"]


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Asked twice it does not wait for the venue: exit code 130, and the next session goes on."""
    fire = Fire(tmp_path)
    far = {"MM_PAPER__LATENCY": "seeds"}
    with fire.trading("--seconds", 0, **far) as process:
        fire.wait(process, lambda seen: ("sent", "PlaceOrder") in [each[:2] for each in seen.lines])
        process.send_signal(signal.SIGINT)
        fire.wait(process, lambda seen: ("sent", "CancelAll") in [each[:2] for each in seen.lines])
        process.send_signal(signal.SIGINT)
        code, _, err = ended(process)
    assert code == 130, err
    (line,) = err.splitlines()
    assert line.startswith("Interrupted: stopped by Ctrl-C without waiting for the venue: ")
    assert "every acknowledged turn is on the log" in line
    fire.checked()
    assert fire.ended == 0
    assert here(*fire.live("--seconds", 0.3)).returncode == 0
    fire.checked()
    assert (fire.sessions, fire.ended) == (2, 1)


@pytest.mark.parametrize(
    "gap",
    [0.002, *(pytest.param(each, marks=STORM) for each in (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.8))],
)
def test_a_second_signal_never_shows_a_traceback(gap: float, tmp_path: Path) -> None:
    """Whatever is under way when it comes: an append, a cancel, the log's end, archiving."""
    fire = Fire(tmp_path)
    with fire.trading("--seconds", 0, MM_PAPER__LATENCY="seeds") as process:
        fire.wait(process, lambda seen: ("sent", "PlaceOrder") in [each[:2] for each in seen.lines])
        process.send_signal(signal.SIGINT)
        time.sleep(gap)
        process.send_signal(signal.SIGINT)
        code, _, err = ended(process)
    assert code in (0, 130), err
    assert "Traceback" not in err
    assert err.count("Interrupted: stopped by Ctrl-C") == (code == 130)
    fire.checked()


def test_a_recording_ends_the_session(tmp_path: Path) -> None:
    """Played as fast as possible, it ends with the recording; a longer one goes on from there."""
    fire = Fire(tmp_path)
    recording = tmp_path / "market"
    assert here("record", "--feed", "synthetic", "--seconds", 3, "--out", recording).returncode == 0
    feed = f'kind = "recording"\npath = "{recording}"\nspeed = "max"'
    fire.config.write_text(fire.config.read_text().replace('kind = "synthetic"', feed))
    with fire.trading("--seconds", 0, "--json") as process:
        code, out, err = ended(process)
    assert code == 0, err
    assert msgspec.json.decode(out)["ended"]["reason"] == "the feed has ended"
    fire.checked()
    assert fire.ended == 1
    refused(here(*fire.live("--seconds", 0)), 3, "nothing after where this desk's log ends")


def test_a_fault_halts_until_a_person_rearms(tmp_path: Path) -> None:
    """Exit code 6, also for the next start; re-armed it trades, and the log says who and why."""
    fire = Fire(tmp_path)
    ran = mm(*fire.live("--seconds", 5, "--json"), code=FAULTY + RUN)
    refused(ran, 6, "TradingStopped", "engine faulted", "ZeroDivisionError", "--rearm")
    (document,) = [msgspec.json.decode(ran.stdout)]  # One only: the error is on stderr.
    assert document["ended"]["halted"] == "engine faulted"
    read = log_of(fire)
    (fault,) = decided(read, EngineFaulted)
    assert fault.error.startswith("ZeroDivisionError")
    assert len(decided(read, TradingHalted)) == 1
    assert isinstance(facts(read, SessionEnded, EngineFaulted)[-1], SessionEnded)
    assert read[-1].turn.at - read[0].turn.at < 5_000_000_000, "it traded on"
    refused(here(*fire.live("--seconds", 1)), 6, "this desk is halted: engine faulted")
    assert len(log_of(fire)) == len(read), "a refused start writes nothing"
    again = here(*fire.live("--seconds", 1, "--rearm", "the strategy was repaired"))
    assert again.returncode == 0, again.stderr
    after = log_of(fire)[len(read) :]
    (rearmed,) = facts(after, TradingRearmed)
    assert rearmed.reason == "the strategy was repaired"
    assert decided(after, PlaceOrder)
    same = mm("replay", "verify", fire.desk, code=FAULTY + RUN)
    assert same.returncode == 0, same.stdout + same.stderr
    other = here("replay", "verify", fire.desk)
    refused(other, 1, "ReplayDiverged", "engine.faulted")


@pytest.mark.parametrize("ending", ["killed", pytest.param("given up", marks=STORM)])
def test_the_next_session_learns_what_left_in_an_outage(ending: str, tmp_path: Path) -> None:
    """The log is away, what rests is canceled, the process ends: the next one tells the log."""
    fire = Fire(tmp_path)
    wrapped = SHORT_PATIENCE + witness.CODE if ending == "given up" else witness.CODE
    short = {"MM_LOG__APPEND_TIMEOUT": "300ms", "MM_LOG__ACK_TIMEOUT": "200ms"}
    spool = fire.desk / "spool"
    with fire.trading("--seconds", 0, code=wrapped, **short) as process:
        fire.wait(process, lambda seen: len(seen.sent) > 4)
        server = fire.server()
        os.kill(server, signal.SIGSTOP)
        before = fire.seen()
        appears(spool)
        if ending == "killed":
            kill(process)
            os.kill(server, signal.SIGCONT)
        else:
            time.sleep(1.5)
            os.kill(server, signal.SIGCONT)  # Only now can it be told to stop.
            code, _, err = ended(process)
            assert code == 4, err
            assert "LogUnavailable" in err
            assert "Traceback" not in err
    assert spool.exists()
    owed = [fact.order_id for fact in Spool(spool).owed if isinstance(fact, OrderSubmitted)]
    lines = fire.seen().lines
    first = lines.index(("sent", "CancelOrder", owed[0]), len(before.lines))
    assert {each[:2] for each in lines[first:]} == {("sent", "CancelOrder")}
    turn = fire.checked()
    assert here(*fire.live("--seconds", 0.3)).returncode == 0
    fire.checked()
    assert not spool.exists()
    told = log_of(fire)[turn : turn + 2]
    assert facts(told[:1], SessionStarted)
    assert "while the log is away" in facts(told[1:], NoteTaken)[0].text
    assert [each.order_id for each in facts(told[1:], OrderSubmitted)] == owed


def appears(path: Path) -> None:
    """Wait for a file."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path.name}"
        time.sleep(0.005)
    time.sleep(0.05)


def test_a_second_session_on_one_store_is_refused(tmp_path: Path) -> None:
    """The desk's own server serves one: exit code 4, and the first trades on undisturbed."""
    fire = Fire(tmp_path)
    with fire.trading("--seconds", 0) as process:
        last = fire.wait(process, lambda seen: seen.last > 20).last
        refused(here(*fire.live("--seconds", 1)), 4, "StoreLocked", str(process.pid))
        fire.wait(process, lambda seen: seen.last > last + 20)
        process.send_signal(signal.SIGINT)
        assert ended(process)[0] == 0
    fire.checked()
    assert fire.sessions == 1


@STORM
def test_a_kill_while_archiving_does_not_hold_up_the_next(tmp_path: Path) -> None:
    """What copies the log into the archive dies with its session, and the next one copies all."""
    fire = Fire(tmp_path)
    with fire.trading("--seconds", 0.2) as process:
        while not (child := archiver(process.pid)):
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.2)
        kill(process)
    ran = here(*fire.live("--seconds", 0.2))
    assert ran.returncode == 0, ran.stderr
    assert not archiver(process.pid)
    assert child
    turn = fire.checked()
    assert Archive(fire.desk / "archive").head.number == turn


def archiver(parent: int) -> list[str]:
    """The process that a session archives with."""
    found = subprocess.run(
        ["pgrep", "-P", str(parent), "-f", "mm.apps.archiving"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.split()
