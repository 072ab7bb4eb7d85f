"""Ctrl-C, SIGTERM and SIGHUP, for as long as a session is opened, run and archived.

The first one asks the session for an orderly end. A second one, or one while there is no session to
ask, cancels the task that entered here and becomes `Interrupted`. What comes after that is not
heard: letting go of the log takes a moment, and an exception in its middle would be a traceback of
somebody else's code. Signals reach the main thread alone; in another one nothing is listened to.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

from mm.errors import Interrupted

if TYPE_CHECKING:
    from types import TracebackType

NAMES: Final = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
if sys.platform != "win32":
    NAMES[signal.SIGHUP] = "SIGHUP"
"""What is listened to: the terminal went away is one more way of being asked to stop."""
Ask = Callable[[str, str], None]


class Interrupts:
    """`with Interrupts(what) as interrupts:` listens; `what` says where an end would leave us."""

    def __init__(self, what: str) -> None:
        """Nobody is to be asked yet."""
        self.what = what
        self._ask: Ask | None = None
        self._cut: signal.Signals | None = None
        self._task: asyncio.Task[object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._heeded: list[signal.Signals] = []

    def orderly(self, ask: Ask, what: str) -> None:
        """The next one calls `ask` with who and why; the one after it ends with `what`."""
        self._ask, self.what = ask, what

    def final(self, what: str) -> None:
        """There is nobody to ask any more: the next one ends with `what`."""
        self._ask, self.what = None, what

    def __enter__(self) -> Self:
        """Begin to listen."""
        if threading.current_thread() is threading.main_thread():
            self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
            # Under `nohup` a hang-up is ignored, and stays so.
            self._heeded = [each for each in NAMES if signal.getsignal(each) != signal.SIG_IGN]
            for number in self._heeded:
                self._loop.add_signal_handler(number, self._heard, number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Listen no more; raises `Interrupted` where a signal was the end."""
        if self._cut is not None and kind is asyncio.CancelledError:
            assert self._task is not None, "somebody was cancelled"
            self._task.uncancel()
            raise Interrupted(f"stopped by {NAMES[self._cut]} {self.what}") from error
        if self._loop is not None:
            for number in self._heeded:
                self._loop.remove_signal_handler(number)

    def _heard(self, number: signal.Signals) -> None:
        ask, self._ask = self._ask, None
        if ask is not None:
            ask("operator", signal.Signals(number).name)
        elif self._cut is None and self._task is not None:
            self._cut = signal.Signals(number)
            self._task.cancel()
