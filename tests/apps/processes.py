"""The real command line, in a process of its own or within the test's.

Either way it sees none of our environment's settings. Within the test's process it starts ten times
faster, and all that differs is that nobody else pays for the imports.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from mm.apps.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
RUN: Final = "import sys; from mm.apps.cli import main; main(sys.argv[1:])"
OURS: Final = ("NATS_", "MM_", "PYTHONHASHSEED")
PATIENCE: Final = 120.0

Ran = subprocess.CompletedProcess[str]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What a user has in the environment, and what a test adds."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **given}


def command(*arguments: Any, code: str = RUN, python: str = sys.executable) -> list[str]:
    """The command line of a process; `code` may wrap the program."""
    return [python, "-c", code, *(str(each) for each in arguments)]


def mm(*arguments: Any, code: str = RUN, **given: str) -> Ran:
    """Run `mm` to its end; keyword arguments go to its environment."""
    return subprocess.run(
        command(*arguments, code=code),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env=environment(given),
    )


def here(*arguments: Any, **given: str) -> Ran:
    """Run `mm` to its end within this process, as a process of its own would."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        patch.dict(os.environ, environment(given), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main([str(each) for each in arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return subprocess.CompletedProcess([], code, out.getvalue(), err.getvalue())


@contextmanager
def started(*arguments: Any, code: str = RUN, **given: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs on; it does not outlive the test."""
    with subprocess.Popen(
        command(*arguments, code=code),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(given),
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def refused(ran: Ran, exit_code: int, *words: str) -> None:
    """Check that a command ended with one clear message: what, where and what to do."""
    assert ran.returncode == exit_code, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    assert "Traceback" not in ran.stdout + ran.stderr, ran.stderr
    for label in (": ", "\n  where: ", "\n  do: "):
        assert ran.stderr.count(label) >= 1, ran.stderr
    assert ran.stderr.count("\n  do: ") == 1, ran.stderr
    for word in words:
        assert word in ran.stderr, f"{word!r} is not in:\n{ran.stderr}"
