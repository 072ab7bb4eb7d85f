"""How compiled code is marked, and how it reaches memory that Python holds.

Arrays that come in as arguments are counted references: every call that passes them on pays for
that with locked instructions. The pass therefore gets one address, of a table of addresses, and
lays its arrays over them; whoever owns the memory keeps it alive while the pass runs.
"""

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numba import types
from numba.np.arrayobj import get_itemsize, populate_array

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

    def intrinsic(
        **_options: Any,
    ) -> Callable[[Callable[..., Any]], Callable[[int, int, Any, int], Any]]:
        """Typed stand-in: compiled code calls what is built without the context."""
        ...
else:
    from numba import njit
    from numba.extending import intrinsic
    from numba.extending import register_jitable as jitable

__all__ = ["jitable", "laid", "njit", "whole"]

LENGTH: Final = 1 << 40
"""How long a laid array believes itself to be: bounds are the caller's affair."""


@intrinsic(prefer_literal=True)
def laid(_context: Any, _table: Any, _place: Any, kind: Any, width: Any) -> Any:
    """The array at an address that stands in a table: `width` columns of a type, or one of rows.

    First the address of the table, then the index in it; width 1 gives one dimension.
    """
    columns = width.literal_value
    array = types.Array(kind.dtype, 1 if columns == 1 else 2, "C")

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = context.get_value_type(types.int64)
        addresses = builder.inttoptr(arguments[0], word.as_pointer())
        address = builder.load(builder.gep(addresses, [arguments[1]]))
        made = context.make_array(array)(context, builder)
        size = get_itemsize(context, array)  # type: ignore[no-untyped-call]
        item, length = (context.get_constant(types.intp, each) for each in (size, LENGTH))
        shape, strides = [length], [item]
        if columns != 1:
            shape.append(context.get_constant(types.intp, columns))
            strides.insert(0, context.get_constant(types.intp, size * columns))
        data = builder.inttoptr(address, made.data.type)
        populate_array(  # type: ignore[no-untyped-call]
            made, data=data, shape=shape, strides=strides, itemsize=item, meminfo=None
        )
        return made._getvalue()  # noqa: SLF001 - how numba hands over what it has made.

    return array(types.int64, types.int64, kind, width), build


@njit(cache=True)
def whole(number: Any) -> int:
    """A small or unsigned number as int64, so that callees are compiled for one type only."""
    wide: int = np.int64(number)  # type: ignore[assignment]
    return wide
