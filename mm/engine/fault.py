"""How a fault of our own code is told: what was raised and where, equal on every machine.

The words of Python's own errors change from version to version, and a replay under another Python
has to reproduce the fault: only our own assertions and errors are quoted.
"""

import re
from typing import Final

from mm.errors import MmError

FAULT_TEXT_MAX: Final = 400


def described(error: Exception) -> str:
    """Type, and text where it is ours, without the addresses that differ from run to run."""
    text = type(error).__name__
    if isinstance(error, AssertionError | MmError):
        text = f"{text}: {error}"
    return re.sub(r"0x[0-9a-f]{4,}", "0x…", text)[:FAULT_TEXT_MAX]


def located(error: Exception) -> str:
    """Module, function and line of the innermost frame; no path of any machine."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return ""
    code = frame.tb_frame.f_code
    return f"{frame.tb_frame.f_globals.get('__name__')}.{code.co_name}:{frame.tb_lineno}"
