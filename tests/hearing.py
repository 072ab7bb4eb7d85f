"""Signals that this process was started to ignore: the processes that a test starts hear them.

A shell without job control has what it runs in the background ignore Ctrl-C, and `nohup` has it
ignore a hang-up. A child inherits that, and `mm` respects it, so that a test which ends a session
by Ctrl-C would wait for ever. A handler, unlike an ignored signal, does not outlive `exec`: with
one that does nothing we stay as deaf as we are, and our children hear.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mm.apps.interrupts import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def audible() -> Iterator[None]:
    """Whoever is started within hears what `mm` listens to, whether or not we do."""
    ignored = [number for number in NAMES if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, _nothing)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def _nothing(_number: int, _frame: object) -> None:
    """Take the signal and do nothing with it."""
