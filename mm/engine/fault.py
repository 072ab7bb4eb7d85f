"""How a fault of our own code is told: what was raised and where, equal on every machine."""

import re
from typing import Final

FAULT_TEXT_MAX: Final = 400


def described(error: Exception) -> str:
    """Type and text, without the addresses that differ from run to run."""
    text = f"{type(error).__name__}: {error}"
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
