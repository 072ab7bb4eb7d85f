"""Where trials are played: the port, and a pool of processes on this machine.

Workers are programs of their own rather than forks: a fork would copy the locks of threads (of the
database, of a progress bar) that nobody releases there. Rows are a file that each of them maps, so
that they share one copy; compiled code comes from the cache on disk. Each has a session of its own:
Ctrl-C reaches the pool alone, which tells them to stop.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from typing import IO, Final, Protocol, Self

import msgspec

from mm.apps.sweep_trial import FAILED, Outcome, Setup, Trial

WORKER: Final = (sys.executable, "-m", "mm.apps.sweep_worker")
LOOK_SECONDS: Final = 0.1
"""How often whoever iterates is asked whether to go on."""
PATIENCE_SECONDS: Final = 2.0
SINGLE: Final = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
"""A worker is one core's."""


class Executor(Protocol):
    """Plays trials somewhere: whatever was submitted comes back once, done or failed.

    The order in which they come back is nobody's promise. More may be submitted meanwhile.
    """

    def submit(self, trial: Trial) -> None:
        """Queue a trial."""
        ...

    def finished(self) -> Iterator[Outcome | None]:
        """Outcomes until none is outstanding; None now and then, while there is none."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Stop at once: what is not finished is dropped."""
        ...


class LocalPool:
    """Worker processes on this machine; one that dies costs its trial, and is replaced."""

    def __init__(self, setup: Setup, workers: int) -> None:
        """Nothing is started before there are trials."""
        self._setup = msgspec.json.encode(setup) + b"\n"
        self._room = workers
        self._waiting: deque[Trial] = deque()
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()

    def submit(self, trial: Trial) -> None:
        """Queue a trial."""
        self._waiting.append(trial)

    def finished(self) -> Iterator[Outcome | None]:
        """Outcomes as they come; None every tenth of a second in which there is none."""
        while self._assign():
            ready = self._selector.select(LOOK_SECONDS)
            if not ready:
                yield None
            for key, _ in ready:
                yield from self._heard(key.data)

    def pids(self) -> list[int]:
        """The processes, for whoever measures them."""
        return [each.pid for each in self._workers]

    def _assign(self) -> bool:
        """Give every idle worker a trial; whether anything is outstanding."""
        idle = [each for each in self._workers if each.trial is None]
        while self._waiting:
            if not idle and len(self._workers) < self._room:
                idle.append(self._started())
            if not idle:
                break
            idle.pop().give(self._waiting.popleft())
        return any(each.trial is not None for each in self._workers)

    def _started(self) -> Worker:
        worker = Worker(self._setup)
        self._workers.append(worker)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)
        return worker

    def _heard(self, worker: Worker) -> Iterator[Outcome]:
        outcome = worker.answer()
        if worker.gone:
            self._selector.unregister(worker.answers)
            self._workers.remove(worker)
            worker.stop()
        if outcome is not None:
            yield outcome

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop the workers."""
        self._selector.close()
        for worker in self._workers:
            worker.stop()
        self._workers.clear()


class Worker:
    """One process, and the trial that it plays."""

    def __init__(self, setup: bytes) -> None:
        """Start it and tell it the setup."""
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  Closed by `stop`.
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            WORKER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            # A worker finds the modules that we do: strategies of one's own are among them.
            env=SINGLE | os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self._process.stdin is not None, "asked for"
        assert self._process.stdout is not None, "asked for"
        self._orders, self.answers = self._process.stdin, self._process.stdout
        self._heard = b""
        self.gone = False
        self.trial: Trial | None = None
        self._say(setup)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def give(self, trial: Trial) -> None:
        """Let it play a trial."""
        self.trial = trial
        self._say(msgspec.json.encode(trial) + b"\n")

    def answer(self) -> Outcome | None:
        """What it said, once that is a whole line; a process that ended has failed its trial."""
        piece = os.read(self.answers.fileno(), 1 << 20)
        self._heard += piece
        if piece and not piece.endswith(b"\n"):
            return None
        trial, self.trial = self.trial, None
        line, self._heard = self._heard, b""
        self.gone = not piece
        if piece:
            return msgspec.json.decode(line, type=Outcome)
        if trial is None:
            return None
        return Outcome(key=trial.key, status=FAILED, error=self._epitaph())

    def stop(self) -> None:
        """End it, and leave nothing open."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for each in (self._orders, self.answers, self._errors):
            _close(each)

    def _say(self, line: bytes) -> None:
        # One that died is heard of on the other pipe, with its trial.
        with contextlib.suppress(BrokenPipeError):
            self._orders.write(line)
            self._orders.flush()

    def _epitaph(self) -> str:
        """What a process said at its end: the last line of a traceback, or the signal."""
        status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
        return f"the worker ended with {how}" + (f": {lines[-1]}" if lines else "")


def _close(file: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):  # What was not yet written is nobody's any more.
        file.close()
