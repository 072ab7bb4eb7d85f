"""How compiled code is marked, and how it reaches memory that Python holds.

Arrays that come in as arguments are counted references: every call that passes them on pays for
that with locked instructions. The pass therefore gets addresses, and lays its arrays over them;
whoever owns the memory keeps it alive while the pass runs.
"""

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numba import carray, types

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function")

    def njit(**_options: Any) -> Callable[[Function], Function]:
        """Typed stand-in: numba's decorator has no types of its own."""
        ...

    def jitable(function: Function) -> Function:
        """Typed stand-in for a function that Python calls, and compiled code too."""
        ...

    def intrinsic(function: Callable[[Any, Any], Any]) -> Callable[[int], Any]:
        """Typed stand-in: compiled code calls what is built without the context."""
        ...
else:
    from numba import njit
    from numba.extending import intrinsic
    from numba.extending import register_jitable as jitable

__all__ = ["carray", "jitable", "njit", "pointer", "whole"]


@intrinsic
def pointer(_context: Any, address: Any) -> Any:
    """An address as what `carray` lays an array over."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        return builder.inttoptr(arguments[0], kind)

    return types.voidptr(address), build


@njit(cache=True)
def whole(number: Any) -> int:
    """A small or unsigned number as int64, so that callees are compiled for one type only."""
    wide: int = np.int64(number)  # type: ignore[assignment]
    return wide
