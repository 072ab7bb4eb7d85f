"""A suite that was started in the background, or under `nohup`, ends its sessions all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mm.apps.interrupts import NAMES
from tests.hearing import audible

if TYPE_CHECKING:
    from collections.abc import Iterator

LIST: Final = (
    "import signal; from mm.apps.interrupts import NAMES; "
    "print(*[each.name for each in NAMES if signal.getsignal(each) == signal.SIG_IGN])"
)


def ignored() -> list[str]:
    """What a process that we start now ignores of all that `mm` listens to."""
    found = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, check=True)
    return found.stdout.split()


@contextmanager
def deaf() -> Iterator[None]:
    """We ignore what a shell and `nohup` have us ignore."""
    usual = {number: signal.getsignal(number) for number in NAMES}
    for number in usual:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def test_a_child_hears_what_we_ignore() -> None:
    """It inherits none of our deafness, and we stay deaf: within, and after it."""
    with deaf():
        assert ignored() == [each.name for each in NAMES]
        with audible():
            assert ignored() == []
            os.kill(os.getpid(), signal.SIGINT)
        assert ignored() == [each.name for each in NAMES]


def test_every_test_is_audible() -> None:
    """However the suite was started; in the background this fails without the fixture."""
    assert ignored() == []
