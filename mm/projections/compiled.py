"""How compiled code is marked, and how it reaches memory that Python holds.

Arrays that come in as arguments are counted references: every call that passes them on pays for
that with locked instructions. The pass therefore gets one address, of a table of addresses, and
lays its arrays over them; whoever owns the memory keeps it alive while the pass runs.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numba import types
from numba.np.arrayobj import get_itemsize, populate_array
from numba.np.numpy_support import from_dtype

import mm.log.compilation  # noqa: F401 - it says where compiled code is kept.

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function")

    def njit(**_options: Any) -> Callable[[Function], Function]:
        """Typed stand-in: numba's decorator has no types of its own."""
        ...

    def jitable(function: Function) -> Function:
        """Typed stand-in for a function that Python calls, and compiled code too."""
        ...

    def intrinsic(function: Function) -> Function:
        """Typed stand-in: compiled code calls what is built without the context."""
        ...
else:
    from numba import njit
    from numba.extending import intrinsic
    from numba.extending import register_jitable as jitable

__all__ = ["ONE", "ZERO", "jitable", "laying", "njit", "numbered", "whole"]

ZERO: Final[Any] = np.int64(0)
ONE: Final[Any] = np.int64(1)
"""Numbers as such: for each literal a callee would be compiled anew."""

LENGTH: Final = 1 << 40
"""How long a laid array believes itself to be: bounds are the caller's affair."""


def numbered(count: int) -> tuple[Any, ...]:
    """The numbers from 0 on, to name things by, each of the type that compiled code has anyway."""
    return tuple(np.int64(number) for number in range(count))


def laying(place: int, kind: Any, width: int = 1) -> Any:
    """What lays an array over the address at a place of a table, given the table's own address.

    Rows of a type, or with `width` rows of so many columns. Compiled code calls it like a function,
    and it costs a load.
    """
    numbers = from_dtype(np.dtype(kind))
    array = types.Array(numbers, 1 if width == 1 else 2, "C")

    @intrinsic
    def lay(_context: Any, _table: Any) -> Any:
        return array(types.int64), partial(_laid, array, place, width)

    return lay


def _laid(
    array: Any, place: int, width: int, context: Any, builder: Any, _signature: Any, arguments: Any
) -> Any:
    """Build an array structure around an address."""
    word = context.get_value_type(types.int64)
    addresses = builder.inttoptr(arguments[0], word.as_pointer())
    where = context.get_constant(types.int64, place)
    address = builder.load(builder.gep(addresses, [where]))
    made = context.make_array(array)(context, builder)
    size = get_itemsize(context, array)  # type: ignore[no-untyped-call]
    item, length = (context.get_constant(types.intp, each) for each in (size, LENGTH))
    shape, strides = [length], [item]
    if width != 1:
        shape.append(context.get_constant(types.intp, width))
        strides.insert(0, context.get_constant(types.intp, size * width))
    data = builder.inttoptr(address, made.data.type)
    populate_array(  # type: ignore[no-untyped-call]
        made, data=data, shape=shape, strides=strides, itemsize=item, meminfo=None
    )
    return made._getvalue()  # noqa: SLF001 - how numba hands over what it has made.


@njit(cache=True)
def whole(number: Any) -> int:
    """A small or unsigned number as int64, so that callees are compiled for one type only."""
    wide: int = np.int64(number)  # type: ignore[assignment]
    return wide
