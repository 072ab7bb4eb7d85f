"""How compiled code is marked, and how it reaches memory that Python holds.

Arrays that come in as arguments are counted references: every call that passes them on pays for
that with locked instructions. The pass therefore gets one address, of a table of addresses, and
lays its arrays over them; whoever owns the memory keeps it alive while the pass runs. A Python
function whose address stands in the table can be called from there as well: that costs a third of
returning to Python and being called anew.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np.arrayobj import get_itemsize, populate_array
from numba.np.numpy_support import from_dtype

from mm.log.inlining import inner, jitable, njit, part

if TYPE_CHECKING:

    def intrinsic(function: Any) -> Any:
        """Typed stand-in: compiled code calls what is built without the context."""
        ...
else:
    from numba.extending import intrinsic

__all__ = [
    "ONE",
    "RAISED",
    "ZERO",
    "calling",
    "compile_for",
    "inner",
    "jitable",
    "laying",
    "njit",
    "numbered",
    "part",
    "whole",
    "word_of",
]

ZERO: Final[Any] = np.int64(0)
ONE: Final[Any] = np.int64(1)
"""Numbers as such: for each literal a callee would be compiled anew."""

ROOM_IN_FRONT: Final = 1 << 63
"""What tells Python that the place before the first argument may be written to."""
RAISED: Final = -1
"""What a call returns whose function raised all the same: a signal came before its first line."""
LENGTH: Final = 1 << 40
"""How long a laid array that is sliced believes itself to be: bounds are the caller's affair."""


def numbered(count: int) -> tuple[Any, ...]:
    """The numbers from 0 on, to name things by, each of the type that compiled code has anyway."""
    return tuple(np.int64(number) for number in range(count))


def word_of(kind: np.dtype[Any], field: str) -> int:
    """The place of a field among the 64-bit words of a row."""
    assert kind.fields is not None, "a type without fields"
    assert kind.itemsize % 8 == 0, "rows of whole words"
    return int(kind.fields[field][1]) // 8


def laying(place: int, kind: Any, width: int = 1, *, sliced: bool = False) -> Any:
    """What lays an array over the address at a place of a table, given the table's own address.

    Rows of a type, or with `width` rows of so many columns. Compiled code calls it like a function,
    and it costs a load. The number of a row is never negative: to count from the end, as Python
    would, costs four instructions each time. To that end the array believes itself to be empty, so
    that it has rows but no slices of rows, unless it is meant to be `sliced`.
    """
    numbers = from_dtype(np.dtype(kind))
    array = types.Array(numbers, 1 if width == 1 else 2, "C")

    @intrinsic
    def lay(_context: Any, _table: Any) -> Any:
        return array(types.int64), partial(_laid, array, place, width, sliced)

    return lay


def calling(functions: int, numbers: int, objects: int) -> Any:
    """What calls a Python function with eight integers, from where a table tells its address.

    `functions`, `numbers` and `objects` are places of the table: it tells there the addresses of an
    array of functions' addresses, of the integers given last, and of the Python integers that were
    made of them, with one more in front. A number that is the same again is not made again.

    It is given the table's address, the place of the function, and the integers, hands these on,
    and returns the integer that the function does, or RAISED: then compiled code has to return at
    once, and Python finds the exception as the cause of a `SystemError`. Whoever calls holds the
    interpreter's lock, as compiled code does unless it says otherwise.
    """

    @intrinsic
    def call(
        _context: Any,
        _table: Any,
        _which: Any,
        _1: Any,
        _2: Any,
        _3: Any,
        _4: Any,
        _5: Any,
        _6: Any,
        _7: Any,
        _8: Any,
    ) -> Any:
        return types.int64(*(types.int64,) * 10), partial(_called, functions, numbers, objects)

    return call


def _called(
    functions: int, numbers: int, objects: int, context: Any, builder: Any, _: Any, arguments: Any
) -> Any:
    """Build a call of a Python object through its vector of arguments."""
    python = context.get_python_api(builder)
    word = context.get_value_type(types.int64)
    table = builder.inttoptr(arguments[0], word.as_pointer())

    def told(place: int, kind: Any) -> Any:
        address = builder.load(builder.gep(table, [context.get_constant(types.int64, place)]))
        return builder.inttoptr(address, kind.as_pointer())

    function = builder.load(builder.gep(told(functions, python.pyobj), [arguments[1]]))
    before, made = told(numbers, word), told(objects, python.pyobj)
    # A bound method puts itself in front of the first argument, where room is left for it.
    made = builder.gep(made, [context.get_constant(types.int64, 1)])
    for number, given in enumerate(arguments[2:]):
        spot = [context.get_constant(types.int64, number)]
        known, holds = builder.gep(before, spot), builder.gep(made, spot)
        with builder.if_then(builder.icmp_signed("!=", builder.load(known), given)):
            old = builder.load(holds)
            builder.store(python.long_from_longlong(given), holds)
            builder.store(given, known)
            python.decref(old)
    kind = ir.FunctionType(
        python.pyobj, [python.pyobj, python.pyobj.as_pointer(), word, python.pyobj]
    )
    vectorcall = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, kind, "PyObject_Vectorcall"
    )
    many = ir.Constant(word, len(arguments[2:]) | ROOM_IN_FRONT)
    answer = builder.call(vectorcall, [function, made, many, python.get_null_object()])
    says = cgutils.alloca_once_value(  # type: ignore[no-untyped-call]
        builder, context.get_constant(types.int64, RAISED)
    )
    with builder.if_then(builder.icmp_unsigned("!=", answer, python.get_null_object())):
        builder.store(python.long_as_longlong(answer), says)
        python.decref(answer)
    return builder.load(says)


def _laid(  # noqa: PLR0913, PLR0917 - what numba gives comes after what is laid.
    array: Any,
    place: int,
    width: int,
    sliced: bool,  # noqa: FBT001 - as above.
    context: Any,
    builder: Any,
    _signature: Any,
    arguments: Any,
) -> Any:
    """Build an array structure around an address."""
    word = context.get_value_type(types.int64)
    addresses = builder.inttoptr(arguments[0], word.as_pointer())
    where = context.get_constant(types.int64, place)
    address = builder.load(builder.gep(addresses, [where]))
    made = context.make_array(array)(context, builder)
    size = get_itemsize(context, array)  # type: ignore[no-untyped-call]
    item, length = (context.get_constant(types.intp, each) for each in (size, LENGTH * sliced))
    shape, strides = [length], [item]
    if width != 1:
        shape.append(context.get_constant(types.intp, width))
        strides.insert(0, context.get_constant(types.intp, size * width))
    data = builder.inttoptr(address, made.data.type)
    populate_array(  # type: ignore[no-untyped-call]
        made, data=data, shape=shape, strides=strides, itemsize=item, meminfo=None
    )
    return made._getvalue()  # noqa: SLF001 - how numba hands over what it has made.


def compile_for(function: Any, count: int) -> None:
    """Compile a function for so many integers, or load it from the cache."""
    function.compile((types.int64,) * count)


@inner
def whole(number: Any) -> int:
    """A small or unsigned number as int64, so that callees are compiled for one type only."""
    wide: int = np.int64(number)  # type: ignore[assignment]
    return wide
