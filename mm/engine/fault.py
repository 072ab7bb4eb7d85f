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
    """Module and qualified name of the innermost function; no path of any machine, and no line.

    A comprehension is a frame of its own in one Python and a part of its function in the next, and
    of an expression over several lines each names another: the function is what all agree on.
    """
    where, frame = "", error.__traceback__
    while frame is not None:
        code = frame.tb_frame.f_code
        if not code.co_name.startswith("<"):
            where = f"{frame.tb_frame.f_globals.get('__name__')}.{code.co_qualname}"
        frame = frame.tb_next
    return where
