"""A worker of a sweep: a process that plays trials, told on stdin and answered on stdout.

One JSON document a line: first the setup, then trials, each answered by an outcome. It ends where
stdin does, so that it never outlives whoever started it. An error of our kind is an outcome; any
other one ends the process, with its traceback on stderr: only the trial that raised it is lost.
"""

from __future__ import annotations

import os
import sys

import msgspec

from mm.apps.sweep_trial import FAILED, Outcome, Player, Setup, Trial
from mm.errors import MmError


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Whatever else is printed is not an answer.
    lines = iter(sys.stdin.buffer.readline, b"")
    player = Player(msgspec.json.decode(next(lines), type=Setup))
    for line in lines:
        answers.write(msgspec.json.encode(answered(player, line)) + b"\n")
        answers.flush()


def answered(player: Player, line: bytes) -> Outcome:
    """Play a trial; an error of ours is its outcome."""
    trial = msgspec.json.decode(line, type=Trial)
    try:
        return player.play(trial)
    except MmError as error:
        return failure(trial.key, error)


def failure(key: str, error: MmError) -> Outcome:
    """The outcome of a trial that we refuse to run, or that could not be run."""
    return Outcome(key=key, status=FAILED, error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
