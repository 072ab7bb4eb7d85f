"""Marks functions that the compiled pass calls too: plain Python here, compiled inside it.

What is marked takes and gives integers and floats only, and must come to the same bits in both: no
`math.log` or `**` (each library has its own last bit), no division by zero (Python raises), and no
integer beyond 63 bits, even for a moment (compiled code takes for granted that there is none).
"""

from typing import TYPE_CHECKING, TypeVar

Function = TypeVar("Function")

if TYPE_CHECKING:

    def jitable(function: Function) -> Function:
        """Typed stand-in: numba's decorator has no types of its own."""
        ...
else:
    from numba.extending import register_jitable as jitable

__all__ = ["jitable"]
