"""A writer that was stopped and wakes up finds another one at work: it appends and sends nothing.

Both use a server of their own account, as desks on a cluster do. The first is stopped with SIGSTOP
somewhere in its work; the second takes the log over and trades; then the first is let go on.
"""

from __future__ import annotations

import asyncio
import os
import signal
from random import Random
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from tests.apps import witness
from tests.apps.fire import Fire
from tests.log.foreign import jetstream, nats_server
from tests.storm.test_kills import SEED, STORM, report

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    import pytest

    from tests.apps.witness import Testimony


ROUNDS: Final = 10


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end: exit code and errors."""
    _, err = process.communicate(timeout=60)
    return process.returncode, err


def woken(before: Testimony, after: Testimony, found: int) -> list[tuple[str, str, str]]:
    """What a stopped process did after it woke up that it may not do.

    It may hear of a turn that it had stored before it was stopped, which the second writer has
    `found`, and cancel what that turn canceled; a place of it is out of date.
    """
    new = after.lines[len(before.lines) :]
    cancels = {("sent", "CancelOrder"), ("sent", "CancelAll")}
    stored = {("acked", str(turn)) for turn in range(found + 1)}
    return [each for each in new if each[:2] not in cancels | stored]


def beyond(fire: Fire, process: subprocess.Popen[str], turn: int) -> int:
    """Wait until a process has stored more than so many turns."""
    return fire.wait(process, lambda seen: seen.last > turn).last


@STORM
async def test_a_writer_that_wakes_up_is_fenced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with exit code 4, and the log is the second writer's from where it took over."""
    random, fire = Random(f"{SEED}/fence"), Fire(tmp_path)
    durable = {**jetstream(tmp_path), "sync_interval": "always"}
    with nats_server(tmp_path, jetstream=durable) as port:
        url = f"nats://127.0.0.1:{port}"
        for _ in range(ROUNDS):
            with fire.trading("--seconds", 0, NATS_URL=url) as first:
                fire.wait(first, lambda seen: len(seen.sent) > 2)
                await asyncio.sleep(random.uniform(0, 0.5))
                first.send_signal(signal.SIGSTOP)
                await asyncio.sleep(0.1)
                of_first, before = fire.present, fire.seen()
                with fire.trading("--seconds", 0, NATS_URL=url) as second:
                    last = beyond(fire, second, before.last + 20)
                    first.send_signal(signal.SIGCONT)
                    code, err = ended(first)
                    ((found, _),) = fire.seen().recovered
                    beyond(fire, second, last)
                    second.send_signal(signal.SIGINT)
                    assert ended(second)[0] == 0
            assert code == 4, err
            assert "WriterFenced" in err
            assert "Traceback" not in err
            assert not woken(before, witness.read(of_first), found), "it did something"
            with patch.dict(os.environ, {"NATS_URL": url}):
                await fire.check()
        assert fire.sessions == 2 * ROUNDS
        assert fire.ended == ROUNDS
    report(capsys, fire, f"{ROUNDS} writers stopped, overtaken and woken")
