"""`kill -9`, of `mm live` and of its server, at random moments: nothing acknowledged is lost.

After every kill the log opens, its chain holds, every acknowledged turn is there as it was, the
state that the next process recovers is that of an engine which never died, and every decision is
reproduced. `make test` kills a few times, `make storm` fifty times each; a failure names its seed.
"""

from __future__ import annotations

import asyncio
import os
import signal
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from tests.apps.fire import Fire, kill

if TYPE_CHECKING:
    from pathlib import Path

SEED: Final = int(os.environ.get("STORM_SEED", "20260801"))
STORM: Final = pytest.mark.storm
SERVER_KILLS_A_SESSION: Final = 5


def report(capsys: pytest.CaptureFixture[str], fire: Fire, text: str) -> None:
    """Say how much was tried, for the record."""
    reproduced, decisions = fire.verified()
    with capsys.disabled():
        print(  # noqa: T201 - the figures are what a storm is for.
            f"\nseed {SEED}: {text}; {len(fire.hashes)} turns of {fire.sessions} sessions "
            f"({fire.ended} ended in order), 0 acknowledged turns lost, "
            f"{reproduced} of {decisions} decisions reproduced"
        )


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=STORM)])
async def test_the_process_is_killed(
    kills: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed while it starts, trades, stops or archives, it goes on where the log ends."""
    random, fire = Random(f"{SEED}/process"), Fire(tmp_path)
    killed = 0
    while killed < kills:
        seconds = random.choice([1, 1.5, 2])
        with fire.trading("--seconds", seconds) as process:
            if random.random() < 0.8:  # Most of the life is start-up otherwise.
                fire.wait(process, lambda seen: bool(seen.acked))
            await asyncio.sleep(random.uniform(0, 1.15 * seconds))
            killed += process.poll() is None
            kill(process)
        await fire.check()
    with fire.trading("--seconds", 1) as process:
        assert process.wait(60) == 0, process.communicate()[1]
    await fire.check()
    assert fire.ended
    assert not (fire.desk / "spool").exists()
    report(capsys, fire, f"{killed} kills of mm live")


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=STORM)])
async def test_the_server_is_killed(
    kills: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`mm live` starts it again and trades on; the session ends in order."""
    random, fire = Random(f"{SEED}/server"), Fire(tmp_path)
    killed = 0
    while killed < kills:
        with fire.trading("--seconds", 0) as process:
            for _ in range(min(SERVER_KILLS_A_SESSION, kills - killed)):
                before = fire.wait(process, lambda seen: bool(seen.acked)).last
                await asyncio.sleep(random.uniform(0, 1.5))
                os.kill(fire.server(), signal.SIGKILL)
                killed += 1
                last = max(before, fire.seen().last)
                goal = last + 20
                fire.wait(process, lambda seen, goal=goal: seen.last > goal)  # type: ignore[misc]
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, process.communicate()[1]
        await fire.check()
    assert fire.sessions == fire.ended
    report(capsys, fire, f"{killed} kills of its nats-server")
